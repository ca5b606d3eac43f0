//! One target asked, up to the first content of its answer. Until then another target can take
//! over unseen.

use std::sync::Arc;

use canonical::grammar::Grammar;
use canonical::{ChatRequest, ChatResponse, Error, ErrorKind, Origin, Retry, StreamEvent};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use wire::driver::StreamDriver;
use wire::{Headers, TargetContext, errors};

use super::seen::Seen;
use crate::core::Core;
use crate::egress::client;
use crate::models;
use crate::providers::{Provider, Snapshot};

/// How long an error's body may take: its status has said the most.
const ERROR_BODY_DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

/// Where providers put their own id of a request.
const REQUEST_ID_HEADERS: [&str; 5] =
    ["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-goog-request-id"];

/// One target asked once.
pub(super) struct Attempt<'a> {
    pub core: &'a Arc<Core>,
    pub snapshot: &'a Arc<Snapshot>,
    pub provider: &'a Provider,
    pub model: &'a str,
    pub request: &'a ChatRequest,
    /// The whole request's.
    pub deadline: Instant,
}

/// An answer that has begun.
pub(super) enum Opened {
    Stream(Box<OpenStream>),
    Whole(Box<ChatResponse>),
}

/// A stream whose first content is here.
pub(super) struct OpenStream {
    pub source: Source,
    /// What has arrived so far.
    pub pending: Vec<StreamEvent>,
    /// Everything is in `pending`.
    pub is_over: bool,
    /// What broke the stream right behind `pending`.
    pub error: Option<Error>,
}

impl Attempt<'_> {
    /// Asks, and returns when the answer's first content is here, or the whole answer where no
    /// stream was asked for.
    pub(super) async fn open(&self, seen: &mut Seen) -> Result<Opened, Error> {
        let timeouts = &self.snapshot.config.timeouts;
        if !self.request.stream {
            // The answer comes in one piece when it is written: only the deadline can tell.
            return match timeout_at(self.deadline, self.whole(seen)).await {
                Ok(result) => result.map(|response| Opened::Whole(Box::new(response))),
                Err(_) => Err(self.out_of_time()),
            };
        }
        let first_content = self.core.clock.now() + timeouts.first_content;
        match timeout_at(first_content.min(self.deadline), self.stream(seen)).await {
            Ok(result) => result.map(|stream| Opened::Stream(Box::new(stream))),
            Err(_) if first_content < self.deadline => {
                let waited = timeouts.first_content.as_secs_f64();
                Err(self.timeout(&format!("sent nothing of its answer within {waited} s")))
            }
            Err(_) => Err(self.out_of_time()),
        }
    }

    async fn stream(&self, seen: &mut Seen) -> Result<OpenStream, Error> {
        let response = self.send(seen).await?;
        let mut source = Source {
            response,
            driver: StreamDriver::new(self.provider.protocol, &self.provider.quirks),
            grammar: cfg!(debug_assertions).then(Grammar::default),
            provider: self.provider.id.clone(),
        };
        let mut pending = Vec::new();
        loop {
            let from = pending.len();
            let step = source.next(&mut pending).await;
            let now = self.core.clock.now();
            for event in &pending[from..] {
                seen.note(event, now);
            }
            let has_content = seen.first_content.is_some();
            match step {
                Ok(More::No) => match seen.finish_error() {
                    Some(error) if !has_content => return Err(error),
                    error => return Ok(OpenStream { source, pending, is_over: true, error }),
                },
                Err(error) if has_content => {
                    return Ok(OpenStream { source, pending, is_over: true, error: Some(error) });
                }
                Err(error) => return Err(error),
                Ok(More::Yes) if has_content => {
                    return Ok(OpenStream { source, pending, is_over: false, error: None });
                }
                Ok(More::Yes) => {}
            }
        }
    }

    async fn whole(&self, seen: &mut Seen) -> Result<ChatResponse, Error> {
        let response = self.send(seen).await?;
        let (status, headers) = (response.status().as_u16(), client::headers_of(&response));
        let body =
            client::read_body(response, client::MAX_BODY_BYTES).await.map_err(|error| match error {
                Some(error) => broken(&self.provider.id, &error),
                None => Error::new(
                    ErrorKind::InvalidResponse,
                    Origin::Provider,
                    format!("The provider's answer is longer than {} MiB.", client::MAX_BODY_BYTES >> 20),
                ),
            })?;
        if body.trim_ascii().is_empty() {
            return Err(Error::new(
                ErrorKind::Truncated,
                Origin::Provider,
                "The provider's answer was empty.",
            ));
        }
        if let Some(error) = errors::in_band(self.provider.protocol, status, &headers, &body) {
            return Err(error);
        }
        let response = self.provider.protocol.decode_response(&body, &self.provider.quirks)?;
        seen.note_whole(&response);
        seen.first_content.get_or_insert(self.core.clock.now());
        match seen.finish_error() {
            Some(error) => Err(error),
            None => Ok(response),
        }
    }

    /// Sends the request; an answer with an error status is an error.
    async fn send(&self, seen: &mut Seen) -> Result<Response, Error> {
        let provider = self.provider;
        let key = self.core.secrets.key(&provider.id, &provider.key).await;
        let key = key.map_err(|error| models::key_error(&error))?;
        let target = TargetContext {
            model: self.model,
            quirks: &provider.quirks,
            max_output_tokens: models::max_output_tokens(&self.core.lists, provider, self.model),
        };
        let request = provider.protocol.encode_request(self.request, &target)?;
        seen.was_sent = true;
        seen.key = key;
        let sent = self.snapshot.egress.send(provider, request, seen.key.as_ref(), self.request.stream).await;
        let response = sent.inspect_err(|failure| seen.was_sent = failure.was_sent).map_err(|it| it.error)?;
        let (status, headers) = (response.status().as_u16(), client::headers_of(&response));
        seen.http_status = Some(status);
        seen.provider_request_id =
            REQUEST_ID_HEADERS.iter().find_map(|name| headers.get(name)).map(str::to_owned);
        if (200..300).contains(&status) {
            return Ok(response);
        }
        Err(self.refusal(response, status, &headers).await)
    }

    async fn refusal(&self, response: Response, status: u16, headers: &Headers) -> Error {
        if (300..400).contains(&status) {
            let mut error = Error::new(
                ErrorKind::InvalidResponse,
                Origin::Provider,
                format!(
                    "The provider \"{}\" points to another address (HTTP {status}). Signalbox takes no key there: \
                     set its base_url to the right one.",
                    self.provider.id
                ),
            );
            error.status = Some(status);
            return error;
        }
        let body = timeout_at(
            self.core.clock.now() + ERROR_BODY_DEADLINE,
            client::read_body(response, client::MAX_ERROR_BYTES),
        );
        // A body that cannot be read leaves the status to speak.
        let body = body.await.ok().and_then(Result::ok).unwrap_or_default();
        let mut error = self.provider.protocol.decode_error(status, headers, &body);
        if error.retry_after.is_none() {
            error.retry_after = errors::retry_after_at(headers, self.core.clock.system());
        }
        if status == 401 {
            // The key may have been replaced outside of Signalbox.
            self.core.secrets.forget(&self.provider.id);
        }
        error
    }

    fn timeout(&self, what: &str) -> Error {
        let mut error = Error::new(
            ErrorKind::Timeout,
            Origin::Provider,
            format!("The provider \"{}\" {what}.", self.provider.id),
        );
        // Waiting just as long for the same target again helps nobody.
        error.retry = Retry::NextTarget;
        error
    }

    fn out_of_time(&self) -> Error {
        out_of_time(&self.provider.id, self.snapshot.config.timeouts.total)
    }
}

