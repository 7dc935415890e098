//! A writer that is killed at any instant leaves a journal that has everything it was answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{IDENTITY, attempt, block, inclusion, new_intent, work};
use errand_journal::{Batch, IntentState, Journal, Snapshot};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const CHILD: &str = "ERRAND_TEST_KILLED_WRITER";

/// Goes on until it is killed, and says after each answered step how far it is.
fn write_for_ever(path: &Path) {
    let journal = Journal::open(path, IDENTITY).unwrap();
    let first = journal.history(1).unwrap().first().map_or(0, |intent| intent.nonce + 1);
    for nonce in first.. {
        let say = |step: &str| {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{nonce} {step}").and_then(|()| out.flush()).unwrap();
        };
        let id = journal.open_intent(new_intent(nonce, [work(nonce)])).unwrap().id;
        say("opened");
        journal.record_attempt(id, attempt(nonce, 1)).unwrap();
        say("attempted");
        journal.mark_mined(id, inclusion(attempt(nonce, 1).tx_hash, nonce)).unwrap();
        say("mined");
        let mut batch = Batch::new();
        let bytes = vec![1; 20_000];
        batch.put("last", [0], nonce.to_be_bytes()).snapshot("book", Snapshot { block: block(nonce), bytes });
        journal.write(batch).unwrap();
        say("written");
    }
}

#[test]
fn everything_that_was_answered_is_there_after_a_kill() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_for_ever(&PathBuf::from(path));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let mut answered = 0;
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["everything_that_was_answered_is_there_after_a_kill", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Killed in the middle of making the file, and after ever longer work; once after a quiet moment,
        // when the log has been folded in.
        let begin = Instant::now();
        let limit = Duration::from_millis(round * round * 3);
        let mut last = None;
        while begin.elapsed() < limit {
            match lines.next() {
                Some(line) => {
                    last = line.split_once(' ').map(|(n, s)| (n.parse::<u64>(), s.to_owned())).or(last)
                }
                None => break,
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            last = line.split_once(' ').map(|(n, s)| (n.parse::<u64>(), s.to_owned())).or(last);
        }
        let journal = Journal::open(&path, IDENTITY).unwrap();
        journal.check().unwrap();
        let Some((Ok(nonce), step)) = last.filter(|(nonce, _)| nonce.is_ok()) else { continue };
        answered += 1;
        let history = journal.history(10).unwrap();
        let intent = history.iter().find(|intent| intent.nonce == nonce).expect("an answered intent is lost");
        let attempts = usize::from(step != "opened");
        assert!(intent.attempts.len() >= attempts, "{step}: {intent:?}");
        if step == "mined" || step == "written" {
            assert!(matches!(intent.state, IntentState::Mined(_)), "{step}: {intent:?}");
        }
        if step == "written" {
            let cursor = journal.snapshot("book").unwrap().unwrap().block.number;
            assert!(cursor >= nonce);
            let record = journal.record("last", &[0]).unwrap().unwrap();
            assert_eq!(record, cursor.to_be_bytes(), "a batch was torn");
        }
    }
    assert!(answered >= 6, "only {answered} of 12 writers got to write");
}
