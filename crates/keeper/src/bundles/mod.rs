//! ChugSplash bundles.
//!
//! # Layout
//! - [`rehearsal`]: what a bundle would do, whole or the rest of it: [`Rehearsal`]

pub mod rehearsal;

pub use rehearsal::{Rehearsal, RehearsalError, Rehearsed};
