//! Every source of write sets tells the truth: the state before, changed as it says, is the state after.

use crate::{DESTROY, EMIT, STORE, STORE_OR_DESTROY, call, connect, deploy, init, ruled, ruled_blocks};
use alloy::{
    eips::eip7702::Authorization,
    network::TransactionBuilder7702,
    primitives::{Address, B256, U256, address},
    providers::Provider,
    signers::SignerSync,
};
use errand_chain::{BlockFeed, FeedOptions, Start, StateLoader, Tracked, WriteError, WriteSets};
use errand_testkit::{Anvil, Proxy, proxy::Mode};
use errand_types::{AccountState, BlockHead, LoadedState, Slot, StateKeys, WriteSet, WriteSource};
use eyre::{OptionExt, Result};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

const SOURCES: [WriteSource; 3] = [WriteSource::TraceReplay, WriteSource::PrestateDiff, WriteSource::Reread];
const BEACON_ROOTS: Address = address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02");
const BLOCK_HASHES: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");
const ETHER: u64 = 1_000_000_000_000_000_000;

async fn head(anvil: &Anvil, number: u64) -> Result<BlockHead> {
    let block = anvil.provider().get_block(number.into()).await?;
    let header = block.ok_or_eyre("no such block")?.header;
    Ok(BlockHead {
        number,
        hash: header.hash,
        parent_hash: header.parent_hash,
        timestamp: header.timestamp,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        gas_limit: header.gas_limit,
        gas_used: header.gas_used,
        prev_randao: header.mix_hash,
        beneficiary: header.beneficiary,
    })
}

fn slot(address: Address, key: u64) -> Slot {
    Slot { address, key: U256::from(key) }
}

/// The state with a write set applied, as a mirror does it.
fn applied(before: LoadedState, writes: &WriteSet) -> LoadedState {
    let accounts = before.accounts.into_iter().map(|(address, state)| {
        let Some(write) = writes.accounts.get(&address) else { return (address, state) };
        let state = AccountState {
            balance: write.balance.unwrap_or(state.balance),
            nonce: write.nonce.unwrap_or(state.nonce),
            code: write.code.clone().unwrap_or(state.code),
        };
        (address, state)
    });
    let slots = before.slots.into_iter().map(|(slot, value)| {
        let cleared = writes.accounts.get(&slot.address).is_some_and(|write| write.storage_cleared);
        let unlisted = if cleared { U256::ZERO } else { value };
        (slot, writes.slots.get(&slot).copied().unwrap_or(unlisted))
    });
    LoadedState { accounts: accounts.collect(), slots: slots.collect() }
}

/// Checks all sources on one block, and returns the state after it.
async fn check(anvil: &Anvil, number: u64, tracked: &StateKeys) -> Result<LoadedState> {
    let endpoint = connect(&anvil.http_url()).await?;
    let loader = StateLoader::probe(&endpoint).await?;
    let head = head(anvil, number).await?;
    let before = loader.load(head.parent_hash, tracked).await?;
    let after = loader.load(head.hash, tracked).await?;
    assert_ne!(before, after, "the block changes what is tracked");
    for source in SOURCES {
        let mut writes = WriteSets::with_source(loader.clone(), source);
        let set = writes.write_set(&head, tracked).await?;
        assert_eq!(applied(before.clone(), &set), after, "{source}");
        assert_eq!(writes.stats().fallbacks, 0, "{source}");
    }
    Ok(after)
}

/// Blocks are mined by hand from here on, so that many transactions share one.
async fn hold(anvil: &Anvil) -> Result<()> {
    anvil.set_automine(false).await
}

