//! They call us: a local client that speaks Chat Completions.
//!
//! - [`request`]: its body → a canonical request, built with [`crate::fields`].
//! - [`answer`]: a whole answer → `chat.completion`; [`stream`]: events → chunks.
//! - [`error`]: an error → OpenAI's error object and status, which its SDKs turn into classes.

mod answer;
pub(crate) mod error;
mod request;
mod stream;

use canonical::{ChatRequest, ChatResponse, Error};

use super::types::FAMILY;
use crate::{AnswerContext, Dialect, RequestHead, StreamEncoder};

#[derive(Debug)]
pub struct OpenAiChat;

impl Dialect for OpenAiChat {
    fn family(&self) -> &'static str {
        FAMILY
    }

    fn decode_request(&self, _: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error> {
        request::decode(body)
    }

    fn encode_response(&self, response: &ChatResponse, context: &AnswerContext) -> Vec<u8> {
        answer::encode(response, context).to_string().into_bytes()
    }

    fn stream_encoder(&self, context: &AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(context))
    }

    fn encode_error(&self, error: &Error, request_id: Option<&str>) -> (u16, Vec<u8>) {
        (error::status(error), error::body(error, request_id).to_string().into_bytes())
    }
}
