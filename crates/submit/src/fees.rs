//! Prices in wei per gas.

use serde::{Deserialize, Serialize};

/// What an EIP-1559 transaction offers, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fees {
    /// Highest price.
    pub max_fee_per_gas: u128,
    /// Tip.
    pub max_priority_fee_per_gas: u128,
}
