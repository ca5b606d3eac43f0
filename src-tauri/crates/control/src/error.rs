//! What a command answers when it cannot do its work.

use serde::{Deserialize, Serialize};

use crate::types::ControlErrorKind as Kind;

pub type Result<T> = std::result::Result<T, ControlError>;

/// Programs match `kind`; `message` is for people: what happened, to what, what to do. Neither
/// ever holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS)]
pub struct ControlError {
    pub kind: Kind,
    pub message: String,
}

impl ControlError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(Kind::NotFound, format!("There is no {what} \"{id}\"."))
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ControlError {}
