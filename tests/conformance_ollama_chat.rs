//! Every recorded answer in Ollama's own chat decodes to what a plain reading of its JSON says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails here fails its test")]

use canonical::{ChatRequest, Content, ErrorKind, FinishReason, Message, Retry, Role};
use serde_json::{Value, json};
use signalbox_tests::corpus::{self, Record};
use signalbox_tests::damage;
use signalbox_tests::judge::{Count, every_answer, same};
use signalbox_tests::laws::{self, Decoded};
use signalbox_tests::reading::ollama_chat::{Reading, read};
use wire::ollama_chat::client::OllamaChat;
use wire::{Protocol as _, Quirks, TargetContext};

const FAMILY: &str = "ollama-chat";

#[test]
fn every_recorded_answer_decodes_without_loss_and_obeys_the_laws() {
    let Some(records) = corpus::of_wire(FAMILY) else { return };
    let counts = every_answer(&OllamaChat, records, judge);
    let Count { whole, streamed, errors } = counts["ollama"];
    assert!(whole > 15 && streamed > 10 && errors > 0, "records went missing: {counts:?}");
}

fn judge(record: &Record) -> Result<(), String> {
    let decoded = laws::check(&OllamaChat, &Quirks::default(), record)?;
    let body = record.response.body_text.clone().unwrap_or_default();
    if record.response.status >= 400 {
        let said: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let error = decoded.outcome.as_ref().expect_err("an error status is an error");
        same("message", &Some(error.message.as_str()), &said["error"].as_str())?;
        return same("kind", &(error.status, error.kind), &(Some(404), ErrorKind::NotFound));
    }
    decoded.outcome.clone().map_err(|error| format!("outcome: {error}"))?;
    same("passed over", &(decoded.counters.unknown, decoded.counters.malformed), &(0, 0))?;
    judge_answer(&decoded, &read(&body))
}

fn judge_answer(decoded: &Decoded, reading: &Reading) -> Result<(), String> {
    let response = &decoded.response;
    same("model", &response.start.model, &reading.model)?;
    same("usage", &response.usage, &reading.usage())?;
    for (name, value) in reading.end.iter().filter(|(name, _)| !name.ends_with("eval_count")) {
        same(name, &response.extensions.field(FAMILY, name), &Some(value))?;
    }
    let [choice] = response.choices.as_slice() else {
        return Err(format!("{} choices", response.choices.len()));
    };
    let expected = match reading.done_reason.as_deref() {
        Some("stop") if !reading.calls.is_empty() => FinishReason::ToolCalls,
        Some("stop") => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        other => return Err(format!("a reason that this test does not know: {other:?}")),
    };
    same("finish reason", &choice.finish_reason, &Some(expected))?;
    same("raw finish reason", &choice.finish_reason_raw, &reading.done_reason)?;
    same("text", &choice.plain_text(), &reading.text)?;
    let (mut thinking, mut calls) = (String::new(), Vec::new());
    for part in &choice.parts {
        match &part.content {
            Content::Text(_) => {}
            Content::Reasoning(thought) => thinking += &thought.text,
            Content::ToolCall(call) => calls.push(call),
            other => return Err(format!("an answer of Ollama's has no {other:?}")),
        }
    }
    same("thinking", &thinking, &reading.thinking)?;
    same("calls", &calls.len(), &reading.calls.len())?;
    for (call, said) in calls.into_iter().zip(&reading.calls) {
        same("id", &Some(call.id.as_str()), &said["id"].as_str())?;
        same("name", &Some(call.name.as_str()), &said["function"]["name"].as_str())?;
        let arguments: Value = serde_json::from_str(&call.arguments).map_err(|error| error.to_string())?;
        same("arguments", &arguments, &said["function"]["arguments"])?;
    }
    Ok(())
}

