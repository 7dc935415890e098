//! Another process with the same key.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{Bed, GWEI, count, names};
use errand_journal::JournalError;
use errand_submit::{CancelReason, Outcome, SubmitError, Update};

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_use_of_the_nonce_is_found_and_the_work_is_free_when_it_is_confirmed() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    let foreign = bed.send_elsewhere(0, 200 * GWEI).await;
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if event.intent == sent.intent
            && matches!(event.update, Update::NonceUsedByOther { tx_hash: Some(hash) } if hash == foreign)),
        "{events:?}"
    );
    let taken = submitter.submit(count(1)).await.unwrap_err();
    assert!(matches!(taken, SubmitError::Journal(JournalError::WorkTaken { .. })), "{taken}");
    assert!(bed.mine(&submitter).await.is_empty());
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Confirmed { outcome: Outcome::UsedByOther })),
        "{events:?}"
    );
    assert_eq!(submitter.submit(count(1)).await.unwrap().nonce, 1);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!(bed.counted().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_use_that_a_reorg_undoes_gives_the_nonce_back() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    bed.send_elsewhere(0, 200 * GWEI).await;
    assert_eq!(names(&bed.mine(&submitter).await), ["used by other"]);
    bed.anvil.reorg(1).await.unwrap();
    let events = submitter.on_head(bed.head().await).await.unwrap();
    assert_eq!(names(&events), ["reorged"]);
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.extend(bed.mine(&submitter).await);
    }
    assert!(names(&seen).contains(&"mined"), "{seen:?}");
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_use_that_took_the_place_of_ours_in_a_reorg_is_found() {
    let mut bed = Bed::new().await;
    bed.config.confirmations = 8;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    bed.anvil.reorg(1).await.unwrap();
    let foreign = bed.send_elsewhere(0, 200 * GWEI).await;
    assert!(bed.mine(&submitter).await.is_empty(), "our receipt may only be late");
    assert!(bed.mine(&submitter).await.is_empty());
    let events = bed.mine(&submitter).await;
    assert_eq!(names(&events), ["reorged", "used by other"]);
    assert!(
        matches!(events[1].update, Update::NonceUsedByOther { tx_hash: Some(hash) } if hash == foreign),
        "{events:?}"
    );
    assert!(bed.receipt(sent.tx_hash).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_transaction_in_the_pool_is_given_way() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    bed.send_elsewhere(0, 200 * GWEI).await;
    assert_eq!(submitter.submit(count(1)).await.unwrap().nonce, 1);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_that_a_foreign_transaction_leaves_is_filled() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let foreign = bed.send_elsewhere(0, 200 * GWEI).await;
    assert_eq!(submitter.submit(count(1)).await.unwrap().nonce, 1);
    bed.anvil.drop_transaction(foreign).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.extend(bed.mine(&submitter).await);
    }
    let filler = seen.iter().find(|event| event.nonce == 0).unwrap();
    assert!(matches!(filler.update, Update::Cancelling { reason: CancelReason::Gap, .. }), "{filler:?}");
    assert!(filler.work.is_empty());
    let mined = seen.iter().find(|event| event.nonce == 1 && matches!(event.update, Update::Mined { .. }));
    assert!(mined.is_some(), "{seen:?}");
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 2));
}
