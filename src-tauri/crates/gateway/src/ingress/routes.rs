//! What the port answers where.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use canonical::{Error, ErrorKind, Origin};
use futures_util::StreamExt;
use wire::{AnswerContext, Dialect, verbatim};

use super::auth::Keyring;
use super::refused::Refusals;
use super::{guard, models, operations, reply};
use crate::core::Core;
use crate::engine::{self, Caller, Hints, Inbound};

/// The family whose clients also ask for `/v1/models`, and whose errors most clients can read.
pub(super) const OPENAI: &str = "openai-chat";
pub(super) const GEMINI: &str = "gemini-generate";
const ANTHROPIC: &str = "anthropic-messages";

/// What an error about any other path names.
const KNOWN_PATHS: [&str; 7] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/embeddings",
    "/v1beta/models/MODEL:generateContent",
    "/v1beta/models/MODEL:streamGenerateContent",
];

/// The paths of the dialects that have one path for everything. Gemini's name the model: see
/// [`call_of_path`].
const PATHS: [(&str, &str); 3] =
    [("/v1/chat/completions", OPENAI), ("/v1/messages", ANTHROPIC), ("/v1/responses", "openai-responses")];

/// How much of a refused body is read past the limit before the connection is closed on it.
const MAX_THROWN_AWAY: usize = 64 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Port {
    pub core: Arc<Core>,
    pub keyring: Arc<Keyring>,
    pub refusals: Arc<Refusals>,
}

impl Port {
    /// Books a refusal ahead of any request of the engine's.
    pub(super) fn refused(&self, client: Option<&str>, dialect: &dyn Dialect, error: &Error) {
        let status = dialect.encode_error(error, None).0;
        self.refusals.note(&self.core, client, dialect.family(), error, status);
    }
}

pub(super) fn router(port: Port) -> Router {
    let mut router = Router::new();
    for (path, family) in PATHS {
        let Some(dialect) = wire::dialect(family) else { continue };
        router = router.route(
            path,
            post(move |State(port): State<Port>, request: Request| async move {
                converse(&port, dialect, None, false, request).await
            }),
        );
    }
    let one_model = match wire::dialect(GEMINI) {
        Some(dialect) => {
            let call = move |State(port): State<Port>, Path(call): Path<String>, request: Request| async move {
                call_of_path(&port, dialect, &call, request).await
            };
            let tuned = move |state: State<Port>, Path(id): Path<String>, request: Request| {
                call(state, Path(format!("tunedModels/{id}")), request)
            };
            router = router
                .route("/v1beta/models/{*id}", get(models::one).post(call))
                .route("/v1beta/tunedModels/{*id}", post(tuned))
                .route("/v1/tunedModels/{*id}", post(tuned));
            get(models::one).post(call)
        }
        None => get(models::one),
    };
    operations::with_operations(router)
        .route("/v1/models", get(models::list))
        .route("/v1beta/models", get(models::list))
        .route("/v1/models/{*id}", one_model)
        .route("/healthz", get(health))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(guarded))
        .with_state(port)
}

/// Every path passes here first, those that do not exist as well.
async fn guarded(request: Request, next: Next) -> Response {
    match guard::check(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(error) => refuse(&error, request.uri(), request.headers()),
    }
}

/// Says that the gateway answers; asks for no key and tells nothing else.
async fn health() -> Response {
    reply::json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec())
}

/// Gemini's calls: the model and what is asked of it stand in the path (`MODEL:generateContent`).
async fn call_of_path(port: &Port, dialect: &'static dyn Dialect, call: &str, request: Request) -> Response {
    match call.rsplit_once(':') {
        Some((model, "generateContent")) => converse(port, dialect, Some(model), false, request).await,
        Some((model, "streamGenerateContent")) => converse(port, dialect, Some(model), true, request).await,
        Some((model, method)) => match operations::call(port, dialect, model, method, request).await {
            Ok(response) => response,
            Err(request) => {
                unknown_path(request.method().clone(), request.uri().clone(), request.headers().clone()).await
            }
        },
        None => {
            unknown_path(request.method().clone(), request.uri().clone(), request.headers().clone()).await
        }
    }
}

/// A conversation's next answer, in the client's own dialect. `model` and `stream` are what the
/// path says of it, where it says something.
async fn converse(
    port: &Port,
    dialect: &'static dyn Dialect,
    model: Option<&str>,
    stream: bool,
    request: Request,
) -> Response {
    let query = request.uri().query().map(str::to_owned);
    match accept(port, dialect, model, stream, request).await {
        Ok((request, client, hints, inbound)) => {
            let (requested_model, include_usage) = (request.model.clone(), request.include_usage);
            let (wants_stream, hide_reasoning) = (request.stream, request.hide_reasoning);
            let caller = Caller {
                client: Some(client),
                dialect: dialect.family(),
                hints,
                inbound: Some(inbound),
                ..Caller::default()
            };
            let echo = dialect.echo(&request);
            let running = engine::chat(&port.core, request, caller);
            let context = AnswerContext {
                request_id: running.request_id.clone(),
                requested_model,
                created: port.core.clock.now_ms() / 1000,
                include_usage,
                hide_reasoning,
                query,
                echo,
            };
            reply::answer(dialect, running, context, wants_stream).await
        }
        Err(error) => reply::refusal(dialect, &error, None),
    }
}

