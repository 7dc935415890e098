//! The real binary against a real node with the real contracts.

mod bad_input;
mod chain;
mod keeper;
mod requests;
mod stake;
