//! The handle and its task.

use crate::{
    CrashHook, Event, Route, SubmitConfig, SubmitError, Submitted, TxRequest, actor::Actor,
    event::CancelReason, node::Node,
};
use alloy::{
    eips::BlockId,
    network::{Ethereum, EthereumWallet, NetworkWallet},
    primitives::Address,
    providers::DynProvider,
};
use errand_journal::{Intent, IntentId, Journal};
use errand_types::{BlockDelta, BlockHead, WorkId};
use std::{collections::VecDeque, fmt};
use tokio::sync::{mpsc, oneshot};

/// Calls that may wait for the task before a caller has to.
const QUEUE: usize = 32;

/// A handle to the task that owns an account. Clones share it; the task ends when the last one is dropped.
///
/// Calls are answered in the order in which they come, each when its steps are done. Waiting is bounded: every
/// question to the node has a time limit. A call that is dropped before its answer is done all the same.
#[derive(Clone, Debug)]
pub struct Submitter {
    account: Address,
    calls: mpsc::Sender<Call>,
}

type Answer<T> = oneshot::Sender<Result<T, SubmitError>>;

#[derive(Debug)]
enum Call {
    Submit(Box<TxRequest>, Answer<Submitted>),
    Head(BlockHead, Answer<Vec<Event>>),
    Removed(BlockHead, Answer<Vec<Event>>),
    Bump(IntentId, Answer<Vec<Event>>),
    Cancel(IntentId, Answer<Vec<Event>>),
    Release(IntentId, WorkId, Answer<()>),
    InFlight(Answer<Vec<Intent>>),
}

/// Starts a [`Submitter`].
pub struct Builder {
    provider: DynProvider,
    wallet: EthereumWallet,
    journal: Journal,
    config: SubmitConfig,
    route: Route,
    crash: Option<CrashHook>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// A submitter for the journal's account. The wallet needs a key for it; any signer that alloy has will do.
    pub fn new(provider: DynProvider, wallet: EthereumWallet, journal: Journal) -> Self {
        let (config, route) = (SubmitConfig::default(), Route::Public);
        Self { provider, wallet, journal, config, route, crash: None }
    }

    /// Other settings than the default ones.
    #[must_use]
    pub fn config(mut self, config: SubmitConfig) -> Self {
        self.config = config;
        self
    }

    /// Another way to the blocks than the node's pool.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// A function that is called at every crash point.
    #[must_use]
    pub fn crash_hook(mut self, hook: CrashHook) -> Self {
        self.crash = Some(hook);
        self
    }

    /// Compares the journal with the chain at `head`, goes on with what is unfinished (the same bytes, the same
    /// nonces) and starts the task. The events say what was found; what was mined, but not confirmed, is told
    /// again.
    ///
    /// # Errors
    /// [`SubmitError::WrongChain`], [`SubmitError::WrongAccount`], or a journal or node that does not answer.
    pub async fn start(self, head: BlockHead) -> Result<(Submitter, Vec<Event>), SubmitError> {
        let identity = self.journal.identity();
        let account = identity.account;
        if !NetworkWallet::<Ethereum>::has_signer_for(&self.wallet, &account) {
            return Err(SubmitError::WrongAccount { account });
        }
        let node = Node::new(self.provider, self.route, self.config.timeout);
        let chain_id = node.chain_id().await?;
        if chain_id != identity.chain_id {
            return Err(SubmitError::WrongChain { node: chain_id, journal: identity.chain_id });
        }
        let mut actor = Actor {
            node,
            wallet: self.wallet,
            journal: self.journal,
            config: self.config,
            crash: self.crash,
            account,
            chain_id,
            head,
            chain: VecDeque::new(),
            flights: Default::default(),
            floor: 0,
            gap: None,
            view: None,
            events: Vec::new(),
        };
        let events = actor.resume().await?;
        let (calls, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(actor, queue));
        Ok((Submitter { account, calls }, events))
    }
}

async fn run(mut actor: Actor, mut queue: mpsc::Receiver<Call>) {
    while let Some(call) = queue.recv().await {
        // A caller that went away does not make what it asked for undone.
        let _ = match call {
            Call::Submit(request, answer) => answer.send(actor.submit(*request).await).is_ok(),
            Call::Head(head, answer) => answer.send(actor.on_head(head, false).await).is_ok(),
            Call::Removed(head, answer) => answer.send(actor.on_removed(head).await).is_ok(),
            Call::Bump(id, answer) => answer.send(bump(&mut actor, id).await).is_ok(),
            Call::Cancel(id, answer) => answer.send(cancel(&mut actor, id).await).is_ok(),
            Call::Release(id, work, answer) => {
                answer.send(actor.journal(move |journal| journal.release_work(id, work)).await).is_ok()
            }
            Call::InFlight(answer) => answer.send(Ok(actor.in_flight())).is_ok(),
        };
    }
}

