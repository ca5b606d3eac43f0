//! What the records say, in the words of an OpenAI client.

use serde_json::{Value, json};
use signalbox_tests::corpus::Record;
use signalbox_tests::reading::gemini_generate::leaves;
use signalbox_tests::reading::{anthropic_messages, gemini_generate, openai_chat};

use super::sent::{arguments, counts};

#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) choices: Vec<Said>,
    pub(super) usage: Option<[u64; 4]>,
    pub(super) has_error: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) refusal: String,
    pub(super) reasoning: String,
    /// Name and arguments.
    pub(super) calls: Vec<(String, Value)>,
    pub(super) finish: Option<&'static str>,
}

impl Answer {
    pub(super) fn finish(&self, choice: usize) -> Option<&'static str> {
        self.choices.get(choice)?.finish
    }

    pub(super) fn to_json(&self) -> Value {
        let call = |(name, arguments): &(String, Value)| json!({"name": name, "arguments": arguments});
        let choice = |said: &Said| {
            json!({
                "text": said.text,
                "refusal": said.refusal,
                "reasoning": said.reasoning,
                "calls": said.calls.iter().map(call).collect::<Vec<_>>(),
                "finish_reason": said.finish,
            })
        };
        let usage = self.usage.map(|[input, output, cached, reasoning]| {
            json!({"input": input, "output": output, "cached": cached, "reasoning": reasoning})
        });
        json!({"choices": self.choices.iter().map(choice).collect::<Vec<_>>(), "usage": usage})
    }
}

/// `None` where the record is no whole answer: an error inside it, or nothing.
pub(super) fn expected(protocol: &str, record: &Record) -> Option<Value> {
    let answer = read(protocol, record)?;
    let is_whole = answer.choices.iter().all(|choice| choice.finish.is_some());
    (!answer.has_error && !answer.choices.is_empty() && is_whole).then(|| answer.to_json())
}

pub(super) fn text_before_error(protocol: &str, record: &Record) -> Option<String> {
    let answer = read(protocol, record)?;
    answer.has_error.then(|| answer.choices.first().map(|choice| choice.text.clone()).unwrap_or_default())
}

pub(super) fn read(protocol: &str, record: &Record) -> Option<Answer> {
    let body = record.response.body_text.as_deref()?;
    Some(match protocol {
        "openai-chat" => read_openai(record, body),
        "anthropic-messages" => read_anthropic(record, body),
        _ => read_gemini(body),
    })
}

fn read_openai(record: &Record, body: &str) -> Answer {
    let reading = openai_chat::read(&record.provider, record.stream, body);
    let choices = reading.choices.into_values().map(|choice| {
        let has_calls = !choice.calls.is_empty();
        let is_snowflake = record.provider == "snowflake";
        let finish = match choice.finish.as_deref() {
            Some("length") => Some("length"),
            Some("content_filter") => Some("content_filter"),
            _ if has_calls => Some("tool_calls"),
            Some(_) => Some("stop"),
            // A whole document lacks nothing, whatever it does not say.
            None if is_snowflake || !record.stream => Some("stop"),
            None => None,
        };
        Said {
            text: choice.text,
            refusal: choice.refusal,
            reasoning: choice.reasoning,
            calls: choice.calls.into_iter().map(|call| (call.name, arguments(&call.arguments))).collect(),
            finish,
        }
    });
    Answer {
        choices: choices.collect(),
        usage: reading.usage.map(|usage| [usage.input, usage.output, usage.cache_read, usage.reasoning]),
        has_error: reading.error.is_some(),
    }
}

fn read_anthropic(record: &Record, body: &str) -> Answer {
    let reading = anthropic_messages::read(record.stream, body);
    let calls = reading.blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| {
        let input = match &block["input"] {
            Value::String(text) => arguments(text),
            object => json!(leaves(object)),
        };
        (block["name"].as_str().unwrap_or("").to_owned(), input)
    });
    let said = Said {
        text: reading.text("text"),
        reasoning: reading.text("thinking"),
        calls: calls.collect(),
        finish: reading.stop_reason.as_deref().map(|reason| match reason {
            "max_tokens" | "model_context_window_exceeded" => "length",
            "tool_use" => "tool_calls",
            "refusal" => "content_filter",
            _ => "stop",
        }),
        ..Said::default()
    };
    Answer {
        usage: reading.usage().as_ref().map(counts),
        has_error: reading.error.is_some(),
        choices: if reading.id.is_some() { vec![said] } else { Vec::new() },
    }
}

fn read_gemini(body: &str) -> Answer {
    let reading = gemini_generate::read(body);
    let usage = reading.usage().as_ref().map(counts);
    let choices = reading.candidates.into_values().map(|candidate| {
        let finish = match candidate.finish.as_deref() {
            Some("MAX_TOKENS" | "2") => Some("length"),
            Some("SAFETY" | "MODEL_ARMOR" | "RECITATION") => Some("content_filter"),
            Some("STOP" | "1") if !candidate.calls.is_empty() => Some("tool_calls"),
            Some("STOP" | "1") => Some("stop"),
            // Ends that are no answer, and none at all.
            _ => None,
        };
        Said {
            text: candidate.text,
            reasoning: candidate.thought,
            calls: candidate.calls.into_iter().map(|call| (call.name, json!(call.leaves))).collect(),
            finish,
            ..Said::default()
        }
    });
    Answer { choices: choices.collect(), usage, has_error: false }
}
