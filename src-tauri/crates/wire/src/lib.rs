//! The edges: bytes ↔ canonical, without I/O.
//!
//! A **protocol** is what we speak to a provider, a **dialect** what a local client speaks to us;
//! both are halves of one wire **family**, and every family's folder holds the same files:
//! `types.rs` (the vendor's JSON, field for field), `client.rs` (we call them), `server.rs` (they
//! call us). Bytes become frames in [`frame`], frames become canonical events in a family's
//! [`StreamDecoder`], and [`driver`] owns the one policy for what is unknown, broken or cut.
//!
//! Nothing here opens a socket, reads a clock or draws a random number.

pub mod anthropic_messages;
pub mod bedrock_converse;
mod charges;
pub mod cohere_chat;
pub mod counting;
mod custom_tools;
pub mod driver;
pub mod embeddings;
mod emit;
pub mod errors;
mod fields;
mod foreign_parts;
pub mod frame;
mod function_tools;
pub mod gemini_generate;
pub mod http;
mod json;
pub mod limits;
pub mod notes;
pub mod ollama_chat;
pub mod openai_chat;
pub mod openai_responses;
pub mod profile;
mod provider_tools;
pub mod quirks;
pub mod signatures;
pub mod verbatim;

use canonical::request::Opaque;
use canonical::{ChatRequest, ChatResponse, Error, StreamEvent};
use serde::{Deserialize, Serialize};

pub use counting::{Counting, CountingDialect};
pub use embeddings::{Embeddings, EmbeddingsDialect};
pub use frame::Frame;
pub use http::{Headers, HttpRequest, Method};
pub use notes::Note;
pub use profile::{Prefill, Profile, Shaped};
pub use quirks::Quirks;

/// Every protocol that a settings file may name; the names are those of the recorded corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolId {
    OpenaiChat,
    OpenaiResponses,
    AnthropicMessages,
    GeminiGenerate,
    BedrockConverse,
    CohereChat,
    OllamaChat,
}

impl ProtocolId {
    pub const ALL: [Self; 7] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OllamaChat,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::AnthropicMessages => "anthropic-messages",
            Self::GeminiGenerate => "gemini-generate",
            Self::BedrockConverse => "bedrock-converse",
            Self::CohereChat => "cohere-chat",
            Self::OllamaChat => "ollama-chat",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.as_str() == name)
    }
}

impl std::fmt::Display for ProtocolId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The protocol of that name. A new name does not compile until it has one.
pub fn protocol(id: ProtocolId) -> &'static dyn Protocol {
    match id {
        ProtocolId::OpenaiChat => &openai_chat::client::OpenAiChat,
        ProtocolId::OpenaiResponses => &openai_responses::client::OpenAiResponses,
        ProtocolId::AnthropicMessages => &anthropic_messages::client::AnthropicMessages,
        ProtocolId::GeminiGenerate => &gemini_generate::client::GeminiGenerate,
        ProtocolId::BedrockConverse => &bedrock_converse::client::BedrockConverse,
        ProtocolId::CohereChat => &cohere_chat::client::CohereChat,
        ProtocolId::OllamaChat => &ollama_chat::client::OllamaChat,
    }
}

/// What a protocol needs to know of the target beside the request.
#[derive(Debug, Clone, Copy)]
pub struct TargetContext<'a> {
    /// The model's id as the provider's API takes it.
    pub model: &'a str,
    pub quirks: &'a Quirks,
    /// The most tokens the model can write, where the catalogue knows it; for protocols that
    /// demand a limit (Anthropic).
    pub max_output_tokens: Option<u64>,
}

/// How we speak to a provider.
pub trait Protocol: Send + Sync {
    fn id(&self) -> ProtocolId;

    /// The path segment of the API's version (`v1`, `v1beta`), put behind a base URL that names none.
    fn version(&self) -> &'static str;

    /// What people call the API.
    fn vendor(&self) -> &'static str;

    /// Whether a tool that is no function is one that this API can be told of.
    fn is_own_tool(&self, tool: &Opaque) -> bool {
        tool.family == self.id().as_str()
    }

    /// Whether a part of a conversation that a family kept as its own is one that this API takes.
    fn is_own_part(&self, part: &Opaque) -> bool {
        part.family == self.id().as_str()
    }

