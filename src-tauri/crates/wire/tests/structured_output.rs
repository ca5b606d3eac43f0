//! What each protocol makes of a demand for JSON, for a model that has a field for it and for an
//! older one: the vendor's own form, or a sentence that the model reads; and what is noted of it.

#![allow(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

use canonical::request::{FunctionTool, ResponseFormat};
use canonical::{ChatRequest, Message, Role, Tool};
use serde_json::{Value, json};
use wire::{HttpRequest, Note, ProtocolId, Quirks, TargetContext};

/// A protocol, a model, and where in the body each demand is found.
struct Case {
    protocol: ProtocolId,
    model: &'static str,
    object: Form,
    schema: Form,
}

/// How a demand is said.
enum Form {
    /// This value at this pointer.
    At(&'static str, Value),
    /// The schema itself, or its text, at this pointer.
    Schema(&'static str),
    /// A sentence at this pointer.
    Words(&'static str),
}

use Form::{At, Schema, Words};

fn asked(format: ResponseFormat) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::text(Role::User, "How old is Ada?")],
        response_format: Some(format),
        max_output_tokens: Some(100),
        ..ChatRequest::default()
    }
}

fn age() -> Value {
    json!({
        "type": "object",
        "properties": {"age": {"type": "integer", "minimum": 0, "multipleOf": 1}},
        "required": ["age"],
        "additionalProperties": false
    })
}

fn schema_format() -> ResponseFormat {
    ResponseFormat::JsonSchema {
        name: Some("age".into()),
        description: None,
        schema: age(),
        strict: Some(true),
    }
}

fn sent(protocol: ProtocolId, model: &str, request: &ChatRequest) -> (Value, HttpRequest) {
    let quirks = Quirks::default();
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: None };
    let sent = wire::encode_request(wire::protocol(protocol), request, &target).unwrap();
    (serde_json::from_slice(&sent.body).unwrap(), sent)
}

fn cases() -> Vec<Case> {
    use ProtocolId::*;
    let case = |protocol, model, object, schema| Case { protocol, model, object, schema };
    let system = "/system";
    let bedrock_schema = "/outputConfig/textFormat/structure/jsonSchema/schema";
    let bedrock_system = "/system/0/text";
    let gemini_object = || At("/generationConfig/responseMimeType", json!("application/json"));
    let openai_object = || At("/response_format", json!({"type": "json_object"}));
    let responses_object = || At("/text/format", json!({"type": "json_object"}));
    let cohere_object = || At("/response_format", json!({"type": "json_object"}));
    vec![
        case(OpenaiChat, "gpt-5.2", openai_object(), Schema("/response_format/json_schema/schema")),
        // Who takes which form is the model's matter there, not the protocol's: the provider answers.
        case(OpenaiChat, "gpt-4-turbo", openai_object(), Schema("/response_format/json_schema/schema")),
        case(OpenaiResponses, "gpt-5.2", responses_object(), Schema("/text/format/schema")),
        case(OpenaiResponses, "gpt-4-turbo", responses_object(), Schema("/text/format/schema")),
        case(AnthropicMessages, "claude-sonnet-4-5", Words(system), Schema("/output_config/format/schema")),
        case(AnthropicMessages, "claude-3-5-haiku-20241022", Words(system), Words(system)),
        case(
            GeminiGenerate,
            "gemini-2.5-flash",
            gemini_object(),
            Schema("/generationConfig/responseJsonSchema"),
        ),
        case(
            GeminiGenerate,
            "gemini-1.5-pro",
            gemini_object(),
            Schema("/generationConfig/responseJsonSchema"),
        ),
        case(
            BedrockConverse,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Words(bedrock_system),
            Schema(bedrock_schema),
        ),
        case(BedrockConverse, "amazon.nova-lite-v1:0", Words(bedrock_system), Words(bedrock_system)),
        case(CohereChat, "command-a-03-2025", cohere_object(), Schema("/response_format/json_schema")),
        case(CohereChat, "command-r", cohere_object(), Schema("/response_format/json_schema")),
        case(OllamaChat, "qwen3:8b", At("/format", json!("json")), Schema("/format")),
        case(OllamaChat, "llama2", At("/format", json!("json")), Schema("/format")),
    ]
}

