//! We call them.

mod contents;
mod partial;
mod request;
#[cfg(test)]
mod request_tests;
mod schema;
mod stream;
mod usage;

use canonical::request::Opaque;
use canonical::{ChatRequest, Error, ErrorKind, FinishReason, Origin};

use super::types;
use crate::{
    Counting, Embeddings, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder,
    TargetContext,
};

#[derive(Debug)]
pub struct GeminiGenerate;

impl Protocol for GeminiGenerate {
    fn id(&self) -> ProtocolId {
        ProtocolId::GeminiGenerate
    }

    fn version(&self) -> &'static str {
        "v1beta"
    }

    fn vendor(&self) -> &'static str {
        "Google's generateContent"
    }

    fn is_own_tool(&self, tool: &Opaque) -> bool {
        request::is_own_tool(tool)
    }

    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        request::encode(request, target)
    }

    fn address(&self, stream: bool, target: &TargetContext<'_>) -> Option<HttpRequest> {
        request::address(stream, target)
    }

    fn stream_decoder(&self, _: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn models_request(&self) -> HttpRequest {
        let mut request = HttpRequest::get("/models");
        request.query.push(("pageSize".into(), "1000".into()));
        request
    }

    /// The models that generate content; embedders and others are left out.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        if let Ok(list) = serde_json::from_slice::<types::PublisherModelList>(body) {
            return Ok(published(&list));
        }
        let list: types::ModelList =
            serde_json::from_slice(body).map_err(|error| invalid(&format!("its list of models: {error}")))?;
        let generates = |model: &types::Model| {
            model
                .supported_generation_methods
                .as_ref()
                .is_none_or(|methods| methods.iter().any(|method| method == "generateContent"))
        };
        Ok(list
            .models
            .into_iter()
            .filter(generates)
            .map(|model| ListedModel {
                id: model.name.strip_prefix("models/").unwrap_or(&model.name).to_owned(),
                display_name: model.display_name,
                context_window: model.input_token_limit,
                max_output_tokens: model.output_token_limit,
            })
            .collect())
    }

    fn more_models_request(&self, body: &[u8]) -> Option<HttpRequest> {
        let list: types::ModelList = serde_json::from_slice(body).ok()?;
        let token = list.next_page_token.filter(|token| !token.is_empty())?;
        let mut request = self.models_request();
        request.query.push(("pageToken".into(), token));
        Some(request)
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&crate::embeddings::gemini::Gemini)
    }

    fn counting(&self) -> Option<&'static dyn Counting> {
        Some(&crate::counting::gemini::Gemini)
    }
}

/// Google's own models at Vertex, whose list says of none what it does: those that generate content are
/// named `gemini`.
fn published(list: &types::PublisherModelList) -> Vec<ListedModel> {
    let ids = list.publisher_models.iter().map(types::PublisherModel::id);
    let generates = |id: &String| id.starts_with("gemini") && !id.contains("embedding");
    ids.filter(generates).map(|id| ListedModel { id, ..ListedModel::default() }).collect()
}

/// Whether `raw` is a word of Google's own that means `reason`: other protocols use some of them.
pub(super) fn known_finish(raw: &str, reason: FinishReason) -> bool {
    let is_word = !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_word && [false, true].into_iter().any(|has_calls| stream::finish_reason(raw, has_calls) == reason)
}

/// `what` came in a form that is not this protocol's.
fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        format!("The provider's answer is not Google's generateContent: {what}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_models_holds_those_that_generate_under_their_bare_ids() {
        let body = br#"{"models":[
            {"name":"models/gemini-2.5-pro","displayName":"Gemini 2.5 Pro","inputTokenLimit":1048576,
             "outputTokenLimit":65536,"supportedGenerationMethods":["generateContent","countTokens"]},
            {"name":"models/gemini-embedding-001","supportedGenerationMethods":["embedContent"]}]}"#;
        assert_eq!(
            GeminiGenerate.decode_models(body).unwrap(),
            [ListedModel {
                id: "gemini-2.5-pro".into(),
                display_name: Some("Gemini 2.5 Pro".into()),
                context_window: Some(1_048_576),
                max_output_tokens: Some(65_536),
            }]
        );
    }

    #[test]
    fn vertex_lists_what_a_publisher_offers_in_pages() {
        let body = br#"{"publisherModels": [
            {"name": "publishers/google/models/gemini-2.5-flash", "versionId": "default", "launchStage": "GA"},
            {"name": "publishers/google/models/gemini-embedding-001", "versionId": "default"},
            {"name": "publishers/google/models/imagen-4.0-generate-001"}], "nextPageToken": "p2"}"#;
        let ids: Vec<String> =
            GeminiGenerate.decode_models(body).unwrap().into_iter().map(|model| model.id).collect();
        assert_eq!(ids, ["gemini-2.5-flash"]);
        let next = GeminiGenerate.more_models_request(body).unwrap();
        assert!(next.query.contains(&("pageToken".into(), "p2".into())), "{:?}", next.query);
    }
}
