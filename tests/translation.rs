//! What a client of OpenAI's says, in the words of each protocol: one snapshot per conversation and
//! protocol in `snapshots/{case}.{protocol}.snap`, with what came in above what goes out.
//!
//! A second test holds the shapes to the recorded requests: a field that no recorded client of the
//! real API ever sent must be named here, with the document that knows it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use std::collections::BTreeSet;

use canonical::{Error, Retry};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use wire::{Dialect as _, HttpRequest, ProtocolId, Quirks, TargetContext};

/// The protocols, each with a model of the usual kind and one of the newest, and what the
/// catalogue knows of them.
const TARGETS: &[(ProtocolId, &str, &str, u64)] = &[
    (ProtocolId::OpenaiChat, "gpt-5.2", "gpt-5.2", 128_000),
    (ProtocolId::OpenaiResponses, "gpt-4.1", "gpt-5.2", 128_000),
    (ProtocolId::AnthropicMessages, "claude-sonnet-4-5", "claude-opus-4-8", 64_000),
    (ProtocolId::GeminiGenerate, "gemini-2.5-flash", "gemini-3-pro-preview", 65_536),
    (ProtocolId::CohereChat, "command-a-03-2025", "command-a-03-2025", 8_000),
    (
        ProtocolId::BedrockConverse,
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-opus-4-8-v1:0",
        64_000,
    ),
    (ProtocolId::OllamaChat, "qwen3:8b", "qwen3:8b", 40_960),
];

/// A white pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC";

fn weather_tool() -> Value {
    json!({"type": "function", "function": {
        "name": "get_weather", "description": "The weather in a city, now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false}}})
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// The conversations, by name; `model` is the client's own word and never leaves the house.
fn cases() -> Vec<(&'static str, Value)> {
    vec![
        ("text", json!({"model": "any", "messages": [{"role": "user", "content": "Say hello."}]})),
        (
            "system",
            json!({"model": "any", "messages": [
                {"role": "system", "content": "You are a station master."},
                {"role": "developer", "content": "Answer in one sentence."},
                {"role": "user", "content": "Is the line clear?"},
                {"role": "assistant", "content": "It is."},
                {"role": "system", "content": "The line is blocked since noon."},
                {"role": "user", "content": "And now?"}
            ]}),
        ),
        (
            "multi_turn",
            json!({"model": "any", "stream": true, "stream_options": {"include_usage": true}, "messages": [
                {"role": "user", "content": "Name a prime."},
                {"role": "assistant", "content": "Seven."},
                {"role": "user", "content": [{"type": "text", "text": "Another."}, {"type": "text", "text": "Larger."}]},
                {"role": "user", "content": "Below twenty."}
            ]}),
        ),
        (
            "tools",
            json!({"model": "any", "messages": [{"role": "user", "content": "Weather in Oslo?"}],
                "tools": [weather_tool(), {"type": "function", "function": {"name": "get_time", "strict": true,
                    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}},
                    {"type": "function", "function": {"name": "ring_bell"}}],
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "parallel_tool_calls": false}),
        ),
        (
            "parallel_tools",
            json!({"model": "any", "messages": [
                {"role": "user", "content": "Weather in Oslo and Rome?"},
                {"role": "assistant", "content": "Looking.", "tool_calls": [
                    call("call_1", "get_weather", "{\"city\": \"Oslo\"}"),
                    call("functions.get_weather:1", "get_weather", "{\"city\": \"Rome\"}")]},
                {"role": "tool", "tool_call_id": "call_1", "content": "4 °C, rain"},
                {"role": "tool", "tool_call_id": "functions.get_weather:1", "content": "{\"celsius\": 19, \"sky\": \"clear\"}"}
            ], "tools": [weather_tool()], "tool_choice": "auto"}),
        ),
        (
            "tool_results",
            json!({"model": "any", "messages": [
                {"role": "user", "content": "What is the time?"},
                {"role": "assistant", "content": null, "tool_calls": [call("call_1", "get_time", "")]},
                {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "12:04"}]},
                {"role": "user", "content": "In words, please."}
            ]}),
        ),
        (
            "image",
            json!({"model": "any", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "Compare these."},
                {"type": "image_url", "image_url": {"url": "https://example.com/signal.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}}
            ]}]}),
        ),
        (
            "reasoning",
            json!({"model": "any", "reasoning_effort": "high", "max_completion_tokens": 8000, "temperature": 0.2,
                "messages": [{"role": "user", "content": "Is 2027 a prime?"}]}),
        ),
        (
            "json_schema",
            json!({"model": "any", "messages": [{"role": "user", "content": "Describe a dog."}],
                "response_format": {"type": "json_schema", "json_schema": {"name": "dog", "strict": true, "schema": {
                    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
                    "required": ["name", "age"], "additionalProperties": false}}}}),
        ),
        (
            "sampling",
            json!({"model": "any", "messages": [{"role": "user", "content": "Say a word."}],
                "temperature": 0.7, "top_p": 0.9, "max_tokens": 50, "stop": ["###", "END"], "seed": 7,
                "frequency_penalty": 0.5, "presence_penalty": -0.5, "user": "user-1", "service_tier": "auto"}),
        ),
        // What a client of OpenAI's sets for the provider that it knows to be behind the port.
        (
            "beyond_openai",
            json!({"model": "any", "top_k": 40, "max_tokens": 3000, "cached_content": "cachedContents/abc",
            "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
            "thinking": {"type": "enabled", "budget_tokens": 2000}, "metadata": {"user_id": "user-1"},
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "A long rule book.",
                    "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
                {"role": "user", "content": "Which rule is the first?", "cache_control": {"type": "ephemeral"}}
            ]}),
        ),
    ]
}

