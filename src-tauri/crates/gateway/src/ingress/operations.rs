//! What is asked beside conversations, and where: embeddings and counts of tokens.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use canonical::Error;
use wire::counting::server::counting_dialect;
use wire::embeddings::server;
use wire::{Dialect, RequestHead};

use super::routes::{GEMINI, OPENAI, Port, authenticate, headers_of, read};
use super::{count, embeddings};

/// Where counts are asked for that have a path of their own.
const COUNTS: [(&str, &str); 2] =
    [("/v1/messages/count_tokens", "anthropic-messages"), ("/v1/responses/input_tokens", "openai-responses")];

/// `router` with the paths of what is asked beside conversations, for the dialects that we are
/// spoken to in.
pub(super) fn with_operations(mut router: Router<Port>) -> Router<Port> {
    if let Some(dialect) = wire::dialect(OPENAI) {
        let embed = move |State(port): State<Port>, request: Request| async move {
            embeddings::embed(&port, dialect, &server::OpenAi, None, request).await
        };
        router = router.route("/v1/embeddings", post(embed));
    }
    for (path, family) in COUNTS {
        let (Some(dialect), Some(form)) = (wire::dialect(family), counting_dialect(family)) else { continue };
        let count = move |State(port): State<Port>, request: Request| async move {
            count::count(&port, dialect, form, None, request).await
        };
        router = router.route(path, post(count));
    }
    router
}

/// One of Google's calls that is no conversation; the request again where `method` is none of them.
pub(super) async fn call(
    port: &Port,
    dialect: &'static dyn Dialect,
    model: &str,
    method: &str,
    request: Request,
) -> Result<Response, Request> {
    const SINGLE: server::Gemini = server::Gemini { is_batch: false };
    const BATCH: server::Gemini = server::Gemini { is_batch: true };
    match (method, counting_dialect(GEMINI)) {
        ("embedContent", _) => Ok(embeddings::embed(port, dialect, &SINGLE, Some(model), request).await),
        ("batchEmbedContents", _) => Ok(embeddings::embed(port, dialect, &BATCH, Some(model), request).await),
        ("countTokens", Some(form)) => Ok(count::count(port, dialect, form, Some(model), request).await),
        _ => Err(request),
    }
}

/// What is asked, read by `decode`, and the client that asks: key first, so that a stranger's body
/// is not kept.
pub(super) async fn opened<T>(
    port: &Port,
    dialect: &dyn Dialect,
    model: Option<&str>,
    request: Request,
    decode: impl FnOnce(&RequestHead<'_>, &[u8]) -> Result<T, Error>,
) -> Result<(T, String), Error> {
    let (head, body) = request.into_parts();
    let limit = port.core.snapshot().config.limits.max_body_bytes;
    match authenticate(port, &head.headers, &head.uri).await {
        Ok(client) => {
            let refused = |error: &Error| port.refused(Some(&client), dialect, error);
            let body = read(body, limit).await.inspect_err(refused)?;
            let headers = headers_of(&head.headers);
            let query = head.uri.query();
            let head = RequestHead { model, query, headers: Some(&headers), ..RequestHead::default() };
            let request = decode(&head, &body).inspect_err(refused)?;
            Ok((request, client))
        }
        Err(error) => {
            port.refused(None, dialect, &error);
            let _ = read(body, 0).await;
            Err(error)
        }
    }
}
