//! Which intent holds a piece of work.

use super::Fault;
use crate::IntentId;
use errand_types::WorkId;
use rusqlite::{Connection, OptionalExtension, Transaction};

pub(super) fn holder(db: &Connection, work: &WorkId) -> Result<Option<IntentId>, Fault> {
    let id: Option<i64> = db
        .prepare_cached("SELECT intent FROM claims WHERE work = ?1")?
        .query_row([work.to_string()], |row| row.get(0))
        .optional()?;
    Ok(id.map(|id| IntentId(id.cast_unsigned())))
}

pub(super) fn claim(db: &Transaction<'_>, id: IntentId, work: &WorkId) -> Result<(), Fault> {
    db.prepare_cached("INSERT INTO claims (work, intent) VALUES (?1, ?2)")?
        .execute((work.to_string(), id.0.cast_signed()))?;
    Ok(())
}

/// Gives work that nobody holds to the latest intent that is open and has it. One that had given it free, and is
/// open again since a reorg, may still execute it.
pub(super) fn hand_back(db: &Transaction<'_>, works: &[WorkId]) -> Result<(), Fault> {
    let mut open = db.prepare_cached(
        "SELECT id, work FROM intents WHERE settled = 0 AND state = 'open' ORDER BY id DESC",
    )?;
    let open = open
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for work in works {
        let name = work.to_string();
        let heir = open.iter().find(|(_, works)| works.split_whitespace().any(|one| one == name));
        if let Some((id, _)) = heir
            && holder(db, work)?.is_none()
        {
            claim(db, IntentId(id.cast_unsigned()), work)?;
        }
    }
    Ok(())
}
