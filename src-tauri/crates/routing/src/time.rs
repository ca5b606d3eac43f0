//! A moment, as the callers tell it.

use std::time::Duration;

/// A moment on two clocks. Everything but calendars reads the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since a start of the caller's choice, on a clock that never jumps.
    pub mono: Duration,
    /// Unix time in milliseconds, on a clock that people and time servers set.
    pub unix_ms: i64,
}

impl Now {
    pub const fn new(mono: Duration, unix_ms: i64) -> Self {
        Self { mono, unix_ms }
    }

    /// The same moment, `span` later on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { mono: self.mono.saturating_add(span), unix_ms: self.unix_ms.saturating_add(ms) }
    }
}
