//! The thin part: listens, waits where the script says so, and writes.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use canonical::ChatRequest;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::openai::{self, Head};
use crate::script::{self, Answer, Refusal, Script, Step};
use crate::tokens::PrefixCache;

/// As large as pictures in base64 come.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Answers are dated by the rehearsal's first day: it reads no clock.
const CREATED: u64 = 1_767_225_600;

#[derive(Debug, Default)]
struct Stage {
    cache: Mutex<PrefixCache>,
    answers: AtomicU64,
}

/// Serves on `listener` until `shutdown` resolves; answers that are being written then break off.
///
/// # Errors
/// What the listener says when it fails.
pub async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
    // Not graceful: a rehearsed stall would keep us here for ever.
    tokio::select! {
        result = axum::serve(listener, router()) => result,
        () = shutdown => Ok(()),
    }
}

/// The provider as a router, for whoever has a server.
pub fn router() -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(async || axum::Json(openai::models())))
        .fallback(async || (StatusCode::NOT_FOUND, axum::Json(openai::unknown_path())))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(Stage::default()))
}

async fn chat(State(stage): State<Arc<Stage>>, body: Bytes) -> Response {
    let request = match openai::request(&body) {
        Ok(request) => request,
        Err(message) => {
            return json(StatusCode::BAD_REQUEST, &openai::error("invalid_request_error", None, &message));
        }
    };
    let cached_tokens = stage.cache.lock().unwrap_or_else(PoisonError::into_inner).read(&request);
    match script::script(&request, cached_tokens) {
        Script::Refuse(refusal) => refuse(&refusal),
        Script::Answer(answer) => {
            let number = stage.answers.fetch_add(1, Ordering::Relaxed);
            let head = Head {
                id: format!("chatcmpl-rehearsal-{number}"),
                created: CREATED,
                model: request.model.clone(),
                include_usage: request.include_usage,
            };
            if request.stream { stream(head, answer) } else { whole(&head, &answer, &request).await }
        }
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let (content_type, body) = openai::refusal(refusal);
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, content_type)], body).into_response();
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn stream(head: Head, answer: Answer) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(frames(head, answer))).into_response()
}

/// The answer's frames, each at its time. An error ends the connection without the end of the body.
fn frames(head: Head, answer: Answer) -> impl Stream<Item = Result<String, std::io::Error>> {
    enum Place {
        Opening,
        Step(usize),
        Done,
    }
    stream::unfold((Place::Opening, head, answer), |(place, head, answer)| async move {
        match place {
            Place::Opening => {
                // Pauses before the first word are pauses before the first byte.
                let first = wait(&answer.steps, 0).await;
                Some((Ok(head.opening()), (Place::Step(first), head, answer)))
            }
            Place::Step(at) => {
                let at = wait(&answer.steps, at).await;
                match answer.steps.get(at) {
                    Some(Step::Cut) => Some((Err(cut().await), (Place::Done, head, answer))),
                    Some(step) => {
                        Some((Ok(head.step(step).unwrap_or_default()), (Place::Step(at + 1), head, answer)))
                    }
                    None => Some((Ok(head.closing(&answer)), (Place::Done, head, answer))),
                }
            }
            Place::Done => None,
        }
    })
    // A body must not have empty frames in it.
    .filter(|frame| std::future::ready(!matches!(frame, Ok(text) if text.is_empty())))
}

/// Waits out the pauses at `at` and returns the step after them. Never returns from a hang.
async fn wait(steps: &[Step], mut at: usize) -> usize {
    loop {
        match steps.get(at) {
            Some(Step::Pause(pause)) => tokio::time::sleep(*pause).await,
            Some(Step::Hang) => match std::future::pending::<Infallible>().await {},
            _ => return at,
        }
        at += 1;
    }
}

/// Lets what was said before reach the wire: the connection drops what it still holds.
async fn cut() -> std::io::Error {
    tokio::task::yield_now().await;
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "rehearsed: cut in the middle")
}

