//! What was sent and is not settled: which Requests it holds, and what of it will still change the state.

use crate::simulator::{Simulator, SimulatorError};
use alloy::{primitives::map::HashMap, sol_types::SolError};
use errand_bindings::IRegistry;
use errand_journal::IntentId;
use errand_sim::EnvSeen;
use errand_types::{CallSpec, NextBlock, RequestId};
use std::collections::BTreeMap;

/// One intent's transaction.
#[derive(Clone, Debug)]
struct Flight {
    ids: Vec<RequestId>,
    call: CallSpec,
    /// It is not mined at a higher base fee: then it costs nothing, and fails at nothing.
    max_gas_price: u128,
    /// As far as is known its nonce is unused.
    is_pending: bool,
    /// It is being cancelled.
    is_given_up: bool,
    /// Whether none of its Requests would succeed: it is not what is around them that fails.
    is_by_requests: bool,
}

impl Flight {
    /// Whether it is to be mined.
    const fn is_under_way(&self) -> bool {
        self.is_pending && !self.is_given_up
    }
}

/// The account's transactions that are not settled. A Request in one of them is nobody else's.
#[derive(Debug, Default)]
pub struct Flights {
    flights: BTreeMap<IntentId, Flight>,
    /// The newest intent that has each Request.
    holders: HashMap<RequestId, IntentId>,
}

impl Flights {
    /// A transaction was recorded, with what it executes, what it does, and the most that it offers, in wei per gas.
    pub fn opened(&mut self, intent: IntentId, ids: Vec<RequestId>, call: CallSpec, max_gas_price: u128) {
        self.hold(intent, ids.iter().copied());
        let (is_given_up, is_by_requests) = (false, false);
        let flight = Flight { ids, call, max_gas_price, is_pending: true, is_given_up, is_by_requests };
        self.flights.insert(intent, flight);
    }

    /// An intent has these Requests.
    pub fn hold(&mut self, intent: IntentId, ids: impl IntoIterator<Item = RequestId>) {
        for id in ids {
            let holder = self.holders.entry(id).or_insert(intent);
            *holder = intent.max(*holder);
        }
    }

    /// An intent does not have these Requests any more. What a later one has stays held.
    pub fn release(&mut self, intent: IntentId, ids: impl IntoIterator<Item = RequestId>) {
        for id in ids {
            if self.holders.get(&id) != Some(&intent) {
                continue;
            }
            // An earlier one that had given it free, and is pending again since a reorg, may still execute it.
            let has_it = |flight: &Flight| flight.is_pending && flight.ids.contains(&id);
            let heir = self.flights.iter().rev().find(|(other, flight)| **other != intent && has_it(flight));
            match heir {
                Some((heir, _)) => self.holders.insert(id, *heir),
                None => self.holders.remove(&id),
            };
        }
    }

    /// An intent's nonce is used: its effect, if any, is in the state.
    pub fn landed(&mut self, intent: IntentId) {
        if let Some(flight) = self.flights.get_mut(&intent) {
            flight.is_pending = false;
        }
    }

    /// The block that used an intent's nonce is gone.
    pub fn reopened(&mut self, intent: IntentId, ids: impl IntoIterator<Item = RequestId>) {
        self.hold(intent, ids);
        if let Some(flight) = self.flights.get_mut(&intent) {
            flight.is_pending = true;
        }
    }

    /// An intent is final.
    pub fn settled(&mut self, intent: IntentId, ids: impl IntoIterator<Item = RequestId>) {
        self.release(intent, ids);
        self.flights.remove(&intent);
    }

    /// Whether an intent has this Request.
    pub fn holds(&self, id: RequestId) -> bool {
        self.holders.contains_key(&id)
    }

    /// What was sent and will be mined, in the order in which it will be.
    pub fn pending(&self) -> Vec<CallSpec> {
        self.under_way().map(|(_, flight)| flight.call.clone()).collect()
    }

    fn under_way(&self) -> impl Iterator<Item = (&IntentId, &Flight)> {
        self.flights.iter().filter(|(_, flight)| flight.is_under_way())
    }

