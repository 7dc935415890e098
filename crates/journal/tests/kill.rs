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

/// Writers that are killed, and how many of them while they make or open the file.
const ROUNDS: u64 = 14;
const OPENING: u64 = 3;

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
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["everything_that_was_answered_is_there_after_a_kill", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // Killed in the middle of making the file or of opening it, and after ever longer work, which begins
        // with the first answer however long the process took to start.
        let step = |line: String| {
            let (nonce, step) = line.split_once(' ')?;
            Some((nonce.parse::<u64>().ok()?, step.to_owned()))
        };
        let mut last = None;
        if let Some(wait) = round.checked_sub(OPENING) {
            last = lines.by_ref().find_map(step);
            let (begin, limit) = (Instant::now(), Duration::from_millis(wait * wait * 3));
            while begin.elapsed() < limit {
                let Some(line) = lines.next() else { break };
                last = step(line).or(last);
            }
        } else {
            std::thread::sleep(Duration::from_millis(round * 7));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        last = lines.filter_map(step).last().or(last);
        let journal = Journal::open(&path, IDENTITY).unwrap();
        journal.check().unwrap();
        let Some((nonce, step)) = last else { continue };
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
    assert!(answered >= ROUNDS - OPENING, "only {answered} of {ROUNDS} writers got to write");
}