#[test]
fn every_protocol_says_a_demand_for_json_in_its_own_form_or_in_words() {
    for Case { protocol, model, object, schema } in cases() {
        for (form, format) in [(object, ResponseFormat::JsonObject), (schema, schema_format())] {
            let wants_schema = matches!(format, ResponseFormat::JsonSchema { .. });
            let (body, http) = sent(protocol, model, &asked(format));
            let at = |pointer: &str| body.pointer(pointer).cloned().unwrap_or_default();
            let what = format!("{protocol} {model} schema={wants_schema}: {body}");
            let is_instructed = http.notes.contains(&Note::instructed("response_format"));
            assert!(!http.notes.contains(&Note::dropped("response_format")), "{what}: {:?}", http.notes);
            match form {
                At(pointer, expected) => assert_eq!(at(pointer), expected, "{what}"),
                Schema(pointer) => {
                    let schema = match at(pointer) {
                        Value::String(text) => serde_json::from_str(&text).unwrap(),
                        schema => schema,
                    };
                    assert_eq!(schema["properties"]["age"]["type"], "integer", "{what}");
                    assert_eq!(schema["required"], json!(["age"]), "{what}");
                }
                Words(pointer) => {
                    let words = at(pointer).to_string();
                    assert!(words.contains("and nothing else"), "{what}");
                    assert_eq!(words.contains("multipleOf"), wants_schema, "{what}");
                    assert!(is_instructed, "{what}: {:?}", http.notes);
                    continue;
                }
            }
            assert!(!is_instructed, "{what}: {:?}", http.notes);
        }
    }
}

fn names(notes: &[Note]) -> String {
    wire::notes::summary(notes).unwrap_or_default()
}

#[test]
fn keywords_that_a_provider_does_not_hold_its_model_to_are_noted() {
    use ProtocolId::*;
    for (protocol, model, expected) in [
        (OpenaiChat, "gpt-5.2", ""),
        (OpenaiResponses, "gpt-5.2", ""),
        (AnthropicMessages, "claude-sonnet-4-5", "schema:minimum,schema:multipleOf"),
        (AnthropicMessages, "claude-3-5-haiku-20241022", "instructed:response_format"),
        (GeminiGenerate, "gemini-2.5-flash", "ignored:multipleOf"),
        (BedrockConverse, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "schema:minimum,schema:multipleOf"),
        (BedrockConverse, "amazon.nova-lite-v1:0", "instructed:response_format"),
        (CohereChat, "command-a-03-2025", ""),
        (OllamaChat, "qwen3:8b", ""),
    ] {
        let (_, http) = sent(protocol, model, &asked(schema_format()));
        assert_eq!(names(&http.notes), expected, "{protocol} {model}");
    }
}

