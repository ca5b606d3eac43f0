//! An error in the middle of an answer.
//! <https://platform.openai.com/docs/api-reference/responses-streaming/error>
//!
//! Before the answer, errors are those of Chat Completions: object, status and words.

use canonical::Error;
use serde_json::{Map, Value, json};

use super::openai_error;

/// The fields of an `error` event. The SDKs hand it on as an event and go on reading.
pub(super) fn event(error: &Error, request_id: &str) -> Map<String, Value> {
    let mut body = openai_error::body(error, Some(request_id));
    let mut said = |name: &str| body["error"][name].take();
    Map::from_iter([
        ("code".to_owned(), said("code")),
        ("message".to_owned(), said("message")),
        ("param".to_owned(), said("param")),
        ("request_id".to_owned(), said("request_id")),
    ])
}

/// The `error` of a response that failed; its code is never missing.
pub(super) fn of_response(error: &Error) -> Value {
    let body = openai_error::body(error, None);
    let code = body["error"]["code"].as_str().unwrap_or("server_error");
    json!({"code": code, "message": error.message})
}
