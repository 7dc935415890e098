//! The feed when the node or the way to it fails.

use crate::{
    block, connect,
    feed::{Chain, LIMIT, event, options, start, tip},
    mocked, word,
};
use alloy::{
    primitives::{Address, B256, BloomInput, LogData},
    rpc::types::{Block, Log},
    transports::mock::Asserter,
};
use errand_chain::{BlockFeed, Endpoint, EndpointOptions, FeedEvent, FeedOptions, Start};
use errand_testkit::{Anvil, Proxy, proxy::Mode};
use eyre::Result;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn gap_of_a_silent_or_broken_connection_is_filled() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    for url in [proxy.ws_url(), proxy.http_url()] {
        for fault in [Mode::Silent, Mode::Down] {
            let limit = Duration::from_secs(2);
            let options = EndpointOptions { timeout: limit, retries: 0, ..Default::default() };
            let endpoint = Endpoint::connect(&[url.parse()?], options).await?;
            let mut feed = start(&endpoint, Start::Tip).await?;
            let mut chain = Chain(vec![*feed.base()]);
            anvil.mine(2).await?;
            chain.reach(&mut feed, tip(&anvil).await?).await?;
            proxy.set(fault);
            anvil.mine(40).await?;
            anvil.reorg(3).await?;
            while feed.stats().failures == 0 {
                assert!(
                    timeout(Duration::from_millis(20), feed.next_event()).await.is_err(),
                    "{fault:?}: nothing can come"
                );
            }
            proxy.set(Mode::Pass);
            chain.reach(&mut feed, tip(&anvil).await?).await?;
            assert_eq!(chain.0.len(), 43, "{url} {fault:?}");
            // and it goes on as before
            anvil.mine(1).await?;
            chain.reach(&mut feed, tip(&anvil).await?).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn subscription_that_falls_silent_alone_is_opened_anew() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let endpoint = connect(&proxy.ws_url()).await?;
    let mut feed = start(&endpoint, Start::Tip).await?;
    let mut chain = Chain(vec![*feed.base()]);
    anvil.mine(2).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    // It may be more than one already: a machine that is busy looks like a socket that is silent.
    let subscribed = feed.stats().subscribed;
    proxy.set(Mode::Mute);
    anvil.mine(3).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    proxy.set(Mode::Pass);
    anvil.mine(1).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    assert!(feed.stats().subscribed > subscribed, "{:?}", feed.stats());
    Ok(())
}

#[tokio::test]
async fn node_that_comes_back_is_followed_on() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let endpoint = connect(&proxy.ws_url()).await?;
    let mut feed = start(&endpoint, Start::Tip).await?;
    let mut chain = Chain(vec![*feed.base()]);
    anvil.mine(3).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    let state: String = anvil.call("anvil_dumpState", [true]).await?;
    anvil.kill();
    while feed.stats().failures == 0 {
        assert!(timeout(Duration::from_millis(20), feed.next_event()).await.is_err(), "nothing can come");
    }
    let anvil = Anvil::spawn().await?;
    anvil.call::<_, bool>("anvil_loadState", (state,)).await?;
    assert_eq!(tip(&anvil).await?, chain.0.last().unwrap().hash, "the node has its chain again");
    proxy.lead_to(anvil.port());
    anvil.mine(2).await?;
    chain.reach(&mut feed, tip(&anvil).await?).await?;
    assert_eq!(chain.0.len(), 6);
    Ok(())
}

/// A feed that polls a node of canned replies and begins at block 5; `addresses` are followed.
async fn polled(
    endpoint: &Endpoint,
    asserter: &Asserter,
    addresses: Vec<Address>,
    heads: &[Block<B256>],
) -> Result<BlockFeed> {
    asserter.push_success(&block(5, 50, 40));
    heads.iter().for_each(|head| asserter.push_success(head));
    let options = FeedOptions { addresses, poll_interval: Duration::from_millis(5), ..options() };
    Ok(BlockFeed::start(endpoint, Start::Tip, options, CancellationToken::new()).await?)
}

