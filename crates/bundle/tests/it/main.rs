//! Bundles from configuration to bytes, against the contracts' own vectors and a real EVM.

// helpers of tests, outside of any #[test]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod actions;
mod artifact;
mod bundle;
mod config;
mod docs;
mod evm;
mod file;
mod fixtures;
mod market;
mod plan;
mod project;
mod storage;