#[tokio::test]
async fn all_sources_agree_on_what_a_block_changed() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let [store, destroy] = [deploy(&anvil, STORE, 0).await?, deploy(&anvil, DESTROY, 5).await?];
    for (key, value) in [(1, 10), (2, 20), (3, 30)] {
        anvil.send(call(&anvil, store, &[key, value])?).await?;
    }
    let [sender, receiver, miner] =
        [anvil.account(0)?, Address::repeat_byte(0x77), Address::repeat_byte(0x88)];
    anvil.set_coinbase(miner).await?;
    hold(&anvil).await?;
    let nonce = anvil.provider().get_transaction_count(sender).await?;
    // changed, cleared, set and cleared again, written with the same value, new
    for words in [[1, 11], [2, 0], [4, 40], [4, 0], [3, 30], [5, 50]] {
        anvil.submit(call(&anvil, store, &words)?).await?;
    }
    anvil.submit(call(&anvil, receiver, &[])?.value(U256::from(ETHER))).await?;
    anvil.submit(call(&anvil, destroy, &[])?).await?;
    let created = sender.create(nonce + 8);
    anvil.submit(call(&anvil, receiver, &[])?.input(init(STORE).into()).create()).await?;
    anvil.submit(call(&anvil, created, &[6, 60])?).await?;
    anvil.mine(1).await?;

    let number = anvil.provider().get_block_number().await?;
    let head = head(&anvil, number).await?;
    assert_eq!(anvil.provider().get_block(number.into()).await?.unwrap().transactions.len(), 10);
    let tracked = StateKeys {
        accounts: vec![sender, receiver, miner, store, destroy, created, BLOCK_HASHES, Address::ZERO],
        slots: (0..7)
            .map(|key| slot(store, key))
            .chain([slot(created, 6), slot(created, 7)])
            .chain([slot(BLOCK_HASHES, (number - 1) % 8191)])
            .chain([
                slot(BEACON_ROOTS, head.timestamp % 8191),
                slot(BEACON_ROOTS, head.timestamp % 8191 + 8191),
            ])
            .collect(),
    };
    let after = check(&anvil, number, &tracked).await?;
    let account = |address| after.accounts.iter().find(|(found, _)| *found == address).unwrap().1.clone();
    let value = |slot| after.slots.iter().find(|(found, _)| *found == slot).unwrap().1;
    assert_eq!(account(sender).nonce, nonce + 10);
    assert_eq!(account(receiver).balance, U256::from(ETHER));
    assert!(account(miner).balance > U256::ZERO, "tips were paid");
    assert_eq!(account(destroy).balance, U256::ZERO, "it gave its balance away");
    assert_eq!(account(created).code, *STORE);
    assert_eq!(value(slot(store, 2)), U256::ZERO);
    assert_eq!(value(slot(created, 6)), U256::from(60));
    assert_eq!(
        B256::from(value(slot(BLOCK_HASHES, (number - 1) % 8191))),
        head.parent_hash,
        "the protocol wrote it"
    );
    Ok(())
}

#[tokio::test]
async fn all_sources_agree_on_an_account_that_is_destroyed_with_its_storage() -> Result<()> {
    // Since Cancun only an account of the same transaction is destroyed.
    let anvil = Anvil::builder().arg("--hardfork").arg("shanghai").spawn().await?;
    let [gone, funded] =
        [deploy(&anvil, STORE_OR_DESTROY, 5).await?, deploy(&anvil, STORE_OR_DESTROY, 0).await?];
    for address in [gone, funded] {
        anvil.send(call(&anvil, address, &[1, 10])?).await?;
    }
    hold(&anvil).await?;
    for address in [gone, funded] {
        anvil.submit(call(&anvil, address, &[2, 20])?).await?;
        anvil.submit(call(&anvil, address, &[])?).await?;
    }
    anvil.submit(call(&anvil, funded, &[])?.value(U256::from(7))).await?;
    anvil.mine(1).await?;

    let slots = [gone, funded].into_iter().flat_map(|address| (1..4).map(move |key| slot(address, key)));
    let tracked = StateKeys { accounts: vec![gone, funded], slots: slots.collect() };
    let after = check(&anvil, anvil.provider().get_block_number().await?, &tracked).await?;
    let empty = AccountState::default();
    assert_eq!(after.accounts[0].1, empty);
    assert_eq!(after.accounts[1].1, AccountState { balance: U256::from(7), ..empty });
    assert!(after.slots.iter().all(|(_, value)| value.is_zero()));
    Ok(())
}

#[tokio::test]
async fn all_sources_agree_on_a_delegation_that_comes_and_goes() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let store = deploy(&anvil, STORE, 0).await?;
    let account = anvil.signer(1)?;
    let sender = anvil.signing_provider(0)?;
    let tracked = StateKeys { accounts: vec![account.address()], slots: vec![slot(account.address(), 1)] };
    for (nonce, target) in [(0, store), (1, Address::ZERO)] {
        let authorization = Authorization { chain_id: U256::from(31337), address: target, nonce };
        let signature = account.sign_hash_sync(&authorization.signature_hash())?;
        let transaction = call(&anvil, account.address(), &[1, 10])?
            .with_authorization_list(vec![authorization.into_signed(signature)]);
        let receipt = sender.send_transaction(transaction).await?.get_receipt().await?;
        assert!(receipt.status());
        let after = check(&anvil, receipt.block_number.unwrap(), &tracked).await?;
        assert_eq!(after.accounts[0].1.code.is_empty(), target.is_zero());
        assert_eq!(after.slots[0].1, U256::from(10), "taking a delegation back clears no storage");
    }
    Ok(())
}

