//! What the keepers told about their work, in figures.

use alloy::primitives::Address;
use errand_testkit::KeeperProcess;
use serde::{Deserialize, Serialize};

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
    pub(crate) address: Address,
    pub(crate) blocks: usize,
    /// of them with each of its starts
    #[serde(skip)]
    pub(crate) by_start: Vec<usize>,
    pub(crate) rpc_calls_per_block: f64,
    pub(crate) p50_block_ms: f64,
    pub(crate) p99_block_ms: f64,
    pub(crate) sent: usize,
    pub(crate) reverted: usize,
}

impl Stats {
    /// Sums up what the keeper wrote, over all its starts.
    pub(crate) fn of(keeper: &KeeperProcess) -> Self {
        let read = |text: String| -> Vec<BlockLine> {
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        let starts: Vec<_> = keeper.stats().into_iter().map(read).collect();
        let by_start = starts.iter().map(Vec::len).collect();
        let blocks: Vec<_> = starts.into_iter().flatten().collect();
        let mut times: Vec<f64> = blocks.iter().map(|block| block.block_ms).collect();
        times.sort_by(f64::total_cmp);
        let percentile = |share: f64| {
            let index = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len().max(1)) - 1;
            times.get(index).copied().unwrap_or_default()
        };
        let calls: u64 = blocks.iter().map(|block| block.rpc_calls).sum();
        Self {
            address: keeper.address(),
            blocks: blocks.len(),
            by_start,
            rpc_calls_per_block: calls as f64 / blocks.len().max(1) as f64,
            p50_block_ms: percentile(0.50),
            p99_block_ms: percentile(0.99),
            sent: blocks.iter().map(|block| block.sent.len()).sum(),
            reverted: blocks.iter().flat_map(|block| &block.mined).filter(|mined| !mined.success).count(),
        }
    }
}
