//! What to do about a bundle now, and if nothing, why.

use super::{
    book::Entry,
    bound::status_name,
    contracts::{BundleContracts, BundlePolicy},
    facts::{Facts, Holder},
    hindrance::Hindrance,
    leaves::Content,
};
use crate::{
    engine::Policy,
    pricing::Balance,
    simulator::{Job, Simulator, SimulatorError},
};
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolCall,
};
use errand_bindings::{
    IChugSplashManager::{self, Status},
    ISimpleLockESS,
};
use errand_sim::Outcome;
use errand_types::{CallSpec, NextBlock, WorkId, WorkKind};
use serde::Serialize;
use std::fmt;

/// Gas of taking money back, at most.
const SETTLE_GAS: u64 = 400_000;

/// What is done about a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It is claimed with a bond.
    Claim,
    /// Its next actions are executed.
    Execute,
    /// Congestion is noted, so that the bond is not lost.
    NoteCongestion,
    /// A strategy that changed is noted, so that the bond is not lost.
    NoteUnsound,
    /// A lock that is over is settled: the bond comes back.
    Settle,
    /// What the selection strategy owes is taken.
    Withdraw,
    /// What the project owes is taken.
    WithdrawOwed,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claim => "claim",
            Self::Execute => "execute",
            Self::NoteCongestion => "note the congestion",
            Self::NoteUnsound => "note the changed strategy",
            Self::Settle => "take the bond back",
            Self::Withdraw => "withdraw from the selection strategy",
            Self::WithdrawOwed => "withdraw from the project",
        })
    }
}

impl Step {
    /// What a transaction of this step, about a bundle and sent to `to`, has to itself.
    fn work(self, id: B256, to: Address) -> WorkId {
        let duty = |id| WorkId { kind: WorkKind::Duty, id };
        match self {
            // One at a time: each builds on what the one before did.
            Self::Claim | Self::Execute => WorkId { kind: WorkKind::Bundle, id },
            Self::NoteCongestion | Self::NoteUnsound => {
                duty(keccak256([id.as_slice(), &[self as u8]].concat()))
            }
            // What a contract owes it owes for all bundles together: taken twice, the second time is in vain.
            Self::Settle | Self::Withdraw | Self::WithdrawOwed => duty(to.into_word()),
        }
    }
}

/// A transaction that is to be sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of which bundle.
    pub bundle: B256,
    /// What it does.
    pub step: Step,
    /// It.
    pub call: CallSpec,
    /// What no other transaction may do meanwhile.
    pub work: WorkId,
    /// Gas that it uses.
    pub gas: u64,
    /// What it earns and costs; of a claim, the whole bundle.
    pub balance: Balance,
    /// The tip that it offers first.
    pub tip: u128,
    /// Highest price per gas that it may offer.
    pub max_gas_price: u128,
    /// Highest tip.
    pub max_tip: u128,
    /// The last block in which it is any good.
    pub until_block: Option<u64>,
    /// Wei that it puts at risk.
    pub bond: U256,
}

/// What is found about a bundle.
#[derive(Clone, Debug)]
pub enum Finding {
    /// A transaction is worth sending.
    Act(Box<Plan>),
    /// Nothing is to be done now.
    Wait(Hindrance),
    /// Nothing will ever be.
    Done,
}

impl Finding {
    /// What follows from a status in which nothing is executed.
    pub(in crate::bundles) const fn of_status(status: Status) -> Self {
        match status {
            Status::COMPLETED | Status::FAILED | Status::CANCELLED => Self::Done,
            _ => Self::Wait(Hindrance::Status { status: status_name(status) }),
        }
    }
}

/// What stands for the time of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The environment of the next block.
    pub next: NextBlock,
    /// Seconds between blocks.
    pub interval: u64,
    /// Bonds that are at risk already, in wei.
    pub at_risk: U256,
}

/// Judges bundles for one executor.
#[derive(Debug)]
pub struct Judge<'a> {
    pub(super) chain_id: u64,
    pub(super) contracts: &'a BundleContracts,
    pub(super) bundles: &'a BundlePolicy,
    pub(super) policy: &'a Policy,
    pub(super) moment: Moment,
}

/// A call that saves or fetches money.
struct Duty {
    step: Step,
    to: Address,
    gas_limit: u64,
    /// In wei.
    worth: U256,
}

type Judged<T> = Result<Result<T, Hindrance>, SimulatorError>;

/// Ends a judgement with a hindrance.
macro_rules! require {
    ($condition:expr, $hindrance:expr) => {
        if !$condition {
            return Ok(Err($hindrance));
        }
    };
}

/// Goes on with what was judged well.
macro_rules! go_on {
    ($judged:expr) => {
        match $judged {
            Ok(value) => value,
            Err(hindrance) => return Ok(Err(hindrance)),
        }
    };
}

mod claim;
mod execute;
mod trust;

pub use claim::{CLAIM_COST, SETTLE_COST};

