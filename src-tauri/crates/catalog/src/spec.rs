//! One provider as its file says it: endpoint, key, price list and deviations.
//!
//! The files we ship and those a user writes are read by the same code, so a user's file can say
//! everything that ours can. An unknown key is refused by name: a misspelt one would otherwise be
//! a setting that silently does nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use wire::{ProtocolId, Quirks};

/// A vendor: where it is, how it is signed to, what it is called in the price table, how it deviates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    /// The kind that settings name; equal to the file's name, lower case.
    pub id: String,
    /// For people.
    pub name: String,
    pub protocol: ProtocolId,
    /// What the vendor's own SDK takes. `None` where it differs per user, who must then give it.
    pub base_url: Option<String>,
    /// What a base URL looks like where the user must give it; shown, never called.
    pub base_url_example: Option<String>,
    pub auth: Auth,
    /// The vendor's page about its API.
    pub docs: String,
    /// Where a key is made.
    pub keys_url: Option<String>,
    /// The vendor's name in the price table.
    pub price_provider: Option<String>,
    /// Why there is no `price_provider`, for people: what a cost is then known from.
    pub unpriced: Option<String>,
    /// Everything it answers costs nothing, by its own setting (a server on the user's machine).
    #[serde(default)]
    pub is_free: bool,
    /// Runs on the user's own machine or network; plain http is usual there.
    #[serde(default)]
    pub is_local: bool,
    /// Answered inside this process; nothing is sent anywhere.
    #[serde(default)]
    pub is_in_process: bool,
    /// Models known without asking: for vendors that have no list.
    #[serde(default)]
    pub models: Vec<SpecModel>,
    #[serde(default)]
    pub quirks: Quirks,
}

impl ProviderSpec {
    /// The environment variable that usually holds the key.
    pub fn key_env(&self) -> Option<&str> {
        self.auth.env.as_deref()
    }

    /// Whether a request without a key is bound to fail.
    pub fn needs_key(&self) -> bool {
        self.auth.scheme != AuthScheme::None && !self.auth.is_optional
    }

    /// Whether the user has to say where the provider is.
    pub fn needs_base_url(&self) -> bool {
        self.base_url.is_none() && !self.is_in_process
    }
}

/// A model that a spec names itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecModel {
    pub id: String,
    pub name: Option<String>,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
}

/// How a request shows who pays.
///
/// In a file: `auth = { bearer = "GROQ_API_KEY" }`,
/// `auth = { header = "x-api-key", env = "ANTHROPIC_API_KEY" }`, `auth = { query = "key", env = "…" }`
/// or `auth = "none"`; `optional = true` where the server may run without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawAuth", into = "RawAuth")]
pub struct Auth {
    pub scheme: AuthScheme,
    /// The environment variable that usually holds the key.
    pub env: Option<String>,
    /// A request without a key may be fine.
    pub is_optional: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthScheme {
    None,
    /// `authorization: Bearer KEY`.
    Bearer,
    /// The key alone, in the header of that name.
    Header(String),
    /// The key in the query parameter of that name.
    Query(String),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected \"none\", { bearer = \"ENV_NAME\" }, { header = \"name\", env = \"ENV_NAME\" } or { query = \"name\", env = \"ENV_NAME\" }")]
enum RawAuth {
    Word(String),
    Table(RawAuthTable),
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawAuthTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
}

impl TryFrom<RawAuth> for Auth {
    type Error = String;

    fn try_from(raw: RawAuth) -> Result<Self, String> {
        let table = match raw {
            RawAuth::Word(word) if word == "none" => {
                return Ok(Self { scheme: AuthScheme::None, env: None, is_optional: true });
            }
            RawAuth::Word(word) => return Err(format!("auth is \"none\" or a table, not \"{word}\"")),
            RawAuth::Table(table) => table,
        };
        let (scheme, env) = match (table.bearer, table.header, table.query, table.env) {
            (Some(env), None, None, None) => (AuthScheme::Bearer, Some(env)),
            (None, Some(name), None, env) => (AuthScheme::Header(name), env),
            (None, None, Some(name), env) => (AuthScheme::Query(name), env),
            _ => {
                return Err("auth names exactly one of bearer, header and query \
                            (env stands beside the last two; bearer names it itself)"
                    .to_owned());
            }
        };
        Ok(Self { scheme, env, is_optional: table.optional })
    }
}

