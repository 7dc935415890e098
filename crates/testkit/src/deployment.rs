//! The contracts, deployed by the same script that users run.

use crate::{Anvil, root, tool};
use alloy::primitives::{Address, B256, Bytes, hex};
use eyre::{OptionExt, Result, WrapErr, bail, ensure};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

/// How long a script may take on a busy machine, in a checkout that has not compiled it yet.
const SCRIPT_LIMIT: Duration = Duration::from_secs(300);

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
        let key = hex::encode_prefixed(anvil.signer(0)?.to_bytes());
        run_script(self.folder.path(), script, &anvil.http_url(), &key).await?;
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

async fn run_script(folder: &Path, script: &str, url: &str, key: &str) -> Result<()> {
    let root = root()?;
    // Runs share the compiler's cache, which is what makes them fast, and so they must not overlap.
    let lock = File::create(root.join("target").join("testkit.lock"))?;
    // Waiting takes seconds, which the test's other tasks need not wait for.
    let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let log = folder.join("script.log");
    let output = File::create(&log)?;
    let mut forge = Command::new(tool("forge")?)
        .current_dir(&root)
        // Anvil mines when the first of several transactions arrives, and forgets those that come meanwhile: one
        // at a time is as fast, and does not wait for ever.
        .args(["script", script, "--slow", "--rpc-url", url, "--broadcast", "--private-key", key])
        .env("ERRAND_DEPLOYMENTS", folder)
        .env("FOUNDRY_BROADCAST", folder.join("broadcast"))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .wrap_err("cannot start forge")?;
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let Ok(status) = tokio::time::timeout(SCRIPT_LIMIT, forge.wait()).await else {
        bail!("{script} had not ended after {SCRIPT_LIMIT:?}:\n{}", said());
    };
    let status = status?;
    ensure!(status.success(), "{script} failed with {status}:\n{}", said());
    Ok(())
}
