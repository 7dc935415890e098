//! Opening: who may, whether the file is a journal, whose, and whether it is whole.

use super::{
    Fault, Store, intents, records,
    schema::{self, APPLICATION_ID, STEPS, Sum},
};
use crate::{Identity, JournalError};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

pub(super) fn open(path: &Path, identity: Identity) -> Result<Store, Fault> {
    let lock = take_lock(path)?;
    if !path.try_exists().map_err(|source| io_fault(path, source))? {
        create(path, identity)?;
    }
    look_at_files(path)?;
    let mut db = connect(path)?;
    let version = schema::version(&db)?;
    if version == 0 {
        return Err(Fault::Damaged("it has no schema version".to_owned()));
    }
    let known = schema::newest(STEPS);
    if version > known {
        return Err(JournalError::Newer { path: path.to_owned(), found: version, known }.into());
    }
    whole(&db)?;
    schema::migrate(&mut db, STEPS)?;
    let found = identity_of(&db)?;
    if found != identity {
        let (found, expected) = (Box::new(found), Box::new(identity));
        return Err(JournalError::OtherIdentity { path: path.to_owned(), found, expected }.into());
    }
    contents(&db)?;
    Ok(Store { db, path: path.to_owned(), dirty: false, _lock: Some(lock) })
}

pub(super) fn in_memory(identity: Identity) -> Result<Store, Fault> {
    let mut db = Connection::open_in_memory()?;
    fill(&mut db, identity)?;
    Ok(Store { db, path: PathBuf::from(":memory:"), dirty: false, _lock: None })
}

/// Everything that can be said about a file without knowing what it should contain.
pub(super) fn check(db: &Connection) -> Result<(), Fault> {
    whole(db)?;
    contents(db)?;
    identity_of(db).map(drop)
}

/// Whether tables and rows are what they should be, in a file that is whole.
fn contents(db: &Connection) -> Result<(), Fault> {
    let mut fresh = Connection::open_in_memory()?;
    schema::migrate(&mut fresh, STEPS)?;
    if schema::text(db)? != schema::text(&fresh)? {
        return Err(Fault::Damaged("its tables are not the ones of its version".to_owned()));
    }
    intents::check(db)?;
    records::check(db)
}

fn whole(db: &Connection) -> Result<(), Fault> {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Fault::Damaged(found)) }
}

/// The lock file beside the journal, held.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing the file is not enough: a process that is being started has a copy of the descriptor until its own
    /// program runs, and the lock would live as long.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Says clearly who has the journal, which SQLite's own lock cannot.
fn take_lock(path: &Path) -> Result<Lock, Fault> {
    let at = beside(path, ".lock");
    let io = |source| io_fault(&at, source);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
    let mut file = options.open(&at).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let pid = file.take(20).read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
            return Err(JournalError::InUse { path: path.to_owned(), pid }.into());
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
    Ok(Lock(file))
}

/// Makes the journal under another name and moves it in place when it is complete and on the disk: a file of
/// the journal's name is never half made.
fn create(path: &Path, identity: Identity) -> Result<(), Fault> {
    if beside(path, "-wal").try_exists().map_err(|source| io_fault(path, source))? {
        return Err(Fault::Damaged("its main file is gone, the log beside it is not".to_owned()));
    }
    let new = beside(path, ".new");
    let io = |source| io_fault(&new, source);
    for leftover in ["", "-wal", "-journal"] {
        match fs::remove_file(beside(&new, leftover)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(io)?;
    let mut db = connect(&new)?;
    fill(&mut db, identity)?;
    db.close().map_err(|(_, error)| error)?;
    File::open(&new).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&new, path).map_err(io)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)
}

fn fill(db: &mut Connection, identity: Identity) -> Result<(), Fault> {
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    schema::migrate(db, STEPS)?;
    db.execute(
        "INSERT INTO identity (one, chain_id, genesis, registry, account, sum) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        (
            identity.chain_id.cast_signed(),
            identity.genesis.as_slice(),
            identity.registry.as_slice(),
            identity.account.as_slice(),
            identity_sum(&identity),
        ),
    )?;
    Ok(())
}

