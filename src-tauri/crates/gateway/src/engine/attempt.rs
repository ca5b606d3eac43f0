//! One target asked, up to the first content of its answer. Until then another target can take
//! over unseen.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use canonical::{ChatRequest, ChatResponse, Error, ErrorKind, Origin, Retry};
use reqwest::Response;
use routing::Route;
use routing::limit::LimitSeen;
use routing::policy::{Commit, Counted};
use tokio::time::{Instant, timeout, timeout_at};
use wire::verbatim::{TapOptions, Translate};
use wire::{Headers, TargetContext, errors, limits};

use super::checks::{Watch, Watched};
use super::estimate;
use super::hold::Hold;
use super::lane::{self, Inbound, Lane, Outgoing};
use super::seen::Seen;
use super::source::{Arrived, More, Source, broken};
use super::thoughts::{self, Owner, Sealer};
use crate::config::Timeouts;
use crate::core::Core;
use crate::egress::client;
use crate::models;
use crate::providers::{Provider, Snapshot};

/// How long an error's body may take: its status has said the most.
const ERROR_BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Where providers put their own id of a request.
const REQUEST_ID_HEADERS: [&str; 5] =
    ["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-goog-request-id"];

/// The provider's own id of a request.
pub(super) fn request_id_of(headers: &Headers) -> Option<String> {
    REQUEST_ID_HEADERS.iter().find_map(|name| headers.get(name)).map(str::to_owned)
}

/// What the headers of an answer, good or bad, say of the target's limits.
pub(super) fn limits_of(core: &Core, headers: &Headers) -> Vec<LimitSeen> {
    let (limits, unreadable) = limits::read_counting(headers, core.clock.system());
    let seen = limits.into_iter().filter_map(|limit| {
        let counted = match limit.counted {
            limits::Counted::Requests => Counted::Requests,
            limits::Counted::Tokens => Counted::Tokens,
            limits::Counted::InputTokens => Counted::InputTokens,
            limits::Counted::OutputTokens => Counted::OutputTokens,
            limits::Counted::InputImages => return None,
        };
        let limits::RateLimit { window, limit, remaining, reset, .. } = limit;
        Some(LimitSeen { counted, window, limit, remaining, reset })
    });
    seen.chain(std::iter::repeat_n(LimitSeen::UNREADABLE, unreadable)).collect()
}

/// One target asked once.
pub(super) struct Attempt<'a> {
    pub core: &'a Arc<Core>,
    pub snapshot: &'a Arc<Snapshot>,
    pub provider: &'a Provider,
    pub model: &'a str,
    pub request: &'a ChatRequest,
    /// The same as the client sent it.
    pub inbound: Option<&'a Inbound>,
    /// What the answer is held to.
    pub watch: Option<&'a Watch>,
    pub owner: Owner<'a>,
    /// The target refused a proof of thought: this time it gets none.
    pub take_off: bool,
    pub pace: Pace,
    /// What the caller sees of it may come from several: its bytes are no use.
    pub may_be_joined: bool,
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The whole request's.
    pub deadline: Instant,
    /// How long that was when it began.
    pub total: Duration,
    /// From an attempt's beginning to its first content.
    pub first_content: Duration,
    /// How much of an answer is held back before it is the caller's.
    pub commit: Commit,
}

impl Pace {
    /// Of a request that began at `start`.
    pub(super) fn of(timeouts: &Timeouts, route: &Route, start: Instant) -> Self {
        let total = route.total.unwrap_or(timeouts.total);
        let first_content = route.first_content.unwrap_or(timeouts.first_content);
        Self { deadline: start + total, total, first_content, commit: route.commit }
    }
}

/// An answer that has begun.
pub(super) enum Opened {
    Stream(Box<OpenStream>),
    Whole(Box<WholeAnswer>),
}

pub(super) struct WholeAnswer {
    pub response: ChatResponse,
    /// The provider's own bytes, where the client gets them as they are.
    pub raw: Option<Bytes>,
    /// What the provider says that its bytes are.
    pub content_type: Option<String>,
}

impl Opened {
    pub(super) fn lane(&self) -> Lane {
        match self {
            Self::Stream(stream) => stream.source.lane(),
            Self::Whole(answer) if answer.raw.is_some() => Lane::Verbatim,
            Self::Whole(_) => Lane::Translated,
        }
    }

    /// Of a whole answer's own bytes.
    pub(super) fn content_type(&self) -> Option<&str> {
        match self {
            Self::Stream(_) => None,
            Self::Whole(answer) => answer.content_type.as_deref(),
        }
    }
}

/// A stream whose first content is here.
pub(super) struct OpenStream {
    pub source: Source,
    /// What has arrived so far.
    pub pending: Arrived,
    /// Everything is in `pending`.
    pub is_over: bool,
    /// What broke the stream right behind `pending`.
    pub error: Option<Error>,
    /// Takes every event before the caller does.
    pub watched: Option<Watched>,
}

