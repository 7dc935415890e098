//! Batches: packed Requests as one transaction, quoted as it would be sent, and what becomes of one that fails.

use crate::{
    planner::Quote,
    pricing::Balance,
    quote::{BATCH_OVERHEAD, FEE_RUNS, Quoter, settled, with_refund},
    requests::{self, BatchEntry},
    simulator::{Job, Measured, Simulator, SimulatorError},
};
use alloy::{
    primitives::{Address, U256, map::HashMap},
    sol_types::{SolCall, SolError},
};
use errand_bindings::{IAutoToken, IRegistry};
use errand_sim::{EnvSeen, Outcome, Unknown};
use errand_types::{CallSpec, NextBlock, RequestId};
use std::collections::BTreeSet;

/// Runs of one transaction, each without what failed in the one before.
const MAX_RUNS: usize = 16;
/// Transactions that are tried in place of one that fails: its halves, their halves, and so on. One Request that
/// makes the whole fail is found among a hundred with 15.
const MAX_PARTS: usize = 32;
/// The effort that all of them may take in a look, in gas.
const MAX_EFFORT: u64 = 3_000_000_000;

/// A Request on its way into a batch.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its entry in the batch.
    pub entry: BatchEntry,
    /// What it used and earned alone.
    pub quote: Quote,
}

/// A batch that was quoted as a whole.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The transaction, gas limit included.
    pub call: CallSpec,
    /// The Requests in it.
    pub ids: Vec<RequestId>,
    /// Gas that it uses.
    pub gas: u64,
    /// What it earns and costs.
    pub balance: Balance,
    /// The highest tip that leaves its profit alone, in wei per gas.
    pub highest_tip: u128,
    /// The highest price that enough deposits cover, in wei per gas: above it Requests fail for want of money, and
    /// what is left does not pay for the whole.
    pub highest_price: u128,
    /// Whether one of its Requests pays in AUTO.
    pub paid_in_auto: bool,
}

/// What became of one transaction.
enum Tried {
    /// It is worth sending.
    Pays(Box<Batch>),
    /// The whole of it fails, or earns less than its Requests would alone: parts of it may do better.
    Fails(Vec<Candidate>),
    /// Nothing in it can be sent now.
    Nothing,
}

/// What the run of a transaction shows.
enum Ran {
    /// Each entry did or did not succeed; no outcomes: none did.
    Executes { gas_used: u64, outcomes: Vec<IRegistry::Outcome> },
    /// The whole fails.
    Fails,
    /// It cannot be included after what comes before.
    Unknown,
}

fn read(outcome: &Outcome) -> Ran {
    match outcome {
        Outcome::Success { gas_used, output, .. } => {
            match IRegistry::executeHashedReqsCall::abi_decode_returns(output) {
                Ok(outcomes) => Ran::Executes { gas_used: *gas_used, outcomes },
                Err(_) => Ran::Unknown,
            }
        }
        Outcome::Revert { gas_used, output } if IRegistry::NoneSucceeded::abi_decode(output).is_ok() => {
            Ran::Executes { gas_used: *gas_used, outcomes: Vec::new() }
        }
        Outcome::Unknown(Unknown::Predecessor | Unknown::Invalid(_)) => Ran::Unknown,
        // What cannot be read may be what one of its Requests reads: the others need not wait for it.
        Outcome::Revert { .. } | Outcome::Halt { .. } | Outcome::Unknown(_) => Ran::Fails,
    }
}

