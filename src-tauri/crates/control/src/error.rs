//! What a command answers when it cannot do its work.

use gateway::clients::ClientError;
use gateway::{ConfigError, SecretError};
use ledger::LedgerError;
use serde::{Deserialize, Serialize};

use crate::types::{ControlErrorKind as Kind, ErrorView};

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

impl From<LedgerError> for ControlError {
    fn from(error: LedgerError) -> Self {
        let kind = match &error {
            LedgerError::NotFound { .. } => Kind::NotFound,
            LedgerError::NameTaken { .. } => Kind::Conflict,
            LedgerError::InUse { .. } => Kind::AlreadyRunning,
            LedgerError::Corrupt { .. } => Kind::LedgerCorrupt,
            _ => Kind::Ledger,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ConfigError> for ControlError {
    fn from(error: ConfigError) -> Self {
        Self::new(Kind::Settings, error.to_string())
    }
}

impl From<SecretError> for ControlError {
    fn from(error: SecretError) -> Self {
        let kind = match &error {
            SecretError::Locked => Kind::KeychainLocked,
            SecretError::Absent(_) => Kind::KeychainAbsent,
            SecretError::TimedOut | SecretError::Failed(_) => Kind::KeychainError,
            SecretError::Invalid(_) => Kind::Invalid,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ClientError> for ControlError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::BadName => Self::invalid(error.to_string()),
            ClientError::NoRandomness(_) => Self::internal(error.to_string()),
            ClientError::Ledger(error) => error.into(),
        }
    }
}

impl From<canonical::Error> for ControlError {
    fn from(error: canonical::Error) -> Self {
        Self::new(Kind::Provider, error.message)
    }
}

/// A provider's error as part of a result, with its own kind.
pub(crate) fn view(error: &canonical::Error) -> ErrorView {
    ErrorView { kind: error.kind.as_str().to_owned(), message: error.message.clone() }
}
