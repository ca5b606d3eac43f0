//! How many tokens a request is, before it is sent for good.
//!
//! A vendor's count takes the request of its own chat in another envelope: each form here writes
//! the chat request first and keeps what the count takes. [`server`] is how clients ask us.

pub mod anthropic;
pub mod bedrock;
pub mod gemini;
pub mod responses;
pub mod server;

use canonical::{ChatRequest, Error, ErrorKind, Origin, Usage};
use serde_json::{Map, Value};

use crate::{HttpRequest, RequestHead, TargetContext};

/// How a provider is asked to count.
pub trait Counting: Send + Sync {
    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error>;

    /// The input's tokens, as far as the provider tells its parts (status 200).
    fn decode(&self, body: &[u8]) -> Result<Usage, Error>;
}

/// How a local client asks us to count. Its errors are those of its family's dialect.
pub trait CountingDialect: Send + Sync {
    /// The family's name, as in the corpus (`anthropic-messages`).
    fn family(&self) -> &'static str;

    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error>;

    fn encode_response(&self, usage: &Usage) -> Vec<u8>;
}

/// The chat request's body with those of its fields that a count takes.
fn body_with(sent: &HttpRequest, fields: &[&str]) -> Map<String, Value> {
    let mut body = match serde_json::from_slice(&sent.body) {
        Ok(Value::Object(body)) => body,
        _ => Map::new(),
    };
    body.retain(|name, _| fields.contains(&name.as_str()));
    body
}

/// The one count that most answers are.
fn count(body: &[u8], field: &str) -> Result<Usage, Error> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| invalid())?;
    let input_tokens = answer.get(field).and_then(Value::as_u64).ok_or_else(invalid)?;
    Ok(Usage { input_tokens, ..Usage::default() })
}

fn invalid() -> Error {
    Error::new(ErrorKind::InvalidResponse, Origin::Provider, "The provider's answer is no count of tokens.")
}

/// The request as it is counted: whole, never as a stream.
fn counted(request: &ChatRequest) -> ChatRequest {
    ChatRequest { stream: false, ..request.clone() }
}
