//! Tool calls and structured output in each mode, through the port, streamed and not.

use ledger::{ToolFailed, ToolFailureFilter};
use serde_json::{Value, json};

use crate::support::{End, House, Reply, Upstream, ask, chunk, good_answer, provider, read_stream, words};

const GOOD: &str = "{\"n\":1}";
/// Nobody can tell what was meant.
const BAD: &str = "{\"m\":1}";
/// Plainly meant as [`GOOD`].
const PLAIN: &str = "{\"n\":\"1\",}";

fn schema() -> Value {
    json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
}

fn with_tool(model: &str, is_stream: bool) -> Value {
    let mut body = ask(model, is_stream);
    body["tools"] = json!([{"type": "function", "function": {"name": "ring", "parameters": schema()}}]);
    body
}

fn with_format(model: &str, is_stream: bool) -> Value {
    let mut body = ask(model, is_stream);
    body["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema()}});
    body
}

/// A stream that says `text` and calls `ring` with these arguments.
fn calls(text: &str, arguments: &[&str]) -> Reply {
    let mut pieces = Vec::new();
    if !text.is_empty() {
        pieces.push(words(text));
    }
    for (index, arguments) in arguments.iter().enumerate() {
        let (first, second) = arguments.split_at(arguments.len() / 2);
        let head = json!({"index": index, "id": format!("c{index}"), "type": "function",
            "function": {"name": "ring", "arguments": first}});
        pieces.push(chunk(&json!({"tool_calls": [head]}), None));
        let more = json!({"index": index, "function": {"arguments": second}});
        pieces.push(chunk(&json!({"tool_calls": [more]}), None));
    }
    pieces.extend([chunk(&json!({}), Some("tool_calls")), "data: [DONE]\n\n".to_owned()]);
    Reply::Stream { pieces, end: End::Close }
}

/// The same, whole.
fn calls_whole(arguments: &[&str]) -> Reply {
    let calls: Vec<Value> = arguments
        .iter()
        .enumerate()
        .map(|(index, arguments)| {
            json!({"id": format!("c{index}"), "type": "function", "function": {"name": "ring", "arguments": arguments}})
        })
        .collect();
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls});
    let body = json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "m-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let headers = vec![("content-type", "application/json".into())];
    Reply::Whole { status: 200, headers, body: body.to_string() }
}

/// What the client has at the end: text, arguments of each call, the code of an error.
#[derive(Debug, PartialEq)]
struct Got {
    text: String,
    arguments: Vec<String>,
    code: Option<String>,
}

fn got(text: &str, arguments: &[&str], code: Option<&str>) -> Got {
    Got {
        text: text.to_owned(),
        arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
        code: code.map(str::to_owned),
    }
}

async fn asked(house: &House, body: &Value) -> Got {
    let answer = house.post(body).await.text().await.unwrap();
    if body["stream"] == true && answer.contains("data: ") {
        let (text, error) = read_stream(&answer);
        let code = error.map(|error| error["code"].as_str().unwrap_or_default().to_owned());
        return Got { text, arguments: streamed_calls(&answer), code };
    }
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let message = &answer["choices"][0]["message"];
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    Got {
        text: message["content"].as_str().unwrap_or_default().to_owned(),
        arguments: calls
            .iter()
            .map(|call| call["function"]["arguments"].as_str().unwrap().to_owned())
            .collect(),
        code: answer["error"]["code"].as_str().map(str::to_owned),
    }
}

