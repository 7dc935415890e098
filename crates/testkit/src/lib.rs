//! Fixtures for tests: real nodes, deployments by the same script that users run, and faults in between.
//!
//! # Layout
//! - [`anvil`]: a node of the test's own: [`Anvil`]
//! - [`deployment`]: the contracts on it: [`Deployment`]
//! - [`keeper`]: the released binary as a keeper's process: [`KeeperProcess`]
//! - [`proxy`]: faults of connections between node and client: [`Proxy`]
//! - [`relay`]: faults of single calls: [`Relay`]

pub mod anvil;
pub mod deployment;
pub mod keeper;
pub mod proxy;
pub mod relay;

pub use anvil::{Anvil, AnvilBuilder};
pub use deployment::{Deployed, Deployment};
pub use keeper::KeeperProcess;
pub use proxy::Proxy;
pub use relay::Relay;

use eyre::{Result, ensure, eyre};
use std::path::{Path, PathBuf};

/// The checkout's root: the folder with `foundry.toml` above this crate.
pub fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("foundry.toml").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| eyre!("no folder above {} has a foundry.toml", env!("CARGO_MANIFEST_DIR")))
}

/// The `errand` binary that was built with the running example, in the same profile.
pub fn errand() -> Result<PathBuf> {
    // cargo puts examples into a folder beside the binaries
    let path = std::env::current_exe()?.with_file_name("").join("../errand");
    ensure!(path.is_file(), "{} is missing: run `make build`", path.display());
    Ok(path)
}

/// One of the checkout's native Foundry tools. The launchers that npm installs are none: they lose exit codes,
/// and killing one leaves its node running.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = root()?.join("bin").join(name);
    ensure!(path.is_file(), "{} is missing: run `make setup`", path.display());
    Ok(path)
}
