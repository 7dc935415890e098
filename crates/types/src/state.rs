//! State that blocks write and that simulations read.

use alloy::primitives::{Address, Bytes, U256, map::HashMap};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One storage slot of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The account.
    pub address: Address,
    /// The key of the slot.
    pub key: U256,
}

/// How a write set was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteSource {
    /// `trace_replayBlockTransactions` with `stateDiff`.
    TraceReplay,
    /// `debug_traceBlockByHash` with the prestate tracer in diff mode.
    PrestateDiff,
    /// Everything tracked was read again at the block.
    Reread,
}

impl WriteSource {
    /// The name used in logs and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TraceReplay => "trace-replay",
            Self::PrestateDiff => "prestate-diff",
            Self::Reread => "reread",
        }
    }
}

impl fmt::Display for WriteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a block changed of one account; `None`: that part is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountWrite {
    /// New balance in wei.
    pub balance: Option<U256>,
    /// New nonce.
    pub nonce: Option<u64>,
    /// New code; empty when it has none now.
    pub code: Option<Bytes>,
    /// The account was created or destroyed in the block: slots that are not listed are zero.
    pub storage_cleared: bool,
}

/// What a block changed in the state: values after the block, by key. What is not in it is unchanged, as far
/// as its source can tell; a re-read covers what was tracked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    /// Accounts that changed.
    pub accounts: HashMap<Address, AccountWrite>,
    /// Slots that changed.
    pub slots: HashMap<Slot, U256>,
}

impl WriteSet {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.slots.is_empty()
    }
}

/// Keys of state: what a simulation misses, or what a mirror tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateKeys {
    /// Accounts: balance, nonce and code of each.
    pub accounts: Vec<Address>,
    /// Storage slots.
    pub slots: Vec<Slot>,
}

impl StateKeys {
    /// Whether there are no keys.
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.slots.is_empty()
    }

    /// The number of keys.
    pub const fn len(&self) -> usize {
        self.accounts.len() + self.slots.len()
    }
}

/// An account without its storage. An account that does not exist is all zero and empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Code; empty when there is none.
    pub code: Bytes,
}

/// State as it was read at one block: every key that was asked for, with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedState {
    /// Accounts with what they hold.
    pub accounts: Vec<(Address, AccountState)>,
    /// Slots with their values.
    pub slots: Vec<(Slot, U256)>,
}
