//! The book: every request, attempt and chat message, and what each cost, in one SQLite file.
//!
//! One thread owns the connection that writes ([`writer`]); whoever has something to record hands
//! it a [`Record`] and goes on, so a slow or full disk never slows a request down. Readers have
//! connections of their own beside it (write-ahead logging), and block: call them where blocking
//! is allowed.
//!
//! - [`entry`]: what can be written about requests, attempts and costs.
//! - [`writer`]: the queue, the thread, group commit, what happens when the disk says no.
//! - [`query`]: spend, health, one request; [`export`]: all requests as JSON Lines.
//! - [`chats`]: conversations, in the same file through the same writer.
//! - [`clients`]: the keys that our port accepts, as hashes; `memory`: what others keep over a restart.
//! - [`schema`]: migrations, and opening a file safely; [`error`]: what can go wrong.
//!
//! The crate reads no clock: every time is an argument.

pub mod chats;
pub mod clients;
pub mod entry;
pub mod error;
pub mod export;
mod memory;
pub mod query;
mod schema;
mod spend;
#[cfg(test)]
mod testing;
pub mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction};

pub use chats::{
    Chat, ChatSummary, ChatTree, MessageEnded, MessageProgress, MessageState, NewMessage, Receipt,
    ReceiptUsage, StoredMessage,
};
pub use clients::Client;
pub use entry::{
    AttemptEnded, AttemptStarted, CheckCounts, Cost, CostStatus, Decided, Outcome, PassedOver, Record,
    RequestSettled, RequestStarted, ToolFailed,
};
pub use error::LedgerError;
pub use export::{ExportedAttempt, ExportedRequest, RequestExport};
pub use query::{
    AttemptRow, Field, LastError, Quantiles, RequestDetail, RequestFilter, RequestKey, RequestLine,
    RequestPage, RequestRow, RequestTotals, SwitchRow, TargetHealth, Term, ToolFailureCount,
    ToolFailureFilter,
};
pub use spend::{Charge, SpendBy, SpendDay, SpendGroup, SpendSummary, SpendTotal};
pub use writer::{LedgerState, LedgerStatus};

/// The file's name inside the data folder.
pub const FILE_NAME: &str = "signalbox.db";

/// Beside the ledger; whoever holds its lock is the one owner.
pub const LOCK_NAME: &str = "signalbox.lock";

/// How long a reader or a helper waits for another process's lock before it says so.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections kept open for readers; more are opened when needed and closed again.
const IDLE_READERS: usize = 4;

/// An answer that was written in less time came in one or two pieces: its speed is the network's,
/// and a clock of whole milliseconds makes any number of it.
const SHORTEST_WRITING_MS: u64 = 100;

pub type Result<T> = std::result::Result<T, LedgerError>;

