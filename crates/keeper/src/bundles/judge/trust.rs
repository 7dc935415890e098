//! What a bundle depends on, and how long it takes.

use super::{Judge, Judged};
use crate::{
    bundles::{
        book::Entry,
        facts::Facts,
        hindrance::Hindrance,
        leaves::Leaves,
        rehearsal::{Rehearsal, RehearsalError, Rehearsed},
    },
    simulator::{Simulator, SimulatorError},
};
use alloy::primitives::{Address, keccak256};
use errand_bindings::{IExecutorPaymentTerms, IProjectActor};
use errand_bundle::{
    ActionKind,
    bundle::{Batch, GasRules, rest_batches},
    project::Site,
};
use errand_sim::{EnvSeen, ReadSet};
use std::collections::BTreeSet;

/// Blocks that a transaction takes from the decision to the next one: it is included, and it is seen.
pub(super) const BLOCKS_PER_BATCH: u64 = 2;
/// Blocks that are reckoned besides.
const SPARE_BLOCKS: u64 = 2;
impl Judge<'_> {
    /// Whether gas is cheap enough.
    pub(super) fn affords(&self) -> bool {
        self.policy.rule.max_gas_price.is_none_or(|highest| self.gas_price() <= highest)
    }

    /// Whether both strategies are known, and cover what the chain takes.
    pub(in crate::bundles) async fn trusts(&self, simulator: &mut Simulator, entry: &Entry) -> Judged<()> {
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
            let unread = simulator.unread();
            let covers = simulator.view(&self.moment.next, entry.header.eps, question).await?;
            if simulator.unread() != unread {
                return Ok(Err(Hindrance::Unknown { why: "a strategy cannot be read".to_owned() }));
            }
            require!(covers == Some(true), Hindrance::DataFee);
        }
        Ok(Ok(()))
    }

    /// The largest batches for what is left.
    pub(super) fn batches(&self, facts: &Facts, leaves: &Leaves) -> Result<Vec<Batch>, Hindrance> {
        let mut rules = GasRules::ethereum(facts.tx_overhead);
        rules.tx_gas_cap = rules.tx_gas_cap.min(self.moment.next.gas_limit).min(self.policy.max_batch_gas);
        let next = facts.info.nextIndex.saturating_to();
        rest_batches(&leaves.actions, &leaves.tree, leaves.deploys, next, &rules)
            .map_err(|error| Hindrance::TooLarge { problem: error.to_string() })
    }

    /// How long so many batches take, about.
    pub(super) const fn seconds_for(&self, batches: usize) -> u64 {
        (batches as u64 * BLOCKS_PER_BATCH + SPARE_BLOCKS) * self.moment.interval
    }

    pub(super) async fn rehearse(
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

    /// Whose state a bundle may depend on: the project's own, and what it is executed through. Among them are the
    /// admins through which transparent proxies are upgraded, as the actor recorded them; their proxies keep them in
    /// their code.
    pub(super) async fn own(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
        leaves: &Leaves,
    ) -> Result<BTreeSet<Address>, SimulatorError> {
        let mut own: BTreeSet<Address> = [
            entry.manager,
            facts.actor,
            self.contracts.registry,
            entry.header.ess,
            entry.header.eps,
            self.policy.executor,
        ]
        .into();
        let of_project = leaves.actions.iter().filter(|action| action.kind != ActionKind::CALL);
        own.extend(of_project.clone().map(|action| action.target));
        let switched = of_project.filter(|action| action.kind != ActionKind::DEPLOY);
        for proxy in switched.map(|action| action.target).collect::<BTreeSet<_>>() {
            let question = IProjectActor::proxyOfCall { proxy };
            let answer = simulator.view(&self.moment.next, facts.actor, question).await?;
            own.extend(answer.map(|proxy| proxy.admin));
        }
        Ok(own)
    }

    /// Whether nobody can make the actions fail after the claim, as far as it can be seen: they read no state of
    /// strangers, and nothing that the next block's builder chooses.
    pub(super) fn is_independent(
        &self,
        simulator: &Simulator,
        own: &BTreeSet<Address>,
        reads: &ReadSet,
        is_claimed: bool,
    ) -> Result<(), Hindrance> {
        if self.bundles.allow_foreign_state {
            return Ok(());
        }
        // A strategy that draws looks at block hashes; one that is claimed does not.
        let unforeseeable =
            if is_claimed { EnvSeen::UNFORESEEABLE | EnvSeen::BLOCK_HASH } else { EnvSeen::UNFORESEEABLE };
        if reads.env().intersects(unforeseeable) {
            let names: Vec<_> = reads.env().names().collect();
            return Err(Hindrance::ForeignState {
                what: format!("what nobody knows beforehand ({})", names.join(", ")),
            });
        }
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
