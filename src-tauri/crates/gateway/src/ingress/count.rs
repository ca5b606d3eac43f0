//! How many tokens a request is, in the client's own dialect. `x-signalbox-estimated` says where the
//! number is ours.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use wire::{CountingDialect, Dialect};

use super::operations::opened;
use super::reply::{self, ESTIMATED};
use super::routes::Port;
use crate::engine::count;

/// Answers one request; `model` is what the path says of it, where it says something.
pub(super) async fn count(
    port: &Port,
    dialect: &'static dyn Dialect,
    form: &'static dyn CountingDialect,
    model: Option<&str>,
    request: Request,
) -> Response {
    let opened = opened(port, dialect, model, request, |head, body| form.decode_request(head, body)).await;
    let request = match opened {
        Ok((request, _)) => request,
        Err(error) => return reply::refusal(dialect, &error, None),
    };
    match count::count(&port.core, request).await {
        Ok(counted) => {
            let mut response = reply::json(StatusCode::OK, form.encode_response(&counted.usage));
            if counted.usage.is_estimated {
                reply::insert(response.headers_mut(), ESTIMATED, "true");
            }
            reply::name(&mut response, Some(&counted.provider), Some(&counted.model));
            response
        }
        Err(error) => reply::refusal(dialect, &error, None),
    }
}
