//! Quotes: the whole transaction in simulation, as it would be sent: exact gas, fees and profit.

use crate::{
    book::Outstanding,
    check::FIRST_EXPECTED_GAS,
    contracts::Contracts,
    planner::{BatchLimits, Quote},
    pricing::{Balance, EXPECTED_GAS_PERCENT, ProfitRule},
    requests::{self, BatchEntry},
    simulator::{Job, Simulator, SimulatorError},
    turn::Terms,
};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::{SolCall, SolError},
};
use errand_bindings::IRegistry;
use errand_sim::{EnvSeen, Outcome, Run};
use errand_types::{CallSpec, NextBlock, RequestId};

/// Runs after which a fee that is inserted must have settled.
const FEE_RUNS: usize = 4;
/// Gas of a transaction beside its entries: its base, the gate, the payout, what is kept in reserve.
const BATCH_OVERHEAD: u64 = 250_000;
/// Gas of an entry's frame beside what the execution uses: a refund keeps 45,000 in reserve.
const FRAME_MARGIN: u64 = 80_000;

/// What a quote of one Request came to.
#[derive(Clone, Debug)]
pub enum Quoted {
    /// It executes.
    Executes(Quote),
    /// It fails; the Registry's error.
    Fails(Bytes),
    /// It could not be run, or the fee did not settle.
    Unknown(String),
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
}

/// By what is quoted.
#[derive(Clone, Copy, Debug)]
pub struct Quoter<'a> {
    /// The contracts.
    pub contracts: &'a Contracts,
    /// The Registry's terms.
    pub terms: &'a Terms,
    /// Who executes.
    pub executor: Address,
    /// What the operator asks of work.
    pub rule: &'a ProfitRule,
    /// Limits on a batch.
    pub limits: BatchLimits,
    /// What the transaction pays, in wei per gas.
    pub gas_price: u128,
    /// Gas of the turn's first transaction that is the turn's cost and not the Requests'.
    pub opening_gas: u64,
}

