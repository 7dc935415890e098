//! The task that owns the account: what it knows, and how a request becomes an intent.

use crate::{
    CrashHook, CrashPoint, Event, Fees, SubmitConfig, SubmitError, Submitted, TipPolicy, TxRequest, Update,
    fees::next_base_fee,
    flight::{Flight, cost},
    node::{Broadcast, Node},
};
use alloy::{
    eips::{BlockId, BlockNumHash},
    network::EthereumWallet,
    primitives::{Address, B256, U256},
};
use errand_journal::{Intent, IntentId, Journal, JournalError, NewIntent, Purpose};
use errand_types::BlockHead;
use std::collections::{BTreeMap, VecDeque};

/// Heads that are remembered, to tell a canonical receipt from another.
pub(crate) const HEADS: usize = 128;
/// Transactions of other senders of the account that a node may tell of.
const MAX_FOREIGN: u64 = 64;

pub(crate) struct Actor {
    pub(crate) node: Node,
    pub(crate) wallet: EthereumWallet,
    pub(crate) journal: Journal,
    pub(crate) config: SubmitConfig,
    pub(crate) crash: Option<CrashHook>,
    pub(crate) account: Address,
    pub(crate) chain_id: u64,
    /// The last head that was added: the source of fees.
    pub(crate) head: BlockHead,
    /// The canonical chain's end, newest last; after a removal its last entry is the parent.
    pub(crate) chain: VecDeque<BlockNumHash>,
    /// What is not settled, by nonce.
    pub(crate) flights: BTreeMap<u64, Flight>,
    /// Nonces that were seen used, so that a lagging node does not bring one back.
    pub(crate) floor: u64,
    /// An unused nonce before an open intent, and the head at which it was first seen.
    pub(crate) gap: Option<(u64, u64)>,
    /// What the account looks like at a head.
    pub(crate) view: Option<(B256, View)>,
    /// What happened and was not told yet: a call that fails half-way keeps it for the next one.
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    latest: u64,
    pending: u64,
    balance: U256,
    /// The node's proposal, where the settings follow it.
    tip: Option<u128>,
}

impl Actor {
    /// Runs a journal call where it may block.
    pub(crate) async fn journal<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, SubmitError> {
        let journal = self.journal.clone();
        let answer = tokio::task::spawn_blocking(move || call(&journal)).await;
        answer.map_err(|_| SubmitError::Stopped)?.map_err(SubmitError::Journal)
    }

    pub(crate) fn pass(&self, point: CrashPoint) {
        if let Some(hook) = &self.crash {
            hook(point);
        }
    }

    pub(crate) fn tell(&mut self, nonce: u64, update: Update) {
        let event = self.flights.get(&nonce).map(|flight| flight.event(update));
        self.events.extend(event);
    }

    /// Reads from the journal what an earlier process left, and looks it up on chain.
    pub(crate) async fn resume(&mut self) -> Result<Vec<Event>, SubmitError> {
        for intent in self.journal(Journal::unsettled).await? {
            self.flights.insert(intent.nonce, Flight::resumed(intent)?);
        }
        self.on_head(self.head, true).await
    }

    pub(crate) async fn submit(&mut self, request: TxRequest) -> Result<Submitted, SubmitError> {
        let open = self.flights.values().filter(|flight| flight.is_open()).count();
        if open >= self.config.max_in_flight {
            return Err(SubmitError::TooManyInFlight(open));
        }
        if let Some(last) = request.until_block.filter(|last| *last <= self.head.number) {
            return Err(SubmitError::Expired { last, head: self.head.number });
        }
        let allowed = self.config.tx_gas_cap.min(self.head.gas_limit);
        if request.gas_limit > allowed {
            return Err(SubmitError::TooMuchGas { wanted: request.gas_limit, allowed });
        }
        let ceiling = self.ceiling(&request);
        let view = self.view().await?;
        let fees = Fees::first(next_base_fee(&self.head), self.tip(Some(&request), view), ceiling);
        let fees = fees.map_err(|needed| SubmitError::TooExpensive { needed, limit: ceiling })?;
        let under_way = self.flights.values().map(Flight::max_cost).fold(U256::ZERO, U256::saturating_add);
        let needed = under_way.saturating_add(cost(request.gas_limit, fees)).saturating_add(request.value);
        if needed > view.balance {
            return Err(SubmitError::InsufficientFunds { needed, balance: view.balance });
        }
        self.drop_unsigned().await?;
        let nonce = self.free_nonce(view)?;
        self.pass(CrashPoint::BeforeIntent);
        self.open(nonce, Some(request)).await?;
        self.pass(CrashPoint::AfterIntent);
        let sent = match self.attempt(nonce, Purpose::Execute, fees).await {
            Ok((_, Broadcast::Refused(refusal, message))) if refusal.is_permanent() => {
                Err(SubmitError::Refused { refusal, message })
            }
            other => other,
        };
        match sent {
            Ok((tx_hash, answer)) => {
                let update = self.answered(nonce, tx_hash, answer, |tx_hash| Update::Sent { tx_hash, fees });
                let intent = self.flights.get(&nonce).map(|flight| flight.intent.id);
                let (Some(intent), Some(update)) = (intent, update) else { return Err(SubmitError::Stopped) };
                Ok(Submitted { intent, nonce, tx_hash, update })
            }
            Err(error) => {
                // Nothing that could be mined is out. Should this fail too, the next head finds an intent
                // without attempts.
                self.abandon(nonce).await?;
                Err(error)
            }
        }
    }