impl Quoter<'_> {
    /// Quotes packed batches as transactions after those of `pending` and after each other. What fails or does not
    /// pay is left out; a batch that fails as a whole is split, so that one Request in it cannot starve the others.
    pub async fn batches(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        pending: Vec<CallSpec>,
        packed: Vec<Vec<Candidate>>,
    ) -> Result<Vec<Batch>, SimulatorError> {
        let (mut before, mut quoter) = (pending, *self);
        let mut found = Vec::new();
        let (mut room, mut effort) = (next.gas_limit, 0);
        for candidates in packed {
            // What does not fit into the next block is planned for the one after it.
            if room == 0 || effort > MAX_EFFORT {
                break;
            }
            let mut parts = vec![candidates];
            let mut tried = 0;
            while let Some(part) = parts.pop() {
                if tried == MAX_PARTS || effort > MAX_EFFORT {
                    tracing::warn!(
                        effort,
                        parts = parts.len() + 1,
                        "too much of a batch fails; the rest waits"
                    );
                    break;
                }
                tried += 1;
                match quoter.batch(simulator, next, &before, part, &mut effort).await? {
                    Tried::Pays(batch) => {
                        quoter.own = quoter.own.after(batch.paid_in_auto);
                        before.push(batch.call.clone());
                        room = room.saturating_sub(batch.gas);
                        found.push(*batch);
                    }
                    Tried::Fails(mut part) if part.len() > 1 => {
                        let second = part.split_off(part.len().div_ceil(2));
                        parts.extend([second, part]);
                    }
                    Tried::Fails(_) | Tried::Nothing => {}
                }
            }
        }
        Ok(found)
    }

    /// Quotes one batch as one transaction after those of `before`. What it takes is added to `effort`.
    async fn batch(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        before: &[CallSpec],
        mut candidates: Vec<Candidate>,
        effort: &mut u64,
    ) -> Result<Tried, SimulatorError> {
        begin_low(&mut candidates);
        let mut fee_runs = 0;
        for _ in 0..MAX_RUNS {
            if candidates.is_empty() {
                return Ok(Tried::Nothing);
            }
            let call = self.transaction(&candidates);
            let calls = before.iter().chain([&call]).cloned().collect();
            let Measured { run, effort: own } = simulator.measure_one(next, Job::Transactions(calls)).await?;
            let predecessors: u64 = before.iter().map(|call| call.gas_limit).sum();
            *effort = effort.saturating_add(own).saturating_add(predecessors);
            let (gas_used, outcomes) = match read(&run.outcome) {
                Ran::Executes { gas_used, outcomes } => (gas_used, outcomes),
                Ran::Fails => {
                    tracing::debug!(outcome = ?run.outcome, requests = candidates.len(), "a batch fails");
                    return Ok(Tried::Fails(candidates));
                }
                Ran::Unknown => {
                    tracing::debug!(outcome = ?run.outcome, "a batch cannot be quoted now");
                    return Ok(Tried::Nothing);
                }
            };
            if outcomes.is_empty() || outcomes.iter().any(|outcome| !outcome.success) {
                self.without_failed(&mut candidates, &outcomes);
                continue;
            }
            if fee_runs < FEE_RUNS && self.settle_fees(&mut candidates, &outcomes) {
                fee_runs += 1;
                continue;
            }
            // Beside others, with less gas, a call may look at what it did not look at alone.
            if run.reads.env().intersects(EnvSeen::UNFORESEEABLE) {
                tracing::debug!(
                    requests = candidates.len(),
                    "a batch sees what only the block's builder knows"
                );
                return Ok(Tried::Fails(candidates));
            }
            let auto = self.auto_of(simulator, next, &candidates).await?;
            return Ok(self.judge(next, candidates, &outcomes, &auto, call, gas_used));
        }
        Ok(Tried::Fails(candidates))
    }

    /// Whether a batch whose entries all succeed is worth sending.
    fn judge(
        &self,
        next: &NextBlock,
        candidates: Vec<Candidate>,
        outcomes: &[IRegistry::Outcome],
        auto: &HashMap<Address, U256>,
        call: CallSpec,
        gas: u64,
    ) -> Tried {
        let Some(income) = self.income(&candidates, outcomes) else { return Tried::Nothing };
        let paid_in_auto = candidates.iter().any(|candidate| candidate.entry.entry.request.payWithAUTO);
        let balance = Balance { income, cost: self.cost(gas, paid_in_auto) };
        let least = self.rule.min_profit;
        if !balance.satisfies(least) {
            // Alone they would earn it: something in here costs the others more than it brings.
            let alone = candidates.iter().filter_map(|candidate| candidate.quote.balance.profit());
            let alone = alone.fold(U256::ZERO, U256::saturating_add);
            return if alone >= least { Tried::Fails(candidates) } else { Tried::Nothing };
        }
        let prices = self.terms.prices(next, self.gas_price);
        let highest_tip = prices.highest_tip(&balance, least);
        let mut owed: HashMap<Address, U256> = HashMap::default();
        for (candidate, outcome) in candidates.iter().zip(outcomes) {
            let request = &candidate.entry.entry.request;
            if request.payWithAUTO {
                let fees = owed.entry(request.user).or_default();
                *fees = fees.saturating_add(outcome.fee);
            }
        }
        let covered = candidates.iter().zip(outcomes).filter_map(|(candidate, outcome)| {
            let entry = &candidate.entry.entry;
            let of = |amounts: &HashMap<Address, U256>| {
                amounts.get(&entry.request.user).copied().unwrap_or_default()
            };
            let price = if entry.request.payWithAUTO {
                price_for(of(auto), of(&owed), prices.paid)
            } else {
                covered_price(candidate, outcome, prices.paid)
            };
            Some((price, self.value(entry, outcome)?))
        });
        let highest_price = highest_price(covered.collect(), &balance).max(self.gas_price);
        let ids = candidates.iter().map(|candidate| candidate.quote.id).collect();
        Tried::Pays(Box::new(Batch { call, ids, gas, balance, highest_tip, highest_price, paid_in_auto }))
    }

    /// Leaves out what failed: it costs gas. What failed with its tight limit gets the limit that it was quoted
    /// with first: a target that catches the failure of a call, or asks for gas in hand, needs more than it uses.
    /// Such entries come first, where there is most to give. No outcomes: everything failed.
    fn without_failed(&self, candidates: &mut Vec<Candidate>, outcomes: &[IRegistry::Outcome]) {
        let wide = self.wide_limit();
        let mut outcomes = outcomes.iter();
        candidates.retain_mut(|candidate| {
            let succeeded = outcomes.next().is_some_and(|outcome| outcome.success);
            let may_widen = candidate.entry.gas_limit < wide;
            if !succeeded && may_widen {
                candidate.entry.gas_limit = wide;
            }
            succeeded || may_widen
        });
        candidates.sort_by_key(|candidate| candidate.entry.gas_limit < wide);
    }

    /// The transaction for a batch, with the gas limit that it will be sent with.
    fn transaction(&self, candidates: &[Candidate]) -> CallSpec {
        let used: u64 = candidates.iter().map(|candidate| with_refund(candidate.quote.gas)).sum();
        let promised = candidates.iter().map(|candidate| candidate.entry.gas_limit).max().unwrap_or_default();
        let gas_limit = gas_limit(used, promised).min(self.limits.gas);
        let entries: Vec<_> = candidates.iter().map(|candidate| candidate.entry.clone()).collect();
        requests::batch_call(&entries, self.contracts, self.executor, gas_limit, self.gas_price)
    }

    /// Takes over what was charged where a fee is inserted. Returns whether anything has to be quoted again.
    fn settle_fees(&self, candidates: &mut [Candidate], outcomes: &[IRegistry::Outcome]) -> bool {
        let mut changed = false;
        for (Candidate { entry, .. }, outcome) in candidates.iter_mut().zip(outcomes) {
            let asked = self.asked(&entry.entry, outcome.gasCharged.saturating_to());
            if entry.entry.request.insertFeeAmount && !settled(entry.expected_gas, asked) {
                entry.expected_gas = asked;
                changed = true;
            }
        }
        changed
    }

    /// What the users of these that pay in AUTO can be charged, each in all. What cannot be read counts as nothing.
    async fn auto_of(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        candidates: &[Candidate],
    ) -> Result<HashMap<Address, U256>, SimulatorError> {
        let (token, spender) = (self.contracts.auto_token, self.contracts.auto_payments);
        let requests = candidates.iter().map(|candidate| &candidate.entry.entry.request);
        let users: BTreeSet<Address> =
            requests.filter(|request| request.payWithAUTO).map(|request| request.user).collect();
        let mut auto = HashMap::default();
        for user in users {
            let balance = IAutoToken::balanceOfCall { account: user };
            let balance = simulator.view(next, token, balance).await?.unwrap_or_default();
            let allowance = IAutoToken::allowanceCall { owner: user, spender };
            let allowance = simulator.view(next, token, allowance).await?.unwrap_or_default();
            auto.insert(user, balance.min(allowance));
        }
        Ok(auto)
    }

    fn income(&self, candidates: &[Candidate], outcomes: &[IRegistry::Outcome]) -> Option<U256> {
        candidates.iter().zip(outcomes).try_fold(U256::ZERO, |sum, (candidate, outcome)| {
            sum.checked_add(self.value(&candidate.entry.entry, outcome)?)
        })
    }
}

