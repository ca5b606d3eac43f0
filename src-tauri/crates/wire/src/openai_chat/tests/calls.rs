//! Calls that are hard to tell apart.

use canonical::FinishReason;
use serde_json::{Value, json};

use super::{call, calls, chunk, finished, text, told};

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
