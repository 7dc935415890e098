//! The actions of a bundle, and where they come from: the header's `uri`. Whoever answers there is a stranger, and what
//! he says is believed when it gives the header's root and totals.

use super::bound::plain_header;
use super::{
    book::{BundleBook, Entry},
    fetch::fetch,
    sync,
};
use crate::sync::off_thread;
use alloy::primitives::{B256, map::HashMap};
use backon::{ExponentialBuilder, Retryable};
use errand_bindings::IChugSplashManager::BundleHeader as BoundHeader;
use errand_bundle::{
    Action, Tree,
    file::{self, DEFAULT_MAX_BYTES},
    header::Totals,
};
use errand_journal::{Batch, Journal};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

/// Pauses between attempts: the first one, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Files that are read at once.
const AT_ONCE: usize = 16;
/// Committed gas for each byte of a file: a byte of an action costs at least 4 gas, and is written as two digits.
const GAS_PER_BYTE: u64 = 2;
/// Bytes that any file may have.
const SMALL_FILE: u64 = 1 << 20;

/// Actions that are a header's.
#[derive(Debug)]
pub struct Leaves {
    /// In their order.
    pub actions: Vec<Action>,
    /// Over them.
    pub tree: Tree,
    /// The first so many are DEPLOY.
    pub deploys: usize,
}

impl Leaves {
    /// Reads a stranger's file. What it says of names, nonce and id is not needed.
    pub fn read(bytes: &[u8], header: &BoundHeader) -> Result<Self, String> {
        let published = file::read(bytes, DEFAULT_MAX_BYTES).map_err(|error| error.to_string())?;
        let totals = Totals::of(&published.actions).map_err(|error| error.to_string())?;
        totals.check(&plain_header(header)).map_err(|error| error.to_string())?;
        let tree = Tree::of(&published.actions).ok_or("there are no actions")?;
        Ok(Self { actions: published.actions, tree, deploys: totals.deploys })
    }
}

/// How far the actions of a bundle are.
#[derive(Clone, Debug)]
pub enum Content {
    /// They are being fetched; what was wrong with the last answer.
    Awaited(Option<String>),
    /// They are there.
    Here(Arc<Leaves>),
}

/// Files with the bundles that they are of.
type Unkept = Arc<Mutex<Vec<(Entry, Vec<u8>)>>>;
type Shared = Arc<Mutex<HashMap<B256, Content>>>;

/// Fetches files in the background; nothing waits for them.
#[derive(Debug)]
pub struct Library {
    contents: Shared,
    /// Files that came and that the journal does not have.
    unkept: Unkept,
    tasks: JoinSet<()>,
    aborts: HashMap<B256, AbortHandle>,
    slots: Arc<tokio::sync::Semaphore>,
    arrived: Arc<Notify>,
    /// How many of the unkept ones are in the batch that is being written.
    recording: AtomicUsize,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            contents: Shared::default(),
            unkept: Arc::default(),
            tasks: JoinSet::new(),
            aborts: HashMap::default(),
            slots: Arc::new(tokio::sync::Semaphore::new(AT_ONCE)),
            arrived: Arc::default(),
            recording: AtomicUsize::new(0),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Library {
    /// Is told when content came.
    pub fn arrivals(&self) -> Arc<Notify> {
        self.arrived.clone()
    }

    /// The content of a bundle, which is read from the journal or fetched if nobody has asked for it before.
    pub fn content(&mut self, entry: &Entry, journal: &Journal) -> Content {
        if let Some(content) = locked(&self.contents).get(&entry.id) {
            return content.clone();
        }
        let content = Content::Awaited(None);
        // Noted before it is fetched: an answer finds its place only where there is one, and may come at once.
        locked(&self.contents).insert(entry.id, content.clone());
        self.fetch(entry.clone(), journal.clone());
        content
    }

    /// Whether files came that the journal does not have.
    pub fn has_unkept(&self) -> bool {
        !locked(&self.unkept).is_empty()
    }

    /// Adds what the journal does not have to a batch, as far as it is still wanted.
    pub fn record(&self, batch: &mut Batch, book: &BundleBook) {
        let unkept = locked(&self.unkept);
        self.recording.store(unkept.len(), Ordering::Relaxed);
        for (entry, bytes) in unkept.iter().filter(|(entry, _)| book.get(&entry.id).is_some()) {
            sync::record_leaves(batch, entry, bytes);
        }
    }

    /// That batch is in the journal.
    pub fn recorded(&self) {
        let recorded = self.recording.swap(0, Ordering::Relaxed);
        locked(&self.unkept).drain(..recorded);
    }

    /// A bundle's actions are not needed any more.
    pub fn forget(&mut self, id: &B256) {
        locked(&self.contents).remove(id);
        if let Some(task) = self.aborts.remove(id) {
            task.abort();
        }
    }

    fn fetch(&mut self, entry: Entry, journal: Journal) {
        let (contents, unkept, slots) = (self.contents.clone(), self.unkept.clone(), self.slots.clone());
        let arrived = self.arrived.clone();
        while self.tasks.try_join_next().is_some() {}
        let id = entry.id;
        let task = self.tasks.spawn(async move {
            if let Some(leaves) = kept(&journal, &entry).await {
                if let Some(content) = locked(&contents).get_mut(&id) {
                    *content = Content::Here(Arc::new(leaves));
                }
                arrived.notify_one();
                return;
            }
            let told = contents.clone();
            let attempt = || async {
                let _slot = slots.acquire().await;
                let bytes = fetch(&entry.header.uri, most(&entry)).await?;
                let header = entry.header.clone();
                // A large file takes a while.
                let read = tokio::task::spawn_blocking(move || {
                    Leaves::read(&bytes, &header).map(|leaves| (leaves, bytes))
                });
                read.await.map_err(|error| error.to_string())?
            };
            let pauses = ExponentialBuilder::default()
                .with_min_delay(FIRST_PAUSE)
                .with_max_delay(LONGEST_PAUSE)
                .with_jitter()
                .without_max_times();
            let found = attempt
                .retry(pauses)
                .notify(|problem: &String, pause: Duration| {
                    tracing::debug!(bundle = %id, problem, ?pause, "the actions of a bundle are not to be had");
                    if let Some(content) = locked(&told).get_mut(&id) {
                        *content = Content::Awaited(Some(problem.clone()));
                    }
                })
                .await;
            if let Ok((leaves, bytes)) = found {
                if let Some(content) = locked(&contents).get_mut(&id) {
                    *content = Content::Here(Arc::new(leaves));
                }
                locked(&unkept).push((entry, bytes));
                arrived.notify_one();
            }
        });
        self.aborts.insert(id, task);
    }
}

/// What the journal has of a bundle.
async fn kept(journal: &Journal, entry: &Entry) -> Option<Leaves> {
    let wanted = entry.clone();
    let read = off_thread(journal, move |journal| {
        let bytes = sync::kept_leaves(journal, &wanted)?;
        Ok(bytes.and_then(|bytes| Leaves::read(&bytes, &wanted.header).ok()))
    });
    read.await.unwrap_or_else(|error| {
        tracing::warn!(bundle = %entry.id, %error, "the journal does not tell its actions; they are fetched");
        None
    })
}

/// The most bytes that the file of a bundle can have if the gas that its header commits is to do.
fn most(entry: &Entry) -> usize {
    let gas = u64::try_from(entry.header.totalGas).unwrap_or(u64::MAX);
    usize::try_from((gas / GAS_PER_BYTE).saturating_add(SMALL_FILE))
        .unwrap_or(usize::MAX)
        .min(DEFAULT_MAX_BYTES)
}
