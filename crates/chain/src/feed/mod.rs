//! Canonical blocks in order, with reorgs.

mod canon;

use crate::{Endpoint, EndpointError, Tracked, WriteSets};
use alloy::{
    primitives::{Address, B256},
    rpc::types::Log,
};
use errand_types::{BlockDelta, BlockHead};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where a feed begins: the block whose state the caller has. The first delta is about what came after it.
#[derive(Clone, Debug)]
pub enum Start {
    /// The node's head.
    Tip,
    /// A block that was canonical when the caller stopped.
    Block {
        /// Its height.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The last blocks that the caller has applied and can undo, oldest first, each the parent of the next.
    After(Vec<BlockHead>),
}

/// What to follow, and how.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// Contracts whose logs come with the blocks.
    pub addresses: Vec<Address>,
    /// How often the head is asked for where the node does not push it.
    pub poll_interval: Duration,
    /// After how long without a pushed head the node is asked for it: sockets can fall silent.
    pub silence: Duration,
    /// Blocks that can be undone; a deeper reorg ends the feed.
    pub history: usize,
    /// Blocks that may wait for the caller.
    pub capacity: usize,
    /// For how long `capacity` blocks may wait before the caller counts as lagging.
    pub patience: Duration,
    /// Whether a block's bloom filter covers all its logs, so that a block whose filter excludes the addresses
    /// need not be asked for logs. Off for chains with logs outside of it.
    pub trust_blooms: bool,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            poll_interval: Duration::from_millis(500),
            silence: Duration::from_secs(15),
            history: 64,
            capacity: 64,
            patience: Duration::from_secs(120),
            trust_blooms: true,
        }
    }
}

/// A block that came or went, without what it wrote.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// A block became the head.
    Added {
        /// Its header.
        head: BlockHead,
        /// The logs of the addresses that are followed, in order.
        logs: Arc<[Log]>,
    },
    /// The head is not canonical any more.
    Removed {
        /// The header of the block that went.
        head: BlockHead,
    },
}

/// What a feed did, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedStats {
    /// Reorgs followed.
    pub reorgs: u64,
    /// Blocks fetched because no head announced them.
    pub backfilled: u64,
    /// Heads ignored because they were known or older.
    pub ignored: u64,
    /// Times a silent or closed subscription was opened anew.
    pub resubscribed: u64,
}

/// Why a feed ended. After every one of them but `Stopped` the caller resyncs: it loads anew and starts a feed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The cancellation token was cancelled.
    #[error("the block feed was stopped")]
    Stopped,
    /// The chain went back behind what can be undone.
    #[error("a reorg to below block {oldest} cannot be undone: resync from the chain")]
    ReorgTooDeep {
        /// The oldest block that the feed knew.
        oldest: u64,
    },
    /// The block to start after is not canonical (any more).
    #[error("block {number} {hash} is not canonical: resync from the chain")]
    StartNotCanonical {
        /// Its height.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The caller gave blocks that are none or do not follow each other.
    #[error("the blocks to start after do not follow each other")]
    StartNotContiguous,
    /// The caller took no block for too long.
    #[error("nobody took a block for {0:?} while others waited: resync from the chain")]
    Lagged(Duration),
    /// The node could not be asked at the start.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// The canonical chain as a series of deltas: what is added builds on the last one, what is removed is the
/// last one, newest first. Heads are pushed by the node where it can and polled otherwise; gaps are filled;
/// reorgs are found by parent hashes alone.
///
/// A node that answers with an older head than before is taken to lag and not to have rolled back: a rollback
/// shows when another block appears on top of it.
#[derive(Debug)]
pub struct BlockFeed {
    base: BlockHead,
}

impl BlockFeed {
    /// Starts to follow the chain in a task of its own, until the token is cancelled or the feed is dropped.
    pub async fn start(
        endpoint: &Endpoint,
        start: Start,
        options: FeedOptions,
        cancel: CancellationToken,
    ) -> Result<Self, FeedError> {
        let _ = (endpoint, start, options, cancel);
        todo!()
    }

    /// The block that the feed started after.
    pub const fn base(&self) -> &BlockHead {
        &self.base
    }

    /// The newest canonical head that is known; it runs ahead of the deltas. A change says that work on an
    /// older head can be given up.
    pub fn tip(&self) -> watch::Receiver<BlockHead> {
        todo!()
    }

    /// What the feed did so far.
    pub fn stats(&self) -> FeedStats {
        todo!()
    }

    /// Waits for the next step of the chain and reads what the block wrote. `tracked` is asked at the time of
    /// the reading, so that what is loaded between two calls is covered. A block that is gone before its
    /// writes could be read is passed over together with its removal. Nothing is lost when the future is
    /// dropped. Failing reads are tried again until they succeed or the feed ends.
    pub async fn next(
        &mut self,
        writes: &mut WriteSets,
        tracked: &(impl Tracked + ?Sized),
    ) -> Result<BlockDelta, FeedError> {
        let _ = (writes, tracked);
        todo!()
    }

    /// Waits for the next step of the chain, for callers that need no writes.
    pub async fn next_event(&mut self) -> Result<FeedEvent, FeedError> {
        todo!()
    }
}
