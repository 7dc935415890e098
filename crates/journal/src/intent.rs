//! One nonce and what it is used for.

use alloy::{
    eips::BlockNumHash,
    primitives::{Address, B256, Bytes},
};
use errand_types::WorkId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names an intent within its journal. Numbers rise and are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub u64);

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is recorded before anything is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIntent {
    /// The account that sends.
    pub account: Address,
    /// The nonce that all transactions of the intent use.
    pub nonce: u64,
    /// The work that it executes; empty for a transaction that executes none.
    pub work: Vec<WorkId>,
    /// Height of the head when it was decided.
    pub opened_at_block: u64,
    /// What the owner needs to go on with it after a restart. Opaque here.
    pub request: Bytes,
}

/// One nonce, the work it is meant to execute, and everything that was signed for it.
///
/// It holds its work, so that no other intent can take it, until it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub id: IntentId,
    /// The account that sends.
    pub account: Address,
    /// The nonce that all its transactions use.
    pub nonce: u64,
    /// The work that it executes.
    pub work: Vec<WorkId>,
    /// Height of the head when it was opened.
    pub opened_at_block: u64,
    /// As given in [`NewIntent`]; empty once it is settled.
    pub request: Bytes,
    /// What became of the nonce, as far as is known.
    pub state: IntentState,
    /// The state is final: so deep in the chain, by the owner's measure, that it is not looked at again.
    pub settled: bool,
    /// What was signed for it, oldest first.
    pub attempts: Vec<Attempt>,
}

/// What became of an intent's nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentState {
    /// As far as is known the nonce is unused on chain.
    Open,
    /// One of the attempts is in a block.
    Mined(Inclusion),
    /// The nonce was used by a transaction that is not among the attempts.
    UsedByOther {
        /// That transaction, where it was found.
        tx_hash: Option<B256>,
        /// The head at which this was first seen.
        seen_at: BlockNumHash,
    },
    /// Given up while the nonce was unused and no attempt could be mined. The nonce is free again.
    Abandoned,
}

impl IntentState {
    /// The name used in journals and on the command line.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Mined(_) => "mined",
            Self::UsedByOther { .. } => "used-by-other",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Where and how an attempt was included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The attempt.
    pub tx_hash: B256,
    /// The block it is in.
    pub block: BlockNumHash,
    /// Whether it succeeded; otherwise it reverted.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Effective price in wei per gas.
    pub gas_price: u128,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// It does what the intent was opened for.
    Execute,
    /// It uses the nonce up and does nothing.
    Cancel,
}

impl Purpose {
    /// The name used in journals and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Cancel => "cancel",
        }
    }
}

/// A signed transaction of an intent. It is recorded before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its hash.
    pub tx_hash: B256,
    /// Its bytes as they are sent; empty once the intent is settled.
    pub raw: Bytes,
    /// What it is for.
    pub purpose: Purpose,
    /// Highest price in wei per gas.
    pub max_fee_per_gas: u128,
    /// Tip in wei per gas.
    pub max_priority_fee_per_gas: u128,
    /// Height of the head when it was signed.
    pub sent_at_block: u64,
}
