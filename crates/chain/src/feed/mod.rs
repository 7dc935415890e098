//! Canonical blocks in order, with reorgs.

mod canon;
mod follower;

use self::{
    canon::{Canon, Queue, Stepping},
    follower::{Follower, link},
};
use crate::{Endpoint, EndpointError, Tracked, WriteSets};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256},
    rpc::types::Log,
};
use errand_types::{BlockDelta, BlockHead};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

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
    /// The last blocks that the caller has applied, oldest first, each the parent of the next. All but the
    /// first can be undone.
    After(Vec<BlockHead>),
}

/// What to follow, and how.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// Contracts whose logs come with the blocks.
    pub addresses: Vec<Address>,
    /// How often the head is asked for where the node does not push it, and the pause after a failure.
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
        /// When its header came, before its logs were asked for.
        seen: Instant,
    },
    /// The head is not canonical any more.
    Removed {
        /// The header of the block that went.
        head: BlockHead,
    },
}

impl Stepping for FeedEvent {
    fn added(&self) -> Option<B256> {
        match self {
            Self::Added { head, .. } => Some(head.hash),
            Self::Removed { .. } => None,
        }
    }

    fn removed(&self) -> Option<B256> {
        match self {
            Self::Added { .. } => None,
            Self::Removed { head } => Some(head.hash),
        }
    }
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
    /// Times a subscription was opened.
    pub subscribed: u64,
    /// Times the node could not be asked.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct Counters {
    reorgs: AtomicU64,
    backfilled: AtomicU64,
    ignored: AtomicU64,
    subscribed: AtomicU64,
    failures: AtomicU64,
}

/// Why a feed ended. After every one of them but `Stopped` the caller resyncs: it loads anew and starts a feed.
#[derive(Clone, Debug, thiserror::Error)]
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
    Endpoint(#[from] Arc<EndpointError>),
}

impl From<EndpointError> for FeedError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(Arc::new(error))
    }
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
    options: FeedOptions,
    events: mpsc::Receiver<FeedEvent>,
    /// Received and not handed on yet.
    waiting: Queue<FeedEvent>,
    tip: watch::Receiver<BlockHead>,
    /// When what `next` gave last was seen first.
    seen: Instant,
    counters: Arc<Counters>,
    /// Why the task ended.
    end: Arc<Mutex<Option<FeedError>>>,
    _stop: DropGuard,
}

impl BlockFeed {
    /// Starts to follow the chain in a task of its own, until the token is cancelled or the feed is dropped.
    pub async fn start(
        endpoint: &Endpoint,
        start: Start,
        options: FeedOptions,
        cancel: CancellationToken,
    ) -> Result<Self, FeedError> {
        let canon = match start {
            Start::After(blocks) => {
                Canon::after(&blocks, options.history).ok_or(FeedError::StartNotContiguous)?
            }
            Start::Tip => {
                let latest = endpoint.block(BlockNumberOrTag::Latest).await?;
                let nothing = FeedError::StartNotCanonical { number: 0, hash: B256::ZERO };
                Canon::new(link(&latest.ok_or(nothing)?.header).head, options.history)
            }
            Start::Block { number, hash } => {
                let block = endpoint.block(number.into()).await?.filter(|block| block.header.hash == hash);
                let gone = FeedError::StartNotCanonical { number, hash };
                Canon::new(link(&block.ok_or(gone)?.header).head, options.history)
            }
        };
        let base = *canon.tip();
        let (events_in, events) = mpsc::channel(options.capacity.max(1));
        let (tip_in, tip) = watch::channel(base);
        let counters = Arc::<Counters>::default();
        let end = Arc::<Mutex<Option<FeedError>>>::default();
        let stop = cancel.child_token();
        let mut follower =
            Follower::new(endpoint.clone(), options.clone(), canon, events_in, tip_in, Arc::clone(&counters));
        let (stopped, ended) = (stop.clone(), Arc::clone(&end));
        tokio::spawn(async move {
            let why = stopped.run_until_cancelled(follower.run()).await.unwrap_or(FeedError::Stopped);
            // Told before the channel closes, so that who sees it closed can tell why.
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            drop(follower);
        });
        Ok(Self {
            base,
            options,
            events,
            waiting: Queue::new(),
            tip,
            seen: Instant::now(),
            counters,
            end,
            _stop: stop.drop_guard(),
        })
    }