    pub(crate) async fn open(&mut self, nonce: u64, request: Option<TxRequest>) -> Result<(), SubmitError> {
        let encoded = request.as_ref().map(serde_json::to_vec).transpose();
        let encoded = encoded.map_err(|source| SubmitError::BadRecord { id: IntentId(0), source })?;
        let new = NewIntent {
            account: self.account,
            nonce,
            work: request.as_ref().map(|request| request.work.clone()).unwrap_or_default(),
            opened_at_block: self.head.number,
            request: encoded.unwrap_or_default().into(),
        };
        let intent = self.journal(move |journal| journal.open_intent(new)).await?;
        self.flights.insert(nonce, Flight::new(intent, request));
        Ok(())
    }

    pub(crate) async fn abandon(&mut self, nonce: u64) -> Result<(), SubmitError> {
        if let Some(id) = self.flights.get(&nonce).map(|flight| flight.intent.id) {
            self.journal(move |journal| journal.abandon(id)).await?;
            self.flights.remove(&nonce);
        }
        Ok(())
    }

    /// Gives up intents that a full disk left without a transaction: their nonces would be gaps.
    async fn drop_unsigned(&mut self) -> Result<(), SubmitError> {
        let unsigned = |flight: &&Flight| flight.is_open() && flight.intent.attempts.is_empty();
        let nonces: Vec<u64> =
            self.flights.values().filter(unsigned).map(|flight| flight.intent.nonce).collect();
        for nonce in nonces {
            self.abandon(nonce).await?;
        }
        Ok(())
    }

    /// The most that a request's transactions may offer.
    pub(crate) fn ceiling(&self, request: &TxRequest) -> u128 {
        request.ceiling().min(self.config.max_gas_price)
    }

    pub(crate) fn tip(&self, request: Option<&TxRequest>, view: View) -> u128 {
        match (request.and_then(|request| request.tip), self.config.tip) {
            (Some(tip), _) | (None, TipPolicy::Fixed(tip)) => tip,
            (None, TipPolicy::Node { min, max }) => view.tip.unwrap_or(min).clamp(min, max.max(min)),
        }
    }

    /// What the account looks like now; asked once per head.
    pub(crate) async fn view(&mut self) -> Result<View, SubmitError> {
        if let Some((at, view)) = self.view
            && at == self.head.hash
        {
            return Ok(view);
        }
        let tip = async {
            match self.config.tip {
                TipPolicy::Fixed(_) => Ok(None),
                TipPolicy::Node { .. } => self.node.tip().await.map(Some),
            }
        };
        let (latest, pending, balance, tip) = tokio::try_join!(
            self.node.used_nonces(self.account, BlockId::latest()),
            self.node.used_nonces(self.account, BlockId::pending()),
            self.node.balance(self.account),
            tip,
        )?;
        let view = View { latest, pending, balance, tip };
        self.view = Some((self.head.hash, view));
        Ok(view)
    }

    /// The lowest nonce that nothing uses: no block, no intent, and no transaction in the node's pool.
    fn free_nonce(&self, view: View) -> Result<u64, SubmitError> {
        let mut nonce = view.latest.max(self.floor);
        let expected = nonce.saturating_add(self.flights.len() as u64).saturating_add(MAX_FOREIGN);
        if view.pending > expected {
            return Err(SubmitError::ImplausibleNonce { pending: view.pending, expected });
        }
        loop {
            if !self.flights.contains_key(&nonce) {
                if nonce >= view.pending {
                    return Ok(nonce);
                }
                tracing::warn!(account = %self.account, nonce, "a foreign transaction of the account is in the pool");
            }
            nonce += 1;
        }
    }

    pub(crate) fn nonce_of(&self, id: IntentId) -> Result<u64, SubmitError> {
        let found = self.flights.values().find(|flight| flight.intent.id == id && flight.is_open());
        found.map(|flight| flight.intent.nonce).ok_or(SubmitError::NotOpen(id))
    }

    pub(crate) fn in_flight(&self) -> Vec<Intent> {
        self.flights.values().map(|flight| flight.intent.clone()).collect()
    }

    /// Puts a head at the end of the chain, and says whether it builds on the last one.
    pub(crate) fn extend(&mut self, head: BlockHead) -> bool {
        let linked = self.chain.back().is_some_and(|last| last.hash == head.parent_hash);
        if !linked {
            self.chain.clear();
            self.floor = 0;
        }
        self.chain.push_back(BlockNumHash { number: head.number, hash: head.hash });
        if self.chain.len() > HEADS {
            self.chain.pop_front();
        }
        self.head = head;
        linked
    }

    /// Whether a block is at most as high as the head and not known to be off the chain.
    pub(crate) fn may_be_canonical(&self, block: BlockNumHash) -> bool {
        let known = self.chain.iter().find(|known| known.number == block.number);
        block.number <= self.head.number && known.is_none_or(|known| known.hash == block.hash)
    }
}
