//! Google's `:countTokens`. <https://ai.google.dev/api/tokens>; Vertex takes the request's fields
//! without an envelope and counts no call's configuration:
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/count-tokens>.

use canonical::{ChatRequest, Error, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Counting, body_with, counted, invalid};
use crate::gemini_generate::client::GeminiGenerate;
use crate::gemini_generate::models;
use crate::json::lenient;
use crate::{HttpRequest, Protocol as _, TargetContext};

const FIELDS: [&str; 6] =
    ["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "cachedContent"];

const VERTEX_FIELDS: [&str; 4] = ["contents", "systemInstruction", "tools", "generationConfig"];

#[derive(Debug)]
pub struct Gemini;

impl Counting for Gemini {
    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        let sent = GeminiGenerate.encode_request(&counted(request), target)?;
        let path = models::path(target.model).unwrap_or_default();
        let body = if target.quirks.vertex_forms {
            Value::Object(body_with(&sent, &VERTEX_FIELDS))
        } else {
            let mut inner = body_with(&sent, &FIELDS);
            inner.insert("model".into(), path.trim_start_matches('/').into());
            json!({ "generateContentRequest": inner })
        };
        Ok(HttpRequest::post(format!("{path}:countTokens"), body.to_string().into_bytes()))
    }

    fn decode(&self, body: &[u8]) -> Result<Usage, Error> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| invalid())?;
        let mut usage = answer.prompt_tokens_details.unwrap_or_default().within(answer.total_tokens);
        usage.cache_read_tokens = answer.cached_content_token_count.unwrap_or(0).min(usage.input_tokens);
        Ok(usage)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    total_tokens: u64,
    #[serde(default, deserialize_with = "lenient")]
    cached_content_token_count: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens_details: Option<Modalities>,
}

/// Tokens by what they were.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Modalities(Vec<Modality>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modality {
    #[serde(default)]
    modality: String,
    #[serde(default, deserialize_with = "lenient")]
    token_count: Option<u64>,
}

impl Modalities {
    /// As input of `total` tokens.
    pub(crate) fn within(&self, total: u64) -> Usage {
        let of = |word: &str| {
            let said = self.0.iter().filter(|it| it.modality == word).filter_map(|it| it.token_count);
            said.fold(0, u64::saturating_add).min(total)
        };
        Usage {
            input_tokens: total,
            input_image_tokens: of("IMAGE"),
            input_audio_tokens: of("AUDIO"),
            input_video_tokens: of("VIDEO"),
            ..Usage::default()
        }
    }
}