    /// The block that the feed started after.
    pub const fn base(&self) -> &BlockHead {
        &self.base
    }

    /// The newest canonical head that is known; it runs ahead of the deltas. A change says that work on an
    /// older head can be given up.
    pub fn tip(&self) -> watch::Receiver<BlockHead> {
        self.tip.clone()
    }

    /// When the header of the block that [`next`](Self::next) gave last came to this machine: before its logs and
    /// writes were asked for, and before it waited for the caller. For a block that went: when `next` gave it.
    pub const fn seen_at(&self) -> Instant {
        self.seen
    }

    /// What the feed did so far.
    pub fn stats(&self) -> FeedStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FeedStats {
            reorgs: read(&self.counters.reorgs),
            backfilled: read(&self.counters.backfilled),
            ignored: read(&self.counters.ignored),
            subscribed: read(&self.counters.subscribed),
            failures: read(&self.counters.failures),
        }
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
        loop {
            let head = match self.front().await? {
                FeedEvent::Removed { .. } => None,
                FeedEvent::Added { head, .. } => Some(*head),
            };
            let Some(head) = head else {
                let Some(FeedEvent::Removed { head }) = self.waiting.pop() else { continue };
                self.seen = Instant::now();
                return Ok(BlockDelta::Removed { head });
            };
            match writes.write_set(&head, tracked).await {
                Ok(writes) => {
                    let Some(FeedEvent::Added { head, logs, seen }) = self.waiting.pop() else { continue };
                    self.seen = seen;
                    return Ok(BlockDelta::Added { head, logs, writes: Arc::new(writes) });
                }
                Err(error) => {
                    tracing::warn!(block = head.number, hash = %head.hash, %error, "no write set yet");
                    self.reconsider().await?;
                }
            }
        }
    }

    /// Waits until there is a next step of the chain, and leaves it to [`next`](Self::next). Nothing is lost when
    /// the future is dropped, and nothing that takes long is begun.
    pub async fn ready(&mut self) -> Result<(), FeedError> {
        self.front().await.map(drop)
    }

    /// Waits for the next step of the chain, for callers that need no writes.
    pub async fn next_event(&mut self) -> Result<FeedEvent, FeedError> {
        loop {
            self.front().await?;
            if let Some(event) = self.waiting.pop() {
                return Ok(event);
            }
        }
    }

    /// The next event, which stays where it is.
    async fn front(&mut self) -> Result<&FeedEvent, FeedError> {
        self.alive()?;
        if self.waiting.front().is_none() {
            match self.events.recv().await {
                Some(event) => self.waiting.push(event),
                None => return Err(self.alive().err().unwrap_or(FeedError::Stopped)),
            }
        }
        self.waiting.front().ok_or(FeedError::Stopped)
    }

    /// Pauses after a failure; events that come meanwhile may tell that the block is gone.
    async fn reconsider(&mut self) -> Result<(), FeedError> {
        let pause = tokio::time::sleep(self.options.poll_interval);
        tokio::pin!(pause);
        loop {
            let room = self.waiting.len() < self.options.capacity.max(2);
            tokio::select! {
                event = self.events.recv(), if room => match event {
                    Some(event) => self.waiting.push(event),
                    None => return self.alive(),
                },
                () = &mut pause => return self.alive(),
            }
        }
    }

    fn alive(&self) -> Result<(), FeedError> {
        match &*self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why.clone()),
            None => Ok(()),
        }
    }
}
