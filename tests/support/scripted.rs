//! A provider's answer in each protocol, whole and streamed, written apart from `wire` after the
//! vendors' own documents: what a test scripts where no recorded answer has just this content.

use serde_json::{Value, json};
use wire::ProtocolId;

use crate::damaged::binary;

/// What the model says.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// In the pieces in which a stream brings it.
    pub text: Vec<String>,
    /// The call's name and its arguments, as JSON text.
    pub call: Option<(&'static str, String)>,
    pub input_tokens: u64,
    pub output_tokens: u64,
}

/// The id of the call, where the protocol has ids.
const CALL_ID: &str = "call_9f2c";

impl Said {
    pub fn whole_text(&self) -> String {
        self.text.concat()
    }

    fn arguments(&self) -> Value {
        self.call.as_ref().and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The call's arguments in two pieces.
    fn halves(&self) -> Vec<&str> {
        let Some((_, text)) = &self.call else { return Vec::new() };
        let middle = (text.len() / 2..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (first, second) = text.split_at(middle);
        vec![first, second]
    }

    /// Content type and body of the answer.
    pub fn answer(&self, protocol: ProtocolId, stream: bool, model: &str) -> (&'static str, Vec<u8>) {
        if !stream {
            let whole = match protocol {
                ProtocolId::OpenaiChat => self.chat(model),
                ProtocolId::OpenaiResponses => self.response("completed", &self.items()),
                ProtocolId::AnthropicMessages => self.message(model),
                ProtocolId::GeminiGenerate => {
                    self.candidate(&self.whole_text(), self.call.is_some(), Some("STOP"))
                }
                ProtocolId::BedrockConverse => self.converse(),
                ProtocolId::CohereChat => self.cohere(),
                ProtocolId::OllamaChat => self.ollama(&self.whole_text(), self.call.is_some(), true, model),
            };
            return ("application/json", whole.to_string().into_bytes());
        }
        match protocol {
            ProtocolId::OpenaiChat => ("text/event-stream", self.chat_stream(model)),
            ProtocolId::OpenaiResponses => ("text/event-stream", self.response_stream()),
            ProtocolId::AnthropicMessages => ("text/event-stream", self.message_stream(model)),
            ProtocolId::GeminiGenerate => ("text/event-stream", self.candidate_stream()),
            ProtocolId::BedrockConverse => ("application/vnd.amazon.eventstream", self.converse_stream()),
            ProtocolId::CohereChat => ("text/event-stream", self.cohere_stream()),
            ProtocolId::OllamaChat => ("application/x-ndjson", self.ollama_stream(model)),
        }
    }

    // === OpenAI Chat Completions: https://platform.openai.com/docs/api-reference/chat ===

    fn chat_usage(&self) -> Value {
        json!({
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        })
    }

    fn chat_finish(&self) -> &'static str {
        if self.call.is_some() { "tool_calls" } else { "stop" }
    }

    fn chat(&self, model: &str) -> Value {
        let text = self.whole_text();
        let mut message =
            json!({"role": "assistant", "content": if text.is_empty() { Value::Null } else { text.into() }});
        if let Some((name, arguments)) = &self.call {
            let function = json!({"name": name, "arguments": arguments});
            message["tool_calls"] = json!([{"id": CALL_ID, "type": "function", "function": function}]);
        }
        json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_760_000_000, "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.chat_finish()}],
            "usage": self.chat_usage(),
        })
    }

    fn chat_stream(&self, model: &str) -> Vec<u8> {
        let chunk = |choices: Value, usage: Value| {
            data(&json!({
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": model,
                "choices": choices, "usage": usage,
            }))
        };
        let delta = |delta: Value, finish: Value| {
            chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), Value::Null)
        };
        let mut all = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
        all.extend(self.text.iter().map(|text| delta(json!({"content": text}), Value::Null)));
        if let Some((name, _)) = &self.call {
            let function = json!({"name": name, "arguments": ""});
            let call = json!({"index": 0, "id": CALL_ID, "type": "function", "function": function});
            all.push(delta(json!({"tool_calls": [call]}), Value::Null));
        }
        all.extend(self.halves().into_iter().map(|half| {
            let call = json!({"index": 0, "function": {"arguments": half}});
            delta(json!({"tool_calls": [call]}), Value::Null)
        }));
        all.push(delta(json!({}), self.chat_finish().into()));
        all.push(chunk(json!([]), self.chat_usage()));
        all.push("data: [DONE]\n\n".to_owned());
        all.concat().into_bytes()
    }

    // === OpenAI Responses: https://platform.openai.com/docs/api-reference/responses ===

    fn items(&self) -> Vec<Value> {
        let text = self.whole_text();
        let mut items = Vec::new();
        if !text.is_empty() {
            let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
            items.push(json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}));
        }
        if let Some((name, arguments)) = &self.call {
            items.push(json!({
                "type": "function_call", "id": "fc_1", "call_id": CALL_ID, "name": name, "arguments": arguments,
                "status": "completed",
            }));
        }
        items
    }

    fn response(&self, status: &str, items: &[Value]) -> Value {
        let usage = json!({
            "input_tokens": self.input_tokens, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + self.output_tokens,
        });
        let usage = if status == "completed" { usage } else { Value::Null };
        json!({
            "id": "resp_1", "object": "response", "created_at": 1_760_000_000, "status": status, "error": null,
            "incomplete_details": null, "model": "m", "output": items, "usage": usage,
        })
    }

    fn response_stream(&self) -> Vec<u8> {
        let mut events =
            vec![json!({"type": "response.created", "response": self.response("in_progress", &[])})];
        for (at, item) in self.items().into_iter().enumerate() {
            let mut begun = item.clone();
            begun["status"] = "in_progress".into();
            if item["type"] == "message" {
                begun["content"] = json!([]);
                let place = json!({"item_id": "msg_1", "output_index": at, "content_index": 0});
                let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
                let event = |kind: &str, more: Value| with(&with(&place, &json!({"type": kind})), &more);
                events.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
                events.push(event("response.content_part.added", json!({"part": part("")})));
                let deltas =
                    self.text.iter().map(|text| event("response.output_text.delta", json!({"delta": text})));
                events.extend(deltas);
                let text = self.whole_text();
                events.push(event("response.output_text.done", json!({"text": text})));
                events.push(event("response.content_part.done", json!({"part": part(&text)})));
            } else {
                begun["arguments"] = "".into();
                let place = json!({"item_id": "fc_1", "output_index": at});
                let event = |kind: &str, more: Value| with(&with(&place, &json!({"type": kind})), &more);
                events.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
                let deltas = self
                    .halves()
                    .into_iter()
                    .map(|half| event("response.function_call_arguments.delta", json!({"delta": half})));
                events.extend(deltas);
                let whole = json!({"arguments": item["arguments"]});
                events.push(event("response.function_call_arguments.done", whole));
            }
            events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
        }
        events.push(
            json!({"type": "response.completed", "response": self.response("completed", &self.items())}),
        );
        let numbered = events.into_iter().enumerate();
        joined(numbered.map(|(at, event)| named(&with(&event, &json!({"sequence_number": at})))))
    }

    // === Anthropic Messages: https://docs.claude.com/en/api/messages ===

    fn message(&self, model: &str) -> Value {
        let mut content = Vec::new();
        let text = self.whole_text();
        if !text.is_empty() {
            content.push(json!({"type": "text", "text": text}));
        }
        if let Some((name, _)) = &self.call {
            content.push(json!({"type": "tool_use", "id": CALL_ID, "name": name, "input": self.arguments()}));
        }
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": self.stop_reason(), "stop_sequence": null,
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
        })
    }

    fn stop_reason(&self) -> &'static str {
        if self.call.is_some() { "tool_use" } else { "end_turn" }
    }

    fn message_stream(&self, model: &str) -> Vec<u8> {
        let mut begun = self.message(model);
        begun["content"] = json!([]);
        begun["stop_reason"] = Value::Null;
        begun["usage"]["output_tokens"] = 1.into();
        let mut events = vec![json!({"type": "message_start", "message": begun}), json!({"type": "ping"})];
        let delta =
            |at: usize, delta: Value| json!({"type": "content_block_delta", "index": at, "delta": delta});
        let mut at = 0;
        if !self.text.is_empty() {
            let block = json!({"type": "text", "text": ""});
            events.push(json!({"type": "content_block_start", "index": at, "content_block": block}));
            events
                .extend(self.text.iter().map(|text| delta(at, json!({"type": "text_delta", "text": text}))));
            events.push(json!({"type": "content_block_stop", "index": at}));
            at += 1;
        }
        if let Some((name, _)) = &self.call {
            let block = json!({"type": "tool_use", "id": CALL_ID, "name": name, "input": {}});
            events.push(json!({"type": "content_block_start", "index": at, "content_block": block}));
            let pieces = self.halves().into_iter();
            events.extend(
                pieces.map(|half| delta(at, json!({"type": "input_json_delta", "partial_json": half}))),
            );
            events.push(json!({"type": "content_block_stop", "index": at}));
        }
        events.push(json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null},
            "usage": {"output_tokens": self.output_tokens},
        }));
        events.push(json!({"type": "message_stop"}));
        joined(events.iter().map(named))
    }

    // === Gemini: https://ai.google.dev/api/generate-content ===

    fn candidate(&self, text: &str, calls: bool, finish: Option<&str>) -> Value {
        let mut parts = Vec::new();
        if !text.is_empty() {
            parts.push(json!({"text": text}));
        }
        if let Some((name, _)) = self.call.as_ref().filter(|_| calls) {
            parts.push(json!({"functionCall": {"name": name, "args": self.arguments()}}));
        }
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        json!({
            "candidates": [candidate], "modelVersion": "m", "responseId": "r-1",
            "usageMetadata": {
                "promptTokenCount": self.input_tokens, "candidatesTokenCount": self.output_tokens,
                "totalTokenCount": self.input_tokens + self.output_tokens,
            },
        })
    }

    fn candidate_stream(&self) -> Vec<u8> {
        let mut all: Vec<Value> = self.text.iter().map(|text| self.candidate(text, false, None)).collect();
        all.push(self.candidate("", true, Some("STOP")));
        joined(all.iter().map(|event| format!("data: {event}\r\n\r\n")))
    }

    // === Bedrock: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html ===

    fn converse_usage(&self) -> Value {
        json!({
            "inputTokens": self.input_tokens, "outputTokens": self.output_tokens,
            "totalTokens": self.input_tokens + self.output_tokens,
        })
    }

    fn converse(&self) -> Value {
        let mut content = Vec::new();
        let text = self.whole_text();
        if !text.is_empty() {
            content.push(json!({ "text": text }));
        }
        if let Some((name, _)) = &self.call {
            content.push(json!({"toolUse": {"toolUseId": CALL_ID, "name": name, "input": self.arguments()}}));
        }
        json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.stop_reason(), "usage": self.converse_usage(), "metrics": {"latencyMs": 420},
        })
    }

    fn converse_stream(&self) -> Vec<u8> {
        let mut events = vec![("messageStart", json!({"role": "assistant"}))];
        let mut at = 0;
        let delta =
            |at: usize, delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": at, "delta": delta}));
        if !self.text.is_empty() {
            events.extend(self.text.iter().map(|text| delta(at, json!({ "text": text }))));
            events.push(("contentBlockStop", json!({"contentBlockIndex": at})));
            at += 1;
        }
        if let Some((name, _)) = &self.call {
            let start = json!({"toolUse": {"toolUseId": CALL_ID, "name": name}});
            events.push(("contentBlockStart", json!({"contentBlockIndex": at, "start": start})));
            let pieces = self.halves().into_iter();
            events.extend(pieces.map(|half| delta(at, json!({"toolUse": {"input": half}}))));
            events.push(("contentBlockStop", json!({"contentBlockIndex": at})));
        }
        events.push(("messageStop", json!({"stopReason": self.stop_reason()})));
        let last = json!({"usage": self.converse_usage(), "metrics": {"latencyMs": 420}});
        events.push(("metadata", last));
        let messages = events.iter().map(|(name, event)| binary::message(name, event.to_string().as_bytes()));
        messages.collect::<Vec<_>>().concat()
    }

    // === Cohere: https://docs.cohere.com/reference/chat ===

    fn cohere_finish(&self) -> &'static str {
        if self.call.is_some() { "TOOL_CALL" } else { "COMPLETE" }
    }

    fn cohere_usage(&self) -> Value {
        let tokens = json!({"input_tokens": self.input_tokens, "output_tokens": self.output_tokens});
        json!({"billed_units": tokens, "tokens": tokens})
    }

    fn cohere_call(&self, arguments: &str) -> Value {
        let name = self.call.as_ref().map(|(name, _)| *name);
        json!({"id": CALL_ID, "type": "function", "function": {"name": name, "arguments": arguments}})
    }

    fn cohere(&self) -> Value {
        let mut message = json!({"role": "assistant"});
        if !self.text.is_empty() {
            message["content"] = json!([{"type": "text", "text": self.whole_text()}]);
        }
        if let Some((_, arguments)) = &self.call {
            message["tool_calls"] = json!([self.cohere_call(arguments)]);
        }
        json!({
            "id": "c-1", "finish_reason": self.cohere_finish(), "message": message, "usage": self.cohere_usage(),
        })
    }

    fn cohere_stream(&self) -> Vec<u8> {
        let begun =
            json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
        let mut events = vec![json!({"type": "message-start", "id": "c-1", "delta": {"message": begun}})];
        let content = |kind: &str, content: Value| json!({"type": kind, "index": 0, "delta": {"message": {"content": content}}});
        if !self.text.is_empty() {
            events.push(content("content-start", json!({"type": "text", "text": ""})));
            events.extend(self.text.iter().map(|text| content("content-delta", json!({ "text": text }))));
            events.push(json!({"type": "content-end", "index": 0}));
        }
        if self.call.is_some() {
            let calls = |kind: &str, calls: Value| json!({"type": kind, "index": 0, "delta": {"message": {"tool_calls": calls}}});
            events.push(calls("tool-call-start", self.cohere_call("")));
            let pieces = self.halves().into_iter();
            events.extend(
                pieces.map(|half| calls("tool-call-delta", json!({"function": {"arguments": half}}))),
            );
            events.push(json!({"type": "tool-call-end", "index": 0}));
        }
        let delta = json!({"finish_reason": self.cohere_finish(), "usage": self.cohere_usage()});
        events.push(json!({"type": "message-end", "delta": delta}));
        joined(events.iter().map(named))
    }

    // === Ollama: https://github.com/ollama/ollama/blob/main/docs/api.md ===

    fn ollama(&self, text: &str, calls: bool, done: bool, model: &str) -> Value {
        let mut message = json!({"role": "assistant", "content": text});
        if let Some((name, _)) = self.call.as_ref().filter(|_| calls) {
            message["tool_calls"] = json!([{"function": {"name": name, "arguments": self.arguments()}}]);
        }
        let line = json!({
            "model": model, "created_at": "2026-10-09T08:53:20Z", "message": message, "done": done,
        });
        let end = json!({
            "done_reason": "stop", "total_duration": 1_000_000, "prompt_eval_count": self.input_tokens,
            "eval_count": self.output_tokens,
        });
        if done { with(&line, &end) } else { line }
    }

    fn ollama_stream(&self, model: &str) -> Vec<u8> {
        let mut all: Vec<Value> =
            self.text.iter().map(|text| self.ollama(text, false, false, model)).collect();
        if self.call.is_some() {
            all.push(self.ollama("", true, false, model));
        }
        all.push(self.ollama("", false, true, model));
        joined(all.iter().map(|line| format!("{line}\n")))
    }
}

fn joined(pieces: impl Iterator<Item = String>) -> Vec<u8> {
    pieces.fold(String::new(), |all, piece| all + &piece).into_bytes()
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// An event that names its type twice, as OpenAI's, Anthropic's and Cohere's do.
fn named(event: &Value) -> String {
    format!("event: {}\n{}", event["type"].as_str().unwrap_or_default(), data(event))
}

fn with(object: &Value, more: &Value) -> Value {
    let fields = [object, more].into_iter().filter_map(Value::as_object).flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}
