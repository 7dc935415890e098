//! Keepers on a real node, with the contracts deployed by the users' script.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may panic like the tests themselves"
)]

mod batches;
mod bundles;
mod common;
mod differential;
mod duties;
mod faults;
mod live;
mod market;
mod money;
mod rehearsal;
mod spoilers;
mod strangers;
mod traps;
mod under_way;
mod waits;
