//! What clients of Google's say, and what is understood of it.

#![allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]

use canonical::request::{MediaSource, ReasoningEffort, ReasoningRequest, ResponseFormat};
use canonical::{ChatRequest, Content, Error, Message, Part, Role, Tool, ToolChoice};
use serde_json::{Value, json};

use super::super::FAMILY;
use super::GeminiGenerate;
use crate::{Dialect as _, Protocol as _, Quirks, RequestHead, TargetContext};

fn decode(body: &Value) -> Result<ChatRequest, Error> {
    let head = RequestHead { model: Some("models/gemini-2.5-flash"), ..RequestHead::default() };
    GeminiGenerate.decode_request(&head, body.to_string().as_bytes())
}

fn messages(contents: Value) -> Vec<Message> {
    decode(&json!({ "contents": contents })).unwrap().messages
}

/// What goes to Google of what came in.
fn sent(body: &Value, model: &str) -> Value {
    let quirks = Quirks::default();
    let target = TargetContext { model, quirks: &quirks, max_output_tokens: None };
    let sent = super::super::client::GeminiGenerate.encode_request(&decode(body).unwrap(), &target).unwrap();
    serde_json::from_slice(&sent.body).unwrap()
}

#[test]
fn the_path_names_the_model_and_asks_for_a_stream() {
    let body = json!({"contents": "Hi", "model": "models/other"}).to_string();
    for (named, model) in [
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("openrouter/qwen/qwen3:free", "openrouter/qwen/qwen3:free"),
    ] {
        let head = RequestHead { model: Some(named), stream: true, ..RequestHead::default() };
        let request = GeminiGenerate.decode_request(&head, body.as_bytes()).unwrap();
        assert_eq!((request.model.as_str(), request.stream, request.include_usage), (model, true, true));
    }
    let request = GeminiGenerate.decode_request(&RequestHead::default(), body.as_bytes()).unwrap();
    assert_eq!((request.model.as_str(), request.stream), ("other", false));
}

#[test]
fn a_conversation_may_be_written_in_many_ways() {
    let short = messages(json!("Hi"));
    assert_eq!(short, [Message::text(Role::User, "Hi")]);
    assert_eq!(messages(json!({"parts": {"text": "Hi"}})), short);
    assert_eq!(messages(json!([{"parts": [{"text": "Hi", "thought": null}]}])), short);
    for instruction in [json!("Be brief."), json!({"role": "user", "parts": [{"text": "Be brief."}]})] {
        let request = decode(&json!({"system_instruction": instruction, "contents": "Hi"})).unwrap();
        assert_eq!(request.messages[0], Message::text(Role::System, "Be brief."));
    }
}

#[test]
fn calls_without_ids_are_joined_to_their_answers_and_stay_the_same_as_the_talk_goes_on() {
    let mut contents = vec![
        json!({"role": "user", "parts": [{"text": "Compare."}]}),
        json!({"role": "model", "parts": [
            {"function_call": {"name": "look", "args": {"my_city": "Oslo"}}, "thought_signature": "YS1i_w=="},
            {"functionCall": {"name": "look", "args": {"my_city": "Rome"}}},
            {"functionCall": {"id": "call_2", "name": "ring"}}]}),
        // The SDK for Python sends the empty end of a stream back.
        json!({"role": "model", "parts": [{"text": ""}]}),
        json!({"role": "function", "parts": [
            {"functionResponse": {"name": "look", "response": {"result": "rain"}}},
            {"functionResponse": {"name": "ring", "id": "call_2", "response": {"error": "broken"}}},
            {"text": "And?"},
            {"function_response": {"name": "look", "response": {"output": {"celsius": 19}}}}]}),
    ];
    let before = messages(contents.clone().into());
    let roles: Vec<Role> = before.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::User]);
    let calls: Vec<_> = before[1].parts.iter().map(call).collect();
    assert_eq!(
        calls,
        [("call_1", "{\"my_city\":\"Oslo\"}"), ("call_3", "{\"my_city\":\"Rome\"}"), ("call_2", "{}")]
    );
    assert_eq!(before[1].parts[0].signature(), Some("YS1i/w=="));
    let results: Vec<_> = before[2].parts.iter().map(result).collect();
    assert_eq!(
        results,
        [
            ("call_1", "rain".to_owned(), false),
            ("call_2", "broken".to_owned(), true),
            ("call_3", "{\"celsius\":19}".to_owned(), false)
        ]
    );
    contents.push(json!({"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]}));
    assert_eq!(messages(contents.into())[..4], before);
}

fn call(part: &Part) -> (&str, &str) {
    match &part.content {
        Content::ToolCall(call) => (&call.id, &call.arguments),
        other => panic!("no call: {other:?}"),
    }
}

fn result(part: &Part) -> (&str, String, bool) {
    match &part.content {
        Content::ToolResult(result) => {
            (&result.call_id, canonical::request::plain_text(&result.content), result.is_error)
        }
        other => panic!("no result: {other:?}"),
    }
}

#[test]
fn answers_of_functions_are_read_in_every_wrapping_and_go_back_as_they_came() {
    for (response, text) in [
        (json!({"result": "4 °C"}), "4 °C"),
        (json!({"output": "4 °C"}), "4 °C"),
        (json!({"return_value": 4}), "4"),
        (json!({"name": "look", "content": ["4"]}), "[\"4\"]"),
        (json!({"content": "4"}), "{\"content\":\"4\"}"),
        (json!({"celsius": 4, "result": "x"}), "{\"celsius\":4,\"result\":\"x\"}"),
        (json!({}), ""),
    ] {
        let body = json!({"contents": [
            {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "look", "args": {}}}]},
            {"role": "user", "parts": [{"functionResponse":
                {"id": "a", "name": "look", "response": response, "will_continue": false}}]}]});
        let request = decode(&body).unwrap();
        assert_eq!(result(&request.messages[1].parts[0]).1, text);
        let back = &sent(&body, "gemini-2.5-flash")["contents"][1]["parts"][0]["functionResponse"];
        assert_eq!(
            *back,
            json!({"id": "a", "name": "look", "response": response, "willContinue": false}),
            "{text}"
        );
    }
}

