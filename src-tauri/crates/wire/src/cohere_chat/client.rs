//! We call them.
//!
//! - [`request`]: a canonical request → `POST /v2/chat`.
//! - [`stream`]: events, and a whole answer, → canonical events.

mod request;
mod stream;

use canonical::request::Opaque;
use canonical::{ChatRequest, Error, ErrorKind, Origin};

use super::types;
use crate::{
    Embeddings, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder, TargetContext,
};

#[derive(Debug)]
pub struct CohereChat;

impl Protocol for CohereChat {
    fn id(&self) -> ProtocolId {
        ProtocolId::CohereChat
    }

    /// None for all: chat is at `/v2`, the list of models at `/v1`, and the vendor's own SDK takes a
    /// base URL without either.
    fn version(&self) -> &'static str {
        ""
    }

    fn vendor(&self) -> &'static str {
        "Cohere"
    }

    fn is_own_tool(&self, tool: &Opaque) -> bool {
        request::is_own_tool(tool)
    }

    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        request::encode(request, target)
    }

    fn stream_decoder(&self, _: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    /// The models that chat; others embed and rank.
    fn models_request(&self) -> HttpRequest {
        let mut request = HttpRequest::get("/v1/models");
        request.query.push(("endpoint".into(), "chat".into()));
        request.query.push(("page_size".into(), "1000".into()));
        request
    }

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        let list: types::ModelList =
            serde_json::from_slice(body).map_err(|error| invalid(&format!("its list of models: {error}")))?;
        let listed = |model: types::Model| {
            let id = model.name?;
            Some(ListedModel { id, context_window: model.context_length, ..ListedModel::default() })
        };
        Ok(list.models.into_iter().filter_map(listed).collect())
    }

    fn more_models_request(&self, body: &[u8]) -> Option<HttpRequest> {
        let list: types::ModelList = serde_json::from_slice(body).ok()?;
        let token = list.next_page_token.filter(|token| !token.is_empty())?;
        let mut request = self.models_request();
        request.query.push(("page_token".into(), token));
        Some(request)
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&crate::embeddings::cohere::Cohere)
    }
}

/// `what` came in a form that is not this protocol's.
fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        format!("The provider's answer is not Cohere's chat: {what}."),
    )
}