fn encode(protocol: ProtocolId, model: &str, most: u64, asked: &Value) -> Result<HttpRequest, Error> {
    let request = wire::openai_chat::server::OpenAiChat
        .decode_request(&wire::RequestHead::default(), asked.to_string().as_bytes())
        .unwrap();
    // OpenAI's own models take the newer name of the limit; the others have no such field.
    let quirks = Quirks { max_tokens_field: Some("max_completion_tokens".into()), ..Quirks::default() };
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: Some(most) };
    wire::protocol(protocol).encode_request(&request, &target)
}

fn check(case: &str, protocol: ProtocolId, model: &str, most: u64, asked: &Value) {
    let shown = match encode(protocol, model, most, asked) {
        Ok(sent) => shown(&sent),
        // The next target of the route is asked instead.
        Err(error) => {
            assert_eq!(error.retry, Retry::NextTarget, "{error}");
            format!("The provider is not asked:\n{error}\n")
        }
    };
    let shown = format!("The client says:\n{asked:#}\n\n{shown}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("{case}.{protocol}"), shown));
}

fn shown(sent: &HttpRequest) -> String {
    assert_eq!(sent.method, wire::Method::Post);
    let query: Vec<String> = sent.query.iter().map(|(name, value)| format!("?{name}={value}")).collect();
    let headers: Vec<String> =
        sent.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    format!("The provider gets:\nPOST {}{}\n{}{body:#}\n", sent.path, query.concat(), headers.concat())
}

#[test]
fn every_conversation_goes_out_in_each_protocols_words() {
    for (case, asked) in cases() {
        for (protocol, model, _, most) in TARGETS {
            check(case, *protocol, model, *most, &asked);
        }
    }
}

/// What the newest models take differs: no budgets of thinking, calls only with a signature.
#[test]
fn the_newest_models_are_spoken_to_in_their_own_words() {
    for (case, asked) in
        cases().into_iter().filter(|(case, _)| ["reasoning", "parallel_tools"].contains(case))
    {
        let newer = TARGETS[1..].iter().filter(|(_, usual, newest, _)| usual != newest);
        for (protocol, _, model, most) in newer {
            check(&format!("{case}_newest"), *protocol, model, *most, &asked);
        }
    }
}

/// Fields that no recorded client sent, each with its document.
const UNRECORDED: &[(&str, &str)] = &[
    // https://platform.openai.com/docs/guides/images-vision
    ("openai-responses", "/input/content/detail"),
    ("openai-responses", "/parallel_tool_calls"), // https://platform.openai.com/docs/api-reference/responses/create
    ("openai-responses", "/service_tier"),
    ("openai-responses", "/top_p"),
    ("openai-responses", "/user"),
    ("anthropic-messages", "/metadata"), // https://docs.claude.com/en/api/messages#body-metadata
    ("anthropic-messages", "/metadata/user_id"),
    ("anthropic-messages", "/service_tier"), // https://docs.claude.com/en/api/service-tiers
    ("gemini-generate", "/generationConfig/stopSequences"), // https://ai.google.dev/api/generate-content#generationconfig
    ("gemini-generate", "/generationConfig/presencePenalty"),
    ("gemini-generate", "/generationConfig/frequencyPenalty"),
    ("gemini-generate", "/generationConfig/seed"),
    ("bedrock-converse", "/additionalModelRequestFields/output_config"), // https://docs.claude.com/en/docs/build-with-claude/effort
    ("bedrock-converse", "/additionalModelRequestFields/output_config/effort"),
    ("bedrock-converse", "/system/cachePoint/ttl"), // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CachePointBlock.html
    ("ollama-chat", "/messages/tool_calls/id"), // https://github.com/ollama/ollama/blob/main/api/types.go (ToolCall)
    ("ollama-chat", "/messages/tool_call_id"), // https://github.com/ollama/ollama/blob/main/api/types.go (Message)
    ("ollama-chat", "/options/top_p"), // https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx
    ("ollama-chat", "/options/top_k"),
    ("ollama-chat", "/options/stop"),
    ("ollama-chat", "/options/frequency_penalty"), // https://github.com/ollama/ollama/blob/main/api/types.go (Options)
    ("ollama-chat", "/options/presence_penalty"),
    ("cohere-chat", "/messages/content/image_url/detail"), // https://docs.cohere.com/reference/chat
    ("cohere-chat", "/frequency_penalty"),
    ("cohere-chat", "/presence_penalty"),
    ("cohere-chat", "/k"),
    ("cohere-chat", "/p"),
];

#[test]
fn every_field_that_goes_out_was_seen_from_a_real_client_or_is_documented() {
    for (protocol, model, newest, most) in &TARGETS[1..] {
        let Some(records) = recorded(*protocol) else { return };
        let mut known = BTreeSet::new();
        for record in records.iter().filter(|record| record.response.status == 200) {
            if let Some(body) = record.request.as_ref().and_then(|request| request.body.as_ref()) {
                fields(body, "", &mut known);
            }
        }
        assert!(known.len() > 25, "{protocol}: the recorded requests hold only {known:?}");
        let documented: BTreeSet<&str> =
            UNRECORDED.iter().filter(|(of, _)| *of == protocol.as_str()).map(|(_, field)| *field).collect();
        let mut sent = BTreeSet::new();
        for ((_, asked), model) in cases().iter().flat_map(|case| [(case, model), (case, newest)]) {
            if let Ok(request) = encode(*protocol, model, *most, asked) {
                fields(&serde_json::from_slice(&request.body).unwrap(), "", &mut sent);
            }
        }
        let unknown: Vec<&String> = sent
            .iter()
            .filter(|field| !known.contains(*field) && !documented.contains(field.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{protocol}: {unknown:?}");
        let idle: Vec<&&str> =
            documented.iter().filter(|field| known.contains(**field) || !sent.contains(**field)).collect();
        assert!(idle.is_empty(), "{protocol}: no exceptions any more: {idle:?}");
    }
}

fn recorded(protocol: ProtocolId) -> Option<Vec<Record>> {
    match protocol {
        ProtocolId::OllamaChat => corpus::of_wire(protocol.as_str()),
        _ => corpus::records(protocol.as_str()),
    }
}

/// Paths of all fields of `value`, list items without their numbers; what a client's own schemas
/// and arguments hold is no field of the protocol.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    const FREE: &[&str] = &[
        "input_schema",
        "inputSchema",
        "parametersJsonSchema",
        "responseJsonSchema",
        "schema",
        "parameters",
        "json_schema",
        "input",
        "args",
        "arguments",
        "response",
    ];
    // Ollama's schema of the answer.
    const FREE_AT_THE_TOP: &str = "/format";
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{path}/{name}");
                // As a list, `input` is the conversation in OpenAI's Responses.
                let is_conversation = name == "input" && value.is_array();
                let is_free = FREE.contains(&name.as_str()) || path == FREE_AT_THE_TOP;
                if is_conversation || !is_free {
                    fields(value, &path, into);
                }
                into.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, path, into)),
        _ => {}
    }
}
