//! A request → their JSON. <https://ai.google.dev/api/generate-content>
//!
//! Schemas go as they came into `parametersJsonSchema` and `responseJsonSchema`, which take JSON
//! Schema; the older `parameters` and `responseSchema` refuse most of it (`additionalProperties`,
//! `$ref`, `const`). Both hosts of the API take the newer fields, as recorded.
//!
//! What has no place there is left out, with a note: the end user's id,
//! `parallel_tool_calls`, the service tier (Vertex chooses it by a header).

use canonical::request::{FunctionTool, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::super::models::{self, Thinking};
use super::super::types::{
    Content, FunctionDeclaration, GenerateContentRequest, GenerationConfig, ThinkingConfig,
};
use super::{contents, schema};
use crate::json::{beside, merge_missing, object, unsayable};
use crate::notes::{self, Note, Place};
use crate::openai_chat::types::FAMILY as OPENAI;
use crate::{HttpRequest, TargetContext};

/// Fields of this API that clients of OpenAI's set beside their own.
const KNOWN: [&str; 6] =
    ["safetySettings", "cachedContent", "generationConfig", "toolConfig", "labels", "modelArmorConfig"];

/// Tools of this API that a client of OpenAI's names by their type.
const OWN_TOOLS: [(&str, &str); 3] =
    [("google_search", "googleSearch"), ("code_execution", "codeExecution"), ("url_context", "urlContext")];

const PLACES: [Place<'_>; 11] = [
    ("max_output_tokens", &["/generationConfig/maxOutputTokens"]),
    ("temperature", &["/generationConfig/temperature"]),
    ("top_p", &["/generationConfig/topP"]),
    ("top_k", &["/generationConfig/topK"]),
    ("frequency_penalty", &["/generationConfig/frequencyPenalty"]),
    ("presence_penalty", &["/generationConfig/presencePenalty"]),
    ("seed", &["/generationConfig/seed"]),
    ("stop", &["/generationConfig/stopSequences"]),
    ("tool_choice", &["/toolConfig"]),
    ("reasoning", &["/generationConfig/thinkingConfig"]),
    ("response_format", &["/generationConfig/responseMimeType"]),
];

pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
    let contents = contents::convert(&request.messages, target.model)?;
    let body = GenerateContentRequest {
        system_instruction: (!contents.system.is_empty())
            .then_some(Content { role: None, parts: contents.system }),
        contents: contents.turns,
        tools: tools(request),
        tool_config: tool_config(request)?,
        generation_config: generation_config(request, target.model),
    };
    let mut body = object(&body)?;
    let mut own = beside(&request.extensions, FAMILY, &KNOWN);
    if own_thinking(request, target.model).is_none()
        && let Some(config) = own.get_mut("generationConfig").and_then(Value::as_object_mut)
    {
        config.shift_remove("thinkingConfig");
    }
    merge_missing(&mut body, &own);
    merge_missing(&mut body, &googles_own(request));
    let dropped = &target.quirks.drop_fields;
    let mut notes = schema_notes(request);
    notes::drop_fields(&mut body, dropped, &mut notes);
    if let Some(config) = body.get_mut("generationConfig").and_then(Value::as_object_mut) {
        notes::drop_fields(config, dropped, &mut notes);
    }
    notes.extend(notes::unsaid(request, &body, &PLACES));
    let address = address(request.stream, target).ok_or_else(|| {
        Error::caller(format!("“{}” is no model's name.", target.model)).with_param("model")
    })?;
    let body = Value::Object(body).to_string().into_bytes();
    Ok(HttpRequest { body, notes: notes::tidy(notes), ..address })
}

/// Keywords of the answer's schema that are passed over at the other end.
fn schema_notes(request: &ChatRequest) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(ResponseFormat::JsonSchema { schema, .. }) = &request.response_format {
        schema::ignored(schema, notes::RESPONSE_FORMAT, &mut notes);
    }
    notes
}

/// `None` where the model's name cannot stand in a path.
pub(super) fn address(stream: bool, target: &TargetContext<'_>) -> Option<HttpRequest> {
    let path = models::path(target.model)?;
    let method = if stream { "streamGenerateContent" } else { "generateContent" };
    let mut sent = HttpRequest::post(format!("{path}:{method}"), Vec::new());
    if stream {
        sent.query.push(("alt".into(), "sse".into()));
    }
    Some(sent)
}

