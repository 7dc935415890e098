//! Bundles in the session: sends what was decided about them, and tells what became of it.

use super::{MinedReport, Session, now};
use crate::{
    bundles::{BundleReport, Step, judge::Plan},
    engine::EngineError,
    report::Withheld,
    run::KeeperError,
};
use alloy::{
    eips::BlockId,
    primitives::U256,
    providers::Provider,
    rpc::types::{TransactionInput, TransactionRequest},
};
use errand_journal::JournalError;
use errand_submit::{SubmitError, Submitter, TxRequest};

impl Session<'_> {
    /// Decides about bundles on the head, and sends.
    pub(super) async fn look_at_bundles(
        &mut self,
        mined: &mut Vec<MinedReport>,
    ) -> Result<Vec<BundleReport>, KeeperError> {
        let withheld = self.withheld();
        let Some(bundles) = &mut self.bundles else { return Ok(Vec::new()) };
        // Nothing can be recorded, so nothing may be sent. What losses have used up ends new ventures, not those
        // that a bond hangs on.
        if withheld == Some(Withheld::DiskFull) {
            return Ok(Vec::new());
        }
        let policy = self.engine.policy().clone();
        let time = self.engine.time(now());
        let simulator = self.engine.simulator_mut();
        let mut decided =
            bundles.decide(simulator, &policy, time, withheld.is_none()).await.map_err(EngineError::from)?;
        if let Some(trouble) = simulator.take_trouble() {
            tracing::warn!(error = %trouble, "state of bundles cannot be read now");
            self.is_unfinished = true;
        }
        let Some(submitter) = self.lasting.submitter.clone() else { return Ok(decided.reports) };
        for intent in std::mem::take(&mut decided.cancels) {
            self.cancel(intent, mined).await?;
        }
        for plan in std::mem::take(&mut decided.plans) {
            if plan.step == Step::Claim && !self.would_be_first(&plan).await {
                tracing::info!(bundle = %plan.bundle, "not claimed: another claim is waiting to be mined");
                continue;
            }
            let tx = self.send_plan(&submitter, &plan).await?;
            if let Some(report) = decided.reports.iter_mut().find(|report| report.id == plan.bundle) {
                report.tx = tx;
            }
        }
        Ok(decided.reports)
    }

    /// Whether a claim succeeds after all that waits in the node's pool. A claim that comes second costs its gas for
    /// nothing. A node that does not tell is no reason to hold back.
    async fn would_be_first(&self, plan: &Plan) -> bool {
        if let Some(bundles) = &self.bundles {
            tokio::time::sleep(bundles.claim_delay(plan.bundle, plan.call.origin)).await;
        }
        let request = TransactionRequest::default()
            .from(plan.call.origin)
            .to(plan.call.to)
            .value(plan.call.value)
            .gas_limit(plan.call.gas_limit)
            .input(TransactionInput::both(plan.call.data.clone()));
        let answer = self.keeper.endpoint.provider().call(request).block(BlockId::pending()).await;
        let refusal =
            answer.err().and_then(|error| error.as_error_resp().map(|error| error.message.to_string()));
        !refusal.is_some_and(|message| message.contains("revert"))
    }

    async fn send_plan(
        &mut self,
        submitter: &Submitter,
        plan: &Plan,
    ) -> Result<Option<alloy::primitives::B256>, KeeperError> {
        let request = TxRequest {
            to: plan.call.to,
            data: plan.call.data.clone(),
            value: plan.call.value,
            gas_limit: plan.call.gas_limit,
            work: vec![plan.work],
            tip: Some(plan.tip),
            max_tip: plan.max_tip,
            max_gas_price: plan.max_gas_price,
            max_total_cost: U256::MAX,
            until_block: plan.until_block,
        };
        let Some(bundles) = &mut self.bundles else { return Ok(None) };
        match submitter.submit(request).await {
            Ok(sent) => {
                let (tx, nonce, step) = (sent.tx_hash, sent.nonce, plan.step);
                let (earns_wei, costs_wei, bond_wei) = (plan.balance.income, plan.balance.cost, plan.bond);
                tracing::info!(bundle = %plan.bundle, %step, %tx, nonce, %earns_wei, %costs_wei, %bond_wei, "sent");
                bundles.opened(sent.intent, plan);
                return Ok(Some(tx));
            }
            // Its end will be told; then it is looked at again.
            Err(SubmitError::Journal(JournalError::WorkTaken { work, holder })) => {
                bundles.taken(holder, work)
            }
            Err(SubmitError::Journal(JournalError::DiskFull)) => self.no_space(),
            Err(error @ (SubmitError::Journal(_) | SubmitError::Stopped)) => return Err(error.into()),
            Err(error) => tracing::warn!(bundle = %plan.bundle, step = %plan.step, %error, "not sent"),
        }
        Ok(None)
    }

    /// Gives bundles free of which a transaction was mined, for the next one.
    pub(super) async fn release_bundles(&mut self, submitter: &Submitter) -> Result<(), KeeperError> {
        let Some(bundles) = &mut self.bundles else { return Ok(()) };
        let mut is_full = false;
        for (intent, work) in bundles.take_releases() {
            match submitter.release(intent, work).await {
                Ok(()) => bundles.released(intent),
                Err(SubmitError::Journal(JournalError::DiskFull)) => {
                    is_full = true;
                    bundles.owes_release(intent, work);
                }
                // A reorg came between, or it is settled by now.
                Err(SubmitError::Journal(error @ JournalError::WrongState { .. })) => {
                    tracing::debug!(%error, "not given free");
                }
                Err(error) => return Err(error.into()),
            }
        }
        if is_full {
            self.no_space();
        }
        Ok(())
    }
}