/// A handle to the ledger. Clones share one writer; the last one to go writes out what is queued,
/// closes the file and lets go of the lock.
#[derive(Debug, Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    // Fields drop in this order: readers close before the writer's last commit, and the lock goes
    // when nothing of ours is open any more.
    readers: Mutex<Vec<Connection>>,
    writer: writer::Writer,
    _lock: Option<File>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger as its one owner, making the file where there is none.
    ///
    /// Afterwards the schema is the current one (an existing file was copied before it was
    /// changed), and whatever a dead process left `running` or `streaming` is `interrupted`.
    /// `now_ms` names that copy and dates those interruptions.
    ///
    /// # Errors
    /// `InUse` where another process is the owner; `Corrupt`, `TooNew`, `Locked`, `ReadOnly`,
    /// `Full`, `Io` where the file or its place is not fit. A damaged file is left as it is.
    pub fn open(path: &Path, now_ms: i64) -> Result<Self> {
        Self::open_with(path, now_ms, BUSY_TIMEOUT)
    }

    /// As [`Ledger::open`], waiting at most `busy_timeout` for another program's lock.
    pub fn open_with(path: &Path, now_ms: i64, busy_timeout: Duration) -> Result<Self> {
        schema::create_folder(path)?;
        let lock = schema::take_lock(path)?;
        let mut connection = schema::connect(path, busy_timeout)?;
        schema::check_after_unclean_close(&connection, path)?;
        schema::migrate(&mut connection, path, schema::MIGRATIONS, now_ms)?;
        schema::begin_ownership(&mut connection, path, now_ms)?;
        Self::start(path, connection, Some(lock))
    }

    /// Opens the ledger beside its owner, for a command that reads or adds something while the
    /// owner runs. Nothing is marked `interrupted`. Makes the file where there is none.
    ///
    /// # Errors
    /// As [`Ledger::open`]; `InUse` only where the schema is old and its owner is running.
    pub fn attach(path: &Path, now_ms: i64) -> Result<Self> {
        schema::create_folder(path)?;
        let mut connection = schema::connect(path, BUSY_TIMEOUT)?;
        let _migration_lock = match schema::version(&connection, path)? {
            // Nobody has a reason to change the file under its owner.
            version if version > 0 && version < schema::CURRENT => Some(schema::take_lock(path)?),
            _ => None,
        };
        schema::migrate(&mut connection, path, schema::MIGRATIONS, now_ms)?;
        Self::start(path, connection, None)
    }

    /// As [`Ledger::attach`], but `Missing` where there is no file yet: for commands that only read.
    pub fn attach_existing(path: &Path, now_ms: i64) -> Result<Self> {
        if !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        Self::attach(path, now_ms)
    }

    fn start(path: &Path, connection: Connection, lock: Option<File>) -> Result<Self> {
        let writer = writer::Writer::start(path, connection, lock.is_some())?;
        let inner = Inner { path: path.to_owned(), readers: Mutex::default(), writer, _lock: lock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Moves a ledger, with its journal, to a name beside it that says when, and returns that name.
    /// The next [`Ledger::open`] begins a new one. Only ever called by the user's word.
    ///
    /// # Errors
    /// `InUse` where it is open elsewhere, `Missing`, `ReadOnly`, `Io`.
    pub fn move_aside(path: &Path, now_ms: i64) -> Result<PathBuf> {
        if !path.exists() {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        let _lock = schema::take_lock(path)?;
        schema::move_aside(path, now_ms)
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Hands one record to the writer and returns at once. What cannot be kept is counted in
    /// [`Ledger::status`]; nothing is ever waited for.
    pub fn write(&self, record: Record) {
        self.inner.writer.push(record);
    }

    /// Resolves when everything written before it is on disk, safe from a kill and a power cut.
    ///
    /// # Errors
    /// What keeps the writer from writing; the records stay queued and are tried again.
    pub async fn flush(&self) -> Result<()> {
        match self.inner.writer.flush() {
            Some(done) => done.await.unwrap_or(Err(LedgerError::Closed)),
            None => Err(LedgerError::Closed),
        }
    }

    /// As [`Ledger::flush`], for callers outside of async code.
    pub fn flush_blocking(&self) -> Result<()> {
        match self.inner.writer.flush() {
            Some(done) => done.blocking_recv().unwrap_or(Err(LedgerError::Closed)),
            None => Err(LedgerError::Closed),
        }
    }

    /// The writer's state and counters; cheap.
    pub fn status(&self) -> LedgerStatus {
        self.inner.writer.status()
    }

    /// Reads the whole file and says whether it is sound. Slow with a large ledger; blocks.
    ///
    /// # Errors
    /// `Corrupt` with the first fault found.
    pub fn check(&self) -> Result<()> {
        self.read(|connection| schema::integrity_check(connection, self.path()))
    }

    /// Runs `work` on a connection for reading, in one consistent snapshot. Blocks.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = self.readers().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => schema::connect_reader(self.path(), BUSY_TIMEOUT)?,
        };
        let transaction = connection.unchecked_transaction().map_err(|error| self.sqlite(&error))?;
        let result = work(&transaction);
        let ended = transaction.finish();
        // A connection that could not end its transaction is not used again.
        if ended.is_ok() {
            let mut readers = self.readers();
            if readers.len() < IDLE_READERS {
                readers.push(connection);
            }
        }
        result
    }

    /// Runs `work` in a transaction of its own on the writer's thread, after everything that was
    /// written before, and returns when it is on disk. Blocks.
    pub(crate) fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.writer.call(work)
    }

    pub(crate) fn sqlite(&self, error: &rusqlite::Error) -> LedgerError {
        LedgerError::sqlite(self.path(), error)
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