/// What Google's OpenAI-compatible endpoint takes as `extra_body.google`, and its snake-case names.
fn googles_own(request: &ChatRequest) -> Map<String, Value> {
    let mut fields = Map::new();
    let google = request.extensions.field(OPENAI, "extra_body").map(|extra| &extra["google"]);
    let beside = |name: &str| {
        let nested = google.and_then(|google| google.get(name));
        nested.or_else(|| request.extensions.field(OPENAI, name)).cloned()
    };
    if let Some(thinking) = beside("thinking_config").filter(|_| request.reasoning.is_none()) {
        fields.insert("generationConfig".into(), json!({ "thinkingConfig": thinking }));
    }
    for (snake, camel) in [("cached_content", "cachedContent"), ("safety_settings", "safetySettings")] {
        fields.extend(beside(snake).map(|value| (camel.to_owned(), value)));
    }
    fields
}

fn generation_config(request: &ChatRequest, model: &str) -> GenerationConfig {
    let (response_mime_type, response_json_schema) = match &request.response_format {
        None | Some(ResponseFormat::Text) => (None, None),
        Some(ResponseFormat::JsonObject) => (Some("application/json"), None),
        Some(ResponseFormat::JsonSchema { schema, .. }) => (Some("application/json"), Some(schema.clone())),
    };
    GenerationConfig {
        temperature: request.temperature,
        top_p: request.top_p,
        top_k: request.top_k,
        candidate_count: request.choice_count.filter(|count| *count > 1),
        max_output_tokens: request.max_output_tokens,
        stop_sequences: request.stop.clone(),
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        seed: request.seed,
        response_mime_type,
        response_json_schema,
        thinking_config: request
            .reasoning
            .as_ref()
            .filter(|_| own_thinking(request, model).is_none())
            .and_then(|asked| thinking_config(asked, model, request.max_output_tokens)),
    }
}

/// What a client of this family said of thinking, where the model takes those words.
fn own_thinking<'a>(request: &'a ChatRequest, model: &str) -> Option<&'a Value> {
    let config = request.extensions.field(FAMILY, "generationConfig")?;
    let own = config.get("thinkingConfig")?;
    match models::thinking(model) {
        Thinking::None => None,
        Thinking::Budget => Some(own).filter(|own| own.get("thinkingLevel").is_none()),
        Thinking::Level => Some(own),
    }
}

/// Budgets and levels are those that Google's own OpenAI-compatible endpoint gives to an effort.
/// <https://ai.google.dev/gemini-api/docs/openai#thinking>
fn thinking_config(asked: &ReasoningRequest, model: &str, limit: Option<u64>) -> Option<ThinkingConfig> {
    let kind = models::thinking(model);
    if kind == Thinking::None {
        return None;
    }
    let is_off = asked.is_enabled == Some(false) || asked.effort == Some(ReasoningEffort::None);
    let mut config = ThinkingConfig { include_thoughts: !is_off, ..ThinkingConfig::default() };
    match (kind, &asked.effort) {
        (_, _) if !is_off && asked.budget_tokens.is_some() => config.thinking_budget = asked.budget_tokens,
        // A Pro cannot stop thinking; the least of it comes closest.
        (Thinking::Budget, _) if is_off => {
            config.thinking_budget = Some(if models::is_pro(model) { 128 } else { 0 });
        }
        (Thinking::Level, effort) if is_off || effort == &Some(ReasoningEffort::Minimal) => {
            config.thinking_level = Some(if models::is_pro(model) { "low" } else { "minimal" });
        }
        (Thinking::Budget, Some(effort)) => config.thinking_budget = Some(effort_budget(effort, limit)),
        (Thinking::Level, Some(effort)) => config.thinking_level = Some(effort_level(effort, model)),
        // Thinking without a measure: the model's own.
        _ => {}
    }
    Some(config)
}

