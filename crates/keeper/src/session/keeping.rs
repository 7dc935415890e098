//! What the journal is told of the book, losses and bundles.

use super::Session;
use crate::{bundles::Bundles, run::KeeperError, sync};
use errand_journal::{Batch as Records, JournalError};
use errand_submit::SubmitError;

/// Quiet blocks after which the journal is told how far the book has come.
const KEEP_EVERY: u64 = 16;

impl Session<'_> {
    pub(super) async fn keep_if_due(&mut self) -> Result<(), KeeperError> {
        let number = self.engine.head().number;
        let is_due = self.kept_at.is_none_or(|kept_at| number.abs_diff(kept_at) >= KEEP_EVERY);
        let has_changed = !self.changed.is_empty() || self.bundles.as_ref().is_some_and(Bundles::is_unkept);
        if is_due || has_changed { self.keep().await } else { Ok(()) }
    }

    /// Keeps in the journal what changed, and how far it has come.
    pub(crate) async fn keep(&mut self) -> Result<(), KeeperError> {
        let (head, book) = (self.engine.head(), self.engine.book());
        let mut records = Records::new();
        match self.kept_at {
            None => sync::record_whole(&mut records, head, book),
            Some(_) => {
                let changed = self.changed.iter().map(|id| (*id, book.get(*id)));
                sync::record_changes(&mut records, head, changed);
            }
        }
        let number = head.number;
        self.lasting.losses.record(&mut records);
        self.engine.quarantine().record(&mut records);
        if let Some(bundles) = &self.bundles {
            bundles.record(&mut records, self.kept_at.is_none());
        }
        match sync::off_thread(&self.keeper.journal, |journal| journal.write(records)).await {
            Ok(()) => {
                self.kept_at = Some(number);
                self.changed.clear();
                self.lasting.losses.saved();
                self.engine.quarantine().saved();
                if let Some(bundles) = &mut self.bundles {
                    bundles.recorded();
                }
                if std::mem::take(&mut self.lasting.disk_is_full) {
                    tracing::info!("there is space for the journal again");
                }
            }
            Err(JournalError::DiskFull) => self.no_space(),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// What the account's owner said; `None` where it could not record.
    pub(super) fn unless_full<T>(
        &mut self,
        result: Result<T, SubmitError>,
    ) -> Result<Option<T>, KeeperError> {
        match result {
            Err(SubmitError::Journal(JournalError::DiskFull)) => {
                self.no_space();
                Ok(None)
            }
            other => Ok(Some(other?)),
        }
    }

    /// Watching needs no disk; sending does.
    pub(super) fn no_space(&mut self) {
        if !std::mem::replace(&mut self.lasting.disk_is_full, true) {
            tracing::error!("no space is left for the journal: watching on, sending nothing until there is");
        }
    }
}
