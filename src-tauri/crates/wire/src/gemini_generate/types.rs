//! The wire types, field for field: <https://ai.google.dev/api/generate-content> and, on Vertex,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>.
//!
//! Answers are read leniently (a field of the wrong type counts as absent); parts stay JSON until
//! their kind is known. Enums may come as numbers where a client asked for
//! `$alt=json;enum-encoding=int`.

use std::borrow::Cow;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::json::reading::lenient_objects;
use crate::json::{LooseFields, lenient, open_object};

// Requests.

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateContentRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<Content>,
    pub contents: Vec<Content>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<Value>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    pub generation_config: GenerationConfig,
}

#[derive(Debug, Serialize)]
pub struct Content {
    /// `user` or `model`; a system instruction has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    pub parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    #[serde(flatten)]
    pub data: Data,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought_signature: Option<String>,
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Data {
    Text(String),
    InlineData(Blob),
    FileData(FileData),
    FunctionCall(FunctionCall),
    FunctionResponse(FunctionResponse),
    /// A part kept as it came.
    #[serde(untagged)]
    Opaque(Map<String, Value>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blob {
    pub mime_type: String,
    pub data: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileData {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    pub file_uri: String,
}

#[derive(Debug, Serialize)]
pub struct FunctionCall {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub name: String,
    pub args: Value,
}

#[derive(Debug, Serialize)]
pub struct FunctionResponse {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub name: String,
    pub response: Value,
    /// Media that the function gave back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// `willContinue`, `scheduling`.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionDeclaration {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_json_schema: Option<Value>,
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_json_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_config: Option<ThinkingConfig>,
}

impl GenerationConfig {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThinkingConfig {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_thoughts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<&'static str>,
}

// Answers.

/// A whole answer, or one chunk of a stream: they have the same form.
#[derive(Debug, Default)]
pub struct GenerateContentResponse<'a> {
    pub candidates: Option<Vec<Candidate<'a>>>,
    pub prompt_feedback: Option<Box<PromptFeedback>>,
    pub usage_metadata: Option<UsageMetadata>,
    pub model_version: Option<Cow<'a, str>>,
    pub response_id: Option<Cow<'a, str>>,
    pub error: Value,
    /// `createTime`, `modelStatus`, …
    pub rest: Map<String, Value>,
}

open_object!(GenerateContentResponse<'de> {
    "candidates" => candidates: Objects,
    "promptFeedback" => prompt_feedback: Object,
    "usageMetadata" => usage_metadata: Object,
    "modelVersion" => model_version: Text,
    "responseId" => response_id: Text,
    "error" => error: Strict,
});

#[derive(Debug, Default)]
pub struct Candidate<'a> {
    pub index: Option<u32>,
    pub content: Option<CandidateContent<'a>>,
    /// A word or its number.
    pub finish_reason: Option<Value>,
    /// `finishMessage`, `safetyRatings`, `groundingMetadata`, `citationMetadata`, `logprobsResult`,
    /// `avgLogprobs`, `urlContextMetadata`, …
    pub rest: Map<String, Value>,
}

open_object!(Candidate<'de> {
    "index" => index: Lenient,
    "content" => content: Object,
    "finishReason" => finish_reason: Strict,
});

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CandidateContent<'a> {
    #[serde(borrow, deserialize_with = "lenient_objects")]
    pub parts: Option<Vec<AnswerPart<'a>>>,
}

/// One part of an answer; what most are has fields, the others are in `rest`.
#[derive(Debug, Default)]
pub struct AnswerPart<'a> {
    pub text: Option<String>,
    pub thought: Option<bool>,
    pub thought_signature: Option<String>,
    pub function_call: Option<Box<FunctionCallPiece>>,
    pub rest: LooseFields<'a>,
}

open_object!(AnswerPart<'de> {
    "text" => text: Lenient,
    "thought" => thought: Lenient,
    "thoughtSignature" => thought_signature: Lenient,
    "functionCall" => function_call: Object,
});

#[derive(Debug, Default)]
pub struct PromptFeedback {
    /// A word or its number.
    pub block_reason: Option<Value>,
    pub block_reason_message: Option<String>,
    /// `safetyRatings`.
    pub rest: Map<String, Value>,
}

open_object!(PromptFeedback {
    "blockReason" => block_reason: Strict,
    "blockReasonMessage" => block_reason_message: Lenient,
});

