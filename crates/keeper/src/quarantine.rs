//! Work that simulates well and fails on chain: left alone for longer each time. Kept in the journal, so that a
//! restart does not pay for the same failures again.

use alloy::primitives::{Address, map::HashMap};
use errand_journal::{Batch, Journal, JournalError};
use errand_types::RequestId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Kind of the journal's records.
const FAILURES: &str = "failures";

/// Blocks for which a Request is left alone after its first failure; doubled with each further one.
const FIRST_PAUSE: u64 = 4;
/// Doublings after which the pause stays the same: about a day of 12 second blocks.
const MAX_DOUBLINGS: u32 = 11;

/// Blocks for which an inserted fee that failed is remembered for its target: about a day of 12 second blocks.
const FEE_MEMORY: u64 = 7_200;

/// One Request's failures, or those of the inserted fees of a target's.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Failures {
    count: u32,
    until: u64,
    /// What was cancelled because it would have failed: it makes the pause longer, and says nothing of fees.
    #[serde(default)]
    cancelled: u32,
    /// The last block that counted.
    #[serde(default)]
    block: u64,
}

impl Failures {
    /// Whether what happened in `block` was counted: it is told again after a restart, and of one target's inserted
    /// fees it is one trade that makes all of a block fail.
    const fn knows(&self, block: u64) -> bool {
        self.count + self.cancelled > 0 && self.block == block
    }

    fn pause(&mut self, block: u64) {
        self.until = block + (FIRST_PAUSE << (self.count + self.cancelled).min(MAX_DOUBLINGS));
        self.block = block;
    }
}

/// Requests that failed on chain, and until which block they are left alone.
#[derive(Debug, Default)]
pub struct Quarantine {
    failures: HashMap<RequestId, Failures>,
    /// Targets of Requests that failed and have the fee inserted, and until which block that counts. What makes one
    /// fail, a trade before it in the same block, makes them all fail. Not in the journal: the first one after a
    /// restart brings it back.
    fees: HashMap<Address, Failures>,
    /// What is otherwise in the journal.
    unsaved: BTreeSet<RequestId>,
}

