//! What a client asks of a model, independent of the wire it came over.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Extensions;

/// One chat request. Optional fields are `None` where the client did not say, and then the
/// provider's default holds: we never send a value nobody asked for unless a protocol demands one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRequest {
    /// The model as the client named it; a target's own model id replaces it on the way out.
    pub model: String,
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_tool_calls: Option<bool>,
    pub max_output_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub seed: Option<i64>,
    pub stop: Vec<String>,
    /// How many answers (`n`); `None` is one.
    pub choice_count: Option<u32>,
    pub reasoning: Option<ReasoningRequest>,
    pub response_format: Option<ResponseFormat>,
    /// `standard`, `priority`, `flex`, … as the client named it.
    pub service_tier: Option<String>,
    /// The client's own id of its end user.
    pub user: Option<String>,
    /// Whether the client wants the answer as it is written.
    pub stream: bool,
    /// Whether a streaming client asked to see usage; it is asked of the provider either way.
    pub include_usage: bool,
    /// The client does not want to read what the model thinks, however much it thinks.
    pub hide_reasoning: bool,
    /// What the request leans on and does not hold itself; `None` where it says everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    pub extensions: Extensions,
}

/// A part of the request that only a provider holds (OpenAI's `previous_response_id`): no provider of
/// another wire family can answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The wire family whose providers may hold it.
    pub family: String,
    /// The request's field that names it, as the client wrote it.
    pub param: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl Message {
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, name: None, extensions: Extensions::default() }
    }

    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self::new(role, vec![Part::text(text)])
    }

    /// The message's text parts, joined without a separator.
    pub fn plain_text(&self) -> String {
        plain_text(&self.parts)
    }
}

/// The text of `parts`, joined without a separator; other parts are passed over.
pub fn plain_text(parts: &[Part]) -> String {
    parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// Who speaks. `Developer` is OpenAI's later word for instructions below the system's own;
/// protocols without it treat it as `System`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    /// Results of tool calls; the message's parts are [`Content::ToolResult`]s.
    Tool,
}

/// One piece of a message, with what only its own wire family can say of it
/// (a cache breakpoint, say).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    #[serde(flatten)]
    pub content: Content,
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

impl From<Content> for Part {
    fn from(content: Content) -> Self {
        Self { content, extensions: Extensions::default() }
    }
}

impl Part {
    pub fn text(text: impl Into<String>) -> Self {
        Content::Text(text.into()).into()
    }

    /// The opaque proof of thought that came with this part, whatever its content is: Gemini signs
    /// text and images as well as calls.
    pub fn signature(&self) -> Option<&str> {
        match &self.content {
            Content::Reasoning(reasoning) => reasoning.signature.as_deref(),
            Content::ToolCall(call) => call.signature.as_deref(),
            _ => self.extensions.field(Extensions::COMMON, "signature")?.as_str(),
        }
    }

    pub fn clear_signature(&mut self) {
        match &mut self.content {
            Content::Reasoning(reasoning) => reasoning.signature = None,
            Content::ToolCall(call) => call.signature = None,
            _ => self.extensions.remove(Extensions::COMMON, "signature"),
        }
    }

    pub fn set_signature(&mut self, signature: impl Into<String>) {
        let signature = signature.into();
        match &mut self.content {
            Content::Reasoning(reasoning) => reasoning.signature = Some(signature),
            Content::ToolCall(call) => call.signature = Some(signature),
            _ => self.extensions.insert(Extensions::COMMON, "signature", signature.into()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum Content {
    Text(String),
    Image(Media),
    Audio(Media),
    /// A PDF or another file that the model reads.
    Document(Media),
    Reasoning(Reasoning),
    ToolCall(ToolCall),
    ToolResult(ToolResult),
    /// The model's own words for declining, kept apart from its answer.
    Refusal(String),
    /// A part that only its wire family can name; written back to that family as it is.
    Opaque(Opaque),
}

/// A part kept as its family's JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opaque {
    pub family: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    pub source: MediaSource,
    /// `image/png`, `audio/wav`, `application/pdf`, …, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// A file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// OpenAI's `detail` of an image: `low`, `high`, `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    Url(String),
    /// Standard base64 with padding, without a `data:` prefix.
    Base64(String),
    /// A file that was uploaded to the provider.
    FileId(String),
}

/// What a model thought. A signature is opaque and only valid unchanged, at the provider that made it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Thinking that the provider only hands out encrypted (Anthropic's `redacted_thinking`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// The arguments as the model wrote them: usually a JSON object, not guaranteed to be one.
    pub arguments: String,
    /// Opaque proof of the thought behind the call (Gemini's `thoughtSignature`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// True where the provider runs the tool itself: the client must not answer it.
    #[serde(default)]
    pub is_server_side: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    pub call_id: String,
    /// The tool's name; Gemini needs it, other wires leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub content: Vec<Part>,
    #[serde(default)]
    pub is_error: bool,
}

/// A tool that the client runs, or (`Server`) one that only the family can name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tool {
    Function(FunctionTool),
    /// A provider-run or family-specific tool (web search, code execution, custom grammar …).
    Opaque(Opaque),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionTool {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of the arguments; `None` where the client gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    #[serde(default, skip_serializing_if = "Extensions::is_empty")]
    pub extensions: Extensions,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    Auto,
    None,
    /// Some tool must be called.
    Required,
    /// This function must be called.
    Function(String),
    /// A choice that only its family can name (`allowed_tools`, …).
    Opaque(Opaque),
}

/// How much the model should think. Both may be set where a client said both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReasoningRequest {
    pub effort: Option<ReasoningEffort>,
    /// Tokens of thinking at most.
    pub budget_tokens: Option<u64>,
    /// Some(false): the client wants no thinking at all.
    pub is_enabled: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    /// A level this version has no word for, as the client wrote it (`xhigh`, `max`, …).
    #[serde(untagged)]
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResponseFormat {
    Text,
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: Option<String>,
        description: Option<String>,
        schema: Value,
        strict: Option<bool>,
    },
}
