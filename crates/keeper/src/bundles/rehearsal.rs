//! What a bundle would do: its transactions, rehearsed on the state at the head.
//!
//! A bundle that nobody knows yet is proposed and approved by its owner and claimed by its executor first, all by the
//! contracts' own functions. Where the selection strategy is not one that is claimed with a bond, or the claim is
//! refused, its answer is made up, and nothing else: its code, and the hash that the manager notes of it, stay. What
//! was made up is told: [`Selection::Assumed`].

use super::bound::{bound_action, bound_header};
use crate::simulator::{Simulator, SimulatorError};
use alloy::{
    primitives::{Address, B256, Bytes, Log, U256},
    sol_types::{SolCall, SolError, SolEvent, SolValue},
};
use errand_bindings::{
    IChugSplashManager, IChugSplashRegistry, IExecutorSelectionStrategy, IProjectActor, ISimpleLockESS,
};
use errand_bundle::{
    Action, BundleHeader, Step, Tree,
    bundle::{Batch, Bundle, Measured, TX_GAS_CAP, call_data, outside_gas},
    bundle_id,
    header::{Totals, TotalsError},
    plan::Planned,
    project::Site,
};
use errand_sim::{Act, Answer, HaltReason, Outcome, Played, ReadSet, Stage};
use errand_types::{CallSpec, NextBlock};

/// Gas of what is done around the actions.
const AROUND_GAS: u64 = 3_000_000;
/// Gas that an action is given while it is measured: what is left of a transaction with the call data of the action.
const MEASURING_GAS: u64 = 15_000_000;
/// What is taken from that for a byte of the action's data.
const MEASURING_GAS_PER_BYTE: u64 = 30;
/// Gas of a byte of call data at most (EIP-7623).
const CALL_DATA_GAS: u64 = 40;
/// Gas for one more upgrade of a proxy.
const PROBE_GAS: u64 = 2_000_000;
/// Gas of a selection strategy's view at most, as the managers have it.
const ESS_GAS: u64 = 200_000;
/// A price per gas that every node takes, in what is made up.
const FREE: u128 = 0;
/// What stands for everybody in a selection strategy's answer.
const ANYONE: Address = Address::repeat_byte(0xff);

/// Who approves a bundle that is not on the chain yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Project {
    /// The manager's owner.
    pub owner: Address,
    /// The salt to register the manager with, where it is not registered yet.
    pub unregistered: Option<B256>,
    /// The manager's next nonce.
    pub nonce: U256,
    /// Wei that an approval locks against cancellation.
    pub user_bond: U256,
}

/// Where and as whom bundles are rehearsed.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsal {
    /// The contracts.
    pub site: Site,
    /// Who executes. It is given what its transactions cost.
    pub executor: Address,
    /// What they offer, in wei per gas.
    pub gas_price: u128,
    /// The block in which it happens.
    pub block: NextBlock,
}

/// How the executor came to be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// It is selected already, or everybody is.
    Held,
    /// It claimed the bundle.
    Claimed {
        /// Gas that this took.
        gas: u64,
        /// Wei that were posted.
        bond: U256,
    },
    /// The strategy's answer was made up.
    Assumed,
}

/// A transaction that executed actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Index of the first action.
    pub first: usize,
    /// So many were executed.
    pub count: usize,
    /// Gas that the receipt would say.
    pub gas_used: u64,
    /// Gas that was paid for.
    pub gas_paid: U256,
    /// Wei that were paid.
    pub payment: U256,
    /// The events, in order.
    pub logs: Vec<Log>,
}

/// Why an action, or a transaction that begins with it, fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The action's index.
    pub index: usize,
    /// What it reverted with; of a DEPLOY, what its constructor did.
    pub reason: Bytes,
    /// Why it was stopped, if it was the whole transaction that was.
    pub halt: Option<HaltReason>,
    /// The accounts that it used, as far as it was measured: one that has no code yet may be what it lacks.
    pub touched: Vec<Address>,
    /// What the next action would cost at most, in wei, where the budget is short of it.
    pub needed: Option<U256>,
}

/// What executing would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// How the executor came to be selected.
    pub selection: Selection,
    /// What succeeded, and of a bundle that stalls also what it stalls in.
    pub transactions: Vec<Transaction>,
    /// Index of an action and the gas that its frame used, for all that ran. A DEPLOY of what is there takes none.
    pub actions: Vec<(usize, u64)>,
    /// Why it does not go on.
    pub failure: Option<Failure>,
    /// The proxies among those asked for that the actor could not upgrade once more, with the reason.
    pub not_upgradeable: Vec<(Address, Bytes)>,
    /// What all of it depends on.
    pub reads: ReadSet,
}

