//! The handle and its writer thread.

use crate::{
    Attempt, Batch, Inclusion, Intent, IntentId, JournalError, NewIntent, Record, Snapshot, store::Store,
};
use alloy::{
    eips::BlockNumHash,
    primitives::{Address, B256},
};
use errand_types::WorkId;
use std::{
    fmt,
    path::Path,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

/// Calls that may wait for the writer before a caller has to.
const QUEUE: usize = 64;

/// Quiet time after which the log is folded into the file.
const IDLE: Duration = Duration::from_millis(100);

/// What a journal is for. It is written when the journal is made and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The chain.
    pub chain_id: u64,
    /// The hash of its block 0: a chain that was begun anew has the same id, and nonces of its own.
    pub genesis: B256,
    /// The Registry whose work it holds; zero for transactions that belong to none.
    pub registry: Address,
    /// The account that sends.
    pub account: Address,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, genesis, registry, account } = self;
        write!(f, "account {account} on chain {chain_id} (block 0 is {genesis}) with Registry {registry}")
    }
}

/// A handle to a journal. Clones share it; the file is closed when the last one is dropped.
///
/// All calls block until the writer thread has answered; a writing call is answered when its content is on
/// the disk (a few milliseconds). Asynchronous callers go through `spawn_blocking`.
#[derive(Clone, Debug)]
pub struct Journal {
    writer: Arc<Writer>,
    identity: Identity,
}

type Call = Box<dyn FnOnce(&mut Store) + Send>;

struct Writer {
    /// `None` only while it is being dropped: the thread ends when the channel does.
    calls: Option<mpsc::SyncSender<Call>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            // Waiting makes sure that the file is free when the last handle is gone.
            let _ = thread.join();
        }
    }
}

impl Journal {
    /// Opens the journal in a file, or makes it where there is no file.
    ///
    /// # Errors
    /// [`JournalError::InUse`], [`OtherIdentity`](JournalError::OtherIdentity),
    /// [`Newer`](JournalError::Newer), [`Corrupt`](JournalError::Corrupt) or
    /// [`Io`](JournalError::Io). The file is as it was.
    pub fn open(path: impl AsRef<Path>, identity: Identity) -> Result<Self, JournalError> {
        Self::start(Store::open(path.as_ref(), identity)?, identity)
    }

    /// A journal that is forgotten with its last handle: for one transaction that somebody watches.
    pub fn in_memory(identity: Identity) -> Result<Self, JournalError> {
        Self::start(Store::in_memory(identity)?, identity)
    }

