//! Checks: whether a Request's call would succeed now, and what that depends on.

use crate::{
    book::Outstanding,
    contracts::Contracts,
    requests,
    simulator::{Job, Simulator, SimulatorError},
    turn::Terms,
};
use alloy::primitives::{Address, Bytes};
use errand_sim::{AccountUse, EnvSeen, Environment, HaltReason, Mirror, Outcome, ReadSet, Run};
use errand_types::NextBlock;
use serde::Serialize;

/// Gas for which a fee is inserted before a quote says better. Less than is ever charged: a fee that is too low
/// succeeds and tells what is charged, one that is too high fails for reasons of its own.
pub const FIRST_EXPECTED_GAS: u64 = 21_000;

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The call succeeds.
    Succeeds,
    /// The call reverts: the Request waits.
    Waits {
        /// The target's revert data.
        reason: Bytes,
    },
    /// The call runs out of gas or does what the EVM forbids.
    Halts {
        /// What happened.
        reason: HaltReason,
    },
    /// The call saw something that only the whole transaction can show: the quote decides.
    Undecided,
    /// The call could not be run. Never taken for a failure.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Whether the call could be run.
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }

    /// Whether a quote is worth making.
    pub const fn may_execute(&self) -> bool {
        matches!(self, Self::Succeeds | Self::Undecided)
    }
}

/// A Request's check, with all that it shows.
#[derive(Clone, Debug)]
pub struct Check {
    /// The run of the target's frame, with what it read.
    pub run: Run,
    /// What it says.
    pub verdict: Verdict,
}

/// Who checks, and under what terms.
#[derive(Clone, Copy, Debug)]
pub struct Checker<'a> {
    /// The contracts.
    pub contracts: &'a Contracts,
    /// The Registry's terms.
    pub terms: &'a Terms,
    /// The executor: what ORIGIN returns.
    pub executor: Address,
    /// What GASPRICE returns, in wei per gas.
    pub gas_price: u128,
}

impl Checker<'_> {
    /// The target's frame for a Request.
    pub fn job(&self, entry: &Outstanding, next: &NextBlock, expected_gas: u64) -> Job {
        let price = self.terms.paid_gas_price(next, self.gas_price);
        let fee = requests::inserted_fee(entry, expected_gas, price, self.terms.auto_per_eth);
        let call = requests::check_call(entry, self.contracts, self.executor, self.gas_price, fee);
        Job::Frame { call, transient: vec![requests::calling(self.contracts)] }
    }

    /// What the frame runs in.
    pub const fn environment(&self, next: &NextBlock) -> Environment {
        Environment { block: *next, gas_price: self.gas_price }
    }

    /// Reads the verdict from the run of a target's frame.
    pub fn verdict(&self, mirror: &Mirror, entry: &Outstanding, run: &Run) -> Verdict {
        match &run.outcome {
            Outcome::Unknown(unknown) => Verdict::Unknown { reason: unknown.to_string() },
            _ if self.needs_transaction(mirror, entry, &run.reads) => Verdict::Undecided,
            Outcome::Success { .. } => Verdict::Succeeds,
            Outcome::Revert { output, .. } => Verdict::Waits { reason: output.clone() },
            Outcome::Halt { reason, .. } => Verdict::Halts { reason: *reason },
        }
    }

    /// Whether the run saw something that is otherwise in the whole transaction than in the frame alone.
    fn needs_transaction(&self, mirror: &Mirror, entry: &Outstanding, reads: &ReadSet) -> bool {
        let request = &entry.request;
        let forwarder = self.contracts.forwarder(request.verifyUser, request.insertFeeAmount);
        let paid = [forwarder, self.contracts.registry, self.executor];
        let part = [self.contracts.registry, self.contracts.auto_payments, self.terms.gate];
        let account = |address: &Address| mirror.account_id(*address);
        reads.env().intersects(EnvSeen::ORIGIN | EnvSeen::GAS | EnvSeen::GAS_PRICE)
            || paid
                .iter()
                .filter_map(account)
                .any(|id| reads.account(id).is_some_and(|used| used.intersects(AccountUse::BALANCE)))
            || part.iter().filter_map(account).any(|id| reads.entered(id))
    }

    /// Checks one Request.
    pub async fn check(
        &self,
        simulator: &mut Simulator,
        next: &NextBlock,
        entry: &Outstanding,
    ) -> Result<Check, SimulatorError> {
        let run = simulator.run_one(next, self.job(entry, next, FIRST_EXPECTED_GAS)).await?;
        let verdict = self.verdict(simulator.mirror(), entry, &run);
        Ok(Check { run, verdict })
    }
}
