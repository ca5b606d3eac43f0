//! Texts for vectors, in the client's own dialect.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use canonical::{EmbeddingRequest, Error};
use wire::{AnswerContext, Dialect, EmbeddingsDialect};

use super::operations::opened;
use super::reply::{self, ESTIMATED};
use super::routes::Port;
use crate::engine::{self, Caller, embed};

/// Answers one request; `model` is what the path says of it, where it says something.
pub(super) async fn embed(
    port: &Port,
    dialect: &'static dyn Dialect,
    form: &'static dyn EmbeddingsDialect,
    model: Option<&str>,
    request: Request,
) -> Response {
    let opened = opened(port, dialect, model, request, |head, body| form.decode_request(head, body)).await;
    match opened {
        Ok((request, client)) => answer(port, dialect, form, request, client).await,
        Err(error) => reply::refusal(dialect, &error, None),
    }
}

async fn answer(
    port: &Port,
    dialect: &'static dyn Dialect,
    form: &'static dyn EmbeddingsDialect,
    request: EmbeddingRequest,
    client: String,
) -> Response {
    let request = Arc::new(request);
    let caller = Caller { client: Some(client), dialect: dialect.family(), ..Caller::default() };
    let running = embed::embed(&port.core, Arc::clone(&request), caller);
    let context = AnswerContext {
        request_id: running.request_id.clone(),
        requested_model: request.model.clone(),
        created: port.core.clock.now_ms() / 1000,
        ..AnswerContext::default()
    };
    let Ok(embedded) = running.answer.await else {
        return reply::refusal(dialect, &reply::no_answer(), Some(&running.request_id));
    };
    let engine::Ending { error, receipt, .. } = embedded.ending;
    let mut response = match (embedded.response, error) {
        (Some(response), None) => {
            let mut answer = reply::json(StatusCode::OK, form.encode_response(&response, &request, &context));
            if response.usage.is_some_and(|usage| usage.is_estimated) {
                reply::insert(answer.headers_mut(), ESTIMATED, "true");
            }
            reply::insert(answer.headers_mut(), reply::REQUEST_ID, &running.request_id);
            answer
        }
        (_, error) => {
            let error: Error = error.unwrap_or_else(reply::no_answer);
            reply::refusal(dialect, &error, Some(&running.request_id))
        }
    };
    reply::mark(&mut response, &receipt);
    response
}