/// Who asks, and what: key first, so that a stranger's body is not kept.
async fn accept(
    port: &Port,
    dialect: &dyn Dialect,
    model: Option<&str>,
    stream: bool,
    request: Request,
) -> Result<(canonical::ChatRequest, String, Hints, Inbound), Error> {
    let (head, body) = request.into_parts();
    let limit = port.core.snapshot().config.limits.max_body_bytes;
    match authenticate(port, &head.headers, &head.uri).await {
        Ok(client) => {
            let (headers, pairs) = (headers_of(&head.headers), query_of(&head.uri));
            let query = head.uri.query();
            let head = wire::RequestHead { model, stream, query, headers: Some(&headers) };
            let refused = |error: &Error| port.refused(Some(&client), dialect, error);
            let body = read(body, limit).await.inspect_err(refused)?;
            let request = dialect.decode_request(&head, &body).inspect_err(refused)?;
            let hints = Hints::of(&headers);
            let headers = verbatim::passed(&headers);
            let inbound = Inbound { family: dialect.family(), body: body.into(), headers, query: pairs };
            Ok((request, client, hints, inbound))
        }
        Err(error) => {
            port.refused(None, dialect, &error);
            let _ = read(body, 0).await;
            Err(error)
        }
    }
}

/// Values that are no text are left out.
pub(super) fn headers_of(headers: &HeaderMap) -> wire::Headers {
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// The parameters of the URL without the one that may hold a client's key.
fn query_of(uri: &Uri) -> Vec<(String, String)> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Vec::new() };
    pairs.into_iter().filter(|(name, _)| name != "key").collect()
}

pub(super) async fn authenticate(port: &Port, headers: &HeaderMap, uri: &Uri) -> Result<String, Error> {
    port.keyring.client(headers, uri, &port.core.ledger, port.core.clock).await
}

/// The whole body, unless it is larger than `limit`: then it is read and thrown away, as far as is
/// reasonable, because a client that is still sending would see a broken connection and not the
/// answer.
pub(super) async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Error> {
    let (mut bytes, mut thrown_away) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Error::new(ErrorKind::Cancelled, Origin::Caller, "The request broke off before its end.")
        })?;
        if thrown_away > 0 || bytes.len() + chunk.len() > limit {
            thrown_away += bytes.len() + chunk.len();
            bytes = Vec::new();
            if thrown_away > limit.saturating_add(MAX_THROWN_AWAY) {
                break;
            }
        } else {
            bytes.extend_from_slice(&chunk);
        }
    }
    if thrown_away == 0 {
        return Ok(bytes);
    }
    Err(Error::new(
        ErrorKind::PayloadTooLarge,
        Origin::Caller,
        format!("The request is larger than {limit} bytes (limits.max_body_bytes in the settings)."),
    ))
}

async fn unknown_path(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    // Not `NotFound`: in these dialects that is a model's.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let error = match better_base(uri.path()) {
        Some((why, base)) => Error::caller(format!(
            "Signalbox has no {method} {}: {why}. Give the client the base URL http://{host}{base} instead.",
            uri.path()
        )),
        None => Error::caller(format!(
            "Signalbox has no {method} {}. It answers POST {}, GET /v1/models and GET /healthz.",
            uri.path(),
            KNOWN_PATHS.join(", "),
        )),
    }
    .with_code("unknown_path");
    let mut response = refuse(&error, &uri, &headers);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// What a client's base URL should end in, where its path shows that it is another one, and why. Some
/// clients add the version themselves, some want it in the address.
fn better_base(path: &str) -> Option<(&'static str, &'static str)> {
    let is_known = |path: &str| {
        let roots = ["/chat/completions", "/responses", "/messages", "/embeddings", "/models"];
        roots
            .iter()
            .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let behind = |version: &str| path.strip_prefix(version).filter(|rest| is_known(rest));
    if behind("/v1/v1").or(behind("/v1/v1beta")).or(behind("/v1beta/v1beta")).is_some() {
        return Some(("the version stands in it twice, because this client adds one by itself", ""));
    }
    behind("").map(|_| ("the version is missing in it", "/v1"))
}

async fn wrong_method(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let error =
        Error::caller(format!("{} does not take {method}.", uri.path())).with_code("method_not_allowed");
    let mut response = refuse(&error, &uri, &headers);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// An error outside of any dialect's own path, in the shape that the client most likely reads.
fn refuse(error: &Error, uri: &Uri, headers: &HeaderMap) -> Response {
    match wire::dialect(likely_family(uri.path(), headers)).or_else(|| wire::dialect(OPENAI)) {
        Some(dialect) => reply::refusal(dialect, error, None),
        None => reply::json(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    }
}

/// Whose client asks for a path that nobody has: each vendor's paths and headers tell.
fn likely_family(path: &str, headers: &HeaderMap) -> &'static str {
    if path.starts_with("/v1beta/") || headers.contains_key("x-goog-api-key") {
        GEMINI
    } else if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        ANTHROPIC
    } else {
        OPENAI
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_shows_a_wrong_base_url_says_the_right_one() {
        for (path, expected) in [
            ("/v1/v1/chat/completions", Some("")),
            ("/v1/v1/messages", Some("")),
            ("/v1/v1/messages/count_tokens", Some("")),
            ("/v1/v1beta/models/gemini-3-pro:generateContent", Some("")),
            ("/chat/completions", Some("/v1")),
            ("/responses", Some("/v1")),
            ("/models", Some("/v1")),
            ("/v1/audio/speech", None),
            ("/v1/v1/audio/speech", None),
            ("/modelsX", None),
            ("/", None),
        ] {
            assert_eq!(better_base(path).map(|(_, base)| base), expected, "{path}");
        }
    }
}
