//! The database behind the handle. Only the writer thread touches it.

mod claims;
mod intents;
mod open;
mod records;
mod schema;

use crate::{Identity, JournalError};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// An open database, checked, of this identity and at the current schema.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
    path: PathBuf,
    /// Something was written since the last checkpoint.
    dirty: bool,
    /// Held as long as the database is open; declared last, so that it is released last.
    _lock: Option<open::Lock>,
}

/// What an operation can come to, before it is named for the journal's users.
#[derive(Debug)]
enum Fault {
    Sql(rusqlite::Error),
    Damaged(String),
    Refused(JournalError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    fn named(self, path: &Path) -> JournalError {
        let path = path.to_owned();
        match self {
            Self::Refused(error) => error,
            Self::Damaged(reason) => JournalError::Corrupt { path, reason },
            Self::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => JournalError::DiskFull,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    JournalError::InUse { path, pid: None }
                }
                // `Unknown` is SQLite's plain error: a statement of ours does not fit the tables that are there.
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                    JournalError::Corrupt { path, reason: error.to_string() }
                }
                Some(_) => JournalError::Database(error),
                // Not SQLite but the conversion of a value failed: the value is not one that was written.
                None => JournalError::Corrupt { path, reason: error.to_string() },
            },
        }
    }
}

impl Store {
    pub(crate) fn open(path: &Path, identity: Identity) -> Result<Self, JournalError> {
        open::open(path, identity).map_err(|fault| fault.named(path))
    }

    pub(crate) fn in_memory(identity: Identity) -> Result<Self, JournalError> {
        let path = PathBuf::from(":memory:");
        open::in_memory(identity).map_err(|fault| fault.named(&path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves what was written into the main file, so that a copy of that file alone is complete.
    pub(crate) fn checkpoint(&mut self) {
        if !self.dirty {
            return;
        }
        match self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            Ok(()) => self.dirty = false,
            // Nothing is lost: the write-ahead log has it, and the next checkpoint tries again.
            Err(error) => tracing::warn!(%error, "the journal's log could not be folded into its file"),
        }
    }

    pub(crate) const fn needs_checkpoint(&self) -> bool {
        self.dirty
    }

    pub(crate) fn check(&mut self) -> Result<(), JournalError> {
        self.reading(open::check)
    }

    pub(crate) fn backup(&mut self, to: &Path) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: to.to_owned(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(io)?;
        let name = to.to_str().ok_or_else(|| io(std::io::ErrorKind::InvalidFilename.into()))?;
        self.reading(|db| Ok(db.execute("VACUUM INTO ?1", [name]).map(drop)?))?;
        file.sync_all().map_err(io)
    }

    fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, JournalError> {
        read(&self.db).map_err(|fault| fault.named(&self.path))
    }

    /// One transaction: all of it is on the disk when this returns, or nothing is.
    fn writing<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let run = |db: &mut Connection| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = write(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        let answer = run(&mut self.db).map_err(|fault: Fault| fault.named(&self.path))?;
        self.dirty = true;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, NewIntent};
    use alloy::primitives::{Address, B256, Bytes};

    const IDENTITY: Identity =
        Identity { chain_id: 1, genesis: B256::ZERO, registry: Address::ZERO, account: Address::ZERO };

    #[test]
    fn a_full_disk_is_an_error_and_writing_goes_on_when_there_is_space_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(&directory.path().join("journal.db"), IDENTITY).unwrap();
        let pages: i64 = store.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let limit = |store: &Store, pages: i64| {
            store.db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        limit(&store, pages + 20);
        let intent = |nonce| NewIntent {
            account: Address::ZERO,
            nonce,
            work: Vec::new(),
            opened_at_block: 0,
            request: Bytes::from(vec![0; 10_000]),
        };
        let mut opened = 0;
        let error = loop {
            match store.open_intent(intent(opened)) {
                Ok(_) => opened += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, JournalError::DiskFull), "{error}");
        assert!(matches!(
            store.write(Batch::new().put("a", [1], vec![0; 100_000])),
            Err(JournalError::DiskFull)
        ));
        assert_eq!(store.unsettled().unwrap().len() as u64, opened, "it can still be read");
        store.check().unwrap();
        limit(&store, 1_000_000);
        store.open_intent(intent(opened)).unwrap();
    }
}
