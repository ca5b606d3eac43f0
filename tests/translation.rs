//! What a client says, in the words of each protocol: one snapshot per conversation, dialect and
//! protocol in `snapshots/{case}.{dialect}-{protocol}.snap`, with what came in above what goes out.
//! A dialect's conversations are in its file in `translation/`; [`DIALECTS`] lists them.
//!
//! A second test holds the shapes to the recorded requests: a field that no recorded client of the
//! real API ever sent must be named here, with the document that knows it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails here fails its test"
)]

#[path = "translation/anthropic_messages.rs"]
mod anthropic_messages;
#[path = "translation/gemini_generate.rs"]
mod gemini_generate;
#[path = "translation/openai_chat.rs"]
mod openai_chat;
#[path = "translation/openai_responses.rs"]
mod openai_responses;

use std::collections::BTreeSet;

use canonical::{Error, Retry};
use serde_json::Value;
use signalbox_tests::corpus::{self, Record};
use wire::{HttpRequest, ProtocolId, Quirks, RequestHead, TargetContext};

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

/// A document of one empty page.
const PDF: &str = "JVBERi0xLjQKMSAwIG9iajw8L1BhZ2VzIDIgMCBSPj5lbmRvYmoKMiAwIG9iajw8L0tpZHNbMyAwIFJdL0NvdW50IDE+PmVuZG9iagozIDAgb2JqPDwvUGFyZW50IDIgMCBSPj5lbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+Pgo=";

/// One conversation, as a client of one dialect asks it.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    /// The body; `model` in it is the client's own word and never leaves the house.
    body: Value,
    /// The path asks for a stream (Gemini's, whose body does not say).
    has_stream_path: bool,
}

impl Case {
    fn new(name: &'static str, body: Value) -> Self {
        Self { name, body, has_stream_path: false }
    }
}

type Cases = fn() -> Vec<Case>;

/// What clients speak, each with its conversations: a file per dialect.
const DIALECTS: &[(&str, Cases)] = &[
    ("openai-chat", openai_chat::cases),
    ("openai-responses", openai_responses::cases),
    ("anthropic-messages", anthropic_messages::cases),
    ("gemini-generate", gemini_generate::cases),
];

/// What every dialect is asked at least.
const CONVERSATIONS: [&str; 10] = [
    "text",
    "system",
    "multi_turn",
    "tools",
    "parallel_tools",
    "tool_results",
    "image",
    "pdf",
    "reasoning",
    "json_schema",
];

/// Every case of every dialect.
fn all_cases() -> impl Iterator<Item = (&'static str, Case)> {
    DIALECTS.iter().flat_map(|(dialect, cases)| cases().into_iter().map(|case| (*dialect, case)))
}

fn encode(
    dialect: &str,
    case: &Case,
    protocol: ProtocolId,
    model: &str,
    most: u64,
) -> Result<HttpRequest, Error> {
    let head = RequestHead { model: Some("any"), stream: case.has_stream_path, ..RequestHead::default() };
    let request = wire::dialect(dialect)
        .expect("the dialect is registered")
        .decode_request(&head, case.body.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{dialect}, {}: {error}", case.name));
    // OpenAI's own models take the newer name of the limit; the others have no such field.
    let quirks = Quirks { max_tokens_field: Some("max_completion_tokens".into()), ..Quirks::default() };
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: Some(most) };
    wire::encode_request(wire::protocol(protocol), &request, &target)
}

fn check(dialect: &str, case: &Case, protocol: ProtocolId, model: &str, most: u64, suffix: &str) {
    let shown = match encode(dialect, case, protocol, model, most) {
        Ok(sent) => shown(&sent),
        // The next target of the route is asked instead.
        Err(error) => {
            assert_eq!(error.retry, Retry::NextTarget, "{error}");
            format!("The provider is not asked:\n{error}\n")
        }
    };
    let shown = format!("The client says:\n{:#}\n\n{shown}", case.body);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let name = format!("{}{suffix}.{dialect}-{protocol}", case.name);
    settings.bind(|| insta::assert_snapshot!(name, shown));
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
    for (dialect, case) in all_cases() {
        for (protocol, model, _, most) in TARGETS {
            check(dialect, &case, *protocol, model, *most, "");
        }
    }
}

#[test]
fn every_dialect_is_asked_the_same_conversations() {
    for (dialect, cases) in DIALECTS {
        let names: BTreeSet<&str> = cases().iter().map(|case| case.name).collect();
        let missing: Vec<&&str> = CONVERSATIONS.iter().filter(|name| !names.contains(**name)).collect();
        assert!(missing.is_empty(), "{dialect} is not asked {missing:?}");
    }
}

/// What the newest models take differs: no budgets of thinking, calls only with a signature.
#[test]
fn the_newest_models_are_spoken_to_in_their_own_words() {
    let differing = |case: &Case| ["reasoning", "parallel_tools"].contains(&case.name);
    for (dialect, case) in all_cases().filter(|(_, case)| differing(case)) {
        let newer = TARGETS[1..].iter().filter(|(_, usual, newest, _)| usual != newest);
        for (protocol, _, model, most) in newer {
            check(dialect, &case, *protocol, model, *most, "_newest");
        }
    }
}

