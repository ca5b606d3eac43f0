//! A request → their JSON. <https://docs.claude.com/en/api/messages>
//!
//! What has no place there is left out, with a note: `seed`, the two penalties, `logprobs`. Values are sent as
//! the client gave them, also where this API refuses what OpenAI's takes (a temperature above 1, a
//! stop sequence of white space, from Claude 4.5 on a temperature and a `top_p` at once): the
//! provider decides, and says so.

use canonical::request::{FunctionTool, Opaque, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Error, Role, Tool, ToolChoice};
use serde_json::{Map, Value, json};

use super::super::types::{
    BETAS, Block, BlockContent, InputBlock, MessagesRequest, Metadata, OutputConfig, ThinkingConfig,
};
use super::super::{FAMILY, models, schema, types};
use super::address;
use super::messages::{self, Conversation};
use super::thinking::{self, Circumstances, Plan};
use crate::json::{beside, merge_missing, object, one_answer, unsayable};
use crate::notes::{self, Note, RESPONSE_FORMAT, in_words};
use crate::openai_chat::types::FAMILY as OPENAI;
use crate::{HttpRequest, TargetContext};

/// The limit where neither the client nor the catalogue knows one: every Claude since 3 takes it.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// Fields of this API that clients of OpenAI's set beside their own.
const KNOWN: [&str; 8] = [
    BETAS,
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "speed",
];

/// Opt-ins that a request's own content makes necessary.
/// <https://docs.claude.com/en/api/beta-headers>
const FILES_BETA: &str = "files-api-2025-04-14";
const MCP_BETA: &str = "mcp-client-2025-11-20";

pub(super) fn encode(request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
    one_answer(request, "Anthropic's Messages give")?;
    let mut conversation = messages::convert(&request.messages)?;
    if conversation.is_empty() && !request.messages.is_empty() {
        return Err(
            Error::caller("The conversation says nothing: its messages are empty.").with_param("messages[0]")
        );
    }
    let mut plan = thinking::plan(
        reasoning(request).as_ref(),
        &Circumstances {
            model: target.model,
            max_tokens: request.max_output_tokens.or(target.max_output_tokens).unwrap_or(DEFAULT_MAX_TOKENS),
            most_tokens: target.max_output_tokens,
            tool_choice: request.tool_choice.as_ref(),
            lacks_thought: conversation.lacks_thought(),
        },
    );
    if steers_without_thinking(request) {
        plan.thinking = None;
    }
    let mut notes = Vec::new();
    let format = output_format(request.response_format.as_ref(), target.model, &mut conversation, &mut notes);
    let has_files = conversation.has_files;
    let body = assemble(request, target, conversation, plan, format, &mut notes)?;
    finish(&body, request, target, has_files, notes)
}

fn assemble(
    request: &ChatRequest,
    target: &TargetContext<'_>,
    conversation: Conversation,
    plan: Plan,
    format: Option<Value>,
    notes: &mut Vec<Note>,
) -> Result<MessagesRequest, Error> {
    let is_thinking =
        plan.thinking.as_ref().is_some_and(|thinking| !matches!(thinking, ThinkingConfig::Disabled));
    let (tools, tool_choice) = tools(request, target, &conversation, notes)?;
    Ok(MessagesRequest {
        model: target.model.to_owned(),
        max_tokens: plan.max_tokens,
        system: conversation.system_content(),
        messages: conversation.into_messages(),
        tools,
        tool_choice,
        // While thinking, temperature and top_k are refused, and top_p below 0.95.
        temperature: request.temperature.filter(|value| !is_thinking || is_one(*value)),
        top_p: top_p(request, is_thinking),
        top_k: request.top_k.filter(|_| !is_thinking),
        thinking: plan.thinking,
        output_config: (plan.effort.is_some() || format.is_some())
            .then_some(OutputConfig { effort: plan.effort, format }),
        stop_sequences: request.stop.clone(),
        service_tier: request.service_tier.as_deref().and_then(service_tier),
        metadata: metadata(request),
        stream: request.stream,
    })
}

/// What the client asked of thinking: in its own words, or in this API's (`thinking`), which clients
/// of OpenAI's may set beside.
pub(crate) fn reasoning(request: &ChatRequest) -> Option<ReasoningRequest> {
    if request.reasoning.is_some() {
        return request.reasoning.clone();
    }
    let thinking = request.extensions.field(OPENAI, "thinking")?;
    Some(ReasoningRequest {
        effort: None,
        budget_tokens: thinking["budget_tokens"].as_u64(),
        is_enabled: Some(thinking["type"].as_str()? != "disabled"),
    })
}

