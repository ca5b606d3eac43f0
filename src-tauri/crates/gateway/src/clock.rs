//! The only reader of clocks, and the mint of ids.

use std::time::SystemTime;

use tokio::time::Instant;

/// Time as the gateway sees it. Durations follow tokio's clock, so a test may pause it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// For durations and deadlines.
    pub fn now(self) -> Instant {
        Instant::now()
    }

    /// The wall clock, for dates that others wrote.
    #[expect(clippy::disallowed_methods, reason = "This is the clock.")]
    pub fn system(self) -> SystemTime {
        SystemTime::now()
    }

    /// Milliseconds since the Unix epoch (UTC): how the ledger and every front write times.
    pub fn now_ms(self) -> i64 {
        self.system()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// A new id: a UUID of version 7, so that ids sort by the time they were made.
    pub fn new_id(self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}
