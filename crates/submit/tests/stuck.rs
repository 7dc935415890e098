//! Transactions that are not mined, get lost or are not taken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::{primitives::U256, providers::Provider};
use common::{Bed, COUNTER, GWEI, count, names};
use errand_journal::Purpose;
use errand_submit::{CancelReason, Outcome, SubmitError, TxRequest, Update};

/// More than any offer of these tests that has no ceiling.
const HIGH: u128 = 90 * GWEI;

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_transaction_is_replaced_with_the_same_nonce_until_it_is_mined() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let first = submitter.submit(count(1)).await.unwrap();
    assert!(bed.mine_without(&submitter, HIGH).await.is_empty(), "not after one block");
    let events = bed.mine_without(&submitter, HIGH).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let Update::Replaced { old, new, fees } = event.update else { panic!("{event:?}") };
    assert_eq!((event.nonce, old), (0, first.tx_hash));
    assert!(fees.max_fee_per_gas > HIGH, "it follows the market");
    let intents = submitter.in_flight().await.unwrap();
    let [before, after] = intents[0].attempts.as_slice() else { panic!("{intents:?}") };
    assert!(after.max_fee_per_gas >= before.max_fee_per_gas * 9 / 8);
    assert!(after.max_priority_fee_per_gas >= before.max_priority_fee_per_gas * 9 / 8);
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(&events.as_slice(), [event] if matches!(&event.update, Update::Mined { receipt } if receipt.transaction_hash == new)),
        "{events:?}"
    );
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1));
    assert!(bed.receipt(first.tx_hash).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_ceiling_a_transaction_is_cancelled_and_the_nonce_is_not_lost() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let request = TxRequest { max_total_cost: U256::from(30 * GWEI) * U256::from(100_000), ..count(1) };
    submitter.submit(request).await.unwrap();
    bed.mine_without(&submitter, 25 * GWEI).await;
    let events = bed.mine_without(&submitter, 25 * GWEI).await;
    let [replaced] = events.as_slice() else { panic!("{events:?}") };
    assert!(
        matches!(replaced.update, Update::Replaced { fees, .. } if fees.max_fee_per_gas <= 30 * GWEI),
        "{events:?}"
    );
    bed.mine_without(&submitter, 25 * GWEI).await;
    let events = bed.mine_without(&submitter, 25 * GWEI).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Cancelling { reason: CancelReason::AtCeiling, .. })),
        "{events:?}"
    );
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
    bed.mine(&submitter).await;
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Confirmed { outcome: Outcome::Cancelled })),
        "{events:?}"
    );
    assert_eq!((bed.counted().await, bed.used_nonces().await), (0, 1));
    assert_eq!(submitter.submit(count(1)).await.unwrap().nonce, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tip_at_its_limit_is_not_raised_and_the_nonce_is_not_lost() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let limit = GWEI * 9 / 8;
    submitter.submit(TxRequest { max_tip: limit, ..count(1) }).await.unwrap();
    bed.mine_without(&submitter, HIGH).await;
    let events = bed.mine_without(&submitter, HIGH).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Replaced { fees, .. }
            if fees.max_priority_fee_per_gas == limit && fees.max_fee_per_gas > HIGH)),
        "the price follows the base fee, the tip stays within its limit: {events:?}"
    );
    bed.mine_without(&submitter, HIGH * 3).await;
    let events = bed.mine_without(&submitter, HIGH * 3).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Cancelling { reason: CancelReason::AtCeiling, .. })),
        "{events:?}"
    );
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_cancellation_is_replaced_too() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&submitter.cancel(sent.intent).await.unwrap()), ["cancelling"]);
    assert!(submitter.cancel(sent.intent).await.unwrap().is_empty(), "once is enough");
    bed.mine_without(&submitter, HIGH).await;
    assert_eq!(names(&bed.mine_without(&submitter, HIGH).await), ["replaced"]);
    let attempts = submitter.in_flight().await.unwrap()[0].attempts.clone();
    assert_eq!(
        attempts.iter().map(|attempt| attempt.purpose).collect::<Vec<_>>(),
        [Purpose::Execute, Purpose::Cancel, Purpose::Cancel]
    );
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
    assert_eq!(bed.counted().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_offers_the_highest_price_can_be_cancelled() {
    let mut bed = Bed::new().await;
    bed.config.max_gas_price = 15 * GWEI;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&submitter.cancel(sent.intent).await.unwrap()), ["cancelling"]);
    let attempts = submitter.in_flight().await.unwrap()[0].attempts.clone();
    let offers: Vec<_> = attempts.iter().map(|attempt| attempt.max_fee_per_gas).collect();
    assert_eq!(offers, [15 * GWEI, 15 * GWEI * 9 / 8]);
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mined_already_is_not_cancelled() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    // It is not told of the block yet.
    bed.anvil.mine(1).await.unwrap();
    assert!(submitter.cancel(sent.intent).await.unwrap().is_empty());
    assert_eq!(submitter.in_flight().await.unwrap()[0].attempts.len(), 1, "no cancellation is signed");
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_is_asked_for_at_every_head_is_replaced_all_the_same() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&submitter.cancel(sent.intent).await.unwrap()), ["cancelling"]);
    assert!(bed.mine_without(&submitter, HIGH).await.is_empty(), "not after one block");
    assert!(submitter.cancel(sent.intent).await.unwrap().is_empty());
    assert_eq!(names(&bed.mine_without(&submitter, HIGH).await), ["replaced"]);
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_any_more_is_cancelled() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let request = TxRequest { until_block: Some(bed.head().await.number + 1), ..count(1) };
    submitter.submit(request).await.unwrap();
    let events = bed.mine_without(&submitter, HIGH).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Cancelling { reason: CancelReason::Expired, .. })),
        "{events:?}"
    );
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_node_threw_out_for_its_fee_is_raised_at_once() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    bed.anvil.set_next_base_fee(HIGH).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["refused", "replaced"]);
    bed.anvil.set_next_base_fee(HIGH).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_in_line_is_replaced() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    submitter.submit(count(2)).await.unwrap();
    bed.mine_without(&submitter, HIGH).await;
    let events = bed.mine_without(&submitter, HIGH).await;
    assert_eq!((names(&events), events[0].nonce), (vec!["replaced"], 0));
    let events = bed.mine_with_space(&submitter, 10 * GWEI, 120_000).await;
    assert_eq!((names(&events), events[0].nonce), (vec!["mined"], 0));
    let events = bed.mine_without(&submitter, HIGH).await;
    assert_eq!((names(&events), events[0].nonce), (vec!["replaced"], 1), "now the second one is first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_bumped_by_hand_within_its_limit() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let ceiling = 25 * GWEI;
    let sent = submitter.submit(TxRequest { max_gas_price: ceiling, ..count(1) }).await.unwrap();
    let mut bumps = 0;
    let error = loop {
        match submitter.bump(sent.intent).await {
            Ok(events) => assert_eq!(names(&events), ["replaced"]),
            Err(error) => break error,
        }
        bumps += 1;
    };
    assert!(matches!(error, SubmitError::AtCeiling(intent) if intent == sent.intent), "{error}");
    assert!(bumps > 0);
    let attempts = &submitter.in_flight().await.unwrap()[0].attempts;
    assert!(attempts.iter().all(|attempt| attempt.max_fee_per_gas <= ceiling));
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    let error = submitter.bump(sent.intent).await.unwrap_err();
    assert!(matches!(error, SubmitError::NotOpen(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_vanished_from_the_pool_is_sent_again_with_the_same_bytes() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    bed.anvil.drop_transaction(sent.tx_hash).await.unwrap();
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Dropped { tx_hash } if tx_hash == sent.tx_hash)),
        "{events:?}"
    );
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!(bed.counted().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_funds_is_reported_once_and_goes_on_when_it_has_some() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    let balance = bed.provider.get_balance(bed.account).await.unwrap();
    bed.anvil.set_balance(bed.account, U256::from(1)).await.unwrap();
    bed.anvil.drop_transaction(sent.tx_hash).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["out of funds"]);
    for _ in 0..4 {
        assert!(bed.mine(&submitter).await.is_empty(), "it is said once, and no fee is raised");
    }
    let error = submitter.submit(count(2)).await.unwrap_err();
    assert!(matches!(error, SubmitError::InsufficientFunds { .. }), "{error}");
    bed.anvil.set_balance(bed.account, balance).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["dropped"]);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!(submitter.in_flight().await.unwrap()[0].attempts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_is_refused_is_raised_further() {
    let bed = Bed::new().await;
    // Somebody else's transaction with a high offer is in the pool, and the node's count does not show it.
    let relay = errand_testkit::relay::Relay::to(bed.anvil.port()).await.unwrap();
    let foreign = bed.send_elsewhere(0, 24 * GWEI).await;
    relay.rule_for("eth_getTransactionCount", || errand_testkit::relay::Rule::Answer("0x0".into()));
    let builder = errand_submit::Builder::new(relay.provider().clone(), bed.wallet(), bed.journal());
    let (submitter, _) = builder.config(bed.config.clone()).start(bed.head().await).await.unwrap();
    let request = TxRequest { to: COUNTER, ..count(1) };
    let sent = submitter.submit(request).await.unwrap();
    assert_eq!((sent.nonce, common::name(&sent.update)), (0, "refused"));
    let events = bed.mine_without(&submitter, HIGH).await;
    assert!(names(&events).contains(&"replaced"), "{events:?}");
    relay.rule(|_| errand_testkit::relay::Rule::Pass);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert!(bed.receipt(foreign).await.is_none());
    assert_eq!(bed.counted().await, 1);
}
