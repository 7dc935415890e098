//! The bundles that are approved, by the events of the ChugSplashRegistry.

use crate::book::{BookError, UNDO_DEPTH};
use alloy::{
    primitives::{Address, B256},
    rpc::types::Log,
    sol_types::SolEvent,
};
use errand_bindings::{
    IChugSplashManager::{BundleHeader, Status},
    IChugSplashRegistry::{BundleAnnounced, StatusAnnounced},
};
use errand_types::BlockHead;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A bundle that was approved and of which something may be left to do, if only a bond to be taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: B256,
    /// The project.
    pub manager: Address,
    /// What was approved.
    pub header: BundleHeader,
    /// As it was announced last.
    pub status: Status,
    /// Whether a bond of ours was sent for it.
    #[serde(default)]
    pub is_claimed: bool,
}

/// What a block did, the other way round.
#[derive(Clone, Debug)]
enum Undo {
    Remove(B256),
    Restore(Box<Entry>),
}

/// All bundles of one Registry at one block.
#[derive(Debug)]
pub struct BundleBook {
    registry: Address,
    bundles: BTreeMap<B256, Entry>,
    undo: VecDeque<(B256, Vec<Undo>)>,
    changed: BTreeSet<B256>,
}

impl BundleBook {
    /// A book with what the journal kept.
    pub fn new(registry: Address, entries: impl IntoIterator<Item = Entry>) -> Self {
        let bundles = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        Self { registry, bundles, undo: VecDeque::new(), changed: BTreeSet::new() }
    }

    /// All entries, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.bundles.values()
    }

    /// One entry.
    pub fn get(&self, id: &B256) -> Option<&Entry> {
        self.bundles.get(id)
    }

    /// Bundles that changed since this was asked last.
    pub fn take_changed(&mut self) -> BTreeSet<B256> {
        std::mem::take(&mut self.changed)
    }

    /// Nothing is left to do about a bundle. A reorg brings it back.
    pub fn forget(&mut self, id: &B256) {
        self.bundles.remove(id);
        self.changed.insert(*id);
    }

    /// A bond was sent for a bundle.
    pub fn claimed(&mut self, id: &B256) {
        if let Some(entry) = self.bundles.get_mut(id) {
            entry.is_claimed = true;
            self.changed.insert(*id);
        }
    }

    /// Applies logs of past blocks.
    pub fn apply_history(&mut self, logs: &[Log]) -> Result<(), BookError> {
        logs.iter().try_for_each(|log| self.apply_log(log).map(drop))
    }

    /// Applies a block that became the head. Logs of other contracts are passed over.
    pub fn apply(&mut self, head: &BlockHead, logs: &[Log]) -> Result<(), BookError> {
        let mut undo = Vec::new();
        for log in logs {
            undo.extend(self.apply_log(log)?);
        }
        self.undo.push_back((head.hash, undo));
        if self.undo.len() > UNDO_DEPTH {
            self.undo.pop_front();
        }
        Ok(())
    }

    /// Takes the last applied block back.
    pub fn undo(&mut self, head: &BlockHead) -> Result<(), BookError> {
        let error = BookError::NotTheLast { number: head.number, hash: head.hash };
        let Some((_, steps)) = self.undo.pop_back_if(|(hash, _)| *hash == head.hash) else {
            return Err(error);
        };
        for step in steps.into_iter().rev() {
            match step {
                Undo::Remove(id) => {
                    self.bundles.remove(&id);
                    self.changed.insert(id);
                }
                Undo::Restore(mut entry) => {
                    entry.is_claimed |= self.is_claimed(&entry.id);
                    self.changed.insert(entry.id);
                    self.bundles.insert(entry.id, *entry);
                }
            }
        }
        Ok(())
    }

    fn is_claimed(&self, id: &B256) -> bool {
        self.bundles.get(id).is_some_and(|entry| entry.is_claimed)
    }

    fn apply_log(&mut self, log: &Log) -> Result<Option<Undo>, BookError> {
        let block = log.block_number.unwrap_or_default();
        let undecodable = |source| BookError::Undecodable { block, source };
        if log.address() != self.registry {
            return Ok(None);
        }
        match log.topic0() {
            Some(&BundleAnnounced::SIGNATURE_HASH) => {
                let event = BundleAnnounced::decode_log(&log.inner).map_err(undecodable)?.data;
                if event.status != Status::APPROVED {
                    return Ok(None);
                }
                let (id, manager, header) = (event.bundleId, event.manager, event.header);
                self.changed.insert(id);
                let (status, is_claimed) = (event.status, self.is_claimed(&id));
                let entry = Entry { id, manager, header, status, is_claimed };
                let before = self.bundles.insert(id, entry);
                Ok(Some(before.map_or(Undo::Remove(id), |entry| Undo::Restore(Box::new(entry)))))
            }
            Some(&StatusAnnounced::SIGNATURE_HASH) => {
                let event = StatusAnnounced::decode_log(&log.inner).map_err(undecodable)?.data;
                let Some(entry) = self.bundles.get_mut(&event.bundleId) else { return Ok(None) };
                self.changed.insert(entry.id);
                let before = entry.clone();
                entry.status = event.status;
                Ok(Some(Undo::Restore(Box::new(before))))
            }
            _ => Ok(None),
        }
    }
}
