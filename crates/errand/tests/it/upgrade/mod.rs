//! `errand upgrade`

mod bad_input;
mod calldata;
mod life;
mod market;
pub(crate) mod place;
mod proxies;
mod register;
mod watch;
