//! A request → their JSON.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
//!
//! What has no place there is left out, with a note: `seed`, the two penalties, `logprobs`, `user`. What only one
//! maker's models take goes into `additionalModelRequestFields`, in that maker's own words.

use canonical::request::{FunctionTool, Opaque, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::types::{ConverseRequest, InferenceConfig, InputSchema, ServiceTier, ToolConfig, ToolSpec};
use super::super::{FAMILY, types};
use super::conversation::{self, Conversation};
use crate::anthropic_messages::client as claude;
use crate::anthropic_messages::client::thinking::{self, Circumstances, Plan};
use crate::anthropic_messages::types::{BETAS, ThinkingConfig};
use crate::json::{beside, merge_missing, object, one_answer, unsayable};
use crate::notes::{self, Note, RESPONSE_FORMAT, in_words};
use crate::{HttpRequest, TargetContext};

/// Fields of this API that clients of OpenAI's set beside their own.
const KNOWN: [&str; 6] = [
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
];

/// The limit that a budget of thinking is measured against where nobody knows one.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Where each maker's models are asked to think.
const THINKING: [&str; 5] = [
    "/additionalModelRequestFields/thinking",
    "/additionalModelRequestFields/output_config",
    "/additionalModelRequestFields/reasoning_effort",
    "/additionalModelRequestFields/reasoning_config",
    "/additionalModelRequestFields/reasoningConfig",
];

/// Who made a model, as far as its request differs. Ids name the maker, behind a region's prefix
/// or in a profile's ARN (`us.anthropic.claude-…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Anthropic,
    Nova,
    /// Nova from version 2 on, which thinks.
    Nova2,
    GptOss,
    Qwen,
    /// Takes neither a schema nor a word about thinking.
    Plain,
    Other,
}

fn maker(model: &str) -> Maker {
    let is = |name: &str| model.contains(name);
    match () {
        () if is("anthropic.") => Maker::Anthropic,
        () if is("amazon.nova-2") => Maker::Nova2,
        () if is("amazon.nova") => Maker::Nova,
        () if is("openai.gpt-oss") => Maker::GptOss,
        () if is("qwen.") => Maker::Qwen,
        () if ["amazon.", "meta.", "cohere.", "ai21."].into_iter().any(is) => Maker::Plain,
        () => Maker::Other,
    }
}

pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
    one_answer(request, "Bedrock's Converse gives")?;
    let mut conversation = conversation::convert(&request.messages)?;
    let thought = thought(request, target, &conversation);
    let mut notes = Vec::new();
    let output_config =
        output_config(request.response_format.as_ref(), target.model, &mut conversation, &mut notes);
    let tool_config = tool_config(request, target.model, &mut conversation, &mut notes)?;
    let is_thinking = thought.is_thinking;
    let body = ConverseRequest {
        messages: conversation.turns,
        system: conversation.system,
        inference_config: InferenceConfig {
            max_tokens: thought.max_tokens,
            // While Claude thinks, a temperature is refused, and a top_p below 0.95.
            temperature: request.temperature.filter(|value| !is_thinking || is_one(*value)),
            top_p: top_p(request, is_thinking),
            stop_sequences: request.stop.clone(),
        },
        tool_config,
        additional_model_request_fields: additional(request, target, thought),
        output_config,
        service_tier: request.service_tier.as_deref().and_then(service_tier),
    };
    finish(&body, request, target, notes)
}

/// How the model is asked to think.
#[derive(Debug, Default)]
struct Thought {
    max_tokens: Option<u64>,
    /// Claude's own rules for sampling hold.
    is_thinking: bool,
    /// In the maker's words.
    fields: Map<String, Value>,
}

fn thought(request: &ChatRequest, target: &TargetContext<'_>, conversation: &Conversation) -> Thought {
    let asked = claude::reasoning(request);
    let mut thought = Thought { max_tokens: request.max_output_tokens, ..Thought::default() };
    match (maker(target.model), asked) {
        (Maker::Anthropic, asked) => {
            let here = Circumstances {
                model: target.model,
                max_tokens: request
                    .max_output_tokens
                    .or(target.max_output_tokens)
                    .unwrap_or(DEFAULT_MAX_TOKENS),
                most_tokens: target.max_output_tokens,
                tool_choice: request.tool_choice.as_ref(),
                lacks_thought: conversation.lacks_thought(),
            };
            claude_thought(thinking::plan(asked.as_ref(), &here), thought)
        }
        (maker, Some(asked)) => {
            if let Some(level) = level(&asked) {
                match maker {
                    Maker::GptOss => drop(thought.fields.insert("reasoning_effort".into(), level.into())),
                    Maker::Qwen => drop(thought.fields.insert("reasoning_config".into(), level.into())),
                    Maker::Nova2 => {
                        let config = json!({ "type": "enabled", "maxReasoningEffort": level });
                        thought.fields.insert("reasoningConfig".into(), config);
                    }
                    _ => {}
                }
            }
            thought
        }
        (_, None) => thought,
    }
}