/// In this API's own words an effort alone steers the answer and asks for no thinking; in other
/// families' it is how to ask for it.
fn steers_without_thinking(request: &ChatRequest) -> bool {
    let is_own =
        request.extensions.field(FAMILY, "output_config").is_some_and(|config| config["effort"].is_string());
    is_own && request.reasoning.as_ref().is_some_and(|asked| asked.is_enabled.is_none())
}

/// The end user: OpenAI's `user`, or this API's own `metadata.user_id`.
fn metadata(request: &ChatRequest) -> Option<Metadata> {
    let own = || request.extensions.field(OPENAI, "metadata")?["user_id"].as_str().map(str::to_owned);
    Some(Metadata { user_id: request.user.clone().or_else(own)? })
}

fn is_one(value: f64) -> bool {
    (value - 1.0).abs() < f64::EPSILON
}

/// A `top_p` of 1 changes nothing, yet newer models refuse it beside a temperature; OpenAI's
/// clients like to send both.
fn top_p(request: &ChatRequest, is_thinking: bool) -> Option<f64> {
    request.top_p.filter(|value| {
        let is_idle = is_one(*value) && request.temperature.is_some();
        !is_idle && (!is_thinking || *value >= 0.95)
    })
}

/// Their two words: `auto` uses priority capacity where the account has some.
fn service_tier(tier: &str) -> Option<&'static str> {
    match tier {
        "auto" | "priority" => Some("auto"),
        "default" | "standard" | "standard_only" => Some("standard_only"),
        _ => None,
    }
}

/// The schema as `output_config.format`. Where the model has no such field, and for “any JSON
/// object”, for which there is none at all, the demand becomes a last sentence of the system prompt.
fn output_format(
    format: Option<&ResponseFormat>,
    model: &str,
    conversation: &mut Conversation,
    notes: &mut Vec<Note>,
) -> Option<Value> {
    let format = format?;
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonSchema { schema, .. } if models::has_structured_outputs(model) => {
            Some(json!({ "type": "json_schema", "schema": schema::restrict(schema, RESPONSE_FORMAT, notes) }))
        }
        ResponseFormat::JsonObject | ResponseFormat::JsonSchema { .. } => {
            notes.push(Note::instructed(RESPONSE_FORMAT));
            conversation.instruct(&in_words(format));
            None
        }
    }
}

fn tools(
    request: &ChatRequest,
    target: &TargetContext<'_>,
    conversation: &Conversation,
    notes: &mut Vec<Note>,
) -> Result<(Vec<Value>, Option<Value>), Error> {
    let mut tools = Vec::with_capacity(request.tools.len());
    for (position, tool) in request.tools.iter().enumerate() {
        tools.push(match tool {
            Tool::Function(function) => {
                function_tool(function, target.model, &format!("tools/{position}"), notes)
            }
            Tool::Opaque(opaque) => opaque.value.clone(),
        });
    }
    if tools.is_empty() {
        // A history with calls is refused where no tools are declared: name them, and let none be called.
        let declared: Vec<Value> = conversation
            .called_tools()
            .into_iter()
            .map(|name| json!({ "name": name, "input_schema": { "type": "object" } }))
            .collect();
        let choice = (!declared.is_empty()).then(|| json!({ "type": "none" }));
        return Ok((declared, choice));
    }
    Ok((tools, tool_choice(request)?))
}

/// Whether a tool is one of this API's, whoever sent it: their types end in a date
/// (`web_search_20250305`), a tool set of an MCP server's aside.
pub(super) fn is_own_tool(tool: &Opaque) -> bool {
    let kind = tool.value["type"].as_str().unwrap_or_default();
    let is_date = |end: &str| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_digit());
    tool.family == FAMILY
        || kind == "mcp_toolset"
        || kind.rsplit_once('_').is_some_and(|(_, end)| is_date(end))
}

fn function_tool(function: &FunctionTool, model: &str, place: &str, notes: &mut Vec<Note>) -> Value {
    let strict = function.strict.filter(|strict| *strict && models::has_structured_outputs(model));
    let input_schema = input_schema(function.parameters.as_ref());
    let tool = types::Tool {
        name: function.name.clone(),
        description: function.description.clone(),
        // A strict tool is held to its schema by the same sampler, with the same limits.
        input_schema: match strict {
            Some(_) => schema::restrict(&input_schema, place, notes),
            None => input_schema,
        },
        strict,
        extensions: beside(&function.extensions, FAMILY, &["cache_control", "defer_loading"]),
    };
    serde_json::to_value(tool).unwrap_or_default()
}

/// `type` is demanded, and it must be `object`.
pub(crate) fn input_schema(parameters: Option<&Value>) -> Value {
    match parameters {
        Some(Value::Object(schema)) if schema.contains_key("type") => Value::Object(schema.clone()),
        Some(Value::Object(schema)) => {
            let mut typed = Map::from_iter([("type".to_owned(), "object".into())]);
            typed.extend(schema.clone());
            Value::Object(typed)
        }
        _ => json!({ "type": "object" }),
    }
}