impl From<Auth> for RawAuth {
    fn from(auth: Auth) -> Self {
        let optional = auth.is_optional;
        match auth.scheme {
            AuthScheme::None => Self::Word("none".to_owned()),
            AuthScheme::Bearer => Self::Table(RawAuthTable { bearer: auth.env, optional, ..RawAuthTable::default() }),
            AuthScheme::Header(name) => Self::Table(RawAuthTable {
                header: Some(name),
                env: auth.env,
                optional,
                ..RawAuthTable::default()
            }),
            AuthScheme::Query(name) => Self::Table(RawAuthTable {
                query: Some(name),
                env: auth.env,
                optional,
                ..RawAuthTable::default()
            }),
        }
    }
}

/// Why a provider's file was refused; says where and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The file, as the caller named it.
    pub origin: String,
    /// Counted from 1.
    pub line: Option<usize>,
    /// The key at fault, with its table (`quirks.no_done_marker`).
    pub key: Option<String>,
    /// The known key that is most like it.
    pub nearest: Option<String>,
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}

/// Reads one provider's file. `origin` names it in errors.
pub fn parse_spec(text: &str, origin: &str) -> Result<ProviderSpec, SpecError> {
    let error = |span: Option<std::ops::Range<usize>>, message: String| SpecError {
        origin: origin.to_owned(),
        line: span.map(|span| line_of(text, span.start)),
        key: None,
        nearest: None,
        message,
    };
    let document =
        toml::de::DeTable::parse(text).map_err(|e| error(e.span(), e.message().to_owned()))?;
    if let Some((key, at, known)) = unknown_key(document.get_ref()) {
        let name = key.rsplit('.').next().unwrap_or(&key);
        return Err(SpecError {
            nearest: nearest(name, known.iter().copied()).map(str::to_owned),
            key: Some(key.clone()),
            ..error(Some(at..at), format!("unknown key `{key}`"))
        });
    }
    let spec: ProviderSpec =
        toml::from_str(text).map_err(|e| error(e.span(), e.message().to_owned()))?;
    check(&spec).map_err(|(key, message)| SpecError {
        line: line_of_key(text, document.get_ref(), key),
        key: Some(key.to_owned()),
        ..error(None, message)
    })?;
    Ok(spec)
}

/// What must hold of any spec, ours or a user's.
fn check(spec: &ProviderSpec) -> Result<(), (&'static str, String)> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if spec.id.is_empty() || !spec.id.chars().all(is_plain) {
        // A slash would make `provider/model` ambiguous.
        return Err((
            "id",
            format!("id `{}` must be lower-case letters, digits, `-`, `_` or `.`", spec.id),
        ));
    }
    if let Some(url) = &spec.base_url
        && !(url.starts_with("https://") || (spec.is_local && url.starts_with("http://")))
    {
        return Err((
            "base_url",
            format!("base_url `{url}` must start with https:// (http:// where is_local is true)"),
        ));
    }
    if spec.is_free && spec.price_provider.is_some() {
        return Err(("is_free", "a provider is free or has a price_provider, not both".to_owned()));
    }
    Ok(())
}

/// The keys that a spec's file may have, at its top.
const KEYS: [&str; 15] = [
    "id",
    "name",
    "protocol",
    "base_url",
    "base_url_example",
    "auth",
    "docs",
    "keys_url",
    "price_provider",
    "unpriced",
    "is_free",
    "is_local",
    "is_in_process",
    "models",
    "quirks",
];
const MODEL_KEYS: [&str; 4] = ["id", "name", "context_window", "max_output_tokens"];
const AUTH_KEYS: [&str; 5] = ["bearer", "header", "query", "env", "optional"];
const QUIRK_KEYS: [&str; 9] = [
    "version",
    "max_tokens_field",
    "omit_stream_options",
    "no_developer_role",
    "reasoning_beside_completion",
    "done_without_finish_reason",
    "no_done_marker",
    "reasoning_field",
    "drop_fields",
];

/// The first key that no spec has: its full name, where it stands, and what could stand there.
fn unknown_key(
    table: &toml::de::DeTable<'_>,
) -> Option<(String, usize, &'static [&'static str])> {
    first_unknown(table, "", &KEYS)
        .or_else(|| first_unknown(table.get("auth")?.get_ref().as_table()?, "auth.", &AUTH_KEYS))
        .or_else(|| first_unknown(table.get("quirks")?.get_ref().as_table()?, "quirks.", &QUIRK_KEYS))
        .or_else(|| {
            let models = table.get("models")?.get_ref().as_array()?;
            models
                .iter()
                .filter_map(|model| model.get_ref().as_table())
                .find_map(|model| first_unknown(model, "models.", &MODEL_KEYS))
        })
}

