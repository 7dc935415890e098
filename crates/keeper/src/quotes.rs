//! The quotes of what may execute: which stand, and which are made next.
//!
//! A quote is a whole transaction in simulation, and strangers decide how many Requests ask for one: Requests whose
//! call succeeds and that pay nothing. So a look makes only so many, and takes them by turns from those that paid when
//! they were quoted last, the best first, and from all others, the longest waiting first: neither can keep out the
//! other.

use crate::{planner::Quote, pricing::OwnGas, quarantine::Quarantine, quote::Answer};
use alloy::primitives::{U256, map::HashMap};
use errand_sim::{Changes, Environment, ReadSet};
use errand_types::RequestId;
use std::cmp::Reverse;

/// Quotes that are made in a look at most. A block has room for fewer executions.
pub const MAX_QUOTES: usize = 512;
/// The effort that they may take together, in gas.
const MAX_EFFORT: u64 = 500_000_000;
/// What one is reckoned to take before it is made.
const UNKNOWN_EFFORT: u64 = 1_000_000;

/// What a standing quote depends on beside the Registry's terms.
#[derive(Debug)]
struct Basis {
    reads: ReadSet,
    environment: Environment,
    own: OwnGas,
    failures: u32,
}

/// The last quote of a Request.
#[derive(Debug)]
struct Last {
    /// `None`: it did not execute.
    quote: Option<Quote>,
    /// `None`: it does not stand.
    basis: Option<Basis>,
    /// Gas that it charged when it executed last.
    charged: Option<u64>,
    effort: u64,
    /// The look in which it was made.
    look: u64,
}

/// Under what quotes are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the next block is taken to be.
    pub environment: Environment,
    /// The executor's own cost.
    pub own: OwnGas,
    /// What failed on chain before.
    pub quarantine: &'a Quarantine,
}

/// The last quotes of outstanding Requests.
#[derive(Debug, Default)]
pub struct Quotes {
    last: HashMap<RequestId, Last>,
    look: u64,
}

impl Quotes {
    /// Those of `executable` whose quotes are to be made now, and how much gas the last one charged.
    pub fn due(&mut self, asked: &Asked<'_>, executable: &[RequestId]) -> Vec<(RequestId, Option<u64>)> {
        self.look += 1;
        let open = executable.iter().filter(|id| self.standing(asked, **id).is_none());
        let (mut paid, mut others): (Vec<&RequestId>, Vec<&RequestId>) =
            open.partition(|id| self.profit(**id).is_some());
        paid.sort_by_cached_key(|id| (Reverse(self.profit(**id)), **id));
        others.sort_by_cached_key(|id| (self.last.get(*id).map_or(0, |last| last.look), **id));
        let (mut due, mut effort) = (Vec::new(), 0u64);
        for id in by_turns(paid, others).take(MAX_QUOTES) {
            let last = self.last.get(id);
            effort = effort.saturating_add(last.map_or(UNKNOWN_EFFORT, |last| last.effort));
            if effort > MAX_EFFORT && !due.is_empty() {
                break;
            }
            due.push((*id, last.and_then(|last| last.charged)));
        }
        due
    }

    /// A quote was made.
    pub fn made(&mut self, asked: &Asked<'_>, id: RequestId, answer: Answer) {
        let (reads, effort, is_settled) = (answer.reads.clone(), answer.effort, answer.is_settled());
        let quote = answer.quoted().executes();
        let before = self.last.get(&id).and_then(|last| last.charged);
        let charged = quote.as_ref().map(|quote| quote.expected_gas).or(before);
        let failures = asked.quarantine.failures(id);
        let basis = (is_settled && reads.is_cacheable()).then_some(Basis {
            reads,
            environment: asked.environment,
            own: asked.own,
            failures,
        });
        self.last.insert(id, Last { quote, basis, charged, effort, look: self.look });
    }

    /// The quotes of `executable` that stand or were made in this look.
    pub fn of(&self, asked: &Asked<'_>, executable: &[RequestId]) -> Vec<Quote> {
        let quote = |id: &RequestId| match self.standing(asked, *id) {
            Some(quote) => quote.cloned(),
            None => self.last.get(id).filter(|last| last.look == self.look)?.quote.clone(),
        };
        executable.iter().filter_map(quote).collect()
    }

    /// What the standing quotes depend on.
    pub fn reads(&self) -> impl Iterator<Item = &ReadSet> {
        self.last.values().filter_map(|last| last.basis.as_ref()).map(|basis| &basis.reads)
    }

    /// A Request has changed: its quote does not stand.
    pub fn renew(&mut self, id: RequestId) {
        if let Some(last) = self.last.get_mut(&id) {
            last.basis = None;
        }
    }

    /// Forgets a Request.
    pub fn remove(&mut self, id: RequestId) {
        self.last.remove(&id);
    }

    /// No quote stands any more.
    pub fn clear(&mut self) {
        self.last.values_mut().for_each(|last| last.basis = None);
    }

    /// What the changes of the state, or the next block's environment, may have made untrue does not stand.
    pub fn invalidate(&mut self, changes: &Changes, environment: &Environment) {
        for last in self.last.values_mut() {
            last.basis.take_if(|basis| !basis.reads.is_valid(changes, &basis.environment, environment));
        }
    }

