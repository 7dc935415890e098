//! The loop: follows the chain, lets the engine decide, sends, and records.

use crate::{
    contracts::Contracts,
    engine::{Engine, EngineError, Policy},
    quote::Batch,
    report::{BlockReport, MinedReport, Observer, SentReport},
    simulator::Simulator,
    sync::{self, BookSyncError},
};
use alloy::{network::EthereumWallet, primitives::U256, rpc::types::TransactionReceipt};
use errand_chain::{
    BlockFeed, Endpoint, FeedError, FeedOptions, LoadError, Start, StateLoader, SyncProgress, WriteError,
    WriteSets,
};
use errand_journal::{Journal, JournalError};
use errand_sim::SimConfig;
use errand_submit::{Builder, Event, SubmitConfig, SubmitError, Submitter, TxRequest, Update};
use errand_types::{BlockDelta, RequestId, WorkId};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio_util::sync::CancellationToken;

/// Quiet blocks after which the journal is told how far the book has come.
const KEEP_EVERY: u64 = 16;
/// The pause before a resync, so that a broken node is not hammered.
const RESYNC_PAUSE: Duration = Duration::from_secs(1);

/// Why a keeper stopped.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// No book could be made.
    #[error(transparent)]
    Sync(#[from] BookSyncError),
    /// The engine gave up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// State could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Write sets cannot be had.
    #[error(transparent)]
    Writes(#[from] WriteError),
    /// The block feed ended.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The account's owner failed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl KeeperError {
    /// Whether loading everything anew from the chain may help.
    const fn asks_for_resync(&self) -> bool {
        matches!(
            self,
            Self::Engine(_)
                | Self::Load(_)
                | Self::Writes(_)
                | Self::Feed(_)
                | Self::Sync(BookSyncError::Logs(_) | BookSyncError::Endpoint(_))
        )
    }
}

/// Everything that a keeper needs.
#[derive(Debug)]
pub struct Keeper {
    /// The chain.
    pub endpoint: Endpoint,
    /// The contracts.
    pub contracts: Contracts,
    /// How it decides.
    pub policy: Policy,
    /// Rules of the chain's EVM.
    pub sim: SimConfig,
    /// Where it records what it does.
    pub journal: Journal,
    /// How it sends; `None` for a dry run.
    pub sender: Option<Sender>,
    /// The first block whose logs are read, where the journal has nothing.
    pub first_block: u64,
}

/// What sends.
#[derive(Debug)]
pub struct Sender {
    /// Holds the executor's key.
    pub wallet: EthereumWallet,
    /// How it sends.
    pub config: SubmitConfig,
}

impl Keeper {
    /// Keeps until the token is cancelled: then what is in flight stays recorded, and this returns.
    ///
    /// # Errors
    /// What a resync cannot mend: above all a journal that fails, because nothing may be sent unrecorded, and
    /// a node that contradicts itself. A node that is away is waited for, once the keeper has started.
    pub async fn run(
        mut self,
        cancel: CancellationToken,
        progress: &mut (dyn SyncProgress + Send),
        observer: &mut dyn Observer,
    ) -> Result<(), KeeperError> {
        let mut submitter = None;
        let mut started = false;
        loop {
            let error = match self.session(&cancel, progress, observer, &mut submitter, &mut started).await {
                Err(KeeperError::Feed(FeedError::Stopped)) if cancel.is_cancelled() => return Ok(()),
                Ok(()) => return Ok(()),
                Err(error) if started && error.asks_for_resync() => error,
                Err(error) => return Err(error),
            };
            tracing::warn!(%error, "starting over from the chain");
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(RESYNC_PAUSE) => {}
            }
        }
    }

    /// From a sync to the error that ends it.
    async fn session(
        &mut self,
        cancel: &CancellationToken,
        progress: &mut (dyn SyncProgress + Send),
        observer: &mut dyn Observer,
        submitter: &mut Option<Submitter>,
        started: &mut bool,
    ) -> Result<(), KeeperError> {
        let loader = StateLoader::probe(&self.endpoint).await?;
        let mut writes = WriteSets::probe(loader.clone()).await?;
        let options = FeedOptions { addresses: vec![self.contracts.registry], ..Default::default() };
        let mut feed = BlockFeed::start(&self.endpoint, Start::Tip, options, cancel.child_token()).await?;
        let head = *feed.base();
        tracing::info!(block = head.number, writes = %writes.source(), "following the chain");

        let synced = sync::sync_book(
            &self.endpoint,
            &self.contracts,
            Some(&self.journal),
            self.first_block,
            &head,
            progress,
        )
        .await?;
        sync::keep_whole_book(&self.journal, &head, &synced.book)?;
        let outside = synced.completeness.outside_look_back.len();
        if outside > 0 {
            tracing::warn!(outside, "Requests are outstanding that were registered before the look-back");
        }
        tracing::info!(outstanding = synced.book.len(), from = synced.from_block, "the book is complete");
        observer.synced(head.number, synced.book.len(), outside);

        let simulator = Simulator::new(loader, self.sim.clone(), head);
        let engine = Engine::new(self.contracts, self.policy.clone(), simulator, synced.book);
        let mut session = Session { keeper: self, engine, changed: BTreeSet::new(), kept_at: head.number };
        session.open_submitter(submitter).await?;
        *started = true;
        session.follow(&mut feed, &mut writes, submitter.as_ref(), observer).await
    }
}

