//! The task that follows the chain.

use super::{
    Counters, FeedError, FeedEvent, FeedOptions,
    canon::{Canon, Link, Outcome, Queue, Step},
};
use crate::{Endpoint, EndpointError};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{B256, BloomInput},
    pubsub::{Subscription, SubscriptionItem},
    rpc::types::{Block, Header, Log},
};
use errand_types::BlockHead;
use futures::future::OptionFuture;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

/// Headers asked for in one message when a gap is filled.
const BACKFILL: u64 = 32;

/// What a header says that matters. It came just now.
pub(super) fn link(header: &Header) -> Link {
    Link { head: BlockHead::from(header), bloom: header.logs_bloom, seen: std::time::Instant::now() }
}

/// Why the chain could not be followed just now.
enum Trouble {
    /// Later it may work.
    Passing(String),
    /// It is over.
    Final(FeedError),
}

impl From<EndpointError> for Trouble {
    fn from(error: EndpointError) -> Self {
        Self::Passing(error.to_string())
    }
}

/// A subscription and the connection that it is on.
struct Pushed {
    heads: Subscription<Header>,
    connection: u64,
}

/// How often a reason that stays the same is logged again.
const REMINDER: Duration = Duration::from_secs(60);

/// Why the chain cannot be followed, as it was logged last: a node that is away for an hour does not deserve
/// thousands of lines.
#[derive(Default)]
struct Complaints(Option<(String, Instant)>);

impl Complaints {
    fn tell(&mut self, url: &str, reason: String) {
        let known = self.0.as_ref().is_some_and(|(last, at)| *last == reason && at.elapsed() < REMINDER);
        if !known {
            tracing::warn!(url, reason, "cannot follow the chain just now");
            self.0 = Some((reason, Instant::now()));
        }
    }

    fn settle(&mut self, url: &str) {
        if self.0.take().is_some() {
            tracing::info!(url, "following the chain again");
        }
    }
}

pub(super) struct Follower {
    endpoint: Endpoint,
    options: FeedOptions,
    canon: Canon,
    /// Steps that were not handed on yet, because their logs are missing.
    queue: Queue<Step>,
    events: mpsc::Sender<FeedEvent>,
    tip: watch::Sender<BlockHead>,
    counters: Arc<Counters>,
    pushed: Option<Pushed>,
    /// Whether the node can push at all; unknown before it was asked.
    pushes: bool,
    complaints: Complaints,
    /// Whether a block had a bloom filter that is not empty. Some nodes compute none.
    blooms: bool,
}

impl Follower {
    pub(super) fn new(
        endpoint: Endpoint,
        options: FeedOptions,
        canon: Canon,
        events: mpsc::Sender<FeedEvent>,
        tip: watch::Sender<BlockHead>,
        counters: Arc<Counters>,
    ) -> Self {
        let queue = Queue::new();
        Self {
            endpoint,
            options,
            canon,
            queue,
            events,
            tip,
            counters,
            pushed: None,
            pushes: true,
            complaints: Complaints::default(),
            blooms: false,
        }
    }

    /// Follows the chain until it cannot be followed any more.
    pub(super) async fn run(&mut self) -> FeedError {
        let mut healthy = self.round(None).await;
        loop {
            let pause = match healthy {
                Ok(()) => {
                    self.complaints.settle(&self.endpoint.url());
                    if self.pushed.is_some() { self.options.silence } else { self.options.poll_interval }
                }
                Err(Trouble::Final(why)) => {
                    tracing::error!(%why, "the block feed ends");
                    return why;
                }
                // While something is missing, waiting for the next head would be waiting too long.
                Err(Trouble::Passing(reason)) => {
                    self.counters.failures.fetch_add(1, Ordering::Relaxed);
                    self.complaints.tell(&self.endpoint.url(), reason);
                    self.options.poll_interval
                }
            };
            healthy = match self.wait(Instant::now() + pause).await {
                Some(Ok(SubscriptionItem::Item(header))) => self.round(Some(link(&header))).await,
                // A header that cannot be read still says that there is one; so do notices that were missed.
                Some(Ok(SubscriptionItem::Other(_)) | Err(RecvError::Lagged(_))) => self.round(None).await,
                Some(Err(RecvError::Closed)) => {
                    self.unsubscribe();
                    self.round(None).await
                }
                None => self.check_silence().await,
            };
        }
    }