    /// Whether it has a form for calls that the provider runs itself.
    fn names_server_calls(&self) -> bool {
        false
    }

    /// Whether the id of a call that a provider runs itself tells that it was this one.
    fn is_own_server_call(&self, _id: &str) -> bool {
        false
    }

    /// As [`Self::encode_request`], where every tool and every part is one that this API can be told of.
    fn encode(&self, request: &ChatRequest, target: &TargetContext<'_>) -> Result<HttpRequest, Error>;

    /// The HTTP request for `request`, its path relative to the versioned base URL. Never a key:
    /// `gateway::egress` signs. Fails with the caller's fault where the protocol cannot say it.
    /// Tools and parts that it cannot be told of are left out, with a note (`provider_tools`,
    /// `foreign_parts`).
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &TargetContext<'_>,
    ) -> Result<HttpRequest, Error> {
        let is_own = |tool: &Opaque| self.is_own_tool(tool);
        let own = foreign_parts::Own {
            vendor: self.vendor(),
            part: &|part| self.is_own_part(part),
            server_calls: self.names_server_calls(),
            server_call_id: &|id| self.is_own_server_call(id),
        };
        let request = custom_tools::said_to(self.id(), request, target.quirks);
        foreign_parts::encode(&request, own, |request| {
            provider_tools::encode(request, self.vendor(), is_own, |request| self.encode(request, target))
        })
    }

    /// Where a request goes that brings its own body (see [`verbatim`]); `None` where none can.
    fn address(&self, _stream: bool, _target: &TargetContext<'_>) -> Option<HttpRequest> {
        None
    }

    /// A whole answer (status 200, not streamed).
    fn decode_response(&self, body: &[u8], quirks: &Quirks) -> Result<ChatResponse, Error> {
        self.stream_decoder(quirks).whole(body)
    }

    fn stream_decoder(&self, quirks: &Quirks) -> Box<dyn StreamDecoder>;

    /// How its streams are cut into frames. Only what the first byte cannot tell hangs on it.
    fn framing(&self) -> StreamFraming {
        StreamFraming::Events
    }

    /// An answer with an error status, or a body that turned out to be an error: one shared table,
    /// refined by what only this family knows.
    fn decode_error(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        errors::classify(status, headers, body)
    }

    /// Asks for the provider's list of models.
    fn models_request(&self) -> HttpRequest;

    fn decode_models(&self, body: &[u8]) -> Result<Vec<ListedModel>, Error>;

    /// The request for what of the list is not in `body`, where the vendor gives it in pages.
    fn more_models_request(&self, _body: &[u8]) -> Option<HttpRequest> {
        None
    }

    /// How its vendors are asked for embeddings; `None` where they offer none.
    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        None
    }

    /// How its vendors are asked to count tokens; `None` where they offer it not.
    fn counting(&self) -> Option<&'static dyn Counting> {
        None
    }
}

/// The HTTP request for `request` in the protocol's words. Refused, with the field's name, where the
/// request leans on something that only a provider of another family holds: the next target may be
/// one of that family.
pub fn encode_request(
    protocol: &dyn Protocol,
    request: &ChatRequest,
    target: &TargetContext<'_>,
) -> Result<HttpRequest, Error> {
    match &request.held {
        Some(held) if held.family != protocol.id().as_str() => Err(json::unsayable(
            format!(
                "'{}' names something that is held by a provider of {}, and this one speaks {}: send the \
                 conversation itself.",
                held.param,
                held.family,
                protocol.id()
            ),
            &held.param,
        )
        .with_code("not_held_here")),
        _ => protocol.encode_request(request, target),
    }
}

impl std::fmt::Debug for dyn Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id().as_str())
    }
}

/// How a protocol cuts its streams into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamFraming {
    /// Server-sent events (or, at Gemini, one JSON array): a stream that begins with a brace is none.
    Events,
    /// One JSON document per line.
    Lines,
    /// AWS' binary event stream.
    Binary,
}

/// One model in a provider's own list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedModel {
    /// As the provider's API takes it (Gemini's `models/` prefix is removed).
    pub id: String,
    pub display_name: Option<String>,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
}

