//! What all parts of the gateway share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ledger::Ledger;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::models::Lists;
use crate::providers::Snapshot;
use crate::vault::Vault;
use crate::{Clock, Event, Secrets};

/// Events that a slow listener may lag behind.
const EVENT_BACKLOG: usize = 1024;

#[derive(Debug)]
pub(crate) struct Core {
    pub clock: Clock,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    pub ledger: Ledger,
    pub secrets: Secrets,
    pub lists: Lists,
    pub vault: Vault,
    /// Tools' schemas, compiled once for all requests.
    pub schemas: checking::Schemas,
    /// Cancelled at shutdown: every request under way ends.
    pub closing: CancellationToken,
    /// Their tasks, so that shutdown can wait until each is in the book.
    pub requests: TaskTracker,
    events: broadcast::Sender<Event>,
    snapshot: RwLock<Arc<Snapshot>>,
    running: AtomicUsize,
}

impl Core {
    pub(crate) fn new(clock: Clock, ledger: Ledger, secrets: Secrets, snapshot: Snapshot) -> Self {
        Self {
            clock,
            started_at_ms: clock.now_ms(),
            ledger,
            secrets,
            lists: Lists::default(),
            vault: Vault::default(),
            schemas: checking::Schemas::default(),
            closing: CancellationToken::new(),
            requests: TaskTracker::new(),
            events: broadcast::channel(EVENT_BACKLOG).0,
            snapshot: RwLock::new(Arc::new(snapshot)),
            running: AtomicUsize::new(0),
        }
    }

    /// The settings that hold now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on new requests begin with `snapshot`.
    pub(crate) fn replace_snapshot(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// Tells whoever listens; nobody has to.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Counts a request as running until the guard goes.
    pub(crate) fn count_running(self: &Arc<Self>) -> RunningGuard {
        self.running.fetch_add(1, Ordering::Relaxed);
        RunningGuard(Arc::clone(self))
    }
}

#[derive(Debug)]
pub(crate) struct RunningGuard(Arc<Core>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
