//! What was spent for nothing in the last day: transactions that reverted or were cancelled, and what others cost
//! beyond what they earned because entries failed. Kept in the journal, so that a restart does not forget it.

use alloy::primitives::U256;
use errand_journal::{Batch, IntentId, Journal, JournalError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Kind of the journal's records.
const LOSS: &str = "loss";
/// Seconds for which a loss counts.
const DAY: u64 = 86_400;

/// One transaction that brought nothing, or too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Loss {
    /// Unix time of the block at which it was seen.
    at: u64,
    /// What it cost.
    wei: U256,
}

/// The losses of the last day, by intent.
#[derive(Debug, Default)]
pub struct Losses {
    losses: BTreeMap<IntentId, Loss>,
    /// What is otherwise in the journal.
    unsaved: BTreeSet<IntentId>,
    unreadable: usize,
}

impl Losses {
    /// What the journal kept. What of it cannot be read is said and counted, and stays where it is.
    pub fn load(journal: &Journal) -> Result<Self, JournalError> {
        let (mut losses, mut unreadable) = (BTreeMap::new(), 0);
        for record in journal.records(LOSS)? {
            let id = <[u8; 8]>::try_from(record.id.as_slice()).map(u64::from_be_bytes);
            match (id, serde_json::from_slice(&record.bytes)) {
                (Ok(id), Ok(loss)) => drop(losses.insert(IntentId(id), loss)),
                _ => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::error!(
                unreadable,
                "losses in the journal cannot be read: another version wrote them. They do not count, so that for \
                 a day more may be lost than the loss budget says"
            );
        }
        Ok(Self { losses, unsaved: BTreeSet::new(), unreadable })
    }

    /// Losses in the journal that do not count, because they could not be read.
    pub const fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// An intent's transaction cost so much for nothing. Told again, it counts from when it was told first.
    pub fn note(&mut self, intent: IntentId, at: u64, wei: U256) {
        let at = self.losses.get(&intent).map_or(at, |loss| loss.at);
        if self.losses.insert(intent, Loss { at, wei }) != Some(Loss { at, wei }) {
            self.unsaved.insert(intent);
        }
    }

    /// The block with the transaction is gone.
    pub fn forget(&mut self, intent: IntentId) {
        if self.losses.remove(&intent).is_some() {
            self.unsaved.insert(intent);
        }
    }

    /// What was lost in the day before Unix time `now`, in wei. What is older is forgotten.
    pub fn of_the_day(&mut self, now: u64) -> U256 {
        let old: Vec<_> = self
            .losses
            .iter()
            .filter(|(_, loss)| loss.at.saturating_add(DAY) <= now)
            .map(|(id, _)| *id)
            .collect();
        old.into_iter().for_each(|id| self.forget(id));
        self.losses.values().fold(U256::ZERO, |sum, loss| sum.saturating_add(loss.wei))
    }

    /// Whether the journal does not have it all.
    pub fn is_unsaved(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// Adds what the journal does not have to a batch.
    pub fn record(&self, batch: &mut Batch) {
        for id in &self.unsaved {
            match self.losses.get(id).and_then(|loss| serde_json::to_vec(loss).ok()) {
                Some(bytes) => batch.put(LOSS, id.0.to_be_bytes(), bytes),
                None => batch.delete(LOSS, id.0.to_be_bytes()),
            };
        }
    }

    /// That batch is in the journal.
    pub fn saved(&mut self) {
        self.unsaved.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Address;
    use errand_journal::Identity;

    fn journal() -> Journal {
        let identity = Identity {
            chain_id: 1,
            genesis: Default::default(),
            registry: Address::ZERO,
            account: Address::ZERO,
        };
        Journal::in_memory(identity).unwrap()
    }

    fn save(losses: &mut Losses, journal: &Journal) {
        let mut batch = Batch::new();
        losses.record(&mut batch);
        journal.write(batch).unwrap();
        losses.saved();
    }

    #[test]
    fn a_loss_counts_for_a_day_and_once() {
        let mut losses = Losses::default();
        losses.note(IntentId(1), 1_000, U256::from(5));
        losses.note(IntentId(2), 2_000, U256::from(7));
        losses.note(IntentId(1), 3_000, U256::from(5));
        assert_eq!(losses.of_the_day(3_000), U256::from(12));
        assert_eq!(losses.of_the_day(1_000 + DAY - 1), U256::from(12));
        assert_eq!(losses.of_the_day(1_000 + DAY), U256::from(7));
        losses.forget(IntentId(2));
        assert_eq!(losses.of_the_day(1_000 + DAY), U256::ZERO);
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_kept() {
        let journal = journal();
        let mut batch = Batch::new();
        batch.put(LOSS, 1u64.to_be_bytes(), b"{\"at\":1000,\"wei\":\"0x5\"}".to_vec());
        batch.put(LOSS, 2u64.to_be_bytes(), b"something else".to_vec());
        batch.put(LOSS, *b"odd", b"{\"at\":1000,\"wei\":\"0x5\"}".to_vec());
        journal.write(batch).unwrap();
        let mut losses = Losses::load(&journal).unwrap();
        assert_eq!((losses.unreadable(), losses.of_the_day(1_000)), (2, U256::from(5)));
        assert_eq!(journal.records(LOSS).unwrap().len(), 3);
    }

    #[test]
    fn a_restart_does_not_forget() {
        let (journal, mut losses) = (journal(), Losses::default());
        losses.note(IntentId(1), 1_000, U256::from(5));
        losses.note(IntentId(2), 1_000, U256::from(7));
        assert!(losses.is_unsaved());
        save(&mut losses, &journal);
        assert!(!losses.is_unsaved());
        let mut restarted = Losses::load(&journal).unwrap();
        assert_eq!(restarted.of_the_day(1_000), U256::from(12));
        assert_eq!(restarted.of_the_day(1_000 + DAY), U256::ZERO);
        save(&mut restarted, &journal);
        assert!(journal.records(LOSS).unwrap().is_empty(), "what is over leaves nothing");
    }
}
