//! What the recorded corpus does not show, or shows once: calls that are hard to tell apart, ends
//! that are no ends, damage. Whole recordings are in the workspace's own tests.

use canonical::event::ResponseStart;
use canonical::grammar::Grammar;
use canonical::request::{Media, MediaSource, ReasoningRequest, ToolCall, ToolResult};
use canonical::{
    ChatRequest, ChatResponse, Content, Error, ErrorKind, FinishReason, Message, Part, PartDelta, PartKind,
    Role, StreamEvent, Usage, fold,
};
use serde_json::{Value, json};

use super::{client, server};
use crate::driver::{StreamCounters, StreamDriver};
use crate::{AnswerContext, Dialect, Protocol, Quirks, TargetContext};

// === streams ===

struct Told {
    response: ChatResponse,
    outcome: Result<(), Error>,
    counters: StreamCounters,
}

/// Drives a stream whose events hold `frames`, and holds it to the grammar.
fn told(frames: &[&str]) -> Told {
    let stream = frames.join("\n\ndata: ");
    driven(format!("data: {stream}\n\n").as_bytes())
}

fn driven(bytes: &[u8]) -> Told {
    let mut driver = StreamDriver::new(&client::OpenAiChat, &Quirks::default());
    let mut events = Vec::new();
    let outcome = driver.push(bytes, &mut events).and_then(|()| driver.finish(&mut events));
    let mut grammar = Grammar::default();
    for event in &events {
        grammar.accept(event).unwrap();
    }
    Told { response: fold::fold(&events), outcome, counters: driver.counters() }
}

/// A chunk with one choice.
fn chunk(delta: &Value, finish_reason: &Value) -> String {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
    .to_string()
}

fn text(text: &str) -> String {
    chunk(&json!({ "content": text }), &Value::Null)
}

fn call(piece: &Value) -> String {
    chunk(&json!({ "tool_calls": [piece] }), &Value::Null)
}

fn finished(word: &str) -> String {
    chunk(&json!({}), &word.into())
}

fn calls(told: &Told) -> Vec<(String, String, String)> {
    let parts = told.response.choices.iter().flat_map(|choice| &choice.parts);
    parts
        .filter_map(|part| match &part.content {
            Content::ToolCall(call) => Some((call.id.clone(), call.name.clone(), call.arguments.clone())),
            _ => None,
        })
        .collect()
}

fn names_and_arguments(frames: &[String]) -> Vec<(String, String)> {
    let frames: Vec<&str> = frames.iter().map(String::as_str).chain(["[DONE]"]).collect();
    let told = told(&frames);
    told.outcome.clone().unwrap();
    let calls = calls(&told);
    let ids: std::collections::BTreeSet<_> = calls.iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(ids.len(), calls.len(), "ids differ: {calls:?}");
    assert!(ids.iter().all(|id| !id.is_empty()));
    calls.into_iter().map(|(_, name, arguments)| (name, arguments)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned())).collect()
}

#[test]
fn fragments_of_parallel_calls_find_their_call_by_index() {
    let got = names_and_arguments(&[
        call(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}})),
        call(&json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{\"y\""}})),
        call(&json!({"index": 0, "function": {"arguments": "{\"x\":1}"}})),
        call(&json!({"index": 1, "function": {"arguments": ":2}"}})),
        finished("tool_calls"),
    ]);
    assert_eq!(got, pairs(&[("f", "{\"x\":1}"), ("g", "{\"y\":2}")]));
}

#[test]
fn pieces_of_a_call_whose_beginning_was_lost_spoil_no_other_call() {
    let begun = call(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}}));
    let orphan = call(&json!({"index": 1, "function": {"arguments": "{\"y\":2}"}}));
    let got = names_and_arguments(&[begun, orphan.clone(), finished("tool_calls")]);
    assert_eq!(got, pairs(&[("f", "{\"x\":1}")]));
    assert_eq!(names_and_arguments(&[text("Hi"), orphan, finished("tool_calls")]), []);
}

