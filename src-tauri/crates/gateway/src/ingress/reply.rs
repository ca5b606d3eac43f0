//! Answers to clients: whole, streamed, or an error, always in the dialect's own shape.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use canonical::{ChatResponse, Error, ErrorKind, Origin, PicoUsd};
use futures_util::stream;
use wire::{AnswerContext, Dialect, StreamEncoder};

use crate::engine::{Committed, EngineEvent, Lane, Receipt, Running};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-signalbox-request-id");
/// OpenAI's and Anthropic's SDKs heed it before the status: a 503 that waiting will not mend is said
/// once.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const PROVIDER: HeaderName = HeaderName::from_static("x-signalbox-provider");
const MODEL: HeaderName = HeaderName::from_static("x-signalbox-model");
/// The number is ours: no provider was there to ask, or it reported none.
pub(super) const ESTIMATED: HeaderName = HeaderName::from_static("x-signalbox-estimated");
const ROUTE: HeaderName = HeaderName::from_static("x-signalbox-route");
/// Each target of the route with what became of it.
const DECISION: HeaderName = HeaderName::from_static("x-signalbox-decision");
/// In dollars, of all attempts together; only where the request is over when its answer begins.
const COST: HeaderName = HeaderName::from_static("x-signalbox-cost");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-signalbox-attempts");
const LANE: HeaderName = HeaderName::from_static("x-signalbox-lane");
/// What of the request the provider was not told as the client said it: names alone.
const NOTES: HeaderName = HeaderName::from_static("x-signalbox-notes");
const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-signalbox-provider-request-id");

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `error` as the client's own SDK understands it, with the wait that the provider asked for.
pub(super) fn refusal(dialect: &dyn Dialect, error: &Error, request_id: Option<&str>) -> Response {
    let (status, body) = dialect.encode_error(error, request_id);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, body);
    let headers = response.headers_mut();
    if let Some(wait) = error.retry_after {
        // Whole seconds, rounded up: too early would only be refused again.
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if error.is_missing_provider_key() {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(request_id) = request_id {
        insert(headers, REQUEST_ID, request_id);
    }
    response
}

/// The answer to a request that runs: waits until a target answers or none will.
pub(super) async fn answer(
    dialect: &'static dyn Dialect,
    mut running: Running,
    context: AnswerContext,
    wants_stream: bool,
) -> Response {
    let request_id = running.request_id.clone();
    let refuse = |error: &Error| refusal(dialect, error, Some(&request_id));
    let committed = match running.events.recv().await {
        Some(EngineEvent::Committed(committed)) => committed,
        Some(EngineEvent::Ended(ending)) => {
            let error = ending.error.unwrap_or_else(no_answer);
            let mut response = refuse(&error);
            mark(&mut response, &ending.receipt);
            return response;
        }
        Some(
            EngineEvent::Answer(_)
            | EngineEvent::Seam(_)
            | EngineEvent::Raw(_)
            | EngineEvent::Whole(_)
            | EngineEvent::RawWhole(_),
        )
        | None => return refuse(&no_answer()),
    };
    let mut response = if wants_stream {
        streamed(dialect.stream_encoder(&context), running, &committed)
    } else {
        let (answer, receipt) = whole(&mut running).await;
        let mut response = match answer {
            Ok(Whole::Decoded(answer)) => json(StatusCode::OK, dialect.encode_response(&answer, &context)),
            Ok(Whole::Raw(bytes)) => raw(bytes, committed.content_type.as_deref()),
            Err(error) => refuse(&error),
        };
        if let Some(receipt) = receipt {
            price(&mut response, &receipt);
        }
        response
    };
    insert(response.headers_mut(), LANE, committed.lane.as_str());
    if let Some(id) = &committed.provider_request_id {
        insert(response.headers_mut(), PROVIDER_REQUEST_ID, id);
    }
    if let Some(notes) = &committed.notes {
        insert(response.headers_mut(), NOTES, notes);
    }
    insert(response.headers_mut(), REQUEST_ID, &request_id);
    name(&mut response, Some(&committed.provider), Some(&committed.model));
    way(&mut response, committed.route.as_deref(), committed.attempts, &committed.decision);
    response
}

/// A whole answer in the provider's own bytes, called what the provider calls it.
fn raw(body: Bytes, content_type: Option<&str>) -> Response {
    let mut response = Response::new(Body::from(body));
    insert(response.headers_mut(), CONTENT_TYPE, content_type.unwrap_or("application/json"));
    response
}

enum Whole {
    Decoded(Box<ChatResponse>),
    Raw(Bytes),
}

/// The whole answer. Waits for its settling too, so that a client that has its answer finds it in
/// the book.
async fn whole(running: &mut Running) -> (Result<Whole, Error>, Option<Receipt>) {
    let mut answer = None;
    while let Some(event) = running.events.recv().await {
        match event {
            EngineEvent::Whole(response) => answer = Some(Whole::Decoded(response)),
            EngineEvent::RawWhole(bytes) => answer = Some(Whole::Raw(bytes)),
            EngineEvent::Ended(ending) => {
                let answer = match (ending.error, answer) {
                    (None, Some(answer)) => Ok(answer),
                    (Some(error), _) => Err(error),
                    (None, None) => Err(no_answer()),
                };
                return (answer, Some(ending.receipt));
            }
            EngineEvent::Committed(_)
            | EngineEvent::Answer(_)
            | EngineEvent::Seam(_)
            | EngineEvent::Raw(_) => {}
        }
    }
    (Err(no_answer()), None)
}

/// The engine's task died; it says something on every other path.
pub(super) fn no_answer() -> Error {
    Error::new(ErrorKind::Internal, Origin::Gateway, "Signalbox lost this request. Please report it.")
}

struct Writer {
    encoder: Box<dyn StreamEncoder>,
    running: Running,
    /// In the verbatim lane the provider has said the end itself.
    lane: Lane,
    /// The provider's own error was the last word.
    has_last_word: bool,
}

/// A stream whose client slows it down by reading slowly, and ends it by leaving: dropping the
/// body drops `running`.
fn streamed(mut encoder: Box<dyn StreamEncoder>, running: Running, committed: &Committed) -> Response {
    if committed.lane == Lane::Verbatim {
        encoder.follow_raw();
    }
    let content_type = HeaderValue::from_static(encoder.content_type());
    let writer = Writer { encoder, running, lane: committed.lane, has_last_word: false };
    let body = stream::unfold(Some(writer), |writer| async move {
        let (bytes, writer) = next_bytes(writer?).await?;
        Some((Ok::<Bytes, Infallible>(bytes), writer))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The next bytes for the client; everything that is ready goes into one piece. Without a writer
/// in the answer they were the last.
async fn next_bytes(mut writer: Writer) -> Option<(Bytes, Option<Writer>)> {
    let mut out = Vec::new();
    let mut next = writer.running.events.recv().await;
    loop {
        match next {
            Some(EngineEvent::Answer(event)) => writer.encoder.event(&event, &mut out),
            Some(EngineEvent::Raw(raw)) => {
                writer.has_last_word = raw.is_last_word;
                if out.is_empty() && writer.running.events.is_empty() {
                    return Some((raw.bytes, Some(writer)));
                }
                out.extend_from_slice(&raw.bytes);
            }
            Some(EngineEvent::Ended(ending)) => {
                writer.end(ending.error.as_ref(), &mut out);
                return Some((out.into(), None));
            }
            // A client hears of a seam in its text, or not at all: its dialect has no word for one.
            Some(
                EngineEvent::Committed(_)
                | EngineEvent::Seam(_)
                | EngineEvent::Whole(_)
                | EngineEvent::RawWhole(_),
            ) => {}
            None => {
                writer.encoder.error(&no_answer(), &mut out);
                return Some((out.into(), None));
            }
        }
        next = match writer.running.events.try_recv() {
            Ok(event) => Some(event),
            Err(_) if out.is_empty() => writer.running.events.recv().await,
            Err(_) => return Some((out.into(), Some(writer))),
        };
    }
}

impl Writer {
    /// The dialect's own end, unless the provider has said it.
    fn end(&mut self, error: Option<&Error>, out: &mut Vec<u8>) {
        match (error, self.lane) {
            (Some(_), Lane::Verbatim) if self.has_last_word => {}
            (Some(error), _) => self.encoder.error(error, out),
            (None, Lane::Translated) => self.encoder.end(out),
            (None, Lane::Verbatim) => {}
        }
    }
}

/// Says who answered, or who was asked last, on which way, and what it cost.
pub(super) fn mark(response: &mut Response, receipt: &Receipt) {
    name(response, receipt.provider.as_deref(), receipt.model.as_deref());
    way(response, receipt.route.as_deref(), receipt.attempts, &receipt.decision);
    price(response, receipt);
}

/// Says how it came to who answered.
fn way(response: &mut Response, route: Option<&str>, attempts: u32, decision: &str) {
    let headers = response.headers_mut();
    headers.insert(ATTEMPTS, HeaderValue::from(attempts));
    for (name, value) in [(ROUTE, route), (DECISION, Some(decision).filter(|line| !line.is_empty()))] {
        if let Some(value) = value {
            insert(headers, name, value);
        }
    }
}

/// Says what a request cost that is over, where that is known.
fn price(response: &mut Response, receipt: &Receipt) {
    let Some(cost) = receipt.cost.picousd() else { return };
    insert(response.headers_mut(), COST, &dollars(cost));
}

/// Dollars as an exact decimal, without idle zeros.
fn dollars(cost: PicoUsd) -> String {
    let (whole, part) = (cost.0 / PicoUsd::PER_USD, (cost.0 % PicoUsd::PER_USD).unsigned_abs());
    let text = format!("{whole}.{part:012}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Says who answered.
pub(super) fn name(response: &mut Response, provider: Option<&str>, model: Option<&str>) {
    for (name, value) in [(PROVIDER, provider), (MODEL, model)] {
        if let Some(value) = value {
            insert(response.headers_mut(), name, value);
        }
    }
}

/// Leaves the header out where the value cannot stand in one.
pub(super) fn insert(headers: &mut axum::http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
