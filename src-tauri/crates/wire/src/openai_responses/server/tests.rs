//! What the recordings do not hold: other makers' answers at a client of Responses, what comes back of
//! them, rare requests, errors.

use canonical::event::ResponseStart;
use canonical::fold::fold;
use canonical::request::{Held, Media, MediaSource, Opaque, ReasoningEffort, ResponseFormat};
use canonical::{
    ChatRequest, Content, Error, ErrorKind, FinishReason, Origin, PartDelta, PartKind, Retry, Role,
    StreamEvent, Tool, ToolChoice, Usage,
};
use serde_json::{Value, json};

use super::{FAMILY, OpenAiResponses};
use crate::anthropic_messages::client::AnthropicMessages;
use crate::openai_responses::client;
use crate::signatures::CODED_MARK;
use crate::{AnswerContext, Dialect as _, Protocol, Quirks, RequestHead, TargetContext, encode_request};

fn request(body: &Value) -> ChatRequest {
    OpenAiResponses.decode_request(&RequestHead::default(), body.to_string().as_bytes()).unwrap()
}

fn refused(body: &Value) -> Error {
    OpenAiResponses.decode_request(&RequestHead::default(), body.to_string().as_bytes()).unwrap_err()
}

fn sent(protocol: &dyn Protocol, request: &ChatRequest) -> Value {
    let quirks = Quirks::default();
    let target = TargetContext { model: "some-model", quirks: &quirks, max_output_tokens: Some(64_000) };
    let sent = encode_request(protocol, request, &target).unwrap();
    serde_json::from_slice(&sent.body).unwrap()
}

fn context(request: &ChatRequest) -> AnswerContext {
    AnswerContext {
        request_id: "0197".into(),
        requested_model: "any".into(),
        created: 1_790_000_000,
        include_usage: true,
        echo: OpenAiResponses.echo(request),
        ..AnswerContext::default()
    }
}

fn streamed(events: &[StreamEvent], context: &AnswerContext) -> Vec<Value> {
    let (mut encoder, mut body) = (OpenAiResponses.stream_encoder(context), Vec::new());
    for event in events {
        encoder.event(event, &mut body);
    }
    encoder.end(&mut body);
    read(&body)
}

/// The events, each with its name in the SSE line above it.
fn read(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    let events = text.split_terminator("\n\n").map(|frame| {
        let (name, data) = frame.split_once('\n').unwrap();
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), event["type"].as_str());
        event
    });
    events.collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}

/// A small script of events; the index of each part is its place.
#[derive(Default)]
struct Script {
    events: Vec<StreamEvent>,
    parts: u32,
}

impl Script {
    fn new() -> Self {
        let start = ResponseStart {
            id: Some("msg_01".into()),
            model: Some("claude".into()),
            ..ResponseStart::default()
        };
        Self { events: vec![StreamEvent::Start(start)], parts: 0 }
    }

    fn part(mut self, kind: PartKind, deltas: &[PartDelta]) -> Self {
        let index = self.parts;
        self.parts += 1;
        self.events.push(StreamEvent::PartStart { index, choice: 0, kind });
        let deltas = deltas.iter().map(|delta| StreamEvent::PartDelta { index, delta: delta.clone() });
        self.events.extend(deltas);
        self.events.push(StreamEvent::PartEnd { index });
        self
    }

    fn call(self, id: &str, name: &str, arguments: &[&str]) -> Self {
        let kind = PartKind::ToolCall { id: id.into(), name: name.into(), is_server_side: false };
        let deltas: Vec<_> = arguments.iter().map(|text| PartDelta::Arguments((*text).into())).collect();
        self.part(kind, &deltas)
    }

    fn ends(mut self, reason: FinishReason) -> Vec<StreamEvent> {
        let usage = Usage {
            input_tokens: 20,
            cache_read_tokens: 5,
            output_tokens: 9,
            reasoning_tokens: 4,
            ..Usage::default()
        };
        self.events.push(StreamEvent::Usage(Box::new(usage)));
        self.events.push(StreamEvent::Finish { choice: 0, reason, raw: None });
        self.events
    }
}

fn text(text: &str) -> PartDelta {
    PartDelta::Text(text.into())
}