#[test]
fn whole_calls_that_share_one_index_or_have_none_stay_apart() {
    let expected = pairs(&[("f", "{\"x\":1}"), ("f", "{\"x\":2}")]);
    for (first, second) in [
        (json!({"index": 0, "id": "a"}), json!({"index": 0, "id": "b"})),
        (json!({"id": "a"}), json!({"id": "b"})),
        (json!({"index": 0, "id": ""}), json!({"index": 0, "id": ""})),
        (json!({}), json!({})),
        (json!({"index": 0}), json!({"index": 1})),
    ] {
        let whole = |mut piece: Value, arguments: &str| {
            piece["function"] = json!({"name": "f", "arguments": arguments});
            call(&piece)
        };
        let got = names_and_arguments(&[
            whole(first.clone(), "{\"x\":1}"),
            whole(second.clone(), "{\"x\":2}"),
            finished("stop"),
        ]);
        assert_eq!(got, expected, "{first} {second}");
    }
}

#[test]
fn fragments_that_repeat_id_or_name_or_change_the_id_go_on_with_their_call() {
    let expected = pairs(&[("f", "{\"x\":1}")]);
    for (id, name) in [
        (json!("a"), json!("f")),
        (json!("a"), Value::Null),
        (json!(""), json!("f")),
        (json!(null), Value::Null),
        (json!("another"), Value::Null),
    ] {
        let got = names_and_arguments(&[
            call(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\""}})),
            call(&json!({"index": 0, "id": id, "function": {"name": name, "arguments": ":1}"}})),
            finished("tool_calls"),
        ]);
        assert_eq!(got, expected, "{id} {name}");
    }
}

/// A streamed call: pieces of `tool_calls`, and what they come to.
fn assembled(name: &str, pieces: &[Value], expected: &[(&str, &str)]) {
    let mut frames: Vec<String> = pieces.iter().map(call).collect();
    frames.push(finished("tool_calls"));
    assert_eq!(names_and_arguments(&frames), pairs(expected), "{name}");
}

