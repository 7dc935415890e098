//! The contracts, deployed by the same script that users run.

use crate::{Anvil, root, tool};
use alloy::primitives::{Address, B256, Bytes, hex};
use eyre::{OptionExt, Result, WrapErr, ensure};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// One contract of a deployment, as the script records it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    /// Where it is.
    pub address: Address,
    /// The block in which it was deployed, or one before.
    pub block: u64,
    /// ABI-encoded arguments of its constructor.
    pub arguments: Bytes,
    /// Hash of its code.
    pub code_hash: B256,
    /// Commit of the sources, as far as it was known.
    pub commit: String,
}

/// A deployment on a node of the test's own. Its record lies in a folder of its own, deleted when dropped.
#[derive(Debug)]
pub struct Deployment {
    folder: TempDir,
    chain_id: u64,
    contracts: BTreeMap<String, Deployed>,
}

impl Deployment {
    /// Runs `script/Deploy.s.sol` from the first account of the node. The parameters are those of
    /// `script/config/<chainId>.json`.
    pub async fn run(anvil: &Anvil) -> Result<Self> {
        let chain_id = u64::from_str_radix(
            anvil.call::<_, String>("eth_chainId", [(); 0]).await?.trim_start_matches("0x"),
            16,
        )?;
        let mut deployment = Self { folder: Anvil::script_folder()?, chain_id, contracts: BTreeMap::new() };
        deployment.script(anvil, "script/Deploy.s.sol").await?;
        Ok(deployment)
    }

    /// Runs another script, which adds to the record.
    pub async fn script(&mut self, anvil: &Anvil, script: &str) -> Result<()> {
        let (folder, script, url) = (self.folder.path().to_path_buf(), script.to_owned(), anvil.http_url());
        let key = hex::encode_prefixed(anvil.signer(0)?.to_bytes());
        // The script takes seconds, which the test's other tasks need not wait for.
        tokio::task::spawn_blocking(move || run_script(&folder, &script, &url, &key)).await??;
        let path = self.path();
        let text = fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
        self.contracts = serde_json::from_str(&text).wrap_err("the record of the deployment")?;
        Ok(())
    }

    /// The folder of the record, for `ERRAND_DEPLOYMENTS`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The record itself.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.json", self.chain_id))
    }

    /// All contracts by name.
    pub const fn contracts(&self) -> &BTreeMap<String, Deployed> {
        &self.contracts
    }

    /// The address of the contract of that name.
    pub fn address(&self, name: &str) -> Result<Address> {
        Ok(self.contracts.get(name).ok_or_eyre(format!("no {name} was deployed"))?.address)
    }
}

fn run_script(folder: &Path, script: &str, url: &str, key: &str) -> Result<()> {
    let root = root()?;
    // Runs share the compiler's cache, which is what makes them fast, and so they must not overlap.
    let lock = File::create(root.join("target").join("testkit.lock"))?;
    lock.lock()?;
    let output = Command::new(tool("forge")?)
        .current_dir(&root)
        .args(["script", script, "--rpc-url", url, "--broadcast", "--private-key", key])
        .env("ERRAND_DEPLOYMENTS", folder)
        .env("FOUNDRY_BROADCAST", folder.join("broadcast"))
        .output()?;
    ensure!(
        output.status.success(),
        "{script} failed with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
