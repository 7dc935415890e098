//! Quotes: a Request as a transaction of its own in simulation: exact gas, fee and profit.

use crate::{
    book::Outstanding,
    check::FIRST_EXPECTED_GAS,
    contracts::Contracts,
    planner::{BatchLimits, Quote},
    pricing::{Balance, EXPECTED_GAS_PERCENT, OwnGas, ProfitRule},
    quarantine::Quarantine,
    requests::{self, BatchEntry},
    simulator::{Job, Measured, Simulator, SimulatorError},
    turn::Terms,
};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::{SolCall, SolError},
};
use errand_bindings::IRegistry;
use errand_sim::{EnvSeen, Outcome, ReadSet, Run};
use errand_types::NextBlock;

/// Percent of the gas that is asked for less after each failure on chain, and at most. What is left of a premium of
/// 30 % still pays for the gas.
const LESS_PER_FAILURE: u32 = 8;
const LESS_AT_MOST: u32 = 16;
/// Runs after which a fee that is inserted must have settled.
pub const FEE_RUNS: usize = 3;
/// Gas of a transaction beside its entries: its base, the gate, the payout, what is kept in reserve.
pub(crate) const BATCH_OVERHEAD: u64 = 250_000;
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

impl Quoted {
    /// The quote of what executes.
    pub fn executes(self) -> Option<Quote> {
        match self {
            Self::Executes(quote) => Some(quote),
            _ => None,
        }
    }
}

/// A quote, and what it took to make it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What it came to; `None`: the inserted fee does not settle.
    pub(crate) quoted: Option<Quoted>,
    /// What that depends on.
    pub reads: ReadSet,
    /// The gas that was simulated for it, what was loaded for it included.
    pub effort: u64,
}

impl Answer {
    /// Whether the inserted fee settled, if there is one.
    pub const fn is_settled(&self) -> bool {
        self.quoted.is_some()
    }

    /// What the quote came to.
    pub fn quoted(self) -> Quoted {
        self.quoted.unwrap_or_else(|| Quoted::Unknown("the inserted fee does not settle".to_owned()))
    }
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
    /// Gas that is the executor's own cost and not the Requests'.
    pub own: OwnGas,
    /// What failed on chain before.
    pub quarantine: &'a Quarantine,
}

impl Quoter<'_> {
    /// Quotes each Request alone. `expected` is the gas that the last quote of it charged, where there is one.
    pub async fn each(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        entries: &[(Outstanding, Option<u64>)],
    ) -> Result<Vec<Answer>, SimulatorError> {
        let mut expected: Vec<u64> =
            entries.iter().map(|(_, gas)| gas.unwrap_or(FIRST_EXPECTED_GAS)).collect();
        let mut answers: Vec<Answer> = entries.iter().map(|_| Answer::default()).collect();
        for _ in 0..FEE_RUNS {
            let open: Vec<usize> = (0..entries.len())
                .filter(|i| answers.get(*i).is_some_and(|answer| answer.quoted.is_none()))
                .collect();
            let jobs = open
                .iter()
                .filter_map(|i| Some(self.alone(&entries.get(*i)?.0, *expected.get(*i)?)))
                .collect::<Vec<_>>();
            let runs = simulator.measure(next, &jobs).await?;
            for (i, Measured { run, effort }) in open.into_iter().zip(runs) {
                let (Some((entry, _)), Some(gas), Some(answer)) =
                    (entries.get(i), expected.get_mut(i), answers.get_mut(i))
                else {
                    continue;
                };
                answer.quoted = self.read_alone(entry, gas, &run);
                answer.effort = answer.effort.saturating_add(effort);
                answer.reads = run.reads;
            }
        }
        Ok(answers)
    }

    /// The limit with which a frame is quoted first: more than a target should need.
    pub(crate) fn wide_limit(&self) -> u64 {
        requests::CHECK_GAS.min(self.limits.gas.saturating_sub(BATCH_OVERHEAD))
    }

    /// A batch of one, with gas that the executor may have no ETH for: the batch that is sent has less.
    fn alone(&self, entry: &Outstanding, expected_gas: u64) -> Job {
        let entry = BatchEntry { entry: entry.clone(), expected_gas, gas_limit: self.wide_limit() };
        Job::Afforded(vec![requests::batch_call(
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
        if run.reads.env().intersects(EnvSeen::UNFORESEEABLE) {
            return Some(Quoted::Unknown("it depends on what only the block's builder knows".to_owned()));
        }
        let outcomes = IRegistry::executeHashedReqsCall::abi_decode_returns(output).unwrap_or_default();
        let Some(outcome) = outcomes.first() else {
            return Some(Quoted::Unknown("the Registry's answer does not decode".into()));
        };
        let charged = outcome.gasCharged.saturating_to::<u64>();
        let asked = self.asked(entry, charged);
        if entry.request.insertFeeAmount && !settled(*expected_gas, asked) {
            *expected_gas = asked;
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
            balance: Balance { income, cost: self.cost(gas_used, entry.request.payWithAUTO) },
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
                *expected_gas = self.asked(entry, error.gasCharged.saturating_to());
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

    /// What a transaction costs its Requests, in wei.
    pub(crate) fn cost(&self, gas_used: u64, paid_in_auto: bool) -> U256 {
        U256::from(gas_used.saturating_sub(self.own.of(paid_in_auto))) * U256::from(self.gas_price)
    }

    /// The gas to ask for where a simulation charges `charged` and the fee is inserted: less after each failure on
    /// chain, its own or of another at the same target. A trade before it in the same block can spare a Request gas,
    /// and then the Registry refuses what was charged in simulation as too high.
    pub(crate) fn asked(&self, entry: &Outstanding, charged: u64) -> u64 {
        let alike = self.quarantine.fee_failures(entry.request.target);
        let failures = self.quarantine.failures(entry.id).max(alike);
        let percent = failures.saturating_mul(LESS_PER_FAILURE).min(LESS_AT_MOST);
        charged - charged / 100 * u64::from(percent)
    }

    /// What a fee is worth in wei.
    pub(crate) fn value(&self, entry: &Outstanding, outcome: &IRegistry::Outcome) -> Option<U256> {
        if entry.request.payWithAUTO {
            self.rule.auto_value.in_wei(outcome.fee, self.terms.auto_per_eth)
        } else {
            Some(outcome.fee)
        }
    }
}

/// Whether the Registry takes `expected` for `asked`, and the executor does not give away more than 1 %.
pub(crate) fn settled(expected: u64, asked: u64) -> bool {
    let (expected, asked) = (u128::from(expected), u128::from(asked));
    expected * 100 <= asked * u128::from(EXPECTED_GAS_PERCENT) && expected * 100 >= asked * 99
}

/// Gas before the EVM's refund, which is at most a fifth of it.
pub(crate) const fn with_refund(gas: u64) -> u64 {
    gas + gas / 4
}
