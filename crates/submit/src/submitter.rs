//! The handle and its task.

use crate::{CrashHook, Event, SubmitConfig, SubmitError, Submitted, TxRequest};
use alloy::{network::EthereumWallet, primitives::Address, providers::DynProvider};
use errand_journal::{Intent, IntentId, Journal};
use errand_types::{BlockDelta, BlockHead, WorkId};

/// A handle to the task that owns an account. Clones share it; the task ends when the last one is dropped.
///
/// Calls are answered in the order in which they come, each when its steps are done. Waiting is bounded: every
/// question to the node has a time limit.
#[derive(Clone, Debug)]
pub struct Submitter {
    account: Address,
}

/// Starts a [`Submitter`].
#[allow(missing_debug_implementations)]
pub struct Builder {
    provider: DynProvider,
    wallet: EthereumWallet,
    journal: Journal,
    config: SubmitConfig,
    crash: Option<CrashHook>,
}

impl Builder {
    /// A submitter for the journal's account. The wallet needs a key for it; any signer that alloy has will do.
    pub fn new(provider: DynProvider, wallet: EthereumWallet, journal: Journal) -> Self {
        Self { provider, wallet, journal, config: SubmitConfig::default(), crash: None }
    }

    /// Other settings than the default ones.
    #[must_use]
    pub fn config(mut self, config: SubmitConfig) -> Self {
        self.config = config;
        self
    }

    /// A function that is called at every crash point.
    #[must_use]
    pub fn crash_hook(mut self, hook: CrashHook) -> Self {
        self.crash = Some(hook);
        self
    }

    /// Compares the journal with the chain at `head`, goes on with what is unfinished (the same bytes, the same
    /// nonces) and starts the task. The events say what was found.
    ///
    /// # Errors
    /// [`SubmitError::WrongChain`], [`SubmitError::WrongAccount`], or a journal or node that does not answer.
    pub async fn start(self, head: BlockHead) -> Result<(Submitter, Vec<Event>), SubmitError> {
        let _ = (head, self.provider, self.wallet, self.journal, self.config, self.crash);
        todo!()
    }
}

impl Submitter {
    /// The account that sends.
    pub const fn account(&self) -> Address {
        self.account
    }

    /// Records an intent with the next free nonce, signs, records and sends.
    ///
    /// # Errors
    /// Nothing was sent and nothing is kept: [`SubmitError::Journal`] (the work is taken, the disk is full),
    /// [`InsufficientFunds`](SubmitError::InsufficientFunds), [`TooExpensive`](SubmitError::TooExpensive),
    /// [`TooMuchGas`](SubmitError::TooMuchGas), [`TooManyInFlight`](SubmitError::TooManyInFlight), a signer
    /// that refuses, a node that does not answer before anything was signed.
    pub async fn submit(&self, request: TxRequest) -> Result<Submitted, SubmitError> {
        let _ = request;
        todo!()
    }

    /// A block came or went. Asks for receipts, sends again, replaces, cancels and settles.
    ///
    /// # Errors
    /// Only of the journal; a node that does not answer leaves things as they are until the next block.
    pub async fn on_block(&self, delta: &BlockDelta) -> Result<Vec<Event>, SubmitError> {
        let _ = delta;
        todo!()
    }

    /// The same for somebody who sees heads and not every block between: what was mined is looked up again
    /// unless the head builds on the last one.
    pub async fn on_head(&self, head: BlockHead) -> Result<Vec<Event>, SubmitError> {
        let _ = head;
        todo!()
    }

    /// Replaces an open intent's transaction now, within its limit.
    pub async fn bump(&self, intent: IntentId) -> Result<Vec<Event>, SubmitError> {
        let _ = intent;
        todo!()
    }

    /// Lets a transaction that does nothing compete for an open intent's nonce. Which of them is mined is the
    /// chain's choice.
    pub async fn cancel(&self, intent: IntentId) -> Result<Vec<Event>, SubmitError> {
        let _ = intent;
        todo!()
    }

    /// Gives work of a mined intent free before it is confirmed: for recurring work that was executed and is
    /// due again. A later intent has a higher nonce, so that it cannot overtake.
    pub async fn release(&self, intent: IntentId, work: WorkId) -> Result<(), SubmitError> {
        let _ = (intent, work);
        todo!()
    }

    /// All intents that are not settled, by nonce.
    pub async fn in_flight(&self) -> Result<Vec<Intent>, SubmitError> {
        todo!()
    }
}
