//! One provider's stream: bytes in; out come events, and in the verbatim lane the bytes again.

use bytes::Bytes;
use canonical::grammar::Grammar;
use canonical::{Error, ErrorKind, Origin, StreamEvent};
use ledger::PassedOver;
use reqwest::Response;
use wire::driver::StreamDriver;
use wire::verbatim::{Piece, Tap, TapOptions};

use super::lane::Lane;
use super::thoughts::Sealer;
use crate::providers::Provider;
use crate::secrets::Secret;

/// Whether a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

/// What has come and was not passed on yet.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub events: Vec<StreamEvent>,
    /// The same as the provider sent it; empty in the translation lane.
    pub raw: Vec<Bytes>,
    /// The last of `raw` is the provider's own word for the error that ended the stream.
    pub has_last_word: bool,
}

pub(super) struct Source {
    response: Response,
    reader: Reader,
    /// Checks our own decoders; only in debug builds.
    grammar: Option<Grammar>,
    /// Where the client's dialect is another family's.
    sealer: Option<Sealer>,
    provider: String,
}

enum Reader {
    Translated(StreamDriver),
    Verbatim(Tap),
}

impl Source {
    /// `tap` says how the bytes are passed on, where they are.
    pub(super) fn new(
        response: Response,
        provider: &Provider,
        tap: Option<TapOptions>,
        sealer: Option<Sealer>,
    ) -> Self {
        let driver = StreamDriver::new(provider.protocol, &provider.quirks);
        let reader = match tap {
            None => Reader::Translated(driver),
            Some(options) => Reader::Verbatim(Tap::new(driver, options)),
        };
        let grammar = cfg!(debug_assertions).then(Grammar::default);
        Self { response, reader, grammar, sealer, provider: provider.id.clone() }
    }

    /// The names for an answer whose own were lost: an id of the request, and the model that was asked.
    pub(super) fn set_names(&mut self, id: &str, model: &str) {
        if let Reader::Verbatim(tap) = &mut self.reader {
            tap.set_names(id, model);
        }
    }

    /// Whether the client gets bytes or events; known with the first frame.
    pub(super) fn lane(&self) -> Lane {
        match &self.reader {
            Reader::Verbatim(tap) if tap.is_raw() => Lane::Verbatim,
            Reader::Verbatim(_) | Reader::Translated(_) => Lane::Translated,
        }
    }

    /// Its id in the settings.
    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// Waits for the next bytes and appends what they complete; possibly nothing. Nothing is lost
    /// when it is dropped while it waits.
    pub(super) async fn next(&mut self, out: &mut Arrived) -> Result<More, Error> {
        let from = out.events.len();
        let step = match self.response.chunk().await {
            Ok(Some(bytes)) => self.push(&bytes, out).map(|()| More::Yes),
            Ok(None) => self.finish(out).map(|()| More::No),
            Err(error) => self.finish_early(out, broken(&self.provider, &error)),
        };
        self.check(&out.events[from..])?;
        if let Some(sealer) = &self.sealer {
            sealer.events(&mut out.events[from..]);
        }
        step
    }

    /// The provider says nothing more. Fine where it had said its protocol's own last word and
    /// merely keeps the line open; `error` else.
    pub(super) fn finish_early(&mut self, out: &mut Arrived, error: Error) -> Result<More, Error> {
        match self.finish(out) {
            Ok(()) => Ok(More::No),
            Err(_) => Err(error),
        }
    }

    fn push(&mut self, bytes: &Bytes, out: &mut Arrived) -> Result<(), Error> {
        match &mut self.reader {
            Reader::Translated(driver) => driver.push(bytes, &mut out.events),
            Reader::Verbatim(tap) => {
                let mut pieces = Vec::new();
                let outcome = tap.push(bytes, &mut out.events, &mut pieces);
                out.raw.extend(pieces.into_iter().map(|piece| match piece {
                    Piece::Held(held) => held.into(),
                    // The same memory: what passes through is not copied.
                    Piece::Here(range) => bytes.slice(range),
                }));
                out.has_last_word = tap.said_error();
                outcome
            }
        }
    }

