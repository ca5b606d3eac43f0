//! The verbatim lane: where client and provider speak the same family, the client's bytes go out
//! and the provider's bytes come back, unchanged but for named places. Signatures, the order of
//! keys and with it the provider's prompt cache survive, because nothing is written anew.
//!
//! - [`request`]: a client's body → the provider's, or why it has to be translated.
//! - [`Tap`]: the provider's stream → the same bytes in whole frames, while the protocol's own
//!   decoder reads them for usage, first content, errors and the end.
//!
//! Everything that is not one of these two takes the translation lane through the canonical form.

mod cut;
mod message;
mod request;
pub(crate) mod spans;
mod tap;

use std::fmt;

use crate::{Headers, HttpRequest};

pub use request::{passed, request};
pub use tap::{Piece, StreamForm, Tap, TapOptions};

/// What a client sent, as it sent it.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The family that the client speaks.
    pub family: &'a str,
    /// The body that the family's dialect read.
    pub body: &'a [u8],
    pub headers: &'a Headers,
    /// The parameters of the URL.
    pub query: &'a [(String, String)],
}

/// A request that needs no translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verbatim {
    pub http: HttpRequest,
    /// Every place at which the body differs from the client's; empty where the bytes are the same.
    pub edits: Vec<Edit>,
    /// How the answer's stream is passed on.
    pub tap: TapOptions,
}

/// A named change to a client's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The model, as the provider calls it.
    Model,
    /// Usage was asked for, for the ledger.
    IncludeUsage,
    /// The output limit, under the name that the provider takes.
    MaxTokensField,
    /// A field that the provider refuses.
    DropField(String),
    /// What is known of the model, by its name ([`crate::profile`]).
    Profile(String),
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model => f.write_str("model"),
            Self::IncludeUsage => f.write_str("include_usage"),
            Self::MaxTokensField => f.write_str("max_tokens_field"),
            Self::DropField(name) => write!(f, "drop_field:{name}"),
            Self::Profile(name) => write!(f, "profile.{name}"),
        }
    }
}

/// Why a request has to be translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Translate {
    /// There is no body of a client's: the chat window asks.
    NoClient,
    /// The provider speaks another family than the client.
    OtherFamily,
    /// The protocol has no address for bytes that are not its own.
    NoAddress,
    /// The body is not what the dialect read.
    Unreadable,
    /// The conversation holds signatures that were sealed for a client of this family.
    SealedSignature,
    /// The conversation names items by ids that were made for a client of this family.
    MintedId,
    /// The provider refused a signature, and is asked without any.
    RefusedSignature,
    /// The provider takes no `developer` messages.
    DeveloperRole,
    /// The client's way to ask for reasoning is not the provider's.
    ReasoningForm,
    /// Earlier reasoning stands in a field that the provider does not take.
    EarlierReasoning,
    /// What is known of the model changes the conversation ([`crate::profile`]).
    Profile,
}

impl Translate {
    /// The reason as logs name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoClient => "no_client",
            Self::OtherFamily => "other_family",
            Self::NoAddress => "no_address",
            Self::Unreadable => "unreadable",
            Self::SealedSignature => "sealed_signature",
            Self::MintedId => "minted_id",
            Self::RefusedSignature => "refused_signature",
            Self::DeveloperRole => "developer_role",
            Self::ReasoningForm => "reasoning_form",
            Self::EarlierReasoning => "earlier_reasoning",
            Self::Profile => "profile",
        }
    }
}