impl Quarantine {
    /// What the journal kept.
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let mut this = Self::default();
        for record in journal.records(FAILURES)? {
            let id = <[u8; 8]>::try_from(record.id.as_slice()).map(u64::from_be_bytes);
            match (id, serde_json::from_slice(&record.bytes)) {
                (Ok(id), Ok(failures)) => drop(this.failures.insert(RequestId(id), failures)),
                // Written by another version. Without it the Request is merely tried again.
                _ => {
                    tracing::warn!(record = ?record.id, "a record of failures cannot be read; it is not counted")
                }
            }
        }
        Ok(this)
    }

    /// Whether the journal does not have it all.
    pub fn is_unsaved(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// Adds what the journal does not have to a batch.
    pub fn record(&self, batch: &mut Batch) {
        for id in &self.unsaved {
            match self.failures.get(id).and_then(|failures| serde_json::to_vec(failures).ok()) {
                Some(bytes) => batch.put(FAILURES, id.0.to_be_bytes(), bytes),
                None => batch.delete(FAILURES, id.0.to_be_bytes()),
            };
        }
    }

    /// That batch is in the journal.
    pub fn saved(&mut self) {
        self.unsaved.clear();
    }

    /// Forgets what `outstanding` does not name.
    pub fn keep_only(&mut self, outstanding: impl Fn(RequestId) -> bool) {
        let gone: Vec<_> = self.failures.keys().copied().filter(|id| !outstanding(*id)).collect();
        gone.into_iter().for_each(|id| self.forget(id));
    }

    /// A Request failed on chain in `block`. Returns the block from which it may be tried again.
    pub fn failed(&mut self, id: RequestId, block: u64) -> u64 {
        self.count(id, block, |failures| &mut failures.count)
    }

    /// A Request's execution was cancelled in `block`, because it would have failed. Returns the block from which it
    /// may be tried again.
    pub fn cancelled(&mut self, id: RequestId, block: u64) -> u64 {
        self.count(id, block, |failures| &mut failures.cancelled)
    }

    fn count(&mut self, id: RequestId, block: u64, counter: fn(&mut Failures) -> &mut u32) -> u64 {
        let failures = self.failures.entry(id).or_default();
        if !failures.knows(block) {
            failures.pause(block);
            *counter(failures) += 1;
            self.unsaved.insert(id);
        }
        failures.until
    }

    /// A Request of `target` with an inserted fee failed on chain in `block`. Returns whether that counts.
    pub fn fee_failed(&mut self, target: Address, block: u64) -> bool {
        let failures = self.fees.entry(target).or_default();
        if failures.knows(block) {
            return false;
        }
        (failures.until, failures.block) = (block + FEE_MEMORY, block);
        failures.count += 1;
        true
    }

    /// Forgets what does not count any more in `block`.
    pub fn expire(&mut self, block: u64) {
        self.fees.retain(|_, failures| block < failures.until);
    }

    /// A Request was executed or is gone: its failures are forgotten.
    pub fn forget(&mut self, id: RequestId) {
        if self.failures.remove(&id).is_some() {
            self.unsaved.insert(id);
        }
    }

    /// Whether a Request is to be left alone in `block`.
    pub fn holds(&self, id: RequestId, block: u64) -> bool {
        self.failures.get(&id).is_some_and(|failures| block < failures.until)
    }

    /// How often a Request has failed since it succeeded.
    pub fn failures(&self, id: RequestId) -> u32 {
        self.failures.get(&id).map_or(0, |failures| failures.count)
    }

    /// How often Requests of `target` with an inserted fee have failed of late.
    pub fn fee_failures(&self, target: Address) -> u32 {
        self.fees.get(&target).map_or(0, |failures| failures.count)
    }

    /// How many Requests have failed and not succeeded since.
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Whether no Request has failed.
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause() {
        let mut quarantine = Quarantine::default();
        let id = RequestId(1);
        assert!(!quarantine.holds(id, 100));
        assert_eq!(quarantine.failed(id, 100), 104);
        assert!(quarantine.holds(id, 103) && !quarantine.holds(id, 104));
        assert_eq!(quarantine.failed(id, 104), 112);
        quarantine.forget(id);
        assert!(!quarantine.holds(id, 105));
        assert_eq!(quarantine.failed(id, 200), 204);
    }

    #[test]
    fn what_was_cancelled_waits_longer_too_and_asks_no_less() {
        let mut quarantine = Quarantine::default();
        let id = RequestId(1);
        assert_eq!(quarantine.cancelled(id, 100), 104);
        assert_eq!(quarantine.cancelled(id, 104), 112);
        assert_eq!(quarantine.failures(id), 0);
        assert_eq!(quarantine.failed(id, 112), 128);
        assert_eq!(quarantine.failures(id), 1);
    }

    #[test]
    fn a_restart_does_not_forget() {
        let identity = errand_journal::Identity {
            chain_id: 1,
            genesis: Default::default(),
            registry: Default::default(),
            account: Default::default(),
        };
        let journal = Journal::in_memory(identity).unwrap();
        let save = |quarantine: &mut Quarantine| {
            let mut batch = Batch::new();
            quarantine.record(&mut batch);
            journal.write(batch).unwrap();
            quarantine.saved();
        };
        let mut quarantine = Quarantine::default();
        quarantine.failed(RequestId(1), 100);
        quarantine.failed(RequestId(2), 100);
        assert!(quarantine.is_unsaved());
        save(&mut quarantine);
        assert!(!quarantine.is_unsaved());
        let mut restarted = Quarantine::load(&journal).unwrap();
        assert!(restarted.holds(RequestId(1), 103) && !restarted.holds(RequestId(1), 104));
        assert_eq!(restarted.failed(RequestId(1), 100), 104, "what is told again counted already");
        assert_eq!(restarted.failed(RequestId(1), 104), 112, "and it counts on");
        restarted.keep_only(|id| id != RequestId(2));
        restarted.forget(RequestId(1));
        save(&mut restarted);
        assert!(journal.records(FAILURES).unwrap().is_empty(), "what is over leaves nothing");
    }

    #[test]
    fn a_fee_that_failed_is_remembered_for_its_target_for_a_day() {
        let mut quarantine = Quarantine::default();
        let (target, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        assert!(quarantine.fee_failed(target, 100));
        assert!(!quarantine.fee_failed(target, 100), "once in a block");
        assert!(quarantine.fee_failed(target, 200));
        assert_eq!((quarantine.fee_failures(target), quarantine.fee_failures(other)), (2, 0));
        quarantine.expire(200 + FEE_MEMORY - 1);
        assert_eq!(quarantine.fee_failures(target), 2);
        quarantine.expire(200 + FEE_MEMORY);
        assert_eq!(quarantine.fee_failures(target), 0);
    }

    #[test]
    fn the_pause_does_not_grow_for_ever() {
        let mut quarantine = Quarantine::default();
        let last = (0..100).map(|block| quarantine.failed(RequestId(1), block)).last();
        assert_eq!(last, Some(99 + (FIRST_PAUSE << MAX_DOUBLINGS)));
    }
}