/// One stretch of following the chain without a resync.
struct Session<'a> {
    keeper: &'a Keeper,
    engine: Engine,
    /// Requests that changed since the book was kept last.
    changed: BTreeSet<RequestId>,
    kept_at: u64,
}

impl Session<'_> {
    /// Starts the account's owner, or tells the one that runs already where the chain is now.
    async fn open_submitter(&mut self, submitter: &mut Option<Submitter>) -> Result<(), KeeperError> {
        let head = *self.engine.head();
        let Some(sender) = &self.keeper.sender else { return Ok(()) };
        let events = match submitter {
            Some(submitter) => submitter.on_head(head).await?,
            None => {
                let builder = Builder::new(
                    self.keeper.endpoint.provider(),
                    sender.wallet.clone(),
                    self.keeper.journal.clone(),
                );
                let (started, events) = builder.config(sender.config.clone()).start(head).await?;
                *submitter = Some(started);
                events
            }
        };
        if let Some(submitter) = submitter.as_ref() {
            let in_flight = submitter.in_flight().await?;
            for intent in in_flight {
                self.engine.hold(intent.id, intent.work.iter().filter_map(WorkId::as_request));
            }
            self.take_events(submitter, &events).await?;
        }
        Ok(())
    }

    async fn follow(
        &mut self,
        feed: &mut BlockFeed,
        writes: &mut WriteSets,
        submitter: Option<&Submitter>,
        observer: &mut dyn Observer,
    ) -> Result<(), KeeperError> {
        let tip = feed.tip();
        let mut seen = Instant::now();
        let mut calls_before = self.keeper.endpoint.stats().total();
        // What waits already must not wait for the next block.
        self.deal(submitter, observer, Vec::new(), false, seen, &mut calls_before).await?;
        loop {
            let delta = feed.next(writes, self.engine.simulator()).await?;
            if tip.has_changed().unwrap_or(false) || matches!(delta, BlockDelta::Removed { .. }) {
                seen = Instant::now();
            }
            self.engine.apply(&delta, now())?;
            self.note_changes(&delta);
            let mut mined = Vec::new();
            if let Some(submitter) = submitter {
                let events = submitter.on_block(&delta).await?;
                mined = self.take_events(submitter, &events).await?;
            }
            let number = self.engine.head().number;
            let behind = tip.borrow().number > number || matches!(delta, BlockDelta::Removed { .. });
            self.deal(submitter, observer, mined, behind, seen, &mut calls_before).await?;
        }
    }

    /// Decides on the head, sends, and tells about it.
    async fn deal(
        &mut self,
        submitter: Option<&Submitter>,
        observer: &mut dyn Observer,
        mined: Vec<MinedReport>,
        behind: bool,
        seen: Instant,
        calls_before: &mut u64,
    ) -> Result<(), KeeperError> {
        let (decision, sent) = self.decide_and_send(submitter, behind).await?;
        let head = *self.engine.head();
        self.keep(&head)?;
        let calls = self.keeper.endpoint.stats().total();
        observer.block(&BlockReport {
            number: head.number,
            hash: head.hash,
            elapsed: seen.elapsed(),
            rpc_calls: calls - *calls_before,
            outstanding: self.engine.book().len(),
            rechecked: decision.rechecked,
            executable: decision.executable,
            turn: decision.turn,
            sent,
            mined,
        });
        *calls_before = calls;
        Ok(())
    }
}

