//! What was sent about bundles, and what became of it.

use super::{Bundles, FIRST_PAUSE, MAX_DOUBLINGS};
use crate::bundles::{book::Entry, judge::Plan};
use alloy::primitives::U256;
use errand_journal::{Intent, IntentId, IntentState, Purpose};
use errand_submit::{Event, SubmitError, TxRequest, Update};
use errand_types::{CallSpec, WorkId, WorkKind};

/// A transaction of a bundle that is under way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) work: Vec<WorkId>,
    /// `None` where only the journal knows it.
    pub(super) call: Option<CallSpec>,
    pub(super) is_pending: bool,
    /// It is being cancelled.
    pub(super) is_given_up: bool,
    /// Given back to be taken anew: its work is free although it is not final.
    pub(super) is_released: bool,
    pub(super) bond: U256,
    /// It is not mined at a higher base fee: then it costs nothing, and fails at nothing.
    pub(super) max_gas_price: u128,
}

impl Flight {
    pub(super) fn concerns(&self, entry: &Entry) -> bool {
        let of_bundle = |work: &WorkId| work.kind == WorkKind::Bundle && work.id == entry.id;
        let targets = [entry.manager, entry.header.ess];
        self.work.iter().any(of_bundle) || self.call.as_ref().is_some_and(|call| targets.contains(&call.to))
    }
}

impl Bundles {
    pub(super) fn holds(&self, work: &WorkId) -> bool {
        self.flights.values().any(|flight| !flight.is_released && flight.work.contains(work))
    }

    /// A plan was sent.
    pub fn opened(&mut self, intent: IntentId, plan: &Plan) {
        let flight = Flight {
            work: vec![plan.work],
            call: Some(plan.call.clone()),
            is_pending: true,
            is_given_up: false,
            is_released: false,
            bond: plan.bond,
            max_gas_price: plan.max_gas_price,
        };
        self.flights.insert(intent, flight);
        if !plan.bond.is_zero() {
            self.book.claimed(&plan.bundle);
        }
    }

    /// Another intent has this work; its end will be told.
    pub fn taken(&mut self, holder: IntentId, work: WorkId) {
        self.flights.entry(holder).or_insert(Flight {
            work: vec![work],
            call: None,
            is_pending: false,
            is_given_up: false,
            is_released: false,
            bond: U256::ZERO,
            max_gas_price: u128::MAX,
        });
    }

    /// Takes over what an earlier session, or process, has sent.
    pub fn resume(&mut self, intent: &Intent) -> Result<(), SubmitError> {
        let is_ours = |work: &WorkId| matches!(work.kind, WorkKind::Bundle | WorkKind::Duty);
        let work: Vec<_> = intent.work.iter().copied().filter(is_ours).collect();
        let Some(request) = TxRequest::of(intent)?.filter(|_| !work.is_empty()) else { return Ok(()) };
        let call = request.sent_by(intent.account);
        let is_pending = intent.state == IntentState::Open;
        let (bond, max_gas_price) = (request.value, request.max_gas_price);
        let flight = Flight {
            work,
            call: Some(call),
            is_pending,
            is_given_up: intent.attempts.last().is_some_and(|attempt| attempt.purpose == Purpose::Cancel),
            is_released: false,
            bond,
            max_gas_price,
        };
        self.flights.insert(intent.id, flight);
        if !bond.is_zero() {
            intent.work.iter().for_each(|work| self.book.claimed(&work.id));
        }
        Ok(())
    }

    /// Reads what became of a transaction.
    pub fn event(&mut self, event: &Event) {
        let is_ours = |work: &&WorkId| matches!(work.kind, WorkKind::Bundle | WorkKind::Duty);
        let work: Vec<WorkId> = event.work.iter().filter(is_ours).copied().collect();
        if work.is_empty() {
            return;
        }
        match &event.update {
            Update::Mined { .. } => {
                self.landed(event.intent);
                self.releases.extend(work.iter().map(|work| (event.intent, *work)));
                let has_bond = self.flights.get(&event.intent).is_some_and(|flight| !flight.bond.is_zero());
                for work in work {
                    self.failures.remove(&work.id);
                    // A reorg may have taken the bundle away, and what was known of it.
                    if has_bond {
                        self.book.claimed(&work.id);
                    }
                }
            }
            Update::Cancelling { .. } => {
                if let Some(flight) = self.flights.get_mut(&event.intent) {
                    flight.is_given_up = true;
                }
            }
            Update::Reverted { receipt } => {
                self.landed(event.intent);
                for work in work {
                    let block = receipt.block_number.unwrap_or_default();
                    let (count, until) = self.failures.entry(work.id).or_default();
                    *until = block + (FIRST_PAUSE << (*count).min(MAX_DOUBLINGS));
                    *count += 1;
                    tracing::warn!(%work, until = *until, "failed on chain although it simulated well; left alone until then");
                }
            }
            Update::Cancelled { .. } | Update::NonceUsedByOther { .. } => self.landed(event.intent),
            Update::Reorged { .. } => {
                if let Some(flight) = self.flights.get_mut(&event.intent) {
                    (flight.is_pending, flight.is_released) = (true, false);
                }
                self.releases.retain(|(intent, _)| *intent != event.intent);
            }
            Update::Confirmed { .. } | Update::Abandoned => {
                self.flights.remove(&event.intent);
            }
            _ => {}
        }
    }

    fn landed(&mut self, intent: IntentId) {
        if let Some(flight) = self.flights.get_mut(&intent) {
            flight.is_pending = false;
        }
    }

    /// Work that can be given free: what was mined has its effect, and what comes next has a later nonce.
    pub fn take_releases(&mut self) -> Vec<(IntentId, WorkId)> {
        std::mem::take(&mut self.releases)
    }

    /// It was given free.
    pub fn released(&mut self, intent: IntentId) {
        if let Some(flight) = self.flights.get_mut(&intent) {
            flight.is_released = true;
        }
    }

    /// It could not be recorded; it is tried again.
    pub fn owes_release(&mut self, intent: IntentId, work: WorkId) {
        self.releases.push((intent, work));
    }
}
