//! What can go wrong, by name.

use crate::{IntentId, journal::Identity};
use alloy::primitives::{Address, B256};
use errand_types::WorkId;
use std::{io, path::PathBuf};

/// Why the journal refused or failed. After any of these, nothing of the call was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process, or another handle in this one, has the journal open.
    #[error("the journal {path} is in use by another keeper{}; one journal has one owner", pid_text(.pid))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The process that holds it, where it is known.
        pid: Option<u32>,
    },
    /// The journal belongs to another chain, to one that was begun anew, or to another Registry or account.
    #[error("the journal {path} belongs to {found}, not to {expected}; use another file for this one")]
    OtherIdentity {
        /// The file.
        path: PathBuf,
        /// What it was made for.
        found: Box<Identity>,
        /// What it was opened for.
        expected: Box<Identity>,
    },
    /// A newer version of the program wrote it.
    #[error("the journal {path} has schema version {found}; this program knows versions up to {known}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest version this program can read.
        known: u32,
    },
    /// The file is damaged, or never was a journal.
    #[error(
        "the journal {path} is damaged or no journal ({reason}). To rebuild it from the chain, make sure that \
         no transaction of the account is pending, move the file (and those beside it with the same name) away \
         and start again: nothing on chain is lost"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// No space is left. Nothing may be sent until there is: it could not be recorded.
    #[error("no space is left for the journal: nothing can be recorded, so nothing may be sent")]
    DiskFull,
    /// The file could not be read or written.
    #[error("the journal's file {path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database refused an operation for another reason.
    #[error("the journal's database failed")]
    Database(#[source] rusqlite::Error),
    /// The work is in the hands of an intent that is not settled.
    #[error("{work} is already in intent {holder}")]
    WorkTaken {
        /// The work.
        work: WorkId,
        /// The intent that has it.
        holder: IntentId,
    },
    /// An intent that is not settled has the nonce.
    #[error("nonce {nonce} of {account} is already in use by intent {holder}")]
    NonceTaken {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
        /// The intent that has it.
        holder: IntentId,
    },
    /// There is no such intent.
    #[error("there is no intent {0}")]
    NoIntent(IntentId),
    /// The intent is in a state in which that cannot happen.
    #[error("intent {id} is {state}: {refused}")]
    WrongState {
        /// The intent.
        id: IntentId,
        /// The state it is in.
        state: &'static str,
        /// What was asked of it.
        refused: &'static str,
    },
    /// A transaction does not have the hash it is said to have.
    #[error("a transaction of intent {id} has the hash {actual}, not {claimed}")]
    WrongHash {
        /// The intent.
        id: IntentId,
        /// The hash that was given.
        claimed: B256,
        /// The hash of the bytes.
        actual: B256,
    },
    /// The journal's thread has ended.
    #[error("the journal is closed")]
    Closed,
}

fn pid_text(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
