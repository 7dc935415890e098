//! The loop: follows the chain, lets the engine decide, sends, and records.

mod upgrades;

use crate::{
    batch::Batch,
    bundles::Bundles,
    engine::{Decision, Engine, EngineError},
    losses::Losses,
    quarantine::Quarantine,
    report::{BlockReport, MinedReport, Observer, SentReport, Withheld},
    run::{Keeper, KeeperError},
    sync,
    turn::Turn,
};
use alloy::{primitives::U256, rpc::types::TransactionReceipt, sol_types::SolEvent};
use errand_bindings::IRegistry;
use errand_chain::{BlockFeed, WriteSets};
use errand_journal::{Batch as Records, Intent, IntentId, IntentState, JournalError};
use errand_submit::{Builder, Event, SubmitError, Submitter, TxRequest, Update};
use errand_types::{BlockDelta, BlockHead, CallSpec, RequestId, WorkId};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Quiet blocks after which the journal is told how far the book has come.
const KEEP_EVERY: u64 = 16;
/// When to look again where state could not be read, unless a block comes before.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a resync does not touch.
#[derive(Debug)]
pub(crate) struct Lasting {
    /// The account's owner, once there is one.
    submitter: Option<Submitter>,
    losses: Losses,
    /// What failed on chain; the engine has it while there is one.
    quarantine: Quarantine,
    /// The journal had no space when it was written last.
    disk_is_full: bool,
    /// The loss budget was used up at the last look.
    budget_is_used_up: bool,
    /// Requests that are due again, but that the journal could not give free.
    owed: Vec<(IntentId, RequestId)>,
    /// The block from which on logs have to be read again, because some did not come in time.
    pub(crate) doubted_from: Option<u64>,
}

impl Lasting {
    pub(crate) const fn new(losses: Losses, quarantine: Quarantine) -> Self {
        Self {
            submitter: None,
            losses,
            quarantine,
            disk_is_full: false,
            budget_is_used_up: false,
            owed: Vec::new(),
            doubted_from: None,
        }
    }
}

