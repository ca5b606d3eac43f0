//! We call them.
//!
//! - [`request`]: a canonical request → `POST /responses`; [`input`]: its messages → input items.
//! - [`stream`]: events → canonical events; [`items`] holds the items that are still being written,
//!   [`response`] what the end of an answer says, and an answer that comes whole.
//! - [`usage`]: what the counts mean.

mod input;
mod items;
pub(super) mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use canonical::{ChatRequest, Error};

use crate::openai_chat::client::OpenAiChat;
use crate::{
    Counting, Embeddings, HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder,
    TargetContext,
};

#[derive(Debug)]
pub struct OpenAiResponses;

impl Protocol for OpenAiResponses {
    fn id(&self) -> ProtocolId {
        ProtocolId::OpenaiResponses
    }

    fn version(&self) -> &'static str {
        "v1"
    }

    fn vendor(&self) -> &'static str {
        "OpenAI's Responses"
    }

    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        let (body, notes) = request::encode(request, target)?;
        Ok(HttpRequest { body: body.to_string().into_bytes(), notes, ..address(request.stream, target) })
    }

    fn address(&self, stream: bool, target: &TargetContext<'_>) -> Option<HttpRequest> {
        Some(address(stream, target))
    }

    fn stream_decoder(&self, _: &Quirks) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    /// The same list as that of Chat Completions.
    fn models_request(&self) -> HttpRequest {
        OpenAiChat.models_request()
    }

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error> {
        OpenAiChat.decode_models(body)
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&crate::embeddings::openai::OpenAi)
    }

    fn counting(&self) -> Option<&'static dyn Counting> {
        Some(&crate::counting::responses::Responses)
    }
}

fn address(stream: bool, target: &TargetContext<'_>) -> HttpRequest {
    HttpRequest::post(target.quirks.answer_path_to("/responses", target.model, stream), Vec::new())
}