#[test]
fn media_are_told_by_their_type() {
    let said = messages(json!([{"parts": [
        {"inline_data": {"mime_type": "image/png", "data": "aV-_Cg"}, "mediaResolution": {"level": "LOW"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg==", "displayName": "a.pdf"}},
        {"fileData": {"mimeType": "audio/wav", "fileUri": "https://example.com/a.wav"}},
        {"file_data": {"file_uri": "gs://bucket/a.mp4", "mime_type": "video/mp4"}},
        {"fileData": {"fileUri": "https://example.com/a.JPG?x=1"}}]}]));
    let parts = &said[0].parts;
    assert!(
        matches!(&parts[0].content, Content::Image(media) if media.source == MediaSource::Base64("aV+/Cg==".into()))
    );
    assert!(parts[0].extensions.field(FAMILY, "mediaResolution").is_some());
    assert!(matches!(&parts[1].content, Content::Document(media) if media.name.as_deref() == Some("a.pdf")));
    assert!(
        matches!(&parts[2].content, Content::Audio(media) if matches!(media.source, MediaSource::Url(_)))
    );
    assert!(
        matches!(&parts[3].content, Content::Document(media) if matches!(media.source, MediaSource::FileId(_)))
    );
    assert!(matches!(&parts[4].content, Content::Image(_)));
}

#[test]
fn thoughts_and_signatures_stay_on_their_parts() {
    let said = messages(json!([{"role": "user", "parts": ["?"]}, {"role": "model", "parts": [
        {"text": "Hm.", "thought": true, "thoughtSignature": "YQ=="},
        {"text": "", "thoughtSignature": "Yg=="},
        {"executable_code": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "Yw=="},
        {"thoughtSignature": "ZA=="}]}]));
    let parts = &said[1].parts;
    assert!(matches!(&parts[0].content, Content::Reasoning(thought) if thought.text == "Hm."));
    assert_eq!(parts[0].signature(), Some("YQ=="));
    assert_eq!((&parts[1].content, parts[1].signature()), (&Content::Text(String::new()), Some("Yg==")));
    let Content::Opaque(code) = &parts[2].content else { panic!("{:?}", parts[2]) };
    let expected = json!({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "Yw=="});
    assert_eq!(code.value, expected);
    assert_eq!(parts[3].signature(), Some("ZA=="));
}

#[test]
fn tools_are_functions_and_googles_own() {
    let request = decode(&json!({"contents": "?", "tools": [
        {"function_declarations": [
            {"name": "a", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}, "behavior": "BLOCKING"},
            {"name": "b", "parameters_json_schema": {"type": "object"}}], "codeExecution": null},
        {"google_search": {}, "urlContext": {}}]}))
    .unwrap();
    let names: Vec<String> = request
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function(function) => function.name.clone(),
            Tool::Opaque(opaque) => opaque.value.to_string(),
        })
        .collect();
    assert_eq!(names, ["a", "b", "{\"googleSearch\":{}}", "{\"urlContext\":{}}"]);
    let Tool::Function(first) = &request.tools[0] else { panic!("{:?}", request.tools) };
    assert_eq!(first.parameters, Some(json!({"type": "object", "properties": {"x": {"type": "string"}}})));
    assert_eq!(first.extensions.field(FAMILY, "behavior"), Some(&"BLOCKING".into()));
}

