//! We call them.

use canonical::{ChatRequest, ChatResponse, Error, ErrorKind, Origin};

use crate::{HttpRequest, ListedModel, Protocol, ProtocolId, Quirks, StreamDecoder, TargetContext};

#[derive(Debug)]
pub struct OpenAiChat;

impl Protocol for OpenAiChat {
    fn id(&self) -> ProtocolId {
        ProtocolId::OpenaiChat
    }
    fn version(&self) -> &'static str {
        "v1"
    }
    fn encode_request(&self, _: &ChatRequest, _: &TargetContext<'_>) -> Result<HttpRequest, Error> {
        Err(Error::new(ErrorKind::Internal, Origin::Gateway, "in work"))
    }
    fn decode_response(&self, _: &[u8], _: &Quirks) -> Result<ChatResponse, Error> {
        Err(Error::new(ErrorKind::Internal, Origin::Gateway, "in work"))
    }
    fn stream_decoder(&self, _: &Quirks) -> Box<dyn StreamDecoder> {
        loop {}
    }
    fn models_request(&self) -> HttpRequest {
        HttpRequest::get("/models")
    }
    fn decode_models(&self, _: &[u8]) -> Result<Vec<ListedModel>, Error> {
        Err(Error::new(ErrorKind::Internal, Origin::Gateway, "in work"))
    }
}
