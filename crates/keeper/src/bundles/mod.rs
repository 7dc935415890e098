//! ChugSplash bundles, as work of a keeper.
//!
//! # Layout
//! - [`contracts`]: what of a deployment concerns them, and what the operator asks: [`BundleContracts`], [`BundlePolicy`]
//! - [`book`]: which are approved, by events; [`sync`]: at start
//! - [`bound`]: headers and actions in the types of the contracts' bindings
//! - [`fetch`]: files of strangers; [`leaves`]: their actions, as they come out of those
//! - [`facts`]: how one stands, on the state at the head
//! - [`rehearsal`]: what one would do, whole or the rest of it: [`Rehearsal`]
//! - [`judge`]: what to do about one; [`hindrance`]: or why not: [`Hindrance`]
//! - [`source`]: all of it, as the session's source of work: [`Bundles`]

pub mod book;
pub mod bound;
pub mod contracts;
pub mod facts;
pub mod fetch;
pub mod hindrance;
pub mod judge;
pub mod leaves;
pub mod rehearsal;
pub mod source;
pub mod sync;

pub use contracts::{BundleContracts, BundlePolicy, takes_data_fee};
pub use fetch::fetch;
pub use hindrance::Hindrance;
pub use judge::Step;
pub use rehearsal::{Rehearsal, RehearsalError, Rehearsed};
pub use source::{BundleReport, Bundles};
