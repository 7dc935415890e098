//! The loop: follows the chain, lets the engine decide, sends, and records.

mod keeping;
mod sending;
mod upgrades;

use crate::{
    bundles::Bundles,
    engine::{Engine, EngineError},
    funds::Shortage,
    losses::Losses,
    quarantine::Quarantine,
    report::{BlockReport, MinedReport, Observer, Withheld},
    run::{Keeper, KeeperError},
};
use errand_chain::{BlockFeed, WriteSets};
use errand_journal::{Intent, IntentId, IntentState, Purpose};
use errand_submit::{Builder, Submitter, TxRequest};
use errand_types::{BlockDelta, BlockHead, RequestId, WorkId};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

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
    /// The account had too little for anything at the last look.
    is_short: bool,
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
            is_short: false,
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
        if let Some(bundles) = &mut self.bundles {
            bundles.resume(intent)?;
        }
        let ids: Vec<_> = intent.work.iter().filter_map(WorkId::as_request).collect();
        let Some(request) = TxRequest::of(intent)?.filter(|_| !ids.is_empty()) else { return Ok(()) };
        let call = request.sent_by(intent.account);
        self.engine.flights().opened(intent.id, ids, call, request.max_gas_price);
        if intent.state != IntentState::Open {
            self.engine.flights().landed(intent.id);
        }
        if intent.attempts.last().is_some_and(|attempt| attempt.purpose == Purpose::Cancel) {
            self.engine.flights().given_up(intent.id);
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
        let withheld = withheld.or_else(|| self.out_of_funds(decision.shortage));
        if !behind {
            self.give_up_failing(&mut mined).await?;
        }
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

    /// Why nothing that pays is sent where the account has too little; said once.
    fn out_of_funds(&mut self, shortage: Option<Shortage>) -> Option<Withheld> {
        let was_short = std::mem::replace(&mut self.lasting.is_short, shortage.is_some());
        let Shortage { balance, needed } = shortage?;
        if !was_short {
            tracing::error!(
                %balance, %needed,
                "the account has too little ETH for the gas of what would earn: watching on, sending when it is filled"
            );
        }
        Some(Withheld::OutOfFunds { balance, needed })
    }
}

/// Whether `tip` is another block than the head, and not one before it.
fn is_newer(tip: &BlockHead, head: &BlockHead) -> bool {
    tip.hash != head.hash && tip.number >= head.number
}

/// Unix time in seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
