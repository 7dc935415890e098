//! ChugSplash bundles, without a network: from `upgrade.toml` and forge artifacts to a Merkle tree of actions, its
//! header and the file that is published, and back. Nothing here reads a clock, a file or a socket; text, bytes and
//! what is known of the chain are handed in.
//!
//! # Layout
//! - [`action`]: what a bundle does: [`Action`], [`Step`], leaves
//! - [`tree`]: root and proofs over leaves
//! - [`header`]: bundle ids, the totals that a header states
//! - [`create3`]: salts, and where the actor deploys
//! - [`artifact`]: what forge wrote about a contract; [`layout`]: where its variables are
//! - [`config`]: `upgrade.toml`; [`project`]: with its artifacts, every reference resolved
//! - [`plan`]: what is to be done, given what is there; [`bundle`]: with gas, money and batches
//! - [`mod@file`]: what is published; [`diff`]: how two lists of actions differ
//! - [`market`]: the game between executors and owners, played out

pub mod action;
pub mod artifact;
pub mod bundle;
pub mod config;
pub mod create3;
pub mod diff;
pub mod file;
pub mod header;
pub mod layout;
pub mod market;
pub mod plan;
pub mod project;
pub mod tree;

pub use action::{Action, ActionKind, BundleHeader, Step};
pub use header::bundle_id;
pub use tree::Tree;
