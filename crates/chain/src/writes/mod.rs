//! What a block changed in the state.

use crate::{EndpointError, LoadError, StateLoader};
use alloy::primitives::{Address, B256};
use errand_types::{BlockHead, Slot, StateKeys, WriteSet, WriteSource};

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
    /// The node's answer cannot be read.
    #[error("the answer of {from} cannot be read: {detail}")]
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
    /// Times a source failed and a lesser one was used.
    pub fallbacks: u64,
}

/// Reads what blocks wrote, from the best source that the node offers.
///
/// Sources that replay transactions miss what the protocol itself writes (EIP-4788, 2935, 7002, 7251,
/// withdrawals) and may miss the tips: what is tracked of those accounts is read again at the block.
#[derive(Debug)]
pub struct WriteSets {
    loader: StateLoader,
}

impl WriteSets {
    /// Finds the best source that works on this node, by asking for the node's head.
    pub async fn probe(loader: StateLoader) -> Result<Self, WriteError> {
        let _ = loader;
        todo!()
    }

    /// Uses this source and, should it fail, re-reads.
    pub fn with_source(loader: StateLoader, source: WriteSource) -> Self {
        let _ = source;
        Self { loader }
    }

    /// The source in use.
    pub fn source(&self) -> WriteSource {
        todo!()
    }

    /// What the sources did so far.
    pub fn stats(&self) -> WriteStats {
        todo!()
    }

    /// What the block changed. Values that did not change may be in it, too.
    pub async fn write_set(
        &mut self,
        head: &BlockHead,
        tracked: &(impl Tracked + ?Sized),
    ) -> Result<WriteSet, WriteError> {
        let _ = (head, tracked, &self.loader);
        todo!()
    }
}