#[test]
fn a_strict_tool_is_held_to_what_the_sampler_knows_and_the_rest_is_noted() {
    use ProtocolId::*;
    for (protocol, model, pointer, expected) in [
        (OpenaiChat, "gpt-5.2", "/tools/0/function/parameters", ""),
        (OpenaiResponses, "gpt-5.2", "/tools/0/parameters", ""),
        (AnthropicMessages, "claude-sonnet-4-5", "/tools/0/input_schema", "schema:minimum,schema:multipleOf"),
        (AnthropicMessages, "claude-3-5-haiku-20241022", "/tools/0/input_schema", "dropped:strict"),
        (
            GeminiGenerate,
            "gemini-2.5-flash",
            "/tools/0/functionDeclarations/0/parametersJsonSchema",
            "dropped:strict",
        ),
        (
            BedrockConverse,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "/toolConfig/tools/0/toolSpec/inputSchema/json",
            "schema:minimum,schema:multipleOf",
        ),
        (CohereChat, "command-a-03-2025", "/tools/0/function/parameters", ""),
        (OllamaChat, "qwen3:8b", "/tools/0/function/parameters", "dropped:strict"),
    ] {
        let tool = FunctionTool {
            name: "set_age".into(),
            parameters: Some(age()),
            strict: Some(true),
            ..FunctionTool::default()
        };
        let request = ChatRequest {
            response_format: None,
            tools: vec![Tool::Function(tool)],
            ..asked(ResponseFormat::Text)
        };
        let (body, http) = sent(protocol, model, &request);
        let schema = body.pointer(pointer).unwrap_or_else(|| panic!("{protocol}: {body}"));
        assert_eq!(names(&http.notes), expected, "{protocol} {model}");
        let keeps = schema["properties"]["age"].get("minimum").is_some();
        assert_eq!(keeps, !expected.contains("schema:minimum"), "{protocol} {model}: {schema}");
    }
}

#[test]
fn parameters_without_a_place_are_noted_by_every_protocol() {
    use ProtocolId::*;
    let request = ChatRequest {
        temperature: Some(0.3),
        top_p: Some(0.9),
        top_k: Some(40),
        frequency_penalty: Some(0.5),
        presence_penalty: Some(0.5),
        seed: Some(7),
        stop: vec!["END".into()],
        service_tier: Some("priority".into()),
        user: Some("u1".into()),
        parallel_tool_calls: Some(false),
        tools: vec![Tool::Function(FunctionTool { name: "ring".into(), ..FunctionTool::default() })],
        response_format: None,
        ..asked(ResponseFormat::Text)
    };
    for (protocol, model, expected) in [
        (OpenaiChat, "gpt-5.2", ""),
        (
            OpenaiResponses,
            "gpt-5.2",
            "dropped:frequency_penalty,dropped:presence_penalty,dropped:seed,dropped:stop,dropped:top_k",
        ),
        (
            AnthropicMessages,
            "claude-sonnet-4-5",
            "dropped:frequency_penalty,dropped:presence_penalty,dropped:seed",
        ),
        (GeminiGenerate, "gemini-2.5-flash", "dropped:parallel_tool_calls,dropped:service_tier,dropped:user"),
        (
            BedrockConverse,
            "amazon.nova-lite-v1:0",
            "dropped:frequency_penalty,dropped:parallel_tool_calls,dropped:presence_penalty,dropped:seed,dropped:user",
        ),
        (CohereChat, "command-a-03-2025", "dropped:parallel_tool_calls,dropped:service_tier,dropped:user"),
        (OllamaChat, "qwen3:8b", "dropped:parallel_tool_calls,dropped:service_tier,dropped:user"),
    ] {
        assert_eq!(names(&sent(protocol, model, &request).1.notes), expected, "{protocol}");
    }
}

#[test]
fn a_field_that_a_vendors_file_drops_is_noted_and_a_limit_that_was_raised_too() {
    let quirks = Quirks { drop_fields: vec!["seed".into(), "logprobs".into()], ..Quirks::default() };
    let target = TargetContext { model: "m", quirks: &quirks, max_output_tokens: None };
    let request = ChatRequest { seed: Some(7), response_format: None, ..asked(ResponseFormat::Text) };
    let openai = wire::protocol(ProtocolId::OpenaiChat).encode_request(&request, &target).unwrap();
    assert_eq!(openai.notes, [Note::dropped("seed")]);
    let request =
        ChatRequest { max_output_tokens: Some(5), response_format: None, ..asked(ResponseFormat::Text) };
    let (_, responses) = sent(ProtocolId::OpenaiResponses, "gpt-5.2", &request);
    assert_eq!(responses.notes, [Note::clamped("max_output_tokens")]);
}
