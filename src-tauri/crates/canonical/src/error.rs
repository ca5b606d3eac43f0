//! Errors say what, whose, and what next. Classified once, at the edge that saw the evidence.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One failure of a request or an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Error {
    pub kind: ErrorKind,
    /// Whose fault; only `Provider` and `Network` count against a provider's health.
    pub origin: Origin,
    /// What may be tried next, decided where the error is made.
    pub retry: Retry,
    /// The HTTP status exactly as the provider sent it.
    pub status: Option<u16>,
    /// The provider's own code or type, exactly as sent.
    pub code: Option<String>,
    /// The request's parameter that is at fault, where the provider named one.
    pub param: Option<String>,
    /// How long to wait, where the provider said so.
    pub retry_after: Option<Duration>,
    /// What the provider said, as it said it, as far as it is kept: evidence for the book, shown on
    /// demand and never logged.
    #[serde(skip)]
    pub body: Option<String>,
    /// For people: what happened, to what, and what to do. Never a secret, never request content.
    pub message: String,
}

/// The closed vocabulary of failures. Code matches on it; the UI translates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The key is missing, wrong or revoked.
    Authentication,
    /// The key is good but may not do this.
    Permission,
    RateLimited,
    /// No credit or plan left: waiting does not help.
    QuotaExhausted,
    Overloaded,
    ContextTooLong,
    ContentFiltered,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    Timeout,
    /// The answer broke off without its end.
    Truncated,
    /// The provider answered with something that is not its protocol (an HTML page, broken JSON).
    InvalidResponse,
    ServerError,
    /// No connection: DNS, refused, reset, TLS.
    Network,
    /// The client left.
    Cancelled,
    /// A fault of our own.
    Internal,
}

impl ErrorKind {
    pub const ALL: [Self; 17] = [
        Self::Authentication,
        Self::Permission,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::Overloaded,
        Self::ContextTooLong,
        Self::ContentFiltered,
        Self::InvalidRequest,
        Self::NotFound,
        Self::PayloadTooLarge,
        Self::Timeout,
        Self::Truncated,
        Self::InvalidResponse,
        Self::ServerError,
        Self::Network,
        Self::Cancelled,
        Self::Internal,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Overloaded => "overloaded",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::InvalidRequest => "invalid_request",
            Self::NotFound => "not_found",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Timeout => "timeout",
            Self::Truncated => "truncated",
            Self::InvalidResponse => "invalid_response",
            Self::ServerError => "server_error",
            Self::Network => "network",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Caller,
    Gateway,
    Provider,
    Network,
}

/// Where the same request may go next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Nowhere: every target would say the same.
    Never,
    /// The same target may well answer in a moment (after `retry_after`, where it is given).
    SameTarget,
    /// Only another target helps.
    NextTarget,
}

impl Error {
    /// An error with the usual consequences of its kind: see [`Retry`] for what they mean.
    pub fn new(kind: ErrorKind, origin: Origin, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::InvalidRequest
            | ErrorKind::PayloadTooLarge
            | ErrorKind::Cancelled
            | ErrorKind::Internal => Retry::Never,
            ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::Timeout
            | ErrorKind::Truncated
            | ErrorKind::ServerError
            | ErrorKind::Network => Retry::SameTarget,
            ErrorKind::Authentication
            | ErrorKind::Permission
            | ErrorKind::QuotaExhausted
            | ErrorKind::ContextTooLong
            | ErrorKind::ContentFiltered
            | ErrorKind::NotFound
            | ErrorKind::InvalidResponse => Retry::NextTarget,
        };
        Self {
            kind,
            origin,
            retry,
            status: None,
            code: None,
            param: None,
            retry_after: None,
            body: None,
            message: message.into(),
        }
    }

    /// The caller's mistake, refused before anything was sent.
    pub fn caller(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, Origin::Caller, message)
    }

    /// We hold no key for the provider: the client's own key is good, and no other one of its would
    /// help.
    pub fn is_missing_provider_key(&self) -> bool {
        self.kind == ErrorKind::Authentication && self.origin == Origin::Gateway
    }

    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