    /// Waits for a pushed head, until `until`.
    async fn wait(&mut self, until: Instant) -> Option<Result<SubscriptionItem<Header>, RecvError>> {
        let pushed: OptionFuture<_> = self.pushed.as_mut().map(|pushed| pushed.heads.recv_any()).into();
        tokio::select! {
            Some(item) = pushed => Some(item),
            () = sleep_until(until) => None,
        }
    }

    /// Asks for the head. Where it should have been pushed, its being new says that the socket is silent.
    async fn check_silence(&mut self) -> Result<(), Trouble> {
        let before = self.canon.tip().hash;
        let subscribed = self.pushed.is_some();
        let result = self.round(None).await;
        if subscribed && (result.is_err() || self.canon.tip().hash != before) {
            tracing::warn!(url = self.endpoint.url(), "the subscription is silent: subscribing anew");
            self.unsubscribe();
        }
        result
    }

    fn unsubscribe(&mut self) {
        if let Some(pushed) = self.pushed.take() {
            self.endpoint.give_up(pushed.connection);
        }
    }

    /// Moves to a head, the node's own if none is given, and hands on what came of it.
    async fn round(&mut self, head: Option<Link>) -> Result<(), Trouble> {
        if self.pushed.is_none() && self.pushes {
            match self.endpoint.subscribe_heads().await? {
                None => self.pushes = false,
                Some((heads, connection)) => {
                    self.counters.subscribed.fetch_add(1, Ordering::Relaxed);
                    self.pushed = Some(Pushed { heads, connection });
                }
            }
        }
        // Blocks that cannot be handed on may be gone, which only the node's present head tells.
        let head = match head.filter(|_| self.queue.front().is_none()) {
            Some(head) => head,
            None => match self.endpoint.block(BlockNumberOrTag::Latest).await? {
                Some(block) => link(&block.header),
                None => return Err(Trouble::Passing("the node has no head".to_owned())),
            },
        };
        let number = head.head.number;
        let mut moved = self.advance(head).await;
        // It is not followed there; but to wait in silence would be to wait for good where the chain began anew.
        if moved.is_ok() && number < self.canon.oldest() {
            moved = Err(Trouble::Passing(format!(
                "the node has only blocks up to {}, and blocks up to {} were seen: it lags far behind, or its \
                 chain was reset",
                number,
                self.canon.tip().number
            )));
        }
        self.tip.send_if_modified(|tip| {
            let newer = *self.canon.tip() != *tip;
            *tip = *self.canon.tip();
            newer
        });
        // What is known goes out, also when the rest of the way is not.
        let handed_on = self.hand_on().await;
        moved.and(handed_on)
    }

    /// Moves to a head, over the blocks in between.
    async fn advance(&mut self, head: Link) -> Result<(), Trouble> {
        while head.head.number > self.canon.tip().number + 1 {
            let from = self.canon.tip().number + 1;
            let to = (head.head.number - 1).min(from + BACKFILL - 1);
            let numbers: Vec<_> =
                (from..=to).map(|number| (BlockNumberOrTag::Number(number), false)).collect();
            let blocks: Vec<Option<Block<B256>>> =
                self.endpoint.batch("eth_getBlockByNumber", &numbers).await?;
            for (block, number) in blocks.into_iter().zip(from..) {
                let missing = || Trouble::Passing(format!("the node has no block {number} yet"));
                let block = block.ok_or_else(missing)?;
                self.counters.backfilled.fetch_add(1, Ordering::Relaxed);
                self.take(link(&block.header)).await?;
            }
            if self.canon.tip().number < to {
                return Err(Trouble::Passing("the chain changed while a gap was filled".to_owned()));
            }
        }
        self.take(head).await
    }

