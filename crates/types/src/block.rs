//! A block as the keeper sees it.

use crate::state::WriteSet;
use alloy::{
    eips::eip1559::{BaseFeeParams, calc_next_block_base_fee},
    primitives::{Address, B256},
    rpc::types::{Header, Log},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most gas of a transaction (EIP-7825).
pub const TX_GAS_CAP: u64 = 1 << 24;

/// The fields of a block header that matter to a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHead {
    /// Height.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
    /// Unix time in seconds.
    pub timestamp: u64,
    /// Base fee in wei per gas.
    pub base_fee: u64,
    /// Gas that all transactions of the block may use.
    pub gas_limit: u64,
    /// Gas that they used.
    pub gas_used: u64,
    /// The randomness that PREVRANDAO returns in this block.
    pub prev_randao: B256,
    /// The account that is paid the tips.
    pub beneficiary: Address,
}

impl BlockHead {
    /// The base fee of the block after this one, in wei per gas (EIP-1559).
    pub fn next_base_fee(&self, params: BaseFeeParams) -> u64 {
        calc_next_block_base_fee(self.gas_used, self.gas_limit, self.base_fee, params)
    }
}

impl From<&Header> for BlockHead {
    fn from(header: &Header) -> Self {
        Self {
            number: header.number,
            hash: header.hash,
            parent_hash: header.parent_hash,
            timestamp: header.timestamp,
            base_fee: header.base_fee_per_gas.unwrap_or_default(),
            gas_limit: header.gas_limit,
            gas_used: header.gas_used,
            prev_randao: header.mix_hash,
            beneficiary: header.beneficiary,
        }
    }
}

/// A step of the canonical chain. Deltas come in order: what is added builds on the last one, what is
/// removed is the last one.
#[derive(Clone, Debug)]
pub enum BlockDelta {
    /// A block became the head.
    Added {
        /// Its header.
        head: BlockHead,
        /// The logs of the addresses that are followed, in order.
        logs: Arc<[Log]>,
        /// What it changed in the state.
        writes: Arc<WriteSet>,
    },
    /// The head is not canonical any more; its parent is the head.
    Removed {
        /// The header of the block that went.
        head: BlockHead,
    },
}

impl BlockDelta {
    /// The block that came or went.
    pub const fn head(&self) -> &BlockHead {
        match self {
            Self::Added { head, .. } | Self::Removed { head } => head,
        }
    }
}

/// The environment in which the next block's transactions will run, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextBlock {
    /// Height.
    pub number: u64,
    /// Predicted Unix time in seconds: max(parent + 1, what the clock says the next one is).
    pub timestamp: u64,
    /// Base fee in wei per gas: exact, by EIP-1559's rule from the parent.
    pub base_fee: u64,
    /// Gas limit of the parent.
    pub gas_limit: u64,
}
