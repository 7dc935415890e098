//! The feed on a real node: order, logs, reorgs, resumption.

use crate::{EMIT, call, connect, deploy, word};
use alloy::{
    eips::BlockId,
    primitives::{Address, B256, U256},
    providers::Provider,
};
use errand_chain::{BlockFeed, Endpoint, FeedError, FeedEvent, FeedOptions, Start, StateLoader, WriteSets};
use errand_testkit::Anvil;
use errand_types::{BlockDelta, BlockHead, StateKeys, WriteSource};
use eyre::{OptionExt, Result};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long something that has to come may take. It matters only where a test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn options() -> FeedOptions {
    FeedOptions {
        poll_interval: Duration::from_millis(20),
        silence: Duration::from_millis(300),
        ..Default::default()
    }
}

pub(crate) async fn start(endpoint: &Endpoint, start: Start) -> Result<BlockFeed> {
    Ok(BlockFeed::start(endpoint, start, options(), CancellationToken::new()).await?)
}

/// The next event, which must come soon.
pub(crate) async fn event(feed: &mut BlockFeed) -> Result<FeedEvent> {
    Ok(timeout(LIMIT, feed.next_event()).await??)
}

/// A consumer that can undo nothing but its last block, and knows which blocks it has.
pub(crate) struct Chain(pub(crate) Vec<BlockHead>);

impl Chain {
    pub(crate) fn apply(&mut self, event: &FeedEvent) {
        match event {
            FeedEvent::Added { head, .. } => {
                let last = self.last();
                assert_eq!((last.hash, last.number + 1), (head.parent_hash, head.number));
                self.0.push(*head);
            }
            FeedEvent::Removed { head } => assert_eq!(self.0.pop().as_ref(), Some(head)),
        }
    }

    pub(crate) fn last(&self) -> &BlockHead {
        &self.0[self.0.len() - 1]
    }

    /// Applies events until the block of this hash is the last.
    pub(crate) async fn reach(&mut self, feed: &mut BlockFeed, hash: B256) -> Result<()> {
        while self.last().hash != hash {
            self.apply(&event(feed).await?);
        }
        Ok(())
    }
}

pub(crate) async fn tip(anvil: &Anvil) -> Result<B256> {
    let latest = anvil.provider().get_block(BlockId::latest()).await?;
    Ok(latest.ok_or_eyre("the node has no head")?.header.hash)
}

fn urls(anvil: &Anvil) -> [String; 3] {
    [anvil.http_url(), anvil.ws_url(), anvil.ipc_url()]
}

#[tokio::test]
async fn blocks_come_in_order_over_every_transport() -> Result<()> {
    let anvil = Anvil::builder().ipc().spawn().await?;
    for url in urls(&anvil) {
        let mut feed = start(&connect(&url).await?, Start::Tip).await?;
        assert_eq!(feed.base().hash, tip(&anvil).await?);
        let mut chain = Chain(vec![*feed.base()]);
        for _ in 0..3 {
            anvil.mine(4).await?;
            chain.reach(&mut feed, tip(&anvil).await?).await?;
        }
        assert_eq!(chain.0.len(), 13, "{url}");
        let head = *chain.0.last().unwrap();
        assert_eq!(*feed.tip().borrow(), head);
        let block = anvil.provider().get_block(head.number.into()).await?.unwrap().header;
        assert_eq!(head.prev_randao, block.mix_hash);
        assert_eq!(Some(head.base_fee), block.base_fee_per_gas);
        assert_eq!((head.timestamp, head.gas_limit), (block.timestamp, block.gas_limit));
    }
    Ok(())
}

#[tokio::test]
async fn reorgs_are_undone_newest_first() -> Result<()> {
    let anvil = Anvil::builder().ipc().spawn().await?;
    for url in urls(&anvil) {
        let mut feed = start(&connect(&url).await?, Start::Tip).await?;
        let mut chain = Chain(vec![*feed.base()]);
        anvil.mine(6).await?;
        chain.reach(&mut feed, tip(&anvil).await?).await?;
        for depth in 1..=5 {
            anvil.reorg(depth).await?;
            chain.reach(&mut feed, tip(&anvil).await?).await?;
            assert_eq!(feed.stats().reorgs, depth, "{url}");
        }
        assert_eq!(chain.0.len(), 7);
    }
    Ok(())
}