    fn finish(&mut self, out: &mut Arrived) -> Result<(), Error> {
        match &mut self.reader {
            Reader::Translated(driver) => driver.finish(&mut out.events),
            Reader::Verbatim(tap) => {
                let mut pieces = Vec::new();
                let outcome = tap.finish(&mut out.events, &mut pieces);
                let held = pieces.into_iter().filter_map(|piece| match piece {
                    Piece::Held(held) => Some(held.into()),
                    Piece::Here(_) => None,
                });
                out.raw.extend(held);
                outcome
            }
        }
    }

    /// Counts of what was passed over, for the book.
    pub(super) fn passed_over(&self) -> PassedOver {
        let counters = match &self.reader {
            Reader::Translated(driver) => driver.counters(),
            Reader::Verbatim(tap) => tap.counters(),
        };
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        PassedOver { unknown: count(counters.unknown), malformed: count(counters.malformed) }
    }

    /// Counts of what was passed over, for the log.
    pub(super) fn log(&self) {
        let (counters, left_out) = match &self.reader {
            Reader::Translated(driver) => (driver.counters(), 0),
            Reader::Verbatim(tap) => (tap.counters(), tap.left_out()),
        };
        if counters.unknown + counters.malformed + left_out > 0 {
            tracing::info!(
                provider = self.provider,
                frames = counters.frames,
                unknown = counters.unknown,
                malformed = counters.malformed,
                left_out,
                "a stream had pieces that were passed over"
            );
        }
    }

    fn check(&mut self, events: &[StreamEvent]) -> Result<(), Error> {
        let Some(grammar) = &mut self.grammar else { return Ok(()) };
        // The law's sentence may quote the event and with it content: it is not repeated.
        events.iter().try_for_each(|event| grammar.accept(event)).map_err(|_| {
            Error::new(
                ErrorKind::Internal,
                Origin::Gateway,
                "A decoder of Signalbox made events in an order that its own grammar forbids.",
            )
        })
    }
}

impl Arrived {
    /// Takes the provider's own error back where it repeats the key that it refuses: ours, which
    /// does not, takes its place.
    pub(super) fn hide(&mut self, key: Option<&Secret>) {
        let shows_key = |bytes: &Bytes| key.is_some_and(|key| key.is_in(bytes));
        if self.has_last_word && self.raw.last().is_some_and(shows_key) {
            self.raw.pop();
            self.has_last_word = false;
        }
    }
}

pub(super) fn broken(provider: &str, error: &reqwest::Error) -> Error {
    tracing::debug!(provider, is_body = error.is_body(), "the connection broke");
    Error::new(
        ErrorKind::Truncated,
        Origin::Network,
        format!("The connection to the provider \"{provider}\" broke before its answer was complete."),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_repeats_our_key_is_taken_back_and_any_other_stays() {
        let key = Secret::new("sk-secret-123456").unwrap();
        let arrived = |last: &'static str| Arrived {
            events: Vec::new(),
            raw: vec![Bytes::from_static(b"data: {}\n\n"), Bytes::from_static(last.as_bytes())],
            has_last_word: true,
        };
        let (repeats, other) =
            ("data: {\"error\":\"bad key sk-secret-123456\"}\n\n", "data: {\"error\":\"bad\"}\n\n");
        for (last, has_key, kept) in [(repeats, true, 1), (other, true, 2), (repeats, false, 2)] {
            let mut arrived = arrived(last);
            arrived.hide(has_key.then_some(&key));
            assert_eq!((arrived.raw.len(), arrived.has_last_word), (kept, kept == 2), "{last}");
        }
        // Only the last word is ours to replace: what came before has the client's own words.
        let mut words = Arrived { has_last_word: false, ..arrived(repeats) };
        words.hide(Some(&key));
        assert_eq!(words.raw.len(), 2);
    }
}
