//! An OpenAI client of the port without the SDK: it takes a stream as the official SDK's parser
//! does, so that an `error` object raises and everything up to `[DONE]` counts, and it also sees
//! what the SDK forgives: that `[DONE]` or a finish reason is missing.

use anyhow::{Context as _, Result};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::reading::at_client::{self, Answer, Said};

/// What one request brought.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    pub status: u16,
    /// The gateway's id of the request.
    pub request_id: String,
    pub retry_after: Option<String>,
    /// What the stream showed, also before an error. `is_whole`: `[DONE]` came, and no error.
    pub answer: Answer,
    /// The error object: a refusal's body, or what the SDK raises in the middle of a stream.
    pub error: Option<Value>,
}

/// Asks for a streamed answer with usage and reads it to its end. `provider` is who the recorded
/// answer is from: in the verbatim lane the client sees that provider's own words.
pub async fn ask(http: &Client, base: &str, key: &str, model: &str, provider: &str) -> Result<Shown> {
    let body = json!({
        "model": model,
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Hi"}],
    });
    let url = format!("{base}/v1/chat/completions");
    let response = http.post(url).bearer_auth(key).json(&body).send().await?;
    let header = |response: &Response, name: &str| {
        Some(response.headers().get(name)?.to_str().unwrap_or_default().to_owned())
    };
    let mut shown = Shown {
        status: response.status().as_u16(),
        request_id: header(&response, "x-signalbox-request-id").context("no x-signalbox-request-id")?,
        retry_after: header(&response, "retry-after"),
        ..Shown::default()
    };
    let is_verbatim = header(&response, "x-signalbox-lane").as_deref() == Some("verbatim");
    // The port itself never cuts a body: a broken one is a failure of the test's own subject.
    let text = response.text().await.context("the port's own answer broke off")?;
    if shown.status == 200 && is_verbatim {
        read_verbatim(&text, provider, &mut shown)?;
    } else if shown.status == 200 {
        read_stream(&text, &mut shown)?;
    } else {
        let body: Value = serde_json::from_str(&text).context("the refusal is no JSON")?;
        shown.error = Some(body["error"].clone());
    }
    Ok(shown)
}

/// The provider's own stream, by the plain reading that says what it holds; behind it at most one
/// error, the provider's or ours.
fn read_verbatim(text: &str, provider: &str, shown: &mut Shown) -> Result<()> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut said = String::new();
    for event in text.split_inclusive("\n\n") {
        if shown.error.is_some() {
            anyhow::ensure!(event.trim().is_empty(), "something follows the error: {event}");
            continue;
        }
        let data = event.lines().find_map(|line| line.strip_prefix("data:"));
        let chunk: Option<Value> = data.and_then(|data| serde_json::from_str(data.trim()).ok());
        shown.error = chunk.as_ref().and_then(error_in);
        if shown.error.is_none() {
            said.push_str(event);
        }
    }
    let is_done = said.lines().any(|line| line.trim_end() == "data: [DONE]");
    shown.answer = at_client::read("openai-chat", provider, said.as_bytes());
    shown.answer.is_whole = if shown.error.is_some() { is_done } else { shown.answer.is_whole };
    Ok(())
}

fn error_in(chunk: &Value) -> Option<Value> {
    let of_choices = chunk["choices"].as_array().into_iter().flatten().map(|choice| &choice["error"]);
    std::iter::once(&chunk["error"]).chain(of_choices).find(|error| !error.is_null()).cloned()
}

fn read_stream(text: &str, shown: &mut Shown) -> Result<()> {
    for event in text.split("\n\n").filter(|event| !event.is_empty()) {
        anyhow::ensure!(!shown.answer.is_whole, "something follows [DONE]: {event}");
        anyhow::ensure!(shown.error.is_none(), "something follows the error: {event}");
        let data = event.strip_prefix("data: ").with_context(|| format!("no data: {event}"))?;
        if data == "[DONE]" {
            shown.answer.is_whole = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).with_context(|| format!("no JSON: {data}"))?;
        if !chunk["error"].is_null() {
            shown.error = Some(chunk["error"].clone());
            continue;
        }
        if chunk["usage"].is_object() {
            anyhow::ensure!(shown.answer.usage.is_none(), "usage came twice: {data}");
            shown.answer.usage = Some(read_usage(&chunk["usage"]));
        }
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().context("a choice without an index")?;
            read_choice(choice, shown.answer.choices.entry(index).or_default())?;
        }
    }
    Ok(())
}

fn read_choice(choice: &Value, said: &mut Said) -> Result<()> {
    anyhow::ensure!(said.finish.is_none(), "a choice goes on after its finish: {choice}");
    let delta = &choice["delta"];
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    said.text.push_str(&text(&delta["content"]));
    said.refusal.push_str(&text(&delta["refusal"]));
    said.reasoning.push_str(&text(&delta["reasoning_content"]));
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let index = call["index"].as_u64().context("a call without an index")? as usize;
        anyhow::ensure!(index <= said.calls.len(), "a call is skipped: {call}");
        if index == said.calls.len() {
            said.calls.push(Default::default());
        }
        let (name, arguments) = &mut said.calls[index];
        // A tool with free-form input has words of its own.
        for (said, input) in [(&call["function"], "arguments"), (&call["custom"], "input")] {
            name.push_str(&text(&said["name"]));
            arguments.push_str(&text(&said[input]));
        }
    }
    let finishes = ["stop", "length", "tool_calls", "content_filter"];
    if let Some(word) = choice["finish_reason"].as_str() {
        let known = finishes.into_iter().find(|known| *known == word);
        said.finish = Some(known.with_context(|| format!("no SDK knows the finish reason {word}"))?);
    }
    Ok(())
}

fn read_usage(usage: &Value) -> [u64; 4] {
    let count = |place: &str| usage.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    [
        count("/prompt_tokens"),
        count("/completion_tokens"),
        count("/prompt_tokens_details/cached_tokens"),
        count("/completion_tokens_details/reasoning_tokens"),
    ]
}