impl Rehearsed {
    /// Gas of all transactions.
    pub fn gas_used(&self) -> u64 {
        self.transactions.iter().fold(0, |sum, transaction| sum.saturating_add(transaction.gas_used))
    }

    /// Wei that they are paid.
    pub fn payment(&self) -> U256 {
        self.transactions.iter().fold(U256::ZERO, |sum, transaction| sum.saturating_add(transaction.payment))
    }
}

/// What measuring came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measuring {
    /// Every action succeeds, and takes this.
    Measured(Vec<Measured>),
    /// One does not.
    Fails(Failure),
}

/// Why there is no rehearsal.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The state cannot be read.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The actions are no bundle.
    #[error(transparent)]
    Actions(#[from] TotalsError),
    /// What comes before the execution does not succeed.
    #[error("{step} does not succeed")]
    Setup {
        /// What it is.
        step: &'static str,
        /// What it reverts with.
        reason: Bytes,
    },
    /// It cannot be simulated.
    #[error("it cannot be simulated: {0}")]
    Unknown(String),
}

impl Rehearsal {
    /// Measures the actions of a plan, each on what the ones before it left: deployments cold, each in a transaction of
    /// its own; the switch as the one frame that it is going to be, since what the actor remembers for a rollback
    /// begins anew with each.
    pub async fn measure(
        &self,
        simulator: &mut Simulator,
        project: &Project,
        planned: &[Planned],
        tx_overhead: u64,
    ) -> Result<Measuring, RehearsalError> {
        let actions: Vec<Action> = planned
            .iter()
            .map(|planned| {
                let action = planned.step.to_action(planned.target, 0);
                let taken = MEASURING_GAS_PER_BYTE.saturating_mul(action.data.len() as u64);
                Action { gas: MEASURING_GAS.saturating_sub(taken).max(1), ..action }
            })
            .collect();
        let totals = Totals::of(&actions)?;
        let tree = Tree::of(&actions).ok_or(TotalsError::NoActions)?;
        let header = self.measuring_header(&totals, actions.len());
        let id = bundle_id(self.site.chain_id, self.site.manager, project.nonce, &header);
        let mut script = Script::default();
        self.approve(&mut script, project, id, &header);
        let selected = self.select(simulator, &mut script, id, Some(project)).await?;
        for index in 0..totals.deploys {
            script.push("", self.execute(call_data(id, &actions, &tree, index, 1), TX_GAS_CAP));
        }
        let switch = actions.get(totals.deploys..).unwrap_or_default();
        if !switch.is_empty() {
            script.push("", self.switch(id, totals.deploys, switch));
        }
        let (played, _) = self.play(simulator, script, selected, true).await?;

        for (index, played) in played.iter().enumerate() {
            if let Some(failure) = failure(index, played)? {
                let accounts = played.run.reads.accounts().iter();
                let touched = accounts.filter_map(|(id, _)| simulator.mirror().address_of(*id)).collect();
                return Ok(Measuring::Fails(Failure { touched, ..failure }));
            }
        }
        let (deployed, switched) = played.split_at(totals.deploys.min(played.len()));
        let alone = deployed.iter().map(|played| (frames(played).next(), played.run.outcome.gas_used()));
        let together = switched.iter().flat_map(frames).map(|frame| (Some(frame), None));
        let mut measured = Vec::with_capacity(actions.len());
        for (index, (action, (frame, receipt))) in actions.iter().zip(alone.chain(together)).enumerate() {
            let frame = frame.unwrap_or_default();
            let outside = outside_gas(action, tree.proof(index).map_or(0, |proof| proof.len()));
            // A transaction of a deployment alone must not cost more than it is paid.
            let least = receipt.unwrap_or_default().saturating_sub(tx_overhead);
            let share = frame.saturating_add(outside).max(least);
            measured.push(Measured { frame, share });
        }
        Ok(Measuring::Measured(measured))
    }

