//! An HTTP request and its headers as plain values, and the one rule for joining URLs.

use crate::notes::Note;

/// A request to a provider before it is signed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: Method,
    /// Relative to the versioned base URL, with a leading slash (`/chat/completions`).
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Beside `content-type: application/json` and the key, which the sender adds.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// What of the client's request this one does not say, or not in its words.
    pub notes: Vec<Note>,
}

impl HttpRequest {
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub fn post(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method: Method::Post,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
            notes: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// Response headers; names compare without regard to case. Values that are no text are left out.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(iter: T) -> Self {
        Self(iter.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// `base` with the API's version behind it, where it names none already.
///
/// A base URL is what the vendor's own SDK takes: OpenAI's with `/v1`, Anthropic's and Google's
/// without. Both forms work for all: a path segment that looks like a version (`v1`, `v1beta`, `v4`)
/// is taken as one and nothing is added, nor behind a base that names `version` itself. `version`
/// may be empty (Perplexity has none).
pub fn versioned_base(base: &str, version: &str) -> String {
    let base = base.trim_end_matches('/');
    let path = base.split_once("://").map_or(base, |(_, rest)| rest);
    let names_version = path.split('/').skip(1).any(|segment| is_version(segment) || segment == version);
    if names_version || version.is_empty() { base.to_owned() } else { format!("{base}/{version}") }
}

fn is_version(segment: &str) -> bool {
    let mut rest = segment.strip_prefix('v').unwrap_or("").chars();
    rest.next().is_some_and(|first| first.is_ascii_digit()) && rest.all(|next| next.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_works_with_and_without_its_version() {
        for (base, version, expected) in [
            ("https://api.openai.com/v1", "v1", "https://api.openai.com/v1"),
            ("https://api.openai.com/v1/", "v1", "https://api.openai.com/v1"),
            ("https://api.openai.com", "v1", "https://api.openai.com/v1"),
            ("https://api.anthropic.com", "v1", "https://api.anthropic.com/v1"),
            (
                "https://generativelanguage.googleapis.com",
                "v1beta",
                "https://generativelanguage.googleapis.com/v1beta",
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta/openai",
                "v1",
                "https://generativelanguage.googleapis.com/v1beta/openai",
            ),
            ("https://api.z.ai/api/paas/v4", "v1", "https://api.z.ai/api/paas/v4"),
            ("https://api.groq.com/openai/v1", "v1", "https://api.groq.com/openai/v1"),
            ("https://api.perplexity.ai", "", "https://api.perplexity.ai"),
            ("http://localhost:11434", "api", "http://localhost:11434/api"),
            ("http://localhost:11434/api/", "api", "http://localhost:11434/api"),
            ("http://v1.example:8080", "v1", "http://v1.example:8080/v1"),
        ] {
            assert_eq!(versioned_base(base, version), expected);
        }
    }
}