fn thinking_then_calling() -> Vec<StreamEvent> {
    let signature = PartDelta::Signature("sig+/=".into());
    Script::new()
        .part(PartKind::Reasoning, &[text("Two"), text(" cities."), signature])
        .part(PartKind::Reasoning, &[PartDelta::Encrypted("redacted".into())])
        .part(PartKind::Text, &[text("Let me"), text(" look.")])
        .call("call_1", "get_weather", &["{\"city\":", "\"Oslo\"}"])
        .call("call_2", "get_weather", &["{\"city\":\"Rome\"}"])
        .ends(FinishReason::ToolCalls)
}

// === answers ===

#[test]
fn another_makers_answer_is_told_event_by_event() {
    let events = streamed(&thinking_then_calling(), &context(&ChatRequest::default()));
    assert_eq!(
        types(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let response = &events[events.len() - 1]["response"];
    assert_eq!(response["status"], "completed");
    assert_eq!(response["usage"]["total_tokens"], 29);
    assert_eq!(response["usage"]["input_tokens_details"]["cached_tokens"], 5);
    assert_eq!(response["usage"]["output_tokens_details"]["reasoning_tokens"], 4);
    assert_eq!(response["output"][0]["summary"], json!([{"type": "summary_text", "text": "Two cities."}]));
    assert_eq!(response["output"][3]["arguments"], "{\"city\":\"Oslo\"}");
}

#[test]
fn a_whole_answer_is_what_a_streams_last_event_says() {
    let image = Media {
        source: MediaSource::Base64("iVBORw0KGgo=".into()),
        media_type: Some("image/png".into()),
        name: None,
        detail: None,
    };
    let signed = [text("Hi."), PartDelta::Signature("s".into())];
    let opaque = Opaque { family: FAMILY.into(), value: json!({"id": "ws_1", "type": "web_search_call"}) };
    let strange = Opaque { family: "anthropic-messages".into(), value: json!({"type": "x"}) };
    let events = Script::new()
        .part(PartKind::Text, &signed)
        .part(PartKind::Image { media: image }, &[])
        .part(PartKind::Opaque { opaque }, &[])
        .part(PartKind::Opaque { opaque: strange }, &[])
        .part(PartKind::Refusal, &[text("No.")])
        .ends(FinishReason::Stop);
    for events in [events, thinking_then_calling()] {
        let context = context(&ChatRequest::default());
        let whole = OpenAiResponses.encode_response(&fold(&events), &context);
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(whole, streamed(&events, &context).pop().unwrap()["response"]);
    }
}

#[test]
fn how_an_answer_ended_is_said_in_openais_words() {
    for (reason, status, detail, last) in [
        (FinishReason::Stop, "completed", Value::Null, "completed"),
        (FinishReason::StopSequence, "completed", Value::Null, "completed"),
        (FinishReason::Other, "completed", Value::Null, "completed"),
        (FinishReason::Length, "incomplete", json!("max_output_tokens"), "incomplete"),
        (FinishReason::ContentFilter, "incomplete", json!("content_filter"), "incomplete"),
        (FinishReason::Refusal, "incomplete", json!("content_filter"), "incomplete"),
        (FinishReason::Paused, "incomplete", json!("paused"), "incomplete"),
    ] {
        let events = Script::new().call("c", "f", &["{\"a"]).ends(reason);
        let events = streamed(&events, &context(&ChatRequest::default()));
        let end = &events[events.len() - 1];
        assert_eq!(end["type"], format!("response.{last}"), "{reason:?}");
        assert_eq!(end["response"]["status"], status, "{reason:?}");
        assert_eq!(end["response"]["incomplete_details"]["reason"], detail, "{reason:?}");
        // A call that a limit cut is not to be run.
        assert_eq!(end["response"]["output"][0]["status"], status, "{reason:?}");
    }
    let refused = Script::new().part(PartKind::Refusal, &[text("No.")]).ends(FinishReason::Refusal);
    let events = streamed(&refused, &context(&ChatRequest::default()));
    assert_eq!(events[events.len() - 1]["type"], "response.completed");
}

#[test]
fn an_answer_that_breaks_off_holds_what_had_arrived_and_never_completes() {
    let mut events = thinking_then_calling();
    events.truncate(11);
    let (mut encoder, mut body) =
        (OpenAiResponses.stream_encoder(&context(&ChatRequest::default())), Vec::new());
    for event in &events {
        encoder.event(event, &mut body);
    }
    encoder.error(&Error::new(ErrorKind::Truncated, Origin::Provider, "It broke off."), &mut body);
    encoder.end(&mut body);
    let events = read(&body);
    let [.., error, failed] = events.as_slice() else { panic!("two events at least") };
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("truncated")));
    assert_eq!((&error["message"], &error["request_id"]), (&json!("It broke off."), &json!("0197")));
    assert_eq!(failed["type"], "response.failed");
    assert_eq!(failed["response"]["error"], json!({"code": "truncated", "message": "It broke off."}));
    let output = failed["response"]["output"].as_array().unwrap();
    assert_eq!(output[2]["status"], "incomplete");
    assert_eq!(output[2]["content"][0]["text"], "Let me");
    assert!(!types(&events).contains(&"completed"));
}

