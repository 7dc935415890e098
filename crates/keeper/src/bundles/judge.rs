//! What to do about a bundle now, and if nothing, why.

use super::{
    book::Entry,
    contracts::{BundleContracts, BundlePolicy},
    facts::{Facts, Holder, Lock},
    hindrance::Hindrance,
    leaves::{Content, Leaves},
    rehearsal::{Rehearsal, RehearsalError, Rehearsed, Selection},
};
use crate::{
    engine::Policy,
    pricing::Balance,
    simulator::{Job, Simulator, SimulatorError},
};
use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolCall, SolEvent},
};
use errand_bindings::{
    IChugSplashManager::{self, Readiness, Status},
    IExecutorPaymentStrategy, IExecutorPaymentTerms, ISimpleLockESS,
};
use errand_bundle::{
    ActionKind,
    bundle::{Batch, GasRules, call_data, rest_batches},
    project::Site,
};
use errand_sim::{EnvSeen, Outcome, ReadSet};
use errand_types::{CallSpec, NextBlock, WorkId, WorkKind};
use serde::Serialize;
use std::collections::BTreeSet;

/// Gas of what is done around the actions, at most.
const CLAIM_GAS: u64 = 600_000;
const SETTLE_GAS: u64 = 400_000;
const NOTE_GAS: u64 = 200_000;
/// What taking a bond back costs, about; reckoned as a cost of a claim.
const SETTLE_COST: u64 = 90_000;
/// Blocks that a transaction takes from the decision to the next one: it is included, and it is seen.
const BLOCKS_PER_BATCH: u64 = 2;
/// Blocks that are reckoned besides.
const SPARE_BLOCKS: u64 = 2;

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

impl Step {
    /// What a transaction of this step has to itself.
    fn work(self, id: B256) -> WorkId {
        match self {
            // One at a time: each builds on what the one before did.
            Self::Claim | Self::Execute => WorkId { kind: WorkKind::Bundle, id },
            other => WorkId { kind: WorkKind::Duty, id: keccak256([id.as_slice(), &[other as u8]].concat()) },
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

impl Judge<'_> {
    fn gas_price(&self) -> u128 {
        u128::from(self.moment.next.base_fee) + self.policy.tip
    }

    fn cost(&self, gas: u64) -> U256 {
        U256::from(gas).saturating_mul(U256::from(self.gas_price()))
    }

    /// What to do about a bundle that stands so.
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
        let is_over = matches!(facts.info.status, Status::COMPLETED | Status::FAILED | Status::CANCELLED);
        if is_over {
            return Ok(Finding::Done);
        }
        if facts.info.status != Status::APPROVED {
            return Ok(Finding::Wait(Hindrance::Status { status: status_name(facts.info.status) }));
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
                let plan = self.duty(simulator, id, Step::Settle, ess, &call, SETTLE_GAS, income).await?;
                if plan.is_some() {
                    return Ok(plan);
                }
            }
            if !lock.owed.is_zero() {
                let call = ISimpleLockESS::withdrawCall { to: self.policy.executor };
                let plan =
                    self.duty(simulator, id, Step::Withdraw, ess, &call, SETTLE_GAS, lock.owed).await?;
                if plan.is_some() {
                    return Ok(plan);
                }
            }
        }
        if !facts.owed.is_zero() {
            let call = IChugSplashManager::withdrawOwedCall { to: self.policy.executor };
            return self.duty(simulator, id, Step::WithdrawOwed, project, &call, SETTLE_GAS, facts.owed).await;
        }
        Ok(None)
    }

