//! Intents, their attempts and the work they hold.

use super::{
    Fault, Store,
    claims::{claim, hand_back, holder},
    schema::Sum,
};
use crate::{Attempt, Inclusion, Intent, IntentId, IntentState, JournalError, NewIntent, Purpose};
use alloy::{
    eips::BlockNumHash,
    primitives::{Address, B256, Bytes, keccak256},
};
use errand_types::WorkId;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

const COLUMNS: &str = "id, account, nonce, work, opened_at_block, request, state, settled, \
                       tx_hash, block_number, block_hash, success, gas_used, gas_price, sum";

impl Store {
    pub(crate) fn open_intent(&mut self, new: NewIntent) -> Result<Intent, JournalError> {
        self.writing(|db| {
            let NewIntent { account, nonce, work, opened_at_block, request } = new;
            if let Some(holder) = nonce_holder(db, &account, nonce)? {
                return Err(JournalError::NonceTaken { account, nonce, holder }.into());
            }
            let (id, state, attempts) = (next_id(db)?, IntentState::Open, Vec::new());
            let intent = Intent {
                id,
                account,
                nonce,
                work,
                opened_at_block,
                request,
                state,
                settled: false,
                attempts,
            };
            insert(db, &intent)?;
            for work in &intent.work {
                match holder(db, work)? {
                    Some(holder) if holder != id => {
                        return Err(JournalError::WorkTaken { work: *work, holder }.into());
                    }
                    Some(_) => {}
                    None => claim(db, id, work)?,
                }
            }
            Ok(intent)
        })
    }

    pub(crate) fn record_attempt(&mut self, id: IntentId, attempt: &Attempt) -> Result<(), JournalError> {
        self.writing(|db| {
            let intent = load(db, id)?;
            require(&intent, intent.state == IntentState::Open, "only an open intent takes an attempt")?;
            let actual = keccak256(&attempt.raw);
            if actual != attempt.tx_hash {
                return Err(JournalError::WrongHash { id, claimed: attempt.tx_hash, actual }.into());
            }
            insert_attempt(db, id, intent.attempts.len() as u64, attempt)
        })
    }

    pub(crate) fn mark_mined(&mut self, id: IntentId, inclusion: &Inclusion) -> Result<(), JournalError> {
        self.change(id, |intent| {
            require(intent, !intent.settled, "what is settled does not change")?;
            let own = intent.attempts.iter().any(|attempt| attempt.tx_hash == inclusion.tx_hash);
            require(intent, own, "the mined transaction is none of its attempts")?;
            intent.state = IntentState::Mined(*inclusion);
            Ok(())
        })
    }

    pub(crate) fn mark_used_by_other(
        &mut self,
        id: IntentId,
        tx_hash: Option<B256>,
        seen_at: BlockNumHash,
    ) -> Result<(), JournalError> {
        self.change(id, |intent| {
            require(intent, intent.state == IntentState::Open, "only an open intent's nonce can be taken")?;
            let own = intent.attempts.iter().any(|attempt| Some(attempt.tx_hash) == tx_hash);
            require(intent, !own, "the transaction is one of its attempts")?;
            intent.state = IntentState::UsedByOther { tx_hash, seen_at };
            Ok(())
        })
    }

    pub(crate) fn reopen(&mut self, id: IntentId) -> Result<(), JournalError> {
        self.writing(|db| {
            let mut intent = load(db, id)?;
            require(&intent, !intent.settled, "what is settled does not change")?;
            intent.state = IntentState::Open;
            for work in &intent.work {
                if holder(db, work)?.is_none() {
                    claim(db, id, work)?;
                }
            }
            update(db, &intent)
        })
    }

    pub(crate) fn abandon(&mut self, id: IntentId) -> Result<(), JournalError> {
        self.writing(|db| {
            let mut intent = load(db, id)?;
            require(&intent, intent.state == IntentState::Open, "only an open intent can be given up")?;
            intent.state = IntentState::Abandoned;
            close(db, &mut intent)
        })
    }

