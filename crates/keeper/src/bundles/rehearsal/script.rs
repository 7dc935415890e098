//! Acts of a rehearsal: what comes before the execution, and the execution, as transactions that are played.

use super::{Project, Rehearsal, RehearsalError, Selection};
use crate::{
    bundles::bound::{bound_action, bound_header},
    simulator::Simulator,
};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolValue},
};
use errand_bindings::{
    IChugSplashManager, IChugSplashRegistry, IExecutorSelectionStrategy, IProjectActor, ISimpleLockESS,
};
use errand_bundle::{Action, BundleHeader, Step, project::Site};
use errand_sim::{Act, Answer, Outcome, Played, Stage};
use errand_types::{ANYONE, CallSpec};

/// Gas of what is done around the actions.
const AROUND_GAS: u64 = 3_000_000;
/// Gas of a byte of call data at most (EIP-7623).
const CALL_DATA_GAS: u64 = 40;
/// Gas of a selection strategy's view at most, as the managers have it.
const ESS_GAS: u64 = 200_000;
/// A price per gas that every node takes, in what is made up.
const FREE: u128 = 0;

/// Acts with what each is, if it is part of the setup.
#[derive(Default)]
pub(super) struct Script {
    acts: Vec<Act>,
    steps: Vec<&'static str>,
}

impl Script {
    pub(super) fn push(&mut self, step: &'static str, act: Act) {
        self.acts.push(act);
        self.steps.push(step);
    }

    fn remove(&mut self, at: usize) {
        self.acts.remove(at);
        self.steps.remove(at);
    }
}

/// How the executor is to be selected.
pub(super) enum Selected {
    Holds,
    Claims { at: usize, bond: U256 },
    Assume,
}

impl Rehearsal {
    /// Everything up to the approval, by the owner, who is given the money.
    pub(super) fn approve(&self, script: &mut Script, project: &Project, id: B256, header: &BundleHeader) {
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
    pub(super) async fn select(
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
    pub(super) async fn play(
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
    pub(super) fn execute(&self, data: Vec<u8>, gas_limit: u64) -> Act {
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
        Act::afforded(call, self.block)
    }

    /// These actions of the switch as the manager would have them done, if they were all of it.
    pub(super) fn switch(&self, id: B256, first: usize, actions: &[Action]) -> Act {
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
