//! They call us: a local client that speaks Anthropic's Messages.
//!
//! - [`request`]: its body → a canonical request, built with [`crate::fields`]; [`messages`]: the
//!   conversation in it.
//! - [`answer`]: a whole answer → a message; [`stream`]: events → the message's events, with calls'
//!   arguments by [`input_json`]; [`usage`]: the counts of both.
//! - [`error`]: an error → Anthropic's error object and status, which its SDKs turn into classes.

mod answer;
mod error;
mod input_json;
mod messages;
mod request;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use canonical::{ChatRequest, ChatResponse, Error};

use super::FAMILY;
use crate::{AnswerContext, Dialect, RequestHead, StreamEncoder};

#[derive(Debug)]
pub struct AnthropicMessages;

impl Dialect for AnthropicMessages {
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
        (error::status(error), error::body(error, request_id).to_string().into_bytes())
    }
}