#[test]
fn a_tool_that_the_provider_ran_itself_is_no_call() {
    let kind = PartKind::ToolCall { id: "s1".into(), name: "web_search".into(), is_server_side: true };
    let events = Script::new()
        .part(kind, &[PartDelta::Arguments("{}".into())])
        .part(PartKind::Text, &[text("Found.")])
        .ends(FinishReason::Stop);
    let events = streamed(&events, &context(&ChatRequest::default()));
    let output = events[events.len() - 1]["response"]["output"].as_array().unwrap();
    assert_eq!(output.len(), 1);
    assert_eq!(output[0]["content"][0]["text"], "Found.");
}

#[test]
fn the_answer_repeats_what_the_sdks_types_demand() {
    let asked = request(&json!({
        "model": "any", "input": "Hi.", "temperature": 0.5, "metadata": {"run": "7"}, "stream": true,
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true}],
        "tool_choice": "required", "parallel_tool_calls": false, "text": {"verbosity": "low"},
        "client_metadata": {"a": "b"}
    }));
    let events = Script::new().part(PartKind::Text, &[text("Hi.")]).ends(FinishReason::Stop);
    let events = streamed(&events, &context(&asked));
    for response in events.iter().map(|event| &event["response"]).filter(|response| response.is_object()) {
        assert_eq!(response["object"], "response");
        assert_eq!(response["tools"][0]["name"], "f");
        assert_eq!(
            (&response["tool_choice"], &response["parallel_tool_calls"]),
            (&json!("required"), &json!(false))
        );
        assert_eq!((&response["temperature"], &response["metadata"]["run"]), (&json!(0.5), &json!("7")));
        assert_eq!(response["text"]["verbosity"], "low");
        assert_eq!((response.get("stream"), response.get("client_metadata")), (None, None));
    }
    let bare = streamed(&Script::new().ends(FinishReason::Stop), &AnswerContext::default());
    let response = &bare[bare.len() - 1]["response"];
    assert_eq!((&response["tools"], &response["tool_choice"]), (&json!([]), &json!("auto")));
}

// === what comes back ===

/// The next turn of a client that sends the output back as it came.
fn sent_back(events: &[StreamEvent]) -> ChatRequest {
    let response = OpenAiResponses.encode_response(&fold(events), &context(&ChatRequest::default()));
    let response: Value = serde_json::from_slice(&response).unwrap();
    let mut input = response["output"].as_array().unwrap().clone();
    input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "4 °C"}));
    request(&json!({"model": "any", "input": input}))
}

#[test]
fn another_makers_thoughts_come_back_exactly() {
    let events = thinking_then_calling();
    let back = sent_back(&events);
    assert_eq!(back.messages[0].role, Role::Assistant);
    assert_eq!(back.messages[0].parts, fold(&events).choices[0].parts);

    let to_anthropic = sent(&AnthropicMessages, &back);
    let thinking = json!({"type": "thinking", "thinking": "Two cities.", "signature": "sig+/="});
    assert_eq!(to_anthropic["messages"][0]["content"][0], thinking);
    let to_openai = sent(&client::OpenAiResponses, &back).to_string();
    for word in [CODED_MARK, "sbx_", "Two cities", "reasoning\""] {
        assert!(!to_openai.contains(word), "{word} in {to_openai}");
    }
}

#[test]
fn a_signed_call_and_a_signed_text_come_back_signed() {
    let kind = PartKind::ToolCall { id: "call_1".into(), name: "f".into(), is_server_side: false };
    let arguments = PartDelta::Arguments("{}".into());
    let events = Script::new()
        .part(PartKind::Text, &[text("Look:"), PartDelta::Signature("of the text".into())])
        .part(kind, &[arguments, PartDelta::Signature("of the call".into())])
        .ends(FinishReason::ToolCalls);
    assert_eq!(sent_back(&events).messages[0].parts, fold(&events).choices[0].parts);
}

