//! A disk without space, for real: a file system of one mebibyte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{IDENTITY, attempt, new_intent, work};
use errand_journal::{Journal, JournalError};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const CHILD: &str = "ERRAND_TEST_FULL_DISK";

fn fill_the_disk(directory: &Path) {
    let path = directory.join("journal.db");
    let journal = Journal::open(&path, IDENTITY).unwrap();
    let ballast = directory.join("ballast");
    fs::write(&ballast, vec![0; 200_000]).unwrap();
    let mut opened = 0;
    let error = loop {
        let mut new = new_intent(opened, [work(opened)]);
        new.request = vec![1; 20_000].into();
        match journal
            .open_intent(new)
            .and_then(|intent| journal.record_attempt(intent.id, attempt(opened, 1)))
        {
            Ok(()) => opened += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::DiskFull), "{error}");
    assert!(opened > 5, "only {opened} fitted");
    let attempted = |journal: &Journal| {
        journal.unsettled().unwrap().iter().filter(|intent| !intent.attempts.is_empty()).count() as u64
    };
    assert_eq!(attempted(&journal), opened, "it can still be read");
    fs::remove_file(ballast).unwrap();
    journal.open_intent(new_intent(1000, [work(1000)])).unwrap();
    drop(journal);
    let journal = Journal::open(&path, IDENTITY).unwrap();
    assert_eq!(attempted(&journal), opened);
}

#[test]
fn a_full_disk_stops_writing_loses_nothing_and_is_survived() {
    if let Some(directory) = std::env::var_os(CHILD) {
        return fill_the_disk(&PathBuf::from(directory));
    }
    let directory = tempfile::tempdir().unwrap();
    // In a namespace of its own the test may mount, wherever the system lets users have one.
    let script = format!("mount -t tmpfs -o size=1m tmpfs \"${CHILD}\" && exec \"$@\"");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["a_full_disk_stops_writing_loses_nothing_and_is_survived", "--exact", "--nocapture"])
        .env(CHILD, directory.path())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("1 passed"), "the child has no such test: {said}");
        }
        Ok(output) if !String::from_utf8_lossy(&output.stdout).contains("running 1 test") => {
            eprintln!("skipped: no mount without rights here: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(output) => {
            panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => eprintln!("skipped: no `unshare` here: {error}"),
    }
}