fn streamed_calls(body: &str) -> Vec<String> {
    let mut calls: Vec<String> = Vec::new();
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
        for call in value["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().unwrap() as usize;
            if calls.len() <= index {
                calls.resize(index + 1, String::new());
            }
            calls[index].push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    calls
}

async fn house(upstream: &Upstream, mode: &str) -> House {
    let checks = format!("[checks]\ntools = \"{mode}\"\noutput = \"{mode}\"\n");
    House::with(&format!("{}{checks}", provider("a", &upstream.url))).await
}

async fn failures(house: &House) -> Vec<ToolFailed> {
    let _ = house.last_request().await;
    let ledger = house.gateway.ledger().clone();
    let filter = ToolFailureFilter { limit: 100, ..ToolFailureFilter::default() };
    tokio::task::spawn_blocking(move || ledger.tool_failures(&filter).unwrap()).await.unwrap()
}

#[tokio::test]
async fn each_mode_does_what_it_says_with_a_call_that_cannot_be_mended() {
    for (mode, expected, remedies) in [
        ("observe", got("", &[BAD], None), vec!["none"]),
        ("repair", got("", &[BAD], None), vec!["none"]),
        ("retry", got("", &[GOOD], None), vec!["withheld"]),
        ("reject", got("", &[GOOD], None), vec!["withheld"]),
    ] {
        for is_stream in [true, false] {
            let reply =
                |arguments| if is_stream { calls("", &[arguments]) } else { calls_whole(&[arguments]) };
            let upstream = Upstream::with([reply(BAD), reply(GOOD)]).await;
            let house = house(&upstream, mode).await;
            assert_eq!(asked(&house, &with_tool("a/m", is_stream)).await, expected, "{mode} {is_stream}");
            let rows = failures(&house).await;
            let said: Vec<&str> = rows.iter().map(|row| row.remedy.as_str()).collect();
            assert_eq!(said, remedies, "{mode} {is_stream}");
            assert_eq!((rows[0].tool.as_deref(), rows[0].kind.as_str()), (Some("ring"), "schema_mismatch"));
            assert_eq!(rows[0].arguments, BAD);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_wrong_twice_is_passed_on_or_refused() {
    for (mode, expected) in
        [("retry", got("", &[BAD], None)), ("reject", got("", &[], Some("tool_call_invalid")))]
    {
        for is_stream in [true, false] {
            let reply = || if is_stream { calls("", &[GOOD, BAD]) } else { calls_whole(&[GOOD, BAD]) };
            let upstream = Upstream::with([reply(), reply(), reply()]).await;
            let house = house(&upstream, mode).await;
            let expected = match mode {
                "retry" => got("", &[GOOD, BAD], None),
                _ => got(&expected.text, &[], expected.code.as_deref()),
            };
            assert_eq!(asked(&house, &with_tool("a/m", is_stream)).await, expected, "{mode} {is_stream}");
            assert_eq!(upstream.requests().len(), 2, "asked once more and no more");
            let row = house.last_request().await;
            assert_eq!(row.attempts.len(), 2);
        }
    }
}

#[tokio::test]
async fn the_second_question_says_what_was_wrong() {
    let upstream = Upstream::with([calls("", &[BAD]), calls("", &[GOOD])]).await;
    let house = house(&upstream, "retry").await;
    asked(&house, &with_tool("a/m", true)).await;
    let messages = upstream.requests()[1]["messages"].as_array().unwrap().clone();
    let [_, said, result] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(said["tool_calls"][0]["function"]["arguments"], BAD);
    let words = result["content"].as_str().unwrap_or_default();
    assert_eq!((result["role"].as_str(), result["tool_call_id"].as_str()), (Some("tool"), Some("c0")));
    assert!(words.contains("lacks the required property `n`"), "{result}");
}

#[tokio::test]
async fn text_before_a_call_is_not_said_twice() {
    let upstream = Upstream::with([calls("I ring.", &[BAD]), calls("Again: I ring.", &[GOOD])]).await;
    let house = house(&upstream, "retry").await;
    assert_eq!(asked(&house, &with_tool("a/m", true)).await, got("I ring.", &[GOOD], None));
}

#[tokio::test]
async fn the_next_target_of_a_route_is_asked_where_there_is_one() {
    let (first, second) =
        (Upstream::with([calls("", &[BAD])]).await, Upstream::with([calls("", &[GOOD])]).await);
    let settings = format!(
        "{}{}[[route]]\nname = \"r\"\ntool_check = \"retry\"\n\
         targets = [{{ provider = \"a\", model = \"m\" }}, {{ provider = \"b\", model = \"m\" }}]\n",
        provider("a", &first.url),
        provider("b", &second.url)
    );
    let house = House::with(&settings).await;
    assert_eq!(asked(&house, &with_tool("r", true)).await, got("", &[GOOD], None));
    assert_eq!(second.requests()[0]["messages"].as_array().unwrap().len(), 1, "as the client asked");
}

#[tokio::test]
async fn what_is_plain_is_mended_in_every_mode_but_the_first() {
    for mode in ["observe", "repair", "retry", "reject"] {
        for is_stream in [true, false] {
            let reply = if is_stream { calls("", &[PLAIN]) } else { calls_whole(&[PLAIN]) };
            let upstream = Upstream::with([reply]).await;
            let house = house(&upstream, mode).await;
            let expected = if mode == "observe" { PLAIN } else { GOOD };
            assert_eq!(
                asked(&house, &with_tool("a/m", is_stream)).await,
                got("", &[expected], None),
                "{mode}"
            );
            let rows = failures(&house).await;
            let repairs = rows[0].repairs.as_deref();
            assert_eq!(repairs, (mode != "observe").then_some("trailing_comma,to_number"), "{mode}");
        }
    }
}

#[tokio::test]
async fn a_fenced_answer_loses_its_fence_while_it_streams() {
    let pieces = ["``", "`json\n{\"n\"", ": 1}\n`", "``"].map(words);
    let mut pieces = pieces.to_vec();
    pieces.extend([chunk(&json!({}), Some("stop")), "data: [DONE]\n\n".to_owned()]);
    let upstream = Upstream::with([Reply::Stream { pieces, end: End::Close }]).await;
    let house = house(&upstream, "repair").await;
    assert_eq!(asked(&house, &with_format("a/m", true)).await, got("{\"n\": 1}", &[], None));
    assert_eq!(failures(&house).await[0].repairs.as_deref(), Some("code_fence"));
}

#[tokio::test]
async fn an_answer_in_the_wrong_form_is_asked_for_once_more() {
    for is_stream in [true, false] {
        let wrong =
            || if is_stream { crate::support::good_stream("I cannot") } else { good_answer("I cannot") };
        let right = || if is_stream { crate::support::good_stream(GOOD) } else { good_answer(GOOD) };
        let upstream = Upstream::with([wrong(), right()]).await;
        let retrying = house(&upstream, "retry").await;
        assert_eq!(asked(&retrying, &with_format("a/m", is_stream)).await, got(GOOD, &[], None));
        let upstream = Upstream::with([wrong(), wrong()]).await;
        let rejecting = house(&upstream, "reject").await;
        let refused = got("", &[], Some("output_invalid"));
        assert_eq!(asked(&rejecting, &with_format("a/m", is_stream)).await, refused);
    }
}

#[tokio::test]
async fn a_request_without_tools_or_format_passes_every_mode_untouched() {
    let upstream = Upstream::with([crate::support::good_stream("Hello")]).await;
    let house = house(&upstream, "reject").await;
    assert_eq!(asked(&house, &ask("a/m", true)).await, got("Hello", &[], None));
    assert_eq!(failures(&house).await, []);
}

/// Claude's answer as a whole, or as a stream.
fn claude_says(text: &str, is_stream: bool) -> Reply {
    let message = |content: Value, stop: Value| {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
            "content": content, "stop_reason": stop, "stop_sequence": null,
            "usage": {"input_tokens": 5, "output_tokens": 3}})
    };
    if !is_stream {
        let body = message(json!([{"type": "text", "text": text}]), json!("end_turn")).to_string();
        return Reply::Whole {
            status: 200,
            headers: vec![("content-type", "application/json".into())],
            body,
        };
    }
    let events = [
        json!({"type": "message_start", "message": message(json!([]), Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ];
    let pieces =
        events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    Reply::Stream { pieces: pieces.collect(), end: End::Close }
}

#[tokio::test]
async fn what_a_provider_does_not_hold_its_model_to_is_checked_against_the_clients_own_schema() {
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}},
        "required": ["age"], "additionalProperties": false});
    for (mode, is_refused) in [("observe", false), ("reject", true)] {
        for is_stream in [true, false] {
            let reply = || claude_says("{\"age\":-1}", is_stream);
            let upstream = Upstream::with([reply(), reply()]).await;
            let provider = provider("a", &upstream.url).replace("openai-compatible", "anthropic-compatible");
            let settings = format!(
                "{provider}[[route]]\nname = \"r\"\noutput_check = \"{mode}\"\n\
                 targets = [{{ provider = \"a\", model = \"claude-sonnet-4-5\" }}]\n"
            );
            let house = House::with(&settings).await;
            let mut body = ask("r", is_stream);
            body["seed"] = json!(7);
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "age", "schema": schema}});
            let answer = house.post(&body).await;
            let header =
                answer.headers().get("x-signalbox-notes").map(|value| value.to_str().unwrap().to_owned());
            let text = answer.text().await.unwrap();
            let sent = &upstream.requests()[0]["output_config"]["format"]["schema"]["properties"]["age"];
            assert_eq!((sent["minimum"].is_null(), sent["type"].as_str()), (true, Some("integer")), "{sent}");
            assert_eq!(text.contains("output_invalid"), is_refused, "{mode} {is_stream}: {text}");
            assert_eq!(text.contains(":-1"), !is_refused, "{mode} {is_stream}: {text}");
            if !is_refused {
                assert_eq!(header.as_deref(), Some("dropped:seed,schema:minimum"));
            }
            let rows = failures(&house).await;
            assert_eq!(rows[0].path.as_deref(), Some("/age"), "{mode} {is_stream}");
            let id = house.last_request().await.id;
            let ledger = house.gateway.ledger().clone();
            let detail = tokio::task::spawn_blocking(move || ledger.request(&id).unwrap()).await.unwrap();
            let notes = &detail.unwrap().attempts[0].notes;
            assert_eq!(*notes, ["dropped:seed", "schema:minimum in response_format/properties/age"]);
        }
    }
}

#[tokio::test]
async fn a_call_that_the_token_limit_cut_off_is_neither_asked_for_again_nor_called_wrong() {
    let cut = "{\"n\":";
    for mode in ["observe", "repair", "retry", "reject"] {
        let pieces = vec![
            chunk(
                &json!({"tool_calls": [{"index": 0, "id": "c0", "type": "function",
                "function": {"name": "ring", "arguments": cut}}]}),
                None,
            ),
            chunk(&json!({}), Some("length")),
            "data: [DONE]\n\n".to_owned(),
        ];
        let upstream = Upstream::with([Reply::Stream { pieces, end: End::Close }]).await;
        let house = house(&upstream, mode).await;
        let expected = match mode {
            "reject" => got("", &[], Some("tool_call_cut_off")),
            _ => got("", &[cut], None),
        };
        assert_eq!(asked(&house, &with_tool("a/m", true)).await, expected, "{mode}");
        assert_eq!(upstream.requests().len(), 1, "{mode}: asked once");
        let rows = failures(&house).await;
        assert_eq!(rows[0].kind, "cut_off", "{mode}");
    }
}