    /// Takes one header, and those of its branch that are not known.
    async fn take(&mut self, head: Link) -> Result<(), Trouble> {
        let mut outcome = self.canon.offer(head);
        loop {
            let parent = match outcome {
                Outcome::Ignored => {
                    self.counters.ignored.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Outcome::Moved(steps) => {
                    if matches!(steps.first(), Some(Step::Removed(_))) {
                        self.counters.reorgs.fetch_add(1, Ordering::Relaxed);
                        let depth = steps.iter().filter(|step| matches!(step, Step::Removed(_))).count();
                        tracing::info!(block = head.head.number, hash = %head.head.hash, depth, "reorg");
                    }
                    steps.into_iter().for_each(|step| self.queue.push(step));
                    return Ok(());
                }
                Outcome::TooDeep => {
                    return Err(Trouble::Final(FeedError::ReorgTooDeep { oldest: self.canon.oldest() }));
                }
                Outcome::Inconsistent => {
                    return Err(Trouble::Passing("the node's headers contradict each other".to_owned()));
                }
                Outcome::Needs(parent) => parent,
            };
            let missing = || Trouble::Passing(format!("the node has no block {parent}"));
            let block = self.endpoint.block_by_hash(parent).await?.ok_or_else(missing)?;
            outcome = self.canon.supply(link(&block.header));
        }
    }

    /// Hands on what waits, in order, as far as logs can be had.
    async fn hand_on(&mut self) -> Result<(), Trouble> {
        while let Some(step) = self.queue.front().copied() {
            let event = match step {
                Step::Removed(head) => FeedEvent::Removed { head },
                Step::Added(link) => {
                    let logs = self.logs(&link).await?;
                    FeedEvent::Added { head: link.head, logs, seen: link.seen }
                }
            };
            match timeout(self.options.patience, self.events.send(event)).await {
                Ok(Ok(())) => self.queue.pop(),
                Ok(Err(_)) => return Err(Trouble::Final(FeedError::Stopped)),
                Err(_) => return Err(Trouble::Final(FeedError::Lagged(self.options.patience))),
            };
        }
        Ok(())
    }

    /// The logs of the addresses that are followed, in order.
    async fn logs(&mut self, link: &Link) -> Result<Arc<[Log]>, Trouble> {
        let addresses = &self.options.addresses;
        let possible =
            addresses.iter().any(|address| link.bloom.contains_input(BloomInput::Raw(address.as_slice())));
        self.blooms |= !link.bloom.is_zero();
        let telling = self.options.trust_blooms && (self.blooms || link.head.gas_used == 0);
        if addresses.is_empty() || (telling && !possible) {
            return Ok(Arc::new([]));
        }
        let logs = self.ask_logs(link).await?;
        // Nodes that announce a block before they have indexed it answer with nothing: ask such a one twice.
        if possible && logs.is_empty() {
            return Ok(self.ask_logs(link).await?.into());
        }
        Ok(logs.into())
    }

    async fn ask_logs(&self, link: &Link) -> Result<Vec<Log>, Trouble> {
        let filter = serde_json::json!({ "blockHash": link.head.hash, "address": self.options.addresses });
        let mut logs: Vec<Log> = self.endpoint.request("eth_getLogs", (filter,)).await?;
        if let Some(stray) = logs.iter().find(|log| log.block_hash != Some(link.head.hash)) {
            let block = stray.block_hash;
            return Err(Trouble::Passing(format!("a log of block {block:?} came for {}", link.head.hash)));
        }
        logs.sort_by_key(|log| log.log_index);
        Ok(logs)
    }
}
