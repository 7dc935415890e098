//! Calls, transactions, read sets and the mirror, on real bytecode.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod asm;
mod calls;
mod env;
mod mirror;
mod properties;
mod reads;
mod transactions;
mod world;
