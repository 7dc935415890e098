//! Tables, their versions, and the checksum that every row carries.

use super::Fault;
use alloy::primitives::Keccak256;
use rusqlite::Connection;

/// Marks the file as a journal: "ERND".
pub(super) const APPLICATION_ID: i32 = 0x4552_4e44;

/// What leads from each schema version to the next; the first entry makes version 1. Never edited, only
/// appended to.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        chain_id INTEGER NOT NULL, genesis BLOB NOT NULL, registry BLOB NOT NULL, account BLOB NOT NULL, sum BLOB NOT NULL
    ) STRICT;
    CREATE TABLE intents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        account BLOB NOT NULL, nonce INTEGER NOT NULL, work TEXT NOT NULL,
        opened_at_block INTEGER NOT NULL, request BLOB NOT NULL,
        state TEXT NOT NULL, settled INTEGER NOT NULL,
        tx_hash BLOB, block_number INTEGER, block_hash BLOB, success INTEGER, gas_used INTEGER, gas_price BLOB,
        sum BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX unsettled_nonces ON intents (account, nonce) WHERE settled = 0;
    CREATE TABLE attempts (
        intent INTEGER NOT NULL REFERENCES intents (id), seq INTEGER NOT NULL,
        tx_hash BLOB NOT NULL, raw BLOB NOT NULL, purpose TEXT NOT NULL,
        max_fee_per_gas BLOB NOT NULL, max_priority_fee_per_gas BLOB NOT NULL,
        sent_at_block INTEGER NOT NULL, sum BLOB NOT NULL,
        PRIMARY KEY (intent, seq)
    ) STRICT;
    CREATE TABLE claims (
        work TEXT PRIMARY KEY, intent INTEGER NOT NULL REFERENCES intents (id)
    ) STRICT;
    CREATE TABLE records (
        kind TEXT NOT NULL, id BLOB NOT NULL, bytes BLOB NOT NULL, sum BLOB NOT NULL,
        PRIMARY KEY (kind, id)
    ) STRICT;
    CREATE TABLE snapshots (
        name TEXT PRIMARY KEY,
        block_number INTEGER NOT NULL, block_hash BLOB NOT NULL, bytes BLOB NOT NULL, sum BLOB NOT NULL
    ) STRICT;
"];

/// The version that a file has after all `steps`.
pub(super) fn newest(steps: &[&str]) -> u32 {
    u32::try_from(steps.len()).unwrap_or(u32::MAX)
}

/// Brings a database from its version to the newest one, all in one transaction.
pub(super) fn migrate(db: &mut Connection, steps: &[&str]) -> Result<(), Fault> {
    let from = version(db)?;
    if from == newest(steps) {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for step in steps.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", newest(steps))?;
    transaction.commit()?;
    Ok(())
}

pub(super) fn version(db: &Connection) -> Result<u32, Fault> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// The statements that made the tables, as the database remembers them.
pub(super) fn text(db: &Connection) -> Result<Vec<(String, Option<String>)>, Fault> {
    let mut rows = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A row's checksum. SQLite notices a broken page, but not a changed value within one.
#[derive(Debug)]
pub(super) struct Sum(Keccak256);

impl Sum {
    pub(super) fn of(table: &str) -> Self {
        Self(Keccak256::new()).bytes(table.as_bytes())
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        // The length keeps neighbours apart.
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    pub(super) fn u64(self, value: u64) -> Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn finish(self) -> [u8; 8] {
        let mut sum = [0; 8];
        let hash = self.0.finalize();
        sum.copy_from_slice(hash.split_at(8).0);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_schema_is_brought_up_step_by_step_and_keeps_its_rows() {
        let steps = [
            "CREATE TABLE a (x INTEGER)",
            "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7",
            "CREATE TABLE b (z)",
        ];
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db, &steps[..1]).unwrap();
        db.execute("INSERT INTO a (x) VALUES (5)", []).unwrap();
        migrate(&mut db, &steps).unwrap();
        assert_eq!(version(&db).unwrap(), 3);
        let row = db.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row, Ok((5, 7)));
        migrate(&mut db, &steps).unwrap();
        assert_eq!(db.query_row("SELECT count(*) FROM b", [], |row| row.get(0)), Ok(0));
    }

    #[test]
    fn a_failing_step_leaves_the_version_as_it_was() {
        let mut db = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut db, &["CREATE TABLE a (x)", "no statement"]).is_err());
        assert_eq!(version(&db).unwrap(), 0);
        assert!(text(&db).unwrap().is_empty());
    }
}
