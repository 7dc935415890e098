//! The bundles at start: from the journal where it is still true, and from logs.

use super::{
    book::{BundleBook, Entry},
    contracts::BundleContracts,
};
use crate::sync::{BookSyncError, canonical_hash, off_thread};
use alloy::{
    eips::{BlockId, BlockNumHash},
    primitives::B256,
    rpc::types::Block,
    sol_types::SolEvent,
};
use errand_bindings::IChugSplashRegistry::{BundleAnnounced, StatusAnnounced};
use errand_chain::{Endpoint, LogQuery, SyncProgress, sync_logs};
use errand_journal::{Batch, Journal, JournalError, Snapshot};
use errand_types::BlockHead;
use std::collections::BTreeSet;

/// Kinds of the journal's records and name of its snapshot.
const BUNDLE: &str = "bundle";
const LEAVES: &str = "leaves";
const BUNDLES: &str = "bundles";

/// Brings the bundles to `head`: what the journal kept, and the logs since.
pub async fn sync_bundles(
    endpoint: &Endpoint,
    contracts: &BundleContracts,
    journal: Option<&Journal>,
    head: &BlockHead,
    progress: &mut (impl SyncProgress + ?Sized),
) -> Result<BundleBook, BookSyncError> {
    let kept = restore(endpoint, journal, head).await?;
    let (from, entries) = kept.unwrap_or((contracts.registry_block, Vec::new()));
    let mut book = BundleBook::new(contracts.registry, entries);
    if from <= head.number {
        let query = LogQuery {
            addresses: vec![contracts.registry],
            events: vec![BundleAnnounced::SIGNATURE_HASH, StatusAnnounced::SIGNATURE_HASH],
        };
        book.apply_history(&sync_logs(endpoint, &query, from, head, progress).await?)?;
    }
    // What no log tells.
    if let Some(journal) = journal {
        let records = off_thread(journal, |journal| journal.records(BUNDLE)).await?;
        let entries = records.iter().filter_map(|record| serde_json::from_slice::<Entry>(&record.bytes).ok());
        entries.filter(|entry| entry.is_claimed).for_each(|entry| book.claimed(&entry.id));
    }
    Ok(book)
}

/// Blocks by whose times it is known at start how far apart blocks are.
const PAST_BLOCKS: u64 = 8;

/// The Unix times of the blocks before `head`, in order.
pub async fn past_times(endpoint: &Endpoint, head: &BlockHead) -> Result<Vec<u64>, BookSyncError> {
    let mut times = Vec::new();
    for number in head.number.saturating_sub(PAST_BLOCKS)..head.number {
        let block: Option<Block> =
            endpoint.request("eth_getBlockByNumber", (BlockId::number(number), false)).await?;
        times.extend(block.map(|block| block.header.timestamp));
    }
    Ok(times)
}

/// The block after the one that the journal's bundles are of, if that is canonical, and they.
async fn restore(
    endpoint: &Endpoint,
    journal: Option<&Journal>,
    head: &BlockHead,
) -> Result<Option<(u64, Vec<Entry>)>, BookSyncError> {
    let Some(journal) = journal else { return Ok(None) };
    let Some(Snapshot { block, .. }) = off_thread(journal, |journal| journal.snapshot(BUNDLES)).await? else {
        return Ok(None);
    };
    if block.number > head.number || canonical_hash(endpoint, block.number).await? != Some(block.hash) {
        return Ok(None);
    }
    let records = off_thread(journal, |journal| journal.records(BUNDLE)).await?;
    // Written by another version: the logs have it all.
    let entries: Result<Vec<_>, _> =
        records.iter().map(|record| serde_json::from_slice(&record.bytes)).collect();
    Ok(entries.ok().map(|entries| (block.number + 1, entries)))
}

/// The file of actions that the journal kept for a bundle.
pub fn kept_leaves(journal: &Journal, entry: &Entry) -> Result<Option<Vec<u8>>, JournalError> {
    journal.record(LEAVES, entry.id.as_slice())
}

/// Adds files of actions to a batch.
pub fn record_leaves(batch: &mut Batch, entry: &Entry, bytes: &[u8]) {
    batch.put(LEAVES, entry.id.as_slice(), bytes);
}

/// Records bundles as of `head`: all, in place of what was recorded, or those that changed.
pub fn record(batch: &mut Batch, head: &BlockHead, book: &BundleBook, changed: Option<&BTreeSet<B256>>) {
    let bytes = |entry: &Entry| serde_json::to_vec(entry).ok();
    if changed.is_none() {
        batch.clear(BUNDLE);
    }
    let is_meant = |entry: &&Entry| changed.is_none_or(|changed| changed.contains(&entry.id));
    for entry in book.iter().filter(is_meant) {
        if let Some(bytes) = bytes(entry) {
            batch.put(BUNDLE, entry.id.as_slice(), bytes);
        }
    }
    for id in changed.into_iter().flatten().filter(|id| book.get(id).is_none()) {
        batch.delete(BUNDLE, id.as_slice()).delete(LEAVES, id.as_slice());
    }
    batch.snapshot(BUNDLES, Snapshot { block: BlockNumHash::new(head.number, head.hash), bytes: Vec::new() });
}