/// Gas for entries that use `used`, each of whose frames is promised no more than `promised`: the last one must still
/// be, and one part in 64 stays behind.
const fn gas_limit(used: u64, promised: u64) -> u64 {
    used + promised + promised / 63 + BATCH_OVERHEAD
}

/// The gas of the transaction that executes a Request alone.
pub(crate) const fn gas_alone(quote: &Quote) -> u64 {
    gas_limit(with_refund(quote.gas), quote.gas_limit)
}

/// Beside others a Request is charged less than alone, and the Registry refuses an inserted fee that is too high:
/// begin low, then take what was charged.
fn begin_low(candidates: &mut [Candidate]) {
    if candidates.len() > 1 {
        for Candidate { entry, .. } in candidates {
            if entry.entry.request.insertFeeAmount {
                entry.expected_gas = crate::check::FIRST_EXPECTED_GAS;
            }
        }
    }
}

/// The price per gas up to which a Request's deposit covers its fee, which is known to be covered at `paid`. There
/// is none where the target sends what the deposit lacks.
fn covered_price(candidate: &Candidate, outcome: &IRegistry::Outcome, paid: u128) -> u128 {
    let request = &candidate.entry.entry.request;
    let deposit = U256::from(request.initEthSent).saturating_sub(U256::from(request.ethForCall));
    if deposit < outcome.fee {
        return u128::MAX;
    }
    price_for(deposit, outcome.fee, paid)
}