fn tool_choice(request: &ChatRequest) -> Result<Option<Value>, Error> {
    let mut choice = match &request.tool_choice {
        None if request.parallel_tool_calls != Some(false) => return Ok(None),
        None | Some(ToolChoice::Auto) => json!({ "type": "auto" }),
        Some(ToolChoice::None) => return Ok(Some(json!({ "type": "none" }))),
        Some(ToolChoice::Required) => json!({ "type": "any" }),
        Some(ToolChoice::Function(name)) => json!({ "type": "tool", "name": name }),
        Some(ToolChoice::Opaque(opaque)) if opaque.family == FAMILY => opaque.value.clone(),
        Some(ToolChoice::Opaque(opaque)) => {
            return Err(unsayable(
                format!("Anthropic's Messages have no such tool choice as this one of {}.", opaque.family),
                "tool_choice",
            ));
        }
    };
    if request.parallel_tool_calls == Some(false) {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Ok(Some(choice))
}

fn finish(
    body: &MessagesRequest,
    request: &ChatRequest,
    target: &TargetContext<'_>,
    has_files: bool,
    mut notes: Vec<Note>,
) -> Result<HttpRequest, Error> {
    let mut body = object(body)?;
    let mut betas = Vec::new();
    let mut extensions = beside(&request.extensions, FAMILY, &KNOWN);
    match extensions.shift_remove(BETAS) {
        Some(Value::String(beta)) => betas.push(beta),
        Some(Value::Array(list)) => {
            betas.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        _ => {}
    }
    if extensions.contains_key("mcp_servers") {
        betas.push(MCP_BETA.into());
    }
    // What is said of thinking beside its kind means nothing where there is none.
    let is_beside = |thinking: &Value| thinking.get("type").is_none();
    if body.get("thinking").is_none() && extensions.get("thinking").is_some_and(is_beside) {
        extensions.shift_remove("thinking");
    }
    merge_missing(&mut body, &extensions);
    notes::drop_fields(&mut body, &target.quirks.drop_fields, &mut notes);
    notes.extend(unsaid(request, target.model, &body));
    if has_files {
        betas.push(FILES_BETA.into());
    }
    let quirks = target.quirks;
    if quirks.omit_model {
        body.shift_remove("model");
    }
    if let Some(version) = &quirks.version_in_body {
        body.insert("anthropic_version".into(), version.as_str().into());
    }
    let address = address(request.stream, target);
    let mut sent = HttpRequest { body: Value::Object(body).to_string().into_bytes(), ..address };
    sent.notes = notes::tidy(notes);
    if let Some(betas) = quirks.betas(betas.iter().map(String::as_str)) {
        sent.headers.push(("anthropic-beta", betas));
    }
    Ok(sent)
}

/// What the body says nowhere, and an output limit that had to make room for thoughts.
fn unsaid(request: &ChatRequest, model: &str, body: &Map<String, Value>) -> Vec<Note> {
    let is_strict = models::has_structured_outputs(model);
    let is_instructed = !is_strict || matches!(request.response_format, Some(ResponseFormat::JsonObject));
    let places: [notes::Place<'_>; 13] = [
        ("max_output_tokens", &["/max_tokens"]),
        ("temperature", &["/temperature"]),
        ("top_p", &["/top_p"]),
        ("top_k", &["/top_k"]),
        ("stop", &["/stop_sequences"]),
        ("tool_choice", &["/tool_choice"]),
        ("parallel_tool_calls", &["/tool_choice/disable_parallel_tool_use"]),
        ("reasoning", &["/thinking", "/output_config/effort"]),
        ("response_format", &["/output_config/format"]),
        ("response_format", if is_instructed { &["/messages"] } else { &[] }),
        ("service_tier", &["/service_tier"]),
        ("user", &["/metadata/user_id"]),
        ("strict", if is_strict { &["/tools"] } else { &[] }),
    ];
    let mut notes = notes::unsaid(request, body, &places);
    if request
        .max_output_tokens
        .is_some_and(|asked| body.get("max_tokens").is_some_and(|sent| *sent != asked))
    {
        notes.push(Note::clamped("max_output_tokens"));
    }
    notes
}

/// `BlockContent` of `blocks`: plain text where that is all there is.
pub(super) fn content(mut blocks: Vec<InputBlock>) -> BlockContent {
    if let [InputBlock { block: Block::Text { text }, extensions }] = blocks.as_mut_slice()
        && extensions.is_empty()
    {
        return BlockContent::Text(std::mem::take(text));
    }
    BlockContent::Blocks(blocks)
}

/// Whether a role gives instructions rather than taking part.
pub(super) fn instructs(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}
