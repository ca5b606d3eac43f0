//! Ends that are no ends, damage, and what comes whole.

use canonical::{Content, ErrorKind, FinishReason, Part};
use serde_json::json;

use super::super::client;
use super::{call, calls, driven, finished, text, told};
use crate::{Protocol as _, Quirks};

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