/// One stretch of following the chain without a resync.
pub(crate) struct Session<'a> {
    keeper: &'a Keeper,
    engine: Engine,
    bundles: Option<Bundles>,
    lasting: &'a mut Lasting,
    /// Requests that changed since the book was kept last.
    changed: BTreeSet<RequestId>,
    /// The block as of which the journal has this session's book.
    kept_at: Option<u64>,
    /// JSON-RPC calls that were told.
    calls_told: u64,
    /// State could not be read at the last look.
    is_unfinished: bool,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.lasting.quarantine = std::mem::take(self.engine.quarantine());
        self.lasting.doubted_from = self.engine.doubted_from();
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        keeper: &'a Keeper,
        mut engine: Engine,
        bundles: Option<Bundles>,
        lasting: &'a mut Lasting,
    ) -> Self {
        lasting.quarantine.keep_only(|id| engine.book().get(id).is_some());
        *engine.quarantine() = std::mem::take(&mut lasting.quarantine);
        let calls_told = keeper.endpoint.stats().total();
        let changed = BTreeSet::new();
        Self { keeper, engine, bundles, lasting, changed, kept_at: None, calls_told, is_unfinished: false }
    }

    /// Starts the account's owner, or tells the one that runs already where the chain is now.
    pub(crate) async fn open_submitter(&mut self) -> Result<(), KeeperError> {
        let head = *self.engine.head();
        let Some(sender) = &self.keeper.sender else { return Ok(()) };
        let (submitter, events) = match self.lasting.submitter.clone() {
            Some(submitter) => {
                let events = submitter.on_head(head).await;
                (submitter, self.unless_full(events)?.unwrap_or_default())
            }
            None => {
                let (provider, journal) = (self.keeper.endpoint.provider(), self.keeper.journal.clone());
                let builder = Builder::new(provider, sender.wallet.clone(), journal);
                let (submitter, events) = builder.config(sender.config.clone()).start(head).await?;
                self.lasting.submitter = Some(submitter.clone());
                (submitter, events)
            }
        };
        for intent in submitter.in_flight().await? {
            self.resume(&intent)?;
        }
        self.take_events(&submitter, &events).await?;
        Ok(())
    }

    /// Takes over what an earlier session, or process, has sent.
    fn resume(&mut self, intent: &Intent) -> Result<(), KeeperError> {
        let ids: Vec<_> = intent.work.iter().filter_map(WorkId::as_request).collect();
        let Some(request) = TxRequest::of(intent)? else { return Ok(()) };
        if let Some(bundles) = &mut self.bundles {
            bundles.resume(intent)?;
        }
        let call = CallSpec {
            origin: intent.account,
            caller: intent.account,
            to: request.to,
            data: request.data,
            value: request.value,
            gas_limit: request.gas_limit,
            gas_price: 0,
        };
        self.engine.flights().opened(intent.id, ids, call);
        if intent.state != IntentState::Open {
            self.engine.flights().landed(intent.id);
        }
        Ok(())
    }

    /// Follows the chain until something ends it. `begin`: when the session's sync began.
    pub(crate) async fn follow(
        &mut self,
        feed: &mut BlockFeed,
        writes: &mut WriteSets,
        observer: &mut dyn Observer,
        begin: Instant,
    ) -> Result<(), KeeperError> {
        let tip = feed.tip();
        let arrivals = self.bundles.as_ref().map(Bundles::arrivals).unwrap_or_default();
        // What waits already must not wait for the next block.
        self.look(observer, Vec::new(), false, begin).await?;
        loop {
            // Only the waiting may be given up: a node that takes a second for a block's writes would otherwise
            // never be done while state cannot be read.
            tokio::select! {
                // What a bundle does came.
                () = arrivals.notified() => {
                    let behind = tip.borrow().hash != self.engine.head().hash;
                    self.look(observer, Vec::new(), behind, Instant::now()).await?;
                    continue;
                }
                ready = feed.ready() => ready?,
                () = tokio::time::sleep(LOOK_AGAIN), if self.is_unfinished => {
                    let behind = tip.borrow().hash != self.engine.head().hash;
                    self.look(observer, Vec::new(), behind, Instant::now()).await?;
                    continue;
                }
            }
            let delta = feed.next(writes, self.engine.simulator()).await?;
            self.engine.apply(&delta, now())?;
            if let Some(bundles) = &mut self.bundles {
                bundles.apply(&delta).map_err(EngineError::from)?;
            }
            self.changed.extend(self.engine.take_changed());
            if let BlockDelta::Removed { head } = delta {
                tracing::warn!(block = head.number, hash = %head.hash, "a block is not canonical any more");
            }
            let mut mined = Vec::new();
            if let Some(submitter) = self.lasting.submitter.clone() {
                let events = submitter.on_block(&delta).await;
                let events = self.unless_full(events)?.unwrap_or_default();
                mined = self.take_events(&submitter, &events).await?;
            }
            let is_gone = matches!(delta, BlockDelta::Removed { .. });
            let behind = is_gone || is_newer(&tip.borrow(), self.engine.head());
            self.look(observer, mined, behind, feed.seen_at()).await?;
        }
    }

    /// Decides on the head, sends, records, and tells about it.
    async fn look(
        &mut self,
        observer: &mut dyn Observer,
        mut mined: Vec<MinedReport>,
        behind: bool,
        seen: Instant,
    ) -> Result<(), KeeperError> {
        // Losses are recorded before more can be made; a write shows whether there is space again.
        let is_unsaved = self.lasting.losses.is_unsaved() || self.engine.quarantine().is_unsaved();
        if is_unsaved || self.lasting.disk_is_full {
            self.keep().await?;
        }
        let withheld = self.withheld();
        let mut decision = self.engine.decide(now(), behind || withheld.is_some()).await?;
        self.is_unfinished = decision.is_unfinished;
        let sent = self.send(&mut decision).await?;
        let bundles = if behind { Vec::new() } else { self.look_at_bundles(&mut mined).await? };
        let elapsed = seen.elapsed();
        self.keep_if_due().await?;
        let calls = self.keeper.endpoint.stats().total();
        let head = self.engine.head();
        observer.block(&BlockReport {
            number: head.number,
            hash: head.hash,
            elapsed,
            rpc_calls: calls - self.calls_told,
            outstanding: self.engine.book().len(),
            rechecked: decision.rechecked,
            executable: decision.executable,
            unknown: decision.unknown,
            turn: decision.turn,
            withheld,
            sent,
            mined,
            bundles,
        });
        self.calls_told = calls;
        Ok(())
    }

    /// Why nothing may be sent now; said once.
    fn withheld(&mut self) -> Option<Withheld> {
        if self.lasting.disk_is_full {
            return Some(Withheld::DiskFull);
        }
        let budget = self.engine.policy().loss_budget?;
        let lost = self.lasting.losses.of_the_day(self.engine.head().timestamp);
        let is_used_up = lost >= budget;
        if is_used_up != std::mem::replace(&mut self.lasting.budget_is_used_up, is_used_up) {
            if is_used_up {
                tracing::error!(%lost, %budget, "the loss budget of 24 hours is used up: watching on, sending nothing");
            } else {
                tracing::info!(%lost, %budget, "there is loss budget again");
            }
        }
        is_used_up.then_some(Withheld::LossBudget { lost })
    }
}

