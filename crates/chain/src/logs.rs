//! Logs of many blocks.

use crate::{Endpoint, EndpointError};
use alloy::{
    primitives::{Address, B256},
    rpc::types::Log,
};
use errand_types::BlockHead;

/// Which logs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The contracts that emitted them.
    pub addresses: Vec<Address>,
    /// The kinds of events: first topics. Empty: all.
    pub events: Vec<B256>,
}

/// Hears how far a sync has come.
pub trait SyncProgress {
    /// All blocks up to and including `block` are there, with `logs` logs in all so far.
    fn reached(&mut self, block: u64, logs: usize);
}

impl SyncProgress for () {
    fn reached(&mut self, _: u64, _: usize) {}
}

impl<F: FnMut(u64, usize)> SyncProgress for F {
    fn reached(&mut self, block: u64, logs: usize) {
        self(block, logs);
    }
}

/// Why the logs are not complete.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The node gives no logs for these blocks.
    #[error("the node gives no logs for blocks {from} to {to}: {reason}")]
    RangeRefused {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// What the node said.
        reason: String,
    },
    /// The last block is not canonical (any more).
    #[error("block {number} {hash} was replaced while logs were read")]
    Reorged {
        /// Its height.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The node answered with logs that were not asked for.
    #[error("the node answered for blocks {from} to {to} with a log of block {got:?}")]
    OutOfRange {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// The block that the log names.
        got: Option<u64>,
    },
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Reads all logs from block `from` to the canonical block `to`, both included, in order. Ranges that the node
/// refuses are halved, and grow again afterwards.
pub async fn sync_logs(
    endpoint: &Endpoint,
    query: &LogQuery,
    from: u64,
    to: &BlockHead,
    progress: &mut (impl SyncProgress + ?Sized),
) -> Result<Vec<Log>, SyncError> {
    let _ = (endpoint, query, from, to, progress);
    todo!()
}
