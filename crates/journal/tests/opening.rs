//! Who may open which file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{IDENTITY, content, fill, new_intent, work};
use errand_journal::{Identity, Journal, JournalError};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    (directory, path)
}

fn corrupt(path: &Path) -> String {
    match Journal::open(path, IDENTITY) {
        Err(error @ JournalError::Corrupt { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let (_directory, path) = place();
    let journal = Journal::open(&path, IDENTITY).unwrap();
    fill(&journal);
    let before = content(&journal);
    drop(journal);
    let journal = Journal::open(&path, IDENTITY).unwrap();
    assert_eq!(content(&journal), before);
    assert_eq!(before.intents.len(), 6);
}

#[test]
fn a_second_handle_in_the_same_process_is_refused() {
    let (_directory, path) = place();
    let first = Journal::open(&path, IDENTITY).unwrap();
    let copy = first.clone();
    drop(first);
    let error = Journal::open(&path, IDENTITY).unwrap_err();
    let own = std::process::id();
    assert!(matches!(&error, JournalError::InUse { pid: Some(pid), .. } if *pid == own), "{error}");
    drop(copy);
    Journal::open(&path, IDENTITY).unwrap();
}

#[test]
fn a_process_that_is_being_started_does_not_hold_the_journal() {
    let (_directory, path) = place();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                Command::new("true").status().unwrap();
            }
        });
        let opened = (0..200).try_for_each(|_| Journal::open(&path, IDENTITY).map(drop));
        done.store(true, Ordering::Relaxed);
        opened.unwrap();
    });
}

#[test]
fn a_second_process_is_refused_and_told_the_first_one_s_number() {
    const CHILD: &str = "ERRAND_TEST_SECOND_PROCESS";
    if let Some(path) = std::env::var_os(CHILD) {
        // The second process: what it says is read below.
        println!("{}", Journal::open(PathBuf::from(path), IDENTITY).unwrap_err());
        return;
    }
    let (_directory, path) = place();
    let journal = Journal::open(&path, IDENTITY).unwrap();
    let name = "a_second_process_is_refused_and_told_the_first_one_s_number";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = format!("in use by another keeper (process {})", std::process::id());
    assert!(output.status.success() && said.contains(&expected), "{said}");
    journal.open_intent(new_intent(0, [work(1)])).unwrap();
}

#[test]
fn another_name_for_the_same_file_does_not_get_around_the_lock() {
    let (directory, path) = place();
    let _journal = Journal::open(&path, IDENTITY).unwrap();
    let alias = directory.path().join("alias.db");
    fs::hard_link(&path, &alias).unwrap();
    assert!(matches!(Journal::open(&alias, IDENTITY), Err(JournalError::InUse { .. })));
}

#[test]
fn the_journal_of_another_chain_genesis_registry_or_account_is_refused_by_name() {
    let (_directory, path) = place();
    drop(Journal::open(&path, IDENTITY).unwrap());
    let zero = Default::default();
    for other in [
        Identity { chain_id: 1, ..IDENTITY },
        Identity { genesis: Default::default(), ..IDENTITY },
        Identity { registry: zero, ..IDENTITY },
        Identity { account: zero, ..IDENTITY },
    ] {
        match Journal::open(&path, other) {
            Err(JournalError::OtherIdentity { found, expected, .. }) => {
                assert_eq!((*found, *expected), (IDENTITY, other));
            }
            result => panic!("{result:?}"),
        }
    }
    Journal::open(&path, IDENTITY).unwrap();
}

