//! Logs of many blocks.

use crate::{Endpoint, EndpointError, endpoint::TimedOut};
use alloy::{
    primitives::{Address, B256},
    rpc::types::Log,
    transports::{TransportError, TransportErrorKind},
};
use errand_types::BlockHead;

/// Blocks asked for at first.
const FIRST_SPAN: u64 = 10_000;
/// Blocks asked for at most.
const LONGEST_SPAN: u64 = 1 << 20;

/// Which logs are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The contracts that emitted them.
    pub addresses: Vec<Address>,
    /// The kinds of events: first topics. Empty: all.
    pub events: Vec<B256>,
}

/// Hears how far a sync has come.
pub trait SyncProgress {
    /// All blocks up to and including `block` are there, with `logs` logs in all so far.
    fn reached(&mut self, block: u64, logs: usize);
}

impl SyncProgress for () {
    fn reached(&mut self, _: u64, _: usize) {}
}

impl<F: FnMut(u64, usize)> SyncProgress for F {
    fn reached(&mut self, block: u64, logs: usize) {
        self(block, logs);
    }
}

/// Why the logs are not complete.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The node gives no logs for these blocks.
    #[error("the node gives no logs for blocks {from} to {to}: {reason}")]
    RangeRefused {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// What the node said.
        reason: String,
    },
    /// The last block is not canonical (any more).
    #[error("block {number} {hash} was replaced while logs were read")]
    Reorged {
        /// Its height.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The node answered with a log that was not asked for, or twice with the same one.
    #[error("the node answered for blocks {from} to {to} with a stray log of block {block:?}")]
    StrayLog {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// The block that the log names.
        block: Option<u64>,
    },
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Reads all logs from block `from` to the canonical block `to`, both included, in order. Ranges that the node
/// refuses are halved, and grow again afterwards.
///
/// What a node leaves out of an answer without saying so cannot be seen here: who must know that nothing is
/// missing compares with the chain's state.
pub async fn sync_logs(
    endpoint: &Endpoint,
    query: &LogQuery,
    from: u64,
    to: &BlockHead,
    progress: &mut (impl SyncProgress + ?Sized),
) -> Result<Vec<Log>, SyncError> {
    check_canonical(endpoint, to).await?;
    let mut logs = Vec::new();
    let mut span = FIRST_SPAN;
    let mut first = from;
    while first <= to.number {
        let last = to.number.min(first.saturating_add(span - 1));
        match ask(endpoint, query, first, last).await {
            Ok(more) => {
                logs.extend(in_order(more, query, first, last)?);
                progress.reached(last, logs.len());
                first = last + 1;
                span = LONGEST_SPAN.min(span + span / 4 + 1);
            }
            Err(error) if may_be_too_long(&error) => {
                if first == last {
                    return Err(SyncError::RangeRefused { from: first, to: last, reason: error.to_string() });
                }
                span = (last - first).div_ceil(2);
                tracing::debug!(first, last, span, %error, "range halved");
            }
            Err(error) => return Err(error.into()),
        }
    }
    check_canonical(endpoint, to).await?;
    Ok(logs)
}

async fn check_canonical(endpoint: &Endpoint, head: &BlockHead) -> Result<(), SyncError> {
    match endpoint.block(head.number.into()).await? {
        Some(block) if block.header.hash == head.hash => Ok(()),
        _ => Err(SyncError::Reorged { number: head.number, hash: head.hash }),
    }
}

async fn ask(endpoint: &Endpoint, query: &LogQuery, from: u64, to: u64) -> Result<Vec<Log>, EndpointError> {
    let mut filter = serde_json::json!({
        "fromBlock": format!("{from:#x}"),
        "toBlock": format!("{to:#x}"),
        "address": query.addresses,
    });
    if !query.events.is_empty()
        && let Some(fields) = filter.as_object_mut()
    {
        fields.insert("topics".to_owned(), serde_json::json!([query.events]));
    }
    endpoint.request("eth_getLogs", (filter,)).await
}

/// Sorts logs, after a check that they belong here.
fn in_order(mut logs: Vec<Log>, query: &LogQuery, from: u64, to: u64) -> Result<Vec<Log>, SyncError> {
    logs.sort_by_key(|log| (log.block_number, log.log_index));
    let place = |log: &Log| (log.block_number, log.log_index);
    let belongs = |log: &Log| {
        log.block_number.is_some_and(|number| (from..=to).contains(&number))
            && log.log_index.is_some()
            && !log.removed
            && query.addresses.contains(&log.address())
    };
    let repeated = logs.windows(2).find_map(|pair| match pair {
        [one, other] if place(one) == place(other) => Some(one),
        _ => None,
    });
    match logs.iter().find(|log| !belongs(log)).or(repeated) {
        Some(stray) => Err(SyncError::StrayLog { from, to, block: stray.block_number }),
        None => Ok(logs),
    }
}

/// Whether a shorter range may succeed. Nodes word and number their limits differently, so every refusal counts;
/// so does an answer that is cut off or comes too late.
fn may_be_too_long(error: &EndpointError) -> bool {
    let EndpointError::Rpc { error, .. } = error else { return false };
    match error {
        TransportError::ErrorResp(_) | TransportError::DeserError { .. } => true,
        TransportError::Transport(TransportErrorKind::Custom(error)) => error.is::<TimedOut>(),
        TransportError::Transport(kind) => {
            kind.as_http_error().is_some_and(|http| matches!(http.status, 400 | 413 | 500 | 502 | 504))
        }
        _ => false,
    }
}