impl Judge<'_> {
    fn gas_price(&self) -> u128 {
        u128::from(self.moment.next.base_fee) + self.policy.tip
    }

    fn cost(&self, gas: u64) -> U256 {
        U256::from(gas).saturating_mul(U256::from(self.gas_price()))
    }

    /// What to do about a bundle of trusted strategies that stands so. What a stranger's strategy says is no reason to
    /// do anything: neither that it owes a bond, nor that it has selected this executor.
    pub async fn find(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
        content: &Content,
    ) -> Result<Finding, SimulatorError> {
        let executor = self.policy.executor;
        if let Some(plan) = self.due(simulator, entry, facts).await? {
            return Ok(Finding::Act(Box::new(plan)));
        }
        if facts.info.status != Status::APPROVED {
            // What is owed is not forgotten, though it cannot be had now.
            let (owed, finding) = (facts.owed_to(executor), Finding::of_status(facts.info.status));
            return Ok(match finding {
                Finding::Done if !owed.is_zero() => Finding::Wait(Hindrance::Owed { owed }),
                finding => finding,
            });
        }
        let found = match (facts.holder, &facts.lock) {
            (Holder::Ours, lock) => {
                let lock = lock.as_ref().filter(|lock| lock.is_of(executor));
                self.execute(simulator, entry, facts, content, lock).await?
            }
            (Holder::Other(other), Some(lock)) => {
                Err(Hindrance::HeldBy { executor: other, until: lock.until() })
            }
            (Holder::Nobody, Some(lock)) => self.claim(simulator, entry, facts, content, lock).await?,
            (Holder::Other(executor), None) => Err(Hindrance::NotSelected { executor }),
            (Holder::Nobody, None) => Err(Hindrance::NotSelected { executor: Address::ZERO }),
        };
        Ok(match found {
            Ok(plan) => Finding::Act(Box::new(plan)),
            Err(hindrance) => Finding::Wait(hindrance),
        })
    }

    /// What concerns money of the executor's that is there already.
    async fn due(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
    ) -> Result<Option<Plan>, SimulatorError> {
        let (project, id) = (entry.manager, entry.id);
        if let Some(lock) = &facts.lock {
            let ess = entry.header.ess;
            if lock.is_of(self.policy.executor) && lock.over && lock.excused {
                let call = ISimpleLockESS::settleCall { project, bundleId: id };
                let income = lock.bond.saturating_add(lock.owed);
                let plan = self
                    .duty(
                        simulator,
                        id,
                        &Duty { step: Step::Settle, to: ess, gas_limit: SETTLE_GAS, worth: income },
                        &call,
                    )
                    .await?;
                if plan.is_some() {
                    return Ok(plan);
                }
            }
            if !lock.owed.is_zero() {
                let call = ISimpleLockESS::withdrawCall { to: self.policy.executor };
                let plan = self
                    .duty(
                        simulator,
                        id,
                        &Duty { step: Step::Withdraw, to: ess, gas_limit: SETTLE_GAS, worth: lock.owed },
                        &call,
                    )
                    .await?;
                if plan.is_some() {
                    return Ok(plan);
                }
            }
        }
        if !facts.owed.is_zero() {
            let call = IChugSplashManager::withdrawOwedCall { to: self.policy.executor };
            return self
                .duty(
                    simulator,
                    id,
                    &Duty { step: Step::WithdrawOwed, to: project, gas_limit: SETTLE_GAS, worth: facts.owed },
                    &call,
                )
                .await;
        }
        Ok(None)
    }

    /// A transaction that saves or fetches money, if it succeeds and costs less.
    async fn duty(
        &self,
        simulator: &mut Simulator,
        bundle: B256,
        duty: &Duty,
        call: &impl SolCall,
    ) -> Result<Option<Plan>, SimulatorError> {
        if self.policy.rule.max_gas_price.is_some_and(|highest| self.gas_price() > highest) {
            return Ok(None);
        }
        let Duty { step, to, gas_limit, worth } = *duty;
        let call = self.call(to, call.abi_encode(), U256::ZERO, gas_limit);
        let run = simulator.run_one(&self.moment.next, Job::Transactions(vec![call.clone()])).await?;
        let Outcome::Success { gas_used: gas, .. } = run.outcome else { return Ok(None) };
        let balance = Balance { income: worth, cost: self.cost(gas) };
        if balance.profit().is_none() {
            return Ok(None);
        }
        let affordable = u128::try_from(worth / U256::from(gas.max(1))).unwrap_or(u128::MAX);
        let mut plan = self.plan(bundle, step, call, gas, balance);
        plan.max_gas_price = plan.max_gas_price.min(affordable);
        Ok(Some(plan))
    }

    fn call(&self, to: Address, data: Vec<u8>, value: U256, gas_limit: u64) -> CallSpec {
        let executor = self.policy.executor;
        CallSpec {
            origin: executor,
            caller: executor,
            to,
            data: data.into(),
            value,
            gas_limit,
            gas_price: self.gas_price(),
        }
    }

    /// Whether it earns what the operator asks, or is his own project's.
    fn is_worth(&self, entry: &Entry, balance: &Balance) -> bool {
        self.bundles.own_projects.contains(&entry.manager) || balance.satisfies(self.policy.rule.min_profit)
    }

    fn plan(&self, bundle: B256, step: Step, call: CallSpec, gas: u64, balance: Balance) -> Plan {
        Plan {
            bundle,
            step,
            work: step.work(bundle, call.to),
            call,
            gas,
            balance,
            max_gas_price: self.policy.rule.max_gas_price.unwrap_or(u128::MAX),
            tip: self.policy.tip,
            max_tip: self.policy.tip,
            until_block: None,
            bond: U256::ZERO,
        }
    }
}

fn no_content(content: &Content) -> Hindrance {
    match content {
        Content::Awaited(problem) => Hindrance::NoContent { problem: problem.clone() },
        Content::Here(_) => Hindrance::Unknown { why: "nothing is left of it".to_owned() },
    }
}
