//! Keepers as processes of the released binary, which can be killed and started again.

use crate::{Anvil, Deployment};
use alloy::primitives::{Address, hex};
use eyre::{Result, WrapErr, ensure};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// One keeper: its key, its files, and its process while it runs. Dropping it kills the process.
#[derive(Debug)]
pub struct KeeperProcess {
    binary: PathBuf,
    address: Address,
    key: String,
    folder: PathBuf,
    starts: usize,
    process: Option<Child>,
}

impl KeeperProcess {
    /// A keeper that does not run yet, with the key of the node's account `account`. Its files are in
    /// `folder/name`.
    pub fn new(binary: &Path, anvil: &Anvil, account: u32, folder: &Path, name: &str) -> Result<Self> {
        let signer = anvil.signer(account)?;
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(Self {
            binary: binary.to_owned(),
            address: signer.address(),
            key: hex::encode_prefixed(signer.to_bytes()),
            folder,
            starts: 0,
            process: None,
        })
    }

    /// Whose key it has.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Starts `errand keeper run`, with further `arguments`. It keeps its journal from one start to the next.
    pub fn start(&mut self, anvil: &Anvil, deployment: &Deployment, arguments: &[&str]) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.folder.join(format!("log-{}.txt", self.starts)))?;
        let child = Command::new(&self.binary)
            .args(["keeper", "run", "--rpc", &anvil.ws_url()])
            .arg("--deployment")
            .arg(deployment.path())
            .arg("--journal")
            .arg(self.folder.join("journal.sqlite"))
            .arg("--stats")
            .arg(self.stats_path(self.starts))
            .args(arguments)
            .env("ERRAND_PRIVATE_KEY", &self.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .wrap_err_with(|| format!("cannot start {}", self.binary.display()))?;
        self.process = Some(child);
        Ok(())
    }

    /// Fails when the process ended by itself.
    pub fn check(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let ended = process.try_wait()?;
        ensure!(
            ended.is_none(),
            "the keeper of {} ended by itself; its log is in {}",
            self.address,
            self.folder.display()
        );
        Ok(())
    }

    /// Kills the process at once: the operating system's -9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    fn stats_path(&self, start: usize) -> PathBuf {
        self.folder.join(format!("stats-{start}.jsonl"))
    }

    /// The texts of what it told about its work with `--stats`, one for each of its starts. The last line of a process
    /// that was killed may be half a line.
    pub fn stats(&self) -> Vec<String> {
        (1..=self.starts)
            .map(|start| fs::read_to_string(self.stats_path(start)).unwrap_or_default())
            .collect()
    }
}

impl Drop for KeeperProcess {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