fn first_unknown(
    table: &toml::de::DeTable<'_>,
    prefix: &str,
    known: &'static [&'static str],
) -> Option<(String, usize, &'static [&'static str])> {
    table
        .keys()
        .filter(|key| !known.contains(&key.get_ref().as_ref()))
        .min_by_key(|key| key.span().start)
        .map(|key| (format!("{prefix}{}", key.get_ref()), key.span().start, known))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

fn line_of_key(text: &str, table: &toml::de::DeTable<'_>, key: &str) -> Option<usize> {
    let found = table.keys().find(|have| have.get_ref().as_ref() == key)?;
    Some(line_of(text, found.span().start))
}

/// The candidate most like `name`, or `None` where nothing is like it at all.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROQ: &str = r#"
id = "groq"
name = "Groq"
protocol = "openai-chat"
base_url = "https://api.groq.com/openai/v1"
auth = { bearer = "GROQ_API_KEY" }
docs = "https://console.groq.com/docs/openai"
price_provider = "groq"

[quirks]
max_tokens_field = "max_completion_tokens"
"#;

    #[test]
    fn a_file_says_everything_a_provider_is() {
        let spec = parse_spec(GROQ, "groq.toml").unwrap();
        assert_eq!(spec.auth.scheme, AuthScheme::Bearer);
        assert_eq!(spec.key_env(), Some("GROQ_API_KEY"));
        assert!(spec.needs_key());
        assert!(!spec.needs_base_url());
        assert_eq!(spec.quirks.max_tokens_field.as_deref(), Some("max_completion_tokens"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
        let error = parse_spec(&GROQ.replace("base_url", "base_uri"), "groq.toml").unwrap_err();
        assert_eq!(error.to_string(), "groq.toml, line 5: unknown key `base_uri`; did you mean `base_url`?");
        let error = parse_spec(&GROQ.replace("max_tokens_field", "max_token_field"), "groq.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "groq.toml, line 11: unknown key `quirks.max_token_field`; did you mean `max_tokens_field`?"
        );
        let error = parse_spec(&GROQ.replace("{ bearer", "{ beaver"), "groq.toml").unwrap_err();
        assert_eq!((error.key.as_deref(), error.nearest.as_deref()), (Some("auth.beaver"), Some("bearer")));
        let error = parse_spec(&format!("{GROQ}\n[[models]]\nid = \"x\"\nctx = 1\n"), "groq.toml").unwrap_err();
        assert_eq!((error.key.as_deref(), error.line), (Some("models.ctx"), Some(15)));
    }

    #[test]
    fn a_broken_or_impossible_file_is_refused_at_its_line() {
        for (from, to, line) in [
            ("\"openai-chat\"", "\"openai-chats\"", 4),
            ("id = \"groq\"", "id = \"Groq/x\"", 2),
            ("https://api", "http://api", 5),
            ("{ bearer = \"GROQ_API_KEY\" }", "\"bearer\"", 6),
            ("{ bearer = \"GROQ_API_KEY\" }", "{ bearer = \"A\", header = \"b\" }", 6),
            ("name = \"Groq\"", "name = Groq", 3),
        ] {
            let error = parse_spec(&GROQ.replace(from, to), "groq.toml").unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
        }
    }

    #[test]
    fn the_lists_of_known_keys_are_those_of_the_types() {
        let mut spec = parse_spec(GROQ, "groq.toml").unwrap();
        spec.models.push(SpecModel { id: "m".into(), name: None, context_window: None, max_output_tokens: None });
        let json = serde_json::to_value(&spec).unwrap();
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&json), KEYS);
        assert_eq!(keys(&json["models"][0]), MODEL_KEYS);
        assert_eq!(keys(&json["quirks"]), QUIRK_KEYS);
    }

    #[test]
    fn auth_is_written_as_it_is_read() {
        for text in [
            r#"auth = "none""#,
            r#"auth = { bearer = "A" }"#,
            r#"auth = { header = "x-api-key", env = "A" }"#,
            r#"auth = { query = "key", env = "A", optional = true }"#,
        ] {
            #[derive(Serialize, Deserialize)]
            struct Holder {
                auth: Auth,
            }
            let once: Holder = toml::from_str(text).unwrap();
            let twice: Holder = toml::from_str(&toml::to_string(&once).unwrap()).unwrap();
            assert_eq!(once.auth, twice.auth, "{text}");
        }
    }
}
