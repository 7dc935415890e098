//! A keeper from start to stop: one session of following the chain after another, with a resync between them.

use crate::{
    bundles::{self, BundleContracts, BundlePolicy, Bundles},
    contracts::Contracts,
    engine::{Engine, EngineError, Policy},
    losses::Losses,
    quarantine::Quarantine,
    report::Observer,
    session::{Lasting, Session},
    simulator::Simulator,
    sync::{self, BookSyncError},
};
use alloy::network::EthereumWallet;
use errand_chain::{
    BlockFeed, Endpoint, FeedError, FeedOptions, LoadError, Start, StateLoader, SyncProgress, WriteError,
    WriteSets,
};
use errand_journal::{Journal, JournalError};
use errand_sim::SimConfig;
use errand_submit::{SubmitConfig, SubmitError};
use errand_types::BlockHead;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The pause before a resync, so that a broken node is not hammered. It doubles with each one that fails.
const RESYNC_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before a resync.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

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
        match self {
            Self::Engine(_) | Self::Load(_) | Self::Writes(_) | Self::Feed(_) => true,
            // Logs that are missing, or that contradict the Registry, may only be late.
            Self::Sync(error) => !matches!(error, BookSyncError::Journal(_)),
            Self::Submit(_) | Self::Journal(_) => false,
        }
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
    /// Bundles of ChugSplash, where they are executed too.
    pub bundles: Option<(BundleContracts, BundlePolicy)>,
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
    /// What a resync cannot mend, above all a journal that fails, because nothing may be sent unrecorded; and
    /// whatever keeps it from starting. Once it has started, a node that is away, that is late with logs or that
    /// contradicts itself is waited for. So is space on the disk: it goes on watching then, and sends nothing.
    pub async fn run(
        mut self,
        cancel: CancellationToken,
        progress: &mut (dyn SyncProgress + Send),
        observer: &mut dyn Observer,
    ) -> Result<(), KeeperError> {
        let (losses, quarantine) = sync::off_thread(&self.journal, |journal| {
            Ok((Losses::load(journal)?, Quarantine::load(journal)?))
        })
        .await?;
        let mut lasting = Lasting::new(losses, quarantine);
        let (mut started, mut pause) = (false, RESYNC_PAUSE);
        loop {
            let mut followed = false;
            let ended = self.session(&cancel, progress, observer, &mut lasting, &mut followed).await;
            started |= followed;
            let error = match ended {
                Err(KeeperError::Feed(FeedError::Stopped)) if cancel.is_cancelled() => return Ok(()),
                Ok(()) => return Ok(()),
                Err(error) if started && error.asks_for_resync() => error,
                Err(error) => return Err(error),
            };
            pause = if followed { RESYNC_PAUSE } else { LONGEST_PAUSE.min(pause * 2) };
            tracing::warn!(%error, ?pause, "starting over from the chain");
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// From a sync to the error that ends it; `followed`: the sync was done, and the chain followed.
    async fn session(
        &mut self,
        cancel: &CancellationToken,
        progress: &mut (dyn SyncProgress + Send),
        observer: &mut dyn Observer,
        lasting: &mut Lasting,
        followed: &mut bool,
    ) -> Result<(), KeeperError> {
        let begin = Instant::now();
        let loader = StateLoader::probe(&self.endpoint).await?;
        let mut writes = WriteSets::probe(loader.clone()).await?;
        let mut addresses = vec![self.contracts.registry];
        addresses.extend(self.bundles.iter().map(|(contracts, _)| contracts.registry));
        let options = FeedOptions { addresses, ..Default::default() };
        let mut feed = BlockFeed::start(&self.endpoint, Start::Tip, options, cancel.child_token()).await?;
        let head = *feed.base();
        tracing::info!(block = head.number, writes = %writes.source(), "following the chain");

        let synced = sync::sync_book(
            &self.endpoint,
            &self.contracts,
            Some(&self.journal),
            self.first_block,
            lasting.doubted_from,
            &head,
            progress,
        )
        .await?;
        let outside = synced.completeness.outside_look_back.len();
        if outside > 0 {
            tracing::warn!(outside, "Requests are outstanding that were registered before the look-back");
        }
        tracing::info!(outstanding = synced.book.len(), from = synced.from_block, "the book is complete");
        lasting.doubted_from = None;
        observer.synced(head.number, synced.book.len(), outside);

        let bundles = self.sync_bundles(&head, progress).await?;
        let simulator = Simulator::new(loader, self.sim.clone(), head);
        let engine = Engine::new(self.contracts, self.policy.clone(), simulator, synced.book);
        let mut session = Session::new(self, engine, bundles, lasting);
        session.keep().await?;
        session.open_submitter().await?;
        *followed = true;
        session.follow(&mut feed, &mut writes, observer, begin).await
    }

    /// The bundles at the head, where they are executed too.
    async fn sync_bundles(
        &self,
        head: &BlockHead,
        progress: &mut (dyn SyncProgress + Send),
    ) -> Result<Option<Bundles>, KeeperError> {
        let Some((contracts, policy)) = &self.bundles else { return Ok(None) };
        let journal = Some(&self.journal);
        let book = bundles::sync::sync_bundles(&self.endpoint, contracts, journal, head, progress).await?;
        tracing::info!(bundles = book.iter().count(), "the bundles are complete");
        let past = bundles::sync::past_times(&self.endpoint, head).await?;
        let (contracts, policy, journal) = (contracts.clone(), policy.clone(), self.journal.clone());
        Ok(Some(Bundles::new(self.endpoint.chain_id(), contracts, policy, journal, book, *head, past)))
    }
}