/// It stays under four fifths of the output limit, which covers thoughts too: all of it thought
/// through would leave no answer. 512 is the least that every model takes.
fn effort_budget(effort: &ReasoningEffort, limit: Option<u64>) -> u64 {
    let wanted = match effort {
        ReasoningEffort::None => 0,
        ReasoningEffort::Minimal | ReasoningEffort::Low => 1024,
        ReasoningEffort::Medium => 8192,
        ReasoningEffort::High | ReasoningEffort::Other(_) => 24_576,
    };
    limit.map_or(wanted, |limit| wanted.min((limit / 5 * 4).max(512)))
}

fn effort_level(effort: &ReasoningEffort, model: &str) -> &'static str {
    match effort {
        ReasoningEffort::None | ReasoningEffort::Minimal | ReasoningEffort::Low => "low",
        ReasoningEffort::Medium if !models::lacks_medium(model) => "medium",
        ReasoningEffort::Medium | ReasoningEffort::High | ReasoningEffort::Other(_) => "high",
    }
}

/// All functions in one tool, each of the family's own tools (`googleSearch`, …) beside it.
fn tools(request: &ChatRequest) -> Vec<Value> {
    let mut functions = Vec::new();
    let mut tools = Vec::new();
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => functions.push(declaration(function)),
            Tool::Opaque(opaque) if opaque.family == FAMILY => tools.push(opaque.value.clone()),
            Tool::Opaque(opaque) => tools.extend(own_tool(&opaque.value)),
        }
    }
    if !functions.is_empty() {
        tools.insert(0, json!({ "functionDeclarations": functions }));
    }
    tools
}

/// Whether a tool is one of this API's, whoever sent it.
pub(super) fn is_own_tool(tool: &Opaque) -> bool {
    tool.family == FAMILY || own_tool(&tool.value).is_some()
}

/// `{"type": "google_search", …}` → `{"googleSearch": {…}}`.
fn own_tool(tool: &Value) -> Option<Value> {
    let mut settings = tool.as_object()?.clone();
    let kind = settings.shift_remove("type")?;
    let (_, name) = OWN_TOOLS.iter().find(|(snake, camel)| kind == *snake || kind == *camel)?;
    Some(json!({ *name: settings }))
}

fn declaration(function: &FunctionTool) -> FunctionDeclaration {
    FunctionDeclaration {
        name: function.name.clone(),
        description: function.description.clone(),
        // A function without parameters has no schema: an empty object type is refused.
        parameters_json_schema: function
            .parameters
            .clone()
            .filter(|schema| schema.is_object() && !takes_nothing(schema)),
        extensions: function.extensions.get(FAMILY).cloned().unwrap_or_default(),
    }
}

fn takes_nothing(schema: &Value) -> bool {
    let is_empty = |name: &str| {
        schema.get(name).is_none_or(|value| value.as_object().is_some_and(serde_json::Map::is_empty))
    };
    let only = ["type", "properties", "required", "additionalProperties", "$schema", "title"];
    schema.as_object().is_some_and(|fields| fields.keys().all(|name| only.contains(&name.as_str())))
        && is_empty("properties")
        && schema.get("additionalProperties").is_none_or(|value| value == &Value::Bool(false))
}

fn tool_config(request: &ChatRequest) -> Result<Option<Value>, Error> {
    let has_functions = request.tools.iter().any(|tool| matches!(tool, Tool::Function(_)));
    let calling = match &request.tool_choice {
        Some(ToolChoice::Opaque(opaque)) if opaque.family == FAMILY => {
            return Ok(Some(opaque.value.clone()));
        }
        Some(ToolChoice::Opaque(opaque)) => {
            return Err(unsayable(
                format!("Google's generateContent has no such tool choice as this one of {}.", opaque.family),
                "tool_choice",
            ));
        }
        _ if !has_functions => return Ok(None),
        None => return Ok(None),
        Some(ToolChoice::Auto) => json!({ "mode": "AUTO" }),
        Some(ToolChoice::None) => json!({ "mode": "NONE" }),
        Some(ToolChoice::Required) => json!({ "mode": "ANY" }),
        Some(ToolChoice::Function(name)) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    };
    Ok(Some(json!({ "functionCallingConfig": calling })))
}
