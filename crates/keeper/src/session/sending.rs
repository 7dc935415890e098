//! What is sent, and what became of it.

use super::{Session, now};
use crate::{
    batch::Batch,
    engine::Decision,
    report::{MinedReport, SentReport},
    run::KeeperError,
    turn::Turn,
};
use alloy::{primitives::U256, rpc::types::TransactionReceipt, sol_types::SolEvent};
use errand_bindings::IRegistry;
use errand_journal::{IntentId, JournalError};
use errand_submit::{Event, SubmitError, Submitter, TxRequest, Update};
use errand_types::{RequestId, WorkId};

impl Session<'_> {
    /// Sends what was planned.
    pub(super) async fn send(&mut self, decision: &mut Decision) -> Result<Vec<SentReport>, KeeperError> {
        let mut sent = Vec::new();
        for batch in std::mem::take(&mut decision.batches) {
            let report =
                |tx| SentReport { requests: batch.ids.clone(), tx, gas: batch.gas, balance: batch.balance };
            let Some(submitter) = &self.lasting.submitter else {
                sent.push(report(None));
                continue;
            };
            let request = self.request(&batch, &decision.turn);
            let highest = request.max_gas_price;
            match submitter.submit(request).await {
                Ok(submitted) => {
                    tracing::info!(requests = %errand_types::listed(&batch.ids), tx = %submitted.tx_hash, nonce = submitted.nonce, "sent");
                    sent.push(report(Some(submitted.tx_hash)));
                    self.engine.flights().opened(submitted.intent, batch.ids, batch.call, highest);
                }
                // The rest of the batch is planned again with the next block.
                Err(SubmitError::Journal(JournalError::WorkTaken { work, holder })) => {
                    self.engine.flights().hold(holder, work.as_request());
                }
                Err(SubmitError::Journal(JournalError::DiskFull)) => {
                    self.no_space();
                    break;
                }
                Err(error @ (SubmitError::Journal(_) | SubmitError::Stopped)) => return Err(error.into()),
                // Nothing was sent and nothing is kept: the next block is another chance.
                Err(error) => {
                    tracing::warn!(requests = %errand_types::listed(&batch.ids), %error, "not sent")
                }
            }
        }
        Ok(sent)
    }

    /// Cancels what is under way and would fail: that costs 21,000 gas, and a failure whatever its targets burn.
    pub(super) async fn give_up_failing(&mut self, mined: &mut Vec<MinedReport>) -> Result<(), KeeperError> {
        if self.lasting.submitter.is_none() || self.lasting.disk_is_full {
            return Ok(());
        }
        let failing = self.engine.failing(now()).await?;
        if let Some(trouble) = self.engine.simulator_mut().take_trouble() {
            tracing::warn!(error = %trouble, "of what is under way it cannot be read now whether it would fail");
            self.is_unfinished = true;
        }
        for intent in failing {
            self.cancel(intent, mined).await?;
        }
        Ok(())
    }

    /// Cancels a transaction, and reads what became of it meanwhile.
    pub(super) async fn cancel(
        &mut self,
        intent: IntentId,
        mined: &mut Vec<MinedReport>,
    ) -> Result<(), KeeperError> {
        let Some(submitter) = self.lasting.submitter.clone() else { return Ok(()) };
        match submitter.cancel(intent).await {
            Ok(events) => mined.extend(self.take_events(&submitter, &events).await?),
            Err(SubmitError::Journal(JournalError::DiskFull)) => self.no_space(),
            Err(error @ (SubmitError::Journal(_) | SubmitError::Stopped)) => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "not cancelled"),
        }
        Ok(())
    }

    /// The transaction for a batch: gone when the turn is, and replaced as long as the tip leaves the profit alone.
    /// The base fee is no reason to give up as long as the deposits cover it: the fees rise with it.
    fn request(&self, batch: &Batch, turn: &Option<Turn>) -> TxRequest {
        let policy = self.engine.policy();
        TxRequest {
            to: batch.call.to,
            data: batch.call.data.clone(),
            value: U256::ZERO,
            gas_limit: batch.call.gas_limit,
            work: batch.ids.iter().copied().map(WorkId::from).collect(),
            tip: Some(policy.tip),
            max_tip: batch.highest_tip.max(policy.tip),
            max_gas_price: policy.rule.max_gas_price.unwrap_or(u128::MAX).min(batch.highest_price),
            max_total_cost: U256::MAX,
            until_block: match turn {
                Some(Turn::Granted { until, .. }) => Some(*until),
                _ => None,
            },
        }
    }

    /// Reads what became of transactions.
    pub(super) async fn take_events(
        &mut self,
        submitter: &Submitter,
        events: &[Event],
    ) -> Result<Vec<MinedReport>, KeeperError> {
        let mut mined = Vec::new();
        for event in events {
            let requests: Vec<RequestId> = event.work.iter().filter_map(WorkId::as_request).collect();
            if let Some(bundles) = &mut self.bundles {
                bundles.event(event);
            }
            match &event.update {
                Update::Mined { receipt } => {
                    mined.push(report(receipt));
                    self.engine.flights().landed(event.intent);
                    self.fell_short(event.intent, receipt);
                    self.executed(event.intent, requests, receipt.block_number);
                }
                Update::Reverted { receipt } => {
                    mined.push(report(receipt));
                    self.lost(event.intent, receipt);
                    for id in requests {
                        self.engine.failed_on_chain(id, receipt.block_number.unwrap_or_default());
                    }
                }
                Update::Cancelling { reason, tx_hash, .. } => {
                    tracing::info!(nonce = event.nonce, %tx_hash, ?reason, "it is being cancelled");
                    self.engine.flights().given_up(event.intent);
                }
                Update::Cancelled { receipt } => {
                    mined.push(report(receipt));
                    self.lost(event.intent, receipt);
                    if self.engine.flights().was_vain(event.intent) {
                        self.engine.cancelled(&requests, receipt.block_number.unwrap_or_default());
                    }
                }
                Update::Reorged { .. } => {
                    self.lasting.losses.forget(event.intent);
                    self.engine.flights().reopened(event.intent, requests);
                }
                Update::Confirmed { .. } | Update::Abandoned => {
                    self.engine.flights().settled(event.intent, requests);
                }
                Update::NonceUsedByOther { tx_hash } => {
                    self.engine.flights().landed(event.intent);
                    tracing::error!(nonce = event.nonce, ?tx_hash, "another process sends from this account");
                }
                Update::OutOfFunds { message, .. } => {
                    tracing::error!(
                        message,
                        "the account is out of funds; watching on, sending when it is filled"
                    );
                }
                update => tracing::info!(nonce = event.nonce, ?update, "transaction"),
            }
        }
        self.release_owed(submitter).await?;
        self.release_bundles(submitter).await?;
        Ok(mined)
    }

    /// A transaction succeeded in `block`; its entries each did or did not.
    fn executed(&mut self, intent: IntentId, requests: Vec<RequestId>, block: Option<u64>) {
        for id in requests {
            match self.engine.book().get(id).map(|entry| entry.last_executed_at) {
                // A recurring Request that ran is due again when its target says so.
                Some(last) if last == block => self.lasting.owed.push((intent, id)),
                // It is still there and did not run: its entry failed, at the executor's cost.
                Some(last) if last < block => self.engine.failed_on_chain(id, block.unwrap_or_default()),
                _ => {}
            }
        }
    }

    /// A transaction of which entries failed may have earned less than it cost.
    fn fell_short(&mut self, intent: IntentId, receipt: &TransactionReceipt) {
        let registry = self.keeper.contracts.registry;
        let logs = || receipt.logs().iter().filter(move |log| log.address() == registry);
        if !logs().any(|log| log.topic0() == Some(&IRegistry::ReqFailed::SIGNATURE_HASH)) {
            return;
        }
        let executed = logs().filter_map(|log| IRegistry::HashedReqExecuted::decode_log(&log.inner).ok());
        // What cannot be valued counts as nothing: a budget is kept rather too well than not.
        let worth = |event: &IRegistry::HashedReqExecuted| match event.paidInAUTO {
            true => self.engine.auto_in_wei(event.fee).unwrap_or_default(),
            false => event.fee,
        };
        let income = executed.map(|event| worth(&event)).fold(U256::ZERO, U256::saturating_add);
        let short = cost(receipt).saturating_sub(income);
        if !short.is_zero() {
            self.lasting.losses.note(intent, self.engine.head().timestamp, short);
        }
    }

    /// A transaction cost gas for nothing.
    fn lost(&mut self, intent: IntentId, receipt: &TransactionReceipt) {
        self.engine.flights().landed(intent);
        self.lasting.losses.note(intent, self.engine.head().timestamp, cost(receipt));
    }

    /// Gives recurring Requests that ran free again.
    async fn release_owed(&mut self, submitter: &Submitter) -> Result<(), KeeperError> {
        for (intent, id) in std::mem::take(&mut self.lasting.owed) {
            match submitter.release(intent, id.into()).await {
                Ok(()) => self.engine.flights().release(intent, [id]),
                Err(SubmitError::Journal(JournalError::DiskFull)) => {
                    self.no_space();
                    self.lasting.owed.push((intent, id));
                }
                // A reorg came between, or it is settled by now.
                Err(SubmitError::Journal(error @ JournalError::WrongState { .. })) => {
                    tracing::debug!(%error, "not given free");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn report(receipt: &TransactionReceipt) -> MinedReport {
    MinedReport {
        tx: receipt.transaction_hash,
        success: receipt.status(),
        gas_used: receipt.gas_used,
        cost_wei: cost(receipt),
    }
}

fn cost(receipt: &TransactionReceipt) -> U256 {
    U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price)
}