/// Damage that SQLite would take for a new database, or for a log without content.
fn look_at_files(path: &Path) -> Result<(), Fault> {
    let io = |source| io_fault(path, source);
    let mut header = Vec::new();
    File::open(path).and_then(|file| file.take(PAGE).read_to_end(&mut header)).map_err(io)?;
    if (header.len() as u64) < PAGE || !header.starts_with(b"SQLite format 3\0") {
        return Err(Fault::Damaged("the file is too short or no database".to_owned()));
    }
    if header.get(68..72) != Some(&APPLICATION_ID.to_be_bytes()) {
        return Err(Fault::Damaged("it is a database, but not a journal".to_owned()));
    }
    let data = fs::metadata(path).map_err(io)?;
    if data.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the journal; they cannot any more");
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io)?;
    }
    let log = match File::open(beside(path, "-wal")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    // SQLite syncs the log's header before anything that follows it. A bad header with something behind it is
    // therefore no crash, and SQLite would silently drop what follows.
    let mut start = Vec::new();
    log.take(WAL_HEADER + 1).read_to_end(&mut start).map_err(io)?;
    match start.split_first_chunk::<4>() {
        Some((magic, _)) if start.len() as u64 > WAL_HEADER && !wal_header_is_good(*magic, &start) => {
            Err(Fault::Damaged("its log has no valid header".to_owned()))
        }
        _ => Ok(()),
    }
}

/// SQLite's page size; no database is shorter.
const PAGE: u64 = 4096;

/// The length of the log's header.
const WAL_HEADER: u64 = 32;

/// The format's rule: six words, then a checksum over them, in the byte order that the magic number names.
fn wal_header_is_good(magic: [u8; 4], header: &[u8]) -> bool {
    let big_endian = match u32::from_be_bytes(magic) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return false,
    };
    let words = |bytes: &[u8], big: bool| -> Vec<u32> {
        let word =
            |word: &[u8]| word.try_into().map(if big { u32::from_be_bytes } else { u32::from_le_bytes });
        bytes.chunks_exact(4).filter_map(|bytes| word(bytes).ok()).collect()
    };
    let (body, rest) = header.split_at(24);
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in words(body, big_endian).chunks_exact(2) {
        if let [left, right] = pair {
            first = first.wrapping_add(*left).wrapping_add(second);
            second = second.wrapping_add(*right).wrapping_add(first);
        }
    }
    words(rest.split_at(8).0, true) == [first, second]
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(std::time::Duration::ZERO)?;
    // Before the first access, so that SQLite keeps the log's index in memory and its lock for good.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Fault::Damaged(format!("it cannot be written with a log ahead, only as `{mode}`")));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

fn identity_of(db: &Connection) -> Result<Identity, Fault> {
    let row = db.query_row("SELECT chain_id, genesis, registry, account, sum FROM identity", [], |row| {
        let identity = Identity {
            chain_id: row.get::<_, i64>(0)?.cast_unsigned(),
            genesis: row.get::<_, [u8; 32]>(1)?.into(),
            registry: row.get::<_, [u8; 20]>(2)?.into(),
            account: row.get::<_, [u8; 20]>(3)?.into(),
        };
        Ok((identity, row.get::<_, [u8; 8]>(4)?))
    });
    match row? {
        (identity, sum) if sum == identity_sum(&identity) => Ok(identity),
        _ => Err(Fault::Damaged("its identity was changed".to_owned())),
    }
}

fn identity_sum(identity: &Identity) -> [u8; 8] {
    let sum = Sum::of("identity").u64(identity.chain_id).bytes(identity.genesis.as_slice());
    sum.bytes(identity.registry.as_slice()).bytes(identity.account.as_slice()).finish()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn io_fault(path: &Path, source: io::Error) -> Fault {
    if source.kind() == io::ErrorKind::StorageFull {
        return JournalError::DiskFull.into();
    }
    JournalError::Io { path: path.to_owned(), source }.into()
}
