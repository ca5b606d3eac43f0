//! We call them.
//!
//! - [`request`]: a canonical request → `POST /api/chat`.
//! - [`stream`]: lines, and a whole answer as one line, → events.

mod request;
mod stream;

use canonical::request::Opaque;
use canonical::{ChatRequest, Error, ErrorKind, Origin};

use super::types;
use crate::{
    Embeddings, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder, StreamFraming,
    TargetContext,
};

#[derive(Debug)]
pub struct OllamaChat;

impl Protocol for OllamaChat {
    fn id(&self) -> ProtocolId {
        ProtocolId::OllamaChat
    }

    fn version(&self) -> &'static str {
        "api"
    }

    fn vendor(&self) -> &'static str {
        "Ollama"
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

    fn framing(&self) -> StreamFraming {
        StreamFraming::Lines
    }

    fn models_request(&self) -> HttpRequest {
        HttpRequest::get("/tags")
    }

    /// The models on the machine. What they hold (their context) only `/api/show` tells, one by one.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        let list: types::TagList =
            serde_json::from_slice(body).map_err(|error| invalid(&format!("its list of models: {error}")))?;
        let ids = list.models.into_iter().filter_map(|tag| tag.model.or(tag.name));
        Ok(ids.map(|id| ListedModel { id, ..ListedModel::default() }).collect())
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&crate::embeddings::ollama::Ollama)
    }
}

/// `what` came in a form that is not this protocol's.
fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        format!("The provider's answer is not Ollama's chat: {what}."),
    )
}
