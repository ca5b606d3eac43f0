//! The keychain's state, without waiting for the keychain.
//!
//! A broken daemon can hang for a minute; a status line must not. One question is under way at a
//! time, its answer is remembered, and who asks meanwhile gets the last one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway::{Gateway, KeychainState, KeychainStatus};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How old an answer may be before the keychain is asked again.
const FRESH: Duration = Duration::from_secs(10);

/// How long the first answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Keychain {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    last: Option<(KeychainStatus, Instant)>,
    is_asking: bool,
}

impl Keychain {
    pub(crate) async fn status(&self, gateway: &Arc<Gateway>) -> KeychainStatus {
        let answered = self.shared.answered.notified();
        let now = gateway.clock().now();
        if self.shared.should_ask(now) {
            let (shared, gateway) = (Arc::clone(&self.shared), Arc::clone(gateway));
            tokio::spawn(async move {
                let status = gateway.keychain_status().await;
                shared.answer(status, gateway.clock().now());
            });
        }
        if let Some(status) = self.shared.last() {
            return status;
        }
        // Slow is an answer of its own.
        let _ = tokio::time::timeout(PATIENCE, answered).await;
        self.shared.last().unwrap_or_else(|| KeychainStatus {
            state: KeychainState::Error,
            message: Some("The keychain has not answered yet.".to_owned()),
        })
    }
}

impl Shared {
    fn should_ask(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = state.last.as_ref().is_some_and(|(_, at)| now.duration_since(*at) < FRESH);
        if is_fresh || state.is_asking {
            return false;
        }
        state.is_asking = true;
        true
    }

    fn answer(&self, status: KeychainStatus, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last = Some((status, now));
        state.is_asking = false;
        drop(state);
        self.answered.notify_waiters();
    }

    fn last(&self) -> Option<KeychainStatus> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last.as_ref().map(|(status, _)| status.clone())
    }
}