    /// Rehearses a bundle from its proposal to its end, in its own batches; then one more upgrade of each of `proxies`,
    /// to the implementation that stands beside it.
    pub async fn whole(
        &self,
        simulator: &mut Simulator,
        project: &Project,
        bundle: &Bundle,
        proxies: &[(Address, Address)],
    ) -> Result<Rehearsed, RehearsalError> {
        let mut script = Script::default();
        self.approve(&mut script, project, bundle.id, &bundle.header);
        let selected = self.select(simulator, &mut script, bundle.id, Some(project)).await?;
        for batch in &bundle.batches {
            script.push("", self.execute(bundle.call_data(batch), batch.gas));
        }
        for (proxy, implementation) in proxies {
            let again = Step::SetImplementation { implementation: *implementation };
            let action = again.to_action(*proxy, PROBE_GAS);
            script.push("", self.switch(B256::ZERO, 0, &[action]));
        }
        let (played, selection) = self.play(simulator, script, selected, false).await?;
        let (executed, upgraded) = played.split_at(bundle.batches.len().min(played.len()));
        let mut rehearsed = read(selection, &bundle.batches, executed)?;
        if rehearsed.failure.is_none() {
            for ((proxy, _), played) in proxies.iter().zip(upgraded) {
                if let Some(failure) = failure(0, played)? {
                    rehearsed.not_upgradeable.push((*proxy, failure.reason));
                }
            }
        }
        Ok(rehearsed)
    }

    /// Rehearses what is left of an approved bundle, in these batches, of which the first begins with the next action.
    pub async fn rest(
        &self,
        simulator: &mut Simulator,
        id: B256,
        actions: &[Action],
        tree: &Tree,
        batches: &[Batch],
    ) -> Result<Rehearsed, RehearsalError> {
        let mut script = Script::default();
        let selected = self.select(simulator, &mut script, id, None).await?;
        for batch in batches {
            let data = call_data(id, actions, tree, batch.first, batch.count);
            script.push("", self.execute(data, batch.gas));
        }
        let (played, selection) = self.play(simulator, script, selected, false).await?;
        read(selection, batches, &played)
    }

    /// A header that any owner with money could approve.
    fn measuring_header(&self, totals: &Totals, actions: usize) -> BundleHeader {
        BundleHeader {
            actionRoot: totals.root,
            deployCount: U256::from(totals.deploys),
            switchCount: U256::from(totals.switch),
            totalGas: U256::from(totals.gas),
            maxTxs: U256::from(actions),
            maxBaseFee: U256::MAX,
            callValue: totals.call_value,
            // More than any gas costs, and less than the 88 bits that the manager has for it.
            budget: U256::ONE << 85,
            ess: self.site.ess,
            eps: self.site.eps,
            uri: String::new(),
        }
    }

    /// Everything up to the approval, by the owner, who is given the money.
    fn approve(&self, script: &mut Script, project: &Project, id: B256, header: &BundleHeader) {
        let Site { manager, registry, .. } = self.site;
        let owner = project.owner;
        if let Some(salt) = project.unregistered {
            let register = IChugSplashRegistry::registerCall { owner, salt };
            script.push("registering the manager", self.around(owner, registry, &register, U256::ZERO));
        }
        let money = project.user_bond.saturating_add(header.budget).saturating_add(header.callValue);
        let deposit = IChugSplashManager::depositCall {};
        script.push("the deposit", self.around(owner, manager, &deposit, money));
        let header = bound_header(header);
        let propose = IChugSplashManager::proposeCall { header: header.clone() };
        script.push("the proposal", self.around(owner, manager, &propose, U256::ZERO));
        let approve = IChugSplashManager::approveCall { bundleId: id, header };
        script.push("the approval", self.around(owner, manager, &approve, U256::ZERO));
    }

    /// Adds the claim, where there is one to be made.
    async fn select(
        &self,
        simulator: &mut Simulator,
        script: &mut Script,
        id: B256,
        new: Option<&Project>,
    ) -> Result<Selected, RehearsalError> {
        let Site { ess, manager, .. } = self.site;
        let ask = IExecutorSelectionStrategy::getSelectedExecutorCall { project: manager, bundleId: id };
        if new.is_none() {
            let answer = simulator.view(&self.block, ess, ask).await?;
            let holds = |executor| executor == self.executor || executor == ANYONE;
            if answer.is_some_and(|answer| holds(answer.executor)) {
                return Ok(Selected::Holds);
            }
        }
        let bond = simulator.view(&self.block, ess, ISimpleLockESS::bondAmountCall {}).await?;
        let lock = simulator.view(&self.block, ess, ISimpleLockESS::lockSecondsCall {}).await?;
        let (Some(bond), Some(_)) = (bond, lock) else { return Ok(Selected::Assume) };
        let claim = ISimpleLockESS::claimCall { project: manager, bundleId: id };
        let at = script.acts.len();
        script.push("the claim", self.around(self.executor, ess, &claim, bond));
        Ok(Selected::Claims { at, bond })
    }