#[tokio::test]
async fn older_and_repeated_heads_are_ignored() -> Result<()> {
    let (endpoint, asserter) = mocked().await?;
    let heads = [(6, 60, 50), (6, 60, 50), (5, 50, 40), (3, 30, 20), (7, 70, 60), (6, 60, 50)];
    let heads = heads.map(|(number, hash, parent)| block(number, hash, parent));
    let mut feed = polled(&endpoint, &asserter, Vec::new(), &heads).await?;
    let mut chain = Chain(vec![*feed.base()]);
    chain.reach(&mut feed, word(70)).await?;
    assert_eq!(chain.0.len(), 3);
    timeout(LIMIT, async {
        while feed.stats().ignored < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await?;
    assert_eq!((feed.stats().ignored, feed.stats().reorgs), (4, 0));
    assert_eq!(feed.tip().borrow().number, 7);
    Ok(())
}

#[tokio::test]
async fn block_that_was_not_asked_for_is_not_believed() -> Result<()> {
    let (endpoint, asserter) = mocked().await?;
    // The head is on an unknown branch; block 6 by number is fine; the branch's block 6, asked for by hash, is
    // answered with another one. The next poll gets it right.
    let replies = [block(7, 71, 61), block(6, 60, 50), block(6, 62, 50), block(7, 70, 60)];
    let mut feed = polled(&endpoint, &asserter, Vec::new(), &replies).await?;
    let mut chain = Chain(vec![*feed.base()]);
    chain.reach(&mut feed, word(70)).await?;
    assert_eq!(chain.0.iter().map(|head| head.hash).collect::<Vec<_>>(), [50, 60, 70].map(word));
    assert!(feed.stats().failures >= 1);
    Ok(())
}

#[tokio::test]
async fn logs_of_another_block_are_not_taken() -> Result<()> {
    let (endpoint, asserter) = mocked().await?;
    let address = Address::repeat_byte(0x11);
    let mut head = block(6, 60, 50);
    head.header.inner.logs_bloom.accrue(BloomInput::Raw(address.as_slice()));
    let log = |hash| {
        let inner = alloy::primitives::Log { address, data: LogData::default() };
        [Log { inner, block_hash: Some(hash), log_index: Some(0), ..Default::default() }]
    };
    asserter.push_success(&block(5, 50, 40));
    asserter.push_success(&head);
    asserter.push_success(&log(word(61)));
    asserter.push_success(&head);
    asserter.push_success(&log(word(60)));
    let options =
        FeedOptions { addresses: vec![address], poll_interval: Duration::from_millis(5), ..options() };
    let mut feed = BlockFeed::start(&endpoint, Start::Tip, options, CancellationToken::new()).await?;
    let FeedEvent::Added { logs, .. } = event(&mut feed).await? else { panic!("a block") };
    assert_eq!(logs.iter().map(|log| log.block_hash).collect::<Vec<_>>(), [Some(word(60))]);
    Ok(())
}

#[tokio::test]
async fn node_that_answers_with_no_logs_against_its_filter_is_asked_again() -> Result<()> {
    let (endpoint, asserter) = mocked().await?;
    let address = Address::repeat_byte(0x11);
    let mut head = block(6, 60, 50);
    head.header.inner.logs_bloom.accrue(BloomInput::Raw(address.as_slice()));
    let inner = alloy::primitives::Log { address, data: LogData::default() };
    let log = Log { inner, block_hash: Some(word(60)), log_index: Some(0), ..Default::default() };
    asserter.push_success(&block(5, 50, 40));
    asserter.push_success(&head);
    asserter.push_success::<[Log; 0]>(&[]);
    asserter.push_success(&[log]);
    let options = FeedOptions { addresses: vec![address], ..options() };
    let mut feed = BlockFeed::start(&endpoint, Start::Tip, options, CancellationToken::new()).await?;
    let FeedEvent::Added { logs, .. } = event(&mut feed).await? else { panic!("a block") };
    assert_eq!(logs.len(), 1);
    Ok(())
}
