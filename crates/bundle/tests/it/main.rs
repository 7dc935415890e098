//! Bundles from configuration to bytes, against the contracts' own vectors and a real EVM.

mod actions;
mod config;
mod evm;
mod fixtures;
mod project;
mod storage;
