//! `errand upgrade`

mod bad_input;
mod life;
mod place;
mod proxies;
mod watch;