/// The request's one deadline has passed.
pub(super) fn out_of_time(provider: &str, total: std::time::Duration) -> Error {
    let mut error = Error::new(
        ErrorKind::Timeout,
        Origin::Provider,
        format!(
            "The request took longer than its deadline of {} s (timeouts.total); \"{provider}\" was asked last.",
            total.as_secs_f64()
        ),
    );
    error.retry = Retry::Never;
    error
}

fn broken(provider: &str, error: &reqwest::Error) -> Error {
    tracing::debug!(provider, is_body = error.is_body(), "the connection broke");
    Error::new(
        ErrorKind::Truncated,
        Origin::Network,
        format!("The connection to the provider \"{provider}\" broke before its answer was complete."),
    )
}

/// Whether a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    Yes,
    No,
}

/// One provider's stream: bytes in, events out.
pub(super) struct Source {
    response: Response,
    driver: StreamDriver,
    /// Checks our own decoders; only in debug builds.
    grammar: Option<Grammar>,
    provider: String,
}

impl Source {
    /// Waits for the next bytes and appends the events that they complete; possibly none.
    /// Nothing is lost when it is dropped while it waits.
    pub(super) async fn next(&mut self, out: &mut Vec<StreamEvent>) -> Result<More, Error> {
        let from = out.len();
        let step = match self.response.chunk().await {
            Ok(Some(bytes)) => self.driver.push(&bytes, out).map(|()| More::Yes),
            Ok(None) => self.driver.finish(out).map(|()| More::No),
            Err(error) => self.finish_early(out, broken(&self.provider, &error)),
        };
        self.check(&out[from..])?;
        step
    }

    /// The provider says nothing more. Fine where it had said its protocol's own last word and
    /// merely keeps the line open; `error` else.
    pub(super) fn finish_early(&mut self, out: &mut Vec<StreamEvent>, error: Error) -> Result<More, Error> {
        match self.driver.finish(out) {
            Ok(()) => Ok(More::No),
            Err(_) => Err(error),
        }
    }

    /// Counts of what was passed over, for the log.
    pub(super) fn log(&self) {
        let counters = self.driver.counters();
        if counters.unknown + counters.malformed > 0 {
            tracing::info!(
                provider = self.provider,
                frames = counters.frames,
                unknown = counters.unknown,
                malformed = counters.malformed,
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
