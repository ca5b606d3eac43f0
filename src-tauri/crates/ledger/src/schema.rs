//! Opening a file safely: settings of a connection, the owner's lock, migrations, damage.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};

use crate::{FILE_NAME, LOCK_NAME, LedgerError, Result};

/// In order; a file's `user_version` is how many of them it has seen. Forward only.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_tool_failures.sql"),
    include_str!("../migrations/0003_attempt_details.sql"),
    include_str!("../migrations/0004_request_notes.sql"),
    include_str!("../migrations/0005_passed_over.sql"),
    include_str!("../migrations/0006_decisions.sql"),
    include_str!("../migrations/0007_memory.sql"),
];

pub(crate) const CURRENT: u32 = MIGRATIONS.len() as u32;

/// After an unclean close, files up to this size are read through before they are used (about a
/// second from a laptop's disk). SQLite itself undoes half-written transactions, so this only looks
/// for damage by disk or hand, and in larger files damage shows where it is met.
const QUICK_CHECK_BYTES: u64 = 256 << 20;

/// The journal is cut back to this size when it is reset, so that one burst does not keep disk.
const JOURNAL_BYTES: i64 = 16 << 20;

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            fs::create_dir_all(folder).map_err(|error| LedgerError::io(path, &error))
        }
        _ => Ok(()),
    }
}

/// Takes the lock beside the ledger without waiting. It goes with the file handle, however the process ends.
pub(crate) fn take_lock(path: &Path) -> Result<File> {
    let lock_path = path.with_file_name(LOCK_NAME);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&lock_path)
        .map_err(|error| LedgerError::io(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(LedgerError::io(path, &error)),
    }
}

/// A connection that may write.
pub(crate) fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    create_private(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let refused = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
    // Until the file is set up, waiting is ours alone: twice the patience would multiply.
    connection.busy_timeout(Duration::ZERO).map_err(refused)?;
    let setting_up = || if is_ours(&connection)? { set_up(&connection) } else { Ok(Fitness::Foreign) };
    let fitness = patiently(busy_timeout, setting_up).map_err(refused)?;
    connection.busy_timeout(busy_timeout).map_err(refused)?;
    match fitness {
        Fitness::Ready => Ok(connection),
        Fitness::ReadOnly => Err(LedgerError::ReadOnly { path: path.to_owned() }),
        Fitness::Foreign => {
            let detail = "it is a database of another program".to_owned();
            Err(LedgerError::Corrupt { path: path.to_owned(), detail })
        }
    }
}

/// What a file that could be opened is good for.
enum Fitness {
    Ready,
    ReadOnly,
    /// Another program's database.
    Foreign,
}

/// The pause between two looks at a lock that SQLite does not wait for by itself.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Repeats `work` while the file is locked, for about `busy_timeout` in all. SQLite's own waiting
/// leaves out the moments when a file changes to its journal mode or leaves it, which happens when
/// a command attaches just as the first owner starts or the last one goes.
fn patiently<T>(
    busy_timeout: Duration,
    mut work: impl FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let mut tries_left = busy_timeout.as_millis() / LOCK_PAUSE.as_millis();
    loop {
        match work() {
            Err(error) if tries_left > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                tries_left -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            result => return result,
        }
    }
}

fn set_up(connection: &Connection) -> rusqlite::Result<Fitness> {
    if connection.is_readonly("main")? {
        return Ok(Fitness::ReadOnly);
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    // FULL: a commit is on the disk when it returns, so what `flush` acknowledges survives a power
    // cut and not only a kill. Group commit bounds how often that is paid, and no request waits.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(if mode.eq_ignore_ascii_case("wal") { Fitness::Ready } else { Fitness::ReadOnly })
}

/// A connection that only reads. It needs write access to the folder's shared memory all the same.
pub(crate) fn connect_reader(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy_timeout)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| LedgerError::sqlite(path, &error))
}

/// Conversations are nobody else's business: a new file is its user's alone (SQLite gives its
/// journals the same permissions).
fn create_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(LedgerError::io(path, &error)),
    }
}

pub(crate) fn version(connection: &Connection, path: &Path) -> Result<u32> {
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| LedgerError::sqlite(path, &error))
}

