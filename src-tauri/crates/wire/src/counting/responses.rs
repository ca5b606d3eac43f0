//! OpenAI's `POST /responses/input_tokens`.
//! <https://platform.openai.com/docs/api-reference/responses/input-tokens>

use canonical::{ChatRequest, Error, Usage};
use serde_json::Value;

use super::{Counting, body_with, count, counted};
use crate::openai_responses::client::OpenAiResponses;
use crate::{HttpRequest, Protocol as _, TargetContext};

const FIELDS: [&str; 11] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
    "conversation",
    "previous_response_id",
];

#[derive(Debug)]
pub struct Responses;

impl Counting for Responses {
    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        let mut sent = OpenAiResponses.encode_request(&counted(request), target)?;
        let body = body_with(&sent, &FIELDS);
        sent.path = "/responses/input_tokens".into();
        sent.body = Value::Object(body).to_string().into_bytes();
        Ok(sent)
    }

    fn decode(&self, body: &[u8]) -> Result<Usage, Error> {
        count(body, "input_tokens")
    }
}
