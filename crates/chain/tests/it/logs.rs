//! Logs of ranges are complete and in order, whatever limits a node has.

use crate::{EMIT, call, connect, deploy, mocked, word};
use alloy::{
    primitives::{Address, B256, LogData},
    providers::Provider,
    rpc::{json_rpc::ErrorPayload, types::Log},
    transports::mock::Asserter,
};
use errand_chain::{LogQuery, SyncError, sync_logs};
use errand_testkit::Anvil;
use errand_types::BlockHead;
use eyre::Result;

fn head(number: u64, hash: B256) -> BlockHead {
    BlockHead {
        number,
        hash,
        parent_hash: B256::ZERO,
        timestamp: 0,
        base_fee: 0,
        gas_limit: 0,
        gas_used: 0,
        prev_randao: B256::ZERO,
        beneficiary: Address::ZERO,
    }
}

#[tokio::test]
async fn logs_of_a_range_come_in_order_and_no_others() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let [ours, others] = [deploy(&anvil, EMIT, 0).await?, deploy(&anvil, EMIT, 0).await?];
    for topic in 0..5 {
        anvil.send(call(&anvil, ours, &[topic])?).await?;
        anvil.send(call(&anvil, others, &[topic])?).await?;
    }
    let last = anvil.provider().get_block_number().await?;
    let to = head(last, anvil.provider().get_block(last.into()).await?.unwrap().header.hash);
    let endpoint = connect(&anvil.http_url()).await?;
    let mut reached = Vec::new();
    let query = LogQuery { addresses: vec![ours], events: Vec::new() };
    let logs = sync_logs(&endpoint, &query, 0, &to, &mut |block, logs| reached.push((block, logs))).await?;
    let topics: Vec<B256> = logs.iter().map(|log| log.topics()[0]).collect();
    assert_eq!(topics, [0, 1, 2, 3, 4].map(word));
    assert_eq!(reached, [(last, 5)]);

    let query = LogQuery { addresses: vec![ours], events: vec![word(1), word(3)] };
    let logs = sync_logs(&endpoint, &query, 0, &to, &mut ()).await?;
    assert_eq!(logs.len(), 2);
    Ok(())
}

fn log(block: u64, index: u64) -> Log {
    let inner = alloy::primitives::Log { address: Address::ZERO, data: LogData::default() };
    Log { inner, block_number: Some(block), log_index: Some(index), ..Default::default() }
}

fn query() -> LogQuery {
    LogQuery { addresses: vec![Address::ZERO], events: Vec::new() }
}

fn refuse(asserter: &Asserter) {
    let message = "query returned more than 10000 results";
    asserter.push_failure(ErrorPayload { code: -32005, message: message.into(), data: None });
}

#[tokio::test]
async fn ranges_are_halved_when_refused_and_grow_again() -> Result<()> {
    let (endpoint, asserter) = mocked().await?;
    let to = head(99, word(99));
    asserter.push_success(&crate::block(99, 99, 98));
    refuse(&asserter); // 0 to 99
    refuse(&asserter); // 0 to 49
    for block in [0, 25, 57, 98] {
        asserter.push_success(&[log(block, 1), log(block, 0)]);
    }
    asserter.push_success(&crate::block(99, 99, 98));
    let mut reached = Vec::new();
    let logs = sync_logs(&endpoint, &query(), 0, &to, &mut |block, logs| reached.push((block, logs))).await?;
    let places: Vec<_> = logs.iter().map(|log| (log.block_number.unwrap(), log.log_index.unwrap())).collect();
    assert_eq!(places, [(0, 0), (0, 1), (25, 0), (25, 1), (57, 0), (57, 1), (98, 0), (98, 1)]);
    assert_eq!(reached, [(24, 2), (56, 4), (97, 6), (99, 8)], "25, then 32, then 41 blocks, then the rest");
    assert!(asserter.read_q().is_empty());
    Ok(())
}

#[tokio::test]
async fn block_that_the_node_refuses_is_named() -> Result<()> {
    let (endpoint, asserter) = mocked().await?;
    asserter.push_success(&crate::block(1, 9, 8));
    (0..2).for_each(|_| refuse(&asserter));
    let result = sync_logs(&endpoint, &query(), 0, &head(1, word(9)), &mut ()).await;
    assert!(matches!(result, Err(SyncError::RangeRefused { from: 0, to: 0, .. })), "{result:?}");
    Ok(())
}

#[tokio::test]
async fn reorg_while_logs_are_read_is_noticed() -> Result<()> {
    for (before, after) in [(8, 9), (9, 8)] {
        let (endpoint, asserter) = mocked().await?;
        asserter.push_success(&crate::block(1, before, 0));
        asserter.push_success::<[Log; 0]>(&[]);
        asserter.push_success(&crate::block(1, after, 0));
        let result = sync_logs(&endpoint, &query(), 0, &head(1, word(9)), &mut ()).await;
        assert!(matches!(result, Err(SyncError::Reorged { number: 1, .. })), "{result:?}");
    }
    Ok(())
}

#[tokio::test]
async fn log_that_was_not_asked_for_is_refused() -> Result<()> {
    let mut foreign = log(1, 0);
    foreign.inner.address = Address::repeat_byte(1);
    let mut removed = log(1, 0);
    removed.removed = true;
    for logs in [vec![log(2, 0)], vec![foreign], vec![removed], vec![log(1, 0), log(1, 0)]] {
        let (endpoint, asserter) = mocked().await?;
        asserter.push_success(&crate::block(1, 9, 0));
        asserter.push_success(&logs);
        let result = sync_logs(&endpoint, &query(), 0, &head(1, word(9)), &mut ()).await;
        assert!(matches!(result, Err(SyncError::StrayLog { .. })), "{logs:?}: {result:?}");
    }
    Ok(())
}
