//! What a bundle would do: its transactions, rehearsed on the state at the head.
//!
//! A bundle that nobody knows yet is proposed and approved by its owner and claimed by its executor first, all by the
//! contracts' own functions. Where the selection strategy is not one that is claimed with a bond, or the claim is
//! refused, its answer is made up, and nothing else: its code, and the hash that the manager notes of it, stay. What
//! was made up is told: [`Selection::Assumed`].

mod outcome;
mod script;

pub use outcome::{Failure, Measuring, Rehearsed, Selection, Transaction};

use crate::simulator::{Simulator, SimulatorError};
use alloy::primitives::{Address, B256, Bytes, U256};
use errand_bundle::{
    Action, BundleHeader, Step, Tree,
    bundle::{Batch, Bundle, Measured, TX_GAS_CAP, call_data, outside_gas},
    bundle_id,
    header::{Totals, TotalsError},
    plan::Planned,
    project::Site,
};
use errand_types::NextBlock;
use outcome::{failure, frames, read};
use script::Script;

/// Gas that an action is given while it is measured: what is left of a transaction with the call data of the action.
const MEASURING_GAS: u64 = 15_000_000;
/// What is taken from that for a byte of the action's data.
const MEASURING_GAS_PER_BYTE: u64 = 30;
/// Gas for one more upgrade of a proxy.
const PROBE_GAS: u64 = 2_000_000;

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
}
