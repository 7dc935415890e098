//! Torn and flipped copies: a journal opens with what was written, or refuses. It is never silently empty.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{Content, IDENTITY, content, fill, new_intent, work};
use errand_journal::{Journal, JournalError};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Opens a copy in a directory of its own.
fn open_copy(data: &[u8], log: Option<&[u8]>) -> Result<Content, JournalError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    fs::write(&path, data).unwrap();
    if let Some(log) = log {
        fs::write(directory.path().join("journal.db-wal"), log).unwrap();
    }
    Journal::open(&path, IDENTITY).map(|journal| content(&journal))
}

fn named(error: &JournalError) -> bool {
    matches!(
        error,
        JournalError::Corrupt { .. }
            | JournalError::OtherIdentity { .. }
            | JournalError::Newer { .. }
            | JournalError::Database(_)
    )
}

fn closed(directory: &Path) -> (Vec<u8>, Content) {
    let path = directory.join("journal.db");
    let journal = Journal::open(&path, IDENTITY).unwrap();
    fill(&journal);
    let whole = content(&journal);
    drop(journal);
    (fs::read(path).unwrap(), whole)
}

#[test]
fn a_file_cut_anywhere_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let (data, whole) = closed(directory.path());
    assert_eq!(open_copy(&data, None).unwrap(), whole);
    for cut in (0..data.len()).step_by(509).chain([1, 99, 100, 4096, data.len() - 1]) {
        match open_copy(&data[..cut], None) {
            Err(error) => assert!(named(&error), "cut at {cut}: {error}"),
            Ok(_) => panic!("cut at {cut}: it opened"),
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_changes_nothing_or_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let (data, whole) = closed(directory.path());
    let (mut refused, mut harmless) = (0, 0);
    // All of the header, and a stride through the rest that meets every page and every bit position.
    for (step, at) in (0..100).chain((100..data.len()).step_by(131)).enumerate() {
        let mut copy = data.clone();
        copy[at] ^= 1 << (step % 8);
        match open_copy(&copy, None) {
            Err(error) => {
                assert!(named(&error), "byte {at}: {error}");
                refused += 1;
            }
            Ok(found) => {
                assert_eq!(found, whole, "byte {at}");
                harmless += 1;
            }
        }
    }
    assert!(refused > 100, "{refused} refused, {harmless} harmless");
}

/// The main file, the log beside it, and the states that the journal went through while the log grew; `None`
/// when the log was folded in meanwhile.
fn unfolded() -> Option<(Vec<u8>, Vec<u8>, Vec<Content>)> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let log: PathBuf = directory.path().join("journal.db-wal");
    let journal = Journal::open(&path, IDENTITY).unwrap();
    fill(&journal);
    while fs::metadata(&log).unwrap().len() > 0 {
        std::thread::yield_now();
    }
    let data = fs::read(&path).unwrap();
    let mut states = vec![content(&journal)];
    for nonce in 60..64 {
        journal.open_intent(new_intent(nonce, [work(nonce)])).unwrap();
        states.push(content(&journal));
    }
    let grown = fs::read(&log).unwrap();
    (!grown.is_empty() && fs::read(&path).unwrap() == data).then_some((data, grown, states))
}

#[test]
fn a_log_cut_anywhere_opens_as_of_an_earlier_call_or_refuses() {
    let (data, grown, states) = std::iter::from_fn(|| Some(unfolded())).flatten().next().unwrap();
    assert_eq!(open_copy(&data, Some(&grown)).unwrap(), states[4]);
    assert_eq!(open_copy(&data, None).unwrap(), states[0]);
    let mut seen = 0;
    for cut in (0..grown.len()).step_by(211) {
        let found = open_copy(&data, Some(&grown[..cut])).unwrap();
        let state = states.iter().position(|state| *state == found).expect("a state that was");
        assert!(state >= seen, "cut at {cut}: more log, less content");
        seen = state;
    }
    assert_eq!(seen, 3);
    for at in 0..32 {
        let mut copy = grown.clone();
        copy[at] ^= 0x10;
        let error = open_copy(&data, Some(&copy)).unwrap_err();
        assert!(matches!(error, JournalError::Corrupt { .. }), "byte {at}: {error}");
    }
}