#[tokio::test]
async fn rollback_shows_with_the_next_block() -> Result<()> {
    let anvil = Anvil::builder().ipc().spawn().await?;
    for (miner, url) in (1..).zip(urls(&anvil)) {
        let mut feed = start(&connect(&url).await?, Start::Tip).await?;
        let mut chain = Chain(vec![*feed.base()]);
        anvil.mine(5).await?;
        chain.reach(&mut feed, tip(&anvil).await?).await?;
        anvil.rollback(3).await?;
        // Otherwise the new blocks may be the old ones over again.
        anvil.set_coinbase(Address::repeat_byte(miner)).await?;
        anvil.mine(1).await?;
        chain.reach(&mut feed, tip(&anvil).await?).await?;
        assert_eq!(chain.0.len(), 1 + 5 - 3 + 1, "{url}");
    }
    Ok(())
}

#[tokio::test]
async fn reorg_deeper_than_the_history_ends_the_feed() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.ws_url()).await?;
    let options = FeedOptions { history: 3, ..options() };
    let mut feed = BlockFeed::start(&endpoint, Start::Tip, options, CancellationToken::new()).await?;
    let mut chain = Chain(vec![*feed.base()]);
    anvil.mine(8).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    anvil.reorg(5).await?;
    let result = loop {
        match timeout(LIMIT, feed.next_event()).await? {
            Ok(event) => chain.apply(&event),
            Err(error) => break error,
        }
    };
    assert!(matches!(result, FeedError::ReorgTooDeep { oldest: 5 }), "{result}");
    assert!(result.to_string().contains("resync"), "{result}");
    Ok(())
}

#[tokio::test]
async fn feed_resumes_after_a_block_that_is_still_canonical() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.ws_url()).await?;
    anvil.mine(3).await?;
    let from = anvil.provider().get_block(3.into()).await?.unwrap().header.hash;
    anvil.mine(100).await?;
    let mut feed = start(&endpoint, Start::Block { number: 3, hash: from }).await?;
    let mut chain = Chain(vec![*feed.base()]);
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    assert_eq!(chain.0.len(), 101);
    assert_eq!(feed.stats().backfilled, 99);

    for (number, hash) in [(3, word(1)), (500, from)] {
        let result =
            BlockFeed::start(&endpoint, Start::Block { number, hash }, options(), CancellationToken::new());
        assert!(matches!(result.await, Err(FeedError::StartNotCanonical { .. })));
    }
    Ok(())
}

#[tokio::test]
async fn reorg_while_away_is_undone_from_the_callers_own_blocks() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.http_url()).await?;
    let mut feed = start(&endpoint, Start::Tip).await?;
    let mut chain = Chain(vec![*feed.base()]);
    anvil.mine(6).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    drop(feed);
    anvil.reorg(4).await?;
    anvil.mine(2).await?;
    let mut feed = start(&endpoint, Start::After(chain.0.clone())).await?;
    let FeedEvent::Removed { head } = event(&mut feed).await? else { panic!("something goes first") };
    assert_eq!(chain.0.pop(), Some(head));
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    assert_eq!(chain.0.len(), 9);

    chain.0.swap(1, 2);
    let result =
        BlockFeed::start(&endpoint, Start::After(chain.0), options(), CancellationToken::new()).await;
    assert!(matches!(result, Err(FeedError::StartNotContiguous)));
    Ok(())
}

