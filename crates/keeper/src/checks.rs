//! The checks of all that is outstanding: which stand, and which are made again.
//!
//! What a stranger's Request costs to check is bounded twice. A check that stands keeps what it depends on and not
//! what the call returned. And Requests that take much share a fixed effort per look: each gets its share of it,
//! so that one that takes little does not wait for a thousand that burn all the gas they get.

use crate::{
    book::Outstanding,
    check::{Checker, FIRST_EXPECTED_GAS},
    simulator::{Simulator, SimulatorError},
};
use alloy::primitives::map::HashMap;
use errand_sim::{Changes, Environment, ReadSet};
use errand_types::{NextBlock, RequestId};

/// The effort of a check, in gas, up to which it is made whenever it has to be.
const CHEAP: u64 = 250_000;
/// What all that takes more may take in a look together: about a second.
const DEAR_EFFORT: u64 = 250_000_000;
/// Requests of which it is not known what they take are checked so many at a time; more when they prove cheap.
const FIRST_CHUNK: usize = 128;
const LAST_CHUNK: usize = 1_024;

/// A check that stands.
#[derive(Debug)]
struct Standing {
    reads: ReadSet,
    environment: Environment,
    may_execute: bool,
    /// The call carries a fee, which follows the base fee.
    carries_fee: bool,
}

impl Standing {
    /// Whether the outcome is still true after `changes`, in `environment`.
    fn stands(&self, changes: &Changes, environment: &Environment) -> bool {
        let fee_stands = !self.carries_fee || self.environment == *environment;
        fee_stands && self.reads.is_valid(changes, &self.environment, environment)
    }
}

/// A Request whose check takes much.
#[derive(Clone, Copy, Debug)]
struct Dear {
    effort: u64,
    /// What it has had, on the common scale of all such: the least comes first.
    had: u64,
}

/// The last checks of all outstanding Requests. A check stands as long as nothing that it read has changed.
#[derive(Debug, Default)]
pub struct Checks {
    standing: HashMap<RequestId, Standing>,
    dear: HashMap<RequestId, Dear>,
    /// What the one that came first in the last look had had: who is new begins here.
    had: u64,
    is_unfinished: bool,
}

impl Checks {
    /// The Requests whose quote is worth making.
    pub fn executable(&self) -> impl Iterator<Item = RequestId> {
        self.standing.iter().filter(|(_, check)| check.may_execute).map(|(id, _)| *id)
    }

    /// Of how many Requests it is known whether their call would succeed.
    pub fn known(&self) -> usize {
        self.standing.len()
    }

    /// Whether there are Requests that have never been checked, for lack of time.
    pub const fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// What the standing checks depend on.
    pub fn reads(&self) -> impl Iterator<Item = &ReadSet> {
        self.standing.values().map(|check| &check.reads)
    }

    /// A Request has changed: its check does not stand.
    pub fn renew(&mut self, id: RequestId) {
        self.standing.remove(&id);
    }

    /// Forgets a Request.
    pub fn remove(&mut self, id: RequestId) {
        self.standing.remove(&id);
        self.dear.remove(&id);
    }

    /// No check stands any more.
    pub fn clear(&mut self) {
        self.standing.clear();
    }

    /// Drops what the changes of the state, or the next block's environment, may have made untrue.
    pub fn invalidate(&mut self, changes: &Changes, environment: &Environment) {
        self.standing.retain(|_, check| check.stands(changes, environment));
    }

