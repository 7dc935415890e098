//! Signing, recording and sending; replacing and cancelling.

use crate::{
    CrashPoint, Fees, Refusal, SubmitError, TxRequest, Update,
    actor::Actor,
    event::CancelReason,
    fees::{more, next_base_fee},
    flight::{CANCEL_GAS, Flight},
    node::Broadcast,
};
use alloy::{
    consensus::{TxEip1559, TypedTransaction},
    eips::eip2718::Encodable2718,
    network::{Ethereum, NetworkWallet},
    primitives::{B256, Bytes, TxKind, U256, keccak256},
};
use errand_journal::{Attempt, Purpose};

impl Actor {
    /// Signs a transaction with an intent's nonce, records it, and sends it.
    pub(crate) async fn attempt(
        &mut self,
        nonce: u64,
        purpose: Purpose,
        fees: Fees,
    ) -> Result<(B256, Broadcast), SubmitError> {
        let Some(flight) = self.flights.get(&nonce) else { return Err(SubmitError::Stopped) };
        let id = flight.intent.id;
        let raw = self.sign(nonce, flight.request.as_ref(), purpose, fees).await?;
        self.pass(CrashPoint::AfterSign);
        let attempt = Attempt {
            tx_hash: keccak256(&raw),
            raw,
            purpose,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            sent_at_block: self.head.number,
        };
        let record = attempt.clone();
        self.journal(move |journal| journal.record_attempt(id, record)).await?;
        self.pass(CrashPoint::BeforeBroadcast);
        let Attempt { tx_hash, raw, .. } = attempt.clone();
        if let Some(flight) = self.flights.get_mut(&nonce) {
            flight.intent.attempts.push(attempt);
            flight.acted_at = self.head.number;
            flight.known = false;
            flight.refusal = None;
        }
        let answer = self.node.broadcast(tx_hash, &raw, self.head.number + 1).await;
        self.pass(CrashPoint::AfterBroadcast);
        Ok((tx_hash, answer))
    }

