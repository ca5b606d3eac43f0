//! What the recordings do not hold: losses on the way, failures half-way, rare items.

#![expect(clippy::needless_pass_by_value, reason = "events read better without references")]

use canonical::fold::fold;
use canonical::grammar::Grammar;
use canonical::{Content, Error, ErrorKind, FinishReason, StreamEvent};
use serde_json::{Value, json};

use super::OpenAiResponses;
use crate::driver::StreamDriver;
use crate::openai_responses::FAMILY;
use crate::{Protocol as _, Quirks};

/// Decodes a stream of these events and holds it to the grammar.
fn decoded(events: &[Value]) -> (Vec<StreamEvent>, Result<(), Error>) {
    let (mut driver, mut out) = (StreamDriver::new(&OpenAiResponses, &Quirks::default()), Vec::new());
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let outcome = driver.push(body(&lines).as_bytes(), &mut out).and_then(|()| driver.finish(&mut out));
    let mut grammar = Grammar::default();
    out.iter().try_for_each(|event| grammar.accept(event)).unwrap();
    assert!(outcome.is_err() || grammar.is_complete());
    (out, outcome)
}

fn body(lines: &[String]) -> String {
    format!("data: {}\n\n", lines.join("\n\ndata: "))
}

fn parts(events: &[StreamEvent]) -> Vec<Content> {
    let choices = fold(events).choices.into_iter();
    choices.flat_map(|choice| choice.parts).map(|part| part.content).collect()
}

fn call(content: &Content) -> (&str, &str, &str) {
    match content {
        Content::ToolCall(call) => (&call.id, &call.name, &call.arguments),
        other => panic!("no call: {other:?}"),
    }
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 5.0}})
}

fn added(at: u64, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": at, "item": item})
}

fn done(at: u64, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": at, "item": item})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": output,
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}})
}

fn arguments(at: u64, delta: &str) -> Value {
    json!({"type": "response.function_call_arguments.delta", "output_index": at, "delta": delta})
}

fn text(at: u64, delta: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": at, "content_index": 0, "delta": delta})
}

fn weather(said: &str) -> Value {
    json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": said})
}

fn message(said: &str) -> Value {
    json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said}]})
}

#[test]
fn what_a_lost_event_did_not_bring_is_taken_from_the_finished_item() {
    let whole = [
        created(),
        added(0, weather("")),
        arguments(0, "{\"city\":"),
        arguments(0, "\"Oslo\"}"),
        done(0, weather("{\"city\":\"Oslo\"}")),
        added(1, message("")),
        text(1, "Hel"),
        text(1, "lo"),
        done(1, message("Hello")),
        completed(json!([weather("{\"city\":\"Oslo\"}"), message("Hello")])),
    ];
    // All but the first of several deltas, which leaves a hole that nothing can fill.
    for lost in [0, 1, 3, 4, 5, 7, 8] {
        let mut events = whole.to_vec();
        events.remove(lost);
        let (events, outcome) = decoded(&events);
        assert_eq!(outcome, Ok(()), "without event {lost}");
        let parts = parts(&events);
        assert_eq!(parts.len(), 2, "without event {lost}");
        assert_eq!(call(&parts[0]), ("call_1", "weather", "{\"city\":\"Oslo\"}"), "without event {lost}");
        assert_eq!(parts[1], Content::Text("Hello".into()), "without event {lost}");
        assert_eq!(fold(&events).choices[0].finish_reason, Some(FinishReason::ToolCalls));
    }
}

#[test]
fn a_hole_in_a_calls_arguments_is_no_clean_end() {
    let events = [
        created(),
        added(0, weather("")),
        arguments(0, "\"Oslo\"}"),
        done(0, weather("{\"city\":\"Oslo\"}")),
        completed(json!([])),
    ];
    let (_, outcome) = decoded(&events);
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::InvalidResponse);
    // Nor is a call that never got whole, at a provider that does not repeat its output.
    let events = [created(), added(0, weather("")), arguments(0, "{\"ci"), completed(json!([]))];
    assert_eq!(decoded(&events).1.unwrap_err().kind, ErrorKind::InvalidResponse);
    let events = [created(), added(0, weather("")), arguments(0, "{}"), completed(json!([]))];
    let (events, outcome) = decoded(&events);
    assert_eq!(outcome, Ok(()));
    assert_eq!(fold(&events).choices[0].finish_reason, Some(FinishReason::ToolCalls));
}

#[test]
fn a_stream_without_its_end_is_cut_and_what_had_arrived_is_shown() {
    let script = json!({"type": "code_interpreter_call", "id": "ci_1", "code": "", "container_id": "c"});
    let more = |code: &str| json!({"type": "response.code_interpreter_call_code.delta", "output_index": 1, "delta": code});
    let events = [created(), text(0, "Hel"), added(1, script), more("print"), more("(1)")];
    for tail in [None, Some("[DONE]")] {
        let (mut driver, mut out) = (StreamDriver::new(&OpenAiResponses, &Quirks::default()), Vec::new());
        let lines: Vec<String> = events.iter().map(Value::to_string).chain(tail.map(str::to_owned)).collect();
        driver.push(body(&lines).as_bytes(), &mut out).unwrap();
        assert_eq!(driver.finish(&mut out).unwrap_err().kind, ErrorKind::Truncated);
        let parts = parts(&out);
        assert_eq!(parts[0], Content::Text("Hel".into()));
        let Content::Opaque(opaque) = &parts[1] else { panic!("{parts:?}") };
        assert_eq!((opaque.family.as_str(), &opaque.value["code"]), (FAMILY, &json!("print(1)")));
    }
}