    /// Plays a script; the acts of its setup are not in the result. A claim that is refused is left out, and the
    /// strategy's answer made up instead.
    async fn play(
        &self,
        simulator: &mut Simulator,
        mut script: Script,
        selected: Selected,
        is_unlimited: bool,
    ) -> Result<(Vec<Played>, Selection), RehearsalError> {
        let mut selected = selected;
        loop {
            let stage = Stage {
                watched: self.site.actor,
                callers: vec![self.site.manager, self.site.actor],
                answer: matches!(selected, Selected::Assume).then(|| self.made_up()),
                is_unlimited,
            };
            let mut played = simulator.rehearse(&script.acts, &stage).await?;
            let setup = script.steps.iter().take_while(|step| !step.is_empty()).count();
            let mut selection =
                if matches!(selected, Selected::Assume) { Selection::Assumed } else { Selection::Held };
            let mut refused = false;
            for (at, (step, played)) in script.steps.iter().zip(&played).take(setup).enumerate() {
                let claim = matches!(selected, Selected::Claims { at: claim, .. } if claim == at);
                match &played.run.outcome {
                    Outcome::Success { gas_used, .. } => {
                        if let (Selected::Claims { bond, .. }, true) = (&selected, claim) {
                            selection = Selection::Claimed { gas: *gas_used, bond: *bond };
                        }
                    }
                    Outcome::Unknown(unknown) => return Err(RehearsalError::Unknown(unknown.to_string())),
                    _ if claim => refused = true,
                    Outcome::Revert { output, .. } => {
                        return Err(RehearsalError::Setup { step, reason: output.clone() });
                    }
                    Outcome::Halt { .. } => {
                        return Err(RehearsalError::Setup { step, reason: Bytes::new() });
                    }
                }
            }
            if let (Selected::Claims { at, .. }, true) = (&selected, refused) {
                script.remove(*at);
                selected = Selected::Assume;
                continue;
            }
            return Ok((played.split_off(setup), selection));
        }
    }

    /// The selection strategy's answer while nobody can be selected for good: at the gas that the managers grant.
    fn made_up(&self) -> Answer {
        Answer {
            contract: self.site.ess,
            selector: IExecutorSelectionStrategy::getSelectedExecutorCall::SELECTOR.into(),
            output: (self.executor, U256::from(self.block.timestamp)).abi_encode_params().into(),
            gas: ESS_GAS / 10,
        }
    }

    /// A transaction of the executor's.
    fn execute(&self, data: Vec<u8>, gas_limit: u64) -> Act {
        let price = self.gas_price.max(u128::from(self.block.base_fee));
        let call = CallSpec {
            origin: self.executor,
            caller: self.executor,
            to: self.site.manager,
            data: data.into(),
            value: U256::ZERO,
            gas_limit,
            gas_price: price,
        };
        Act { call, block: self.block, credit: U256::from(price).saturating_mul(U256::from(gas_limit)) }
    }

    /// These actions of the switch as the manager would have them done, if they were all of it.
    fn switch(&self, id: B256, first: usize, actions: &[Action]) -> Act {
        let value = actions.iter().fold(U256::ZERO, |sum, action| match action.step() {
            Ok(Step::Call { value, .. }) => sum.saturating_add(value),
            _ => sum,
        });
        let switch = IProjectActor::switchOverCall {
            bundleId: id,
            firstIndex: U256::from(first),
            skip: U256::ZERO,
            ess: self.site.ess,
            eps: self.site.eps,
            actions: actions.iter().map(bound_action).collect(),
        };
        let act = self.around(self.site.manager, self.site.actor, &switch, value);
        // Each is forwarded all of its gas, whatever the ones before it used.
        let around = AROUND_GAS.saturating_add(CALL_DATA_GAS.saturating_mul(act.call.data.len() as u64));
        let gas_limit = actions.iter().fold(around, |sum, action| sum.saturating_add(action.gas));
        Act { call: CallSpec { gas_limit, ..act.call }, ..act }
    }