    /// The outer `None`: none stands; the inner: what stands is that it does not execute.
    fn standing(&self, asked: &Asked<'_>, id: RequestId) -> Option<Option<&Quote>> {
        let last = self.last.get(&id)?;
        let basis = last.basis.as_ref()?;
        let is_same = basis.own == asked.own && basis.failures == asked.quarantine.failures(id);
        is_same.then_some(last.quote.as_ref())
    }

    /// What it earned per million gas when it was quoted last; `None`: nothing.
    fn profit(&self, id: RequestId) -> Option<U256> {
        let quote = self.last.get(&id)?.quote.as_ref()?;
        let profit = quote.balance.profit()?;
        profit.saturating_mul(U256::from(1_000_000)).checked_div(U256::from(quote.gas))
    }
}

/// One of each, as long as there are any.
fn by_turns<T>(first: Vec<T>, second: Vec<T>) -> impl Iterator<Item = T> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut is_second = true;
    std::iter::from_fn(move || {
        is_second = !is_second;
        if is_second {
            second.next().or_else(|| first.next())
        } else {
            first.next().or_else(|| second.next())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pricing::Balance, quote::Quoted};
    use alloy::primitives::Bytes;
    use errand_types::NextBlock;

    fn asked(quarantine: &Quarantine) -> Asked<'_> {
        let block = NextBlock { number: 1, timestamp: 1, base_fee: 1, gas_limit: 30_000_000 };
        Asked { environment: Environment { block, gas_price: 1 }, own: OwnGas::default(), quarantine }
    }

    fn answer(id: RequestId, profit: Option<u64>) -> Answer {
        let quoted = match profit {
            Some(profit) => Quoted::Executes(Quote {
                id,
                gas: 100_000,
                gas_limit: 100_000,
                expected_gas: 77,
                balance: Balance { income: U256::from(profit), cost: U256::ZERO },
            }),
            None => Quoted::Fails(Bytes::new()),
        };
        Answer { quoted: Some(quoted), effort: 100_000, ..Default::default() }
    }

    fn ids(range: std::ops::Range<u64>) -> Vec<RequestId> {
        range.map(RequestId).collect()
    }

    #[test]
    fn strangers_decide_neither_how_much_is_quoted_nor_whose_turn_it_is() {
        let quarantine = Quarantine::default();
        let (asked, mut quotes) = (asked(&quarantine), Quotes::default());
        // 5,000 that pay nothing, and then a few that pay.
        let (failing, paying) = (ids(0..5_000), ids(5_000..5_010));
        let pays = |id: RequestId| (id.0 >= 5_000).then_some(id.0);
        let mut count = std::collections::HashMap::<RequestId, u32>::new();
        let all: Vec<_> = failing.iter().chain(&paying).copied().collect();
        for _ in 0..40 {
            quotes.clear(); // a block that changed what all of them read
            let due = quotes.due(&asked, &all);
            assert!(due.len() <= MAX_QUOTES);
            for (id, _) in due {
                quotes.made(&asked, id, answer(id, pays(id)));
                *count.entry(id).or_default() += 1;
            }
        }
        assert!(failing.iter().all(|id| count.get(id).is_some_and(|count| (3..=5).contains(count))));
        assert!(paying.iter().all(|id| count[id] >= 30), "who pays is quoted in every block");
        assert_eq!(quotes.due(&asked, &paying).len(), 0, "what stands is not quoted again");
        assert_eq!(quotes.of(&asked, &paying).len(), 10);
    }

    #[test]
    fn of_those_that_pay_the_best_come_first_and_take_half() {
        let quarantine = Quarantine::default();
        let (asked, mut quotes) = (asked(&quarantine), Quotes::default());
        for id in ids(0..2_000) {
            quotes.made(&asked, id, answer(id, Some(id.0)));
        }
        quotes.clear();
        let due = quotes.due(&asked, &ids(0..4_000));
        let (known, new): (Vec<_>, Vec<_>) = due.into_iter().partition(|(id, _)| id.0 < 2_000);
        assert_eq!((known.len(), new.len()), (MAX_QUOTES / 2, MAX_QUOTES / 2));
        assert!(known.iter().all(|(id, charged)| id.0 >= 2_000 - 256 && *charged == Some(77)));
    }

    #[test]
    fn a_quote_stands_until_what_it_depends_on_is_otherwise() {
        let mut quarantine = Quarantine::default();
        let (id, mut quotes) = (RequestId(1), Quotes::default());
        let make = |quotes: &mut Quotes, quarantine: &Quarantine| {
            quotes.made(&asked(quarantine), id, answer(id, Some(1)));
            assert!(quotes.due(&asked(quarantine), &[id]).is_empty());
        };
        make(&mut quotes, &quarantine);
        quotes.renew(id);
        assert_eq!(quotes.due(&asked(&quarantine), &[id]), [(id, Some(77))]);
        make(&mut quotes, &quarantine);
        let other = Asked { own: OwnGas { turn: 1, ..Default::default() }, ..asked(&quarantine) };
        assert_eq!(quotes.due(&other, &[id]).len(), 1, "opening the turn is at its cost");
        quarantine.failed(id, 1);
        assert_eq!(quotes.due(&asked(&quarantine), &[id]).len(), 1, "less is asked for after a failure");
        make(&mut quotes, &quarantine);
        quotes.remove(id);
        assert_eq!(quotes.due(&asked(&quarantine), &[id]), [(id, None)]);
    }
}