    async fn sign(
        &self,
        nonce: u64,
        request: Option<&TxRequest>,
        purpose: Purpose,
        fees: Fees,
    ) -> Result<Bytes, SubmitError> {
        let (to, value, input, gas_limit) = match (purpose, request) {
            (Purpose::Execute, Some(request)) => {
                (request.to, request.value, request.data.clone(), request.gas_limit)
            }
            _ => (self.account, U256::ZERO, Bytes::new(), CANCEL_GAS),
        };
        let transaction = TypedTransaction::Eip1559(TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
            to: TxKind::Call(to),
            value,
            access_list: Default::default(),
            input,
        });
        let signing =
            NetworkWallet::<Ethereum>::sign_transaction_from(&self.wallet, self.account, transaction);
        let after = self.config.timeout;
        let signed = tokio::time::timeout(after, signing).await;
        let signed = signed.map_err(|_| SubmitError::Timeout { what: "a signature", after })?;
        Ok(signed.map_err(SubmitError::Sign)?.encoded_2718().into())
    }

    /// What a broadcast's answer means for an intent, and what to tell of it: nothing, where it was told before.
    pub(crate) fn answered(
        &mut self,
        nonce: u64,
        tx_hash: B256,
        answer: Broadcast,
        taken: impl FnOnce(B256) -> Update,
    ) -> Option<Update> {
        let flight = self.flights.get_mut(&nonce)?;
        match answer {
            Broadcast::Taken => {
                flight.known = true;
                flight.refusal = None;
                Some(taken(tx_hash))
            }
            Broadcast::Unknown(reason) => Some(Update::Unknown { tx_hash, reason }),
            Broadcast::Refused(refusal, message) => {
                let news = flight.refusal.replace(refusal) != Some(refusal);
                news.then_some(match refusal {
                    Refusal::InsufficientFunds => Update::OutOfFunds { tx_hash, message },
                    _ => Update::Refused { tx_hash, refusal, message },
                })
            }
        }
    }

    /// What a first attempt would offer now.
    async fn fresh(&mut self, nonce: u64) -> Result<Fees, SubmitError> {
        let view = self.view().await?;
        let request = self.flights.get(&nonce).and_then(|flight| flight.request.as_ref());
        let tip = self.tip(request, view);
        Ok(Fees {
            max_fee_per_gas: next_base_fee(&self.head).saturating_mul(2).saturating_add(tip),
            max_priority_fee_per_gas: tip,
        })
    }

    /// The most that an attempt may offer: a cancellation an eighth more, as it has to replace what offers the most.
    fn limit(&self, purpose: Purpose) -> u128 {
        match purpose {
            Purpose::Execute => self.config.max_gas_price,
            Purpose::Cancel => more(self.config.max_gas_price),
        }
    }

    pub(crate) fn is_cancelling(&self, nonce: u64) -> bool {
        self.flights.get(&nonce).is_some_and(Flight::is_cancelling)
    }

    /// Replaces an intent's transaction by one that offers more. `false`: its limit does not allow that.
    pub(crate) async fn bump(&mut self, nonce: u64) -> Result<bool, SubmitError> {
        let fresh = self.fresh(nonce).await?;
        let Some(flight) = self.flights.get_mut(&nonce) else { return Ok(false) };
        // Whatever comes of it: the next decision is due after the same number of blocks again.
        flight.acted_at = self.head.number;
        let (Some(offer), Some(last)) = (flight.offer(), flight.last()) else { return Ok(false) };
        let (old, purpose) = (last.tx_hash, last.purpose);
        let (ceiling, max_tip) = match &flight.request {
            Some(request) if purpose == Purpose::Execute => (request.ceiling(), request.max_tip),
            _ => (u128::MAX, u128::MAX),
        };
        let ceiling = ceiling.min(self.limit(purpose));
        let Some(fees) = offer.replacement(fresh, ceiling, max_tip) else {
            return Ok(false);
        };
        let (tx_hash, answer) = self.attempt(nonce, purpose, fees).await?;
        let update = self.answered(nonce, tx_hash, answer, |new| Update::Replaced { old, new, fees });
        update.into_iter().for_each(|update| self.tell(nonce, update));
        Ok(true)
    }

    /// Lets a transaction that does nothing compete for an intent's nonce.
    pub(crate) async fn cancel(&mut self, nonce: u64, reason: CancelReason) -> Result<(), SubmitError> {
        // Asking again must not put off its re-pricing.
        if self.is_cancelling(nonce) {
            return Ok(());
        }
        let fresh = self.fresh(nonce).await?;
        let limit = self.limit(Purpose::Cancel);
        let Some(flight) = self.flights.get_mut(&nonce) else { return Ok(()) };
        flight.acted_at = self.head.number;
        // Not bound by `replacement`'s sense of proportion: the nonce has to be freed.
        let least = flight.offer().map_or(fresh, Fees::bumped);
        let fees = Fees {
            max_fee_per_gas: least.max_fee_per_gas.max(fresh.max_fee_per_gas.min(limit)),
            max_priority_fee_per_gas: least.max_priority_fee_per_gas.max(fresh.max_priority_fee_per_gas),
        };
        if fees.max_fee_per_gas > limit {
            tracing::warn!(nonce, ?fees, limit, "a cancellation would cost more than the settings allow");
            return Ok(());
        }
        let fees = Fees {
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas.min(fees.max_fee_per_gas),
            ..fees
        };
        let (tx_hash, answer) = self.attempt(nonce, Purpose::Cancel, fees).await?;
        let update =
            self.answered(nonce, tx_hash, answer, |tx_hash| Update::Cancelling { tx_hash, fees, reason });
        update.into_iter().for_each(|update| self.tell(nonce, update));
        Ok(())
    }
}
