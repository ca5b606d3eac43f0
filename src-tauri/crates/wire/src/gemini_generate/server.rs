//! They call us: a local client that speaks generateContent.
//!
//! - [`request`]: its body → a canonical request; [`names`] makes one spelling of the many it may
//!   have, [`schema`] makes JSON Schema of Google's own.
//! - [`answer`]: a whole answer → `GenerateContentResponse`; [`stream`]: events → chunks of the same
//!   form, as server-sent events or, without `alt=sse`, as one JSON array.
//! - [`error`]: an error → Google's status object, which its SDKs raise.
//!
//! The model stands in the path: `/v1beta/models/MODEL:generateContent`.

mod answer;
mod contents;
mod error;
mod names;
mod request;
#[cfg(test)]
mod request_tests;
mod schema;
mod stream;
#[cfg(test)]
mod stream_tests;

use canonical::{ChatRequest, ChatResponse, Error};

use super::FAMILY;
use crate::{AnswerContext, Dialect, RequestHead, StreamEncoder};

#[derive(Debug)]
pub struct GeminiGenerate;

impl Dialect for GeminiGenerate {
    fn family(&self) -> &'static str {
        FAMILY
    }

    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        request::decode(head, body)
    }

    fn encode_response(&self, response: &ChatResponse, context: &AnswerContext) -> Vec<u8> {
        answer::encode(response, context).to_string().into_bytes()
    }

    fn stream_encoder(&self, context: &AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(context))
    }

    fn encode_error(&self, error: &Error, request_id: Option<&str>) -> (u16, Vec<u8>) {
        (error::status(error).0, error::body(error, request_id).to_string().into_bytes())
    }
}