/// One stream, from frames to canonical events. Owns no socket and never awaits.
pub trait StreamDecoder: Send {
    /// Interprets one complete frame, appending zero or more events to `out`.
    /// An error ends the stream: it is the provider's in-band error, classified like an HTTP error.
    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<StreamEvent>) -> Result<FrameOutcome, Error>;

    /// The byte stream ended. Without the provider's own terminal event this is `Truncated`;
    /// a decoder never invents a `Finish`. Open parts are ended first, so that what had arrived
    /// is whole.
    fn end(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error>;

    /// A whole answer in one document, apart from any stream.
    fn whole(&self, body: &[u8]) -> Result<ChatResponse, Error>;
}

/// What a decoder made of a frame; the driver counts all but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameOutcome {
    Known,
    /// Valid, but a tag that this version has no word for: passed over.
    Unknown,
    /// Not what the protocol says it should be: passed over, the rest of the answer goes on.
    Malformed,
}

/// How a local client speaks to us.
pub trait Dialect: Send + Sync {
    /// The family's name, as in the corpus (`openai-chat`).
    fn family(&self) -> &'static str;

    /// `head` is what the request says outside of its body.
    fn decode_request(&self, head: &RequestHead<'_>, body: &[u8]) -> Result<ChatRequest, Error>;

    /// A whole answer as the client expects it.
    fn encode_response(&self, response: &ChatResponse, context: &AnswerContext) -> Vec<u8>;

    fn stream_encoder(&self, context: &AnswerContext) -> Box<dyn StreamEncoder>;

    /// Fields of the request that this dialect's answers repeat; none in most.
    fn echo(&self, _: &ChatRequest) -> serde_json::Map<String, serde_json::Value> {
        serde_json::Map::new()
    }

    /// The HTTP status and body of an error, in the client's own shape.
    fn encode_error(&self, error: &Error, request_id: Option<&str>) -> (u16, Vec<u8>);
}

/// What a client's request says outside of its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestHead<'a> {
    /// The model, where the path names it (Gemini).
    pub model: Option<&'a str>,
    /// The path asks for a stream (Gemini).
    pub stream: bool,
    /// What follows the `?` of the address, as it came.
    pub query: Option<&'a str>,
    /// `None` where there are none to read (a test).
    pub headers: Option<&'a Headers>,
}

/// What our clients may speak: routes, the book and errors read this list.
static DIALECTS: &[&dyn Dialect] = &[
    &openai_chat::server::OpenAiChat,
    &openai_responses::server::OpenAiResponses,
    &anthropic_messages::server::AnthropicMessages,
    &gemini_generate::server::GeminiGenerate,
];

/// The dialect of that family; `None` where nobody speaks it to us (the chat window's `chat`).
pub fn dialect(family: &str) -> Option<&'static dyn Dialect> {
    DIALECTS.iter().copied().find(|dialect| dialect.family() == family)
}

/// What an encoder says that is ours and not the provider's.
#[derive(Debug, Clone, Default)]
pub struct AnswerContext {
    /// Our id of the request.
    pub request_id: String,
    /// The model as the client named it; used where the provider names none.
    pub requested_model: String,
    /// Seconds since the Unix epoch; used where the provider gives none.
    pub created: i64,
    /// Whether a streaming client asked to see usage.
    pub include_usage: bool,
    /// What the model thinks is not for this client.
    pub hide_reasoning: bool,
    /// What follows the `?` of the client's address; Gemini's `alt` says there how to stream.
    pub query: Option<String>,
    /// What [`Dialect::echo`] says of the request.
    pub echo: serde_json::Map<String, serde_json::Value>,
}

/// One stream, from canonical events to the client's bytes.
pub trait StreamEncoder: Send {
    /// What the stream is, as HTTP names it.
    fn content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// The provider's own bytes went out instead of events, in the form that the client asked for;
    /// an error may still follow.
    fn follow_raw(&mut self) {}

    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>);

    /// The answer broke off: says so in the dialect's own way. Nothing may follow but nothing.
    fn error(&mut self, error: &Error, out: &mut Vec<u8>);

    /// The answer is complete: the dialect's terminator.
    fn end(&mut self, out: &mut Vec<u8>);
}
