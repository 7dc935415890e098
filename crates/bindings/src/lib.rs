//! Rust types of the contracts, generated from abi/errand.sol.