#[tokio::test]
async fn best_source_is_found_by_asking() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    for blocks in [0, 1] {
        anvil.mine(blocks).await?;
        let loader = StateLoader::probe(&connect(&anvil.ws_url()).await?).await?;
        assert_eq!(WriteSets::probe(loader).await?.sources(), SOURCES);
    }
    Ok(())
}

/// The block that a state query is about, by the number that its hash is.
fn hash_of(params: &Value) -> u64 {
    let hash: U256 =
        params.as_array().unwrap().last().unwrap()["blockHash"].as_str().unwrap().parse().unwrap();
    hash.try_into().unwrap_or(u64::MAX)
}

/// What a node answers that has one block and only the older methods.
fn plain(method: &str, params: &Value) -> Result<Value, &'static str> {
    match method {
        "eth_getBlockByHash" => Ok(json!(crate::block(1, 1, 0))),
        "eth_getBalance" | "eth_getTransactionCount" | "eth_getStorageAt"
            if [1, 5, 6].contains(&hash_of(params)) =>
        {
            Ok(json!("0x0"))
        }
        "eth_getCode" => Ok(json!("0x")),
        _ => Err("the method does not exist/is not available"),
    }
}

fn canned_head(number: u64, hash: u64) -> BlockHead {
    BlockHead {
        number,
        hash: crate::word(hash),
        parent_hash: crate::word(hash - 1),
        timestamp: 0,
        base_fee: 0,
        gas_limit: 0,
        gas_used: 0,
        prev_randao: B256::ZERO,
        beneficiary: Address::ZERO,
    }
}

#[tokio::test]
async fn sources_are_tried_best_first() -> Result<()> {
    for (offered, expected) in [
        (vec![], vec![WriteSource::Reread]),
        (vec!["debug_traceBlockByHash"], vec![WriteSource::PrestateDiff, WriteSource::Reread]),
        (vec!["trace_replayBlockTransactions"], vec![WriteSource::TraceReplay, WriteSource::Reread]),
        (vec!["debug_traceBlockByHash", "trace_replayBlockTransactions"], SOURCES.to_vec()),
    ] {
        let endpoint = ruled(
            move |method: &str, params: &Value| {
                if offered.contains(&method) { Ok(json!([])) } else { plain(method, params) }
            },
        );
        let loader = StateLoader::probe(&endpoint.await?).await?;
        assert_eq!(WriteSets::probe(loader).await?.sources(), expected);
    }
    Ok(())
}

#[tokio::test]
async fn source_whose_answer_makes_no_sense_is_not_used() -> Result<()> {
    for answer in [json!(null), json!("0x"), json!([{ "transactionHash": crate::word(1), "stateDiff": {} }])]
    {
        let endpoint = ruled(move |method: &str, params: &Value| match method {
            "trace_replayBlockTransactions" | "debug_traceBlockByHash" => Ok(answer.clone()),
            _ => plain(method, params),
        });
        let loader = StateLoader::probe(&endpoint.await?).await?;
        assert_eq!(WriteSets::probe(loader).await?.sources(), [WriteSource::Reread]);
    }
    Ok(())
}

