//! What is done about a bundle that is ours to execute.

use super::{Duty, Judge, Judged, Plan, Step, no_content};
use crate::{
    bundles::{
        book::Entry,
        facts::{Facts, Lock},
        hindrance::Hindrance,
        leaves::Content,
    },
    pricing::Balance,
    simulator::{Job, Simulator},
};
use alloy::{
    primitives::{Bytes, U256},
    sol_types::SolEvent,
};
use errand_bindings::{
    IChugSplashManager::{self, Readiness},
    ISimpleLockESS,
};
use errand_bundle::bundle::call_data;
use errand_sim::Outcome;

/// Gas of a note that saves a bond, at most.
const NOTE_GAS: u64 = 200_000;

impl Judge<'_> {
    /// Executes the next actions, or sees that the bond is not lost.
    pub(super) async fn execute(
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
                let plan = self
                    .duty(
                        simulator,
                        entry.id,
                        &Duty { step: Step::NoteUnsound, to, gas_limit: NOTE_GAS, worth: bond },
                        &call,
                    )
                    .await?;
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
            let plan = self
                .duty(simulator, entry.id, &Duty { step, to: ess, gas_limit: NOTE_GAS, worth: bond }, &call)
                .await?;
            return Ok(plan.ok_or(congested));
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
            Outcome::Revert { output, .. } => {
                return Ok(Err(Hindrance::Fails { index: batch.first, output }));
            }
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
            let own = self.own(simulator, entry, facts, leaves).await?;
            go_on!(self.is_independent(simulator, &own, &run.reads, false));
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
        let is_worth =
            if at_risk.is_some() { worth.profit().is_some() } else { self.is_worth(entry, &balance) };
        require!(is_worth, Hindrance::Unprofitable { income: payment, cost: balance.cost });
        let mut plan = self.plan(entry.id, Step::Execute, call, gas, balance);
        // Above the cap it reverts: so it never offers more.
        let cap = u128::try_from(cap).unwrap_or(u128::MAX);
        plan.max_gas_price = plan.max_gas_price.min(cap);
        plan.tip = plan.tip.min(cap.saturating_sub(u128::from(next.base_fee)));
        // Where a bond is at risk, all of the payment may go into being in time.
        let kept = if at_risk.is_some() { U256::ZERO } else { self.policy.rule.min_profit };
        let at_base_fee = U256::from(gas).saturating_mul(U256::from(next.base_fee));
        let affordable =
            balance.income.saturating_sub(at_base_fee).saturating_sub(kept) / U256::from(gas.max(1));
        plan.max_tip = plan.max_tip.max(u128::try_from(affordable).unwrap_or(u128::MAX));
        plan.until_block = until_block;
        Ok(Ok(plan))
    }
}
