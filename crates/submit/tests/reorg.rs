//! Blocks that go away again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::providers::Provider;
use common::{Bed, count, names, work};
use errand_journal::JournalError;
use errand_submit::{SubmitError, Submitter, Update};
use errand_types::{BlockDelta, BlockHead, WriteSet};
use std::sync::Arc;

async fn add(submitter: &Submitter, head: BlockHead) -> Vec<errand_submit::Event> {
    let delta = BlockDelta::Added { head, logs: Arc::from([]), writes: Arc::new(WriteSet::default()) };
    submitter.on_block(&delta).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_that_removes_our_block_opens_the_intent_and_sends_the_same_bytes_again() {
    let mut bed = Bed::new().await;
    bed.config.confirmations = 8;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    bed.anvil.mine(1).await.unwrap();
    let first = bed.head().await;
    assert_eq!(names(&add(&submitter, first).await), ["mined"]);
    bed.anvil.mine(1).await.unwrap();
    let second = bed.head().await;
    assert!(add(&submitter, second).await.is_empty());

    bed.anvil.reorg(2).await.unwrap();
    assert_eq!(bed.counted().await, 0);
    assert!(submitter.on_block(&BlockDelta::Removed { head: second }).await.unwrap().is_empty());
    let events = submitter.on_block(&BlockDelta::Removed { head: first }).await.unwrap();
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Reorged { block } if block.hash == first.hash)),
        "{events:?}"
    );
    let taken = submitter.submit(count(1)).await.unwrap_err();
    assert!(matches!(taken, SubmitError::Journal(JournalError::WorkTaken { .. })), "{taken}");
    let other = bed.provider.get_block_by_number(first.number.into()).await.unwrap().unwrap();
    assert_ne!(other.header.hash, first.hash);
    let other = BlockHead { hash: other.header.hash, ..first };
    let events = add(&submitter, other).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(event.update, Update::Sent { tx_hash, .. } if tx_hash == sent.tx_hash)),
        "{events:?}"
    );
    add(&submitter, bed.head().await).await;
    let events = bed.mine(&submitter).await;
    assert!(
        matches!(events.as_slice(), [event] if matches!(&event.update, Update::Mined { receipt } if receipt.transaction_hash == sent.tx_hash)),
        "{events:?}"
    );
    assert_eq!((bed.counted().await, bed.used_nonces().await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_that_nobody_told_of_is_noticed_by_the_heads() {
    let mut bed = Bed::new().await;
    bed.config.confirmations = 8;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    submitter.submit(count(2)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined", "mined"]);
    bed.anvil.reorg(1).await.unwrap();
    let events = submitter.on_head(bed.head().await).await.unwrap();
    assert_eq!(names(&events), ["reorged", "sent", "reorged", "sent"]);
    assert_eq!(names(&bed.mine(&submitter).await), ["mined", "mined"]);
    assert_eq!((bed.counted().await, bed.used_nonces().await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_heads_changes_nothing_when_the_block_is_still_there() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    bed.anvil.mine(5).await.unwrap();
    let head = bed.head().await;
    assert_eq!(names(&submitter.on_head(head).await.unwrap()), ["confirmed"]);
    assert!(submitter.on_head(head).await.unwrap().is_empty(), "the same head again is nothing new");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mined_in_another_block_after_a_reorg_is_confirmed_from_there() {
    let bed = Bed::new().await;
    let submitter = bed.start().await;
    let sent = submitter.submit(count(1)).await.unwrap();
    assert_eq!(names(&bed.mine(&submitter).await), ["mined"]);
    let raw = submitter.in_flight().await.unwrap()[0].attempts[0].raw.clone();
    bed.anvil.reorg(1).await.unwrap();
    // The node puts it back by itself, as most do, and mines it before anybody looks.
    let _ = bed.provider.send_raw_transaction(&raw).await.unwrap();
    bed.anvil.mine(1).await.unwrap();
    let events = submitter.on_head(bed.head().await).await.unwrap();
    assert_eq!(names(&events), ["reorged", "mined"]);
    assert!(bed.mine(&submitter).await.is_empty());
    let events = bed.mine(&submitter).await;
    assert_eq!(names(&events), ["confirmed"]);
    assert_eq!(events[0].work, [work(1)]);
    assert_eq!((bed.counted().await, sent.nonce), (1, 0));
}
