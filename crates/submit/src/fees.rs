//! Prices in wei per gas.

use alloy::eips::eip1559::BaseFeeParams;
use errand_types::BlockHead;
use serde::{Deserialize, Serialize};

/// An offer is not raised beyond this many times what a first attempt would offer now: what is not mined at
/// that price has another problem than its price.
const RUNAWAY: u128 = 10;

/// What an EIP-1559 transaction offers, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fees {
    /// Highest price.
    pub max_fee_per_gas: u128,
    /// Tip.
    pub max_priority_fee_per_gas: u128,
}

impl Fees {
    /// What a first attempt offers: twice the base fee, plus tip, so that it stays valid while the base fee
    /// doubles. Not more than `ceiling`, as long as that covers base fee and tip.
    ///
    /// # Errors
    /// What the next block needs, when that is above the ceiling.
    pub fn first(base_fee: u128, tip: u128, ceiling: u128) -> Result<Self, u128> {
        let needed = base_fee.saturating_add(tip);
        if needed > ceiling {
            return Err(needed);
        }
        let wanted = base_fee.saturating_mul(2).saturating_add(tip);
        Ok(Self { max_fee_per_gas: wanted.min(ceiling), max_priority_fee_per_gas: tip })
    }

    /// What has to be offered to take the place of this: an eighth more in both fields, rounded up, and at least
    /// one wei more where an eighth of nothing would be nothing. Every client accepts that.
    #[must_use]
    pub const fn bumped(self) -> Self {
        let max_fee_per_gas = more(self.max_fee_per_gas);
        let tip = more(self.max_priority_fee_per_gas);
        let max_priority_fee_per_gas = if tip > max_fee_per_gas { max_fee_per_gas } else { tip };
        Self { max_fee_per_gas, max_priority_fee_per_gas }
    }

    /// What takes the place of this now: enough to be a replacement and, within `ceiling` for the price and
    /// `max_tip` for the tip, what a `fresh` attempt would offer. `None` where the least replacement is above one
    /// of them, or out of all proportion.
    #[must_use]
    pub fn replacement(self, fresh: Self, ceiling: u128, max_tip: u128) -> Option<Self> {
        let least = self.bumped();
        let runaway = fresh.max_fee_per_gas.saturating_mul(RUNAWAY);
        let too_dear = least.max_fee_per_gas > ceiling || least.max_priority_fee_per_gas > max_tip;
        if too_dear || least.max_fee_per_gas > runaway {
            return None;
        }
        let max_fee_per_gas = least.max_fee_per_gas.max(fresh.max_fee_per_gas.min(ceiling));
        let tip = least.max_priority_fee_per_gas.max(fresh.max_priority_fee_per_gas.min(max_tip));
        Some(Self { max_fee_per_gas, max_priority_fee_per_gas: tip.min(max_fee_per_gas) })
    }
}

/// The least that replaces an offer of `fee`.
pub(crate) const fn more(fee: u128) -> u128 {
    let eighth = fee.div_ceil(8);
    fee.saturating_add(if eighth == 0 { 1 } else { eighth })
}

/// The base fee of the block after `head`, by Ethereum's parameters. Where a chain has others it is an estimate.
pub(crate) fn next_base_fee(head: &BlockHead) -> u128 {
    head.next_base_fee(BaseFeeParams::ethereum()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn fees(max_fee_per_gas: u128, max_priority_fee_per_gas: u128) -> Fees {
        Fees { max_fee_per_gas, max_priority_fee_per_gas }
    }

    #[test]
    fn a_first_attempt_offers_twice_the_base_fee_and_the_tip() {
        assert_eq!(Fees::first(100, 7, u128::MAX), Ok(fees(207, 7)));
    }

    #[test]
    fn a_first_attempt_stays_below_the_ceiling_or_is_refused() {
        assert_eq!(Fees::first(100, 7, 150), Ok(fees(150, 7)));
        assert_eq!(Fees::first(100, 7, 107), Ok(fees(107, 7)));
        assert_eq!(Fees::first(100, 7, 106), Err(107));
    }

    #[test]
    fn a_bump_is_at_least_an_eighth_in_both_fields_rounded_up() {
        assert_eq!(fees(800, 80).bumped(), fees(900, 90));
        assert_eq!(fees(801, 1).bumped(), fees(902, 2));
        assert_eq!(fees(0, 0).bumped(), fees(1, 1));
        assert_eq!(fees(u128::MAX, 0).bumped(), fees(u128::MAX, 1));
        assert_eq!(fees(9, 9).bumped(), fees(11, 11));
    }

    #[test]
    fn a_replacement_follows_the_market_within_its_ceiling() {
        let offer = fees(800, 80);
        assert_eq!(offer.replacement(fees(500, 50), 2000, u128::MAX), Some(fees(900, 90)));
        assert_eq!(offer.replacement(fees(1500, 200), 2000, u128::MAX), Some(fees(1500, 200)));
        assert_eq!(offer.replacement(fees(5000, 200), 2000, u128::MAX), Some(fees(2000, 200)));
        assert_eq!(offer.replacement(fees(5000, 200), 899, u128::MAX), None);
        assert_eq!(offer.replacement(fees(5000, 200), 900, u128::MAX), Some(fees(900, 200)));
    }

    #[test]
    fn a_replacement_does_not_tip_more_than_it_may() {
        let offer = fees(800, 80);
        assert_eq!(offer.replacement(fees(1500, 200), 2000, 120), Some(fees(1500, 120)));
        assert_eq!(offer.replacement(fees(1500, 200), 2000, 90), Some(fees(1500, 90)));
        assert_eq!(offer.replacement(fees(1500, 200), 2000, 89), None);
    }

    #[test]
    fn a_replacement_that_would_run_away_is_refused() {
        assert_eq!(fees(800, 80).replacement(fees(90, 1), u128::MAX, u128::MAX), Some(fees(900, 90)));
        assert_eq!(fees(800, 80).replacement(fees(89, 1), u128::MAX, u128::MAX), None);
    }

    #[test]
    fn the_next_base_fee_rises_by_an_eighth_after_a_full_block() {
        let head = BlockHead {
            number: 1,
            hash: Default::default(),
            parent_hash: Default::default(),
            timestamp: 0,
            base_fee: 800,
            gas_limit: 30_000_000,
            gas_used: 30_000_000,
            prev_randao: Default::default(),
            beneficiary: Default::default(),
        };
        assert_eq!(next_base_fee(&head), 900);
        assert_eq!(next_base_fee(&BlockHead { gas_used: 15_000_000, ..head }), 800);
    }
}
