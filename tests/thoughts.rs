//! Proofs of thought through the port: each maker gets back what it made, from clients that carry it
//! and from clients that cannot, and nobody gets what another made.

use anyhow::{Context as _, Result};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::upstream::{Step, Upstream, answer, stream};

const GEMINI_CALL: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"look","args":{"at":"sky"}},"thoughtSignature":"c2lnbmVkIGJ5IGdlbWluaQ=="}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12},"modelVersion":"gemini-3-pro","responseId":"r1"}"#;
const GEMINI_SIGNATURE: &str = "c2lnbmVkIGJ5IGdlbWluaQ==";
const CLAUDE_CALL: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"The sky it is.","signature":"signed-by-claude"},{"type":"tool_use","id":"toolu_1","name":"look","input":{"at":"sky"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":3}}"#;
const CLAUDE_TEXT: &str = r#"{"id":"msg_2","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Blue."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":3}}"#;
const REFUSED: &str = r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}"#;

struct Port {
    http: Client,
    base: String,
    key: String,
}

impl Port {
    fn of(daemon: &Daemon) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { http: Client::new(), base: daemon.url("")?, key: daemon.client_key("test")? })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let response =
            self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.key).json(body).send().await?;
        let status = response.status();
        let body = response.text().await?;
        anyhow::ensure!(status == StatusCode::OK, "{status}: {body}");
        serde_json::from_str(&body).with_context(|| body)
    }
}

fn start(providers: &[(&str, &str, &Upstream)]) -> Result<Daemon> {
    let table = |(id, kind, upstream): &(&str, &str, &Upstream)| {
        let url = upstream.url();
        format!(
            "[[provider]]\nid = \"{id}\"\nkind = \"{kind}\"\nbase_url = \"{url}\"\nkey = \"env:TEST_KEY\"\n"
        )
    };
    let settings: Vec<String> = providers.iter().map(table).collect();
    Daemon::start_with(&settings.concat(), &[("TEST_KEY", "secret-of-the-test")])
}

fn json_answers(bodies: &[(&str, &str)]) -> Vec<Vec<Step>> {
    bodies.iter().map(|(status, body)| answer(status, "application/json", "", body)).collect()
}

fn chat_tool() -> Value {
    json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}])
}

/// The second turn of a client of Chat Completions: the call as it came, but for what the dialect
/// has no field for, and its result.
fn second_turn(model: &str, first: &Value) -> Value {
    let mut call = first["choices"][0]["message"]["tool_calls"][0].clone();
    if let Some(fields) = call.as_object_mut() {
        fields.remove("extra_content");
    }
    let id = call["id"].clone();
    json!({"model": model, "tools": chat_tool(), "reasoning_effort": "high", "messages": [
        {"role": "user", "content": "What colour?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": id, "content": "blue"}]})
}

fn first_turn(model: &str) -> Value {
    json!({"model": model, "tools": chat_tool(), "reasoning_effort": "high",
        "messages": [{"role": "user", "content": "What colour?"}]})
}

#[tokio::test]
async fn gemini_gets_its_signature_back_from_a_client_that_cannot_carry_it() -> Result<()> {
    let upstream = Upstream::start(json_answers(&[("200 OK", GEMINI_CALL)])).await?;
    let daemon = start(&[("google", "google", &upstream)])?;
    let port = Port::of(&daemon)?;
    let first = port.post("/v1/chat/completions", &first_turn("google/gemini-3-pro")).await?;
    port.post("/v1/chat/completions", &second_turn("google/gemini-3-pro", &first)).await?;
    let sent = upstream.seen()[1].json()?;
    assert_eq!(sent["contents"][1]["parts"][0]["thoughtSignature"], GEMINI_SIGNATURE, "{sent}");
    // Another client's call of the same name of id is none of its business.
    let other = Port { key: daemon.client_key("other")?, ..Port::of_base(&port) };
    other.post("/v1/chat/completions", &second_turn("google/gemini-3-pro", &first)).await?;
    let sent = upstream.seen()[2].json()?;
    assert_ne!(sent["contents"][1]["parts"][0]["thoughtSignature"], GEMINI_SIGNATURE, "{sent}");
    Ok(())
}

impl Port {
    fn of_base(port: &Self) -> Self {
        Self { http: port.http.clone(), base: port.base.clone(), key: String::new() }
    }
}

#[tokio::test]
async fn claude_gets_its_thinking_back_streamed_too() -> Result<()> {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"The sky it is."}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"signed-by-claude"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"at\":\"sky\"}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}"#,
        r#"{"type":"message_stop"}"#,
    ]
    .map(|event| format!("data: {event}\n\n"));
    let pieces: Vec<&str> = events.iter().map(String::as_str).collect();
    let scripts = vec![stream(&pieces), answer("200 OK", "application/json", "", CLAUDE_TEXT)];
    let upstream = Upstream::start(scripts).await?;
    let daemon = start(&[("claude", "anthropic", &upstream)])?;
    let port = Port::of(&daemon)?;
    let mut ask = first_turn("claude/claude-sonnet-4-5");
    ask["stream"] = true.into();
    let streamed =
        port.http.post(format!("{}/v1/chat/completions", port.base)).bearer_auth(&port.key).json(&ask);
    let text = streamed.send().await?.text().await?;
    assert!(text.contains("[DONE]") && !text.contains("signed-by-claude"), "{text}");
    let call = json!({"id": "toolu_1", "type": "function",
        "function": {"name": "look", "arguments": "{\"at\":\"sky\"}"}});
    let first = json!({"choices": [{"message": {"tool_calls": [call]}}]});
    port.post("/v1/chat/completions", &second_turn("claude/claude-sonnet-4-5", &first)).await?;
    let sent = upstream.seen()[1].json()?;
    let thinking = json!({"type": "thinking", "thinking": "The sky it is.", "signature": "signed-by-claude"});
    assert_eq!(sent["messages"][1]["content"][0], thinking, "{sent}");
    assert_eq!(sent["thinking"]["type"], "enabled", "thinking goes on: {sent}");
    Ok(())
}