#[test]
fn which_tool_may_be_called_is_understood() {
    let tools = json!([{"functionDeclarations": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}]);
    let decoded = |config: Value| {
        decode(&json!({"contents": "?", "tools": tools, "tool_config": {"function_calling_config": config}}))
            .unwrap()
    };
    let choice = |config: Value| decoded(config).tool_choice;
    assert_eq!(choice(json!({"mode": "auto"})), Some(ToolChoice::Auto));
    assert_eq!(choice(json!({"mode": 3})), Some(ToolChoice::None));
    assert_eq!(choice(json!({"mode": "ANY"})), Some(ToolChoice::Required));
    let one = json!({"mode": "ANY", "allowed_function_names": ["b"]});
    assert_eq!(choice(one), Some(ToolChoice::Function("b".into())));
    // Two of three: the third is left out, for providers without a word for it.
    let two = decoded(json!({"mode": "ANY", "allowedFunctionNames": ["a", "c"]}));
    assert_eq!((two.tool_choice, two.tools.len()), (Some(ToolChoice::Required), 2));
    let validated = json!({"contents": "?", "tools": tools, "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}}});
    assert_eq!(sent(&validated, "gemini-2.5-pro")["toolConfig"], validated["toolConfig"]);
    assert_eq!(decode(&validated).unwrap().tool_choice, None);
}

#[test]
fn settings_have_their_canonical_words_and_the_rest_is_kept() {
    let body = json!({"contents": "?", "cached_content": "cachedContents/1", "labels": {"a_b": "c"}, "safetySettings": null,
        "generation_config": {"temperature": 0.5, "top_p": 0.9, "topK": 40.0, "max_output_tokens": 100, "seed": 7,
            "stopSequences": ["END"], "candidateCount": 2, "presencePenalty": 0.1, "frequency_penalty": 0.2,
            "response_mime_type": "application/json", "response_schema": {"type": "ARRAY", "items": {"type": "STRING"}},
            "responseModalities": ["TEXT"]}});
    let request = decode(&body).unwrap();
    assert_eq!((request.temperature, request.top_p, request.top_k), (Some(0.5), Some(0.9), Some(40)));
    assert_eq!(
        (request.max_output_tokens, request.seed, request.choice_count),
        (Some(100), Some(7), Some(2))
    );
    assert_eq!(request.stop, ["END"]);
    let schema = json!({"type": "array", "items": {"type": "string"}});
    assert!(
        matches!(&request.response_format, Some(ResponseFormat::JsonSchema { schema: got, .. }) if *got == schema)
    );
    let kept = request.extensions.get(FAMILY).unwrap();
    assert_eq!(
        Value::Object(kept.clone()),
        json!({"cachedContent": "cachedContents/1", "labels": {"a_b": "c"}, "generationConfig": {"responseModalities": ["TEXT"]}})
    );
}

#[test]
fn thinking_has_a_budget_or_a_level_and_is_shown_on_demand() {
    let asked = |config: Value| {
        let request =
            decode(&json!({"contents": "?", "generationConfig": {"thinkingConfig": config}})).unwrap();
        (request.reasoning, request.hide_reasoning)
    };
    let (none, on) = (ReasoningRequest::default, Some(true));
    for (config, expected, is_hidden) in [
        (json!({"thinkingBudget": 512}), ReasoningRequest { budget_tokens: Some(512), ..none() }, true),
        (json!({"thinking_budget": 0}), ReasoningRequest { is_enabled: Some(false), ..none() }, true),
        (
            json!({"thinkingBudget": -1, "includeThoughts": true}),
            ReasoningRequest { is_enabled: on, ..none() },
            false,
        ),
        (json!({"include_thoughts": true}), ReasoningRequest { is_enabled: on, ..none() }, false),
        (
            json!({"thinkingLevel": "high"}),
            ReasoningRequest { effort: Some(ReasoningEffort::High), ..none() },
            true,
        ),
    ] {
        assert_eq!(asked(config.clone()), (Some(expected), is_hidden), "{config}");
    }
    assert_eq!(asked(json!({})), (None, true));
    // To Google it goes as it came; to a model that knows no levels, in other words.
    let body = json!({"contents": "?", "generationConfig": {"thinkingConfig": {"thinking_level": "LOW"}}});
    let config = |model| sent(&body, model)["generationConfig"]["thinkingConfig"].clone();
    assert_eq!(config("gemini-3-pro-preview"), json!({"thinkingLevel": "LOW"}));
    assert_eq!(config("gemini-2.5-pro"), json!({"includeThoughts": true, "thinkingBudget": 1024}));
    assert_eq!(config("gemini-2.0-flash"), Value::Null);
}

#[test]
fn mistakes_name_their_field() {
    for (body, param) in [
        (json!({}), "contents"),
        (json!({"contents": [{"role": "invalid_role", "parts": [{"text": "Hi"}]}]}), "contents[0].role"),
        (json!({"contents": [{"parts": [{"functionCall": {}}]}]}), "contents[0].parts[0].functionCall.name"),
        (
            json!({"contents": "Hi", "generationConfig": {"temperature": "hot"}}),
            "generationConfig.temperature",
        ),
        (
            json!({"contents": "Hi", "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            json!({"contents": "Hi", "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
    ] {
        assert_eq!(decode(&body).unwrap_err().param.as_deref(), Some(param), "{body}");
    }
}
