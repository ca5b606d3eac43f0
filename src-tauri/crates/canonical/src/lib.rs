//! The middle: one form of request, answer, stream event, usage, money and error.
//!
//! Every dialect decodes into these types and every protocol encodes from them, so N dialects and
//! M protocols cost N + M conversions. Types only: no vendor, no HTTP, no async, no clock.
//!
//! - [`request`]: what a client asks.
//! - [`event`]: an answer as it arrives; [`response`]: the same answer, whole; [`fold`] turns one into the other.
//! - [`embedding`]: texts → vectors.
//! - [`grammar`]: the laws that a sequence of events obeys.
//! - [`usage`], [`money`]: tokens and cost, in one convention each.
//! - [`glob`]: names with wildcards.
//! - [`error`]: what went wrong, whose fault it is and what to do next.

pub mod embedding;
pub mod error;
pub mod event;
pub mod extensions;
pub mod fold;
pub mod glob;
pub mod grammar;
pub mod money;
pub mod request;
pub mod response;
pub mod usage;

pub use embedding::{EmbeddingRequest, EmbeddingResponse};
pub use error::{Error, ErrorKind, Origin, Retry};
pub use event::{PartDelta, PartKind, StreamEvent};
pub use extensions::Extensions;
pub use money::{MicroUsdPerMTok, PicoUsd};
pub use request::{ChatRequest, Content, Message, Part, Role, Tool, ToolChoice};
pub use response::{ChatResponse, Choice, FinishReason};
pub use usage::Usage;
