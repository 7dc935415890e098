//! What an execution earns and costs. The arithmetic of the contracts' `FeeMath`, to the wei.

use alloy::{primitives::U256, serde::displayfromstr};
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
    #[serde(rename = "incomeWei", serialize_with = "displayfromstr::serialize")]
    pub income: U256,
    /// Gas times price.
    #[serde(rename = "costWei", serialize_with = "displayfromstr::serialize")]
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

/// What a transaction pays for gas and what the Registry pays its executor, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// What the transaction pays: base fee plus tip.
    pub spent: u128,
    /// What fees are computed from: base fee plus tip, the tip up to the cap.
    pub paid: u128,
    /// The Registry's cap on tips.
    pub tip_cap: u128,
}

impl Prices {
    /// The highest tip that can be offered for a transaction of this balance, whatever the base fee is by then.
    ///
    /// Income is k x (base fee + min(tip, cap)) and cost c x (base fee + tip), with k >= c where it pays. Tips up
    /// to the cap pay for themselves; the rest may take what the cap's share leaves: a tip of cap x k/c gives a
    /// profit of (k - c) x base fee, never a loss. With the least profit taken off the income first, it stays
    /// whole at the present base fee and above.
    pub fn highest_tip(&self, balance: &Balance, min_profit: U256) -> u128 {
        let earned = balance.income.saturating_sub(min_profit);
        let above = U256::from(self.tip_cap).saturating_mul(earned).saturating_mul(U256::from(self.spent));
        let below = balance.cost.saturating_mul(U256::from(self.paid));
        above.checked_div(below).map_or(u128::MAX, |tip| u128::try_from(tip).unwrap_or(u128::MAX))
    }
}

/// What the first AUTO that an account holds costs beyond any other: its balance becomes other than zero.
pub const FIRST_AUTO_GAS: u64 = 17_100;

/// Gas that is the executor's own cost and no Request's: docs/adr/0002 and 0004.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnGas {
    /// Opening the turn: of the first transaction.
    pub turn: u64,
    /// The first AUTO: of the first transaction that is paid in it.
    pub first_auto: u64,
    /// Both together count up to so much; what goes beyond is a cost of the transaction.
    pub limit: u64,
}

impl OwnGas {
    /// What of it falls on a transaction.
    pub fn of(&self, paid_in_auto: bool) -> u64 {
        let first_auto = if paid_in_auto { self.first_auto } else { 0 };
        self.turn.saturating_add(first_auto).min(self.limit)
    }

    /// What is left for the transactions after one.
    #[must_use]
    pub const fn after(self, paid_in_auto: bool) -> Self {
        let first_auto = if paid_in_auto { 0 } else { self.first_auto };
        Self { turn: 0, first_auto, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The highest tip loses nothing at any base fee, and not the least profit at today's or above.
        #[test]
        fn no_base_fee_makes_the_highest_tip_a_loss(
            used in 50_000u64..1_000_000, base_fee in 1u64..1_000_000_000_000, later in 0u64..1_000_000_000_000,
            tip in 0u64..5_000_000_000, cap in 0u64..5_000_000_000, premium in 100u64..140, least in 0u64..1_000_000_000,
        ) {
            let price = |base_fee: u64, tip: u128| Prices {
                spent: u128::from(base_fee) + tip,
                paid: u128::from(base_fee) + tip.min(cap.into()),
                tip_cap: cap.into(),
            };
            let balance = |prices: Prices| Balance {
                income: U256::from(used) * U256::from(prices.paid) * U256::from(premium) / U256::from(100),
                cost: U256::from(used) * U256::from(prices.spent),
            };
            let least = U256::from(least) * U256::from(used);
            let quoted = price(base_fee, tip.into());
            prop_assume!(balance(quoted).satisfies(least));
            let highest = quoted.highest_tip(&balance(quoted), least);
            // Rounding: a unit of the last division, per gas.
            let slack = U256::from(used) * U256::from(2);
            let then = balance(price(later, highest));
            prop_assert!(then.income + slack >= then.cost, "{then:?}");
            if later >= base_fee {
                prop_assert!(then.income + slack >= then.cost + least, "{then:?}");
            }
        }
    }

    #[test]
    fn own_gas_is_booked_once_and_within_its_limit() {
        let own = OwnGas { turn: 50_000, first_auto: FIRST_AUTO_GAS, limit: 60_000 };
        assert_eq!((own.of(false), own.of(true)), (50_000, 60_000));
        assert_eq!((own.after(false).of(true), own.after(true).of(true)), (FIRST_AUTO_GAS, 0));
    }

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