#[tokio::test]
async fn logs_of_followed_addresses_come_with_their_block() -> Result<()> {
    let anvil = Anvil::builder().ipc().spawn().await?;
    let [ours, others] = [deploy(&anvil, EMIT, 0).await?, deploy(&anvil, EMIT, 0).await?];
    for url in urls(&anvil) {
        anvil.set_automine(true).await?;
        let endpoint = connect(&url).await?;
        let options = FeedOptions { addresses: vec![ours], ..options() };
        let mut feed = BlockFeed::start(&endpoint, Start::Tip, options, CancellationToken::new()).await?;
        anvil.set_automine(false).await?;
        for topic in [1, 2, 3] {
            anvil.submit(call(&anvil, ours, &[topic])?).await?;
            anvil.submit(call(&anvil, others, &[topic])?).await?;
        }
        anvil.mine(1).await?;
        let FeedEvent::Added { logs, head, .. } = event(&mut feed).await? else { panic!("a block") };
        let topics: Vec<B256> = logs.iter().map(|log| log.topics()[0]).collect();
        assert_eq!(topics, [1, 2, 3].map(word), "{url}");
        assert!(logs.iter().all(|log| log.address() == ours && log.block_hash == Some(head.hash)));

        anvil.submit(call(&anvil, others, &[4])?).await?;
        anvil.mine(1).await?;
        let asked = endpoint.stats().calls()["eth_getLogs"];
        let FeedEvent::Added { logs, .. } = event(&mut feed).await? else { panic!("a block") };
        assert!(logs.is_empty());
        assert_eq!(
            endpoint.stats().calls()["eth_getLogs"],
            asked,
            "its bloom filter says that there are none"
        );
    }
    Ok(())
}

#[tokio::test]
async fn delta_carries_what_the_block_wrote() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.ws_url()).await?;
    let mut writes = WriteSets::probe(StateLoader::probe(&endpoint).await?).await?;
    let mut feed = start(&endpoint, Start::Tip).await?;
    let to = Address::repeat_byte(0x42);
    anvil.send(call(&anvil, to, &[])?.value(U256::from(9))).await?;
    let delta = timeout(LIMIT, feed.next(&mut writes, &StateKeys::default())).await??;
    let BlockDelta::Added { writes, head, .. } = delta else { panic!("a block") };
    assert_eq!(head.hash, tip(&anvil).await?);
    assert_eq!(writes.accounts[&to].balance, Some(U256::from(9)));
    Ok(())
}

#[tokio::test]
async fn block_that_goes_before_its_writes_were_read_is_passed_over() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.ws_url()).await?;
    let loader = StateLoader::probe(&endpoint).await?;
    let tracked = StateKeys { accounts: vec![Address::ZERO], slots: Vec::new() };
    for source in [WriteSource::TraceReplay, WriteSource::PrestateDiff, WriteSource::Reread] {
        let mut writes = WriteSets::with_source(loader.clone(), source);
        let mut feed = start(&endpoint, Start::Tip).await?;
        let mut seen = feed.tip();
        anvil.mine(3).await?;
        let last = tip(&anvil).await?;
        timeout(LIMIT, seen.wait_for(|head| head.hash == last)).await??;
        anvil.reorg(2).await?;
        let last = tip(&anvil).await?;
        let mut hashes = vec![feed.base().hash];
        while *hashes.last().unwrap() != last {
            match timeout(LIMIT, feed.next(&mut writes, &tracked)).await?? {
                BlockDelta::Added { head, .. } => {
                    assert_eq!(Some(&head.parent_hash), hashes.last());
                    hashes.push(head.hash);
                }
                BlockDelta::Removed { head } => panic!("{source}: {head:?} was never handed on"),
            }
        }
        assert_eq!(hashes.len(), 4);
    }
    Ok(())
}

#[tokio::test]
async fn caller_that_takes_nothing_is_told_so() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.ws_url()).await?;
    let options = FeedOptions { capacity: 2, patience: Duration::from_millis(200), ..options() };
    let mut feed = BlockFeed::start(&endpoint, Start::Tip, options, CancellationToken::new()).await?;
    let mut tip = feed.tip();
    anvil.mine(5).await?;
    // The tip is told until the feed ends.
    timeout(LIMIT, async { while tip.changed().await.is_ok() {} }).await?;
    let result = feed.next_event().await;
    assert!(matches!(result, Err(FeedError::Lagged(_))), "{result:?}");
    Ok(())
}

#[tokio::test]
async fn feed_stops_when_told_to_and_when_dropped() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.http_url()).await?;
    let cancel = CancellationToken::new();
    let mut feed = BlockFeed::start(&endpoint, Start::Tip, options(), cancel.clone()).await?;
    cancel.cancel();
    let result = timeout(LIMIT, feed.next_event()).await?;
    assert!(matches!(result, Err(FeedError::Stopped)), "{result:?}");

    let feed = start(&endpoint, Start::Tip).await?;
    drop(feed);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = endpoint.stats().total();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(endpoint.stats().total(), before, "nobody polls any more");
    Ok(())
}
