//! State at one block.

use crate::{Endpoint, EndpointError};
use alloy::primitives::B256;
use errand_types::{LoadedState, StateKeys};

/// Why state could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The node does not know the block, or has no state for it any more.
    #[error("the node has no state of block {block}: {reason}")]
    NoState {
        /// Hash of the block.
        block: B256,
        /// What the node said.
        reason: String,
    },
    /// The node answers for a block that does not exist: it ignores the hash that it is asked for.
    #[error("the node ignores the block hash of a state query (EIP-1898), so its answers cannot be placed")]
    HashIgnored,
    /// The node left out or added something.
    #[error("the node answered `{method}` with something else than was asked for: {detail}")]
    Malformed {
        /// The method.
        method: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Reads accounts and slots at exactly one block, named by its hash, in as few calls as the node allows.
#[derive(Clone, Debug)]
pub struct StateLoader {
    endpoint: Endpoint,
}

impl StateLoader {
    /// Finds out what the node offers, and that it honours block hashes.
    pub async fn probe(endpoint: &Endpoint) -> Result<Self, LoadError> {
        let _ = endpoint;
        todo!()
    }

    /// The node that is asked.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Loads everything in `keys` at the block, in the order of `keys`.
    pub async fn load(&self, block: B256, keys: &StateKeys) -> Result<LoadedState, LoadError> {
        let _ = (block, keys);
        todo!()
    }
}