/// The whole answer at once, after all its pauses; what goes wrong goes wrong in the body.
async fn whole(head: &Head, answer: &Answer, request: &ChatRequest) -> Response {
    debug_assert!(!request.stream, "a streamed answer goes another way");
    let mut at = 0;
    while at < answer.steps.len() {
        at = wait(&answer.steps, at).await + 1;
    }
    let body = head.whole(answer).to_string();
    let half = body.char_indices().nth(body.chars().count() / 2).map_or(0, |(at, _)| at);
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    if answer.steps.contains(&Step::Cut) {
        let head = body[..half].to_owned();
        let pieces = stream::iter([Ok(head)]).chain(stream::once(async { Err(cut().await) }));
        return (content_type, Body::from_stream(pieces)).into_response();
    }
    if answer.steps.contains(&Step::Malformed) {
        return (content_type, body[..half].to_owned()).into_response();
    }
    if answer.steps.contains(&Step::ErrorInBand) {
        let error = openai::error(
            "server_error",
            Some("internal_error"),
            "Rehearsed: the server failed while it answered.",
        );
        return json(StatusCode::OK, &error);
    }
    (content_type, body).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Starts the rehearsal on a port of its own and returns where it is.
    async fn start() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, std::future::pending()));
        format!("http://{address}/v1")
    }

    fn client() -> reqwest::Client {
        // Either provider of rustls would do: nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    async fn post(base: &str, body: &Value) -> reqwest::Response {
        client().post(format!("{base}/chat/completions")).json(body).send().await.unwrap()
    }

    fn ask(prompt: &str, stream: bool) -> Value {
        json!({"model": "fast", "stream": stream, "stream_options": {"include_usage": true},
               "messages": [{"role": "user", "content": prompt}]})
    }

    fn chunks(body: &str) -> Vec<Value> {
        let frames = body.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
        frames.filter(|data| *data != "[DONE]").filter_map(|data| serde_json::from_str(data).ok()).collect()
    }

    fn text_of(chunks: &[Value]) -> String {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
    }

    #[tokio::test]
    async fn a_stream_and_a_whole_answer_say_the_same() {
        let base = start().await;
        let streamed = post(&base, &ask("Explain tea", true)).await.text().await.unwrap();
        let whole: Value = post(&base, &ask("Explain tea", false)).await.json().await.unwrap();
        let chunks = chunks(&streamed);
        assert!(streamed.ends_with("data: [DONE]\n\n"));
        assert_eq!(whole["choices"][0]["message"]["content"], text_of(&chunks));
        let last = &chunks[chunks.len() - 1];
        assert_eq!(last["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
        // The second request repeats the first, whose prompt is now in the cache.
        assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
        assert_eq!(whole["usage"]["prompt_tokens_details"]["cached_tokens"], whole["usage"]["prompt_tokens"]);
    }

    #[tokio::test]
    async fn a_cut_connection_ends_without_an_end() {
        let base = start().await;
        for stream in [true, false] {
            let response = post(&base, &ask("Explain tea\n/drill cut", stream)).await;
            assert_eq!(response.status(), 200);
            assert!(response.text().await.is_err(), "stream: {stream}");
        }
    }

    #[tokio::test]
    async fn a_stall_begins_and_then_says_nothing() {
        let base = start().await;
        let mut response = post(&base, &ask("Explain tea\n/drill stall", true)).await;
        let mut seen = String::new();
        let mut next = response.chunk().await.unwrap();
        while let Some(chunk) = next {
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
            if let Ok(more) =
                tokio::time::timeout(std::time::Duration::from_millis(200), response.chunk()).await
            {
                next = more.unwrap();
            } else {
                assert!(!text_of(&chunks(&seen)).is_empty());
                return;
            }
        }
        panic!("the stream ended");
    }

    #[tokio::test]
    async fn a_broken_chunk_stands_between_good_ones() {
        let base = start().await;
        let body = post(&base, &ask("Explain tea\n/drill malformed", true)).await.text().await.unwrap();
        let frames: Vec<_> = body.split("\n\n").filter_map(|frame| frame.strip_prefix("data: ")).collect();
        let broken: Vec<_> = frames
            .iter()
            .enumerate()
            .filter(|(_, data)| **data != "[DONE]" && serde_json::from_str::<Value>(data).is_err())
            .map(|(at, _)| at)
            .collect();
        assert!(matches!(broken.as_slice(), [at] if *at > 1 && *at < frames.len() - 2), "{broken:?}");
    }

    #[tokio::test]
    async fn refusals_carry_their_status_headers_and_body() {
        let base = start().await;
        let limited = post(&base, &ask("/drill 429 7", true)).await;
        assert_eq!(
            (limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()),
            (429, "7")
        );
        let page = post(&base, &ask("/drill 500-html", true)).await;
        assert_eq!(page.status(), 500);
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        let unreadable = client().post(format!("{base}/chat/completions")).body("{").send().await.unwrap();
        assert_eq!(unreadable.status(), 400);
    }

    #[tokio::test]
    async fn tools_are_called_and_their_results_are_read() {
        let base = start().await;
        let mut body = ask("What is the weather in Oslo and Bergen?", false);
        body["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}}}}}]);
        let answer: Value = post(&base, &body).await.json().await.unwrap();
        let message = answer["choices"][0]["message"].clone();
        assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(message["tool_calls"].as_array().unwrap().len(), 2);

        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(message.clone());
        messages
            .push(json!({"role": "tool", "tool_call_id": message["tool_calls"][1]["id"], "content": "rain"}));
        let answer: Value = post(&base, &body).await.json().await.unwrap();
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.contains("**get_weather**: rain"), "{text}");
    }

    #[tokio::test]
    async fn a_picture_is_acknowledged() {
        let base = start().await;
        let mut body = ask("", false);
        body["messages"][0]["content"] = json!([
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ]);
        let answer: Value = post(&base, &body).await.json().await.unwrap();
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.contains("one picture (image/png, 1 KiB)"), "{text}");
    }

    #[tokio::test]
    async fn every_model_is_listed() {
        let base = start().await;
        let listed: Value =
            client().get(format!("{base}/models")).send().await.unwrap().json().await.unwrap();
        let ids: Vec<_> =
            listed["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
        assert_eq!(ids, crate::model_ids());
    }
}