#[tokio::test]
async fn a_conversation_that_moves_from_gemini_to_claude_and_back_leaves_each_its_own() -> Result<()> {
    let gemini = Upstream::start(json_answers(&[("200 OK", GEMINI_CALL)])).await?;
    let claude = Upstream::start(json_answers(&[("200 OK", CLAUDE_TEXT)])).await?;
    let daemon = start(&[("google", "google", &gemini), ("claude", "anthropic", &claude)])?;
    let port = Port::of(&daemon)?;
    let tools = json!([{"name": "look", "input_schema": {"type": "object"}}]);
    let mut messages = json!([{"role": "user", "content": "What colour?"}]);
    let ask = |model: &str, messages: &Value| {
        json!({"model": model, "max_tokens": 4000, "tools": tools, "messages": messages,
            "thinking": {"type": "enabled", "budget_tokens": 2000}})
    };
    let first = port.post("/v1/messages", &ask("google/gemini-3-pro", &messages)).await?;
    let call = first["content"].as_array().context("no content")?.last().context("no call")?.clone();
    assert!(
        !first.to_string().contains(GEMINI_SIGNATURE),
        "a client of Anthropic's gets an envelope: {first}"
    );
    let list = messages.as_array_mut().context("messages")?;
    list.push(json!({"role": "assistant", "content": first["content"]}));
    list.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "blue"}]}));
    port.post("/v1/messages", &ask("claude/claude-sonnet-4-5", &messages)).await?;
    let sent = claude.seen()[0].json()?;
    let said = sent["messages"].to_string();
    assert!(!said.contains("c2ln") && !said.contains("signature"), "Claude gets nothing of Gemini's: {sent}");
    assert_eq!(sent["messages"][1]["content"].as_array().map(Vec::len), Some(1), "{sent}");
    port.post("/v1/messages", &ask("google/gemini-3-pro", &messages)).await?;
    let sent = gemini.seen()[1].json()?;
    assert_eq!(sent["contents"][1]["parts"][0]["thoughtSignature"], GEMINI_SIGNATURE, "{sent}");
    Ok(())
}

#[tokio::test]
async fn a_signature_that_is_refused_is_taken_off_once() -> Result<()> {
    let scripts =
        json_answers(&[("400 Bad Request", REFUSED), ("200 OK", CLAUDE_TEXT), ("400 Bad Request", REFUSED)]);
    let upstream = Upstream::start(scripts).await?;
    let daemon = start(&[("claude", "anthropic", &upstream)])?;
    let port = Port::of(&daemon)?;
    let said: Value = serde_json::from_str(CLAUDE_CALL)?;
    let body = json!({"model": "claude/claude-sonnet-4-5", "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "messages": [
        {"role": "user", "content": "What colour?"},
        {"role": "assistant", "content": said["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "blue"}]}]});
    port.post("/v1/messages", &body).await?;
    let seen = upstream.seen();
    assert!(seen[0].json()?.to_string().contains("signed-by-claude"));
    assert!(!seen[1].json()?.to_string().contains("signed-by-claude"), "{}", seen[1].json()?);
    // Refused again, it is the answer.
    let error = port.post("/v1/messages", &body).await.err().context("two refusals are an error")?;
    assert!(error.to_string().contains("Invalid `signature`"), "{error}");
    assert_eq!(upstream.seen().len(), 4);
    Ok(())
}

const CHAT_TEXT: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-5.2","choices":[{"index":0,"message":{"role":"assistant","content":"Since noon."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#;

#[tokio::test]
async fn what_one_provider_searched_does_not_break_the_conversation_at_another() -> Result<()> {
    let openai = Upstream::start(json_answers(&[("200 OK", CHAT_TEXT)])).await?;
    let claude = Upstream::start(json_answers(&[("200 OK", CLAUDE_TEXT)])).await?;
    let daemon = start(&[("openai", "openai", &openai), ("claude", "anthropic", &claude)])?;
    let port = Port::of(&daemon)?;
    let said = json!([
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "line"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
            {"type": "web_search_result", "url": "https://example.com", "title": "Line", "encrypted_content": "EqgfC"}]},
        {"type": "text", "text": "It is blocked."}]);
    let body = |model: &str| {
        json!({"model": model, "max_tokens": 4000, "messages": [
            {"role": "user", "content": "Is the line clear?"},
            {"role": "assistant", "content": said},
            {"role": "user", "content": "Since when?"}]})
    };
    let url = format!("{}/v1/messages", port.base);
    let asked = port.http.post(url).bearer_auth(&port.key).json(&body("openai/gpt-5.2")).send().await?;
    let notes = asked.headers().get("x-signalbox-notes").context("no notes")?.to_str()?.to_owned();
    assert_eq!(asked.status(), StatusCode::OK, "{}", asked.text().await?);
    assert!(notes.contains("dropped:messages/web_search_tool_result"), "{notes}");
    assert_eq!(
        openai.seen()[0].json()?["messages"],
        json!([{"role": "user", "content": "Is the line clear?"}, {"role": "assistant", "content": "It is blocked."},
            {"role": "user", "content": "Since when?"}])
    );
    // Back where it was searched, all of it is there again.
    port.post("/v1/messages", &body("claude/claude-sonnet-4-5")).await?;
    assert_eq!(claude.seen()[0].json()?["messages"][1]["content"], said);
    Ok(())
}