#[test]
fn calls_are_put_together_whatever_the_provider_says_of_their_index_id_and_name() {
    let f = |mut piece: Value, name: Option<&str>, arguments: Value| {
        piece["function"] = json!({"name": name, "arguments": arguments});
        piece
    };
    let x = &[("f", "{\"x\":1}")][..];
    let both = &[("f", "{\"x\":1}"), ("g", "{\"y\":2}")][..];
    let (a, b) = (json!({"index": 0, "id": "a"}), json!({"index": 0, "id": "b"}));
    assembled(
        "the id repeated in each delta",
        &[
            f(a.clone(), Some("f"), json!("{\"x\"")),
            f(a.clone(), Some("f"), json!(":1")),
            f(a.clone(), Some("f"), json!("}")),
        ],
        x,
    );
    assembled(
        "no index and no id behind the first",
        &[f(json!({"id": "a"}), Some("f"), json!("{\"x\"")), f(json!({}), None, json!(":1}"))],
        x,
    );
    assembled(
        "neither index nor id anywhere",
        &[f(json!({}), Some("f"), json!("{\"x\"")), f(json!({}), None, json!(":1}"))],
        x,
    );
    assembled(
        "an empty id",
        &[
            f(json!({"index": 0, "id": ""}), Some("f"), json!("{\"x\"")),
            f(json!({"index": 0, "id": ""}), Some(""), json!(":1}")),
        ],
        x,
    );
    assembled(
        "the id in the second piece only",
        &[f(json!({"index": 0}), Some("f"), json!("")), f(a.clone(), None, json!("{\"x\":1}"))],
        x,
    );
    assembled(
        "the name in pieces",
        &[
            f(a.clone(), Some("get_"), json!("")),
            f(json!({"index": 0}), Some("weather"), json!("")),
            f(json!({"index": 0}), None, json!("{}")),
        ],
        &[("get_weather", "{}")],
    );
    assembled(
        "the name in pieces, the id with each",
        &[f(a.clone(), Some("get_"), json!("")), f(a.clone(), Some("weather"), json!("{}"))],
        &[("get_weather", "{}")],
    );
    assembled(
        "the name as far as it is known",
        &[f(a.clone(), Some("get_"), json!("")), f(a.clone(), Some("get_weather"), json!("{}"))],
        &[("get_weather", "{}")],
    );
    assembled("an object where text should be", &[f(a.clone(), Some("f"), json!({"x": 1}))], x);
    assembled(
        "two calls of one index, by their ids",
        &[
            f(a.clone(), Some("f"), json!("{\"x\"")),
            f(b.clone(), Some("g"), json!("{\"y\"")),
            f(a.clone(), None, json!(":1}")),
            f(b.clone(), None, json!(":2}")),
        ],
        both,
    );
    assembled(
        "two calls of one index, one behind the other",
        &[
            f(a.clone(), Some("f"), json!("")),
            f(json!({"index": 0}), None, json!("{\"x\":1}")),
            f(b.clone(), Some("g"), json!("")),
            f(json!({"index": 0}), None, json!("{\"y\":2}")),
        ],
        both,
    );
    assembled(
        "parallel calls that take turns",
        &[
            f(a.clone(), Some("f"), json!("")),
            f(json!({"index": 1, "id": "b"}), Some("g"), json!("")),
            f(json!({"index": 1}), None, json!("{\"y\"")),
            f(json!({"index": 0}), None, json!("{\"x\"")),
            f(json!({"index": 1}), None, json!(":2}")),
            f(json!({"index": 0}), None, json!(":1}")),
        ],
        both,
    );
    assembled(
        "one id for two calls of different index",
        &[
            f(a.clone(), Some("f"), json!("{\"x\":1}")),
            f(json!({"index": 2, "id": "b"}), Some("g"), json!("{\"y\":2}")),
        ],
        both,
    );
    assembled(
        "indices that skip",
        &[
            f(json!({"index": 3, "id": "a"}), Some("f"), json!("{\"x\"")),
            f(json!({"index": 7, "id": "b"}), Some("g"), json!("{\"y\":2}")),
            f(json!({"index": 3}), None, json!(":1}")),
        ],
        both,
    );
    assembled(
        "a call without arguments between others",
        &[
            f(a.clone(), Some("f"), json!("")),
            f(json!({"index": 1, "id": "b"}), Some("g"), json!("{\"y\":2}")),
        ],
        &[("f", ""), ("g", "{\"y\":2}")],
    );
}

#[test]
fn a_call_may_begin_before_the_text_has_ended_or_come_whole_with_the_finish_reason() {
    let part = json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\""}});
    let rest = json!({"index": 0, "function": {"arguments": ":1}"}});
    let both = chunk(&json!({"content": "Hel", "tool_calls": [part]}), &Value::Null);
    let told = told(&[&both, &text("lo"), &call(&rest), &finished("tool_calls"), "[DONE]"]);
    told.outcome.clone().unwrap();
    assert_eq!(told.response.choices[0].plain_text(), "Hello");
    assert_eq!(calls(&told)[0].2, "{\"x\":1}");
    let whole = json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}]);
    let last = chunk(&json!({"tool_calls": whole}), &"tool_calls".into());
    assert_eq!(names_and_arguments(&[text("Hi"), last]), pairs(&[("f", "{\"x\":1}"), ("g", "{}")]));
}

#[test]
fn the_form_before_tool_calls_is_put_together_as_well() {
    let piece = |function: &Value| chunk(&json!({"function_call": function}), &Value::Null);
    let got = names_and_arguments(&[
        piece(&json!({"name": "f", "arguments": ""})),
        piece(&json!({"arguments": "{\"x\""})),
        piece(&json!({"arguments": ":1}"})),
        finished("function_call"),
    ]);
    assert_eq!(got, pairs(&[("f", "{\"x\":1}")]));
}