impl Quoter<'_> {
    /// Quotes each Request alone. `expected` is the gas that the last quote of it charged, where there is one.
    pub async fn each(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        entries: &[(Outstanding, Option<u64>)],
    ) -> Result<Vec<Quoted>, SimulatorError> {
        let mut expected: Vec<u64> =
            entries.iter().map(|(_, gas)| gas.unwrap_or(FIRST_EXPECTED_GAS)).collect();
        let mut quoted: Vec<Option<Quoted>> = vec![None; entries.len()];
        for _ in 0..FEE_RUNS {
            let open: Vec<usize> =
                (0..entries.len()).filter(|i| matches!(quoted.get(*i), Some(None))).collect();
            let jobs = open
                .iter()
                .filter_map(|i| Some(self.alone(&entries.get(*i)?.0, *expected.get(*i)?)))
                .collect::<Vec<_>>();
            let runs = simulator.run_all(next, &jobs).await?;
            for (i, run) in open.into_iter().zip(runs) {
                let (Some((entry, _)), Some(gas), Some(slot)) =
                    (entries.get(i), expected.get_mut(i), quoted.get_mut(i))
                else {
                    continue;
                };
                *slot = self.read_alone(entry, gas, &run);
            }
        }
        Ok(quoted
            .into_iter()
            .map(|quoted| {
                quoted.unwrap_or_else(|| Quoted::Unknown("the inserted fee does not settle".into()))
            })
            .collect())
    }

    /// Quotes a batch as one transaction after those of `before`. What fails or does not pay in it is left
    /// out; `None` when nothing is left, or what is left does not satisfy the rule.
    pub async fn batch(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        before: &[CallSpec],
        mut entries: Vec<(BatchEntry, u64)>,
    ) -> Result<Option<Batch>, SimulatorError> {
        // Beside others a Request is charged less than alone, and the Registry refuses what is too high: begin
        // low, then take what was charged.
        if entries.len() > 1 {
            for (entry, _) in entries.iter_mut().filter(|(entry, _)| entry.entry.request.insertFeeAmount) {
                entry.expected_gas = FIRST_EXPECTED_GAS;
            }
        }
        let mut fee_runs = 0;
        while !entries.is_empty() {
            let call = self.transaction(&entries);
            let mut calls = before.to_vec();
            calls.push(call.clone());
            let run = simulator.run_one(next, Job::Transactions(calls)).await?;
            let Outcome::Success { gas_used, output, .. } = &run.outcome else {
                tracing::debug!(outcome = ?run.outcome, "a batch does not execute");
                return Ok(None);
            };
            let Ok(outcomes) = IRegistry::executeHashedReqsCall::abi_decode_returns(output) else {
                return Ok(None);
            };
            if outcomes.iter().any(|outcome| !outcome.success) {
                // What failed costs gas: quote again without it.
                let mut kept = outcomes.iter().map(|outcome| outcome.success);
                entries.retain(|_| kept.next().unwrap_or(false));
                continue;
            }
            if fee_runs < FEE_RUNS && settle_fees(&mut entries, &outcomes) {
                fee_runs += 1;
                continue;
            }
            let Some(income) = self.income(&entries, &outcomes) else { return Ok(None) };
            let balance = Balance { income, cost: self.cost(*gas_used) };
            let ids = entries.iter().map(|(entry, _)| entry.entry.id).collect();
            let pays = balance.satisfies(self.rule.min_profit);
            return Ok(pays.then_some(Batch { call, ids, gas: *gas_used, balance }));
        }
        Ok(None)
    }

    /// The transaction for a batch, with the gas limit that it will be sent with.
    fn transaction(&self, entries: &[(BatchEntry, u64)]) -> CallSpec {
        let used: u64 = entries.iter().map(|(_, gas)| with_refund(*gas)).sum();
        // The last entry's frame must still be promised its whole limit.
        let promised = entries.iter().map(|(entry, _)| entry.gas_limit).max().unwrap_or_default();
        let gas_limit = (used + promised + BATCH_OVERHEAD).min(self.limits.gas);
        let entries: Vec<_> = entries.iter().map(|(entry, _)| entry.clone()).collect();
        requests::batch_call(&entries, self.contracts, self.executor, gas_limit, self.gas_price)
    }

    /// A batch of one.
    fn alone(&self, entry: &Outstanding, expected_gas: u64) -> Job {
        let gas_limit = requests::CHECK_GAS.min(self.limits.gas.saturating_sub(BATCH_OVERHEAD));
        let entry = BatchEntry { entry: entry.clone(), expected_gas, gas_limit };
        Job::Transactions(vec![requests::batch_call(
            &[entry],
            self.contracts,
            self.executor,
            self.limits.gas,
            self.gas_price,
        )])
    }

    /// Reads the run of a batch of one; `None` asks for another run with the new `expected_gas`.
    fn read_alone(&self, entry: &Outstanding, expected_gas: &mut u64, run: &Run) -> Option<Quoted> {
        let (gas_used, output) = match &run.outcome {
            Outcome::Success { gas_used, output, .. } => (*gas_used, output),
            Outcome::Revert { output, .. } => return self.read_failure(entry, expected_gas, output),
            Outcome::Halt { reason, .. } => {
                return Some(Quoted::Unknown(format!("the transaction halts: {reason:?}")));
            }
            Outcome::Unknown(unknown) => return Some(Quoted::Unknown(unknown.to_string())),
        };
        if run.reads.env().intersects(EnvSeen::PREV_RANDAO | EnvSeen::COINBASE | EnvSeen::BLOB_BASE_FEE) {
            return Some(Quoted::Unknown("it depends on what only the block's builder knows".to_owned()));
        }
        let outcomes = IRegistry::executeHashedReqsCall::abi_decode_returns(output).unwrap_or_default();
        let Some(outcome) = outcomes.first() else {
            return Some(Quoted::Unknown("the Registry's answer does not decode".into()));
        };
        let charged = outcome.gasCharged.saturating_to::<u64>();
        if entry.request.insertFeeAmount && !settled(*expected_gas, charged) {
            *expected_gas = charged;
            return None;
        }
        let Some(income) = self.value(entry, outcome) else {
            return Some(Quoted::Unknown("the price of AUTO is not known".into()));
        };
        Some(Quoted::Executes(Quote {
            id: entry.id,
            gas: gas_used,
            gas_limit: with_refund(gas_used) + FRAME_MARGIN,
            expected_gas: if entry.request.insertFeeAmount { *expected_gas } else { charged },
            balance: Balance { income, cost: self.cost(gas_used) },
        }))
    }

    /// A failed batch of one: `expectedGas` may merely have been too high.
    fn read_failure(&self, entry: &Outstanding, expected_gas: &mut u64, output: &Bytes) -> Option<Quoted> {
        let reason = match IRegistry::NoneSucceeded::abi_decode(output) {
            Ok(none) => none.reason,
            Err(_) => return Some(Quoted::Fails(output.clone())),
        };
        match IRegistry::ExpectedGasTooHigh::abi_decode(&reason) {
            Ok(error) if entry.request.insertFeeAmount => {
                *expected_gas = error.gasCharged.saturating_to();
                None
            }
            // What an earlier quote was charged may be too much now.
            _ if entry.request.insertFeeAmount && *expected_gas > FIRST_EXPECTED_GAS => {
                *expected_gas = FIRST_EXPECTED_GAS;
                None
            }
            _ => Some(Quoted::Fails(reason)),
        }
    }

    fn income(&self, entries: &[(BatchEntry, u64)], outcomes: &[IRegistry::Outcome]) -> Option<U256> {
        entries.iter().zip(outcomes).try_fold(U256::ZERO, |sum, ((entry, _), outcome)| {
            sum.checked_add(self.value(&entry.entry, outcome)?)
        })
    }

    /// What a transaction costs its Requests, in wei.
    fn cost(&self, gas_used: u64) -> U256 {
        U256::from(gas_used.saturating_sub(self.opening_gas)) * U256::from(self.gas_price)
    }

    /// What a fee is worth in wei.
    fn value(&self, entry: &Outstanding, outcome: &IRegistry::Outcome) -> Option<U256> {
        if entry.request.payWithAUTO {
            self.rule.auto_value.in_wei(outcome.fee, self.terms.auto_per_eth)
        } else {
            Some(outcome.fee)
        }
    }
}

/// Takes over what was charged where a fee is inserted. Returns whether anything has to be quoted again.
fn settle_fees(entries: &mut [(BatchEntry, u64)], outcomes: &[IRegistry::Outcome]) -> bool {
    let mut changed = false;
    for ((entry, _), outcome) in entries.iter_mut().zip(outcomes) {
        let charged = outcome.gasCharged.saturating_to();
        if entry.entry.request.insertFeeAmount && !settled(entry.expected_gas, charged) {
            entry.expected_gas = charged;
            changed = true;
        }
    }
    changed
}

/// Whether the Registry takes `expected` for `charged`, and the executor does not give away more than 1 %.
fn settled(expected: u64, charged: u64) -> bool {
    let (expected, charged) = (u128::from(expected), u128::from(charged));
    expected * 100 <= charged * u128::from(EXPECTED_GAS_PERCENT) && expected * 100 >= charged * 99
}

/// Gas before the EVM's refund, which is at most a fifth of it.
const fn with_refund(gas: u64) -> u64 {
    gas + gas / 4
}