/// `functionCall` of an answer, whole or in pieces (Vertex, `streamFunctionCallArguments`).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FunctionCallPiece {
    #[serde(deserialize_with = "lenient")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub name: Option<String>,
    pub args: Option<Value>,
    #[serde(deserialize_with = "lenient")]
    pub partial_args: Option<Vec<PartialArg>>,
    #[serde(deserialize_with = "lenient")]
    pub will_continue: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PartialArg {
    pub json_path: String,
    pub string_value: Option<String>,
    pub number_value: Option<serde_json::Number>,
    pub bool_value: Option<bool>,
    /// The string goes on in a later piece.
    pub will_continue: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageMetadata {
    pub prompt_token_count: Option<u64>,
    /// Part of the prompt count.
    pub cached_content_token_count: Option<u64>,
    /// Thoughts are not part of it.
    pub candidates_token_count: Option<u64>,
    /// Not part of the prompt count.
    pub tool_use_prompt_token_count: Option<u64>,
    pub thoughts_token_count: Option<u64>,
    pub total_token_count: Option<u64>,
    pub prompt_tokens_details: Option<Vec<ModalityTokenCount>>,
    pub cache_tokens_details: Option<Vec<ModalityTokenCount>>,
    pub candidates_tokens_details: Option<Vec<ModalityTokenCount>>,
    pub tool_use_prompt_tokens_details: Option<Vec<ModalityTokenCount>>,
    /// Vertex: `ON_DEMAND`, `PROVISIONED_THROUGHPUT`, `ON_DEMAND_FLEX`, ….
    pub traffic_type: Option<String>,
    /// Gemini API: `standard`, `flex`, `priority`.
    pub service_tier: Option<String>,
    /// A relay's own.
    pub rest: Map<String, Value>,
}

open_object!(UsageMetadata {
    "promptTokenCount" => prompt_token_count: Lenient,
    "cachedContentTokenCount" => cached_content_token_count: Lenient,
    "candidatesTokenCount" => candidates_token_count: Lenient,
    "toolUsePromptTokenCount" => tool_use_prompt_token_count: Lenient,
    "thoughtsTokenCount" => thoughts_token_count: Lenient,
    "totalTokenCount" => total_token_count: Lenient,
    "promptTokensDetails" => prompt_tokens_details: Objects,
    "cacheTokensDetails" => cache_tokens_details: Objects,
    "candidatesTokensDetails" => candidates_tokens_details: Objects,
    "toolUsePromptTokensDetails" => tool_use_prompt_tokens_details: Objects,
    "trafficType" => traffic_type: Lenient,
    "serviceTier" => service_tier: Lenient,
});

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ModalityTokenCount {
    #[serde(deserialize_with = "lenient")]
    pub modality: Option<Modality>,
    #[serde(deserialize_with = "lenient")]
    pub token_count: Option<u64>,
}

/// Sent as its word or its number: <https://ai.google.dev/api/generate-content#Modality>.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Modality {
    Image,
    Video,
    Audio,
    /// Text, documents, and what is not known yet.
    #[default]
    Other,
}

impl<'de> Deserialize<'de> for Modality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrNumber;
        impl Visitor<'_> for WordOrNumber {
            type Value = Modality;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a word or a number")
            }

            fn visit_str<E>(self, word: &str) -> Result<Modality, E> {
                Ok(match word {
                    "IMAGE" => Modality::Image,
                    "VIDEO" => Modality::Video,
                    "AUDIO" => Modality::Audio,
                    _ => Modality::Other,
                })
            }

            fn visit_u64<E>(self, number: u64) -> Result<Modality, E> {
                Ok(match number {
                    2 => Modality::Image,
                    3 => Modality::Video,
                    4 => Modality::Audio,
                    _ => Modality::Other,
                })
            }
        }
        deserializer.deserialize_any(WordOrNumber)
    }
}

/// Vertex' list of what one publisher offers, without limits or methods:
/// <https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list>.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherModelList {
    pub publisher_models: Vec<PublisherModel>,
    /// There is more.
    #[serde(default, deserialize_with = "lenient")]
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherModel {
    /// `publishers/google/models/gemini-2.5-pro`.
    pub name: String,
    /// `20250929` at Anthropic, `default` at Google.
    #[serde(default, deserialize_with = "lenient")]
    pub version_id: Option<String>,
}

impl PublisherModel {
    /// As requests name it: makers that date their models have the date behind an `@`.
    /// <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude>
    pub fn id(&self) -> String {
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        let is_date =
            |version: &&String| version.len() == 8 && version.bytes().all(|byte| byte.is_ascii_digit());
        match self.version_id.as_ref().filter(is_date) {
            Some(date) if !name.contains('@') => format!("{name}@{date}"),
            _ => name.to_owned(),
        }
    }
}

/// `GET /v1beta/models`: <https://ai.google.dev/api/models#method:-models.list>.
#[derive(Debug, Deserialize)]
pub struct ModelList {
    #[serde(default)]
    pub models: Vec<Model>,
    /// There is more.
    #[serde(default, rename = "nextPageToken", deserialize_with = "lenient")]
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// `models/gemini-2.5-pro`.
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub input_token_limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub output_token_limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    pub supported_generation_methods: Option<Vec<String>>,
}