    /// A transaction that saves or fetches `worth` wei, if it succeeds and costs less.
    async fn duty(
        &self,
        simulator: &mut Simulator,
        bundle: B256,
        step: Step,
        to: Address,
        call: &impl SolCall,
        gas_limit: u64,
        worth: U256,
    ) -> Result<Option<Plan>, SimulatorError> {
        if self.policy.rule.max_gas_price.is_some_and(|highest| self.gas_price() > highest) {
            return Ok(None);
        }
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

    fn plan(&self, bundle: B256, step: Step, call: CallSpec, gas: u64, balance: Balance) -> Plan {
        Plan {
            bundle,
            step,
            call,
            work: step.work(bundle),
            gas,
            balance,
            max_gas_price: self.policy.rule.max_gas_price.unwrap_or(u128::MAX),
            max_tip: self.policy.tip,
            until_block: None,
            bond: U256::ZERO,
        }
    }

    /// Executes the next actions, or sees that the bond is not lost.
    async fn execute(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
        content: &Content,
        lock: Option<&Lock>,
    ) -> Judged<Plan> {
        let next = &self.moment.next;
        let cap = facts.terms.maxBaseFee;
        let at_risk = lock.filter(|lock| !lock.excused).map(|lock| lock.bond);
        if facts.terms.readiness == Readiness::UNSOUND {
            if let Some(bond) = at_risk {
                let (call, to) = (IChugSplashManager::noteUnsoundCall {}, entry.manager);
                let plan = self.duty(simulator, entry.id, Step::NoteUnsound, to, &call, NOTE_GAS, bond).await?;
                return Ok(plan.ok_or(Hindrance::Unsound));
            }
            return Ok(Err(Hindrance::Unsound));
        }
        let leaves = match content {
            Content::Here(leaves) => Some(leaves),
            Content::Awaited(_) => None,
        };
        let batches = leaves.map(|leaves| self.batches(facts, leaves));
        if U256::from(next.base_fee) > cap {
            let congested = Hindrance::Congested { base_fee: next.base_fee, cap };
            let (Some(bond), Some(lock)) = (at_risk, lock) else { return Ok(Err(congested)) };
            let count = batches.and_then(Result::ok).map_or(1, |batches| batches.len());
            let left = lock.until().saturating_sub(next.timestamp);
            if left > self.seconds_for(count).max(lock.seconds / 3) {
                return Ok(Err(congested));
            }
            let call = ISimpleLockESS::noteCongestionCall { project: entry.manager, bundleId: entry.id };
            let (ess, step) = (entry.header.ess, Step::NoteCongestion);
            let plan = self.duty(simulator, entry.id, step, ess, &call, NOTE_GAS, bond).await?;
            return Ok(plan.ok_or(congested));
        }
        if lock.is_none() {
            // The work is open: whether to begin is judged as for a claim.
            go_on!(self.trusts(simulator, entry).await?);
        }
        let Content::Here(leaves) = content else { return Ok(Err(no_content(content))) };
        let batches = go_on!(self.batches(facts, leaves));
        let Some(batch) = batches.first() else { return Ok(Err(no_content(content))) };
        let until_block = match lock {
            Some(lock) => {
                let left = lock.until().saturating_sub(next.timestamp);
                require!(
                    lock.until() >= next.timestamp && left >= self.moment.interval,
                    Hindrance::LockEnds { until: lock.until() }
                );
                Some(next.number + left / self.moment.interval)
            }
            None => None,
        };
        require!(self.affords(), Hindrance::GasTooDear { gas_price: self.gas_price() });
        let data = call_data(entry.id, &leaves.actions, &leaves.tree, batch.first, batch.count);
        let call = self.call(entry.manager, data, U256::ZERO, batch.gas);
        let run = simulator.run_one(next, Job::Transactions(vec![call.clone()])).await?;
        let (gas, logs) = match run.outcome {
            Outcome::Success { gas_used, logs, .. } => (gas_used, logs),
            Outcome::Revert { output, .. } => return Ok(Err(Hindrance::Fails { index: batch.first, output })),
            Outcome::Halt { .. } => {
                return Ok(Err(Hindrance::Fails { index: batch.first, output: Bytes::new() }));
            }
            Outcome::Unknown(unknown) => return Ok(Err(Hindrance::Unknown { why: unknown.to_string() })),
        };
        let paid = logs.iter().find_map(|log| IChugSplashManager::ActionsExecuted::decode_log(log).ok());
        let payment = paid.as_ref().map_or(U256::ZERO, |event| event.payment);
        let stalls = logs.iter().find_map(|log| IChugSplashManager::BundleStalled::decode_log(log).ok());
        if lock.is_none() {
            if let Some(event) = &stalls {
                let (index, output) = (event.index.saturating_to(), event.reason.clone());
                return Ok(Err(Hindrance::Fails { index, output }));
            }
            go_on!(self.is_independent(simulator, entry, facts, leaves, &run.reads, false));
            require!(!payment.is_zero(), Hindrance::Underfunded { budget: facts.budget });
        }
        if paid.is_none() && at_risk.is_some() {
            // The budget is exhausted. That ends the round and saves the bond; until it must, a top-up is waited for.
            let left = lock.map_or(0, |lock| lock.until().saturating_sub(next.timestamp));
            let third = lock.map_or(0, |lock| lock.seconds / 3);
            require!(
                left <= self.seconds_for(batches.len()).max(third),
                Hindrance::Underfunded { budget: facts.budget }
            );
        }
        let balance = Balance { income: payment, cost: self.cost(gas) };
        // What is at stake is the bond, and what was spent on claiming it: both are lost unless it goes on.
        let income = payment.saturating_add(at_risk.unwrap_or_default());
        let worth = Balance { income, cost: balance.cost };
        let is_worth = if at_risk.is_some() {
            worth.profit().is_some()
        } else {
            balance.satisfies(self.policy.rule.min_profit)
        };
        require!(is_worth, Hindrance::Unprofitable { income: payment, cost: balance.cost });
        let mut plan = self.plan(entry.id, Step::Execute, call, gas, balance);
        // Above the cap it reverts: so it never offers more.
        plan.max_gas_price = plan.max_gas_price.min(u128::try_from(cap).unwrap_or(u128::MAX));
        require!(plan.max_gas_price >= self.gas_price(), Hindrance::Congested { base_fee: next.base_fee, cap });
        let at_base_fee = U256::from(gas).saturating_mul(U256::from(next.base_fee));
        let affordable = balance.income.saturating_sub(at_base_fee) / U256::from(gas.max(1));
        plan.max_tip = plan.max_tip.max(u128::try_from(affordable).unwrap_or(u128::MAX));
        plan.until_block = until_block;
        Ok(Ok(plan))
    }

    /// Claims the bundle, if it can be executed to its end, in time and with a profit.
    async fn claim(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
        content: &Content,
        lock: &Lock,
    ) -> Judged<Plan> {
        let next = &self.moment.next;
        go_on!(self.trusts(simulator, entry).await?);
        match facts.terms.readiness {
            Readiness::READY => {}
            Readiness::PAUSE_REQUESTED => {
                return Ok(Err(Hindrance::PauseRequested { at: facts.info.pauseAt.saturating_to() }));
            }
            Readiness::CONGESTED => {
                let (base_fee, cap) = (next.base_fee, facts.terms.maxBaseFee);
                return Ok(Err(Hindrance::Congested { base_fee, cap }));
            }
            Readiness::UNDERFUNDED => return Ok(Err(Hindrance::Underfunded { budget: facts.budget })),
            Readiness::UNSOUND => return Ok(Err(Hindrance::Unsound)),
            _ => return Ok(Err(Hindrance::Status { status: status_name(facts.info.status) })),
        }
        require!(next.timestamp > lock.cooling, Hindrance::Cooling { until: lock.cooling });
        let left = self.bundles.max_bond.saturating_sub(self.moment.at_risk);
        require!(lock.bond <= left, Hindrance::BondTooHigh { bond: lock.bond, left });
        require!(self.affords(), Hindrance::GasTooDear { gas_price: self.gas_price() });
        let Content::Here(leaves) = content else { return Ok(Err(no_content(content))) };
        let batches = go_on!(self.batches(facts, leaves));
        let needed = self.seconds_for(batches.len());
        let slow = Hindrance::TooSlow { needed, lock: lock.seconds, batches: batches.len() };
        require!(needed <= lock.seconds, slow);

        let rehearsed = go_on!(self.rehearse(simulator, entry, facts, leaves, &batches).await?);
        if let Some(failure) = rehearsed.failure {
            let (index, output) = (failure.index, failure.reason);
            return Ok(Err(match failure.needed {
                Some(_) => Hindrance::Underfunded { budget: facts.budget },
                None => Hindrance::Fails { index, output },
            }));
        }
        let Selection::Claimed { gas: claim_gas, .. } = rehearsed.selection else {
            return Ok(Err(Hindrance::Unknown { why: "the claim is refused".to_owned() }));
        };
        go_on!(self.is_independent(simulator, entry, facts, leaves, &rehearsed.reads, true));

        let mut income = U256::ZERO;
        let mut gas = claim_gas.saturating_add(SETTLE_COST);
        for (done, transaction) in (1..).zip(&rehearsed.transactions) {
            let elapsed = U256::from(self.moment.interval.saturating_mul(BLOCKS_PER_BATCH).saturating_mul(done));
            let question = IExecutorPaymentStrategy::computeExecutorPaymentCall {
                project: entry.manager,
                bundleId: entry.id,
                gasUsed: transaction.gas_paid,
                timeElapsedSeconds: elapsed,
            };
            let Some(payment) = simulator.view(next, entry.header.eps, question).await? else {
                return Ok(Err(Hindrance::Unsound));
            };
            income = income.saturating_add(payment);
            gas = gas.saturating_add(transaction.gas_used);
        }
        let balance = Balance { income, cost: self.cost(gas) };
        require!(
            balance.satisfies(self.policy.rule.min_profit),
            Hindrance::Unprofitable { income, cost: balance.cost }
        );
        let largest = batches.iter().map(|batch| batch.gas).max().unwrap_or_default();
        let needed = lock.bond.saturating_add(self.cost(largest.max(CLAIM_GAS))).saturating_add(self.cost(claim_gas));
        let balance_now = simulator.mirror().account(self.policy.executor).map(|account| account.balance);
        if let Some(balance) = balance_now {
            require!(balance >= needed, Hindrance::OutOfFunds { balance, needed });
        }
        let call = ISimpleLockESS::claimCall { project: entry.manager, bundleId: entry.id }.abi_encode();
        let call = self.call(entry.header.ess, call, lock.bond, CLAIM_GAS);
        // Once more, from the account as it is.
        let run = simulator.run_one(next, Job::Transactions(vec![call.clone()])).await?;
        match run.outcome {
            Outcome::Success { .. } => {}
            Outcome::Unknown(unknown) => return Ok(Err(Hindrance::Unknown { why: unknown.to_string() })),
            _ => return Ok(Err(Hindrance::Unknown { why: "the claim is refused".to_owned() })),
        }
        let mut plan = self.plan(entry.id, Step::Claim, call, claim_gas, balance);
        let cap = u128::try_from(facts.terms.maxBaseFee).unwrap_or(u128::MAX);
        plan.max_gas_price = plan.max_gas_price.min(cap);
        require!(
            plan.max_gas_price >= self.gas_price(),
            Hindrance::Congested { base_fee: next.base_fee, cap: facts.terms.maxBaseFee }
        );
        // What was judged is the present: a claim that comes much later is another decision.
        plan.until_block = Some(next.number + 2);
        plan.bond = lock.bond;
        Ok(Ok(plan))
    }

    /// Whether gas is cheap enough.
    fn affords(&self) -> bool {
        self.policy.rule.max_gas_price.is_none_or(|highest| self.gas_price() <= highest)
    }

    /// Whether both strategies are known, and cover what the chain takes.
    async fn trusts(&self, simulator: &mut Simulator, entry: &Entry) -> Judged<()> {
        for (role, strategy) in [("selection", entry.header.ess), ("payment", entry.header.eps)] {
            if self.bundles.allowed_strategies.contains(&strategy) {
                continue;
            }
            if simulator.mirror().account(strategy).is_none() {
                // Reading anything of it loads it.
                let question = IExecutorPaymentTerms::coversDataFeeCall {};
                simulator.view(&self.moment.next, strategy, question).await?;
            }
            let Some(account) = simulator.mirror().account(strategy) else {
                return Ok(Err(Hindrance::Unknown { why: "a strategy cannot be read".to_owned() }));
            };
            let is_known = self.contracts.strategies.contains_key(&keccak256(&account.code));
            require!(is_known, Hindrance::UnknownStrategy { role, strategy });
        }
        if self.bundles.takes_data_fee {
            let question = IExecutorPaymentTerms::coversDataFeeCall {};
            let covers = simulator.view(&self.moment.next, entry.header.eps, question).await?;
            require!(covers == Some(true), Hindrance::DataFee);
        }
        Ok(Ok(()))
    }

    /// The largest batches for what is left.
    fn batches(&self, facts: &Facts, leaves: &Leaves) -> Result<Vec<Batch>, Hindrance> {
        let mut rules = GasRules::ethereum(facts.tx_overhead);
        rules.tx_gas_cap = rules.tx_gas_cap.min(self.moment.next.gas_limit);
        let next = facts.info.nextIndex.saturating_to();
        rest_batches(&leaves.actions, &leaves.tree, leaves.deploys, next, &rules)
            .map_err(|error| Hindrance::TooLarge { problem: error.to_string() })
    }

    /// How long so many batches take, about.
    const fn seconds_for(&self, batches: usize) -> u64 {
        (batches as u64 * BLOCKS_PER_BATCH + SPARE_BLOCKS) * self.moment.interval
    }

    async fn rehearse(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
        leaves: &Leaves,
        batches: &[Batch],
    ) -> Judged<Rehearsed> {
        let site = Site {
            chain_id: self.chain_id,
            manager: entry.manager,
            actor: facts.actor,
            registry: self.contracts.registry,
            ess: entry.header.ess,
            eps: entry.header.eps,
        };
        let rehearsal = Rehearsal {
            site,
            executor: self.policy.executor,
            gas_price: self.gas_price(),
            block: self.moment.next,
        };
        match rehearsal.rest(simulator, entry.id, &leaves.actions, &leaves.tree, batches).await {
            Ok(rehearsed) => Ok(Ok(rehearsed)),
            Err(RehearsalError::Simulator(error)) => Err(error),
            Err(error) => Ok(Err(Hindrance::Unknown { why: error.to_string() })),
        }
    }

    /// Whether nobody can make the actions fail after the claim, as far as it can be seen: they read no state of
    /// strangers, and nothing that the next block's builder chooses.
    fn is_independent(
        &self,
        simulator: &Simulator,
        entry: &Entry,
        facts: &Facts,
        leaves: &Leaves,
        reads: &ReadSet,
        is_claimed: bool,
    ) -> Result<(), Hindrance> {
        if self.bundles.allow_foreign_state {
            return Ok(());
        }
        // A strategy that draws looks at block hashes; one that is claimed does not.
        let unforeseeable = if is_claimed {
            EnvSeen::UNFORESEEABLE | EnvSeen::BLOCK_HASH
        } else {
            EnvSeen::UNFORESEEABLE
        };
        if reads.env().intersects(unforeseeable) {
            let names: Vec<_> = reads.env().names().collect();
            return Err(Hindrance::ForeignState { what: format!("what nobody knows beforehand ({})", names.join(", ")) });
        }
        let mut own: BTreeSet<Address> = [
            entry.manager,
            facts.actor,
            self.contracts.registry,
            entry.header.ess,
            entry.header.eps,
            self.policy.executor,
        ]
        .into();
        let sets = |kind| matches!(kind, ActionKind::SET_STORAGE | ActionKind::SET_IMPLEMENTATION);
        own.extend(leaves.actions.iter().filter(|a| sets(a.kind) || a.kind == ActionKind::DEPLOY).map(|a| a.target));
        let read = simulator.mirror().dependencies(reads);
        let mut foreign = read.slots.iter().map(|(slot, _)| slot.address);
        // What a strategy that draws reads of others is its own business.
        let foreign = foreign.find(|address| !own.contains(address));
        match foreign.filter(|_| is_claimed) {
            Some(address) => Err(Hindrance::ForeignState { what: format!("the storage of {address}") }),
            None => Ok(()),
        }
    }
}

fn no_content(content: &Content) -> Hindrance {
    match content {
        Content::Awaited(problem) => Hindrance::NoContent { problem: problem.clone() },
        Content::Here(_) => Hindrance::Unknown { why: "nothing is left of it".to_owned() },
    }
}

/// A status as people know it.
pub(super) const fn status_name(status: Status) -> &'static str {
    match status {
        Status::EMPTY => "EMPTY",
        Status::PROPOSED => "PROPOSED",
        Status::APPROVED => "APPROVED",
        Status::PAUSED => "PAUSED",
        Status::STALLED => "STALLED",
        Status::COMPLETED => "COMPLETED",
        Status::FAILED => "FAILED",
        Status::CANCELLED => "CANCELLED",
        Status::__Invalid => "INVALID",
    }
}
