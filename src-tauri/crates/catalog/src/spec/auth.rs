//! How a request shows who pays, as a provider's file says it.

use serde::{Deserialize, Serialize};
use wire::ProtocolId;

/// How a request shows who pays.
///
/// In a file: `auth = { bearer = "GROQ_API_KEY" }`,
/// `auth = { header = "x-api-key", env = "ANTHROPIC_API_KEY" }`, `auth = { query = "key", env = "…" }`
/// `auth = { sigv4 = { service = "bedrock" }, env = "…" }`,
/// `auth = { service_account = { scope = "https://…" }, env = "…" }` or `auth = "none"`;
/// `optional = true` where the server may run without.
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
    pub(super) fn in_protocol(&self, protocol: ProtocolId) -> Self {
        let scheme = match protocol {
            // The same cloud signs everything that it serves.
            _ if matches!(
                self.scheme,
                AuthScheme::None | AuthScheme::SigV4(_) | AuthScheme::ServiceAccount(_)
            ) =>
            {
                self.scheme.clone()
            }
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
    /// `authorization: Bearer TOKEN`, with a token that Google gives for the key: a service account's
    /// file, an authorized user's, or a token that is ready.
    ServiceAccount(ServiceAccount),
}

/// What Google's token is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// <https://developers.google.com/identity/protocols/oauth2/scopes>
    pub scope: String,
}

/// For whom AWS' signature is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4 {
    /// The service's name in signatures, which its host's may differ from.
    pub service: String,
    /// By default the region that the base URL's host names. `{name}` stands for a variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

const ONE_SCHEME: &str = "auth names exactly one of bearer, header, query, sigv4 and service_account \
                          (env stands beside all but bearer, which names it itself)";

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"none\", { bearer = \"ENV_NAME\" }, { header = \"name\", env = \"ENV_NAME\" }, { query = \"name\", env = \"ENV_NAME\" }, { sigv4 = { service = \"name\" }, env = \"ENV_NAME\" } or { service_account = { scope = \"https://…\" }, env = \"ENV_NAME\" }"
)]
enum RawAuth {
    Word(String),
    Table(RawAuthTable),
}

#[derive(Default, Serialize, Deserialize)]
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
    service_account: Option<ServiceAccount>,
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
        let mut env = table.env;
        let mut schemes = Vec::new();
        if let Some(name) = table.bearer {
            // It names the variable itself.
            if env.replace(name).is_some() {
                return Err(ONE_SCHEME.to_owned());
            }
            schemes.push(AuthScheme::Bearer);
        }
        schemes.extend(table.header.map(AuthScheme::Header));
        schemes.extend(table.query.map(AuthScheme::Query));
        schemes.extend(table.sigv4.map(AuthScheme::SigV4));
        schemes.extend(table.service_account.map(AuthScheme::ServiceAccount));
        let (Some(scheme), None) = (schemes.pop(), schemes.pop()) else {
            return Err(ONE_SCHEME.to_owned());
        };
        Ok(Self { scheme, env, is_optional: table.optional })
    }
}

impl From<Auth> for RawAuth {
    fn from(auth: Auth) -> Self {
        let mut table = RawAuthTable { env: auth.env, optional: auth.is_optional, ..RawAuthTable::default() };
        match auth.scheme {
            AuthScheme::None => return Self::Word("none".to_owned()),
            AuthScheme::Bearer => table.bearer = table.env.take(),
            AuthScheme::Header(name) => table.header = Some(name),
            AuthScheme::Query(name) => table.query = Some(name),
            AuthScheme::SigV4(sigv4) => table.sigv4 = Some(sigv4),
            AuthScheme::ServiceAccount(account) => table.service_account = Some(account),
        }
        Self::Table(table)
    }
}
