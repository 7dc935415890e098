//! The real binary against a real node with the real contracts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test needs is there, or the test fails"
)]

mod bad_input;
mod chain;
mod keeper;
mod keeper_bundles;
mod keeper_traps;
mod requests;
mod stake;
mod upgrade;
mod upgrade_inverse;
mod upgrade_plan;
mod warnings;
mod yard;