    /// A transaction of anybody, who is given what he sends along.
    fn around(&self, from: Address, to: Address, call: &impl SolCall, value: U256) -> Act {
        let call = CallSpec {
            origin: from,
            caller: from,
            to,
            data: call.abi_encode().into(),
            value,
            gas_limit: AROUND_GAS,
            gas_price: FREE,
        };
        Act { call, block: self.block, credit: value }
    }
}

/// Acts with what each is, if it is part of the setup.
#[derive(Default)]
struct Script {
    acts: Vec<Act>,
    steps: Vec<&'static str>,
}

impl Script {
    fn push(&mut self, step: &'static str, act: Act) {
        self.acts.push(act);
        self.steps.push(step);
    }

    fn remove(&mut self, at: usize) {
        self.acts.remove(at);
        self.steps.remove(at);
    }
}

/// How the executor is to be selected.
enum Selected {
    Holds,
    Claims { at: usize, bond: U256 },
    Assume,
}

/// Reads what batches came to, up to the first failure.
fn read(selection: Selection, batches: &[Batch], played: &[Played]) -> Result<Rehearsed, RehearsalError> {
    let (transactions, actions) = (Vec::with_capacity(batches.len()), Vec::new());
    let not_upgradeable = Vec::new();
    let reads = played.last().map(|played| played.run.reads.clone()).unwrap_or_default();
    let mut rehearsed = Rehearsed { selection, transactions, actions, failure: None, not_upgradeable, reads };
    for (batch, played) in batches.iter().zip(played) {
        rehearsed.failure = failure(batch.first, played)?;
        if let Outcome::Success { gas_used, logs, .. } = &played.run.outcome {
            let mut skipped = Vec::new();
            let mut transaction = Transaction {
                first: batch.first,
                count: 0,
                gas_used: *gas_used,
                gas_paid: U256::ZERO,
                payment: U256::ZERO,
                logs: logs.clone(),
            };
            for log in logs {
                if let Ok(event) = IChugSplashManager::DeploySkipped::decode_log(log) {
                    skipped.push(event.index.saturating_to::<usize>());
                }
                if let Ok(event) = IChugSplashManager::ActionsExecuted::decode_log(log) {
                    transaction.count = event.count.saturating_to();
                    (transaction.gas_paid, transaction.payment) = (event.gasUsed, event.payment);
                }
            }
            let mut gas = frames(played);
            for index in batch.first..batch.first.saturating_add(transaction.count) {
                let used = if skipped.contains(&index) { Some(0) } else { gas.next() };
                rehearsed.actions.extend(used.map(|used| (index, used)));
            }
            rehearsed.transactions.push(transaction);
        }
        if rehearsed.failure.is_some() {
            break;
        }
    }
    Ok(rehearsed)
}

/// Gas of the actions' frames, in their order.
fn frames(played: &Played) -> impl Iterator<Item = u64> {
    let of_actions = [IProjectActor::deployCall::SELECTOR, IProjectActor::performCall::SELECTOR];
    played.watched.iter().filter(move |call| of_actions.contains(&call.selector.0)).map(|call| call.used)
}

/// Why a transaction that begins with `first` does not do all that it should.
fn failure(first: usize, played: &Played) -> Result<Option<Failure>, RehearsalError> {
    let failure = |index, reason| Failure { index, reason, halt: None, touched: Vec::new(), needed: None };
    let refusal =
        played.watched.iter().rev().find(|call| !call.succeeded).and_then(|call| call.refusal.clone());
    Ok(match &played.run.outcome {
        Outcome::Success { logs, .. } => logs.iter().find_map(|log| {
            if let Ok(event) = IChugSplashManager::BundleStalled::decode_log(log) {
                let reason = refusal.clone().unwrap_or_else(|| event.reason.clone());
                return Some(failure(event.index.saturating_to(), reason));
            }
            let event = IChugSplashManager::BudgetExhausted::decode_log(log).ok()?;
            Some(Failure { needed: Some(event.needed), ..failure(first, Bytes::new()) })
        }),
        Outcome::Revert { output, .. } => Some(match IProjectActor::ActionFailed::abi_decode(output) {
            Ok(error) => failure(error.index.saturating_to(), error.reason),
            Err(_) => failure(first, output.clone()),
        }),
        Outcome::Halt { reason, .. } => Some(Failure { halt: Some(*reason), ..failure(first, Bytes::new()) }),
        Outcome::Unknown(unknown) => return Err(RehearsalError::Unknown(unknown.to_string())),
    })
}
