//! State comes from exactly the block that was named.

use crate::{STORE, call, connect, deploy, ruled, word};
use alloy::{
    primitives::{Address, U256},
    providers::Provider,
};
use errand_chain::{LoadError, StateLoader};
use errand_testkit::Anvil;
use errand_types::{Slot, StateKeys};
use eyre::Result;
use serde_json::{Value, json};

#[tokio::test]
async fn state_is_that_of_the_named_block_in_the_order_of_the_keys() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let store = deploy(&anvil, STORE, 3).await?;
    let mut hashes = Vec::new();
    for value in [10, 20] {
        let receipt = anvil.send(call(&anvil, store, &[1, value])?).await?;
        hashes.push(receipt.block_hash.unwrap());
    }
    let other = Address::repeat_byte(0x31);
    // More than one call can carry, two accounts mixed, one key twice.
    let mut slots: Vec<Slot> = (0..2_500)
        .map(|key| Slot { address: if key % 3 == 0 { other } else { store }, key: U256::from(key) })
        .collect();
    slots.push(Slot { address: store, key: U256::from(1) });
    let keys = StateKeys { accounts: vec![other, store, anvil.account(0)?, store], slots };
    let loader = StateLoader::probe(&connect(&anvil.http_url()).await?).await?;
    for (hash, value) in hashes.into_iter().zip([10u64, 20]) {
        let state = loader.load(hash, &keys).await?;
        assert_eq!(state.accounts.iter().map(|(address, _)| *address).collect::<Vec<_>>(), keys.accounts);
        assert_eq!(state.slots.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), keys.slots);
        assert_eq!(state.accounts[1].1.code, *STORE);
        assert_eq!(state.accounts[3], state.accounts[1]);
        assert_eq!((state.accounts[1].1.balance, state.accounts[1].1.nonce), (U256::from(3), 1));
        assert_eq!(state.accounts[0].1, Default::default());
        let set: Vec<_> = state.slots.iter().filter(|(_, found)| !found.is_zero()).collect();
        let expected = (Slot { address: store, key: U256::from(1) }, U256::from(value));
        assert_eq!(set, [&expected, &expected]);
    }
    Ok(())
}

#[tokio::test]
async fn few_calls_carry_many_keys() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.http_url()).await?;
    let loader = StateLoader::probe(&endpoint).await?;
    let head = anvil.provider().get_block(0.into()).await?.unwrap().header.hash;
    let slots = (0..3_000).map(|key| Slot { address: Address::ZERO, key: U256::from(key) }).collect();
    let before = endpoint.stats().total();
    loader.load(head, &StateKeys { accounts: Vec::new(), slots }).await?;
    assert_eq!(endpoint.stats().total() - before, 3);
    Ok(())
}

#[tokio::test]
async fn block_that_is_gone_has_no_state() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    anvil.mine(3).await?;
    let gone = anvil.provider().get_block(3.into()).await?.unwrap().header.hash;
    let loader = StateLoader::probe(&connect(&anvil.http_url()).await?).await?;
    anvil.reorg(2).await?;
    let keys = StateKeys { accounts: vec![Address::ZERO], slots: Vec::new() };
    let result = loader.load(gone, &keys).await;
    assert!(matches!(result, Err(LoadError::NoState { block, .. }) if block == gone), "{result:?}");
    Ok(())
}

/// What a node answers about any account or slot of block 1, and of no other.
fn plain(method: &str, params: &Value) -> Result<Value, &'static str> {
    let params = params.as_array().unwrap();
    if params.last().unwrap()["blockHash"] != json!(word(1)) {
        return Err("unknown block");
    }
    match method {
        "eth_getBalance" => Ok(json!("0x5")),
        "eth_getTransactionCount" => Ok(json!("0x2")),
        "eth_getCode" => Ok(json!("0x6001")),
        "eth_getStorageAt" => Ok(json!("0x9")),
        _ => Err("the method does not exist"),
    }
}

#[tokio::test]
async fn node_without_newer_methods_is_asked_one_by_one() -> Result<()> {
    let endpoint = ruled(plain).await?;
    let loader = StateLoader::probe(&endpoint).await?;
    let address = Address::repeat_byte(1);
    let slots: Vec<Slot> = (0..250).map(|key| Slot { address, key: U256::from(key) }).collect();
    let before = endpoint.stats().calls()["eth_getStorageAt"];
    let loaded = loader.load(word(1), &StateKeys { accounts: vec![address], slots: slots.clone() }).await?;
    let account = &loaded.accounts[0].1;
    assert_eq!((account.balance, account.nonce, account.code.len()), (U256::from(5), 2, 2));
    assert_eq!(loaded.slots, slots.iter().map(|slot| (*slot, U256::from(9))).collect::<Vec<_>>());
    assert_eq!(endpoint.stats().calls()["eth_getStorageAt"] - before, 250);
    Ok(())
}

#[tokio::test]
async fn node_that_ignores_block_hashes_is_refused() -> Result<()> {
    let endpoint = ruled(|method, params| {
        let mut params = params.clone();
        params.as_array_mut().unwrap().push(json!({ "blockHash": word(1) }));
        plain(method, &params)
    });
    assert!(matches!(StateLoader::probe(&endpoint.await?).await, Err(LoadError::HashIgnored)));
    Ok(())
}

#[tokio::test]
async fn answer_with_missing_slots_is_refused() -> Result<()> {
    let address = Address::repeat_byte(1);
    let slots = [1, 2].map(|key| Slot { address, key: U256::from(key) }).to_vec();
    let keys = StateKeys { accounts: Vec::new(), slots };
    for answer in [json!({}), json!({ address.to_string(): ["0x1"] }), json!({ address.to_string(): [] })] {
        let endpoint = ruled(move |method: &str, params: &Value| match method {
            "eth_getStorageValues" if params[0].get(format!("{:#x}", Address::ZERO)).is_some() => {
                Ok(json!({ format!("{:#x}", Address::ZERO): ["0x0"] }))
            }
            "eth_getStorageValues" => Ok(answer.clone()),
            _ => plain(method, params),
        });
        let loader = StateLoader::probe(&endpoint.await?).await?;
        let result = loader.load(word(1), &keys).await;
        assert!(matches!(result, Err(LoadError::Malformed { method: "eth_getStorageValues" })), "{result:?}");
    }
    Ok(())
}
