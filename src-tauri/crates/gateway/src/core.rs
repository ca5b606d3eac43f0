//! What all parts of the gateway share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ledger::Ledger;
use routing::{Now, Router};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{KnownFacts, LastFaults};
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
    /// What was joined of them for the router.
    pub facts: KnownFacts,
    pub faults: LastFaults,
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
    router: Mutex<Router>,
    /// Where the router's clock begins.
    began: Instant,
}

impl Core {
    pub(crate) fn new(clock: Clock, ledger: Ledger, secrets: Secrets, snapshot: Snapshot) -> Self {
        let policy = Arc::clone(&snapshot.config.policy);
        let start = Now::new(Duration::ZERO, clock.now_ms());
        Self {
            clock,
            started_at_ms: clock.now_ms(),
            ledger,
            secrets,
            lists: Lists::default(),
            facts: KnownFacts::default(),
            faults: LastFaults::default(),
            vault: Vault::default(),
            schemas: checking::Schemas::default(),
            closing: CancellationToken::new(),
            requests: TaskTracker::new(),
            events: broadcast::channel(EVENT_BACKLOG).0,
            snapshot: RwLock::new(Arc::new(snapshot)),
            running: AtomicUsize::new(0),
            router: Mutex::new(Router::new(policy, start)),
            began: clock.now(),
        }
    }

    /// This moment, as the router counts.
    pub(crate) fn router_now(&self) -> Now {
        Now::new(self.clock.now().saturating_duration_since(self.began), self.clock.now_ms())
    }

    /// A moment of the router's, on our clock.
    pub(crate) fn instant_of(&self, mono: Duration) -> Instant {
        self.began + mono
    }

    /// A moment of our clock, on the router's.
    pub(crate) fn mono_of(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.began)
    }

    /// One turn with the router. Nothing may be waited for in it.
    pub(crate) fn route<T>(&self, turn: impl FnOnce(&mut Router, Now) -> T) -> T {
        let now = self.router_now();
        turn(&mut self.router.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    /// The settings that hold now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on new requests begin with `snapshot`. What the router counted and learned stays.
    pub(crate) fn replace_snapshot(&self, snapshot: Snapshot) {
        let policy = Arc::clone(&snapshot.config.policy);
        self.facts.forget();
        self.route(|router, now| router.set_policy(policy, now));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// The provider has another key, or none: what it gave or refused before says nothing now.
    pub(crate) fn key_changed(&self, provider: &str) {
        self.lists.forget(provider);
        self.facts.forget();
        self.route(|router, _| router.key_changed(provider));
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
