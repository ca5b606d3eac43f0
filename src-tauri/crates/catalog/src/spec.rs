//! One provider as its file says it: endpoint, key, price list and deviations.
//!
//! The files we ship and those a user writes are read by the same code, so a user's file can say
//! everything that ours can. An unknown key is refused by name: a misspelt one would otherwise be
//! a setting that silently does nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::de::DeTable;
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
    /// Other protocols that the same key speaks, each at an address of its own.
    #[serde(default)]
    pub also: Vec<OtherProtocol>,
}

/// A second protocol of a vendor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherProtocol {
    pub protocol: ProtocolId,
    pub base_url: Option<String>,
    pub auth: Option<Auth>,
    #[serde(default)]
    pub quirks: Quirks,
}

/// Where and how a vendor is spoken to in one protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    pub protocol: ProtocolId,
    pub base_url: Option<String>,
    pub auth: Auth,
    pub quirks: Quirks,
}

impl ProviderSpec {
    /// The vendor's endpoint in `protocol`: its own, one of its others, or, where it names none
    /// (a setting's `protocol` may be anything), the protocol's usual way to sign, no base URL and
    /// no quirks.
    pub fn endpoint(&self, protocol: ProtocolId) -> Endpoint {
        if protocol == self.protocol {
            return Endpoint {
                protocol,
                base_url: self.base_url.clone(),
                auth: self.auth.clone(),
                quirks: self.quirks.clone(),
            };
        }
        let other = self.also.iter().find(|other| other.protocol == protocol);
        Endpoint {
            protocol,
            base_url: other.and_then(|other| other.base_url.clone()),
            auth: other
                .and_then(|other| other.auth.clone())
                .unwrap_or_else(|| self.auth.in_protocol(protocol)),
            quirks: other.map(|other| other.quirks.clone()).unwrap_or_default(),
        }
    }

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
/// `auth = { sigv4 = { service = "bedrock" }, env = "…" }` or `auth = "none"`; `optional = true` where the server may run without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawAuth", into = "RawAuth")]
pub struct Auth {
    pub scheme: AuthScheme,
    /// The environment variable that usually holds the key.
    pub env: Option<String>,
    /// A request without a key may be fine.
    pub is_optional: bool,
}

impl Auth {
    /// The same key, shown as the protocol's own vendor wants it.
    fn in_protocol(&self, protocol: ProtocolId) -> Self {
        let scheme = match protocol {
            _ if self.scheme == AuthScheme::None => AuthScheme::None,
            ProtocolId::AnthropicMessages => AuthScheme::Header("x-api-key".to_owned()),
            ProtocolId::GeminiGenerate => AuthScheme::Header("x-goog-api-key".to_owned()),
            ProtocolId::OpenaiChat
            | ProtocolId::OpenaiResponses
            | ProtocolId::BedrockConverse
            | ProtocolId::CohereChat
            | ProtocolId::OllamaChat => AuthScheme::Bearer,
        };
        Self { scheme, ..self.clone() }
    }
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
    /// A signature over the whole request, by AWS' Signature Version 4.
    SigV4(SigV4),
}

/// For whom AWS' signature is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4 {
    /// The service's name in signatures, which its host's may differ from.
    pub service: String,
    /// By default the region that the base URL's host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"none\", { bearer = \"ENV_NAME\" }, { header = \"name\", env = \"ENV_NAME\" }, { query = \"name\", env = \"ENV_NAME\" } or { sigv4 = { service = \"name\" }, env = \"ENV_NAME\" }"
)]
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
    sigv4: Option<SigV4>,
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
        let (scheme, env) = match (table.bearer, table.header, table.query, table.sigv4, table.env) {
            (Some(env), None, None, None, None) => (AuthScheme::Bearer, Some(env)),
            (None, Some(name), None, None, env) => (AuthScheme::Header(name), env),
            (None, None, Some(name), None, env) => (AuthScheme::Query(name), env),
            (None, None, None, Some(sigv4), env) => (AuthScheme::SigV4(sigv4), env),
            _ => {
                return Err("auth names exactly one of bearer, header, query and sigv4 \
                            (env stands beside the last three; bearer names it itself)"
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
            AuthScheme::Bearer => {
                Self::Table(RawAuthTable { bearer: auth.env, optional, ..RawAuthTable::default() })
            }
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
            AuthScheme::SigV4(sigv4) => Self::Table(RawAuthTable {
                sigv4: Some(sigv4),
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
    /// The key at fault, with its table (`quirks.omit_stream_options`).
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
    let document = DeTable::parse(text).map_err(|e| error(e.span(), e.message().to_owned()))?;
    if let Some(UnknownKey { name, at, nearest }) = unknown_key(document.get_ref()) {
        return Err(SpecError {
            nearest,
            key: Some(name.clone()),
            ..error(Some(at..at), format!("unknown key `{name}`"))
        });
    }
    let spec: ProviderSpec = toml::from_str(text).map_err(|e| error(e.span(), e.message().to_owned()))?;
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
        return Err(("id", format!("id `{}` must be lower-case letters, digits, `-`, `_` or `.`", spec.id)));
    }
    if let Some(url) = &spec.base_url
        && !(url.starts_with("https://") || (spec.is_local && url.starts_with("http://")))
    {
        return Err((
            "base_url",
            format!("base_url `{url}` must start with https:// (http:// where is_local is true)"),
        ));
    }
    for other in &spec.also {
        if other.protocol == spec.protocol {
            return Err(("also", format!("also names {} again", other.protocol)));
        }
        if let Some(url) = other.base_url.as_deref().filter(|url| !url.starts_with("https://"))
            && !spec.is_local
        {
            return Err(("also", format!("base_url `{url}` must start with https://")));
        }
    }
    if spec.is_free && spec.price_provider.is_some() {
        return Err(("is_free", "a provider is free or has a price_provider, not both".to_owned()));
    }
    Ok(())
}

/// The keys that a spec's file may have, at its top.
const KEYS: [&str; 16] = [
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
    "also",
];
const OTHER_KEYS: [&str; 4] = ["protocol", "base_url", "auth", "quirks"];
const MODEL_KEYS: [&str; 4] = ["id", "name", "context_window", "max_output_tokens"];
const AUTH_KEYS: [&str; 6] = ["bearer", "header", "query", "sigv4", "env", "optional"];

/// A key that a table of a spec cannot have.
struct UnknownKey {
    /// With its table (`quirks.no_done_markr`).
    name: String,
    at: usize,
    /// The known key of that table that is most like it.
    nearest: Option<String>,
}

/// The first key that no spec has.
fn unknown_key(table: &DeTable<'_>) -> Option<UnknownKey> {
    first_unknown(table, "", &KEYS)
        .or_else(|| unknown_in_endpoint(table, ""))
        .or_else(|| tables_in(table, "models").find_map(|model| first_unknown(model, "models.", &MODEL_KEYS)))
        .or_else(|| {
            tables_in(table, "also").find_map(|other| {
                first_unknown(other, "also.", &OTHER_KEYS).or_else(|| unknown_in_endpoint(other, "also."))
            })
        })
}

fn unknown_in_endpoint(table: &DeTable<'_>, prefix: &str) -> Option<UnknownKey> {
    let [auth, quirks] =
        ["auth", "quirks"].map(|key| table.get(key).and_then(|value| value.get_ref().as_table()));
    auth.and_then(|auth| first_unknown(auth, &format!("{prefix}auth."), &AUTH_KEYS))
        .or_else(|| first_unknown(quirks?, &format!("{prefix}quirks."), &quirk_keys()))
}

/// The quirks that the protocols know, read off their type.
fn quirk_keys() -> Vec<String> {
    // JSON, because TOML leaves out what is not set.
    let all = serde_json::to_value(Quirks::default());
    all.ok().and_then(|all| all.as_object().map(|all| all.keys().cloned().collect())).unwrap_or_default()
}

fn tables_in<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> impl Iterator<Item = &'t DeTable<'i>> {
    let array = table.get(key).and_then(|value| value.get_ref().as_array());
    array.into_iter().flat_map(|array| array.iter()).filter_map(|value| value.get_ref().as_table())
}

fn first_unknown(table: &DeTable<'_>, prefix: &str, known: &[impl AsRef<str>]) -> Option<UnknownKey> {
    let unknown =
        table.keys().filter(|key| known.iter().all(|known| known.as_ref() != key.get_ref().as_ref()));
    let first = unknown.min_by_key(|key| key.span().start)?;
    let name = first.get_ref().as_ref();
    Some(UnknownKey {
        name: format!("{prefix}{name}"),
        at: first.span().start,
        nearest: nearest(name, known.iter().map(AsRef::as_ref)).map(str::to_owned),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count()
}

fn line_of_key(text: &str, table: &DeTable<'_>, key: &str) -> Option<usize> {
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
        let error =
            parse_spec(&GROQ.replace("max_tokens_field", "max_token_field"), "groq.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "groq.toml, line 11: unknown key `quirks.max_token_field`; did you mean `max_tokens_field`?"
        );
        let error = parse_spec(&GROQ.replace("{ bearer", "{ beaver"), "groq.toml").unwrap_err();
        assert_eq!((error.key.as_deref(), error.nearest.as_deref()), (Some("auth.beaver"), Some("bearer")));
        let error =
            parse_spec(&format!("{GROQ}\n[[models]]\nid = \"x\"\nctx = 1\n"), "groq.toml").unwrap_err();
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
            ("{ bearer = \"GROQ_API_KEY\" }", "{ sigv4 = { servise = \"b\" } }", 6),
            ("name = \"Groq\"", "name = Groq", 3),
        ] {
            let error = parse_spec(&GROQ.replace(from, to), "groq.toml").unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
        }
    }

    #[test]
    fn the_lists_of_known_keys_are_those_of_the_types() {
        let mut spec = parse_spec(GROQ, "groq.toml").unwrap();
        spec.models.push(SpecModel {
            id: "m".into(),
            name: None,
            context_window: None,
            max_output_tokens: None,
        });
        spec.also.push(OtherProtocol {
            protocol: ProtocolId::AnthropicMessages,
            base_url: None,
            auth: None,
            quirks: Quirks::default(),
        });
        let json = serde_json::to_value(&spec).unwrap();
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&json), KEYS);
        assert_eq!(keys(&json["models"][0]), MODEL_KEYS);
        assert!(quirk_keys().len() >= 9);
        assert_eq!(keys(&json["also"][0]), OTHER_KEYS);
    }

    #[test]
    fn another_protocol_has_its_own_address_and_way_to_sign() {
        let text = format!(
            "{GROQ}\n[[also]]\nprotocol = \"anthropic-messages\"\nbase_url = \"https://api.groq.com/anthropic\"\n"
        );
        let spec = parse_spec(&text, "groq.toml").unwrap();
        let own = spec.endpoint(ProtocolId::OpenaiChat);
        assert_eq!(
            (own.base_url.as_deref(), own.auth.scheme),
            (spec.base_url.as_deref(), AuthScheme::Bearer)
        );
        assert!(own.quirks.max_tokens_field.is_some());
        let other = spec.endpoint(ProtocolId::AnthropicMessages);
        assert_eq!(other.base_url.as_deref(), Some("https://api.groq.com/anthropic"));
        assert_eq!(other.auth.scheme, AuthScheme::Header("x-api-key".to_owned()));
        assert_eq!(other.auth.env.as_deref(), Some("GROQ_API_KEY"));
        assert_eq!(other.quirks, Quirks::default());
        let unnamed = spec.endpoint(ProtocolId::GeminiGenerate);
        assert_eq!(
            (unnamed.base_url, unnamed.auth.scheme),
            (None, AuthScheme::Header("x-goog-api-key".to_owned()))
        );
        let error =
            parse_spec(&text.replace("api.groq.com/anthropic\"", "a\"\nbase = 1"), "groq.toml").unwrap_err();
        assert_eq!(error.key.as_deref(), Some("also.base"));
    }

    #[test]
    fn auth_is_written_as_it_is_read() {
        for text in [
            r#"auth = "none""#,
            r#"auth = { bearer = "A" }"#,
            r#"auth = { header = "x-api-key", env = "A" }"#,
            r#"auth = { query = "key", env = "A", optional = true }"#,
            r#"auth = { sigv4 = { service = "bedrock" }, env = "A" }"#,
            r#"auth = { sigv4 = { service = "bedrock", region = "eu-west-1" } }"#,
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
