//! Rehearsals: transactions of any account, one after the other, each in a block of its own choice.

use crate::outcome::Run;
use alloy::primitives::{Address, Bytes, Selector, U256};
use errand_types::{CallSpec, NextBlock};
use std::collections::BTreeMap;

/// A transaction of a rehearsal. Its origin may be anybody, a contract too, and may offer less than the base fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What is sent.
    pub call: CallSpec,
    /// In which block.
    pub block: NextBlock,
    /// Wei that the origin is given before.
    pub credit: U256,
}

impl Act {
    /// What an origin sends that is given all that it can cost before.
    pub fn afforded(call: CallSpec, block: NextBlock) -> Self {
        let gas = U256::from(call.gas_price).saturating_mul(U256::from(call.gas_limit));
        let credit = gas.saturating_add(call.value);
        Self { call, block, credit }
    }
}

/// What a rehearsal looks at, and what it makes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Calls of this account that one of `callers` makes are measured.
    pub watched: Address,
    /// Whose calls.
    pub callers: Vec<Address>,
    /// An answer that is given instead of a contract's own.
    pub answer: Option<Answer>,
    /// Whether a transaction may have more gas than the rules allow, and a block too.
    pub is_unlimited: bool,
}

/// What a contract answers to one of its functions. Its code is not touched, so that its hash stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The contract.
    pub contract: Address,
    /// The function.
    pub selector: Selector,
    /// What it returns.
    pub output: Bytes,
    /// Gas that this takes.
    pub gas: u64,
}

/// A call that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedCall {
    /// The function.
    pub selector: Selector,
    /// What was forwarded.
    pub limit: u64,
    /// What was used of it, before refunds.
    pub used: u64,
    /// Whether it returned.
    pub succeeded: bool,
    /// What the last constructor in it that failed reverted with. CREATE3 does not pass that on.
    pub refusal: Option<Bytes>,
}

/// Whom a constructor asked for. What creates a contract on behalf of somebody is not that somebody, and who sends the
/// transaction need not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its caller: CALLER ran.
    pub caller: bool,
    /// The transaction's sender: ORIGIN ran.
    pub origin: bool,
}

/// A transaction that was rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// What happened.
    pub run: Run,
    /// The calls that were looked at, in the order in which they ended.
    pub watched: Vec<WatchedCall>,
    /// What constructors asked for, by the address of what they made.
    pub asked: BTreeMap<Address, Asked>,
}