#[test]
fn another_answer_in_its_place_cuts_the_first() {
    let mut second = created();
    second["response"]["id"] = json!("resp_2");
    let (events, outcome) = decoded(&[created(), text(0, "Hel"), second, text(0, "Hello")]);
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(parts(&events), [Content::Text("Hel".into())]);
}

#[test]
fn an_error_ends_the_stream_in_each_of_its_shapes() {
    let failed = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": "server_error", "message": "It broke."}, "usage": {"input_tokens": 9, "output_tokens": 1}}});
    let image = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": "failed_to_download_image", "message": "It broke."}}});
    for (event, kind) in [
        (
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "It broke.", "param": null}),
            ErrorKind::RateLimited,
        ),
        (
            json!({"type": "error", "error": {"code": "server_error", "message": "It broke."}}),
            ErrorKind::ServerError,
        ),
        (json!({"error": {"code": 502, "message": "It broke."}}), ErrorKind::ServerError),
        (failed, ErrorKind::ServerError),
        (image, ErrorKind::InvalidRequest),
    ] {
        let (events, outcome) = decoded(&[created(), text(0, "Hel"), event.clone(), completed(json!([]))]);
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (kind, "It broke."), "{event}");
        assert_eq!(parts(&events), [Content::Text("Hel".into())]);
        assert_eq!(fold(&events).choices[0].finish_reason, None);
        let billed = fold(&events).usage.map(|usage| usage.input_tokens);
        assert_eq!(billed, event["response"]["usage"]["input_tokens"].as_u64());
    }
}

#[test]
fn a_status_says_how_the_answer_ended() {
    let finish = |status: &str, reason: Value| {
        let body = json!({"object": "response", "id": "r", "status": status, "output": [message("Hi")],
            "incomplete_details": {"reason": reason}});
        let choice = OpenAiResponses
            .decode_response(body.to_string().as_bytes(), &Quirks::default())
            .unwrap()
            .choices
            .remove(0);
        (choice.finish_reason.unwrap(), choice.finish_reason_raw.unwrap())
    };
    for (status, reason, expected, raw) in [
        ("completed", Value::Null, FinishReason::Stop, "completed"),
        ("incomplete", json!("max_output_tokens"), FinishReason::Length, "max_output_tokens"),
        ("incomplete", json!("content_filter"), FinishReason::ContentFilter, "content_filter"),
        ("incomplete", Value::Null, FinishReason::Other, "incomplete"),
        ("queued", Value::Null, FinishReason::Paused, "queued"),
        ("in_progress", Value::Null, FinishReason::Paused, "in_progress"),
        ("cancelled", Value::Null, FinishReason::Other, "cancelled"),
    ] {
        assert_eq!(finish(status, reason), (expected, raw.to_owned()), "{status}");
    }
    for body in ["{\"id\": 1}", "[]", "<html>", "{\"choices\": []}"] {
        let error = OpenAiResponses.decode_response(body.as_bytes(), &Quirks::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidResponse, "{body}");
    }
}

#[test]
fn an_image_that_the_model_made_is_an_image() {
    let image = json!({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "/9j/AA==",
        "revised_prompt": "A signal."});
    let (events, outcome) = decoded(&[
        created(),
        added(0, json!({"type": "image_generation_call", "id": "ig_1", "result": null})),
        json!({"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": "/9j"}),
        done(0, image),
        completed(json!([])),
    ]);
    assert_eq!(outcome, Ok(()));
    let Content::Image(media) = &parts(&events)[0] else { panic!("no image") };
    assert_eq!(media.media_type.as_deref(), Some("image/jpeg"));
    let kept = fold(&events).choices[0].extensions.field(FAMILY, "part.0").cloned().unwrap();
    assert_eq!((&kept["id"], &kept["revised_prompt"]), (&json!("ig_1"), &json!("A signal.")));
}

#[test]
fn pieces_of_a_thought_are_parted_by_blank_lines() {
    let piece = |kind: &str, at: u64, delta: &str| {
        let (name, index) = if kind == "summary" {
            ("response.reasoning_summary_text.delta", "summary_index")
        } else {
            ("response.reasoning_text.delta", "content_index")
        };
        json!({"type": name, "output_index": 0, index: at, "delta": delta})
    };
    let item = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "late",
        "summary": [{"type": "summary_text", "text": "First."}, {"type": "summary_text", "text": "Second."}],
        "content": [{"type": "reasoning_text", "text": "All of it."}]});
    let announced = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "early", "summary": []});
    let (events, _) = decoded(&[
        created(),
        added(0, announced),
        piece("summary", 0, "Fir"),
        piece("summary", 0, "st."),
        piece("summary", 1, "Second"),
        done(0, item.clone()),
        completed(json!([])),
    ]);
    let streamed = fold(&events);
    let Content::Reasoning(reasoning) = &streamed.choices[0].parts[0].content else { panic!("no thought") };
    assert_eq!(reasoning.text, "First.\n\nSecond.\n\nAll of it.");
    assert_eq!(reasoning.encrypted.as_deref(), Some("late"));
    let body =
        json!({"object": "response", "id": "resp_1", "model": "m", "status": "completed", "output": [item]});
    let whole = OpenAiResponses.decode_response(body.to_string().as_bytes(), &Quirks::default()).unwrap();
    assert_eq!(whole.choices, streamed.choices);
}
