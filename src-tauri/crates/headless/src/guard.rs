//! Who may use the control surface: whoever has the token, from a page of ours or from no page.
//!
//! Loopback alone protects nothing: every page in the user's browser can send requests there. The
//! token keeps them out, the check of `Host` keeps out names that were pointed at 127.0.0.1 (DNS
//! rebinding), and the check of `Origin` keeps out pages that somehow learnt the token.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

/// The token, where the one who starts us wants to choose it.
pub(crate) const TOKEN_VARIABLE: &str = "SIGNALBOX_CONTROL_TOKEN";

/// Random bytes in a token of ours.
const TOKEN_BYTES: usize = 32;

/// Fewer characters can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// The secret that opens the control surface; new at each start.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("•••")
    }
}

impl Token {
    /// The one from the environment, or a random one.
    pub(crate) fn new() -> Result<Self> {
        match std::env::var(TOKEN_VARIABLE) {
            Ok(token) => Self::chosen(&token),
            Err(std::env::VarError::NotPresent) => Self::random(),
            Err(std::env::VarError::NotUnicode(_)) => bail!("{TOKEN_VARIABLE} is not text."),
        }
    }

    fn chosen(token: &str) -> Result<Self> {
        // It stands in an address and in a header.
        let is_plain = token.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.~".contains(letter));
        if token.len() < SHORTEST_TOKEN || !is_plain {
            bail!("{TOKEN_VARIABLE} must have at least {SHORTEST_TOKEN} letters, digits or any of \"-_.~\".");
        }
        Ok(Self(token.to_owned()))
    }

    fn random() -> Result<Self> {
        let mut bytes = [0_u8; TOKEN_BYTES];
        getrandom::fill(&mut bytes).ok().context("The system gave no random bytes for a token.")?;
        Ok(Self(bytes.iter().fold(String::with_capacity(2 * TOKEN_BYTES), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })))
    }

    /// For the one line that tells the token to whoever started us.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Takes as long for a token that is nearly right as for any other of its length.
    fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Host,
    Origin,
    Token,
}

#[derive(Debug, Clone)]
pub(crate) struct Guard {
    token: Token,
    /// `127.0.0.1:4711`, `localhost:4711`.
    hosts: Vec<String>,
}

impl Guard {
    pub(crate) fn new(token: Token, address: SocketAddr) -> Self {
        let hosts = vec![address.to_string(), format!("localhost:{}", address.port())];
        Self { token, hosts }
    }

    /// For everything that is served: the request was meant for us, and is not another page's.
    pub(crate) fn check_place(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        if !text(header::HOST).is_some_and(|host| self.knows(host)) {
            return Err(Refusal::Host);
        }
        match text(header::ORIGIN) {
            None => Ok(()),
            Some(origin) if origin.strip_prefix("http://").is_some_and(|host| self.knows(host)) => Ok(()),
            Some(_) => Err(Refusal::Origin),
        }
    }

    /// For the control surface.
    pub(crate) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(presented) if self.token.is(presented.trim()) => Ok(()),
            _ => Err(Refusal::Token),
        }
    }

    fn knows(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn guard() -> Guard {
        Guard::new(Token::chosen("0123456789abcdef").unwrap(), "127.0.0.1:4711".parse().unwrap())
    }

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_names_are_hosts() {
        for host in ["127.0.0.1:4711", "localhost:4711", "LOCALHOST:4711"] {
            assert_eq!(guard().check_place(&headers(&[(header::HOST, host)])), Ok(()), "{host}");
        }
        for host in ["evil.example:4711", "127.0.0.1:4712", "127.0.0.1", "127.0.0.1:4711.evil.example"] {
            assert_eq!(guard().check_place(&headers(&[(header::HOST, host)])), Err(Refusal::Host), "{host}");
        }
        assert_eq!(guard().check_place(&HeaderMap::new()), Err(Refusal::Host));
    }

    #[test]
    fn other_pages_are_turned_away() {
        let place = |origin| {
            guard().check_place(&headers(&[(header::HOST, "localhost:4711"), (header::ORIGIN, origin)]))
        };
        assert_eq!(place("http://localhost:4711"), Ok(()));
        for origin in ["https://evil.example", "null", "http://localhost:5173", "https://localhost:4711"] {
            assert_eq!(place(origin), Err(Refusal::Origin), "{origin}");
        }
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = |value| guard().check_token(&headers(&[(header::AUTHORIZATION, value)]));
        assert_eq!(token("Bearer 0123456789abcdef"), Ok(()));
        for value in ["Bearer 0123456789abcde", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef"] {
            assert_eq!(token(value), Err(Refusal::Token), "{value}");
        }
        assert_eq!(guard().check_token(&HeaderMap::new()), Err(Refusal::Token));
    }

    #[test]
    fn a_token_is_long_random_and_never_printed() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.expose().len(), 64);
        assert_ne!(one.expose(), other.expose());
        assert_eq!(format!("{one:?}"), "•••");
        assert!(Token::chosen("short").is_err() && Token::chosen("0123456789abcdef#").is_err());
    }
}
