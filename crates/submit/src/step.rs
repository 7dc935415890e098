//! What a new head changes: receipts, reorgs, lost and stuck transactions, settling.

use crate::{
    CrashPoint, Event, Outcome, Refusal, SubmitError, Update,
    actor::{Actor, HEADS},
    event::CancelReason,
    node::Broadcast,
};
use alloy::{
    eips::{BlockId, BlockNumHash},
    primitives::B256,
    rpc::types::TransactionReceipt,
};
use errand_journal::{Inclusion, IntentState, Purpose};
use errand_types::BlockHead;

/// Heads for which a surprise (a used nonce without a receipt, a gap) has to last before it is believed.
const PATIENCE: u64 = 2;

/// Blocks that are searched for the transaction that used a nonce.
const SEARCH: u64 = 16;

impl Actor {
    /// A head came; `again`: the account is looked at even if the head is the last one.
    pub(crate) async fn on_head(&mut self, head: BlockHead, again: bool) -> Result<Vec<Event>, SubmitError> {
        let last = self.chain.back().map(|last| last.hash);
        let linked = if last == Some(head.hash) { !again } else { self.extend(head) };
        if last != Some(head.hash) || again {
            let stepped = self.step(linked).await;
            self.quietly(stepped)?;
        }
        Ok(std::mem::take(&mut self.events))
    }

    /// The head went.
    pub(crate) async fn on_removed(&mut self, head: BlockHead) -> Result<Vec<Event>, SubmitError> {
        if self.chain.back().is_some_and(|last| last.hash == head.hash) {
            self.chain.pop_back();
        } else {
            self.chain.clear();
        }
        if self.chain.is_empty()
            && let Some(number) = head.number.checked_sub(1)
        {
            self.chain.push_back(BlockNumHash { number, hash: head.parent_hash });
        }
        self.floor = 0;
        for nonce in self.flights.keys().copied().collect::<Vec<_>>() {
            let block = self.flights.get(&nonce).and_then(|flight| block_of(&flight.intent.state));
            if block.is_some_and(|block| block.hash == head.hash)
                && let Err(error) = self.reopen(nonce).await
            {
                // Without a link to what it knows, the next head looks everything up again.
                self.chain.clear();
                return Err(error);
            }
        }
        Ok(std::mem::take(&mut self.events))
    }

