//! Opaque records and snapshots.

use super::{Fault, Store, schema::Sum};
use crate::{Batch, JournalError, Record, Snapshot};
use alloy::eips::BlockNumHash;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

impl Store {
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), JournalError> {
        self.writing(|db| {
            for kind in &batch.clears {
                db.prepare_cached("DELETE FROM records WHERE kind = ?1")?.execute([kind])?;
            }
            for (kind, record) in &batch.puts {
                let sum = record_sum(kind, record);
                db.prepare_cached(
                    "INSERT OR REPLACE INTO records (kind, id, bytes, sum) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((kind, &record.id, &record.bytes, sum))?;
            }
            for (kind, id) in &batch.deletes {
                db.prepare_cached("DELETE FROM records WHERE kind = ?1 AND id = ?2")?.execute((kind, id))?;
            }
            batch.snapshots.iter().try_for_each(|(name, snapshot)| put_snapshot(db, name, snapshot))
        })
    }

    pub(crate) fn record(&mut self, kind: &str, id: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.reading(|db| {
            let mut rows =
                db.prepare_cached("SELECT id, bytes, sum FROM records WHERE kind = ?1 AND id = ?2")?;
            let found = rows.query_row((kind, id), record_of).optional()?;
            found.map(|found| checked(kind, found).map(|record| record.bytes)).transpose()
        })
    }

    pub(crate) fn records(&mut self, kind: &str) -> Result<Vec<Record>, JournalError> {
        self.reading(|db| {
            let mut rows =
                db.prepare_cached("SELECT id, bytes, sum FROM records WHERE kind = ?1 ORDER BY id")?;
            let rows = rows.query_map([kind], record_of)?;
            rows.map(|row| checked(kind, row?)).collect()
        })
    }

    pub(crate) fn snapshot(&mut self, name: &str) -> Result<Option<Snapshot>, JournalError> {
        self.reading(|db| {
            let sql = "SELECT name, block_number, block_hash, bytes, sum FROM snapshots WHERE name = ?1";
            let found = db.prepare_cached(sql)?.query_row([name], snapshot_of).optional()?;
            found.map(checked_snapshot).transpose()
        })
    }
}

/// Reads every row and compares it with its checksum.
pub(super) fn check(db: &Connection) -> Result<(), Fault> {
    let mut rows = db.prepare("SELECT id, bytes, sum, kind FROM records")?;
    let rows = rows.query_map([], |row| Ok((record_of(row)?, row.get::<_, String>(3)?)))?;
    for row in rows {
        let (found, kind) = row?;
        checked(&kind, found)?;
    }
    let mut rows = db.prepare("SELECT name, block_number, block_hash, bytes, sum FROM snapshots")?;
    let rows = rows.query_map([], snapshot_of)?;
    for row in rows {
        checked_snapshot(row?)?;
    }
    Ok(())
}

fn put_snapshot(db: &Transaction<'_>, name: &str, snapshot: &Snapshot) -> Result<(), Fault> {
    let Snapshot { block, bytes } = snapshot;
    let sum = snapshot_sum(name, snapshot);
    db.prepare_cached(
        "INSERT OR REPLACE INTO snapshots (name, block_number, block_hash, bytes, sum) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((name, block.number.cast_signed(), block.hash.as_slice(), bytes, sum))?;
    Ok(())
}

fn record_of(row: &Row<'_>) -> rusqlite::Result<(Record, [u8; 8])> {
    Ok((Record { id: row.get(0)?, bytes: row.get(1)? }, row.get(2)?))
}

fn checked(kind: &str, (record, sum): (Record, [u8; 8])) -> Result<Record, Fault> {
    if sum == record_sum(kind, &record) {
        return Ok(record);
    }
    Err(Fault::Damaged(format!("a record of kind {kind} was changed")))
}

fn record_sum(kind: &str, record: &Record) -> [u8; 8] {
    Sum::of("records").bytes(kind.as_bytes()).bytes(&record.id).bytes(&record.bytes).finish()
}

type SnapshotRow = (String, Snapshot, [u8; 8]);

fn snapshot_of(row: &Row<'_>) -> rusqlite::Result<SnapshotRow> {
    let block = BlockNumHash {
        number: row.get::<_, i64>(1)?.cast_unsigned(),
        hash: row.get::<_, [u8; 32]>(2)?.into(),
    };
    Ok((row.get(0)?, Snapshot { block, bytes: row.get(3)? }, row.get(4)?))
}

fn checked_snapshot((name, snapshot, sum): SnapshotRow) -> Result<Snapshot, Fault> {
    if sum == snapshot_sum(&name, &snapshot) {
        return Ok(snapshot);
    }
    Err(Fault::Damaged(format!("the snapshot {name} was changed")))
}

fn snapshot_sum(name: &str, snapshot: &Snapshot) -> [u8; 8] {
    let sum = Sum::of("snapshots").bytes(name.as_bytes()).u64(snapshot.block.number);
    sum.bytes(snapshot.block.hash.as_slice()).bytes(&snapshot.bytes).finish()
}