    pub(crate) fn settle(&mut self, id: IntentId) -> Result<(), JournalError> {
        self.writing(|db| {
            let mut intent = load(db, id)?;
            let used = matches!(intent.state, IntentState::Mined(_) | IntentState::UsedByOther { .. });
            require(&intent, used, "only a used nonce is final")?;
            close(db, &mut intent)
        })
    }

    pub(crate) fn release_work(&mut self, id: IntentId, work: WorkId) -> Result<(), JournalError> {
        self.writing(|db| {
            let intent = load(db, id)?;
            let executed = matches!(intent.state, IntentState::Mined(Inclusion { success: true, .. }));
            require(&intent, executed, "only executed work can be released")?;
            db.prepare_cached("DELETE FROM claims WHERE work = ?1 AND intent = ?2")?
                .execute((work.to_string(), id.0.cast_signed()))?;
            hand_back(db, &[work])
        })
    }

    pub(crate) fn intent(&mut self, id: IntentId) -> Result<Intent, JournalError> {
        self.reading(|db| load(db, id))
    }

    pub(crate) fn unsettled(&mut self) -> Result<Vec<Intent>, JournalError> {
        self.reading(|db| {
            let mut rows = db
                .prepare_cached(&format!("SELECT {COLUMNS} FROM intents WHERE settled = 0 ORDER BY nonce"))?;
            let rows = rows.query_map([], intent_of)?;
            rows.map(|row| complete(db, row?)).collect()
        })
    }

    pub(crate) fn history(&mut self, limit: u32) -> Result<Vec<Intent>, JournalError> {
        self.reading(|db| {
            let mut rows =
                db.prepare_cached(&format!("SELECT {COLUMNS} FROM intents ORDER BY id DESC LIMIT ?1"))?;
            let rows = rows.query_map([limit], intent_of)?;
            rows.map(|row| complete(db, row?)).collect()
        })
    }

    pub(crate) fn holder(&mut self, work: WorkId) -> Result<Option<IntentId>, JournalError> {
        self.reading(|db| holder(db, &work))
    }

    fn change(
        &mut self,
        id: IntentId,
        change: impl FnOnce(&mut Intent) -> Result<(), Fault>,
    ) -> Result<(), JournalError> {
        self.writing(|db| {
            let mut intent = load(db, id)?;
            change(&mut intent)?;
            update(db, &intent)
        })
    }
}

/// Reads every row, compares it with its checksum, and the claims with the intents.
pub(super) fn check(db: &Connection) -> Result<(), Fault> {
    let damaged = |reason: String| Err(Fault::Damaged(reason));
    let mut rows = db.prepare(&format!("SELECT {COLUMNS} FROM intents"))?;
    let rows = rows.query_map([], intent_of)?;
    for row in rows {
        let intent = complete(db, row?)?;
        if intent.state == IntentState::Open {
            for work in &intent.work {
                // Work that was released early and taken again is in the hands of a later intent.
                if holder(db, work)?.is_none_or(|holder| holder < intent.id) {
                    return damaged(format!("{work} is not held by intent {}, which is open", intent.id));
                }
            }
        }
    }
    let exists = |stray: &str| db.query_row(stray, [], |row| row.get::<_, bool>(0));
    if exists("SELECT EXISTS (SELECT 1 FROM claims LEFT JOIN intents ON id = intent WHERE settled IS NOT 0)")?
    {
        return damaged("work is held by an intent that is settled or not there".to_owned());
    }
    if exists("SELECT EXISTS (SELECT 1 FROM attempts LEFT JOIN intents ON id = intent WHERE id IS NULL)")? {
        return damaged("a transaction belongs to an intent that is not there".to_owned());
    }
    Ok(())
}

fn require(intent: &Intent, condition: bool, refused: &'static str) -> Result<(), Fault> {
    if condition {
        return Ok(());
    }
    Err(JournalError::WrongState { id: intent.id, state: intent.state.as_str(), refused }.into())
}

