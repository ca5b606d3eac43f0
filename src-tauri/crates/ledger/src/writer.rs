//! One thread owns the connection that writes. Records queue in memory, bounded in number and
//! bytes, and are committed in groups; the sender never waits.
//!
//! When the disk is full or the file locked, the group is rolled back and kept, the state says so,
//! and the thread tries again with growing pauses; the queue goes on filling up to its bounds.
//! What does not fit is counted as dropped, what the database refuses for good as failed.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use crate::entry::Record;
use crate::{LedgerError, Result, schema};

mod rows;

pub(crate) use rows::insert_message;

/// A group is committed when it is this large…
const GROUP_ROWS: usize = 512;
/// …or when its first record is this old.
const GROUP_WAIT: Duration = Duration::from_millis(25);

/// Bounds of what waits in memory. Records that a later one repeats are only taken below half.
const QUEUE_ROWS: usize = 65_536;
const QUEUE_BYTES: usize = 64 << 20;

/// Pauses between attempts while the disk says no.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long one attempt waits for another process's lock. Short: the thread retries anyway, and
/// what has to give up (a flush, a shutdown) hears of it soon.
const WRITER_BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the ledger keeps up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerState {
    Ok,
    /// The last commit failed; records are kept in memory and tried again.
    Retrying(LedgerError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerStatus {
    pub state: LedgerState,
    /// Records that wait in memory.
    pub queued: usize,
    /// Records on disk since the start.
    pub written: u64,
    /// Records lost because the queue was full.
    pub dropped: u64,
    /// Records that the database refused for good.
    pub failed: u64,
}

impl LedgerStatus {
    /// `ok`, `retrying` or, where records were lost, `losing`.
    pub const fn word(&self) -> &'static str {
        match self.state {
            _ if self.dropped > 0 || self.failed > 0 => "losing",
            LedgerState::Retrying(_) => "retrying",
            LedgerState::Ok => "ok",
        }
    }

    /// For people; `None` while all is well.
    pub fn message(&self) -> Option<String> {
        let lost = self.dropped + self.failed;
        let lost = (lost > 0).then(|| format!("{lost} records could not be kept since the start."));
        match (&self.state, lost) {
            (LedgerState::Ok, lost) => lost,
            (LedgerState::Retrying(error), None) => Some(error.to_string()),
            (LedgerState::Retrying(error), Some(lost)) => Some(format!("{error} {lost}")),
        }
    }
}

type Call = Box<dyn FnOnce(std::result::Result<&mut Connection, LedgerError>) + Send>;

enum Item {
    Record(Box<Record>),
    Flush(oneshot::Sender<Result<()>>),
    Call(Call),
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    items: VecDeque<Item>,
    /// Of the records in `items` and of the group that the thread holds.
    rows: usize,
    bytes: usize,
    /// Of `items`, those that somebody waits for: commit now.
    urgent: usize,
    is_closed: bool,
    failure: Option<LedgerError>,
    written: u64,
    dropped: u64,
    failed: u64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Writer {
    path: PathBuf,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// `is_owner` marks a clean close at the end.
    pub(crate) fn start(path: &Path, connection: Connection, is_owner: bool) -> Result<Self> {
        let queue = Arc::new(Queue::default());
        if is_owner {
            connection
                .busy_timeout(WRITER_BUSY_TIMEOUT)
                .map_err(|error| LedgerError::sqlite(path, &error))?;
        }
        let worker = Worker { path: path.to_owned(), connection, queue: Arc::clone(&queue), is_owner };
        let thread = std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| LedgerError::io(path, &error))?;
        Ok(Self { path: path.to_owned(), queue, thread: Some(thread) })
    }

    pub(crate) fn push(&self, record: Record) {
        let size_bytes = record.size_bytes();
        let share = if record.is_provisional() { 2 } else { 1 };
        let mut state = self.queue.lock();
        let is_full = state.rows >= QUEUE_ROWS / share || state.bytes + size_bytes > QUEUE_BYTES / share;
        if state.is_closed || is_full {
            if !record.is_provisional() {
                state.dropped += 1;
            }
            return;
        }
        state.rows += 1;
        state.bytes += size_bytes;
        state.items.push_back(Item::Record(Box::new(record)));
        // The thread sleeps through a group's first records; waking it for each would cost more
        // than the write.
        if state.rows == 1 || state.rows >= GROUP_ROWS {
            self.queue.changed.notify_one();
        }
    }

    pub(crate) fn flush(&self) -> Option<oneshot::Receiver<Result<()>>> {
        let (done, receiver) = oneshot::channel();
        self.push_urgent(Item::Flush(done)).then_some(receiver)
    }

    pub(crate) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, receiver) = std::sync::mpsc::sync_channel(1);
        let path = self.path.clone();
        let call: Call = Box::new(move |connection| {
            let result = connection.and_then(|connection| in_transaction(connection, &path, work));
            // The caller blocks on the other end; it is gone only if its thread is.
            let _ = done.send(result);
        });
        if !self.push_urgent(Item::Call(call)) {
            return Err(LedgerError::Closed);
        }
        receiver.recv().unwrap_or(Err(LedgerError::Closed))
    }

    fn push_urgent(&self, item: Item) -> bool {
        let mut state = self.queue.lock();
        if state.is_closed {
            return false;
        }
        state.items.push_back(item);
        state.urgent += 1;
        self.queue.changed.notify_one();
        true
    }

    pub(crate) fn status(&self) -> LedgerStatus {
        let state = self.queue.lock();
        LedgerStatus {
            state: state.failure.clone().map_or(LedgerState::Ok, LedgerState::Retrying),
            queued: state.rows,
            written: state.written,
            dropped: state.dropped,
            failed: state.failed,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's writer thread panicked");
        }
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    path: &Path,
    work: impl FnOnce(&Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let sqlite = |error: rusqlite::Error| LedgerError::sqlite(path, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    let value = work(&transaction)?;
    transaction.commit().map_err(sqlite)?;
    Ok(value)
}

struct Worker {
    path: PathBuf,
    connection: Connection,
    queue: Arc<Queue>,
    is_owner: bool,
}

/// However the thread ends, nobody waits for it in vain: who still does hears `Closed`, as its
/// sender is dropped.
struct HangUp(Arc<Queue>);

impl Drop for HangUp {
    fn drop(&mut self) {
        let items = {
            let mut state = self.0.lock();
            state.is_closed = true;
            std::mem::take(&mut state.items)
        };
        drop(items);
    }
}

/// What one turn of the thread works on: records that go into one commit, then who waits for it.
#[derive(Default)]
struct Group {
    records: Vec<Record>,
    bytes: usize,
    waiting: Vec<Item>,
}

impl Worker {
    fn run(mut self) {
        let _hang_up = HangUp(Arc::clone(&self.queue));
        let mut pause = FIRST_PAUSE;
        let mut group = Group::default();
        loop {
            let is_last = self.collect(&mut group);
            let result = self.commit(&mut group);
            match result {
                Ok(()) => {
                    self.answer(&mut group);
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    self.refuse(&mut group, &error);
                    if is_last {
                        break;
                    }
                    self.wait(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            if is_last && self.is_drained(&group) {
                break;
            }
        }
        self.close(&group);
    }

    /// Waits for work and moves up to a group's worth of it into `group`, which may still hold
    /// records whose commit failed. True when the ledger is closed and this is the rest.
    fn collect(&self, group: &mut Group) -> bool {
        let mut state = self.queue.lock();
        if group.records.is_empty() {
            state = self
                .queue
                .changed
                .wait_while(state, |state| state.items.is_empty() && !state.is_closed)
                .unwrap_or_else(PoisonError::into_inner);
            state = self
                .queue
                .changed
                .wait_timeout_while(state, GROUP_WAIT, |state| {
                    state.rows < GROUP_ROWS && state.urgent == 0 && !state.is_closed
                })
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        while group.records.len() < GROUP_ROWS {
            match state.items.pop_front() {
                Some(Item::Record(record)) => {
                    group.bytes += record.size_bytes();
                    group.records.push(*record);
                }
                Some(waiting) => {
                    state.urgent -= 1;
                    group.waiting.push(waiting);
                    break;
                }
                None => break,
            }
        }
        state.is_closed
    }

    /// Writes the group's records in one transaction and empties it, or changes nothing.
    fn commit(&mut self, group: &mut Group) -> Result<()> {
        if group.records.is_empty() {
            return Ok(());
        }
        let path = &self.path;
        let failed = in_transaction(&mut self.connection, path, |transaction| {
            let mut failed = 0;
            for record in &group.records {
                match rows::write(transaction, record) {
                    Ok(true) => {}
                    Ok(false) => failed += 1,
                    Err(error) => {
                        let error = LedgerError::sqlite(path, &error);
                        // SQLite may have rolled the whole transaction back (a full disk).
                        if error.is_environmental() || transaction.is_autocommit() {
                            return Err(error);
                        }
                        tracing::warn!(kind = error.kind(), "the ledger refused a record");
                        failed += 1;
                    }
                }
            }
            Ok(failed)
        })?;
        let mut state = self.queue.lock();
        state.rows -= group.records.len();
        state.bytes -= group.bytes;
        state.written += group.records.len() as u64 - failed;
        state.failed += failed;
        if state.failure.take().is_some() {
            tracing::info!("the ledger writes again");
        }
        drop(state);
        group.records.clear();
        group.bytes = 0;
        Ok(())
    }

    /// The group is on disk: whoever waited for it hears so.
    fn answer(&mut self, group: &mut Group) {
        for item in group.waiting.drain(..) {
            match item {
                // A receiver that is gone no longer wants to know.
                Item::Flush(done) => drop(done.send(Ok(()))),
                Item::Call(call) => call(Ok(&mut self.connection)),
                Item::Record(_) => {}
            }
        }
    }

    /// The commit failed: the records stay, and nobody is left waiting for what may take hours.
    fn refuse(&mut self, group: &mut Group, error: &LedgerError) {
        let mut state = self.queue.lock();
        if state.failure.as_ref() != Some(error) {
            tracing::error!(kind = error.kind(), "the ledger cannot be written: {error}");
        }
        state.failure = Some(error.clone());
        let mut waiting = std::mem::take(&mut group.waiting);
        let (records, others): (Vec<_>, Vec<_>) =
            state.items.drain(..).partition(|item| matches!(item, Item::Record(_)));
        state.items = records.into();
        state.urgent = 0;
        drop(state);
        waiting.extend(others);
        for item in waiting {
            match item {
                Item::Flush(done) => drop(done.send(Err(error.clone()))),
                Item::Call(call) => call(Err(error.clone())),
                Item::Record(_) => {}
            }
        }
    }

    /// Pauses, but not longer than until somebody waits or the ledger closes.
    fn wait(&self, pause: Duration) {
        let state = self.queue.lock();
        let waited = self
            .queue
            .changed
            .wait_timeout_while(state, pause, |state| state.urgent == 0 && !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        drop(waited);
    }

    fn is_drained(&self, group: &Group) -> bool {
        group.records.is_empty() && self.queue.lock().items.is_empty()
    }

    fn close(self, group: &Group) {
        let left = {
            let mut state = self.queue.lock();
            let left = state.rows.max(group.records.len());
            state.dropped += left as u64;
            left
        };
        if left > 0 {
            tracing::error!(records = left, "the ledger closed without being able to write its last records");
        }
        if self.is_owner
            && let Err(error) = schema::set_clean_close(&self.connection, true)
        {
            tracing::warn!(%error, "the ledger could not note its clean close");
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the ledger's connection did not close cleanly");
        }
    }
}

#[cfg(test)]
mod tests;