/// Brings the schema up to the last of `migrations`, all or nothing. A file that holds something
/// is first copied to a name beside it.
pub(crate) fn migrate(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
    now_ms: i64,
) -> Result<()> {
    let known = migrations.len() as u32;
    let found = version(connection, path)?;
    if found > known {
        return Err(LedgerError::TooNew { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        copy_before_migration(connection, path, found, now_ms)?;
    }
    let apply = |connection: &mut Connection| -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have migrated while we waited for the lock.
        let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        for (step, sql) in migrations.iter().enumerate().skip(found as usize) {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", step as u32 + 1)?;
        }
        transaction.commit()
    };
    apply(connection).map_err(|error| LedgerError::sqlite(path, &error))
}

fn copy_before_migration(connection: &Connection, path: &Path, found: u32, now_ms: i64) -> Result<()> {
    let copy = beside(path, &format!("before-schema-{}-{now_ms}", found + 1));
    create_private(&copy)?;
    connection
        .execute("VACUUM INTO ?1", [copy.to_string_lossy()])
        .map(drop)
        .map_err(|error| LedgerError::sqlite(path, &error))
}

/// Reads the file through where its last owner did not close it; otherwise only the first page is
/// looked at. The file is left as it is.
pub(crate) fn check_after_unclean_close(connection: &Connection, path: &Path) -> Result<()> {
    if version(connection, path)? == 0 {
        return Ok(());
    }
    let clean: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = 'clean_close'", [], |row| row.get(0))
        .optional()
        .map_err(|error| LedgerError::sqlite(path, &error))?;
    let size_bytes = fs::metadata(path).map_or(0, |meta| meta.len());
    if clean.as_deref() == Some("1") || size_bytes > QUICK_CHECK_BYTES {
        return Ok(());
    }
    run_check(connection, path, "PRAGMA quick_check(1)")
}

/// What the first migration sets: "SgBx".
const APPLICATION_ID: i64 = 0x5367_4278;

/// Whether the file is empty or bears our mark: another program's database is not ours to change.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    // One statement, so that both are of the same moment while another process makes the tables.
    connection.query_row(
        "SELECT application_id = ?1 OR (application_id = 0 AND NOT EXISTS (SELECT 1 FROM sqlite_schema))
         FROM pragma_application_id",
        [APPLICATION_ID],
        |row| row.get(0),
    )
}

pub(crate) fn integrity_check(connection: &Connection, path: &Path) -> Result<()> {
    run_check(connection, path, "PRAGMA integrity_check(1)")
}

fn run_check(connection: &Connection, path: &Path, pragma: &str) -> Result<()> {
    let verdict: String = connection
        .query_row(pragma, [], |row| row.get(0))
        .map_err(|error| LedgerError::sqlite(path, &error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(LedgerError::Corrupt { path: path.to_owned(), detail: verdict })
}

/// Marks what a dead owner left unfinished, and that this owner has not closed the file yet.
pub(crate) fn begin_ownership(connection: &mut Connection, path: &Path, now_ms: i64) -> Result<()> {
    let begin = |connection: &mut Connection| -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE requests SET outcome = 'interrupted', settled_at = ?1,
                 (provider, model) = (SELECT provider, model FROM attempts
                                      WHERE request_id = requests.id ORDER BY ordinal DESC LIMIT 1)
             WHERE outcome = 'running'",
            [now_ms],
        )?;
        transaction.execute("UPDATE attempts SET outcome = 'interrupted' WHERE outcome = 'running'", [])?;
        transaction.execute(
            "UPDATE messages SET state = 'interrupted', ended_at = ?1 WHERE state = 'streaming'",
            [now_ms],
        )?;
        set_clean_close(&transaction, false)?;
        transaction.commit()
    };
    begin(connection).map_err(|error| LedgerError::sqlite(path, &error))
}

pub(crate) fn set_clean_close(connection: &Connection, is_clean: bool) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO meta (key, value) VALUES ('clean_close', ?1)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [if is_clean { "1" } else { "0" }],
        )
        .map(drop)
}

/// Renames the file and its journal together: the pair can still be recovered from.
pub(crate) fn move_aside(path: &Path, now_ms: i64) -> Result<PathBuf> {
    let target = beside(path, &format!("aside-{now_ms}"));
    let rename = |from: &Path, to: &Path| match fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|error| LedgerError::io(path, &error)),
    };
    rename(path, &target)?;
    for suffix in ["-wal", "-shm"] {
        rename(&with_suffix(path, suffix), &with_suffix(&target, suffix))?;
    }
    Ok(target)
}

/// `signalbox.db` with `what` becomes `signalbox-what.db` in the same folder.
fn beside(path: &Path, what: &str) -> PathBuf {
    let stem =
        path.file_stem().map_or_else(|| FILE_NAME.to_owned(), |stem| stem.to_string_lossy().into_owned());
    path.with_file_name(format!("{stem}-{what}.db"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
