//! What a keeper tells about its work, block by block.

use crate::{bundles::BundleReport, pricing::Balance, turn::Turn};
use alloy::{
    primitives::{B256, U256},
    serde::displayfromstr,
};
use errand_types::RequestId;
use serde::Serialize;
use std::time::Duration;

/// A transaction that was sent, or would have been in a dry run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentReport {
    /// The Requests in it.
    pub requests: Vec<RequestId>,
    /// Its hash; none in a dry run.
    pub tx: Option<B256>,
    /// Gas that it was quoted to use.
    pub gas: u64,
    /// What it was quoted to earn and cost, in wei.
    pub balance: Balance,
}

/// One of the keeper's transactions that is in a block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MinedReport {
    /// Its hash.
    pub tx: B256,
    /// Whether it succeeded.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// What it cost, in wei.
    #[serde(serialize_with = "displayfromstr::serialize")]
    pub cost_wei: U256,
}

/// Why nothing is sent, whatever pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "reason")]
pub enum Withheld {
    /// Nothing can be recorded: no space is left for the journal.
    DiskFull,
    /// Reverted and cancelled transactions have cost what the operator gives for them.
    LossBudget {
        /// What they cost in the last 24 hours, in wei.
        #[serde(rename = "lostWei", serialize_with = "displayfromstr::serialize")]
        lost: U256,
    },
    /// The account has too little ETH for the gas of any Request that would earn.
    OutOfFunds {
        /// What it has beside what is under way, in wei.
        #[serde(rename = "balanceWei", serialize_with = "displayfromstr::serialize")]
        balance: U256,
        /// What a node wants to see of it for the cheapest transaction, in wei.
        #[serde(rename = "neededWei", serialize_with = "displayfromstr::serialize")]
        needed: U256,
    },
}

/// What a keeper did with one block, or with another look at it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockReport {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// From the moment the block's header came to this machine to the last decision on it: reading its logs and
    /// writes, loading state, simulating, and sending are all in it. For the first look after a start or resync,
    /// from its beginning.
    #[serde(serialize_with = "milliseconds", rename = "blockMs")]
    pub elapsed: Duration,
    /// JSON-RPC calls made for it, those of the feed included.
    pub rpc_calls: u64,
    /// Outstanding Requests.
    pub outstanding: usize,
    /// Requests that were simulated again.
    pub rechecked: usize,
    /// Requests whose call would succeed.
    pub executable: usize,
    /// Requests of which it is not known, because the node did not tell state.
    pub unknown: usize,
    /// Whose turn it is.
    pub turn: Option<Turn>,
    /// Why nothing is sent, whatever pays.
    pub withheld: Option<Withheld>,
    /// What was sent.
    pub sent: Vec<SentReport>,
    /// What was found in it.
    pub mined: Vec<MinedReport>,
    /// What was decided about each bundle; nothing where a newer block was known.
    pub bundles: Vec<BundleReport>,
}

fn milliseconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64() * 1_000.0)
}

/// Hears what a keeper does.
pub trait Observer: Send {
    /// The keeper follows the chain from `number` on with `outstanding` Requests; `outside` more are
    /// outstanding, but were registered before the look-back.
    fn synced(&mut self, number: u64, outstanding: usize, outside: usize) {
        let _ = (number, outstanding, outside);
    }

    /// A block was dealt with.
    fn block(&mut self, report: &BlockReport) {
        let _ = report;
    }
}

impl Observer for () {}
