//! The book at start: from the journal where it is still true, and from logs.

use crate::{
    book::{Book, BookError, Completeness, Outstanding},
    contracts::Contracts,
};
use alloy::{
    eips::{BlockId, BlockNumHash},
    primitives::{B256, Bytes, U256},
    rpc::types::{Block, TransactionRequest},
    sol_types::{SolCall, SolEvent},
};
use errand_bindings::IRegistry;
use errand_chain::{Endpoint, EndpointError, LogQuery, SyncError, SyncProgress, sync_logs};
use errand_journal::{Batch, Journal, JournalError, Snapshot};
use errand_types::{BlockHead, RequestId};

/// Kind of the journal's records and name of its snapshot.
const REQUEST: &str = "request";
const BOOK: &str = "book";
/// Hashes that are asked for with one call.
const SLICE: u64 = 2_000;

/// Why there is no book.
#[derive(Debug, thiserror::Error)]
pub enum BookSyncError {
    /// The logs are not complete.
    #[error(transparent)]
    Logs(#[from] SyncError),
    /// A log does not decode.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The Registry's hashes say otherwise than the node's logs.
    #[error(
        "the node's logs and the Registry's hashes contradict each other for {} Requests, the first is {first}: \
         the node withholds or invents logs, use another one",
        count
    )]
    Contradicted {
        /// How many Requests.
        count: usize,
        /// The first of them.
        first: RequestId,
    },
    /// The node has not all logs of registrations.
    #[error(
        "{count} Requests are outstanding on chain without a log of their registration, the first is {first}: the \
         node withholds logs or has dropped old ones, use another one"
    )]
    MissingLogs {
        /// How many Requests.
        count: usize,
        /// The first of them.
        first: RequestId,
    },
    /// The Registry's answer does not decode.
    #[error("the Registry's answer to `{0}` does not decode")]
    BadAnswer(&'static str),
}

/// A book at a block.
#[derive(Debug)]
pub struct Synced {
    /// The book.
    pub book: Book,
    /// How it compares with the Registry's hashes.
    pub completeness: Completeness,
    /// The block from which logs were read.
    pub from_block: u64,
}

/// Runs a journal call where it may block.
pub(crate) async fn off_thread<T: Send + 'static>(
    journal: &Journal,
    call: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    let journal = journal.clone();
    tokio::task::spawn_blocking(move || call(&journal)).await.map_err(|_| JournalError::Closed)?
}

/// Brings the book to `head`: what the journal kept, and the logs since.
///
/// `first_block` is where to begin where the journal has nothing. Not later than the Registry's deployment it is a
/// claim to completeness: then every outstanding Request must have a log. `doubted_from`: a block from which on logs
/// are read again although the journal's book is newer, because some did not come in time.
pub async fn sync_book(
    endpoint: &Endpoint,
    contracts: &Contracts,
    journal: Option<&Journal>,
    first_block: u64,
    doubted_from: Option<u64>,
    head: &BlockHead,
    progress: &mut (impl SyncProgress + ?Sized),
) -> Result<Synced, BookSyncError> {
    if let Some((block, book)) = restore(endpoint, contracts, journal, head).await? {
        // Told again, logs change nothing: for each Request the last one counts.
        let from_block = doubted_from.unwrap_or(u64::MAX).min(block.number + 1);
        let synced = sync_from(endpoint, contracts, book, from_block, head, progress).await?;
        match believe(&synced, contracts, first_block) {
            Ok(()) => return Ok(synced),
            // It may have been made with a shorter look-back.
            Err(error) => tracing::warn!(%error, "the journal's book is not used; reading all logs again"),
        }
    }
    let book = Book::new(contracts.registry);
    let synced = sync_from(endpoint, contracts, book, first_block, head, progress).await?;
    believe(&synced, contracts, first_block)?;
    Ok(synced)
}

/// Refuses a book that the Registry's hashes contradict, or that lacks what logs since the Registry's deployment
/// would have shown.
fn believe(synced: &Synced, contracts: &Contracts, first_block: u64) -> Result<(), BookSyncError> {
    let Completeness { contradicted, outside_look_back, .. } = &synced.completeness;
    if let Some(first) = contradicted.first() {
        return Err(BookSyncError::Contradicted { count: contradicted.len(), first: *first });
    }
    match outside_look_back.first() {
        Some(first) if first_block <= contracts.registry_block => {
            Err(BookSyncError::MissingLogs { count: outside_look_back.len(), first: *first })
        }
        _ => Ok(()),
    }
}

