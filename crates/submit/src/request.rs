//! What is to be sent, within which limits.

use crate::SubmitError;
use alloy::primitives::{Address, Bytes, U256};
use errand_journal::Intent;
use errand_types::{CallSpec, TX_GAS_CAP, WorkId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A transaction to be sent. Its nonce and its fees are the submitter's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxRequest {
    /// The account that is called.
    pub to: Address,
    /// Call data.
    pub data: Bytes,
    /// Wei sent along.
    pub value: U256,
    /// Gas limit.
    pub gas_limit: u64,
    /// The work that it executes; empty for a transaction that executes none.
    pub work: Vec<WorkId>,
    /// Tip in wei per gas; by the settings' policy where there is none.
    pub tip: Option<u128>,
    /// Highest tip in wei per gas that a replacement may offer. What the first attempt offers is not bound by it.
    #[serde(default = "unlimited")]
    pub max_tip: u128,
    /// Highest price in wei per gas that it, or a replacement, may offer.
    pub max_gas_price: u128,
    /// Highest cost in wei that it, or a replacement, may have: gas limit times offered price, so a bound that
    /// holds whatever is used. A cancellation is not bound by it: it uses 21,000 gas and is worth that much.
    pub max_total_cost: U256,
    /// The last block in which it is any good: when it is not mined by then, it is cancelled.
    pub until_block: Option<u64>,
}

impl TxRequest {
    /// A call without work, value or limits of its own.
    pub const fn call(to: Address, data: Bytes, gas_limit: u64) -> Self {
        Self {
            to,
            data,
            value: U256::ZERO,
            gas_limit,
            work: Vec::new(),
            tip: None,
            max_tip: u128::MAX,
            max_gas_price: u128::MAX,
            max_total_cost: U256::MAX,
            until_block: None,
        }
    }

    /// What an intent was opened for; `None` for a nonce that is only filled, and for a settled intent.
    ///
    /// # Errors
    /// [`SubmitError::BadRecord`] when another program wrote it.
    pub fn of(intent: &Intent) -> Result<Option<Self>, SubmitError> {
        if intent.request.is_empty() {
            return Ok(None);
        }
        let read = serde_json::from_slice(&intent.request);
        read.map(Some).map_err(|source| SubmitError::BadRecord { id: intent.id, source })
    }

    /// The call that it is when `account` sends it, for a simulation that says at which price.
    pub fn sent_by(&self, account: Address) -> CallSpec {
        CallSpec {
            origin: account,
            caller: account,
            to: self.to,
            data: self.data.clone(),
            value: self.value,
            gas_limit: self.gas_limit,
            gas_price: 0,
        }
    }

    /// The highest price per gas that both limits allow.
    pub fn ceiling(&self) -> u128 {
        let by_cost = self.max_total_cost / U256::from(self.gas_limit.max(1));
        u128::try_from(by_cost).unwrap_or(u128::MAX).min(self.max_gas_price)
    }
}

/// What requests have that were recorded before there was a limit on tips.
const fn unlimited() -> u128 {
    u128::MAX
}

/// How the tip of a first attempt is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TipPolicy {
    /// Always this many wei per gas.
    Fixed(u128),
    /// What the node proposes, within bounds.
    Node {
        /// At least this many wei per gas.
        min: u128,
        /// At most this many wei per gas.
        max: u128,
    },
}

/// Settings of a submitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitConfig {
    /// Blocks, the including one counted, after which the use of a nonce is final.
    pub confirmations: u64,
    /// Blocks without inclusion after which a transaction is replaced.
    pub replace_after_blocks: u64,
    /// Highest price in wei per gas of anything that is sent: the bound where a request has none of its own. A
    /// cancellation, which has to replace what offers that, may offer an eighth more.
    pub max_gas_price: u128,
    /// Tips.
    pub tip: TipPolicy,
    /// Intents that may be open at once. Nodes keep few transactions per account: geth promises 16.
    pub max_in_flight: usize,
    /// The most gas that the chain lets a transaction have.
    pub tx_gas_cap: u64,
    /// Time that the node, or the signer, has for one answer.
    pub timeout: Duration,
}

impl Default for SubmitConfig {
    fn default() -> Self {
        Self {
            confirmations: 3,
            replace_after_blocks: 3,
            max_gas_price: 1_000_000_000_000,
            tip: TipPolicy::Node { min: 1_000_000, max: 2_000_000_000 },
            max_in_flight: 16,
            tx_gas_cap: TX_GAS_CAP,
            timeout: Duration::from_secs(10),
        }
    }
}
