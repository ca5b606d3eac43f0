//! Requests that never became one: no key, a wrong one, too large, not to be read. They stand in the
//! book with what was wrong and nothing of what was sent, at most one a second for each client and
//! kind, so that nobody who hammers the port fills the disk; the next row says how many came between.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use canonical::{Error, ErrorKind};
use ledger::{Cost, Outcome, Record, RequestSettled, RequestStarted};
use tokio::time::Instant;

use crate::core::Core;

/// A row for each client and kind in this time.
const EVERY: Duration = Duration::from_secs(1);

/// Clients are those with a key; all others are one.
type Who = (Option<String>, ErrorKind);

#[derive(Debug, Default)]
pub(crate) struct Refusals {
    seen: Mutex<HashMap<Who, Seen>>,
}

#[derive(Debug)]
struct Seen {
    written_at: Instant,
    /// Refused since, without a row.
    between: u64,
}

impl Refusals {
    /// Books a refusal of `client` (`None` without a good key), answered with `status`.
    pub(super) fn note(
        &self,
        core: &Core,
        client: Option<&str>,
        dialect: &'static str,
        error: &Error,
        status: u16,
    ) {
        // Who left was refused nothing.
        if error.kind == ErrorKind::Cancelled {
            return;
        }
        let Some(between) = self.due((client.map(str::to_owned), error.kind), core.clock.now()) else {
            return;
        };
        let (id, at) = (core.clock.new_id(), core.clock.now_ms());
        core.ledger.write(Record::RequestStarted(RequestStarted {
            id: id.clone(),
            started_at: at,
            client: client.map(str::to_owned),
            dialect: dialect.to_owned(),
            ..RequestStarted::default()
        }));
        core.ledger.write(Record::RequestSettled(RequestSettled {
            error_kind: Some(error.kind),
            error_message: Some(message(error, between)),
            http_status: Some(status),
            cost: Cost::FREE,
            ..RequestSettled::new(id, Outcome::Failed, at, 0)
        }));
    }

    /// How many came since the last row, where one is due again.
    fn due(&self, who: Who, now: Instant) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(&who) {
            Some(seen) if now.duration_since(seen.written_at) < EVERY => {
                seen.between += 1;
                None
            }
            Some(seen) => {
                seen.written_at = now;
                Some(std::mem::take(&mut seen.between))
            }
            None => {
                seen.insert(who, Seen { written_at: now, between: 0 });
                Some(0)
            }
        }
    }
}

/// What was wrong, by our own words and the place alone: the error's sentence may quote the request.
fn message(error: &Error, between: u64) -> String {
    let mut message = format!("Refused before it was read: {}", error.kind.as_str());
    for detail in [&error.code, &error.param].into_iter().flatten() {
        message.push_str(", ");
        message.push_str(detail);
    }
    message.push('.');
    if between > 0 {
        message.push(' ');
        message.push_str(&between.to_string());
        message.push_str(" more since the one before have no row.");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_and_kind_has_a_row_a_second_and_the_rest_are_counted() {
        let refusals = Refusals::default();
        let start = crate::Clock.now();
        let stranger = (None, ErrorKind::Authentication);
        let known = (Some("editor".to_owned()), ErrorKind::InvalidRequest);
        assert_eq!(refusals.due(stranger.clone(), start), Some(0));
        for _ in 0..500 {
            assert_eq!(refusals.due(stranger.clone(), start + EVERY / 2), None);
        }
        assert_eq!(refusals.due(known.clone(), start + EVERY / 2), Some(0));
        assert_eq!(refusals.due((known.0, ErrorKind::PayloadTooLarge), start + EVERY / 2), Some(0));
        assert_eq!(refusals.due(stranger.clone(), start + EVERY), Some(500));
        assert_eq!(refusals.due(stranger, start + EVERY * 2), Some(0));
    }

    #[test]
    fn nothing_of_the_request_is_in_the_row() {
        let error = Error::caller("messages[0].role is \"secret word\".").with_param("messages[0].role");
        let said = message(&error, 3);
        assert!(said.contains("messages[0].role") && said.contains("3 more") && !said.contains("secret"));
    }
}
