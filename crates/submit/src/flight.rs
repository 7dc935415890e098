//! An intent that is not settled, with what is known of it beyond the journal.

use crate::{Event, Fees, Refusal, SubmitError, TxRequest, Update};
use alloy::primitives::U256;
use errand_journal::{Attempt, Intent, IntentState, Purpose};

#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) intent: Intent,
    /// `None` for a nonce that is only filled.
    pub(crate) request: Option<TxRequest>,
    /// Height of the last attempt, or of the last decision not to make one.
    pub(crate) acted_at: u64,
    /// Height of the last head at which the nonce was unused.
    pub(crate) unused_at: u64,
    /// The node has, or had, the last attempt.
    pub(crate) known: bool,
    /// The last refusal, so that it is reported once.
    pub(crate) refusal: Option<Refusal>,
    /// Height of the head at which the receipt of what was mined was found to be gone.
    pub(crate) gone_at: Option<u64>,
    /// The caller was told of the state that the intent is in.
    pub(crate) told: bool,
}

impl Flight {
    pub(crate) fn new(intent: Intent, request: Option<TxRequest>) -> Self {
        let acted_at = intent.attempts.last().map_or(intent.opened_at_block, |attempt| attempt.sent_at_block);
        let unused_at = intent.opened_at_block;
        Self { intent, request, acted_at, unused_at, known: false, refusal: None, gone_at: None, told: false }
    }

    /// An intent as the journal has it after a restart.
    pub(crate) fn resumed(intent: Intent) -> Result<Self, SubmitError> {
        let request = TxRequest::of(&intent)?;
        Ok(Self::new(intent, request))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.intent.state == IntentState::Open
    }

    pub(crate) fn last(&self) -> Option<&Attempt> {
        self.intent.attempts.last()
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        self.last().is_some_and(|attempt| attempt.purpose == Purpose::Cancel)
    }

    pub(crate) fn offer(&self) -> Option<Fees> {
        self.last().map(|attempt| Fees {
            max_fee_per_gas: attempt.max_fee_per_gas,
            max_priority_fee_per_gas: attempt.max_priority_fee_per_gas,
        })
    }

    /// The most that it may still take from the account.
    pub(crate) fn max_cost(&self) -> U256 {
        let (Some(offer), true) = (self.offer(), self.is_open()) else { return U256::ZERO };
        let (gas, value) = match &self.request {
            Some(request) => (request.gas_limit, request.value),
            None => (CANCEL_GAS, U256::ZERO),
        };
        cost(gas, offer).saturating_add(value)
    }

    pub(crate) fn event(&self, update: Update) -> Event {
        let Intent { id, nonce, work, .. } = &self.intent;
        Event { intent: *id, nonce: *nonce, work: work.clone(), update }
    }
}

/// Gas of a transfer that does nothing.
pub(crate) const CANCEL_GAS: u64 = 21_000;

/// The most that gas can cost at an offer.
pub(crate) fn cost(gas: u64, offer: Fees) -> U256 {
    U256::from(gas) * U256::from(offer.max_fee_per_gas)
}