/// Fields that no recorded client sent, each with its document.
const UNRECORDED: &[(&str, &str)] = &[
    // https://platform.openai.com/docs/guides/images-vision
    ("openai-responses", "/input/content/detail"),
    ("openai-responses", "/parallel_tool_calls"), // https://platform.openai.com/docs/api-reference/responses/create
    ("openai-responses", "/service_tier"),
    ("openai-responses", "/tools/tools"), // https://platform.openai.com/docs/guides/tools-tool-search
    ("openai-responses", "/tools/tools/description"),
    ("openai-responses", "/tools/tools/name"),
    ("openai-responses", "/tools/tools/parameters"),
    ("openai-responses", "/tools/tools/type"),
    ("openai-responses", "/top_p"),
    ("openai-responses", "/user"),
    ("openai-responses", "/input/action"), // https://platform.openai.com/docs/api-reference/responses/create
    ("openai-responses", "/input/action/command"),
    ("openai-responses", "/input/action/env"),
    ("openai-responses", "/input/action/query"),
    ("openai-responses", "/input/action/type"),
    ("anthropic-messages", "/metadata"), // https://docs.claude.com/en/api/messages#body-metadata
    ("anthropic-messages", "/metadata/user_id"),
    ("anthropic-messages", "/messages/content/source/content"), // https://docs.claude.com/en/docs/build-with-claude/citations
    ("anthropic-messages", "/messages/content/source/content/text"),
    ("anthropic-messages", "/messages/content/source/content/type"),
    ("anthropic-messages", "/messages/content/content/encrypted_content"), // https://docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool
    ("anthropic-messages", "/messages/content/content/page_age"),
    ("anthropic-messages", "/messages/content/content/url"),
    ("anthropic-messages", "/service_tier"), // https://docs.claude.com/en/api/service-tiers
    ("gemini-generate", "/contents/parts/codeExecutionResult"), // https://ai.google.dev/api/caching#Part
    ("gemini-generate", "/contents/parts/codeExecutionResult/outcome"),
    ("gemini-generate", "/contents/parts/codeExecutionResult/output"),
    ("gemini-generate", "/contents/parts/executableCode"),
    ("gemini-generate", "/contents/parts/executableCode/code"),
    ("gemini-generate", "/contents/parts/executableCode/language"),
    ("gemini-generate", "/generationConfig/stopSequences"), // https://ai.google.dev/api/generate-content#generationconfig
    ("gemini-generate", "/generationConfig/presencePenalty"),
    ("gemini-generate", "/generationConfig/frequencyPenalty"),
    ("gemini-generate", "/generationConfig/seed"),
    ("bedrock-converse", "/additionalModelRequestFields/top_k"), // https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
    ("bedrock-converse", "/messages/content/reasoningContent"), // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningContentBlock.html
    ("bedrock-converse", "/messages/content/reasoningContent/reasoningText"),
    ("bedrock-converse", "/messages/content/reasoningContent/reasoningText/signature"),
    ("bedrock-converse", "/messages/content/reasoningContent/reasoningText/text"),
    ("bedrock-converse", "/serviceTier"), // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ServiceTier.html
    ("bedrock-converse", "/serviceTier/type"),
    ("bedrock-converse", "/additionalModelRequestFields/output_config"), // https://docs.claude.com/en/docs/build-with-claude/effort
    ("bedrock-converse", "/additionalModelRequestFields/output_config/effort"),
    ("bedrock-converse", "/system/cachePoint/ttl"), // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CachePointBlock.html
    ("openai-responses", "/metadata"), // https://platform.openai.com/docs/api-reference/responses/create
    ("openai-responses", "/metadata/user_id"), // any name of the client's own
    ("ollama-chat", "/messages/tool_calls/id"), // https://github.com/ollama/ollama/blob/main/api/types.go (ToolCall)
    ("ollama-chat", "/messages/tool_call_id"), // https://github.com/ollama/ollama/blob/main/api/types.go (Message)
    ("ollama-chat", "/options/top_p"), // https://github.com/ollama/ollama/blob/main/docs/modelfile.mdx
    ("ollama-chat", "/options/top_k"),
    ("ollama-chat", "/options/stop"),
    ("ollama-chat", "/options/frequency_penalty"), // https://github.com/ollama/ollama/blob/main/api/types.go (Options)
    ("ollama-chat", "/options/presence_penalty"),
    ("cohere-chat", "/messages/content/image_url/detail"), // https://docs.cohere.com/reference/chat
    ("cohere-chat", "/messages/content/thinking"),         // https://docs.cohere.com/docs/reasoning
    ("cohere-chat", "/thinking/token_budget"),
    ("cohere-chat", "/frequency_penalty"),
    ("cohere-chat", "/presence_penalty"),
    ("cohere-chat", "/k"),
    ("cohere-chat", "/p"),
    ("cohere-chat", "/thinking/token_budget"), // https://docs.cohere.com/docs/reasoning
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
        for ((dialect, case), model) in all_cases().flat_map(|case| [(case.clone(), model), (case, newest)]) {
            if let Ok(request) = encode(dialect, &case, *protocol, model, *most) {
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
