//! What an account can pay for.

use crate::{batch::gas_alone, planner::Quote};
use alloy::primitives::U256;

/// An account that cannot pay for any of what it would earn by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What it has beside what is under way, in wei.
    pub balance: U256,
    /// What a node wants to see of it for the cheapest transaction, in wei.
    pub needed: U256,
}

/// What an account can buy gas with. A node takes a transaction only from an account that has its whole gas limit at
/// the highest price offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Funds {
    balance: U256,
    offer: U256,
}

impl Funds {
    /// What is left of `balance` wei when transactions with `under_way` gas were sent, where each offers `offer` wei per
    /// gas.
    pub(crate) fn after(balance: U256, offer: u128, under_way: u64) -> Self {
        let offer = U256::from(offer);
        let spent = offer.saturating_mul(U256::from(under_way));
        Self { balance: balance.saturating_sub(spent), offer }
    }

    /// The gas that can be bought.
    pub(crate) fn gas(&self) -> u64 {
        self.balance.checked_div(self.offer).map_or(u64::MAX, |gas| gas.saturating_to())
    }

    /// Whether none of the quotes that earn at least `min_profit` wei can be paid for, and one of them earns that.
    pub(crate) fn shortage(&self, quotes: &[Quote], min_profit: U256) -> Option<Shortage> {
        let worthy = quotes.iter().filter(|quote| quote.balance.satisfies(min_profit));
        let least = worthy.map(gas_alone).min()?;
        (least > self.gas())
            .then(|| Shortage { balance: self.balance, needed: self.offer.saturating_mul(U256::from(least)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::Balance;
    use errand_types::RequestId;

    const OFFER: u128 = 10;

    fn quote(gas: u64, profit: u64) -> Quote {
        let balance = Balance { income: U256::from(profit), cost: U256::ZERO };
        Quote { id: RequestId(1), gas, gas_limit: gas, expected_gas: gas, balance }
    }

    fn funds(balance: u64, under_way: u64) -> Funds {
        Funds::after(U256::from(balance), OFFER, under_way)
    }

    #[test]
    fn what_is_under_way_is_spent() {
        assert_eq!(funds(1_000, 0).gas(), 100);
        assert_eq!(funds(1_000, 60).gas(), 40);
        assert_eq!(funds(1_000, 101).gas(), 0);
        assert_eq!(Funds::after(U256::ZERO, 0, 1).gas(), u64::MAX, "gas is free");
    }

    #[test]
    fn it_is_short_when_the_cheapest_that_is_worth_it_cannot_be_paid() {
        let needed = gas_alone(&quote(1_000, 5)) * 10;
        let quotes = [quote(9_000, 9), quote(1_000, 5), quote(10, 4)];
        let short = funds(needed - 1, 0).shortage(&quotes, U256::from(5)).unwrap();
        assert_eq!((short.balance, short.needed), (U256::from(needed - 1), U256::from(needed)));
        assert_eq!(funds(needed, 0).shortage(&quotes, U256::from(5)), None);
        assert_eq!(funds(0, 0).shortage(&quotes, U256::from(10)), None, "nothing would be sent anyway");
        assert_eq!(funds(0, 0).shortage(&[], U256::ZERO), None);
    }
}
