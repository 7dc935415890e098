//! `errand upgrade`

mod bad_input;
mod life;
pub(crate) mod place;
mod proxies;
mod watch;