    /// Checks the Requests that have no standing check, as far as the look's effort reaches. Returns how many were
    /// checked.
    pub async fn refresh<'a>(
        &mut self,
        checker: &Checker<'_>,
        simulator: &mut Simulator,
        next: &NextBlock,
        outstanding: impl Iterator<Item = &'a Outstanding>,
    ) -> Result<usize, SimulatorError> {
        let dirty = outstanding.filter(|entry| !self.standing.contains_key(&entry.id));
        let (dear, cheap): (Vec<_>, Vec<_>) = dirty.partition(|entry| self.dear.contains_key(&entry.id));
        let (mut cheap, mut left, mut size) = (cheap.as_slice(), DEAR_EFFORT, FIRST_CHUNK);
        let mut checked = 0;
        while !cheap.is_empty() && left > 0 {
            let (chunk, rest) = cheap.split_at_checked(size).unwrap_or((cheap, &[]));
            let dear = self.check(checker, simulator, next, chunk).await?;
            checked += chunk.len();
            left = left.saturating_sub(dear);
            size = if dear == 0 { (size * 2).min(LAST_CHUNK) } else { FIRST_CHUNK };
            cheap = rest;
        }
        self.is_unfinished = !cheap.is_empty();
        let dear = self.affordable(dear);
        self.check(checker, simulator, next, &dear).await?;
        Ok(checked + dear.len())
    }

    /// Those that are next, within the effort of a look; one at least.
    fn affordable<'a>(&mut self, mut dear: Vec<&'a Outstanding>) -> Vec<&'a Outstanding> {
        let of = |id| self.dear.get(&id).copied().unwrap_or(Dear { effort: 0, had: 0 });
        dear.sort_by_key(|entry| (of(entry.id).had, entry.id));
        if let Some(first) = dear.first() {
            self.had = self.had.max(of(first.id).had);
        }
        let mut effort = 0u64;
        let is_within = |entry: &&Outstanding| {
            let before = effort;
            effort = effort.saturating_add(of(entry.id).effort);
            before == 0 || effort <= DEAR_EFFORT
        };
        let count = dear.iter().copied().take_while(is_within).count();
        dear.truncate(count);
        dear
    }

    /// Checks these. Returns the effort of those that took much.
    async fn check(
        &mut self,
        checker: &Checker<'_>,
        simulator: &mut Simulator,
        next: &NextBlock,
        entries: &[&Outstanding],
    ) -> Result<u64, SimulatorError> {
        let jobs: Vec<_> = entries.iter().map(|entry| checker.job(entry, next, FIRST_EXPECTED_GAS)).collect();
        let mut dear = 0u64;
        for (entry, measured) in entries.iter().zip(simulator.measure(next, &jobs).await?) {
            if self.took(entry.id, measured.effort) {
                dear = dear.saturating_add(measured.effort);
            }
            let verdict = checker.verdict(simulator.mirror(), entry, &measured.run);
            if verdict.is_known() {
                self.standing.insert(
                    entry.id,
                    Standing {
                        reads: measured.run.reads,
                        environment: checker.environment(next),
                        may_execute: verdict.may_execute(),
                        carries_fee: entry.request.insertFeeAmount,
                    },
                );
            }
        }
        Ok(dear)
    }

    /// Notes what a check took. Returns whether that is much.
    fn took(&mut self, id: RequestId, effort: u64) -> bool {
        if effort <= CHEAP {
            self.dear.remove(&id);
            return false;
        }
        let had = self.dear.get(&id).map_or(self.had, |dear| dear.had.max(self.had));
        self.dear.insert(id, Dear { effort, had: had.saturating_add(effort) });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Outstanding;

    fn outstanding(id: u64) -> Outstanding {
        Outstanding { id: RequestId(id), request: Default::default(), added_at: 0, last_executed_at: None }
    }

    #[test]
    fn one_that_takes_little_does_not_wait_for_a_thousand_that_burn_gas() {
        let entries: Vec<_> = (0..=1_000).map(outstanding).collect();
        let mut checks = Checks::default();
        let effort = |id: RequestId| if id.0 == 1_000 { 300_000 } else { 8_000_000 };
        for entry in &entries {
            assert!(checks.took(entry.id, effort(entry.id)));
        }
        let (mut looks_of_modest, mut looks_of_first) = (0, 0);
        for _ in 0..320 {
            let due = checks.affordable(entries.iter().collect());
            let total: u64 = due.iter().map(|entry| effort(entry.id)).sum();
            assert!(total <= DEAR_EFFORT && !due.is_empty());
            looks_of_modest += u64::from(due.iter().any(|entry| entry.id.0 == 1_000));
            looks_of_first += u64::from(due.iter().any(|entry| entry.id.0 == 0));
            for entry in due {
                checks.took(entry.id, effort(entry.id));
            }
        }
        assert!(looks_of_first >= 8, "each comes: {looks_of_first}");
        assert!(looks_of_modest >= 20 * looks_of_first, "{looks_of_modest} against {looks_of_first}");
    }

    #[test]
    fn one_that_takes_more_than_a_look_has_is_checked_alone() {
        let entries = [outstanding(1), outstanding(2)];
        let mut checks = Checks::default();
        entries.iter().for_each(|entry| assert!(checks.took(entry.id, 2 * DEAR_EFFORT)));
        assert_eq!(checks.affordable(entries.iter().collect()).len(), 1);
        assert!(!checks.took(RequestId(1), CHEAP), "what has become cheap is free");
    }
}