fn next_id(db: &Transaction<'_>) -> Result<IntentId, Fault> {
    let last: Option<i64> = db
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'intents'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(IntentId(last.unwrap_or(0).cast_unsigned() + 1))
}

fn nonce_holder(db: &Connection, account: &Address, nonce: u64) -> Result<Option<IntentId>, Fault> {
    let id: Option<i64> = db
        .prepare_cached("SELECT id FROM intents WHERE settled = 0 AND account = ?1 AND nonce = ?2")?
        .query_row((account.as_slice(), nonce.cast_signed()), |row| row.get(0))
        .optional()?;
    Ok(id.map(|id| IntentId(id.cast_unsigned())))
}

/// Makes the intent final: its work is free, and the bytes that only a rebroadcast would need are dropped.
fn close(db: &Transaction<'_>, intent: &mut Intent) -> Result<(), Fault> {
    intent.settled = true;
    intent.request = Bytes::new();
    let id = intent.id.0.cast_signed();
    db.prepare_cached("DELETE FROM claims WHERE intent = ?1")?.execute([id])?;
    db.prepare_cached("DELETE FROM attempts WHERE intent = ?1")?.execute([id])?;
    for (seq, attempt) in intent.attempts.iter_mut().enumerate() {
        attempt.raw = Bytes::new();
        insert_attempt(db, intent.id, seq as u64, attempt)?;
    }
    update(db, intent)?;
    hand_back(db, &intent.work)
}

fn load(db: &Connection, id: IntentId) -> Result<Intent, Fault> {
    let row = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM intents WHERE id = ?1"))?
        .query_row([id.0.cast_signed()], intent_of)
        .optional()?;
    complete(db, row.ok_or(JournalError::NoIntent(id))?)
}

/// The columns of an intent that its state decides.
#[derive(Debug, Default, PartialEq, Eq)]
struct StateColumns {
    tx_hash: Option<[u8; 32]>,
    block_number: Option<i64>,
    block_hash: Option<[u8; 32]>,
    success: Option<bool>,
    gas_used: Option<i64>,
    gas_price: Option<[u8; 16]>,
}

impl StateColumns {
    fn of(state: &IntentState) -> Self {
        let block = |block: &BlockNumHash| (Some(block.number.cast_signed()), Some(block.hash.0));
        match state {
            IntentState::Open | IntentState::Abandoned => Self::default(),
            IntentState::Mined(inclusion) => {
                let (block_number, block_hash) = block(&inclusion.block);
                Self {
                    tx_hash: Some(inclusion.tx_hash.0),
                    block_number,
                    block_hash,
                    success: Some(inclusion.success),
                    gas_used: Some(inclusion.gas_used.cast_signed()),
                    gas_price: Some(inclusion.gas_price.to_be_bytes()),
                }
            }
            IntentState::UsedByOther { tx_hash, seen_at } => {
                let (block_number, block_hash) = block(seen_at);
                Self { tx_hash: tx_hash.map(|hash| hash.0), block_number, block_hash, ..Self::default() }
            }
        }
    }

    /// The state they stand for; `None` where they do not fit its name.
    fn state(&self, name: &str) -> Option<IntentState> {
        let block = || {
            Some(BlockNumHash { number: self.block_number?.cast_unsigned(), hash: self.block_hash?.into() })
        };
        let state = match name {
            "open" => IntentState::Open,
            "abandoned" => IntentState::Abandoned,
            "mined" => IntentState::Mined(Inclusion {
                tx_hash: self.tx_hash?.into(),
                block: block()?,
                success: self.success?,
                gas_used: self.gas_used?.cast_unsigned(),
                gas_price: u128::from_be_bytes(self.gas_price?),
            }),
            "used-by-other" => {
                IntentState::UsedByOther { tx_hash: self.tx_hash.map(B256::from), seen_at: block()? }
            }
            _ => return None,
        };
        (Self::of(&state) == *self).then_some(state)
    }
}