#[test]
fn minted_ids_are_the_same_each_time_and_differ_between_answers() {
    let frames = |id: &str| {
        let piece =
            call(&json!({"function": {"name": "f", "arguments": {"x": 1}}})).replace("chatcmpl-1", id);
        told(&[&piece, &finished("stop"), "[DONE]"])
    };
    let (one, again, other) = (frames("one"), frames("one"), frames("other"));
    assert_eq!(calls(&one), calls(&again));
    assert_ne!(calls(&one)[0].0, calls(&other)[0].0);
    assert_eq!(calls(&one)[0].2, "{\"x\":1}");
    let choice = &one.response.choices[0];
    assert_eq!(choice.finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!(choice.finish_reason_raw.as_deref(), Some("stop"));
}

#[test]
fn an_answer_is_whole_where_its_finish_reason_came_and_truncated_otherwise() {
    let outcome = |frames: &[&str]| told(frames).outcome.map_err(|error| error.kind);
    let (hello, stop) = (text("Hello"), finished("stop"));
    assert_eq!(outcome(&[&hello, &stop, "[DONE]"]), Ok(()));
    assert_eq!(outcome(&[&hello, &stop]), Ok(()));
    assert_eq!(outcome(&[&hello, "[DONE]"]), Err(ErrorKind::Truncated));
    assert_eq!(outcome(&[&hello]), Err(ErrorKind::Truncated));
    assert_eq!(outcome(&["[DONE]"]), Err(ErrorKind::Truncated));
    // Two choices, one finished.
    let other = hello.replace("\"index\":0", "\"index\":1");
    assert_eq!(outcome(&[&hello, &other, &stop]), Err(ErrorKind::Truncated));
}

#[test]
fn one_malformed_chunk_costs_only_itself() {
    let told =
        told(&[&text("Hel"), "{\"id\":\"x\",\"cho", &text("lo"), "[]", "{}", &finished("stop"), "[DONE]"]);
    told.outcome.clone().unwrap();
    assert_eq!(told.response.choices[0].plain_text(), "Hello");
    assert_eq!((told.counters.malformed, told.counters.unknown), (2, 1));
}

#[test]
fn what_comes_after_the_finish_reason_is_kept_and_the_last_usage_holds() {
    let usage = |count: u64| {
        json!({"id": "x", "choices": [], "usage": {"prompt_tokens": count, "completion_tokens": 1}})
            .to_string()
    };
    let late = call(&json!({"id": "a", "function": {"name": "f", "arguments": "{}"}}));
    let told = told(&[&text("Hello"), &finished("stop"), &usage(3), &late, &usage(5), "[DONE]"]);
    told.outcome.clone().unwrap();
    assert_eq!(calls(&told).len(), 1);
    assert_eq!(told.response.choices[0].finish_reason, Some(FinishReason::ToolCalls));
    assert_eq!(told.response.usage.unwrap().input_tokens, 5);
}

#[test]
fn an_error_in_the_stream_ends_it_and_keeps_what_had_arrived() {
    for error in [
        r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#,
        r#"{"id":"x","choices":[{"index":0,"delta":{},"error":{"message":"Overloaded","code":503},"finish_reason":"error"}]}"#,
        r#"{"object":"error","message":"Overloaded","code":503}"#,
    ] {
        let told = told(&[&text("Hel"), error, &finished("stop"), "[DONE]"]);
        let failure = told.outcome.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Overloaded, "{error}");
        assert_eq!(told.response.choices[0].plain_text(), "Hel");
        assert_eq!(told.response.choices[0].finish_reason, None);
    }
    let told =
        driven(format!("data: {}\n\nevent: error\ndata: {{\"message\":\"No\"}}\n\n", text("Hel")).as_bytes());
    assert_eq!(told.outcome.unwrap_err().message, "No");
}

#[test]
fn a_provider_that_gives_up_is_an_error() {
    let told = told(&[&text("Hel"), &finished("insufficient_system_resource"), "[DONE]"]);
    let error = told.outcome.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_deref()),
        (ErrorKind::ServerError, Some("insufficient_system_resource"))
    );
}