#[test]
fn only_the_owner_can_read_the_files() {
    let (directory, path) = place();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let journal = Journal::open(&path, IDENTITY).unwrap();
    fill(&journal);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(journal);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _journal = Journal::open(&path, IDENTITY).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn the_file_of_version_1_still_opens_with_all_its_content() {
    let (_directory, path) = place();
    // Written by `fill` when version 1 was the newest.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.db"), &path).unwrap();
    let journal = Journal::open(&path, IDENTITY).unwrap();
    let fresh = Journal::in_memory(IDENTITY).unwrap();
    fill(&fresh);
    assert_eq!(content(&journal), content(&fresh));
    journal.open_intent(new_intent(50, [work(50)])).unwrap();
}

#[test]
fn a_newer_version_s_file_is_refused() {
    let (_directory, path) = place();
    drop(Journal::open(&path, IDENTITY).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = Journal::open(&path, IDENTITY).unwrap_err();
    assert!(matches!(error, JournalError::Newer { found: 99, known: 1, .. }), "{error}");
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_left_alone() {
    let (_directory, path) = place();
    for garbage in
        [b"".to_vec(), b"x".to_vec(), b"SQLite format 3\0".to_vec(), vec![0; 4096], vec![0xa5; 50_000]]
    {
        fs::write(&path, &garbage).unwrap();
        let said = corrupt(&path);
        assert!(said.contains("move the file") && said.contains("nothing on chain is lost"), "{said}");
        assert!(fs::read(&path).unwrap() == garbage, "{} bytes of garbage were changed", garbage.len());
    }
}

#[test]
fn another_program_s_database_is_refused() {
    let (_directory, path) = place();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE intents (id INTEGER); PRAGMA user_version = 1").unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    assert!(corrupt(&path).contains("not a journal"));
    assert!(fs::read(&path).unwrap() == before, "it was changed");
}

#[test]
fn tables_that_were_altered_by_hand_are_refused() {
    let (_directory, path) = place();
    drop(Journal::open(&path, IDENTITY).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("DROP INDEX unsettled_nonces").unwrap();
    drop(db);
    assert!(corrupt(&path).contains("not the ones of its version"));
}

#[test]
fn values_that_were_altered_by_hand_are_refused() {
    for statement in [
        "UPDATE intents SET nonce = 9 WHERE id = 4",
        "UPDATE intents SET state = 'open', tx_hash = NULL, block_number = NULL, block_hash = NULL WHERE id = 3",
        "UPDATE attempts SET raw = x'00' WHERE intent = 4 AND seq = 0",
        "UPDATE attempts SET sent_at_block = 0 WHERE intent = 4 AND seq = 0",
        "DELETE FROM attempts WHERE intent = 4 AND seq = 0",
        "DELETE FROM claims WHERE work = 'request:3'",
        "UPDATE claims SET intent = 1 WHERE work = 'request:3'",
        "UPDATE records SET bytes = x'00' WHERE kind = 'request' AND id = x'05'",
        "UPDATE snapshots SET block_number = 1",
        "UPDATE identity SET chain_id = 1",
        "DELETE FROM identity",
    ] {
        let (_directory, path) = place();
        fill(&Journal::open(&path, IDENTITY).unwrap());
        let db = rusqlite::Connection::open(&path).unwrap();
        assert_eq!(db.execute(statement, []).unwrap(), 1, "{statement}");
        drop(db);
        assert!(!corrupt(&path).is_empty(), "{statement}");
    }
}

#[test]
fn a_log_without_its_main_file_is_refused() {
    let (directory, path) = place();
    fs::write(directory.path().join("journal.db-wal"), [1; 100]).unwrap();
    assert!(corrupt(&path).contains("main file is gone"));
    assert!(!path.exists());
}

#[test]
fn a_half_made_journal_does_not_stand_in_the_way() {
    let (directory, path) = place();
    fs::write(directory.path().join("journal.db.new"), b"half").unwrap();
    fill(&Journal::open(&path, IDENTITY).unwrap());
    assert!(!directory.path().join("journal.db.new").exists());
}

#[test]
fn a_directory_that_is_not_there_is_an_error_with_the_path() {
    let (directory, _) = place();
    let path = directory.path().join("none/journal.db");
    let error = Journal::open(&path, IDENTITY).unwrap_err();
    assert!(
        matches!(error, JournalError::Io { .. }) && error.to_string().contains("none/journal.db"),
        "{error}"
    );
}

#[test]
fn a_backup_opens_like_the_journal_and_does_not_overwrite() {
    let (directory, path) = place();
    let journal = Journal::open(&path, IDENTITY).unwrap();
    fill(&journal);
    let copy = directory.path().join("copy.db");
    journal.backup(&copy).unwrap();
    assert!(matches!(journal.backup(&copy), Err(JournalError::Io { .. })));
    let backup = Journal::open(&copy, IDENTITY).unwrap();
    assert_eq!(content(&backup), content(&journal));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
}
