//! What a block changed in the state.

mod diff;
mod prestate;
mod protocol;
mod trace_replay;

use self::diff::Diff;
use crate::{Endpoint, EndpointError, LoadError, StateLoader};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256},
    rpc::types::{Block, BlockTransactions},
};
use errand_types::{AccountWrite, BlockHead, Slot, StateKeys, WriteSet, WriteSource};

/// How often in a row a source may fail before it is set aside.
const FAILURES: u32 = 3;
/// For how many blocks a source is set aside before it is tried again.
const SET_ASIDE: u32 = 64;

/// What a mirror of the state holds and must be told of.
pub trait Tracked: Sync {
    /// Everything.
    fn all(&self) -> StateKeys;
    /// Whether the account itself is held: its balance, nonce or code.
    fn has_account(&self, address: Address) -> bool;
    /// The slots of the account that are held.
    fn slots_of(&self, address: Address) -> Vec<Slot>;
}

impl Tracked for StateKeys {
    fn all(&self) -> StateKeys {
        self.clone()
    }

    fn has_account(&self, address: Address) -> bool {
        self.accounts.contains(&address)
    }

    fn slots_of(&self, address: Address) -> Vec<Slot> {
        self.slots.iter().filter(|slot| slot.address == address).copied().collect()
    }
}

/// Why there is no write set.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The block is not canonical any more.
    #[error("block {number} {hash} is not canonical any more")]
    NotCanonical {
        /// Its height.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The node's answer cannot be used.
    #[error("the answer of {from} cannot be used: {detail}")]
    Malformed {
        /// The source.
        from: WriteSource,
        /// What is wrong.
        detail: String,
    },
    /// State could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// What the sources did, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Write sets from `trace_replayBlockTransactions`.
    pub trace_replay: u64,
    /// Write sets from `debug_traceBlockByHash`.
    pub prestate_diff: u64,
    /// Write sets from reading everything tracked again.
    pub reread: u64,
    /// Write sets that came from a lesser source because a better one failed.
    pub fallbacks: u64,
}

/// Reads what blocks wrote, from the best source that the node offers: `trace_replayBlockTransactions`, then
/// `debug_traceBlockByHash`, then reading everything tracked again. A source that fails is replaced by the next
/// one at once, and set aside for a while when it keeps failing.
///
/// Sources that replay transactions miss what the protocol itself writes (EIP-4788, 2935, 7002, 7251,
/// withdrawals) and may miss the tips; nodes leave some changes of code and some destroyed accounts out of their
/// answers. What is tracked of accounts of which that may be true is read again at the block.
#[derive(Debug)]
pub struct WriteSets {
    loader: StateLoader,
    /// Best first; the last one is always there.
    sources: Vec<WriteSource>,
    active: usize,
    /// Failures of the active source in a row.
    failures: u32,
    /// Blocks since a source was set aside.
    set_aside: u32,
    stats: WriteStats,
}

impl WriteSets {
    /// Finds the sources that work on this node, by asking for the node's head.
    pub async fn probe(loader: StateLoader) -> Result<Self, WriteError> {
        let latest = loader.endpoint().block(BlockNumberOrTag::Latest).await?;
        let block = latest.ok_or(WriteError::Malformed {
            from: WriteSource::Reread,
            detail: "the node has no head".to_owned(),
        })?;
        let mut sources = Vec::new();
        for source in [WriteSource::TraceReplay, WriteSource::PrestateDiff] {
            match read_diff(loader.endpoint(), source, &block).await {
                Ok(_) => sources.push(source),
                // Nothing was executed in the first block, and some nodes say so with an error.
                Err(WriteError::Endpoint(error)) if block.header.number == 0 && !is_unknown(&error) => {
                    sources.push(source);
                }
                Err(error) => tracing::debug!(%source, %error, "not offered"),
            }
        }
        sources.push(WriteSource::Reread);
        let this = Self { sources, ..Self::with_source(loader, WriteSource::Reread) };
        tracing::info!(url = this.loader.endpoint().url(), source = %this.source(), "how writes are learnt");
        Ok(this)
    }

    /// Uses this source and, should it fail, re-reads.
    pub fn with_source(loader: StateLoader, source: WriteSource) -> Self {
        let mut sources = vec![source, WriteSource::Reread];
        sources.dedup();
        Self { loader, sources, active: 0, failures: 0, set_aside: 0, stats: WriteStats::default() }
    }

    /// The source in use.
    pub fn source(&self) -> WriteSource {
        self.sources.get(self.active).copied().unwrap_or(WriteSource::Reread)
    }

    /// The sources that the node offers, best first.
    pub fn sources(&self) -> &[WriteSource] {
        &self.sources
    }

    /// What the sources did so far.
    pub const fn stats(&self) -> WriteStats {
        self.stats
    }