fn claude_thought(plan: Plan, mut thought: Thought) -> Thought {
    match plan.thinking {
        Some(ThinkingConfig::Disabled) | None => {}
        Some(config) => {
            thought.is_thinking = true;
            if matches!(config, ThinkingConfig::Enabled { .. }) {
                thought.max_tokens = Some(plan.max_tokens);
            }
            thought.fields.insert("thinking".into(), serde_json::to_value(config).unwrap_or_default());
        }
    }
    if let Some(effort) = plan.effort {
        thought.fields.insert("output_config".into(), json!({ "effort": effort }));
    }
    thought
}

/// The three levels that all makers know; `None` where no thinking is wanted.
fn level(asked: &ReasoningRequest) -> Option<&'static str> {
    if asked.is_enabled == Some(false) {
        return None;
    }
    Some(match asked.effort.as_ref().unwrap_or(&ReasoningEffort::Medium) {
        ReasoningEffort::None => return None,
        ReasoningEffort::Minimal | ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High | ReasoningEffort::Other(_) => "high",
    })
}

fn is_one(value: f64) -> bool {
    (value - 1.0).abs() < f64::EPSILON
}

/// A `top_p` of 1 changes nothing, yet newer Claudes refuse it beside a temperature.
fn top_p(request: &ChatRequest, is_thinking: bool) -> Option<f64> {
    request.top_p.filter(|value| {
        let is_idle = is_one(*value) && request.temperature.is_some();
        !is_idle && (!is_thinking || *value >= 0.95)
    })
}

/// What only the model's maker knows.
fn additional(request: &ChatRequest, target: &TargetContext<'_>, thought: Thought) -> Map<String, Value> {
    let (is_thinking, mut fields) = (thought.is_thinking, thought.fields);
    if maker(target.model) == Maker::Anthropic
        && let Some(betas) = betas(request, target)
    {
        fields.insert(BETAS.into(), betas);
    }
    match (maker(target.model), request.top_k) {
        (Maker::Anthropic, Some(top_k)) if !is_thinking => {
            fields.insert("top_k".into(), top_k.into());
        }
        (Maker::Nova | Maker::Nova2, Some(top_k)) => {
            fields.insert("inferenceConfig".into(), json!({ "topK": top_k }));
        }
        _ => {}
    }
    fields
}