async fn bump(actor: &mut Actor, id: IntentId) -> Result<Vec<Event>, SubmitError> {
    let nonce = actor.nonce_of(id)?;
    if !actor.bump(nonce).await? {
        return Err(SubmitError::AtCeiling(id));
    }
    Ok(std::mem::take(&mut actor.events))
}

async fn cancel(actor: &mut Actor, id: IntentId) -> Result<Vec<Event>, SubmitError> {
    let nonce = actor.nonce_of(id)?;
    // What is mined cannot be cancelled, though its receipt may be late; and after a reorg the cancellation would be
    // what is sent again.
    if !actor.is_cancelling(nonce) && actor.node.used_nonces(actor.account, BlockId::latest()).await? <= nonce
    {
        actor.cancel(nonce, CancelReason::Asked).await?;
    }
    Ok(std::mem::take(&mut actor.events))
}

impl Submitter {
    /// The account that sends.
    pub const fn account(&self) -> Address {
        self.account
    }

    async fn call<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<T, SubmitError> {
        let (answer, wait) = oneshot::channel();
        self.calls.send(call(answer)).await.map_err(|_| SubmitError::Stopped)?;
        wait.await.map_err(|_| SubmitError::Stopped)?
    }

    /// Records an intent with the next free nonce, signs, records and sends.
    ///
    /// # Errors
    /// Nothing that could be mined was sent and nothing is kept: [`SubmitError::Journal`] (the work is taken,
    /// the disk is full), [`InsufficientFunds`](SubmitError::InsufficientFunds),
    /// [`TooExpensive`](SubmitError::TooExpensive), [`TooMuchGas`](SubmitError::TooMuchGas),
    /// [`TooManyInFlight`](SubmitError::TooManyInFlight), [`Expired`](SubmitError::Expired),
    /// [`Refused`](SubmitError::Refused), a signer that refuses, a node that does not answer before anything was
    /// signed.
    pub async fn submit(&self, request: TxRequest) -> Result<Submitted, SubmitError> {
        self.call(|answer| Call::Submit(Box::new(request), answer)).await
    }

    /// A block came or went. Asks for receipts, sends again, replaces, cancels and settles. With nothing under
    /// way it asks the node nothing.
    ///
    /// # Errors
    /// Only of the journal; a node that does not answer leaves things as they are until the next block. Events
    /// of a call that failed half-way come with the next one.
    pub async fn on_block(&self, delta: &BlockDelta) -> Result<Vec<Event>, SubmitError> {
        match delta {
            BlockDelta::Added { head, .. } => self.on_head(*head).await,
            BlockDelta::Removed { head } => {
                let head = *head;
                self.call(|answer| Call::Removed(head, answer)).await
            }
        }
    }

    /// The same for somebody who sees heads and not every block between: what was mined is looked up again
    /// unless the head builds on the last one.
    ///
    /// # Errors
    /// As [`on_block`](Self::on_block).
    pub async fn on_head(&self, head: BlockHead) -> Result<Vec<Event>, SubmitError> {
        self.call(|answer| Call::Head(head, answer)).await
    }

    /// Replaces an open intent's transaction now, within its limit.
    ///
    /// # Errors
    /// [`SubmitError::NotOpen`], [`SubmitError::AtCeiling`], the journal's, the node's and the signer's.
    pub async fn bump(&self, intent: IntentId) -> Result<Vec<Event>, SubmitError> {
        self.call(|answer| Call::Bump(intent, answer)).await
    }

    /// Lets a transaction that does nothing compete for an open intent's nonce. Which of them is mined is the
    /// chain's choice. Where the nonce is used already, or that is under way, nothing happens.
    ///
    /// # Errors
    /// [`SubmitError::NotOpen`], the journal's, the node's and the signer's.
    pub async fn cancel(&self, intent: IntentId) -> Result<Vec<Event>, SubmitError> {
        self.call(|answer| Call::Cancel(intent, answer)).await
    }

    /// Gives work of a mined intent free before it is confirmed: for recurring work that was executed and is
    /// due again. A later intent has a higher nonce, so that it cannot overtake.
    ///
    /// # Errors
    /// [`JournalError::WrongState`](errand_journal::JournalError::WrongState) when the intent is not mined with
    /// success.
    pub async fn release(&self, intent: IntentId, work: WorkId) -> Result<(), SubmitError> {
        self.call(|answer| Call::Release(intent, work, answer)).await
    }

    /// All intents that are not settled, by nonce.
    ///
    /// # Errors
    /// [`SubmitError::Stopped`].
    pub async fn in_flight(&self) -> Result<Vec<Intent>, SubmitError> {
        self.call(Call::InFlight).await
    }
}
