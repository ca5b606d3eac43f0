//! They call us: a local client that speaks Responses.
//!
//! - [`request`]: its body → a canonical request; [`input`] reads the items, [`tools`] the tools.
//! - [`stream`]: events → the client's events, with the items of [`items`]; a whole answer takes the
//!   same way, so both are one. [`answer`] is the object that all of them speak of.
//! - [`envelope`]: how another maker's proof of thought travels to the client and back.
//! - [`error`]: an error, before the answer and in the middle of it.

mod answer;
mod envelope;
mod error;
mod input;
mod items;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use canonical::fold::unfold;
use canonical::{ChatRequest, ChatResponse, Error};
use serde_json::{Map, Value};

use super::FAMILY;
use crate::openai_chat::server::error as openai_error;
use crate::{AnswerContext, Dialect, RequestHead, StreamEncoder};

#[derive(Debug)]
pub struct OpenAiResponses;

impl Dialect for OpenAiResponses {
    fn family(&self) -> &'static str {
        FAMILY
    }

    fn decode_request(&self, _: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        request::decode(body)
    }

    fn encode_response(&self, response: &ChatResponse, context: &AnswerContext) -> Vec<u8> {
        stream::Encoder::whole(&unfold(response), context).to_string().into_bytes()
    }

    fn stream_encoder(&self, context: &AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(context))
    }

    fn encode_error(&self, error: &Error, request_id: Option<&str>) -> (u16, Vec<u8>) {
        (openai_error::status(error), openai_error::body(error, request_id).to_string().into_bytes())
    }

    /// The official SDKs' types demand some of the request's settings in every answer.
    fn echo(&self, request: &ChatRequest) -> Map<String, Value> {
        answer::echo(request)
    }
}

/// Behind the kind of an id, what marks it as ours: no provider knows the item, so it is taken off
/// when the client sends the item back.
const OUR_MARK: &str = "sbx_";

/// Whether a request's bytes may hold an id of ours: then they cannot go to a provider as they are.
pub(crate) fn has_minted(body: &[u8]) -> bool {
    memchr::memmem::find(body, format!("_{OUR_MARK}").as_bytes()).is_some()
}

/// An id for item `number` of the answer to `request_id`; `kind` is OpenAI's prefix (`msg`, `fc`, …).
fn mint(kind: &str, request_id: &str, number: usize) -> String {
    format!("{kind}_{OUR_MARK}{request_id}_{number}")
}

fn is_ours(id: &str) -> bool {
    id.split_once('_').is_some_and(|(_, rest)| rest.starts_with(OUR_MARK))
}