impl Attempt<'_> {
    /// Asks, and returns when the answer's first content is here, or the whole answer where no
    /// stream was asked for. It is the caller's only after [`Self::commit`].
    pub(super) async fn begin(&self, seen: &mut Seen) -> Result<Opened, Error> {
        if !self.request.stream {
            // The answer comes in one piece when it is written: only the deadline can tell.
            return match timeout_at(self.pace.deadline, self.whole(seen)).await {
                Ok(result) => result.map(|answer| Opened::Whole(Box::new(answer))),
                Err(_) => Err(self.out_of_time()),
            };
        }
        let first_content = self.core.clock.now() + self.pace.first_content;
        match timeout_at(first_content.min(self.pace.deadline), self.stream(seen)).await {
            Ok(Ok(stream)) => Ok(Opened::Stream(Box::new(stream))),
            Ok(Err(error)) => Err(error),
            Err(_) if first_content < self.pace.deadline => {
                let waited = self.pace.first_content.as_secs_f64();
                Err(self.timeout(&format!("sent nothing of its answer within {waited} s")))
            }
            Err(_) => Err(self.out_of_time()),
        }
    }

    /// Returns when the answer may be the caller's; an error before is one that nobody has seen.
    pub(super) async fn commit(&self, begun: Opened, seen: &mut Seen) -> Result<Opened, Error> {
        match begun {
            Opened::Whole(_) => Ok(begun),
            Opened::Stream(stream) => {
                self.gathered(*stream, seen).await.map(|stream| Opened::Stream(Box::new(stream)))
            }
        }
    }

    async fn stream(&self, seen: &mut Seen) -> Result<OpenStream, Error> {
        let (response, tap) = self.send(seen).await?;
        let mut source = Source::new(response, self.provider, tap, self.sealer(seen));
        source.set_names(seen.provider_request_id.as_deref().unwrap_or_default(), self.model);
        let mut pending = Arrived::default();
        loop {
            let from = pending.events.len();
            let step = source.next(&mut pending).await;
            seen.passed_over = source.passed_over();
            let now = self.core.clock.now();
            for event in &pending.events[from..] {
                seen.note(event, now);
            }
            let has_content = seen.first_content.is_some();
            match step {
                Ok(More::No) => match seen.finish_error() {
                    Some(error) if !has_content => return Err(error),
                    error => return Ok(OpenStream { source, pending, is_over: true, error, watched: None }),
                },
                Err(error) if has_content => {
                    return Ok(OpenStream {
                        source,
                        pending,
                        is_over: true,
                        error: Some(error),
                        watched: None,
                    });
                }
                Err(error) => return Err(error),
                Ok(More::Yes) if has_content => {
                    return Ok(OpenStream { source, pending, is_over: false, error: None, watched: None });
                }
                Ok(More::Yes) => {}
            }
        }
    }

    /// Puts the answer under its checks, and returns at the point from which on it is the caller's:
    /// when they let the first content through, and as much of it as the route holds back.
    async fn gathered(&self, mut stream: OpenStream, seen: &mut Seen) -> Result<OpenStream, Error> {
        let mut watched = self.watch.map(Watch::begin);
        if let Some(watched) = &mut watched {
            watched.sift(&mut stream.pending.events, 0);
        }
        let idle = self.snapshot.config.timeouts.idle;
        let mut until = self.core.clock.now() + idle;
        let mut hold = Hold::new(self.pace.commit);
        hold.note(&stream.pending.events, self.core.clock.now());
        while !stream.is_over && !hold.is_over(self.core.clock.now()) {
            let from = stream.pending.events.len();
            let wake = until.min(self.pace.deadline).min(hold.until.unwrap_or(until));
            let step = match timeout_at(wake, stream.source.next(&mut stream.pending)).await {
                Ok(step) => step,
                Err(_) if hold.is_over(self.core.clock.now()) => break,
                Err(_) if until < self.pace.deadline => {
                    let error = silence(&self.provider.id, idle);
                    stream.source.finish_early(&mut stream.pending, error)
                }
                Err(_) => return Err(self.out_of_time()),
            };
            seen.passed_over = stream.source.passed_over();
            let now = self.core.clock.now();
            if stream.pending.events.len() > from {
                until = now + idle;
            }
            for event in &stream.pending.events[from..] {
                seen.note(event, now);
            }
            if let Some(watched) = &mut watched {
                watched.sift(&mut stream.pending.events, from);
            }
            hold.note(&stream.pending.events[from..], now);
            match step {
                Ok(More::Yes) => {}
                Ok(More::No) => (stream.is_over, stream.error) = (true, seen.finish_error()),
                Err(error) => (stream.is_over, stream.error) = (true, Some(error)),
            }
        }
        let is_held = self.pace.commit.chars > 0 && !hold.is_over(self.core.clock.now());
        if let Some(error) = stream.error.take_if(|_| is_held) {
            // Nothing of it has gone out: another target may answer as if this one had not.
            return Err(error);
        }
        if let Some(watched) = watched.as_mut().filter(|_| stream.is_over) {
            self.ended(&mut stream, watched, seen)?;
        }
        stream.watched = watched;
        Ok(stream)
    }

    /// An answer that came to its end before any of it was passed on.
    fn ended(&self, stream: &mut OpenStream, watched: &mut Watched, seen: &mut Seen) -> Result<(), Error> {
        if stream.error.is_some() {
            watched.release(&mut stream.pending.events);
        } else if let Some(mut withheld) = watched.end(self.request, &mut stream.pending.events) {
            seen.report = watched.report().clone();
            // What was let through lies here and goes no further.
            withheld.sent = watched.before();
            let error = withheld.error.clone();
            seen.withheld = Some(Box::new(withheld));
            return Err(error);
        }
        Ok(())
    }

    async fn whole(&self, seen: &mut Seen) -> Result<WholeAnswer, Error> {
        let (response, tap) = self.send(seen).await?;
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
        let mut response = self.provider.protocol.decode_response(&body, &self.provider.quirks)?;
        if tap.is_none()
            && let Some(sealer) = self.sealer(seen)
        {
            sealer.response(&mut response);
        }
        seen.note_whole(&response);
        seen.first_content.get_or_insert(self.core.clock.now());
        if let Some(error) = seen.finish_error() {
            return Err(error);
        }
        if let Some(watch) = self.watch {
            let (report, withheld) = watch.whole(self.request, &mut response);
            seen.report = report;
            if let Some(withheld) = withheld {
                let error = withheld.error.clone();
                seen.withheld = Some(Box::new(withheld));
                return Err(error);
            }
        }
        Ok(WholeAnswer {
            response,
            raw: tap.is_some().then(|| body.into()),
            content_type: headers.get("content-type").map(str::to_owned),
        })
    }

    /// Seals what the target says for the client; then it is also watched for what is to be held.
    fn sealer(&self, seen: &mut Seen) -> Option<Sealer> {
        let sealer = Sealer::new(self.owner, self.provider)?;
        seen.thoughts.get_or_insert_default();
        Some(sealer)
    }

    /// Sends the request; an answer with an error status is an error. With the answer comes how its
    /// bytes are passed on, where they are.
    async fn send(&self, seen: &mut Seen) -> Result<(Response, Option<TapOptions>), Error> {
        let provider = self.provider;
        let weight = self.inbound.map_or_else(|| estimate::weight(self.request), |it| it.body.len());
        let window = models::context_window(&self.core.lists, provider, self.model);
        estimate::fits(self.request, self.model, weight, window).await?;
        let key = self.core.secrets.key(&provider.id, &provider.key).await;
        let key = key.map_err(|error| models::key_error(&error))?;
        let target = TargetContext {
            model: self.model,
            quirks: &provider.quirks,
            max_output_tokens: models::max_output_tokens(&self.core.lists, provider, self.model),
        };
        let request = thoughts::fit(self.core, self.request, self.owner, provider, self.take_off);
        let inbound = self.inbound.ok_or(Translate::NoClient);
        let inbound =
            inbound.and_then(|it| if self.take_off { Err(Translate::RefusedSignature) } else { Ok(it) });
        let Outgoing { http, tap } = lane::choose(&request, inbound, provider, &target)?;
        let tap = tap.filter(|_| !self.may_be_joined);
        seen.notes.clone_from(&http.notes);
        seen.was_sent = true;
        seen.key = key;
        let sending = self.snapshot.egress.send(provider, http, seen.key.as_ref(), self.request.stream);
        let first_byte = self.snapshot.config.timeouts.first_byte;
        let Ok(sent) = timeout(first_byte, sending).await else {
            let waited = first_byte.as_secs_f64();
            return Err(
                self.timeout(&format!("did not begin to answer within {waited} s (timeouts.first_byte)"))
            );
        };
        let response = sent.inspect_err(|failure| seen.was_sent = failure.was_sent).map_err(|it| it.error)?;
        let (status, headers) = (response.status().as_u16(), client::headers_of(&response));
        seen.http_status = Some(status);
        seen.provider_request_id = request_id_of(&headers);
        seen.limits = limits_of(self.core, &headers);
        if (200..300).contains(&status) {
            return Ok((response, tap));
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
        out_of_time(&self.provider.id, self.pace.total)
    }
}

/// The request's one deadline has passed.
pub(super) fn out_of_time(provider: &str, total: Duration) -> Error {
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

/// A stream that stopped without ending.
pub(super) fn silence(provider: &str, idle: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        Origin::Provider,
        format!(
            "The provider \"{provider}\" fell silent for {} s in the middle of its answer.",
            idle.as_secs_f64()
        ),
    )
}