#[test]
fn a_thought_of_openais_goes_to_openai_alone() {
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"});
    let back = request(&json!({"model": "any", "input": [
        item, {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": "Hi."}]},
        {"role": "user", "content": "And?"}
    ]}));
    assert_eq!(sent(&client::OpenAiResponses, &back)["input"][0], item);
    assert!(!sent(&AnthropicMessages, &back).to_string().contains("gAAAA"));
}

#[test]
fn parallel_calls_are_one_turn_and_two_messages_are_two() {
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
    let said = |text: &str| json!({"type": "message", "role": "assistant", "content": text});
    let back = request(&json!({"model": "any", "input": [
        {"role": "user", "content": "Go."}, said("One."), call("a"), call("b"), said("Two."), said("Three.")
    ]}));
    let roles: Vec<(Role, usize)> =
        back.messages.iter().map(|message| (message.role, message.parts.len())).collect();
    assert_eq!(roles, [(Role::User, 1), (Role::Assistant, 4), (Role::Assistant, 1)]);
    let items = sent(&client::OpenAiResponses, &back);
    let texts: Vec<&Value> = items["input"].as_array().unwrap().iter().map(|item| &item["content"]).collect();
    assert_eq!(
        texts,
        [&json!("Go."), &json!("One."), &Value::Null, &Value::Null, &json!("Two."), &json!("Three.")]
    );
}

// === requests ===

#[test]
fn a_namespaces_tools_are_functions_to_everyone_else() {
    let tools = json!([{"type": "namespace", "name": "crm", "description": "Customers.", "tools": [
        {"type": "function", "name": "list", "parameters": {"type": "object", "properties": {}}}]}]);
    let asked = request(&json!({"model": "any", "tools": tools, "input": [
        {"role": "user", "content": "List them."},
        {"type": "function_call", "call_id": "c0", "name": "list", "namespace": "crm", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c0", "output": "none"}
    ]}));
    let to_anthropic = sent(&AnthropicMessages, &asked);
    assert_eq!(to_anthropic["tools"][0]["name"], "crm__list");
    assert_eq!(to_anthropic["messages"][1]["content"][0]["name"], "crm__list");
    let to_openai = sent(&client::OpenAiResponses, &asked);
    assert_eq!(to_openai["tools"], tools);
    let item = json!({"type": "function_call", "call_id": "c0", "name": "list", "arguments": "{}", "namespace": "crm"});
    assert_eq!(to_openai["input"][1], item);

    let answer = Script::new().call("c1", "crm__list", &["{}"]).ends(FinishReason::ToolCalls);
    let events = streamed(&answer, &context(&asked));
    let item = &events[events.len() - 1]["response"]["output"][0];
    assert_eq!((&item["namespace"], &item["name"]), (&json!("crm"), &json!("list")));
}

#[test]
fn allowed_tools_are_the_only_ones_that_others_see() {
    let function = |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object"}});
    let choice =
        json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}]});
    let tools = json!([function("a"), function("b"), {"type": "web_search"}]);
    let asked = request(&json!({"model": "any", "input": "Go.", "tools": tools, "tool_choice": choice}));
    assert_eq!(asked.tool_choice, Some(ToolChoice::Required));
    let names: Vec<&str> = asked
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function(function) => function.name.as_str(),
            Tool::Opaque(_) => "opaque",
        })
        .collect();
    assert_eq!(names, ["b"]);
    let to_openai = sent(&client::OpenAiResponses, &asked);
    assert_eq!((&to_openai["tools"], &to_openai["tool_choice"]), (&tools, &choice));
}