    fn start(mut store: Store, identity: Identity) -> Result<Self, JournalError> {
        let (calls, queue) = mpsc::sync_channel::<Call>(QUEUE);
        let path = store.path().to_owned();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                loop {
                    // The log is folded into the file when nobody waits, so that no answer waits for it.
                    let next = if store.needs_checkpoint() {
                        queue.recv_timeout(IDLE)
                    } else {
                        queue.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
                    };
                    match next {
                        Ok(call) => call(&mut store),
                        Err(mpsc::RecvTimeoutError::Timeout) => store.checkpoint(),
                        Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    }
                }
            })
            .map_err(|source| JournalError::Io { path, source })?;
        Ok(Self { writer: Arc::new(Writer { calls: Some(calls), thread: Some(thread) }), identity })
    }

    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (answer, wait) = mpsc::sync_channel(1);
        let call: Call = Box::new(move |store| {
            // A caller that went away does not make what it asked for undone.
            let _ = answer.send(work(store));
        });
        let calls = self.writer.calls.as_ref().ok_or(JournalError::Closed)?;
        calls.send(call).map_err(|_| JournalError::Closed)?;
        wait.recv().map_err(|_| JournalError::Closed)?
    }

    /// What it is for.
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Records an intent and takes its work. Whoever gets an answer may sign.
    ///
    /// # Errors
    /// [`JournalError::WorkTaken`] or [`NonceTaken`](JournalError::NonceTaken) where an intent that is not
    /// settled has one of them.
    pub fn open_intent(&self, new: NewIntent) -> Result<Intent, JournalError> {
        self.call(move |store| store.open_intent(new))
    }

    /// Records a signed transaction of an open intent. Whoever gets an answer may send it.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the intent is not open, [`WrongHash`](JournalError::WrongHash) when
    /// the bytes do not have the hash.
    pub fn record_attempt(&self, id: IntentId, attempt: Attempt) -> Result<(), JournalError> {
        self.call(move |store| store.record_attempt(id, &attempt))
    }

    /// Records that an attempt is in a block. The intent keeps its work until it is settled.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the intent is settled or the transaction is none of its attempts.
    pub fn mark_mined(&self, id: IntentId, inclusion: Inclusion) -> Result<(), JournalError> {
        self.call(move |store| store.mark_mined(id, &inclusion))
    }

    /// Records that a foreign transaction used the nonce. The intent keeps its work until it is settled.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the intent is not open.
    pub fn mark_used_by_other(
        &self,
        id: IntentId,
        tx_hash: Option<B256>,
        seen_at: BlockNumHash,
    ) -> Result<(), JournalError> {
        self.call(move |store| store.mark_used_by_other(id, tx_hash, seen_at))
    }

    /// Records that the block that used the nonce is not canonical any more. Work that was released is taken
    /// back, unless a later intent has it.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the intent is settled or abandoned.
    pub fn reopen(&self, id: IntentId) -> Result<(), JournalError> {
        self.call(move |store| store.reopen(id))
    }

    /// Gives up an open intent, its work and its nonce. Only for an intent without attempts, or with attempts
    /// that no chain rule would ever let into a block.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the intent is not open.
    pub fn abandon(&self, id: IntentId) -> Result<(), JournalError> {
        self.call(move |store| store.abandon(id))
    }

    /// Records that the use of the nonce is final, gives the work free and drops the bytes that only a
    /// rebroadcast would need.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the nonce is not used.
    pub fn settle(&self, id: IntentId) -> Result<(), JournalError> {
        self.call(move |store| store.settle(id))
    }

    /// Gives free one piece of work of a mined intent before it is settled: for recurring work that was
    /// executed and is due again. A later intent has a higher nonce, so that it cannot overtake.
    ///
    /// # Errors
    /// [`JournalError::WrongState`] when the intent is not mined with success.
    pub fn release_work(&self, id: IntentId, work: WorkId) -> Result<(), JournalError> {
        self.call(move |store| store.release_work(id, work))
    }

    /// One intent.
    pub fn intent(&self, id: IntentId) -> Result<Intent, JournalError> {
        self.call(move |store| store.intent(id))
    }

    /// All intents that are not settled, by nonce.
    pub fn unsettled(&self) -> Result<Vec<Intent>, JournalError> {
        self.call(|store| store.unsettled())
    }

    /// The latest intents, newest first.
    pub fn history(&self, limit: u32) -> Result<Vec<Intent>, JournalError> {
        self.call(move |store| store.history(limit))
    }

    /// The intent that holds a piece of work, if one does.
    pub fn holder(&self, work: WorkId) -> Result<Option<IntentId>, JournalError> {
        self.call(move |store| store.holder(work))
    }

    /// Writes all of a batch, or nothing.
    pub fn write(&self, batch: Batch) -> Result<(), JournalError> {
        self.call(move |store| store.write(&batch))
    }

    /// One record.
    pub fn record(&self, kind: &'static str, id: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        let id = id.to_owned();
        self.call(move |store| store.record(kind, &id))
    }

    /// All records of a kind, by id.
    pub fn records(&self, kind: &'static str) -> Result<Vec<Record>, JournalError> {
        self.call(move |store| store.records(kind))
    }

    /// The snapshot of that name.
    pub fn snapshot(&self, name: &'static str) -> Result<Option<Snapshot>, JournalError> {
        self.call(move |store| store.snapshot(name))
    }

    /// Reads everything and compares it with its checksums, as opening does.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`].
    pub fn check(&self) -> Result<(), JournalError> {
        self.call(|store| store.check())
    }

    /// Writes a copy of the journal to a file that does not exist yet.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), JournalError> {
        let to = to.as_ref().to_owned();
        self.call(move |store| store.backup(&to))
    }
}
