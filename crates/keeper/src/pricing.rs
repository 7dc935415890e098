//! What an execution earns and costs. The arithmetic of the contracts' `FeeMath`, to the wei.

use alloy::primitives::U256;
use serde::Serialize;

/// Premium on fees in ETH, in basis points of the cost.
pub const PAY_ETH_BPS: u64 = 13_000;
/// Premium on fees in AUTO, in basis points of the cost.
pub const PAY_AUTO_BPS: u64 = 11_000;
/// Percent of the charged gas up to which the Registry takes an executor's `expectedGas`.
pub const EXPECTED_GAS_PERCENT: u64 = 102;

const BPS: u64 = 10_000;
const WAD: u64 = 1_000_000_000_000_000_000;

/// The fee in wei for `gas` units at `gas_price` wei.
pub fn eth_fee(gas: U256, gas_price: u128) -> U256 {
    gas.saturating_mul(U256::from(gas_price)).saturating_mul(U256::from(PAY_ETH_BPS)) / U256::from(BPS)
}

/// The fee in AUTO base units; `auto_per_eth` is scaled by 1e18.
pub fn auto_fee(gas: U256, gas_price: u128, auto_per_eth: U256) -> U256 {
    gas.saturating_mul(U256::from(gas_price))
        .saturating_mul(auto_per_eth)
        .saturating_mul(U256::from(PAY_AUTO_BPS))
        / (U256::from(BPS) * U256::from(WAD))
}

/// What an AUTO is worth to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutoValue {
    /// What the Registry's oracle says.
    Oracle,
    /// So many AUTO base units per ETH, scaled by 1e18.
    Fixed(U256),
    /// Nothing: AUTO-paid work is never profitable.
    Nothing,
}

impl AutoValue {
    /// The wei that `amount` base units are worth; `oracle` is the oracle's AUTO per ETH, scaled by 1e18.
    /// `None`: not known, because the oracle is needed and has no answer.
    pub fn in_wei(&self, amount: U256, oracle: Option<U256>) -> Option<U256> {
        let per_eth = match self {
            Self::Oracle => oracle?,
            Self::Fixed(per_eth) => *per_eth,
            Self::Nothing => return Some(U256::ZERO),
        };
        amount.checked_mul(U256::from(WAD))?.checked_div(per_eth)
    }
}

/// What the operator asks of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProfitRule {
    /// A transaction must earn at least so many wei beyond its cost.
    pub min_profit: U256,
    /// No gas is bought above so many wei per unit.
    pub max_gas_price: Option<u128>,
    /// What an AUTO is worth.
    pub auto_value: AutoValue,
}

/// Income and cost of a transaction, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// Fees, those in AUTO at the operator's value.
    pub income: U256,
    /// Gas times price.
    pub cost: U256,
}

impl Balance {
    /// Income less cost; `None` when it is a loss.
    pub fn profit(&self) -> Option<U256> {
        self.income.checked_sub(self.cost)
    }

    /// Whether the profit is at least `min_profit`.
    pub fn satisfies(&self, min_profit: U256) -> bool {
        self.profit().is_some_and(|profit| profit >= min_profit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_those_of_the_contract() {
        // 60,000 gas at 2 gwei, plus 30 % in ETH, plus 10 % in AUTO at 1,000 AUTO per ETH
        let gas = U256::from(60_000);
        assert_eq!(eth_fee(gas, 2_000_000_000), U256::from(156_000_000_000_000u64));
        let thousand = U256::from(1_000) * U256::from(WAD);
        assert_eq!(auto_fee(gas, 2_000_000_000, thousand), U256::from(132_000_000_000_000_000u64));
    }

    #[test]
    fn fees_are_rounded_down() {
        assert_eq!(eth_fee(U256::from(1), 1), U256::from(1));
        assert_eq!(auto_fee(U256::from(1), 1, U256::from(1)), U256::ZERO);
    }

    #[test]
    fn auto_is_worth_what_the_operator_says() {
        let amount = U256::from(WAD);
        let thousand = U256::from(1_000) * U256::from(WAD);
        assert_eq!(AutoValue::Oracle.in_wei(amount, Some(thousand)), Some(U256::from(WAD / 1_000)));
        assert_eq!(AutoValue::Oracle.in_wei(amount, None), None);
        assert_eq!(AutoValue::Fixed(thousand).in_wei(amount, None), Some(U256::from(WAD / 1_000)));
        assert_eq!(AutoValue::Nothing.in_wei(amount, Some(thousand)), Some(U256::ZERO));
    }

    #[test]
    fn a_loss_is_no_profit() {
        let loss = Balance { income: U256::from(1), cost: U256::from(2) };
        assert_eq!(loss.profit(), None);
        assert!(!loss.satisfies(U256::ZERO));
        let even = Balance { income: U256::from(2), cost: U256::from(2) };
        assert!(even.satisfies(U256::ZERO) && !even.satisfies(U256::from(1)));
    }
}