#[derive(Debug)]
struct IntentRow {
    intent: Intent,
    work: String,
    state: String,
    columns: StateColumns,
    sum: [u8; 8],
}

fn intent_of(row: &Row<'_>) -> rusqlite::Result<IntentRow> {
    let intent = Intent {
        id: IntentId(row.get::<_, i64>(0)?.cast_unsigned()),
        account: row.get::<_, [u8; 20]>(1)?.into(),
        nonce: row.get::<_, i64>(2)?.cast_unsigned(),
        work: Vec::new(),
        opened_at_block: row.get::<_, i64>(4)?.cast_unsigned(),
        request: row.get::<_, Vec<u8>>(5)?.into(),
        state: IntentState::Open,
        settled: row.get(7)?,
        attempts: Vec::new(),
    };
    let columns = StateColumns {
        tx_hash: row.get(8)?,
        block_number: row.get(9)?,
        block_hash: row.get(10)?,
        success: row.get(11)?,
        gas_used: row.get(12)?,
        gas_price: row.get(13)?,
    };
    Ok(IntentRow { intent, work: row.get(3)?, state: row.get(6)?, columns, sum: row.get(14)? })
}

fn complete(db: &Connection, row: IntentRow) -> Result<Intent, Fault> {
    let mut intent = row.intent;
    let id = intent.id;
    let changed = || Fault::Damaged(format!("intent {id} was changed"));
    intent.state = row.columns.state(&row.state).ok_or_else(changed)?;
    intent.work =
        row.work.split_whitespace().map(str::parse).collect::<Result<_, _>>().map_err(|_| changed())?;
    if intent_sum(&intent) != row.sum {
        return Err(changed());
    }
    intent.attempts = attempts(db, &intent)?;
    Ok(intent)
}

fn insert(db: &Transaction<'_>, intent: &Intent) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO intents (id, account, nonce, work, opened_at_block, request, state, settled, sum) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        intent.id.0.cast_signed(),
        intent.account.as_slice(),
        intent.nonce.cast_signed(),
        work_text(intent),
        intent.opened_at_block.cast_signed(),
        intent.request.as_ref(),
        intent.state.as_str(),
        intent.settled,
        intent_sum(intent),
    ))?;
    Ok(())
}

fn update(db: &Transaction<'_>, intent: &Intent) -> Result<(), Fault> {
    let columns = StateColumns::of(&intent.state);
    db.prepare_cached(
        "UPDATE intents SET request = ?2, state = ?3, settled = ?4, tx_hash = ?5, block_number = ?6, \
         block_hash = ?7, success = ?8, gas_used = ?9, gas_price = ?10, sum = ?11 WHERE id = ?1",
    )?
    .execute((
        intent.id.0.cast_signed(),
        intent.request.as_ref(),
        intent.state.as_str(),
        intent.settled,
        columns.tx_hash,
        columns.block_number,
        columns.block_hash,
        columns.success,
        columns.gas_used,
        columns.gas_price,
        intent_sum(intent),
    ))?;
    Ok(())
}

fn work_text(intent: &Intent) -> String {
    intent.work.iter().map(WorkId::to_string).collect::<Vec<_>>().join(" ")
}

fn intent_sum(intent: &Intent) -> [u8; 8] {
    let columns = StateColumns::of(&intent.state);
    let sum = Sum::of("intents")
        .u64(intent.id.0)
        .bytes(intent.account.as_slice())
        .u64(intent.nonce)
        .bytes(work_text(intent).as_bytes())
        .u64(intent.opened_at_block)
        .bytes(&intent.request)
        .bytes(intent.state.as_str().as_bytes())
        .u64(intent.settled.into());
    sum.bytes(columns.tx_hash.as_ref().map_or(&[], |hash| hash.as_slice()))
        .bytes(columns.block_number.map(i64::to_be_bytes).as_ref().map_or(&[], |number| number.as_slice()))
        .bytes(columns.block_hash.as_ref().map_or(&[], |hash| hash.as_slice()))
        .bytes(
            columns.success.map(|success| [u8::from(success)]).as_ref().map_or(&[], |flag| flag.as_slice()),
        )
        .bytes(columns.gas_used.map(i64::to_be_bytes).as_ref().map_or(&[], |gas| gas.as_slice()))
        .bytes(columns.gas_price.as_ref().map_or(&[], |price| price.as_slice()))
        .finish()
}

