//! Bedrock's `POST /model/ID/count-tokens`, of a Converse request.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html>

use canonical::{ChatRequest, Error, Usage};
use serde_json::json;

use super::{Counting, body_with, count, counted};
use crate::bedrock_converse::client::{BedrockConverse, escaped};
use crate::{HttpRequest, Protocol as _, TargetContext};

const FIELDS: [&str; 4] = ["messages", "system", "toolConfig", "additionalModelRequestFields"];

/// Before the model's id where it runs in any of several regions. Such a profile cannot count, the
/// model behind it can (recorded: "The provided model doesn't support counting tokens.").
const PROFILES: [&str; 9] = ["us.", "eu.", "apac.", "global.", "jp.", "au.", "ca.", "us-gov.", "sa."];

#[derive(Debug)]
pub struct Bedrock;

impl Counting for Bedrock {
    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        let sent = BedrockConverse.encode_request(&counted(request), target)?;
        let body = json!({ "input": { "converse": body_with(&sent, &FIELDS) } });
        let model = PROFILES.iter().find_map(|prefix| target.model.strip_prefix(prefix));
        let path = format!("/model/{}/count-tokens", escaped(model.unwrap_or(target.model)));
        Ok(HttpRequest::post(path, body.to_string().into_bytes()))
    }

    fn decode(&self, body: &[u8]) -> Result<Usage, Error> {
        count(body, "inputTokens")
    }
}
