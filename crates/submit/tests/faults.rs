//! Nodes that answer late, wrongly, or not at all; relays instead of the pool.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::{
    network::{NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, U256},
    providers::Provider,
    rpc::types::TransactionRequest,
    transports::TransportError,
};
use common::{Bed, GWEI, count, name, names};
use errand_submit::{Builder, Event, Outcome, Refusal, Route, SubmitError, Submitter, Update};
use errand_testkit::relay::{Relay, Rule};
use serde_json::{Value, json};
use std::time::Duration;

async fn behind(bed: &Bed) -> (Submitter, Relay) {
    let relay = Relay::to(bed.anvil.port()).await.unwrap();
    (start_behind(bed, &relay).await, relay)
}

async fn start_behind(bed: &Bed, relay: &Relay) -> Submitter {
    let builder =
        Builder::new(relay.provider().clone(), bed.wallet(), bed.journal()).config(bed.config.clone());
    let (submitter, events) = builder.start(bed.head().await).await.unwrap();
    assert!(events.is_empty(), "{events:?}");
    submitter
}

/// The one thing that is told is that the first work was executed, for good.
async fn is_over(submitter: &Submitter, events: &[Event]) {
    assert!(
        matches!(events, [event] if matches!(event.update, Update::Confirmed { outcome: Outcome::Executed })),
        "{events:?}"
    );
    assert_eq!(submitter.submit(count(1)).await.unwrap().nonce, 1, "its work is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_answer_was_lost_is_looked_up_before_anything_else() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    relay.rule_for("eth_sendRawTransaction", || Rule::LoseAnswer);
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(name(&sent.update), "sent");
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_nobody_can_tell_of_is_unknown_and_keeps_its_nonce() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    relay.rule(|call| match call["method"].as_str() {
        Some("eth_sendRawTransaction" | "eth_getTransactionByHash") => Rule::LoseAnswer,
        _ => Rule::Pass,
    });
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!((sent.nonce, name(&sent.update)), (0, "unknown"));
    assert_eq!(submitter.submit(count(2)).await.unwrap().nonce, 1);
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined", "mined"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_answers_is_given_up_in_time_and_asked_again() {
    let mut bed = Bed::new().await;
    bed.config.timeout = Duration::from_secs(3);
    let (submitter, relay) = behind(&bed).await;
    submitter.submit(count(1)).await.unwrap();
    relay.rule(|_| Rule::Hang);
    assert!(bed.mine(&submitter).await.is_empty(), "things are left as they are");
    let error = submitter.submit(count(2)).await.unwrap_err();
    assert!(matches!(error, SubmitError::Timeout { .. }), "{error}");
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!(submitter.submit(count(2)).await.unwrap().nonce, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_receipt_is_no_failure() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    submitter.submit(count(1)).await.unwrap();
    relay.rule_for("eth_getTransactionReceipt", || Rule::Answer(Value::Null));
    for _ in 0..5 {
        assert!(bed.mine(&submitter).await.is_empty(), "the block shows that it is ours");
    }
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined", "confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mined_is_confirmed_though_the_node_dropped_its_receipt() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    relay.rule_for("eth_getTransactionReceipt", || Rule::Answer(Value::Null));
    for _ in 0..3 {
        assert!(bed.mine(&submitter).await.is_empty(), "not deep yet, or the receipt may only be late");
    }
    is_over(&submitter, &bed.mine(&submitter).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_process_saw_mined_is_confirmed_though_the_node_dropped_its_receipt() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    drop(submitter);
    bed.anvil.mine(200).await.unwrap();
    let relay = Relay::to(bed.anvil.port()).await.unwrap();
    relay.rule_for("eth_getTransactionReceipt", || Rule::Answer(Value::Null));
    let submitter = start_behind(&bed, &relay).await;
    assert!(bed.mine(&submitter).await.is_empty());
    assert_eq!(names(&bed.mine(&submitter).await), ["confirmed"]);
    assert!(submitter.in_flight().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_a_node_does_not_have_holds_up_nothing_for_ever() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    let block = bed.head().await.number;
    drop(submitter);
    bed.anvil.mine(120).await.unwrap();
    let relay = Relay::to(bed.anvil.port()).await.unwrap();
    let asked = format!("{block:#x}");
    relay.rule(move |call| match call["method"].as_str() {
        Some("eth_getTransactionReceipt") => Rule::Answer(Value::Null),
        Some("eth_getBlockByNumber") if call["params"][0] == asked => Rule::Answer(Value::Null),
        _ => Rule::Pass,
    });
    let submitter = start_behind(&bed, &relay).await;
    while bed.head().await.number < block + 128 {
        assert!(bed.mine(&submitter).await.is_empty(), "it may have it later");
    }
    is_over(&submitter, &bed.mine(&submitter).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_from_a_block_that_is_gone_is_not_believed() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    let stale = json!(bed.receipt(sent.tx_hash).await.unwrap());
    bed.anvil.reorg(1).await.unwrap();
    relay.rule_for("eth_getTransactionReceipt", move || Rule::Answer(stale.clone()));
    let events = submitter.on_head(bed.head().await).await.unwrap();
    assert_eq!(names(&events), ["reorged", "sent"]);
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!(bed.counted().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_without_evidence_takes_patience_and_is_corrected_by_a_late_receipt() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    submitter.submit(count(1)).await.unwrap();
    relay.rule(|call| match call["method"].as_str() {
        Some("eth_getTransactionReceipt" | "eth_getBlockByNumber") => Rule::Answer(Value::Null),
        _ => Rule::Pass,
    });
    assert!(bed.mine(&submitter).await.is_empty());
    assert!(bed.mine(&submitter).await.is_empty());
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::NonceUsedByOther { tx_hash: None })),
        "{events:?}"
    );
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined", "confirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_node_is_told_again_with_the_same_bytes_and_no_higher_fee() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    relay.rule_for("eth_sendRawTransaction", || Rule::Error(-32005, "rate limit reached"));
    let sent = submitter.submit(count(1)).await.unwrap();
    assert!(matches!(sent.update, Update::Refused { refusal: Refusal::Busy, .. }), "{:?}", sent.update);
    for _ in 0..4 {
        assert!(bed.mine(&submitter).await.is_empty());
    }
    relay.rule(|_| Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["sent"]);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert!(bed.receipt(sent.tx_hash).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_under_way_a_block_costs_no_call() {
    let bed = Bed::new().await;
    let (submitter, relay) = behind(&bed).await;
    relay.methods();
    bed.mine(&submitter).await;
    assert!(relay.methods().is_empty());
    submitter.submit(count(1)).await.unwrap();
    relay.methods();
    bed.mine_without(&submitter, 90 * GWEI).await;
    assert_eq!(relay.methods(), ["eth_getTransactionCount", "eth_getTransactionByHash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_transaction_goes_to_the_relay_alone_and_again_with_every_block() {
    let bed = Bed::new().await;
    for (route, method) in [("private", "eth_sendPrivateTransaction"), ("bundle", "eth_sendBundle")] {
        let relay = Relay::to(bed.anvil.port()).await.unwrap();
        relay.rule(|_| Rule::Answer(json!({ "bundleHash": "0x00" })));
        let journal = errand_journal::Journal::in_memory(bed.identity()).unwrap();
        let to = relay.provider().clone();
        let route = if route == "private" { Route::Private(to) } else { Route::Bundle(to) };
        let builder = Builder::new(bed.provider.clone(), bed.wallet(), journal).config(bed.config.clone());
        let (submitter, _) = builder.route(route).start(bed.head().await).await.unwrap();
        let sent = submitter.submit(count(1)).await.unwrap();
        assert_eq!(name(&sent.update), "sent");
        assert!(bed.mine(&submitter).await.is_empty());
        let calls = relay.calls();
        assert_eq!(calls.len(), 2);
        let raw = &submitter.in_flight().await.unwrap()[0].attempts[0].raw;
        for call in &calls {
            assert_eq!(call["method"], method);
            let parameter = &call["params"][0];
            assert!(parameter["tx"] == json!(raw) || parameter["txs"] == json!([raw]), "{parameter}");
        }
        if method == "eth_sendBundle" {
            let blocks: Vec<_> = calls.iter().map(|call| call["params"][0]["blockNumber"].clone()).collect();
            let next = bed.head().await.number + 1;
            assert_eq!(blocks, [json!(format!("{:#x}", next - 1)), json!(format!("{next:#x}"))]);
        }
        assert_eq!(bed.used_nonces().await, if method == "eth_sendBundle" { 1 } else { 0 });
        // The builder includes it.
        let _ = bed.provider.send_raw_transaction(raw).await.unwrap();
        assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    }
    assert_eq!(bed.counted().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusals_of_a_real_node_are_understood() {
    let bed = Bed::new().await;
    let usual = TransactionRequest::default()
        .with_to(Address::repeat_byte(9))
        .with_nonce(0)
        .with_chain_id(31337)
        .with_gas_limit(21_000)
        .with_max_fee_per_gas(100 * GWEI)
        .with_max_priority_fee_per_gas(GWEI);
    let refusal = async |transaction: TransactionRequest| {
        let signed = transaction.build(&bed.wallet()).await.unwrap();
        match bed.provider.send_tx_envelope(signed).await {
            Err(TransportError::ErrorResp(error)) => Some(Refusal::classify(error.code, &error.message)),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    };
    assert_eq!(refusal(usual.clone()).await, None);
    assert_eq!(refusal(usual.clone()).await, Some(Refusal::AlreadyKnown));
    let other = usual.clone().with_value(U256::from(1));
    assert_eq!(refusal(other).await, Some(Refusal::ReplacementUnderpriced));
    bed.anvil.mine(1).await.unwrap();
    assert_eq!(refusal(usual.clone().with_value(U256::from(2))).await, Some(Refusal::NonceTooLow));
    let next = usual.with_nonce(1);
    assert_eq!(refusal(next.clone().with_gas_limit(20_000)).await, Some(Refusal::IntrinsicGasTooLow));
    assert_eq!(refusal(next.clone().with_gas_limit(100_000_000)).await, Some(Refusal::ExceedsGasLimit));
    assert_eq!(refusal(next.clone().with_chain_id(5)).await, Some(Refusal::BadSignature));
    let poor = next.clone().with_value(U256::MAX >> 1);
    assert_eq!(refusal(poor).await, Some(Refusal::InsufficientFunds));
    let cheap = next.with_max_fee_per_gas(1).with_max_priority_fee_per_gas(1);
    assert_eq!(refusal(cheap).await, Some(Refusal::Underpriced));
}