/// Decode, then encode in the same family: the same text, thoughts and calls.
#[test]
fn an_answer_that_is_sent_back_says_what_it_said() {
    let Some(records) = corpus::of_wire(FAMILY) else { return };
    let mut calls = 0;
    for record in records.iter().filter(|record| record.response.status == 200) {
        let reading = read(record.response.body_text.as_deref().unwrap_or(""));
        let decoded = laws::decode(&OllamaChat, &Quirks::default(), record);
        let parts = decoded.response.choices[0].parts.clone();
        let request =
            ChatRequest { messages: vec![Message::new(Role::Assistant, parts)], ..ChatRequest::default() };
        let body = encoded(&request).unwrap();
        let sent = &body["messages"][0];
        assert_eq!(sent["content"], reading.text, "{}", record.id);
        assert_eq!(sent["thinking"].as_str().unwrap_or(""), reading.thinking, "{}", record.id);
        let expected: Vec<Value> = reading.calls.iter().map(as_sent_back).collect();
        assert_eq!(sent["tool_calls"].as_array().cloned().unwrap_or_default(), expected, "{}", record.id);
        calls += expected.len();
    }
    assert!(calls > 15, "only {calls} calls were compared");
}

/// A call without its number, which only orders the answer.
fn as_sent_back(call: &Value) -> Value {
    let function = &call["function"];
    json!({"id": call["id"], "function": {"name": function["name"], "arguments": function["arguments"]}})
}

fn encoded(request: &ChatRequest) -> Result<Value, canonical::Error> {
    let quirks = Quirks::default();
    let target = TargetContext { model: "qwen3:4b", quirks: &quirks, max_output_tokens: None };
    let sent = OllamaChat.encode_request(request, &target)?;
    assert_eq!(sent.path, "/chat");
    Ok(serde_json::from_slice(&sent.body).unwrap())
}

#[test]
fn a_damaged_stream_is_never_taken_for_a_whole_answer() {
    let Some(records) = corpus::of_wire(FAMILY) else { return };
    let mut failures = Vec::new();
    let mut damaged = 0;
    for record in records.iter().filter(|record| record.response.status == 200 && record.stream) {
        damaged += 1;
        let outcome = damage::check(&OllamaChat, &Quirks::default(), record).and_then(|()| noise(record));
        if let Err(failure) = outcome {
            failures.push(format!("{}: {failure}", record.id));
        }
    }
    assert!(failures.is_empty(), "{} of {damaged}:\n{}", failures.len(), failures.join("\n"));
    assert!(damaged > 10, "only {damaged} streams");
}

/// What means nothing between lines.
fn noise(record: &Record) -> Result<(), String> {
    let text = record.response.body_text.clone().unwrap_or_default();
    let whole = laws::decode_stream(&OllamaChat, &Quirks::default(), [text.as_bytes()]);
    for (what, noisy) in [
        ("CRLF line ends", text.replace('\n', "\r\n")),
        ("CR line ends", text.replace('\n', "\r")),
        ("empty lines", text.replace('\n', "\n\n")),
        ("no last line end", text.trim_end().to_owned()),
        ("malformed lines", text.replace('\n', "\n{\"message\": {\"content\": \"x\n")),
        ("a malformed first line", format!("{{\"mess\n{text}")),
        ("lines of no known kind", text.replace('\n', "\n{\"novelty\": 1}\n")),
    ] {
        let got = laws::decode_stream(&OllamaChat, &Quirks::default(), [noisy.as_bytes()]);
        if got.events != whole.events || got.outcome != whole.outcome {
            return Err(format!("{what}: events or outcome differ ({:?})", got.outcome));
        }
    }
    Ok(())
}

// What no record shows.

fn stream(lines: &[Value]) -> Decoded {
    let body = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    let decoded = laws::decode_stream(&OllamaChat, &Quirks::default(), [body.as_bytes()]);
    laws::grammar(&decoded).unwrap();
    decoded
}

fn text(content: &str) -> Value {
    json!({"model": "m", "created_at": "2026-01-02T03:04:05Z", "message": {"role": "assistant", "content": content},
        "done": false})
}