#[tokio::test]
async fn failing_source_is_replaced_at_once_set_aside_and_tried_again() -> Result<()> {
    let broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    let endpoint = ruled(move |method: &str, params: &Value| match method {
        "debug_traceBlockByHash" if breaks.load(Ordering::Relaxed) => Err("tracer crashed"),
        "debug_traceBlockByHash" => Ok(json!([])),
        _ => plain(method, params),
    })
    .await?;
    let mut writes = WriteSets::probe(StateLoader::probe(&endpoint).await?).await?;
    let (head, nothing) = (canned_head(1, 1), StateKeys::default());
    writes.write_set(&head, &nothing).await?;
    assert_eq!((writes.source(), writes.stats().prestate_diff), (WriteSource::PrestateDiff, 1));
    broken.store(true, Ordering::Relaxed);
    for failures in 1..=3 {
        assert_eq!(writes.source(), WriteSource::PrestateDiff);
        writes.write_set(&head, &nothing).await?;
        assert_eq!(writes.stats().fallbacks, failures);
    }
    assert_eq!(writes.source(), WriteSource::Reread, "set aside after three failures in a row");
    broken.store(false, Ordering::Relaxed);
    for _ in 0..64 {
        writes.write_set(&head, &nothing).await?;
    }
    assert_eq!(writes.stats().reread, 3 + 64);
    writes.write_set(&head, &nothing).await?;
    assert_eq!((writes.source(), writes.stats().prestate_diff), (WriteSource::PrestateDiff, 2));
    Ok(())
}

#[tokio::test]
async fn node_that_is_down_is_no_reason_to_set_a_source_aside() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let endpoint = connect(&proxy.http_url()).await?;
    let mut writes = WriteSets::probe(StateLoader::probe(&endpoint).await?).await?;
    anvil.mine(1).await?;
    let head = head(&anvil, 1).await?;
    let tracked = StateKeys { accounts: vec![Address::ZERO], slots: Vec::new() };
    proxy.set(Mode::Down);
    for _ in 0..4 {
        writes.write_set(&head, &tracked).await.unwrap_err();
    }
    proxy.set(Mode::Pass);
    writes.write_set(&head, &tracked).await?;
    assert_eq!((writes.source(), writes.stats().fallbacks), (WriteSource::TraceReplay, 0));
    Ok(())
}

#[tokio::test]
async fn replay_of_another_block_at_the_same_height_is_refused() -> Result<()> {
    // The node's block before the replay, and after it.
    for hashes in [[6, 5], [5, 6]] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let endpoint = ruled_blocks(
            move || crate::block(5, hashes[counter.fetch_add(1, Ordering::Relaxed) % 2], 4),
            |method, params| match method {
                "trace_replayBlockTransactions" => Ok(json!([])),
                _ => plain(method, params),
            },
        );
        let loader = StateLoader::probe(&endpoint.await?).await?;
        asked.store(0, Ordering::Relaxed);
        let mut writes = WriteSets::with_source(loader, WriteSource::TraceReplay);
        let result = writes.write_set(&canned_head(5, 5), &StateKeys::default()).await;
        assert!(matches!(result, Err(WriteError::NotCanonical { number: 5, .. })), "{result:?}");
    }
    Ok(())
}

#[tokio::test]
async fn quiet_block_costs_three_calls() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.ws_url()).await?;
    let loader = StateLoader::probe(&endpoint).await?;
    let address = Address::repeat_byte(0x77);
    let emit = deploy(&anvil, EMIT, 0).await?;
    let tracked =
        StateKeys { accounts: vec![address], slots: (0..5_000).map(|key| slot(address, key)).collect() };
    for source in [WriteSource::TraceReplay, WriteSource::PrestateDiff] {
        let mut writes = WriteSets::with_source(loader.clone(), source);
        let options = FeedOptions { addresses: vec![address], ..Default::default() };
        let mut feed = BlockFeed::start(&endpoint, Start::Tip, options, Default::default()).await?;
        // The first log shows that this node has bloom filters.
        anvil.send(call(&anvil, emit, &[1])?).await?;
        feed.next(&mut writes, &tracked).await?;
        let before = endpoint.stats().total();
        for _ in 0..4 {
            anvil.send(call(&anvil, Address::repeat_byte(0x78), &[])?.value(U256::from(1))).await?;
            feed.next(&mut writes, &tracked).await?;
        }
        let calls = endpoint.stats().total() - before;
        assert!(calls <= 4 * 3, "{source}: {calls} calls for 4 blocks: {:?}", endpoint.stats().calls());
    }
    Ok(())
}

#[test]
fn tracked_keys_are_found_by_account() {
    let [a, b] = [Address::repeat_byte(1), Address::repeat_byte(2)];
    let keys = StateKeys { accounts: vec![a], slots: vec![slot(a, 1), slot(b, 2), slot(a, 3)] };
    assert!(keys.has_account(a) && !keys.has_account(b));
    assert_eq!(keys.slots_of(a), [slot(a, 1), slot(a, 3)]);
}
