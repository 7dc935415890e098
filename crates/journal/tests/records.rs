//! Opaque records and snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use common::{IDENTITY, block};
use errand_journal::{Batch, Journal, Record, Snapshot};

#[test]
fn records_are_read_back_by_kind_and_in_order() {
    let journal = Journal::in_memory(IDENTITY).unwrap();
    let mut batch = Batch::new();
    batch.put("request", [2], *b"two").put("request", [1], *b"one").put("bundle", [1], *b"other");
    journal.write(batch).unwrap();
    let record = |id: u8, bytes: &[u8]| Record { id: vec![id], bytes: bytes.to_vec() };
    assert_eq!(journal.records("request").unwrap(), [record(1, b"one"), record(2, b"two")]);
    assert_eq!(journal.record("bundle", &[1]).unwrap().as_deref(), Some(&b"other"[..]));
    assert_eq!(journal.record("bundle", &[2]).unwrap(), None);
}

#[test]
fn a_batch_clears_puts_and_deletes_in_this_order() {
    let journal = Journal::in_memory(IDENTITY).unwrap();
    let mut batch = Batch::new();
    batch.put("request", [1], *b"old").put("request", [2], *b"old");
    journal.write(batch).unwrap();
    let mut batch = Batch::new();
    batch.put("request", [3], *b"new").put("request", [4], *b"new").clear("request").delete("request", [4]);
    journal.write(batch).unwrap();
    assert_eq!(journal.records("request").unwrap(), [Record { id: vec![3], bytes: b"new".to_vec() }]);
}

#[test]
fn a_snapshot_replaces_the_one_before_together_with_its_block() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = Journal::open(&path, IDENTITY).unwrap();
    for number in 1..=3 {
        let mut batch = Batch::new();
        let bytes = vec![u8::try_from(number).unwrap(); 100_000];
        batch.snapshot("book", Snapshot { block: block(number), bytes }).put(
            "last",
            [0],
            number.to_be_bytes(),
        );
        journal.write(batch).unwrap();
    }
    drop(journal);
    let journal = Journal::open(&path, IDENTITY).unwrap();
    assert_eq!(
        journal.snapshot("book").unwrap(),
        Some(Snapshot { block: block(3), bytes: vec![3; 100_000] })
    );
    assert_eq!(journal.record("last", &[0]).unwrap(), Some(3_u64.to_be_bytes().to_vec()));
    assert_eq!(journal.snapshot("none").unwrap(), None);
}