#[test]
fn a_forced_tool_wins_over_a_format() {
    let body = json!({
        "model": "any", "input": "Go.", "tools": [{"type": "function", "name": "Answer", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "Answer"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"}
    });
    let asked = request(&body);
    assert_eq!(asked.response_format, None);
    assert_eq!(sent(&client::OpenAiResponses, &asked)["text"], body["text"]);
    let mut free = body;
    free["tool_choice"] = json!("auto");
    assert_eq!(request(&free).response_format, Some(ResponseFormat::JsonObject));
}

#[test]
fn what_one_provider_holds_is_asked_of_no_other_family() {
    for (field, value, param) in [
        ("previous_response_id", json!("resp_1"), "previous_response_id"),
        ("conversation", json!({"id": "conv_1"}), "conversation"),
        ("prompt", json!({"id": "pmpt_1"}), "prompt"),
        ("background", json!(true), "background"),
        (
            "input",
            json!([{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "Go on."}]),
            "input[0]",
        ),
    ] {
        let mut body = json!({"model": "any", "input": "Go on."});
        body[field] = value.clone();
        let asked = request(&body);
        assert_eq!(asked.held, Some(Held { family: FAMILY.into(), param: param.into() }));
        assert_eq!(sent(&client::OpenAiResponses, &asked)[field], value);
        let quirks = Quirks::default();
        let target = TargetContext { model: "m", quirks: &quirks, max_output_tokens: None };
        let error = encode_request(&AnthropicMessages, &asked, &target).unwrap_err();
        assert_eq!((error.kind, error.origin), (ErrorKind::InvalidRequest, Origin::Caller));
        // Another target may be of the family.
        assert_eq!((error.retry, error.param.as_deref()), (Retry::NextTarget, Some(param)));
        assert!(error.message.contains(param), "{}", error.message);
    }
    for (field, value) in [("previous_response_id", Value::Null), ("background", json!(false))] {
        let mut body = json!({"model": "any", "input": "Go on."});
        body[field] = value;
        assert_eq!(request(&body).held, None);
    }
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let function = json!({"type": "function"});
    for (body, param, code) in [
        (json!({"input": "Hi."}), "model", "missing_required_parameter"),
        (json!({"model": "m"}), "input", "missing_required_parameter"),
        (json!({"model": "m", "input": []}), "input", "missing_required_parameter"),
        (json!({"model": "m", "input": 7}), "input", "invalid_type"),
        (json!({"model": "m", "input": ["Hi."]}), "input[0]", "invalid_type"),
        (
            json!({"model": "m", "input": [{"role": "user"}]}),
            "input[0].content",
            "missing_required_parameter",
        ),
        (
            json!({"model": "m", "input": [{"role": "tool", "content": "x"}]}),
            "input[0].role",
            "invalid_value",
        ),
        (
            json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            "input[0].content[0].image_url",
            "missing_required_parameter",
        ),
        (
            json!({"model": "m", "input": [{"type": "function_call_output", "output": "x"}]}),
            "input[0].call_id",
            "missing_required_parameter",
        ),
        (
            json!({"model": "m", "input": "x", "tools": [function]}),
            "tools[0].name",
            "missing_required_parameter",
        ),
        (
            json!({"model": "m", "input": "x", "tools": [{"name": "f"}]}),
            "tools[0].type",
            "missing_required_parameter",
        ),
        (json!({"model": "m", "input": "x", "tool_choice": "some"}), "tool_choice", "invalid_value"),
        (
            json!({"model": "m", "input": "x", "text": {"format": {"type": "json_schema"}}}),
            "text.format.schema",
            "missing_required_parameter",
        ),
        (
            json!({"model": "m", "input": "x", "max_output_tokens": "many"}),
            "max_output_tokens",
            "invalid_type",
        ),
    ] {
        let error = refused(&body);
        assert_eq!((error.param.as_deref(), error.code.as_deref()), (Some(param), Some(code)), "{body}");
        let (status, said) = OpenAiResponses.encode_error(&error, Some("0197"));
        let said: Value = serde_json::from_slice(&said).unwrap();
        assert_eq!((status, &said["error"]["param"]), (400, &json!(param)));
    }
    let broken = OpenAiResponses.decode_request(&RequestHead::default(), b"{\"model\":").unwrap_err();
    assert_eq!(broken.code.as_deref(), Some("invalid_json"));
}

#[test]
fn efforts_and_media_are_read() {
    let asked =
        request(&json!({"model": "m", "reasoning": {"effort": "xhigh", "summary": "auto"}, "input": [
        {"role": "user", "content": [
            {"type": "input_image", "file_id": "file_1", "detail": "low"},
            {"type": "input_file", "file_data": "JVBERi0=", "filename": "a.pdf"},
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}]}]}));
    let effort = asked.reasoning.as_ref().and_then(|reasoning| reasoning.effort.clone());
    assert_eq!(effort, Some(ReasoningEffort::Other("xhigh".into())));
    let sources: Vec<&MediaSource> = asked.messages[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Image(media) | Content::Document(media) | Content::Audio(media) => &media.source,
            other => panic!("no media: {other:?}"),
        })
        .collect();
    assert_eq!(sources[1], &MediaSource::Base64("JVBERi0=".into()));
    assert_eq!(sources[2], &MediaSource::Url("https://example.com/a.pdf".into()));
    assert_eq!(
        sent(&client::OpenAiResponses, &asked)["reasoning"],
        json!({"effort": "xhigh", "summary": "auto"})
    );
}
