//! What a run can see of the next block and of its transaction.

use alloy::eips::eip1559::BaseFeeParams;
use errand_types::{BlockHead, NextBlock};
use serde::{Deserialize, Serialize};

/// How a chain moves its base fee (EIP-1559).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFeeRule {
    /// The gas target is the gas limit divided by this.
    pub elasticity: u64,
    /// The base fee moves by at most its own value divided by this.
    pub change_denominator: u64,
}

impl BaseFeeRule {
    /// Ethereum's numbers.
    pub const ETHEREUM: Self = Self { elasticity: 2, change_denominator: 8 };
}

impl Default for BaseFeeRule {
    fn default() -> Self {
        Self::ETHEREUM
    }
}

/// The environment of the block after `head`. Its timestamp is `predicted_timestamp`, but later than the
/// head's; its gas limit is the head's, which the builder may move by 1/1024.
pub fn next_block(head: &BlockHead, rule: BaseFeeRule, predicted_timestamp: u64) -> NextBlock {
    let params = BaseFeeParams::new(u128::from(rule.change_denominator), u128::from(rule.elasticity));
    NextBlock {
        number: head.number.saturating_add(1),
        timestamp: head.timestamp.saturating_add(1).max(predicted_timestamp),
        base_fee: head.next_base_fee(params),
        gas_limit: head.gas_limit,
    }
}

/// What a run can see besides the state and its [`CallSpec`](errand_types::CallSpec)'s fixed parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The block.
    pub block: NextBlock,
    /// What GASPRICE returns, in wei per gas: the `gas_price` of the call.
    pub gas_price: u128,
}
