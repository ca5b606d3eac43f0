//! Texts → vectors: how each vendor is asked for them, and how clients ask us.
//!
//! A file per form. A provider's chat protocol names the form that it speaks
//! ([`crate::Protocol::embeddings`]); a vendor that asks for one text at a time is sent one request
//! for each, and the answers are joined in order.
//!
//! - [`openai`]: `POST /embeddings`, which most vendors copied; [`server`] is its other half.
//! - [`gemini`]: `:batchEmbedContents`, and Vertex' `:predict`.
//! - [`cohere`], [`ollama`], [`bedrock`]: their own.
//! - [`task`]: what the vectors are for, in everybody's words.

pub mod bedrock;
pub mod cohere;
pub mod gemini;
pub mod ollama;
pub mod openai;
pub mod server;
mod task;
mod values;

use canonical::{EmbeddingRequest, EmbeddingResponse, Error, ErrorKind, Origin};

use crate::{AnswerContext, Headers, HttpRequest, RequestHead, TargetContext};

/// How a provider is asked for embeddings.
pub trait Embeddings: Send + Sync {
    /// The HTTP requests for `request`, at least one; their answers together, in this order, are the
    /// answer. Fails with the caller's fault where the form cannot say it.
    fn encode(
        &self,
        request: &EmbeddingRequest,
        target: &TargetContext<'_>,
    ) -> Result<Vec<HttpRequest>, Error>;

    /// The answer to one of them (status 200).
    fn decode(
        &self,
        headers: &Headers,
        body: &[u8],
        target: &TargetContext<'_>,
    ) -> Result<EmbeddingResponse, Error>;
}

/// How a local client asks us for embeddings. Its errors are those of its family's dialect.
pub trait EmbeddingsDialect: Send + Sync {
    /// The family's name, as in the corpus (`openai-chat`).
    fn family(&self) -> &'static str;

    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<EmbeddingRequest, Error>;

    fn encode_response(
        &self,
        response: &EmbeddingResponse,
        request: &EmbeddingRequest,
        context: &AnswerContext,
    ) -> Vec<u8>;
}

/// `what` came in a form that is not this one's.
fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        format!("The provider's answer holds no embeddings as it should: {what}."),
    )
}

/// The model's name cannot stand in a path.
fn no_name(model: &str) -> Error {
    Error::caller(format!("\"{model}\" is no model's name.")).with_param("model")
}