fn attempts(db: &Connection, intent: &Intent) -> Result<Vec<Attempt>, Fault> {
    let id = intent.id;
    let mut rows = db.prepare_cached(
        "SELECT seq, tx_hash, raw, purpose, max_fee_per_gas, max_priority_fee_per_gas, sent_at_block, sum \
         FROM attempts WHERE intent = ?1 ORDER BY seq",
    )?;
    let rows = rows.query_map([id.0.cast_signed()], |row| {
        let purpose = match row.get::<_, String>(3)?.as_str() {
            "execute" => Some(Purpose::Execute),
            "cancel" => Some(Purpose::Cancel),
            _ => None,
        };
        let attempt = |purpose| {
            Ok::<_, rusqlite::Error>(Attempt {
                tx_hash: row.get::<_, [u8; 32]>(1)?.into(),
                raw: row.get::<_, Vec<u8>>(2)?.into(),
                purpose,
                max_fee_per_gas: u128::from_be_bytes(row.get(4)?),
                max_priority_fee_per_gas: u128::from_be_bytes(row.get(5)?),
                sent_at_block: row.get::<_, i64>(6)?.cast_unsigned(),
            })
        };
        let seq = row.get::<_, i64>(0)?.cast_unsigned();
        Ok((seq, purpose.map(attempt).transpose()?, row.get::<_, [u8; 8]>(7)?))
    })?;
    let mut attempts = Vec::new();
    for row in rows {
        let changed = || Fault::Damaged(format!("a transaction of intent {id} was changed"));
        let (seq, attempt, sum) = row?;
        let attempt = attempt.ok_or_else(changed)?;
        let bytes_fit =
            if intent.settled { attempt.raw.is_empty() } else { keccak256(&attempt.raw) == attempt.tx_hash };
        if seq != attempts.len() as u64 || !bytes_fit || sum != attempt_sum(id, seq, &attempt) {
            return Err(changed());
        }
        attempts.push(attempt);
    }
    Ok(attempts)
}

fn insert_attempt(db: &Transaction<'_>, id: IntentId, seq: u64, attempt: &Attempt) -> Result<(), Fault> {
    db.prepare_cached(
        "INSERT INTO attempts (intent, seq, tx_hash, raw, purpose, max_fee_per_gas, max_priority_fee_per_gas, \
         sent_at_block, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        id.0.cast_signed(),
        seq.cast_signed(),
        attempt.tx_hash.as_slice(),
        attempt.raw.as_ref(),
        attempt.purpose.as_str(),
        attempt.max_fee_per_gas.to_be_bytes(),
        attempt.max_priority_fee_per_gas.to_be_bytes(),
        attempt.sent_at_block.cast_signed(),
        attempt_sum(id, seq, attempt),
    ))?;
    Ok(())
}

fn attempt_sum(id: IntentId, seq: u64, attempt: &Attempt) -> [u8; 8] {
    Sum::of("attempts")
        .u64(id.0)
        .u64(seq)
        .bytes(attempt.tx_hash.as_slice())
        .bytes(&attempt.raw)
        .bytes(attempt.purpose.as_str().as_bytes())
        .bytes(&attempt.max_fee_per_gas.to_be_bytes())
        .bytes(&attempt.max_priority_fee_per_gas.to_be_bytes())
        .u64(attempt.sent_at_block)
        .finish()
}
