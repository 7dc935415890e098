//! The ordinary course, and what is refused before anything is sent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::{
    primitives::{Address, Bytes, U256},
    providers::Provider,
    signers::local::PrivateKeySigner,
};
use common::{Bed, COUNTER, GWEI, REVERTER, count, names, work};
use errand_journal::{Identity, Journal, JournalError};
use errand_submit::{
    Builder, Outcome, Refusal, SubmitConfig, SubmitError, TipPolicy, TxRequest, Update, send_and_wait,
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_sent_mined_and_confirmed() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(sent.nonce, 0);
    let Update::Sent { tx_hash, fees } = sent.update else { panic!("{:?}", sent.update) };
    assert_eq!(fees.max_priority_fee_per_gas, GWEI);
    assert_eq!(tx_hash, sent.tx_hash);
    let events = bed.mine(&submitter).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.intent, event.nonce, event.work.as_slice()), (sent.intent, 0, [work(1)].as_slice()));
    let Update::Mined { receipt } = &event.update else { panic!("{event:?}") };
    assert_eq!(receipt.transaction_hash, tx_hash);
    assert_eq!(bed.counted().await, 1);
    assert!(bed.mine(&submitter).await.is_empty());
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Confirmed { outcome: Outcome::Executed })),
        "{events:?}"
    );
    assert!(submitter.in_flight().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_get_one_nonce_after_the_other_and_each_work_one_intent() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    for number in 0..3 {
        assert_eq!(submitter.submit(count(number)).await.unwrap().nonce, number);
    }
    let taken = submitter.submit(count(2)).await.unwrap_err();
    assert!(matches!(taken, SubmitError::Journal(JournalError::WorkTaken { .. })), "{taken}");
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"; 3]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (3, 3));
    let taken = submitter.submit(count(0)).await.unwrap_err();
    assert!(
        matches!(taken, SubmitError::Journal(JournalError::WorkTaken { .. })),
        "not confirmed yet: {taken}"
    );
    bed.mine(&submitter).await;
    assert_eq!(names(&bed.mine(&submitter).await), ["confirmed"; 3]);
    assert_eq!(submitter.submit(count(0)).await.unwrap().nonce, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn recurring_work_can_go_on_before_it_is_confirmed_when_it_is_released() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let first = submitter.submit(count(7)).await.unwrap();
    assert!(submitter.release(first.intent, work(7)).await.is_err(), "nothing was executed yet");
    bed.mine(&submitter).await;
    submitter.release(first.intent, work(7)).await.unwrap();
    assert_eq!(submitter.submit(count(7)).await.unwrap().nonce, 1);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!(bed.counted().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_is_reported_and_the_work_is_free_when_it_is_confirmed() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let request = TxRequest { to: REVERTER, ..count(1) };
    submitter.submit(request.clone()).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["reverted"]);
    bed.mine(&submitter).await;
    let taken = submitter.submit(request.clone()).await.unwrap_err();
    assert!(matches!(taken, SubmitError::Journal(JournalError::WorkTaken { .. })), "{taken}");
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Confirmed { outcome: Outcome::Reverted })),
        "{events:?}"
    );
    assert_eq!(submitter.submit(request).await.unwrap().nonce, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_afforded_or_included_is_refused_and_leaves_nothing_behind() {
    let mut bed = Bed::new().await;
    bed.config.max_in_flight = 1;
    let submitter = bed.start().await;
    let refused = async |request| submitter.submit(request).await.unwrap_err();
    let error = refused(TxRequest { value: U256::MAX / U256::from(2), ..count(1) }).await;
    assert!(matches!(error, SubmitError::InsufficientFunds { .. }), "{error}");
    let error = refused(TxRequest { gas_limit: 16_777_217, ..count(1) }).await;
    assert!(matches!(error, SubmitError::TooMuchGas { wanted: 16_777_217, allowed: 16_777_216 }), "{error}");
    let error = refused(TxRequest { max_gas_price: GWEI, ..count(1) }).await;
    assert!(matches!(error, SubmitError::TooExpensive { limit: GWEI, .. }), "{error}");
    let error = refused(TxRequest { max_total_cost: U256::from(100_000), ..count(1) }).await;
    assert!(matches!(error, SubmitError::TooExpensive { limit: 1, .. }), "{error}");
    let error = refused(TxRequest { until_block: Some(bed.head().await.number), ..count(1) }).await;
    assert!(matches!(error, SubmitError::Expired { .. }), "{error}");
    let error = refused(TxRequest { gas_limit: 20_000, ..count(1) }).await;
    assert!(matches!(error, SubmitError::Refused { refusal: Refusal::IntrinsicGasTooLow, .. }), "{error}");
    assert!(submitter.in_flight().await.unwrap().is_empty());
    assert_eq!(submitter.submit(count(1)).await.unwrap().nonce, 0, "no nonce and no work was kept");
    let error = refused(count(2)).await;
    assert!(matches!(error, SubmitError::TooManyInFlight(1)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_funds_have_to_cover_what_is_under_way_too() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let ether = U256::from(10).pow(U256::from(18));
    let request =
        |number| TxRequest { value: U256::from(6_000) * ether, to: Address::repeat_byte(8), ..count(number) };
    submitter.submit(request(1)).await.unwrap();
    let error = submitter.submit(request(2)).await.unwrap_err();
    assert!(matches!(error, SubmitError::InsufficientFunds { .. }), "{error}");
    submitter.submit(count(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_or_a_key_of_another_account_is_refused_at_the_start() {
    let bed = Bed::new().await;
    let head = bed.head().await;
    let identity = Identity { chain_id: 1, ..bed.identity() };
    let journal = Journal::in_memory(identity).unwrap();
    let error = Builder::new(bed.provider.clone(), bed.wallet(), journal).start(head).await.unwrap_err();
    assert!(matches!(error, SubmitError::WrongChain { node: 31337, journal: 1 }), "{error}");
    let journal = Journal::in_memory(bed.identity()).unwrap();
    let wallet = PrivateKeySigner::random().into();
    let error = Builder::new(bed.provider.clone(), wallet, journal).start(head).await.unwrap_err();
    assert!(matches!(error, SubmitError::WrongAccount { account } if account == bed.account), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_s_tip_is_followed_within_bounds() {
    let mut bed = Bed::new().await;
    let proposed = bed.provider.get_max_priority_fee_per_gas().await.unwrap();
    for (tip, expected) in [
        (TipPolicy::Node { min: 0, max: u128::MAX }, proposed),
        (TipPolicy::Node { min: 0, max: proposed / 2 }, proposed / 2),
        (TipPolicy::Node { min: proposed + 5, max: u128::MAX }, proposed + 5),
    ] {
        bed.config.tip = tip;
        let journal = Journal::in_memory(bed.identity()).unwrap();
        let builder = Builder::new(bed.provider.clone(), bed.wallet(), journal).config(bed.config.clone());
        let (submitter, _) = builder.start(bed.head().await).await.unwrap();
        let sent = submitter.submit(count(1)).await.unwrap();
        assert!(
            matches!(sent.update, Update::Sent { fees, .. } if fees.max_priority_fee_per_gas == expected),
            "{tip:?}: {:?}",
            sent.update
        );
        let request = TxRequest { tip: Some(77), ..count(2) };
        let sent = submitter.submit(request).await.unwrap();
        assert!(matches!(sent.update, Update::Sent { fees, .. } if fees.max_priority_fee_per_gas == 77));
        bed.anvil.call::<_, ()>("anvil_dropAllTransactions", [(); 0]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transaction_can_be_sent_and_waited_for_with_a_journal_in_memory() {
    let bed = Bed::new().await;
    bed.anvil.set_automine(true).await.unwrap();
    let journal = Journal::in_memory(bed.identity()).unwrap();
    let config = SubmitConfig { confirmations: 1, ..bed.config.clone() };
    let builder = Builder::new(bed.provider.clone(), bed.wallet(), journal).config(config);
    let (submitter, _) = builder.start(bed.head().await).await.unwrap();
    let poll = Duration::from_millis(10);
    let request = TxRequest::call(COUNTER, Bytes::new(), 100_000);
    let receipt = send_and_wait(&submitter, &bed.provider, request.clone(), poll).await.unwrap();
    assert!(receipt.status());
    assert_eq!(bed.counted().await, 1);
    let error = send_and_wait(&submitter, &bed.provider, TxRequest { to: REVERTER, ..request }, poll)
        .await
        .unwrap_err();
    assert!(matches!(error, SubmitError::NotExecuted { outcome: Outcome::Reverted, .. }), "{error}");
}