#[test]
fn a_page_or_a_document_instead_of_a_stream_is_told_apart() {
    assert_eq!(
        driven(b"<html><title>Login</title></html>").outcome.unwrap_err().kind,
        ErrorKind::InvalidResponse
    );
    assert_eq!(driven(b"{}").outcome.unwrap_err().kind, ErrorKind::InvalidResponse);
    assert_eq!(driven(b"").outcome.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(driven(b"404 page not found\n").outcome.unwrap_err().kind, ErrorKind::InvalidResponse);
    assert_eq!(driven(b": keep-alive\n\n").outcome.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(driven(br#"{"id":"x","choices":[{"mess"#).outcome.unwrap_err().kind, ErrorKind::Truncated);
    let whole = br#"{"id":"x","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let told = driven(whole);
    told.outcome.unwrap();
    assert_eq!(told.response.choices[0].plain_text(), "Hi");
}

#[test]
fn free_form_calls_and_unknown_words_are_kept() {
    let told = told(&[
        &call(&json!({"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "SEL"}})),
        &call(&json!({"index": 0, "type": "custom", "custom": {"input": "ECT"}})),
        &finished("ran_out_of_ink"),
        "[DONE]",
    ]);
    let choice = &told.response.choices[0];
    let Content::Opaque(opaque) = &choice.parts[0].content else { panic!("{:?}", choice.parts) };
    assert_eq!(opaque.value["custom"], json!({"name": "sql", "input": "SELECT"}));
    assert_eq!(choice.finish_reason, Some(FinishReason::Other));
    assert_eq!(choice.finish_reason_raw.as_deref(), Some("ran_out_of_ink"));
}

// === requests ===

fn decoded(body: &Value) -> Result<ChatRequest, Error> {
    server::OpenAiChat.decode_request(&crate::RequestHead::default(), body.to_string().as_bytes())
}

fn encoded(request: &ChatRequest, quirks: &Quirks) -> Result<Value, Error> {
    let target = TargetContext { model: "target-model", quirks, max_output_tokens: None };
    let sent = client::OpenAiChat.encode_request(request, &target)?;
    assert_eq!(sent.path, "/chat/completions");
    Ok(serde_json::from_slice(&sent.body).unwrap())
}

fn asked(message: Message) -> ChatRequest {
    ChatRequest { model: "m".into(), messages: vec![message], ..ChatRequest::default() }
}

#[test]
fn a_bad_request_is_refused_by_the_name_of_its_field() {
    let user = json!([{"role": "user", "content": "Hi"}]);
    for (body, param) in [
        (json!({"messages": user}), "model"),
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": []}), "messages"),
        (json!({"model": "m", "messages": "Hi"}), "messages"),
        (json!({"model": "m", "messages": [{"content": "Hi"}]}), "messages[0].role"),
        (json!({"model": "m", "messages": [{"role": "robot"}]}), "messages[0].role"),
        (json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (json!({"model": "m", "messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text",
        ),
        (json!({"model": "m", "messages": user, "temperature": "hot"}), "temperature"),
        (json!({"model": "m", "messages": user, "max_tokens": -1}), "max_tokens"),
        (json!({"model": "m", "messages": user, "stream": "yes"}), "stream"),
        (json!({"model": "m", "messages": user, "stop": [1]}), "stop[0]"),
        (json!({"model": "m", "messages": user, "n": 0}), "n"),
        (json!({"model": "m", "messages": user, "tools": [{"type": "function"}]}), "tools[0].function"),
        (json!({"model": "m", "messages": user, "tool_choice": "maybe"}), "tool_choice"),
    ] {
        let error = decoded(&body).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
        assert!(error.message.contains(param), "{}", error.message);
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
    assert_eq!(
        server::OpenAiChat.decode_request(&crate::RequestHead::default(), b"{").unwrap_err().code.as_deref(),
        Some("invalid_json")
    );
}

#[test]
fn the_form_before_tools_becomes_tools_and_results_find_their_call() {
    let request = decoded(&json!({
        "model": "m",
        "functions": [{"name": "f", "parameters": {}}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":1}"}},
            {"role": "function", "name": "f", "content": "one"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"x\":2}"}},
            {"role": "function", "name": "f", "content": "two"},
        ],
    }))
    .unwrap();
    let body = encoded(&request, &Quirks::default()).unwrap();
    assert_eq!(body["tools"][0]["function"]["name"], "f");
    assert_eq!(body["tool_choice"]["function"]["name"], "f");
    for (at, content) in [(1, "one"), (3, "two")] {
        assert_eq!(body["messages"][at]["tool_calls"][0]["id"], body["messages"][at + 1]["tool_call_id"]);
        assert_eq!(body["messages"][at + 1]["content"], content);
    }
    assert_ne!(body["messages"][1]["tool_calls"][0]["id"], body["messages"][3]["tool_calls"][0]["id"]);
}

#[test]
fn unknown_fields_are_kept_where_they_stood() {
    let body = json!({
        "model": "target-model",
        "messages": [{
            "role": "user",
            "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}],
            "mood": "good",
        }],
        "tools": [{"type": "function", "mark": 1, "function": {"name": "f", "pace": "slow"}}, {"type": "web_search"}],
        "metadata": {"a": "b"},
        "stream": true,
        "stream_options": {"include_obfuscation": false, "include_usage": true},
    });
    let request = decoded(&body).unwrap();
    assert_eq!(encoded(&request, &Quirks::default()).unwrap(), body);
}

#[test]
fn what_other_families_say_is_said_in_this_ones_words() {
    let image = Media {
        source: MediaSource::Base64("QUJD".into()),
        media_type: Some("image/jpeg".into()),
        name: None,
        detail: None,
    };
    let result = ToolResult {
        call_id: "c1".into(),
        name: Some("f".into()),
        content: vec![Part::text("a"), Part::text("b")],
        is_error: false,
    };
    let message = Message::new(
        Role::User,
        vec![Part::text("Look"), Content::Image(image).into(), Content::ToolResult(result).into()],
    );
    let body = encoded(&asked(message), &Quirks::default()).unwrap();
    let tool = json!({"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    assert_eq!(body["messages"][0], tool);
    assert_eq!(body["messages"][1]["content"][1]["image_url"]["url"], "data:image/jpeg;base64,QUJD");
    assert_eq!(body["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn what_tools_show_follows_all_their_results_and_failures_are_said() {
    let media = |kind: &str| Media {
        source: MediaSource::Base64("QUJD".into()),
        media_type: Some(kind.into()),
        name: None,
        detail: None,
    };
    let result = |id: &str, content: Vec<Part>, is_error: bool| {
        Content::ToolResult(ToolResult { call_id: id.into(), name: None, content, is_error })
    };
    let shot = vec![Part::text("Shot"), Content::Image(media("image/png")).into()];
    let paper = vec![Content::Document(media("application/pdf")).into()];
    let first = vec![
        result("c1", shot, false).into(),
        result("c2", vec![Part::text("No such file")], true).into(),
        result("c3", vec![], true).into(),
    ];
    let mut request = asked(Message::new(Role::User, first));
    request.messages.push(Message::new(Role::Tool, vec![result("c4", paper, false).into()]));
    request.messages.push(Message::new(Role::User, vec![Part::text("Well?")]));
    let body = encoded(&request, &Quirks::default()).unwrap();
    let expected = json!([
        {"role": "tool", "tool_call_id": "c1", "content": "Shot"},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: No such file"},
        {"role": "tool", "tool_call_id": "c3", "content": "Error"},
        {"role": "tool", "tool_call_id": "c4", "content": ""},
        {"role": "user", "content": [
            {"type": "text", "text": "What the tool call c1 gave back:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
            {"type": "text", "text": "What the tool call c4 gave back:"},
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,QUJD"}}]},
        {"role": "user", "content": "Well?"}]);
    assert_eq!(body["messages"], expected);
    let quirks = Quirks { tool_media: true, ..Quirks::default() };
    let within = encoded(&request, &quirks).unwrap();
    assert_eq!(within["messages"][0]["content"][1]["type"], "image_url");
    assert_eq!(within["messages"].as_array().unwrap().len(), 5);
}

#[test]
fn reasoning_is_asked_for_and_sent_back_as_the_provider_takes_it() {
    let thought =
        Content::Reasoning(canonical::request::Reasoning { text: "Hm".into(), ..Default::default() });
    let mut request = asked(Message::new(Role::Assistant, vec![thought.into(), Part::text("Hi")]));
    request.reasoning = Some(ReasoningRequest { budget_tokens: Some(4_000), ..ReasoningRequest::default() });
    let plain = encoded(&request, &Quirks::default()).unwrap();
    assert_eq!(plain["reasoning_effort"], "medium");
    assert_eq!(plain["messages"][0], json!({"role": "assistant", "content": "Hi"}));
    let quirks = Quirks {
        reasoning_field: Some("reasoning".into()),
        reasoning_object: true,
        no_developer_role: true,
        max_tokens_field: Some("max_completion_tokens".into()),
        drop_fields: vec!["temperature".into()],
        ..Quirks::default()
    };
    request.max_output_tokens = Some(9);
    request.temperature = Some(0.5);
    request.messages.push(Message::text(Role::Developer, "Be kind"));
    let body = encoded(&request, &quirks).unwrap();
    assert_eq!(body["reasoning"], json!({"max_tokens": 4_000}));
    assert_eq!(body["messages"][0]["reasoning"], "Hm");
    assert_eq!(body["messages"][1]["role"], "system");
    assert_eq!((&body["max_completion_tokens"], &body["temperature"]), (&json!(9), &Value::Null));
}

// === answers to clients ===

fn context() -> AnswerContext {
    AnswerContext {
        request_id: "req".into(),
        requested_model: "asked".into(),
        created: 7,
        include_usage: true,
        ..AnswerContext::default()
    }
}

fn streamed(events: &[StreamEvent], context: &AnswerContext) -> Vec<Value> {
    let (mut encoder, mut out) = (server::OpenAiChat.stream_encoder(context), Vec::new());
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.end(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"));
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|line| *line != "[DONE]").map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_call_that_the_provider_answers_itself_is_not_the_clients() {
    let server_side = |id: &str, is_server_side| PartKind::ToolCall {
        id: id.into(),
        name: "search".into(),
        is_server_side,
    };
    let events = [
        StreamEvent::Start(ResponseStart::default()),
        StreamEvent::PartStart { index: 0, choice: 0, kind: server_side("s", true) },
        StreamEvent::PartDelta { index: 0, delta: PartDelta::Arguments("{}".into()) },
        StreamEvent::PartEnd { index: 0 },
        StreamEvent::PartStart { index: 1, choice: 0, kind: PartKind::Text },
        StreamEvent::PartDelta { index: 1, delta: PartDelta::Text("Found".into()) },
        StreamEvent::PartEnd { index: 1 },
        StreamEvent::Finish { choice: 0, reason: FinishReason::Stop, raw: None },
    ];
    let chunks = streamed(&events, &context());
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["delta"].get("tool_calls").is_none()));
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    let whole = server::OpenAiChat.encode_response(&fold::fold(&events), &context());
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "Found");
    assert!(whole["choices"][0]["message"].get("tool_calls").is_none());
}

#[test]
fn chunks_have_what_the_sdks_need() {
    let kind = PartKind::ToolCall { id: "a".into(), name: "f".into(), is_server_side: false };
    let usage = Usage { input_tokens: 5, cache_read_tokens: 2, output_tokens: 3, ..Usage::default() };
    let events = [
        StreamEvent::Start(ResponseStart::default()),
        StreamEvent::PartStart { index: 0, choice: 0, kind },
        StreamEvent::PartDelta { index: 0, delta: PartDelta::Arguments("{}".into()) },
        StreamEvent::PartEnd { index: 0 },
        StreamEvent::Usage(Box::new(usage)),
        StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls, raw: None },
    ];
    let chunks = streamed(&events, &context());
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["model"], &chunk["created"]),
            (&json!("req"), &json!("asked"), &json!(7))
        );
        assert_eq!(chunk["object"], "chat.completion.chunk");
    }
    let first = &chunks[0]["choices"][0]["delta"];
    assert_eq!(first["role"], "assistant");
    let call = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}});
    assert_eq!(first["tool_calls"][0], call);
    assert!(chunks[1]["choices"][0]["delta"].get("role").is_none());
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 8);
    assert_eq!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 2);
    let unasked = AnswerContext { include_usage: false, ..context() };
    assert!(streamed(&events, &unasked).iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn a_broken_stream_ends_with_its_error_and_nothing_else() {
    let (mut encoder, mut out) = (server::OpenAiChat.stream_encoder(&context()), Vec::new());
    let error = Error::new(ErrorKind::Truncated, canonical::Origin::Provider, "It broke off.");
    encoder.error(&error, &mut out);
    encoder.end(&mut out);
    let text = String::from_utf8(out).unwrap();
    let body: Value = serde_json::from_str(text.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(body["error"]["message"], "It broke off.");
    assert_eq!(body["error"]["code"], "truncated");
}

#[test]
fn every_kind_of_error_has_a_status_and_openais_shape() {
    for kind in ErrorKind::ALL {
        let error = Error::new(kind, canonical::Origin::Provider, "Why").with_param("p");
        let (status, body) = server::OpenAiChat.encode_error(&error, Some("req"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!((400..=599).contains(&status), "{kind:?}");
        assert_eq!(body["error"]["message"], "Why");
        assert!(body["error"]["type"].is_string() && body["error"]["param"] == "p");
    }
}

#[test]
fn a_signature_travels_with_its_call_and_comes_back() {
    let call = ToolCall {
        id: "a".into(),
        name: "f".into(),
        arguments: "{}".into(),
        signature: Some("sig".into()),
        is_server_side: false,
    };
    let choice = canonical::Choice {
        parts: vec![Content::ToolCall(call).into()],
        finish_reason: Some(FinishReason::ToolCalls),
        ..canonical::Choice::default()
    };
    let response = ChatResponse { choices: vec![choice], ..ChatResponse::default() };
    let body: Value =
        serde_json::from_slice(&server::OpenAiChat.encode_response(&response, &context())).unwrap();
    let message = body["choices"][0]["message"].clone();
    let request = decoded(&json!({"model": "m", "messages": [message]})).unwrap();
    let Content::ToolCall(back) = &request.messages[0].parts[0].content else { panic!("no call") };
    assert_eq!(back.signature.as_deref(), Some("sig"));
}

// === models ===

#[test]
fn lists_of_models_are_read_in_everyones_shape() {
    let read = |body: Value| client::OpenAiChat.decode_models(body.to_string().as_bytes());
    let list = read(json!({"object": "list", "data": [
        {"id": "a", "context_length": 10, "top_provider": {"max_completion_tokens": 5}, "name": "A"},
        {"id": "b", "context_window": 20, "max_completion_tokens": 7},
    ]}))
    .unwrap();
    assert_eq!((list[0].context_window, list[0].max_output_tokens), (Some(10), Some(5)));
    assert_eq!(list[0].display_name.as_deref(), Some("A"));
    assert_eq!((list[1].context_window, list[1].max_output_tokens), (Some(20), Some(7)));
    assert_eq!(read(json!([{"id": "t"}])).unwrap()[0].id, "t");
    assert_eq!(read(json!({"hello": 1})).unwrap_err().kind, ErrorKind::InvalidResponse);
}

/// As Perplexity writes its whole answers.
#[test]
fn a_whole_answers_message_counts_and_not_the_empty_delta_beside_it() {
    let message = json!({"role": "assistant", "content": "Paris."});
    let delta = json!({"role": "assistant", "content": ""});
    let choice = json!({"index": 0, "message": message, "delta": delta, "finish_reason": "stop"});
    let body = json!({"id": "x", "object": "chat.completion", "choices": [choice]}).to_string();
    let answer = client::OpenAiChat.decode_response(body.as_bytes(), &Quirks::default()).unwrap();
    assert_eq!(answer.choices[0].parts, [Part::text("Paris.")]);
}
