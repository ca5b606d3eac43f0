//! What the end of an answer says: how it ended, its counts, its failure. And an answer that comes
//! whole.

use canonical::fold::fold;
use canonical::{ChatResponse, Error, ErrorKind, FinishReason, Origin, StreamEvent};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::FAMILY;
use super::super::types::Response;
use super::stream::Decoder;
use super::usage;
use crate::json::raw_field;
use crate::{emit, errors};

/// A whole answer.
pub(super) fn decode_whole(body: &[u8]) -> Result<ChatResponse, Error> {
    let response: Response<'_> = serde_json::from_slice(body).map_err(|_| not_an_answer())?;
    let is_answer = response.output.is_some() || response.object.as_deref() == Some("response");
    if !is_answer && response.error.is_null() {
        return Err(not_an_answer());
    }
    let mut events = Vec::new();
    Decoder::default().conclude(response, &mut events)?;
    Ok(fold(&events))
}

/// The last words of an answer.
#[derive(Debug)]
pub(super) struct Closing<'a> {
    status: Option<String>,
    /// Why it is incomplete.
    detail: Option<String>,
    error: Value,
    usage: Option<&'a RawValue>,
    service_tier: Option<String>,
    /// OpenAI's own count of its searches, where it gives one.
    searches: Option<u64>,
}

impl<'a> Closing<'a> {
    /// Takes the last words out of `response`.
    pub(super) fn of(response: &mut Response<'a>) -> Self {
        let field = |name: &str| -> Option<Value> {
            serde_json::from_str(raw_field(&response.rest, name)?.get()).ok()
        };
        let tier = field("service_tier").and_then(|tier| tier.as_str().map(str::to_owned));
        let tools = field("tool_usage");
        Self {
            status: response.status.take().filter(|word| !word.is_empty()),
            detail: response.incomplete_details.take().and_then(|details| details.reason),
            error: response.error.take(),
            usage: response.usage.take(),
            service_tier: tier,
            searches: tools.and_then(|tools| tools.pointer("/web_search/num_requests")?.as_u64()),
        }
    }

    /// Passes on the counts and the reason; `Err` where the answer failed. All parts have ended.
    pub(super) fn report(self, decoder: &mut Decoder, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if let Some(raw) = self.usage {
            if let Some(mut counts) = usage::decode(raw, &decoder.ran) {
                counts.service_tier.clone_from(&self.service_tier);
                counts.web_searches = self.searches.unwrap_or(counts.web_searches);
                out.push(StreamEvent::Usage(Box::new(counts)));
            }
            let rest = usage::rest(raw);
            if !rest.is_empty() {
                let beside = Map::from_iter([("usage".to_owned(), Value::Object(rest))]);
                emit::extension(out, FAMILY, None, beside);
            }
        }
        if self.status.as_deref() == Some("failed") || !self.error.is_null() {
            return Err(failure(&json!({ "error": self.error })));
        }
        let reason = self.reason(decoder.has_client_calls);
        out.push(StreamEvent::Finish { choice: 0, reason, raw: self.detail.or(self.status) });
        Ok(())
    }

    /// <https://platform.openai.com/docs/api-reference/responses/object#responses-object-status>
    fn reason(&self, has_client_calls: bool) -> FinishReason {
        match (self.status.as_deref(), self.detail.as_deref()) {
            (Some("incomplete"), Some("max_output_tokens" | "max_tokens" | "length")) => FinishReason::Length,
            (Some("incomplete"), Some("content_filter")) => FinishReason::ContentFilter,
            // The answer is written in the background; it is there later, under its id.
            (Some("queued" | "in_progress"), _) => FinishReason::Paused,
            (Some("incomplete" | "cancelled"), _) => FinishReason::Other,
            _ if has_client_calls => FinishReason::ToolCalls,
            (Some("completed" | "complete") | None, _) => FinishReason::Stop,
            (Some(_), _) => FinishReason::Other,
        }
    }
}

/// The failure in an `error` event, or in an answer that failed. The codes of the latter are this
/// family's own: <https://platform.openai.com/docs/api-reference/responses/object#responses-object-error>
pub(super) fn failure(value: &Value) -> Error {
    let mut error = errors::classify_value(200, value).unwrap_or_else(|| {
        Error::new(
            ErrorKind::ServerError,
            Origin::Provider,
            "The provider ended its answer with an error and gave no reason.",
        )
    });
    let kind = match error.code.as_deref() {
        Some("invalid_prompt" | "image_content_policy_violation") => Some(ErrorKind::ContentFiltered),
        Some(code) if is_about_a_file(code) => Some(ErrorKind::InvalidRequest),
        _ => None,
    };
    if let Some(kind) = kind.filter(|_| error.kind == ErrorKind::ServerError) {
        let origin = if kind == ErrorKind::InvalidRequest { Origin::Caller } else { Origin::Provider };
        let said = Error::new(kind, origin, error.message.clone());
        error = Error { status: error.status, code: error.code, param: error.param, ..said };
    }
    error
}

/// `invalid_image_format`, `image_too_large`, `failed_to_download_image`, `empty_image_file`, ….
fn is_about_a_file(code: &str) -> bool {
    code.contains("image") || code.starts_with("invalid_base64")
}

fn not_an_answer() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "The provider answered with something that is no response of OpenAI's Responses. Check the base URL.",
    )
}