#[test]
fn an_answer_without_its_end_is_truncated_and_keeps_its_text() {
    let decoded = stream(&[text("Hel"), text("lo")]);
    assert_eq!(decoded.outcome.as_ref().unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
    assert_eq!(decoded.response.choices[0].finish_reason, None);
}

#[test]
fn an_error_in_the_middle_ends_the_stream_as_that_error() {
    let decoded =
        stream(&[text("Hello"), json!({"error": "an error was encountered while running the model"})]);
    let error = decoded.outcome.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::ServerError, "an error was encountered while running the model")
    );
    assert_eq!(decoded.response.choices[0].plain_text(), "Hello");
}

#[test]
fn a_call_without_an_id_gets_one_of_its_own() {
    let call = |name: &str| json!({"function": {"name": name, "arguments": {"a": 1}}});
    let mut line = text("");
    line["message"]["tool_calls"] = json!([call("f"), call("g")]);
    let decoded = stream(&[line, json!({"done": true})]);
    assert_eq!(decoded.outcome, Ok(()));
    let choice = &decoded.response.choices[0];
    assert_eq!((choice.finish_reason, &choice.finish_reason_raw), (Some(FinishReason::ToolCalls), &None));
    let ids: Vec<&str> = choice
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolCall(call) => call.id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_20260102030405_0", "call_20260102030405_1"]);
}

#[test]
fn what_is_no_answer_of_ollamas_is_an_invalid_response() {
    for body in ["", "[]", "{}", "{\"message\": \"x\"}", "<html>"] {
        let error = OllamaChat.decode_response(body.as_bytes(), &Quirks::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidResponse, "{body:?}");
    }
    // A document over several lines, an HTML page and plain text, instead of a stream.
    for body in ["{\n  \"a\": 1\n}\n", "<html><title>Sign in</title></html>", "Not Found\n"] {
        let decoded = laws::decode_stream(&OllamaChat, &Quirks::default(), [body.as_bytes()]);
        assert_eq!(decoded.outcome.unwrap_err().kind, ErrorKind::InvalidResponse, "{body:?}");
    }
}

#[test]
fn a_relays_event_stream_is_read_too() {
    let done = json!({"message": {"content": "!"}, "done": true, "done_reason": "stop"});
    let body = format!("data: {}\n\ndata: {done}\n\n", text("Hello"));
    let decoded = laws::decode_stream(&OllamaChat, &Quirks::default(), [body.as_bytes()]);
    assert_eq!(decoded.outcome, Ok(()));
    assert_eq!(decoded.response.choices[0].plain_text(), "Hello!");
}

#[test]
fn the_recorded_list_of_models_is_read() {
    let Some(records) = corpus::of_wire("ollama-tags") else { return };
    for record in records {
        let models = OllamaChat.decode_models(&record.body()).unwrap();
        let said: Value = serde_json::from_slice(&record.body()).unwrap();
        let expected: Vec<&str> =
            said["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
        assert!(!expected.is_empty());
        assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), expected);
    }
    assert_eq!(OllamaChat.decode_models(b"[]").unwrap_err().kind, ErrorKind::InvalidResponse);
}

#[test]
fn what_ollama_cannot_say_is_refused_and_the_next_target_is_asked() {
    let several = ChatRequest { choice_count: Some(2), ..ChatRequest::default() };
    let error = encoded(&several).unwrap_err();
    assert_eq!((error.retry, error.param.as_deref()), (Retry::NextTarget, Some("n")));
    let error = encoded(&with_image("https://example.com/a.png")).unwrap_err();
    assert_eq!((error.retry, error.param.as_deref()), (Retry::NextTarget, Some("messages[0]")));
}

/// <https://github.com/ollama/ollama/blob/main/docs/api.md#chat-request-with-images>
#[test]
fn an_image_goes_out_as_bare_base64() {
    let body = encoded(&with_image("data:image/png;base64,iVBORw0K")).unwrap();
    assert_eq!(body["messages"][0], json!({"role": "user", "content": "", "images": ["iVBORw0K"]}));
}

fn with_image(url: &str) -> ChatRequest {
    let source = canonical::request::MediaSource::Url(url.into());
    let media = canonical::request::Media { source, media_type: None, name: None, detail: None };
    let image = Message::new(Role::User, vec![Content::Image(media).into()]);
    ChatRequest { messages: vec![image], ..ChatRequest::default() }
}