/// The price per gas at which a fee that is `fee` at the price `paid` takes all that is `there`.
fn price_for(there: U256, fee: U256, paid: u128) -> u128 {
    let price = there.saturating_mul(U256::from(paid)).checked_div(fee);
    price.map_or(u128::MAX, |price| u128::try_from(price).unwrap_or(u128::MAX))
}

/// The price up to which those pay for the whole that still can; of each Request the price that it covers, and its
/// income at the quoted one. Income and cost rise alike with the price, so that the quoted ones can be compared.
fn highest_price(mut covered: Vec<(u128, U256)>, balance: &Balance) -> u128 {
    covered.sort_unstable();
    let mut income = balance.income;
    for (price, share) in covered {
        income = income.saturating_sub(share);
        if income < balance.cost {
            return price;
        }
    }
    u128::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_worth_its_price_as_long_as_enough_deposits_cover_it() {
        let covered =
            |prices: &[u128]| prices.iter().map(|price| (*price, U256::from(13))).collect::<Vec<_>>();
        let balance = |count: u64| Balance { income: U256::from(13 * count), cost: U256::from(10 * count) };
        assert_eq!(highest_price(covered(&[70]), &balance(1)), 70);
        // One of five may fail, two may not.
        assert_eq!(highest_price(covered(&[90, 20, 70, 80, u128::MAX]), &balance(5)), 70);
        assert_eq!(highest_price(covered(&[u128::MAX; 3]), &balance(3)), u128::MAX);
    }
}
