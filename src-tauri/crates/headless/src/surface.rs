//! The control surface and the page over loopback HTTP.
//!
//! `POST /control/<command>` with JSON in and out; `GET /control/events` and
//! `GET /control/watch/<message>?since=N` as server-sent events; everything else is the page.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use control::{Control, ControlError, ControlErrorKind};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tower_http::services::ServeDir;

use crate::guard::{Guard, Refusal};

/// The page may load what we serve and nothing else, and nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; object-src 'none'; frame-src 'none'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A long prompt, a settings file.
const MAX_BODY_BYTES: usize = 16 << 20;

const NO_PAGE: &str = "The page is not built. Build it with `npm run build` in ui/ and start signalboxd again, \
     or name its folder with --ui. The port and the control surface work without it.\n";

/// Everything that is served beside the port.
pub(crate) fn router(control: Arc<Control>, guard: Arc<Guard>, page: Option<PathBuf>) -> Router {
    let surface = Router::new()
        .route("/control/events", get(events))
        .route("/control/watch/{message_id}", get(watch))
        .route("/control/{name}", post(command))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&guard), need_token))
        .with_state(control);
    let surface = match page {
        Some(folder) => surface.fallback_service(ServeDir::new(folder)),
        None => surface.fallback(async || (StatusCode::NOT_FOUND, NO_PAGE)),
    };
    surface
        .layer(middleware::from_fn_with_state(guard, need_place))
        .layer(middleware::map_response(add_headers))
}

async fn need_place(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check_place(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(refusal),
    }
}

async fn need_token(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.check_token(request.headers()) {
        Ok(()) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refuse(refusal),
    }
}

fn refuse(refusal: Refusal) -> Response {
    let (status, kind, message) = match refusal {
        Refusal::Host => (StatusCode::MISDIRECTED_REQUEST, "forbidden", "This address is not served here."),
        Refusal::Origin => (StatusCode::FORBIDDEN, "forbidden", "Other pages may not use Signalbox."),
        Refusal::Token => (
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "The token is missing or wrong. Open the address that signalboxd printed when it started.",
        ),
    };
    error_response(status, kind, message)
}

async fn add_headers(mut response: Response) -> Response {
    for (name, value) in &HEADERS {
        response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
    }
    // A browser would else show the page of the version before for a while.
    let caching = response.headers_mut().entry(header::CACHE_CONTROL);
    caching.or_insert(HeaderValue::from_static("no-cache"));
    response
}

async fn command(State(control): State<Arc<Control>>, Path(name): Path<String>, body: Bytes) -> Response {
    let args = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let Ok(args) = args else {
        let error = ControlError::new(ControlErrorKind::InvalidArgs, "The body is not JSON.");
        return control_error(&error);
    };
    match control.dispatch(&name, args).await {
        Ok(result) => axum::Json(result).into_response(),
        Err(error) => control_error(&error),
    }
}

fn control_error(error: &ControlError) -> Response {
    use ControlErrorKind as Kind;
    let status = match error.kind {
        Kind::UnknownCommand | Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::InvalidArgs | Kind::Invalid | Kind::Settings => StatusCode::BAD_REQUEST,
        Kind::Conflict | Kind::Busy | Kind::Port | Kind::AlreadyRunning => StatusCode::CONFLICT,
        Kind::KeychainAbsent | Kind::KeychainLocked | Kind::KeychainError => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Provider => StatusCode::BAD_GATEWAY,
        Kind::Ledger | Kind::LedgerCorrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = json!({ "error": error });
    (status, axum::Json(body)).into_response()
}

fn error_response(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, axum::Json(json!({ "error": { "kind": kind, "message": message } }))).into_response()
}

async fn events(State(control): State<Arc<Control>>) -> Response {
    let source = control.subscribe();
    let events = stream::unfold(source, |mut source| async move {
        loop {
            match source.recv().await {
                Ok(event) => {
                    let data = Event::default().event(event.name()).data(event.data().to_string());
                    return Some((Ok(data), source));
                }
                // The page reads its state anew with the next event.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    sse(events)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Since {
    since: u64,
}

async fn watch(
    State(control): State<Arc<Control>>,
    Path(message_id): Path<String>,
    Query(Since { since }): Query<Since>,
) -> Response {
    match control.watch(&message_id, since).await {
        Ok(items) => sse(items.map(|item| {
            // Texts and numbers: there is nothing in an item that JSON cannot say.
            let data = serde_json::to_string(&item).unwrap_or_default();
            Ok(Event::default().data(data))
        })),
        Err(error) => control_error(&error),
    }
}

fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