    /// What was sent and would fail in the next block: somebody else was first, or what made it succeed is gone, as
    /// after a reorg. What depends on something `unknown` is taken not to fail.
    pub async fn failing(
        &mut self,
        simulator: &mut Simulator,
        next: &NextBlock,
        tip: u128,
        unknown: EnvSeen,
    ) -> Result<Vec<IntentId>, SimulatorError> {
        let under_way = self.under_way();
        let under_way = under_way.map(|(id, flight)| (*id, flight.call.clone(), flight.max_gas_price));
        let failing = simulator.failing(next, tip, unknown, under_way).await?;
        for (intent, flight) in self.flights.iter_mut().filter(|(_, flight)| flight.is_under_way()) {
            let reason = failing.iter().find(|(failing, _)| failing == intent).map(|(_, reason)| reason);
            flight.is_by_requests =
                reason.is_some_and(|reason| IRegistry::NoneSucceeded::abi_decode(reason).is_ok());
        }
        Ok(failing.into_iter().map(|(intent, _)| intent).collect())
    }

    /// An intent's transaction is being cancelled.
    pub fn given_up(&mut self, intent: IntentId) {
        if let Some(flight) = self.flights.get_mut(&intent) {
            flight.is_given_up = true;
        }
    }

    /// Whether, when it was looked at last, none of an intent's Requests would have succeeded.
    pub fn was_vain(&self, intent: IntentId) -> bool {
        self.flights.get(&intent).is_some_and(|flight| flight.is_by_requests)
    }

    /// The Requests in it.
    pub fn pending_ids(&self) -> impl Iterator<Item = RequestId> {
        self.under_way().flat_map(|(_, flight)| flight.ids.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, Bytes, U256};

    const ID: RequestId = RequestId(7);

    fn call(data: u8) -> CallSpec {
        CallSpec {
            origin: Address::ZERO,
            caller: Address::ZERO,
            to: Address::ZERO,
            data: Bytes::from(vec![data]),
            value: U256::ZERO,
            gas_limit: 1,
            gas_price: 1,
        }
    }

    fn pending(flights: &Flights) -> Vec<u8> {
        flights.pending().iter().map(|call| call.data[0]).collect()
    }

    #[test]
    fn what_was_sent_is_pending_until_its_nonce_is_used_and_again_after_a_reorg() {
        let mut flights = Flights::default();
        flights.opened(IntentId(2), vec![ID], call(2), 1);
        flights.opened(IntentId(1), vec![], call(1), 1);
        assert_eq!(pending(&flights), [1, 2], "in the order of the nonces");
        flights.landed(IntentId(2));
        assert_eq!(pending(&flights), [1]);
        assert!(flights.holds(ID), "until it is settled");
        flights.reopened(IntentId(2), [ID]);
        assert_eq!(pending(&flights), [1, 2]);
        flights.settled(IntentId(2), [ID]);
        assert_eq!(pending(&flights), [1]);
        assert!(!flights.holds(ID));
    }

    #[test]
    fn what_is_being_cancelled_is_held_and_not_counted_on() {
        let mut flights = Flights::default();
        flights.opened(IntentId(1), vec![ID], call(1), 1);
        flights.opened(IntentId(2), vec![], call(2), 1);
        flights.given_up(IntentId(1));
        assert_eq!(pending(&flights), [2]);
        assert_eq!(flights.pending_ids().count(), 0);
        assert!(flights.holds(ID), "it may still be mined");
        flights.landed(IntentId(1));
        flights.reopened(IntentId(1), [ID]);
        assert_eq!(pending(&flights), [2], "after a reorg the cancellation is what is sent again");
    }

    #[test]
    fn what_an_earlier_intent_may_execute_again_goes_back_to_it() {
        let mut flights = Flights::default();
        flights.opened(IntentId(1), vec![ID], call(1), 1);
        flights.landed(IntentId(1));
        flights.release(IntentId(1), [ID]);
        flights.opened(IntentId(2), vec![ID], call(2), 1);
        flights.reopened(IntentId(1), [ID]);
        flights.settled(IntentId(2), [ID]);
        assert!(flights.holds(ID), "the first is open again");
        flights.settled(IntentId(1), [ID]);
        assert!(!flights.holds(ID));
    }

    #[test]
    fn what_a_later_intent_holds_stays_held() {
        let mut flights = Flights::default();
        flights.hold(IntentId(2), [ID]);
        flights.hold(IntentId(1), [ID]);
        flights.release(IntentId(1), [ID]);
        assert!(flights.holds(ID));
        flights.release(IntentId(2), [ID]);
        assert!(!flights.holds(ID));
    }
}
