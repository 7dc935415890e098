//! The keepers: processes of the released binary, one of which is killed in the middle and started again.

use crate::scene::Scene;
use alloy::primitives::Address;
use eyre::{Result, WrapErr, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// One keeper: its key, its files, and its process while it runs.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) address: Address,
    key: String,
    folder: PathBuf,
    starts: usize,
    process: Option<Child>,
}

impl Keeper {
    pub(crate) fn new(scene: &Scene, index: usize, folder: &Path) -> Result<Self> {
        let folder = folder.join(format!("keeper-{index}"));
        fs::create_dir_all(&folder)?;
        Ok(Self {
            address: scene.executor(index)?,
            key: scene.executor_key(index)?,
            folder,
            starts: 0,
            process: None,
        })
    }

    /// Starts the process. It keeps its journal from one start to the next.
    pub(crate) fn start(&mut self, binary: &Path, scene: &Scene) -> Result<()> {
        self.starts += 1;
        let log = File::create(self.folder.join(format!("log-{}.txt", self.starts)))?;
        let child = Command::new(binary)
            .args(["keeper", "run", "--rpc", &scene.anvil.ws_url()])
            .arg("--deployment")
            .arg(scene.deployment.path())
            .arg("--journal")
            .arg(self.folder.join("journal.sqlite"))
            .arg("--stats")
            .arg(self.stats_path(self.starts))
            .env("ERRAND_PRIVATE_KEY", &self.key)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .wrap_err_with(|| format!("cannot start {}", binary.display()))?;
        self.process = Some(child);
        Ok(())
    }

    /// Fails when the process ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
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
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    fn stats_path(&self, start: usize) -> PathBuf {
        self.folder.join(format!("stats-{start}.jsonl"))
    }

    /// What it told about its work, over all its starts.
    pub(crate) fn stats(&self) -> Result<Stats> {
        let mut blocks: Vec<BlockLine> = Vec::new();
        for start in 1..=self.starts {
            let text = fs::read_to_string(self.stats_path(start)).unwrap_or_default();
            // The last line of a process that was killed may be half a line.
            blocks.extend(text.lines().filter_map(|line| serde_json::from_str::<BlockLine>(line).ok()));
        }
        let mut times: Vec<f64> = blocks.iter().map(|block| block.block_ms).collect();
        times.sort_by(f64::total_cmp);
        let percentile = |share: f64| {
            let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
            times.get(index).copied().unwrap_or_default()
        };
        let calls: u64 = blocks.iter().map(|block| block.rpc_calls).sum();
        Ok(Stats {
            address: self.address,
            blocks: blocks.len(),
            rpc_calls_per_block: calls as f64 / blocks.len().max(1) as f64,
            p50_block_ms: percentile(0.50),
            p99_block_ms: percentile(0.99),
            sent: blocks.iter().map(|block| block.sent.len()).sum(),
            reverted: blocks.iter().flat_map(|block| &block.mined).filter(|mined| !mined.success).count(),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// The parts of a keeper's line about a block that are summed up.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockLine {
    block_ms: f64,
    rpc_calls: u64,
    sent: Vec<serde_json::Value>,
    mined: Vec<Mined>,
}

#[derive(Debug, Deserialize)]
struct Mined {
    success: bool,
}

/// A keeper's work in figures.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    address: Address,
    pub(crate) blocks: usize,
    pub(crate) rpc_calls_per_block: f64,
    pub(crate) p50_block_ms: f64,
    pub(crate) p99_block_ms: f64,
    pub(crate) sent: usize,
    pub(crate) reverted: usize,
}
