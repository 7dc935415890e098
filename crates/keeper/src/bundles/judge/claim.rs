//! Whether a bundle is worth its bond.

use super::{Judge, Judged, Plan, Step, no_content, trust::BLOCKS_PER_BATCH};
use crate::bundles::bound::status_name;
use crate::{
    bundles::{
        book::Entry,
        facts::{Facts, Lock},
        hindrance::Hindrance,
        leaves::Content,
        rehearsal::Selection,
    },
    pricing::Balance,
    simulator::{Job, Simulator},
};
use alloy::{primitives::U256, sol_types::SolCall};
use errand_bindings::{IChugSplashManager::Readiness, IExecutorPaymentStrategy, ISimpleLockESS};
use errand_sim::Outcome;

/// Gas of a claim, at most.
const CLAIM_GAS: u64 = 600_000;
/// Gas that a claim uses, about, where it was not simulated.
pub const CLAIM_COST: u64 = 78_000;
/// Gas that taking a bond back costs, about; reckoned as a cost of a claim.
pub const SETTLE_COST: u64 = 64_000;

impl Judge<'_> {
    /// Claims the bundle, if it can be executed to its end, in time and with a profit.
    pub(super) async fn claim(
        &self,
        simulator: &mut Simulator,
        entry: &Entry,
        facts: &Facts,
        content: &Content,
        lock: &Lock,
    ) -> Judged<Plan> {
        let next = &self.moment.next;
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
        let own = self.own(simulator, entry, facts, leaves).await?;
        go_on!(self.is_independent(simulator, &own, &rehearsed.reads, true));

        let mut income = U256::ZERO;
        let mut gas = claim_gas.saturating_add(SETTLE_COST);
        for (done, transaction) in (1..).zip(&rehearsed.transactions) {
            let elapsed =
                U256::from(self.moment.interval.saturating_mul(BLOCKS_PER_BATCH).saturating_mul(done));
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
        require!(self.is_worth(entry, &balance), Hindrance::Unprofitable { income, cost: balance.cost });
        let largest = batches.iter().map(|batch| batch.gas).max().unwrap_or_default();
        let needed =
            lock.bond.saturating_add(self.cost(largest.max(CLAIM_GAS))).saturating_add(self.cost(claim_gas));
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
            Hindrance::NearCap { gas_price: self.gas_price(), cap: plan.max_gas_price }
        );
        // What was judged is the present: a claim that comes much later is another decision.
        plan.until_block = Some(next.number + 2);
        plan.bond = lock.bond;
        Ok(Ok(plan))
    }
}