impl Session<'_> {
    /// Lets the engine decide on the head and sends what it plans.
    async fn decide_and_send(
        &mut self,
        submitter: Option<&Submitter>,
        behind: bool,
    ) -> Result<(crate::engine::Decision, Vec<SentReport>), KeeperError> {
        let mut decision = self.engine.decide(now(), behind).await?;
        let mut sent = Vec::new();
        for batch in std::mem::take(&mut decision.batches) {
            let report =
                |tx| SentReport { requests: batch.ids.clone(), tx, gas: batch.gas, balance: batch.balance };
            let Some(submitter) = submitter else {
                sent.push(report(None));
                continue;
            };
            match submitter.submit(self.request(&batch, &decision.turn)).await {
                Ok(submitted) => {
                    tracing::info!(requests = ?batch.ids, tx = %submitted.tx_hash, nonce = submitted.nonce, "sent");
                    self.engine.hold(submitted.intent, batch.ids.iter().copied());
                    sent.push(report(Some(submitted.tx_hash)));
                }
                // The rest of the batch is planned again with the next block.
                Err(SubmitError::Journal(JournalError::WorkTaken { work, holder })) => {
                    self.engine.hold(holder, work.as_request());
                }
                Err(SubmitError::Journal(error)) if !matches!(error, JournalError::DiskFull) => {
                    return Err(error.into());
                }
                Err(SubmitError::Stopped) => return Err(SubmitError::Stopped.into()),
                // Nothing was sent and nothing is kept: the next block is another chance.
                Err(error) => tracing::warn!(requests = ?batch.ids, %error, "not sent"),
            }
        }
        Ok((decision, sent))
    }

    /// The transaction for a batch: replaced as long as it still pays, and gone when the turn is.
    fn request(&self, batch: &Batch, turn: &Option<crate::turn::Turn>) -> TxRequest {
        let policy = &self.engine.policy();
        // The fees rise with the base fee but not with the tip: what is spent at most is what is earned.
        let per_gas = batch.balance.income / U256::from(batch.gas.max(1));
        let pays_up_to = u128::try_from(per_gas).unwrap_or(u128::MAX).max(batch.call.gas_price);
        TxRequest {
            to: batch.call.to,
            data: batch.call.data.clone(),
            value: U256::ZERO,
            gas_limit: batch.call.gas_limit,
            work: batch.ids.iter().copied().map(WorkId::from).collect(),
            tip: Some(policy.tip),
            max_gas_price: policy.rule.max_gas_price.map_or(pays_up_to, |highest| highest.min(pays_up_to)),
            max_total_cost: U256::MAX,
            until_block: match turn {
                Some(crate::turn::Turn::Granted { until, .. }) => Some(*until),
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
            match &event.update {
                Update::Mined { receipt } => {
                    mined.push(report(receipt));
                    let block = receipt.block_number;
                    for id in requests {
                        match self.engine.book().get(id).map(|entry| entry.last_executed_at) {
                            // A recurring Request that ran is due again when its target says so.
                            Some(last) if last == block => {
                                submitter.release(event.intent, id.into()).await?;
                                self.engine.release(event.intent, [id]);
                            }
                            // It is still there and did not run: its entry failed, at the executor's cost.
                            Some(last) if last < block => {
                                self.engine.failed_on_chain(id, block.unwrap_or_default());
                            }
                            _ => {}
                        }
                    }
                }
                Update::Reverted { receipt } => {
                    mined.push(report(receipt));
                    for id in requests {
                        self.engine.failed_on_chain(id, receipt.block_number.unwrap_or_default());
                    }
                }
                Update::Cancelled { receipt } => mined.push(report(receipt)),
                Update::Reorged { .. } => self.engine.hold(event.intent, requests),
                Update::Confirmed { .. } | Update::Abandoned => {
                    self.engine.release(event.intent, requests);
                }
                Update::NonceUsedByOther { tx_hash } => {
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
        Ok(mined)
    }

    fn note_changes(&mut self, delta: &BlockDelta) {
        self.changed.extend(self.engine.take_changed());
        if let BlockDelta::Removed { head } = delta {
            tracing::warn!(block = head.number, hash = %head.hash, "a block is not canonical any more");
        }
    }

    /// Keeps the book when it changed, and how far it has come every few blocks.
    fn keep(&mut self, head: &errand_types::BlockHead) -> Result<(), KeeperError> {
        if self.changed.is_empty() && head.number.abs_diff(self.kept_at) < KEEP_EVERY {
            return Ok(());
        }
        let book = self.engine.book();
        let changed = self.changed.iter().map(|id| (*id, book.get(*id)));
        match sync::keep_book(&self.keeper.journal, head, changed) {
            Ok(()) => {
                self.changed.clear();
                self.kept_at = head.number;
                Ok(())
            }
            // Reading goes on; only sending needs the disk, and refuses by itself.
            Err(JournalError::DiskFull) => {
                tracing::error!("no space is left for the journal; nothing is sent until there is");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn report(receipt: &TransactionReceipt) -> MinedReport {
    MinedReport {
        tx: receipt.transaction_hash,
        success: receipt.status(),
        gas_used: receipt.gas_used,
        cost_wei: U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price),
    }
}

/// Unix time in seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
