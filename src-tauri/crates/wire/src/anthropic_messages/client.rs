//! We call them.

mod messages;
mod request;
#[cfg(test)]
mod request_tests;
mod stream;
pub(crate) mod thinking;
mod usage;

use canonical::request::Opaque;
use canonical::{ChatRequest, Error, ErrorKind, Origin};

// What Claude takes on another host's wire too (Bedrock's Converse).
pub(crate) use super::models::has_structured_outputs;
pub(crate) use super::schema::restrict as restrict_schema;
pub(crate) use request::{input_schema, reasoning};
pub(super) use stream::finish_reason;

use super::types;
use crate::gemini_generate::types::{PublisherModel, PublisherModelList};
use crate::{Counting, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder, TargetContext};

#[derive(Debug)]
pub struct AnthropicMessages;

/// The only version of the API that there is; demanded in every request.
/// <https://docs.claude.com/en/api/versioning>
const VERSION_HEADER: (&str, &str) = ("anthropic-version", "2023-06-01");

impl Protocol for AnthropicMessages {
    fn id(&self) -> ProtocolId {
        ProtocolId::AnthropicMessages
    }

    fn version(&self) -> &'static str {
        "v1"
    }

    fn vendor(&self) -> &'static str {
        "Anthropic's Messages"
    }

    fn is_own_tool(&self, tool: &Opaque) -> bool {
        request::is_own_tool(tool)
    }

    fn is_own_part(&self, part: &Opaque) -> bool {
        part.family == self.id().as_str() || messages::is_own_block(&part.value)
    }

    fn names_server_calls(&self) -> bool {
        true
    }

    /// As in every recorded answer. Such a call may wait for the result of a client's tool that its
    /// code calls (programmatic tool calling), and so have no result of its own yet.
    fn is_own_server_call(&self, id: &str) -> bool {
        id.starts_with("srvtoolu_")
    }

    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        request::encode(request, target)
    }

    /// None where the body has to be another one than a client's (Vertex).
    fn address(&self, stream: bool, target: &TargetContext<'_>) -> Option<HttpRequest> {
        let takes_bytes = !target.quirks.omit_model && target.quirks.version_in_body.is_none();
        takes_bytes.then(|| address(stream, target))
    }

    fn stream_decoder(&self, _: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn models_request(&self) -> HttpRequest {
        let mut request = HttpRequest::get("/models");
        request.query.push(("limit".into(), "1000".into()));
        request.headers.push((VERSION_HEADER.0, VERSION_HEADER.1.into()));
        request
    }

    /// Its own list, or Vertex' of what Anthropic offers there.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        if let Ok(list) = serde_json::from_slice::<PublisherModelList>(body) {
            let ids = list.publisher_models.iter().map(PublisherModel::id);
            return Ok(ids.map(|id| ListedModel { id, ..ListedModel::default() }).collect());
        }
        let list: types::ModelList =
            serde_json::from_slice(body).map_err(|error| invalid(&format!("its list of models: {error}")))?;
        Ok(list
            .data
            .into_iter()
            .map(|model| ListedModel {
                id: model.id,
                display_name: model.display_name,
                context_window: model.max_input_tokens,
                max_output_tokens: model.max_tokens,
            })
            .collect())
    }

    fn more_models_request(&self, body: &[u8]) -> Option<HttpRequest> {
        if let Ok(list) = serde_json::from_slice::<PublisherModelList>(body) {
            let token = list.next_page_token.filter(|token| !token.is_empty())?;
            let mut request = self.models_request();
            request.query.push(("pageToken".into(), token));
            return Some(request);
        }
        let list: types::ModelList = serde_json::from_slice(body).ok()?;
        let last = list.last_id.filter(|_| list.has_more.unwrap_or(false))?;
        let mut request = self.models_request();
        request.query.push(("after_id".into(), last));
        Some(request)
    }

    fn counting(&self) -> Option<&'static dyn Counting> {
        Some(&crate::counting::anthropic::Anthropic)
    }
}

fn address(stream: bool, target: &TargetContext<'_>) -> HttpRequest {
    let quirks = target.quirks;
    let mut sent = HttpRequest::post(quirks.answer_path_to("/messages", target.model, stream), Vec::new());
    if quirks.version_in_body.is_none() {
        sent.headers.push((VERSION_HEADER.0, VERSION_HEADER.1.into()));
    }
    sent
}

/// `what` came in a form that is not this protocol's.
fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        format!("The provider's answer is not Anthropic's Messages: {what}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_models_keeps_names_and_limits() {
        let body = br#"{"data":[{"type":"model","id":"claude-sonnet-4-6","display_name":"Claude Sonnet 4.6",
            "created_at":"2026-02-04T00:00:00Z","max_input_tokens":200000,"max_tokens":64000},{"id":"claude-x"}],
            "has_more":false}"#;
        let models = AnthropicMessages.decode_models(body).unwrap();
        assert_eq!(models.len(), 2);
        assert_eq!(models[0].display_name.as_deref(), Some("Claude Sonnet 4.6"));
        assert_eq!((models[0].context_window, models[0].max_output_tokens), (Some(200_000), Some(64_000)));
        assert_eq!(models[1], ListedModel { id: "claude-x".into(), ..ListedModel::default() });
        assert_eq!(AnthropicMessages.decode_models(b"[]").unwrap_err().kind, ErrorKind::InvalidResponse);
    }

    #[test]
    fn vertex_lists_claude_as_it_lists_all() {
        let body = br#"{"publisherModels": [
            {"name": "publishers/anthropic/models/claude-sonnet-4-5", "versionId": "20250929"},
            {"name": "publishers/anthropic/models/claude-opus-4-8", "versionId": "default"}]}"#;
        let ids: Vec<String> =
            AnthropicMessages.decode_models(body).unwrap().into_iter().map(|model| model.id).collect();
        assert_eq!(ids, ["claude-sonnet-4-5@20250929", "claude-opus-4-8"]);
        assert_eq!(AnthropicMessages.more_models_request(body), None);
    }
}
