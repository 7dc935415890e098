//! The database behind the handle. Only the writer thread touches it.

use crate::{
    Attempt, Batch, Identity, Inclusion, Intent, IntentId, JournalError, NewIntent, Record, Snapshot,
};
use alloy::{eips::BlockNumHash, primitives::B256};
use errand_types::WorkId;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
}
impl Store {
    pub(crate) fn open(_: &Path, _: Identity) -> Result<Self, JournalError> {
        todo!()
    }
    pub(crate) fn in_memory(_: Identity) -> Result<Self, JournalError> {
        todo!()
    }
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
    pub(crate) fn checkpoint(&mut self) {}
    pub(crate) fn open_intent(&mut self, _: &NewIntent) -> Result<Intent, JournalError> {
        todo!()
    }
    pub(crate) fn record_attempt(&mut self, _: IntentId, _: &Attempt) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn mark_mined(&mut self, _: IntentId, _: &Inclusion) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn mark_used_by_other(
        &mut self,
        _: IntentId,
        _: Option<B256>,
        _: BlockNumHash,
    ) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn reopen(&mut self, _: IntentId) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn abandon(&mut self, _: IntentId) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn settle(&mut self, _: IntentId) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn release_work(&mut self, _: IntentId, _: WorkId) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn intent(&mut self, _: IntentId) -> Result<Intent, JournalError> {
        todo!()
    }
    pub(crate) fn unsettled(&mut self) -> Result<Vec<Intent>, JournalError> {
        todo!()
    }
    pub(crate) fn history(&mut self, _: u32) -> Result<Vec<Intent>, JournalError> {
        todo!()
    }
    pub(crate) fn holder(&mut self, _: WorkId) -> Result<Option<IntentId>, JournalError> {
        todo!()
    }
    pub(crate) fn write(&mut self, _: &Batch) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn record(&mut self, _: &str, _: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        todo!()
    }
    pub(crate) fn records(&mut self, _: &str) -> Result<Vec<Record>, JournalError> {
        todo!()
    }
    pub(crate) fn snapshot(&mut self, _: &str) -> Result<Option<Snapshot>, JournalError> {
        todo!()
    }
    pub(crate) fn check(&mut self) -> Result<(), JournalError> {
        todo!()
    }
    pub(crate) fn backup(&mut self, _: &Path) -> Result<(), JournalError> {
        todo!()
    }
}
