//! Processes that end at any instant, and what the next one makes of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::{
    primitives::{Address, B256},
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use common::{Bed, config, count, names, work};
use errand_journal::{Identity, IntentState, Journal};
use errand_submit::{Builder, CrashPoint, SubmitError, Update, latest_head};
use std::{process::Command, sync::Arc};

const CHILD: &str = "ERRAND_TEST_CRASH";

/// Sends one transaction, mines it, looks at it, and ends without a word at the given point.
async fn crash(arguments: &str) {
    let [point, url, journal, account, key] = arguments.split('|').collect::<Vec<_>>().try_into().unwrap();
    let point = CrashPoint::ALL[point.parse::<usize>().unwrap()];
    let provider = ProviderBuilder::default().connect_http(url.parse().unwrap()).erased();
    let identity = Identity {
        chain_id: 31337,
        genesis: B256::ZERO,
        registry: Address::ZERO,
        account: account.parse().unwrap(),
    };
    let journal = Journal::open(journal, identity).unwrap();
    let wallet = key.parse::<PrivateKeySigner>().unwrap().into();
    let hook = Arc::new(move |passed| {
        if passed == point {
            std::process::abort();
        }
    });
    let builder = Builder::new(provider.clone(), wallet, journal).config(config()).crash_hook(hook);
    let (submitter, _) = builder.start(latest_head(&provider).await.unwrap()).await.unwrap();
    submitter.submit(count(1)).await.unwrap();
    let _: () = provider.client().request("anvil_mine", ("0x1",)).await.unwrap();
    submitter.on_head(latest_head(&provider).await.unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_after_a_crash_at_any_point_neither_loses_nor_doubles() {
    if let Ok(arguments) = std::env::var(CHILD) {
        return crash(&arguments).await;
    }
    for (index, point) in CrashPoint::ALL.into_iter().enumerate() {
        let bed = Bed::new().await;
        let key = alloy::hex::encode(bed.anvil.signer(0).unwrap().to_bytes());
        let arguments =
            format!("{index}|{}|{}|{}|{key}", bed.anvil.http_url(), bed.path().display(), bed.account);
        let name = "a_restart_after_a_crash_at_any_point_neither_loses_nor_doubles";
        let status = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(CHILD, arguments)
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "{point:?} was not passed");

        let before = bed.journal().history(10).unwrap();
        let (submitter, mut events) = bed.builder().start(bed.head().await).await.unwrap();
        let held = match point {
            CrashPoint::BeforeIntent => {
                assert!(before.is_empty() && events.is_empty(), "{point:?}: {events:?}");
                false
            }
            CrashPoint::AfterIntent | CrashPoint::AfterSign => {
                assert!(before[0].attempts.is_empty(), "{point:?}");
                assert_eq!(names(&events), ["abandoned"], "{point:?}");
                false
            }
            CrashPoint::BeforeBroadcast | CrashPoint::AfterBroadcast => {
                assert_eq!(before[0].state, IntentState::Open, "{point:?}");
                assert_eq!(names(&events), ["sent"], "{point:?}");
                true
            }
            CrashPoint::BeforeReceipt | CrashPoint::AfterReceipt => {
                assert_eq!(names(&events), ["mined"], "{point:?}");
                true
            }
        };
        // The work is still there to be done, so somebody asks for it again.
        let again = submitter.submit(count(1)).await;
        match again {
            Ok(sent) => assert!(!held && sent.nonce == 0, "{point:?}: {sent:?}"),
            Err(SubmitError::Journal(_)) => assert!(held, "{point:?}"),
            Err(error) => panic!("{point:?}: {error}"),
        }
        for _ in 0..4 {
            events.extend(bed.mine(&submitter).await);
        }
        let mined = events.iter().filter(|event| matches!(event.update, Update::Mined { .. })).count();
        assert_eq!((mined, names(&events).pop()), (1, Some("confirmed")), "{point:?}: {events:?}");
        assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1), "{point:?}");
        if let Some(attempt) = before.first().and_then(|intent| intent.attempts.first()) {
            assert!(bed.receipt(attempt.tx_hash).await.is_some(), "{point:?}: other bytes were mined");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_intent_is_resumed_with_the_same_bytes_after_the_pool_forgot_it() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let first = submitter.submit(count(1)).await.unwrap();
    let second = submitter.submit(count(2)).await.unwrap();
    drop(submitter);
    for hash in [second.tx_hash, first.tx_hash] {
        bed.anvil.drop_transaction(hash).await.unwrap();
    }
    bed.anvil.mine(1).await.unwrap();
    let (submitter, events) = reopen(&bed).await;
    assert_eq!(names(&events), ["sent", "sent"]);
    assert_eq!(submitter.submit(count(3)).await.unwrap().nonce, 2);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"; 3]);
    assert!(bed.receipt(first.tx_hash).await.is_some() && bed.receipt(second.tx_hash).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_goes_on_after_a_restart() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    submitter.cancel(sent.intent).await.unwrap();
    drop(submitter);
    let (submitter, events) = reopen(&bed).await;
    assert_eq!(names(&events), ["sent"]);
    assert_eq!(names(&bed.mine(&submitter).await), ["cancelled"]);
    assert_eq!(bed.counted().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mined_is_told_again_and_a_reorg_during_the_pause_is_noticed() {
    let mut bed = Bed::new().await;
    bed.config.confirmations = 8;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    drop(submitter);
    let (submitter, events) = reopen(&bed).await;
    assert_eq!(names(&events), ["mined"]);
    assert_eq!(events[0].work, [work(1)]);
    drop(submitter);
    bed.anvil.reorg(1).await.unwrap();
    let (submitter, events) = reopen(&bed).await;
    assert_eq!(names(&events), ["reorged", "sent"]);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1));
}

/// Starts again as soon as the last handle of the submitter before has let go of the journal.
async fn reopen(bed: &Bed) -> (errand_submit::Submitter, Vec<errand_submit::Event>) {
    let journal = loop {
        match Journal::open(bed.path(), bed.identity()) {
            Ok(journal) => break journal,
            Err(errand_journal::JournalError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let builder = Builder::new(bed.provider.clone(), bed.wallet(), journal).config(bed.config.clone());
    builder.start(bed.head().await).await.unwrap()
}