impl Session<'_> {
    /// Sends what was planned.
    async fn send(&mut self, decision: &mut Decision) -> Result<Vec<SentReport>, KeeperError> {
        let mut sent = Vec::new();
        for batch in std::mem::take(&mut decision.batches) {
            let report =
                |tx| SentReport { requests: batch.ids.clone(), tx, gas: batch.gas, balance: batch.balance };
            let Some(submitter) = &self.lasting.submitter else {
                sent.push(report(None));
                continue;
            };
            match submitter.submit(self.request(&batch, &decision.turn)).await {
                Ok(submitted) => {
                    tracing::info!(requests = %errand_types::listed(&batch.ids), tx = %submitted.tx_hash, nonce = submitted.nonce, "sent");
                    sent.push(report(Some(submitted.tx_hash)));
                    self.engine.flights().opened(submitted.intent, batch.ids, batch.call);
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
    async fn take_events(
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
                Update::Cancelled { receipt } => {
                    mined.push(report(receipt));
                    self.lost(event.intent, receipt);
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

impl Session<'_> {
    async fn keep_if_due(&mut self) -> Result<(), KeeperError> {
        let number = self.engine.head().number;
        let is_due = self.kept_at.is_none_or(|kept_at| number.abs_diff(kept_at) >= KEEP_EVERY);
        let has_changed = !self.changed.is_empty() || self.bundles.as_ref().is_some_and(Bundles::is_unkept);
        if is_due || has_changed { self.keep().await } else { Ok(()) }
    }

    /// Keeps in the journal what changed, and how far it has come.
    pub(crate) async fn keep(&mut self) -> Result<(), KeeperError> {
        let (head, book) = (self.engine.head(), self.engine.book());
        let mut records = Records::new();
        match self.kept_at {
            None => sync::record_whole(&mut records, head, book),
            Some(_) => {
                let changed = self.changed.iter().map(|id| (*id, book.get(*id)));
                sync::record_changes(&mut records, head, changed);
            }
        }
        let number = head.number;
        self.lasting.losses.record(&mut records);
        self.engine.quarantine().record(&mut records);
        if let Some(bundles) = &self.bundles {
            bundles.record(&mut records, self.kept_at.is_none());
        }
        match sync::off_thread(&self.keeper.journal, |journal| journal.write(records)).await {
            Ok(()) => {
                self.kept_at = Some(number);
                self.changed.clear();
                self.lasting.losses.saved();
                self.engine.quarantine().saved();
                if let Some(bundles) = &mut self.bundles {
                    bundles.recorded();
                }
                if std::mem::take(&mut self.lasting.disk_is_full) {
                    tracing::info!("there is space for the journal again");
                }
            }
            Err(JournalError::DiskFull) => self.no_space(),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// What the account's owner said; `None` where it could not record.
    fn unless_full<T>(&mut self, result: Result<T, SubmitError>) -> Result<Option<T>, KeeperError> {
        match result {
            Err(SubmitError::Journal(JournalError::DiskFull)) => {
                self.no_space();
                Ok(None)
            }
            other => Ok(Some(other?)),
        }
    }

    /// Watching needs no disk; sending does.
    fn no_space(&mut self) {
        if !std::mem::replace(&mut self.lasting.disk_is_full, true) {
            tracing::error!("no space is left for the journal: watching on, sending nothing until there is");
        }
    }
}

/// Whether `tip` is another block than the head, and not one before it.
fn is_newer(tip: &BlockHead, head: &BlockHead) -> bool {
    tip.hash != head.hash && tip.number >= head.number
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

/// Unix time in seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
