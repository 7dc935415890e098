//! `errand upgrade`

mod life;
mod place;