    /// What the block changed. Values that did not change may be in it, too.
    pub async fn write_set(
        &mut self,
        head: &BlockHead,
        tracked: &(impl Tracked + ?Sized),
    ) -> Result<WriteSet, WriteError> {
        if self.active > 0 {
            self.set_aside += 1;
            if self.set_aside > SET_ASIDE {
                (self.active, self.failures, self.set_aside) = (0, 0, 0);
            }
        }
        let mut last = None;
        for (index, source) in self.sources.clone().into_iter().enumerate().skip(self.active) {
            match self.read(source, head, tracked).await {
                Ok(writes) => {
                    self.worked(index, source);
                    return Ok(writes);
                }
                // No source can help that.
                Err(error @ WriteError::NotCanonical { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(%source, block = head.number, hash = %head.hash, %error, "no writes from here");
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or(WriteError::NotCanonical { number: head.number, hash: head.hash }))
    }

    /// Takes note of which source worked. That a better one failed counts only now: when none works, the node
    /// is at fault.
    fn worked(&mut self, index: usize, source: WriteSource) {
        match source {
            WriteSource::TraceReplay => self.stats.trace_replay += 1,
            WriteSource::PrestateDiff => self.stats.prestate_diff += 1,
            WriteSource::Reread => self.stats.reread += 1,
        }
        if index == self.active {
            self.failures = 0;
            return;
        }
        self.stats.fallbacks += 1;
        self.failures += 1;
        if self.failures >= FAILURES {
            tracing::warn!(from = %self.source(), to = %source, blocks = SET_ASIDE, "source set aside");
            (self.active, self.failures, self.set_aside) = (index, 0, 0);
        }
    }

    async fn read(
        &self,
        source: WriteSource,
        head: &BlockHead,
        tracked: &(impl Tracked + ?Sized),
    ) -> Result<WriteSet, WriteError> {
        let gone = || WriteError::NotCanonical { number: head.number, hash: head.hash };
        let endpoint = self.loader.endpoint();
        let block = match source {
            WriteSource::Reread => {
                let mut writes = WriteSet::default();
                self.overlay(&mut writes, head.hash, &tracked.all()).await?;
                return Ok(writes);
            }
            // It is asked by number, so the block has to be canonical before and after.
            WriteSource::TraceReplay => endpoint.block(head.number.into()).await?,
            WriteSource::PrestateDiff => endpoint.block_by_hash(head.hash).await?,
        };
        let block = block.filter(|block| block.header.hash == head.hash).ok_or_else(gone)?;
        let diff = read_diff(endpoint, source, &block).await?;
        if source == WriteSource::TraceReplay {
            let after = endpoint.block(head.number.into()).await?;
            after.filter(|block| block.header.hash == head.hash).ok_or_else(gone)?;
        }
        let mut writes = diff.writes;
        let mut again = protocol::written(&block, tracked);
        let maybe = diff.maybe_recoded.union(&diff.maybe_destroyed).copied();
        again.accounts.extend(maybe.filter(|address| tracked.has_account(*address)));
        again.slots.extend(diff.maybe_destroyed.iter().flat_map(|address| tracked.slots_of(*address)));
        self.overlay(&mut writes, head.hash, &again).await?;
        for address in &diff.maybe_destroyed {
            if let Some(write) = writes.accounts.get_mut(address) {
                let no_code = write.code.as_ref().is_some_and(|code| code.is_empty());
                write.storage_cleared |= no_code && write.nonce == Some(0);
            }
        }
        Ok(writes)
    }

    /// Reads `keys` at the block and puts them over what `writes` says.
    async fn overlay(&self, writes: &mut WriteSet, block: B256, keys: &StateKeys) -> Result<(), LoadError> {
        if keys.is_empty() {
            return Ok(());
        }
        let state = self.loader.load(block, keys).await?;
        for (address, state) in state.accounts {
            let storage_cleared = writes.accounts.get(&address).is_some_and(|write| write.storage_cleared);
            let (balance, nonce, code) = (Some(state.balance), Some(state.nonce), Some(state.code));
            writes.accounts.insert(address, AccountWrite { balance, nonce, code, storage_cleared });
        }
        writes.slots.extend(state.slots);
        Ok(())
    }
}

/// What the block's transactions changed, checked to be about all of them.
async fn read_diff(
    endpoint: &Endpoint,
    source: WriteSource,
    block: &Block<B256>,
) -> Result<Diff, WriteError> {
    let transactions = match &block.transactions {
        BlockTransactions::Hashes(hashes) | BlockTransactions::Full(hashes) => hashes.as_slice(),
        BlockTransactions::Uncle => &[],
    };
    let malformed = |detail| WriteError::Malformed { from: source, detail };
    match source {
        WriteSource::TraceReplay => {
            let replays = trace_replay::ask(endpoint, block.header.number).await?;
            let destroyable = block.header.blob_gas_used.is_none();
            trace_replay::diff(replays, transactions, destroyable).map_err(malformed)
        }
        WriteSource::PrestateDiff => {
            let traces = prestate::ask(endpoint, block.header.hash).await?;
            prestate::diff(traces, transactions).map_err(malformed)
        }
        WriteSource::Reread => Ok(Diff::default()),
    }
}

/// Whether the node said that it does not know the method. Codes differ: some nodes answer with their own.
fn is_unknown(error: &EndpointError) -> bool {
    let EndpointError::Rpc { error, .. } = error else { return false };
    error.error_code() == Some(-32601)
        || error.as_error_resp().is_some_and(|refusal| {
            let message = refusal.message.to_lowercase();
            ["not found", "not supported", "not available", "unsupported", "does not exist"]
                .iter()
                .any(|sign| message.contains(sign))
        })
}
