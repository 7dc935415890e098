//! Packs quoted Requests into transactions: most profit per gas first, under every limit on gas.

use crate::pricing::Balance;
use alloy::primitives::U256;
use errand_types::RequestId;
use std::cmp::Ordering;

/// What executing one Request alone was found to use and earn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The Request.
    pub id: RequestId,
    /// Gas of the whole transaction with this Request alone.
    pub gas: u64,
    /// Gas its frame gets in a batch.
    pub gas_limit: u64,
    /// Gas units that will be charged.
    pub expected_gas: u64,
    /// What it earns and costs alone.
    pub balance: Balance,
}

/// Limits on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Gas that a transaction may use: the least of the chain's cap, the block's limit and the setting.
    pub gas: u64,
    /// Requests in a batch.
    pub entries: usize,
}

/// Splits profitable quotes into batches, the best first. Quotes that do not fit into a transaction alone
/// are left out.
pub fn pack(mut quotes: Vec<Quote>, limits: BatchLimits) -> Vec<Vec<Quote>> {
    quotes.retain(|quote| needed(quote) <= limits.gas);
    quotes.sort_by(|a, b| by_profit_per_gas(b, a).then(a.id.cmp(&b.id)));
    let mut batches: Vec<(u64, Vec<Quote>)> = Vec::new();
    for quote in quotes {
        let gas = needed(&quote);
        // First fit: a small one may still go into an earlier transaction.
        let fitting = batches.iter_mut().find(|(used, batch)| {
            used.saturating_add(gas) <= limits.gas && batch.len() < limits.entries.max(1)
        });
        match fitting {
            Some((used, batch)) => {
                *used += gas;
                batch.push(quote);
            }
            None => batches.push((gas, vec![quote])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// The gas that a transaction must offer for this Request: what it uses, and what its frame is promised.
fn needed(quote: &Quote) -> u64 {
    quote.gas.max(quote.gas_limit)
}

/// Compares profit / gas without dividing: a/b < c/d where a*d < c*b.
fn by_profit_per_gas(a: &Quote, b: &Quote) -> Ordering {
    let profit = |quote: &Quote| quote.balance.profit().unwrap_or_default();
    let gas = |quote: &Quote| U256::from(quote.gas.max(1));
    profit(a).saturating_mul(gas(b)).cmp(&profit(b).saturating_mul(gas(a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quote(id: u64, gas: u64, profit: u64) -> Quote {
        let balance = Balance { income: U256::from(profit), cost: U256::ZERO };
        Quote { id: RequestId(id), gas, gas_limit: gas, expected_gas: gas, balance }
    }

    fn ids(batches: &[Vec<Quote>]) -> Vec<Vec<u64>> {
        batches.iter().map(|batch| batch.iter().map(|quote| quote.id.0).collect()).collect()
    }

    #[test]
    fn most_profit_per_gas_comes_first() {
        let quotes = vec![quote(1, 100, 100), quote(2, 50, 100), quote(3, 100, 300)];
        assert_eq!(ids(&pack(quotes, BatchLimits { gas: 1_000, entries: 10 })), [[3, 2, 1]]);
    }

    #[test]
    fn a_batch_ends_where_gas_or_entries_do() {
        let quotes = vec![quote(1, 60, 3), quote(2, 60, 2), quote(3, 40, 1)];
        assert_eq!(ids(&pack(quotes.clone(), BatchLimits { gas: 100, entries: 10 })), [vec![1, 3], vec![2]]);
        assert_eq!(ids(&pack(quotes, BatchLimits { gas: 1_000, entries: 2 })), [vec![1, 2], vec![3]]);
    }

    #[test]
    fn what_fits_into_no_transaction_is_left_out() {
        let mut promised = quote(2, 10, 1);
        promised.gas_limit = 101;
        let quotes = vec![quote(1, 101, 1), promised, quote(3, 100, 1)];
        assert_eq!(ids(&pack(quotes, BatchLimits { gas: 100, entries: 10 })), [[3]]);
    }

    proptest! {
        #[test]
        fn packing_loses_and_doubles_nothing(gas in prop::collection::vec(1u64..200, 0..60), entries in 1usize..8) {
            let quotes: Vec<_> = gas.iter().zip(0..).map(|(gas, id)| quote(id, *gas, id * 7 % 13)).collect();
            let limits = BatchLimits { gas: 150, entries };
            let batches = pack(quotes.clone(), limits);
            let mut packed: Vec<_> = batches.iter().flatten().map(|quote| quote.id).collect();
            packed.sort();
            let fitting: Vec<_> = quotes.iter().filter(|quote| quote.gas <= 150).map(|quote| quote.id).collect();
            prop_assert_eq!(packed, fitting);
            for batch in batches {
                prop_assert!(batch.iter().map(|quote| quote.gas).sum::<u64>() <= 150);
                prop_assert!(batch.len() <= entries);
            }
        }
    }
}
