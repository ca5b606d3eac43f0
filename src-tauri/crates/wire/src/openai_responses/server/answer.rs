//! The object `response`, which every answer is and most events carry.
//! <https://platform.openai.com/docs/api-reference/responses/object>

use canonical::event::ResponseStart;
use canonical::{ChatRequest, FinishReason, Usage};
use serde_json::{Map, Value, json};

use super::super::client::request::settings;
use crate::AnswerContext;
use crate::json::merge_missing;

/// What an answer repeats of its request: the settings as they go to a provider of this family.
pub(super) fn echo(request: &ChatRequest) -> Map<String, Value> {
    /// The request's own business.
    const NOT_REPEATED: [&str; 5] =
        ["stream", "stream_options", "include", "client_metadata", "instructions"];
    let mut fields = Map::new();
    settings(&mut fields, request, &request.model);
    fields.retain(|name, value| !value.is_null() && !NOT_REPEATED.contains(&name.as_str()));
    // A name in the request, an object in the answer.
    if let Some(id @ Value::String(_)) = fields.get_mut("conversation") {
        *id = json!({"id": id});
    }
    fields
}

/// What is known of the answer as a whole.
#[derive(Debug)]
pub(super) struct Facts {
    id: String,
    model: String,
    created_at: i64,
    /// The request's settings, and over them what a provider of this family says itself.
    fields: Map<String, Value>,
    pub(super) usage: Option<Usage>,
    usage_fields: Map<String, Value>,
}

/// How an answer stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub status: String,
    /// Why it is incomplete.
    pub detail: Option<String>,
    pub error: Value,
}

impl State {
    pub(super) fn of(status: &str) -> Self {
        Self { status: status.to_owned(), detail: None, error: Value::Null }
    }

    fn incomplete(detail: &str) -> Self {
        Self { detail: Some(detail.to_owned()), ..Self::of("incomplete") }
    }

    /// How the answer ended. `is_own`: a provider of this family gave it, and its words are kept.
    pub(super) fn ended(reason: FinishReason, raw: Option<&str>, is_own: bool, has_refused: bool) -> Self {
        match (reason, raw) {
            (FinishReason::Length, _) => Self::incomplete("max_output_tokens"),
            (FinishReason::ContentFilter, _) => Self::incomplete("content_filter"),
            // Without a word of its own, a refusal would look like an empty answer.
            (FinishReason::Refusal, _) if !has_refused => Self::incomplete("content_filter"),
            (
                FinishReason::Paused | FinishReason::Other,
                Some(word @ ("queued" | "in_progress" | "cancelled")),
            ) if is_own => Self::of(word),
            (FinishReason::Other, Some(word)) if is_own && word != "incomplete" => Self::incomplete(word),
            (FinishReason::Other, _) if is_own => Self::of("incomplete"),
            (FinishReason::Paused, word) => Self::incomplete(word.unwrap_or("paused")),
            (FinishReason::Error, _) => Self {
                error: json!({
                    "code": "server_error",
                    "message": "The provider ended its answer with an error of its own.",
                }),
                ..Self::of("failed")
            },
            (
                FinishReason::Stop
                | FinishReason::StopSequence
                | FinishReason::ToolCalls
                | FinishReason::Refusal
                | FinishReason::Other,
                _,
            ) => Self::of("completed"),
        }
    }
}

impl Facts {
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            id: format!("resp_{}", context.request_id),
            model: context.requested_model.clone(),
            created_at: context.created,
            fields: context.echo.clone(),
            usage: None,
            usage_fields: Map::new(),
        }
    }

    pub(super) fn start(&mut self, start: &ResponseStart) {
        if let Some(id) = &start.id {
            self.id.clone_from(id);
        }
        if let Some(model) = &start.model {
            self.model.clone_from(model);
        }
        self.created_at = start.created.unwrap_or(self.created_at);
    }

    /// Takes what a provider of this family said of the whole answer.
    pub(super) fn extend(&mut self, fields: &Map<String, Value>) {
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("usage", Value::Object(usage)) => self.usage_fields.extend(usage.clone()),
                _ => drop(self.fields.insert(name.clone(), value.clone())),
            }
        }
    }

    pub(super) fn response(&self, state: &State, output: Vec<Value>) -> Value {
        let mut object = Map::from_iter([
            ("id".to_owned(), self.id.clone().into()),
            ("object".to_owned(), "response".into()),
            ("created_at".to_owned(), self.created_at.into()),
            ("status".to_owned(), state.status.clone().into()),
            ("error".to_owned(), state.error.clone()),
            (
                "incomplete_details".to_owned(),
                state.detail.as_ref().map(|reason| json!({ "reason": reason })).into(),
            ),
            ("model".to_owned(), self.model.clone().into()),
            ("output".to_owned(), output.into()),
            ("usage".to_owned(), self.usage.as_ref().map(|usage| self.usage_object(usage)).into()),
        ]);
        let tier = self.usage.as_ref().and_then(|usage| usage.service_tier.clone());
        let tier = tier.map(|tier| ("service_tier".to_owned(), Value::from(tier)));
        let said = self.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
        for (name, value) in said.chain(tier).chain(defaults()) {
            object.entry(name).or_insert(value);
        }
        object.into()
    }

    fn usage_object(&self, usage: &Usage) -> Value {
        let mut object = json!({
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {"cached_tokens": usage.cache_read_tokens},
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
        });
        if usage.cache_write_tokens > 0 {
            object["input_tokens_details"]["cache_write_tokens"] = usage.cache_write_tokens.into();
        }
        if let Value::Object(object) = &mut object {
            merge_missing(object, &self.usage_fields);
        }
        object
    }
}

/// What holds where a request says nothing; the SDKs' types demand the first three.
fn defaults() -> impl Iterator<Item = (String, Value)> {
    [
        ("parallel_tool_calls", json!(true)),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("instructions", Value::Null),
        ("metadata", json!({})),
        ("temperature", Value::Null),
        ("top_p", Value::Null),
        ("max_output_tokens", Value::Null),
        ("previous_response_id", Value::Null),
        ("reasoning", json!({"effort": null, "summary": null})),
        ("text", json!({"format": {"type": "text"}})),
        ("truncation", json!("disabled")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
}
