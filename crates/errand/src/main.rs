//! Errand.
mod abi;
mod amount;
mod calldata;
mod keys;
mod problem;
mod redact;
mod revert;
fn main() {}