/// Records the book as of `head`: what changed in it since it was recorded last.
pub fn record_changes<'a>(
    batch: &mut Batch,
    head: &BlockHead,
    changed: impl IntoIterator<Item = (RequestId, Option<&'a Outstanding>)>,
) {
    for (id, entry) in changed {
        match entry.and_then(|entry| serde_json::to_vec(entry).ok()) {
            Some(bytes) => batch.put(REQUEST, id.0.to_be_bytes(), bytes),
            None => batch.delete(REQUEST, id.0.to_be_bytes()),
        };
    }
    let block = BlockNumHash::new(head.number, head.hash);
    batch.snapshot(BOOK, Snapshot { block, bytes: Vec::new() });
}

/// Records the whole book as of `head`, in place of what was recorded.
pub fn record_whole(batch: &mut Batch, head: &BlockHead, book: &Book) {
    batch.clear(REQUEST);
    record_changes(batch, head, book.iter().map(|entry| (entry.id, Some(entry))));
}

/// The book that the journal kept, if its block is canonical and not above the head.
async fn restore(
    endpoint: &Endpoint,
    contracts: &Contracts,
    journal: Option<&Journal>,
    head: &BlockHead,
) -> Result<Option<(BlockNumHash, Book)>, BookSyncError> {
    let Some(journal) = journal else { return Ok(None) };
    let Some(Snapshot { block, .. }) = off_thread(journal, |journal| journal.snapshot(BOOK)).await? else {
        return Ok(None);
    };
    if block.number > head.number || canonical_hash(endpoint, block.number).await? != Some(block.hash) {
        return Ok(None);
    }
    let entries = off_thread(journal, |journal| {
        let records = journal.records(REQUEST)?;
        Ok(records.iter().map(|record| serde_json::from_slice::<Outstanding>(&record.bytes)).collect())
    });
    let entries: Result<Vec<_>, serde_json::Error> = entries.await?;
    // Written by another version: the logs have it all.
    let Ok(entries) = entries else { return Ok(None) };
    Ok(Some((block, Book::from_outstanding(contracts.registry, entries))))
}

async fn sync_from(
    endpoint: &Endpoint,
    contracts: &Contracts,
    mut book: Book,
    from_block: u64,
    head: &BlockHead,
    progress: &mut (impl SyncProgress + ?Sized),
) -> Result<Synced, BookSyncError> {
    if from_block <= head.number {
        let query = LogQuery {
            addresses: vec![contracts.registry],
            events: vec![
                IRegistry::HashedReqAdded::SIGNATURE_HASH,
                IRegistry::HashedReqExecuted::SIGNATURE_HASH,
                IRegistry::HashedReqCancelled::SIGNATURE_HASH,
            ],
        };
        book.apply_history(&sync_logs(endpoint, &query, from_block, head, progress).await?)?;
    }
    let completeness = book.compare(&hashes(endpoint, contracts, head).await?);
    Ok(Synced { book, completeness, from_block })
}

/// The hashes of all Requests, at the head.
async fn hashes(
    endpoint: &Endpoint,
    contracts: &Contracts,
    head: &BlockHead,
) -> Result<Vec<B256>, BookSyncError> {
    let length =
        call(endpoint, contracts, head, IRegistry::getHashedReqsLenCall {}, "getHashedReqsLen").await?;
    let length = length.saturating_to::<u64>();
    let mut all = Vec::new();
    let mut from = 0;
    while from < length {
        let to = length.min(from + SLICE);
        let slice = IRegistry::getHashedReqsSliceCall { from: U256::from(from), to: U256::from(to) };
        all.extend(call(endpoint, contracts, head, slice, "getHashedReqsSlice").await?);
        from = to;
    }
    Ok(all)
}

async fn call<C: SolCall>(
    endpoint: &Endpoint,
    contracts: &Contracts,
    head: &BlockHead,
    call: C,
    name: &'static str,
) -> Result<C::Return, BookSyncError> {
    let request =
        TransactionRequest::default().to(contracts.registry).input(Bytes::from(call.abi_encode()).into());
    let answer: Bytes = endpoint.request("eth_call", (request, BlockId::hash(head.hash))).await?;
    C::abi_decode_returns(&answer).map_err(|_| BookSyncError::BadAnswer(name))
}

pub(crate) async fn canonical_hash(endpoint: &Endpoint, number: u64) -> Result<Option<B256>, BookSyncError> {
    let block: Option<Block> =
        endpoint.request("eth_getBlockByNumber", (BlockId::number(number), false)).await?;
    Ok(block.map(|block| block.header.hash))
}
