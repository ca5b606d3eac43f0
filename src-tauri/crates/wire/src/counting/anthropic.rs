//! Anthropic's `POST /messages/count_tokens`.
//! <https://docs.claude.com/en/api/messages-count-tokens>

use canonical::{ChatRequest, Error, Usage};
use serde_json::Value;

use super::{Counting, body_with, count, counted};
use crate::anthropic_messages::client::AnthropicMessages;
use crate::{HttpRequest, Protocol as _, TargetContext};

/// Others are refused.
const FIELDS: [&str; 10] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "mcp_servers",
    "context_management",
];

#[derive(Debug)]
pub struct Anthropic;

impl Counting for Anthropic {
    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        let mut sent = AnthropicMessages.encode_request(&counted(request), target)?;
        let body = body_with(&sent, &FIELDS);
        sent.path = "/messages/count_tokens".into();
        sent.body = Value::Object(body).to_string().into_bytes();
        Ok(sent)
    }

    fn decode(&self, body: &[u8]) -> Result<Usage, Error> {
        count(body, "input_tokens")
    }
}