/// A client's opt-ins, where its family has them, as far as the provider takes them.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>
fn betas(request: &ChatRequest, target: &TargetContext<'_>) -> Option<Value> {
    let said = match request.extensions.field(crate::anthropic_messages::FAMILY, BETAS)? {
        Value::String(beta) => vec![beta.as_str()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kept = target.quirks.betas(said)?;
    Some(kept.split(',').collect::<Vec<_>>().into())
}

/// <https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html>
fn service_tier(tier: &str) -> Option<ServiceTier> {
    let kind = match tier {
        "priority" => "priority",
        "flex" => "flex",
        "default" | "standard" => "default",
        _ => return None,
    };
    Some(ServiceTier { kind })
}

/// Whether the model is held to a schema.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>
fn has_structured_outputs(model: &str) -> bool {
    match maker(model) {
        Maker::Anthropic => claude::has_structured_outputs(model),
        Maker::Nova | Maker::Nova2 | Maker::Plain => false,
        Maker::GptOss | Maker::Qwen | Maker::Other => true,
    }
}

/// The schema as `outputConfig`, as text. Where the model has no such field, and for “any JSON
/// object”, for which there is none at all, the demand becomes a last sentence of the system prompt.
fn output_config(
    format: Option<&ResponseFormat>,
    model: &str,
    conversation: &mut Conversation,
    notes: &mut Vec<Note>,
) -> Option<Value> {
    let format = format?;
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonSchema { name, description, schema, .. } if has_structured_outputs(model) => {
            let schema = match maker(model) {
                Maker::Anthropic => claude::restrict_schema(schema, RESPONSE_FORMAT, notes),
                _ => schema.clone(),
            };
            let mut form = Map::from_iter([("schema".to_owned(), Value::from(schema.to_string()))]);
            form.extend(name.clone().map(|name| ("name".to_owned(), name.into())));
            form.extend(description.clone().map(|text| ("description".to_owned(), text.into())));
            Some(json!({ "textFormat": { "type": "json_schema", "structure": { "jsonSchema": form } } }))
        }
        ResponseFormat::JsonObject | ResponseFormat::JsonSchema { .. } => {
            notes.push(Note::instructed(RESPONSE_FORMAT));
            conversation.instruct(&in_words(format));
            None
        }
    }
}

fn tool_config(
    request: &ChatRequest,
    model: &str,
    conversation: &mut Conversation,
    notes: &mut Vec<Note>,
) -> Result<Option<ToolConfig>, Error> {
    let called = conversation.called_tools();
    let mut tools = Vec::with_capacity(request.tools.len());
    for (position, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(function) => {
                tools.push(function_tool(function, model, &format!("tools/{position}"), notes));
                let mark = conversation::cache_point(&function.extensions);
                tools.extend(mark.and_then(|mark| serde_json::to_value(mark).ok()));
            }
            Tool::Opaque(opaque) => tools.push(opaque.value.clone()),
        }
    }
    let is_forbidden = request.tool_choice == Some(ToolChoice::None);
    if called.is_empty() && (is_forbidden || tools.is_empty()) {
        return Ok(None);
    }
    // A history with calls is refused where no tools are declared, and there is no word for “none”.
    if tools.is_empty() {
        tools.extend(called.into_iter().map(
            |name| json!({ "toolSpec": { "name": name, "inputSchema": { "json": { "type": "object" } } } }),
        ));
        notes.push(Note::instructed("tool_choice"));
        conversation.instruct("Answer without calling a tool.");
        return Ok(Some(ToolConfig { tools, tool_choice: None }));
    }
    let tool_choice = match &request.tool_choice {
        None => None,
        Some(ToolChoice::None) => {
            notes.push(Note::instructed("tool_choice"));
            conversation.instruct("Answer without calling a tool.");
            None
        }
        Some(ToolChoice::Auto) => Some(json!({ "auto": {} })),
        Some(ToolChoice::Required) => Some(json!({ "any": {} })),
        Some(ToolChoice::Function(name)) => Some(json!({ "tool": { "name": name } })),
        Some(ToolChoice::Opaque(opaque)) if opaque.family == FAMILY => Some(opaque.value.clone()),
        Some(ToolChoice::Opaque(opaque)) => {
            return Err(unsayable(
                format!("Bedrock's Converse has no such tool choice as this one of {}.", opaque.family),
                "tool_choice",
            ));
        }
    };
    Ok(Some(ToolConfig { tools, tool_choice }))
}

pub(super) fn is_own_tool(tool: &Opaque) -> bool {
    let is_said = ["toolSpec", "systemTool", "cachePoint"].iter().any(|name| tool.value.get(name).is_some());
    tool.family == FAMILY || is_said
}

fn function_tool(function: &FunctionTool, model: &str, place: &str, notes: &mut Vec<Note>) -> Value {
    let strict = function.strict.filter(|strict| *strict && has_structured_outputs(model));
    let mut schema = claude::input_schema(function.parameters.as_ref());
    if strict.is_some() && maker(model) == Maker::Anthropic {
        // A strict tool is held to its schema by the same sampler, with the same limits.
        schema = claude::restrict_schema(&schema, place, notes);
    }
    let spec = ToolSpec {
        name: function.name.clone(),
        // An empty one is refused.
        description: function.description.clone().filter(|text| !text.is_empty()),
        input_schema: InputSchema { json: schema },
        strict,
    };
    json!({ "toolSpec": spec })
}

fn finish(
    body: &types::ConverseRequest,
    request: &ChatRequest,
    target: &TargetContext<'_>,
    mut notes: Vec<Note>,
) -> Result<HttpRequest, Error> {
    let mut body = object(body)?;
    let extensions = beside(&request.extensions, FAMILY, &KNOWN);
    merge_missing(&mut body, &extensions);
    notes::drop_fields(&mut body, &target.quirks.drop_fields, &mut notes);
    notes.extend(unsaid(request, target.model, &body));
    let action = if request.stream { "converse-stream" } else { "converse" };
    let path = format!("/model/{}/{action}", escaped(target.model));
    let body = Value::Object(body).to_string().into_bytes();
    Ok(HttpRequest { notes: notes::tidy(notes), ..HttpRequest::post(path, body) })
}