    /// A node that does not answer, or a signer, leaves things as they are until the next head.
    fn quietly(&self, result: Result<(), SubmitError>) -> Result<(), SubmitError> {
        match result {
            Err(error @ (SubmitError::Journal(_) | SubmitError::BadRecord { .. } | SubmitError::Stopped)) => {
                Err(error)
            }
            Err(error) => {
                tracing::warn!(account = %self.account, error = %error, "things are left for the next head");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn step(&mut self, linked: bool) -> Result<(), SubmitError> {
        if self.flights.is_empty() {
            return Ok(());
        }
        let at = BlockId::hash(self.head.hash);
        let used = match self.node.used_nonces(self.account, at).await {
            // Some nodes take numbers only.
            Err(SubmitError::Node { source, .. }) if source.is_error_resp() => {
                self.node.used_nonces(self.account, self.head.number.into()).await?
            }
            used => used?,
        };
        self.floor = self.floor.max(used);
        for nonce in self.flights.keys().copied().collect::<Vec<_>>() {
            let progress = self.progress(nonce, used, linked).await;
            self.quietly(progress)?;
        }
        self.fill_gap(used).await
    }

    async fn progress(&mut self, nonce: u64, used: u64, linked: bool) -> Result<(), SubmitError> {
        let Some(flight) = self.flights.get(&nonce) else { return Ok(()) };
        match flight.intent.state {
            IntentState::Open if flight.intent.attempts.is_empty() => {
                let event = flight.event(Update::Abandoned);
                self.abandon(nonce).await?;
                self.events.push(event);
                Ok(())
            }
            IntentState::Open if nonce < used => self.look_for_receipt(nonce).await,
            IntentState::Open => self.keep_alive(nonce).await,
            IntentState::Mined(_)
                if linked && flight.told && flight.gone_at.is_none() && !self.is_deep(nonce) =>
            {
                Ok(())
            }
            IntentState::Mined(inclusion) => self.look_again(nonce, used, inclusion).await,
            IntentState::UsedByOther { .. } if nonce >= used => self.reopen(nonce).await,
            IntentState::UsedByOther { tx_hash, .. } => {
                // A receipt that shows up late corrects the verdict.
                if !self.take_receipt(nonce).await? {
                    if let Some(flight) = self.flights.get_mut(&nonce)
                        && !std::mem::replace(&mut flight.told, true)
                    {
                        self.tell(nonce, Update::NonceUsedByOther { tx_hash });
                    }
                    self.settle_if_deep(nonce).await?;
                }
                Ok(())
            }
            IntentState::Abandoned => Ok(()),
        }
    }

    /// The nonce is used: by one of ours, or by whom?
    async fn look_for_receipt(&mut self, nonce: u64) -> Result<(), SubmitError> {
        if self.take_receipt(nonce).await? {
            return Ok(());
        }
        let Some(flight) = self.flights.get(&nonce) else { return Ok(()) };
        let from = (flight.unused_at + 1).max(self.head.number.saturating_sub(SEARCH - 1));
        let patient = self.head.number > flight.unused_at + PATIENCE;
        for number in (from..=self.head.number).rev() {
            if let Some((hash, block)) = self.node.user_of(self.account, nonce, number).await? {
                if flight.intent.attempts.iter().any(|attempt| attempt.tx_hash == hash) {
                    // It is ours, and only its receipt is late.
                    return Ok(());
                }
                return self.used_by_other(nonce, Some(hash), BlockNumHash { number, hash: block }).await;
            }
        }
        if patient {
            let head = BlockNumHash { number: self.head.number, hash: self.head.hash };
            return self.used_by_other(nonce, None, head).await;
        }
        Ok(())
    }

    async fn used_by_other(
        &mut self,
        nonce: u64,
        tx_hash: Option<B256>,
        seen_at: BlockNumHash,
    ) -> Result<(), SubmitError> {
        let Some(id) = self.flights.get(&nonce).map(|flight| flight.intent.id) else { return Ok(()) };
        self.journal(move |journal| journal.mark_used_by_other(id, tx_hash, seen_at)).await?;
        if let Some(flight) = self.flights.get_mut(&nonce) {
            flight.intent.state = IntentState::UsedByOther { tx_hash, seen_at };
            flight.told = true;
        }
        self.tell(nonce, Update::NonceUsedByOther { tx_hash });
        self.settle_if_deep(nonce).await
    }

    /// Records the receipt of an attempt, where the node has one on this chain.
    async fn take_receipt(&mut self, nonce: u64) -> Result<bool, SubmitError> {
        let Some(flight) = self.flights.get(&nonce) else { return Ok(false) };
        for tx_hash in flight.intent.attempts.iter().rev().map(|attempt| attempt.tx_hash) {
            let Some(receipt) = self.node.receipt(tx_hash).await? else { continue };
            let Some(inclusion) = inclusion_of(&receipt) else { continue };
            if self.may_be_canonical(inclusion.block) {
                self.mined(nonce, inclusion, receipt).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn mined(
        &mut self,
        nonce: u64,
        inclusion: Inclusion,
        receipt: TransactionReceipt,
    ) -> Result<(), SubmitError> {
        let Some(id) = self.flights.get(&nonce).map(|flight| flight.intent.id) else { return Ok(()) };
        self.pass(CrashPoint::BeforeReceipt);
        self.journal(move |journal| journal.mark_mined(id, inclusion)).await?;
        self.pass(CrashPoint::AfterReceipt);
        let Some(flight) = self.flights.get_mut(&nonce) else { return Ok(()) };
        flight.intent.state = IntentState::Mined(inclusion);
        flight.gone_at = None;
        flight.told = true;
        let receipt = Box::new(receipt);
        let update = match outcome_of(&flight.intent) {
            Outcome::Executed => Update::Mined { receipt },
            Outcome::Reverted => Update::Reverted { receipt },
            Outcome::Cancelled | Outcome::UsedByOther => Update::Cancelled { receipt },
        };
        self.tell(nonce, update);
        self.settle_if_deep(nonce).await
    }

    /// Asks once more for what was mined: before it is settled, and after a break in the chain of heads.
    async fn look_again(&mut self, nonce: u64, used: u64, was: Inclusion) -> Result<(), SubmitError> {
        let receipt = self.node.receipt(was.tx_hash).await?;
        let now = receipt.as_ref().and_then(inclusion_of).filter(|now| self.may_be_canonical(now.block));
        match (now, receipt) {
            (Some(now), _) if now.block == was.block && self.is_told(nonce) => {
                self.flights.entry(nonce).and_modify(|flight| flight.gone_at = None);
                self.settle_if_deep(nonce).await
            }
            (Some(now), Some(receipt)) => {
                if now.block != was.block {
                    self.reopen(nonce).await?;
                }
                self.mined(nonce, now, receipt).await
            }
            _ if nonce >= used => {
                self.reopen(nonce).await?;
                self.keep_alive(nonce).await
            }
            // The nonce is used, so a missing receipt is a lagging node or another transaction of ours.
            _ if self.take_receipt(nonce).await? => Ok(()),
            _ => self.do_without_receipt(nonce, was).await,
        }
    }

    /// The receipt of what was mined is gone: the node dropped it, or its block is not on the chain any more.
    async fn do_without_receipt(&mut self, nonce: u64, was: Inclusion) -> Result<(), SubmitError> {
        let head = self.head.number;
        let Some(flight) = self.flights.get_mut(&nonce) else { return Ok(()) };
        if head < *flight.gone_at.get_or_insert(head) + PATIENCE {
            return Ok(());
        }
        let known = self.chain.iter().find(|known| known.number == was.block.number);
        let hash = match known {
            Some(known) => Some(known.hash),
            None => self.node.block_hash(was.block.number).await?,
        };
        let age = head.checked_sub(was.block.number);
        // A node that does not have a block of the past does not say that it is gone; it may have it later.
        if hash.is_none() && age.is_some_and(|age| age <= HEADS as u64) {
            return Ok(());
        }
        if hash == Some(was.block.hash) || hash.is_none() && age.is_some() {
            // What was recorded of it is as good as the receipt.
            return self.settle_if_deep(nonce).await;
        }
        self.reopen(nonce).await?;
        self.look_for_receipt(nonce).await
    }

    fn is_told(&self, nonce: u64) -> bool {
        self.flights.get(&nonce).is_some_and(|flight| flight.told)
    }

    fn is_deep(&self, nonce: u64) -> bool {
        let block = self.flights.get(&nonce).and_then(|flight| block_of(&flight.intent.state));
        block.is_some_and(|block| {
            (self.head.number + 1).saturating_sub(block.number) >= self.config.confirmations
        })
    }

    async fn settle_if_deep(&mut self, nonce: u64) -> Result<(), SubmitError> {
        let Some(id) = self.flights.get(&nonce).map(|flight| flight.intent.id) else { return Ok(()) };
        if self.is_deep(nonce) {
            self.journal(move |journal| journal.settle(id)).await?;
            if let Some(flight) = self.flights.remove(&nonce) {
                let outcome = outcome_of(&flight.intent);
                self.events.push(flight.event(Update::Confirmed { outcome }));
            }
        }
        Ok(())
    }

    async fn reopen(&mut self, nonce: u64) -> Result<(), SubmitError> {
        let Some(flight) = self.flights.get(&nonce) else { return Ok(()) };
        let (id, block) = (flight.intent.id, block_of(&flight.intent.state));
        self.journal(move |journal| journal.reopen(id)).await?;
        if let Some(flight) = self.flights.get_mut(&nonce) {
            flight.intent.state = IntentState::Open;
            flight.known = false;
            flight.gone_at = None;
            flight.acted_at = self.head.number;
            flight.unused_at = block.map_or(self.head.number, |block| block.number).saturating_sub(1);
        }
        block.into_iter().for_each(|block| self.tell(nonce, Update::Reorged { block }));
        Ok(())
    }

    /// The nonce is unused: makes sure that the node has the transaction, and that it is worth including.
    async fn keep_alive(&mut self, nonce: u64) -> Result<(), SubmitError> {
        let head = self.head.number;
        let Some(flight) = self.flights.get_mut(&nonce) else { return Ok(()) };
        flight.unused_at = head;
        let Some(last) = flight.last() else { return Ok(()) };
        let (tx_hash, raw, purpose) = (last.tx_hash, last.raw.clone(), last.purpose);
        let (was_known, offer) = (flight.known, flight.offer());
        let in_pool = self.node.sees_what_was_sent();
        let there = in_pool && self.node.transaction(tx_hash).await?.is_some();
        let answer =
            if there { Broadcast::Taken } else { self.node.broadcast(tx_hash, &raw, head + 1).await };
        // That a transaction is still there is no news, and neither is that a relay got it once more.
        let no_news = was_known && (there || !in_pool) && matches!(answer, Broadcast::Taken);
        let update = self.answered(nonce, tx_hash, answer, |tx_hash| match offer {
            Some(fees) if !was_known => Update::Sent { tx_hash, fees },
            _ => Update::Dropped { tx_hash },
        });
        update.filter(|_| !no_news).into_iter().for_each(|update| self.tell(nonce, update));
        self.press(nonce, purpose).await
    }

    /// Replaces or cancels what does not get into a block.
    async fn press(&mut self, nonce: u64, purpose: Purpose) -> Result<(), SubmitError> {
        let head = self.head.number;
        let first_open = self.flights.iter().find(|(_, flight)| flight.is_open()).map(|(nonce, _)| *nonce);
        let Some(flight) = self.flights.get_mut(&nonce) else { return Ok(()) };
        let last_block = flight.request.as_ref().and_then(|request| request.until_block);
        if purpose == Purpose::Execute && last_block.is_some_and(|last| head >= last) {
            return self.cancel(nonce, CancelReason::Expired).await;
        }
        match flight.refusal {
            Some(refusal) if purpose == Purpose::Execute && refusal.needs_another_transaction() => {
                return self.cancel(nonce, CancelReason::Refused).await;
            }
            // A higher offer would not help.
            Some(
                Refusal::InsufficientFunds | Refusal::NonceTooLow | Refusal::NonceTooHigh | Refusal::Busy,
            ) => {
                flight.acted_at = head;
                return Ok(());
            }
            // These do not go away by waiting, and there is no other transaction to wait for.
            Some(Refusal::ReplacementUnderpriced | Refusal::Underpriced) => {
                return self.press_on(nonce, purpose).await;
            }
            _ => {}
        }
        // Behind another one of ours a transaction cannot be mined, whatever it offers.
        if first_open != Some(nonce) {
            flight.acted_at = head;
            return Ok(());
        }
        if head >= flight.acted_at + self.config.replace_after_blocks {
            return self.press_on(nonce, purpose).await;
        }
        Ok(())
    }

    async fn press_on(&mut self, nonce: u64, purpose: Purpose) -> Result<(), SubmitError> {
        if !self.bump(nonce).await? && purpose == Purpose::Execute {
            self.cancel(nonce, CancelReason::AtCeiling).await?;
        }
        Ok(())
    }

    /// Uses up a nonce that no transaction has, when others wait behind it.
    async fn fill_gap(&mut self, used: u64) -> Result<(), SubmitError> {
        let waiting = self.flights.iter().any(|(nonce, flight)| *nonce > used && flight.is_open());
        if !waiting || self.flights.contains_key(&used) {
            self.gap = None;
            return Ok(());
        }
        let head = self.head.number;
        let since = self.gap.filter(|(nonce, _)| *nonce == used).map_or(head, |(_, since)| since);
        self.gap = Some((used, since));
        if head < since + PATIENCE || self.node.used_nonces(self.account, BlockId::pending()).await? > used {
            return Ok(());
        }
        self.gap = None;
        self.open(used, None).await?;
        self.cancel(used, CancelReason::Gap).await
    }
}

fn block_of(state: &IntentState) -> Option<BlockNumHash> {
    match state {
        IntentState::Mined(inclusion) => Some(inclusion.block),
        IntentState::UsedByOther { seen_at, .. } => Some(*seen_at),
        IntentState::Open | IntentState::Abandoned => None,
    }
}

fn outcome_of(intent: &errand_journal::Intent) -> Outcome {
    let IntentState::Mined(inclusion) = intent.state else { return Outcome::UsedByOther };
    let attempt = intent.attempts.iter().find(|attempt| attempt.tx_hash == inclusion.tx_hash);
    match attempt.map(|attempt| attempt.purpose) {
        Some(Purpose::Cancel) => Outcome::Cancelled,
        _ if inclusion.success => Outcome::Executed,
        _ => Outcome::Reverted,
    }
}

fn inclusion_of(receipt: &TransactionReceipt) -> Option<Inclusion> {
    Some(Inclusion {
        tx_hash: receipt.transaction_hash,
        block: BlockNumHash { number: receipt.block_number?, hash: receipt.block_hash? },
        success: receipt.status(),
        gas_used: receipt.gas_used,
        gas_price: receipt.effective_gas_price,
    })
}