/// What the body says nowhere, and an output limit that had to make room for thoughts.
fn unsaid(request: &ChatRequest, model: &str, body: &Map<String, Value>) -> Vec<Note> {
    let is_strict = has_structured_outputs(model);
    let is_instructed = !is_strict || matches!(request.response_format, Some(ResponseFormat::JsonObject));
    let is_forbidden = request.tool_choice == Some(ToolChoice::None);
    let places: [notes::Place<'_>; 11] = [
        ("max_output_tokens", &["/inferenceConfig/maxTokens"]),
        ("temperature", &["/inferenceConfig/temperature"]),
        ("top_p", &["/inferenceConfig/topP"]),
        (
            "top_k",
            &["/additionalModelRequestFields/top_k", "/additionalModelRequestFields/inferenceConfig/topK"],
        ),
        ("stop", &["/inferenceConfig/stopSequences"]),
        ("tool_choice", &["/toolConfig/toolChoice"]),
        // Where no tool may be called none is offered, or the model is told.
        ("tool_choice", if is_forbidden { &["/messages"] } else { &[] }),
        ("reasoning", &THINKING),
        ("response_format", if is_instructed { &["/messages"] } else { &["/outputConfig"] }),
        ("service_tier", &["/serviceTier"]),
        ("strict", if is_strict { &["/toolConfig"] } else { &[] }),
    ];
    let mut notes = notes::unsaid(request, body, &places);
    let sent = body.get("inferenceConfig").and_then(|config| config.get("maxTokens"));
    if request.max_output_tokens.is_some_and(|asked| sent.is_some_and(|sent| *sent != asked)) {
        notes.push(Note::clamped("max_output_tokens"));
    }
    notes
}

/// The model in the path: all but unreserved characters escaped, so that the slashes of an ARN do
/// not count as the path's and the signature is made over the same bytes at both ends.
pub(crate) fn escaped(model: &str) -> String {
    model
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::types::ContentBlock;
    use super::*;
    use crate::Quirks;
    use canonical::{Message, Role};

    fn sent(request: &ChatRequest, model: &str) -> (String, Value) {
        let quirks = Quirks::default();
        let target = TargetContext { model, quirks: &quirks, max_output_tokens: None };
        let sent = encode(request, &target).unwrap();
        (sent.path, serde_json::from_slice(&sent.body).unwrap())
    }

    fn asked() -> ChatRequest {
        ChatRequest { messages: vec![Message::text(Role::User, "Hello.")], ..ChatRequest::default() }
    }

    #[test]
    fn a_models_id_is_escaped_in_the_path() {
        let request = ChatRequest { stream: true, ..asked() };
        let (path, _) =
            sent(&request, "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0");
        assert_eq!(
            path,
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0/converse-stream"
        );
        assert_eq!(sent(&asked(), "amazon.nova-lite-v1:0").0, "/model/amazon.nova-lite-v1%3A0/converse");
    }

    #[test]
    fn each_makers_models_are_asked_to_think_in_their_words() {
        let effort = Some(ReasoningEffort::High);
        let reasoning = Some(ReasoningRequest { effort, ..ReasoningRequest::default() });
        let request = ChatRequest { reasoning, top_k: Some(9), ..asked() };
        for (model, expected) in [
            ("openai.gpt-oss-120b-1:0", json!({"reasoning_effort": "high"})),
            ("qwen.qwen3-32b-v1:0", json!({"reasoning_config": "high"})),
            (
                "us.amazon.nova-2-lite-v1:0",
                json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}, "inferenceConfig": {"topK": 9}}),
            ),
            ("amazon.nova-lite-v1:0", json!({"inferenceConfig": {"topK": 9}})),
            (
                "us.anthropic.claude-opus-4-7",
                json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
            ),
            ("meta.llama3-2-1b-instruct-v1:0", Value::Null),
        ] {
            assert_eq!(sent(&request, model).1["additionalModelRequestFields"], expected, "{model}");
        }
        let (_, body) = sent(&request, "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
        let budget = body["additionalModelRequestFields"]["thinking"]["budget_tokens"].as_u64().unwrap();
        assert!(budget < body["inferenceConfig"]["maxTokens"].as_u64().unwrap());
    }

    #[test]
    fn tools_are_not_offered_where_none_may_be_called() {
        let tool = Tool::Function(FunctionTool { name: "ring".into(), ..FunctionTool::default() });
        let request = ChatRequest { tools: vec![tool], tool_choice: Some(ToolChoice::None), ..asked() };
        assert_eq!(sent(&request, "amazon.nova-lite-v1:0").1["toolConfig"], Value::Null);
    }

    #[test]
    fn a_block_of_another_family_keeps_its_form() {
        assert_eq!(
            serde_json::to_value(ContentBlock::Opaque(json!({"guardContent": {"text": {"text": "x"}}})))
                .unwrap(),
            json!({"guardContent": {"text": {"text": "x"}}})
        );
    }
}
