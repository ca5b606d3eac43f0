//! Access tokens for Google's clouds, out of a service account's key or an authorized user's.
//! <https://developers.google.com/identity/protocols/oauth2/service-account>
//!
//! A token is asked for once, however many requests wait for it, kept until shortly before it runs
//! out, and asked for anew where a provider refuses it. The JWT is signed with what TLS is made of
//! already (rustls on ring), so no crate is added for three lines of JSON and a signature.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canonical::{Error, ErrorKind, Origin, Retry};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::client::read_body;
use super::sign::refused;
use crate::clock::Clock;
use crate::secrets::Secret;

/// How long Google may take over a token.
const TOKEN_DEADLINE: Duration = Duration::from_secs(20);

/// A token is not used in its last minutes: the request that it goes with may wait on its way.
const MARGIN: Duration = Duration::from_secs(180);

/// How long a JWT says it is good for, and a token where its answer does not say: the most there is.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A token's answer is a few kilobytes.
const MAX_ANSWER_BYTES: usize = 1 << 16;

/// Where an authorized user's token is asked for; the file does not say.
const USER_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// What a request is signed with.
#[derive(Clone)]
pub(super) struct Access {
    pub proof: Proof,
    /// The project that the key belongs to.
    pub project: Option<String>,
    /// Who pays, where that is not the project in the path.
    pub quota_project: Option<String>,
}

#[derive(Clone)]
pub(super) enum Proof {
    Token(Secret),
    /// An API key, which stands for itself.
    ApiKey,
}

/// The tokens of all providers. Shared by all who send.
#[derive(Clone)]
pub(super) struct Tokens {
    by_provider: Arc<Mutex<HashMap<String, Slot>>>,
    may_ask: fn(&Url) -> bool,
}

type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

struct Held {
    /// What it was made of: another key needs another token.
    key: Secret,
    scope: String,
    access: Access,
    until: Instant,
}

impl Default for Tokens {
    fn default() -> Self {
        // A signed JWT is as good as a password.
        Self { by_provider: Arc::default(), may_ask: |url| url.scheme() == "https" }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(•••)")
    }
}

impl Tokens {
    /// What `key` gives access with, and whether it was there already.
    pub(super) async fn access(
        &self,
        client: &Client,
        provider: &str,
        scope: &str,
        key: &Secret,
        clock: Clock,
    ) -> Result<(Access, bool), Error> {
        let slot = Arc::clone(self.slots().entry(provider.to_owned()).or_default());
        // Held while Google is asked: who comes second finds the token.
        let mut held = slot.lock().await;
        let is_good = |held: &&Held| {
            held.key.expose() == key.expose() && held.scope == scope && clock.now() < held.until
        };
        if let Some(held) = held.as_ref().filter(is_good) {
            return Ok((held.access.clone(), true));
        }
        let credentials = Credentials::read(key)?;
        let (access, lifetime) = match credentials.question(scope, clock.system())? {
            Question::None(proof) => (credentials.access(proof), LIFETIME),
            Question::Ask { token_uri, form } => {
                let asked = tokio::time::timeout(TOKEN_DEADLINE, self.ask(client, &token_uri, &form));
                let answer = asked.await.map_err(|_| unreachable("did not answer in time"))??;
                let token = Secret::new(&answer.access_token)
                    .map_err(|_| refused("Google's answer has no usable access token."))?;
                // Whoever hides the key in what a provider says hides the token as well.
                key.hide_also(&token);
                let lifetime = answer.expires_in.map_or(LIFETIME, Duration::from_secs);
                (credentials.access(Proof::Token(token)), lifetime)
            }
        };
        let until = clock.now() + lifetime.saturating_sub(MARGIN);
        *held = Some(Held { key: key.clone(), scope: scope.to_owned(), access: access.clone(), until });
        Ok((access, false))
    }

    /// The provider refused its token.
    pub(super) async fn forget(&self, provider: &str) {
        let slot = self.slots().get(provider).cloned();
        if let Some(slot) = slot {
            *slot.lock().await = None;
        }
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<String, Slot>> {
        self.by_provider.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, client: &Client, token_uri: &str, form: &str) -> Result<Answer, Error> {
        let url = Url::parse(token_uri).ok().filter(self.may_ask);
        let url = url.ok_or_else(|| refused("The token_uri of the provider's key is no https address."))?;
        let request =
            client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned());
        let response = request.send().await.map_err(|_| unreachable("could not be reached"))?;
        let status = response.status();
        let body = read_body(response, MAX_ANSWER_BYTES).await.map_err(|_| unreachable("hung up"))?;
        let body = Zeroizing::new(body);
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(unreachable(&format!("failed (HTTP {})", status.as_u16())));
        }
        if !status.is_success() {
            return Err(refusal(status.as_u16(), &body));
        }
        serde_json::from_slice(&body).map_err(|_| refused("Google's answer has no usable access token."))
    }
}

/// <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>
#[derive(Deserialize)]
struct Answer {
    access_token: Zeroizing<String>,
    expires_in: Option<u64>,
}

/// Google says no: its own code and sentence, in which neither the JWT nor a key stands.
fn refusal(status: u16, body: &[u8]) -> Error {
    #[derive(Default, Deserialize)]
    struct Said {
        error: Option<String>,
        error_description: Option<String>,
    }
    let said: Said = serde_json::from_slice(body).unwrap_or_default();
    let what: Vec<String> = [said.error, said.error_description]
        .into_iter()
        .flatten()
        .map(|text| text.chars().take(200).collect())
        .collect();
    let mut error = refused(&format!(
        "Google gives no access token for the provider's key (HTTP {status}{}{}). Check that the key is not \
         deleted, and this computer's clock.",
        if what.is_empty() { "" } else { ": " },
        what.join(", ")
    ));
    error.status = Some(status);
    error
}

fn unreachable(what: &str) -> Error {
    let message = format!("Google's token endpoint, which the provider's key names, {what}.");
    let mut error = Error::new(ErrorKind::Network, Origin::Network, message);
    error.retry = Retry::NextTarget;
    error
}

/// What a key turned out to be.
enum Credentials {
    File(Box<File>),
    Token(Secret),
    ApiKey,
}

/// The files that Google's tools write. <https://google.aip.dev/auth/4110>
#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<Zeroizing<String>>,
    token_uri: Option<String>,
    project_id: Option<String>,
    quota_project_id: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Zeroizing<String>>,
    refresh_token: Option<Zeroizing<String>>,
}

enum Question {
    None(Proof),
    Ask { token_uri: String, form: Zeroizing<String> },
}

impl Credentials {
    fn read(key: &Secret) -> Result<Self, Error> {
        let text = key.expose();
        if text.starts_with('{') {
            let file = serde_json::from_str(text).map_err(|_| {
                refused("The provider's key is JSON, but no service account's key file and none of gcloud's.")
            })?;
            return Ok(Self::File(Box::new(file)));
        }
        // <https://cloud.google.com/docs/authentication/token-types#access>
        Ok(if text.starts_with("ya29.") { Self::Token(key.clone()) } else { Self::ApiKey })
    }

    fn access(&self, proof: Proof) -> Access {
        match self {
            Self::File(file) => Access {
                proof,
                project: file.project_id.clone().or_else(|| file.quota_project_id.clone()),
                quota_project: file.quota_project_id.clone(),
            },
            Self::Token(_) | Self::ApiKey => Access { proof, project: None, quota_project: None },
        }
    }

    fn question(&self, scope: &str, now: SystemTime) -> Result<Question, Error> {
        let file = match self {
            Self::Token(token) => return Ok(Question::None(Proof::Token(token.clone()))),
            Self::ApiKey => return Ok(Question::None(Proof::ApiKey)),
            Self::File(file) => file,
        };
        match file.kind.as_str() {
            "service_account" => file.assertion(scope, now),
            "authorized_user" => file.refresh(),
            kind => Err(refused(&format!(
                "The provider's key is of the type \"{}\"; Signalbox takes \"service_account\" and \"authorized_user\".",
                kind.chars().take(60).collect::<String>()
            ))),
        }
    }
}

impl File {
    fn assertion(&self, scope: &str, now: SystemTime) -> Result<Question, Error> {
        let (Some(email), Some(pem), Some(token_uri)) =
            (&self.client_email, &self.private_key, &self.token_uri)
        else {
            return Err(refused(
                "The provider's service account key is not whole: it needs client_email, private_key and token_uri.",
            ));
        };
        let issued = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.private_key_id });
        let claims = json!({
            "iss": email,
            "scope": scope,
            "aud": token_uri,
            "iat": issued,
            "exp": issued + LIFETIME.as_secs(),
        });
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = URL_SAFE_NO_PAD.encode(sign(pem, signed.as_bytes())?);
        let assertion = format!("{signed}.{signature}");
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let form = form(&[("grant_type", grant), ("assertion", &assertion)]);
        Ok(Question::Ask { token_uri: token_uri.clone(), form })
    }

    /// <https://developers.google.com/identity/protocols/oauth2/web-server#offline>
    fn refresh(&self) -> Result<Question, Error> {
        let (Some(id), Some(secret), Some(token)) =
            (&self.client_id, &self.client_secret, &self.refresh_token)
        else {
            return Err(refused(
                "The provider's key is not whole: an authorized user's has client_id, client_secret and refresh_token.",
            ));
        };
        let form = form(&[
            ("grant_type", "refresh_token"),
            ("client_id", id),
            ("client_secret", secret),
            ("refresh_token", token),
        ]);
        let token_uri = self.token_uri.clone().unwrap_or_else(|| USER_TOKEN_URI.to_owned());
        Ok(Question::Ask { token_uri, form })
    }
}

/// RS256 over `message`.
fn sign(pem: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
    let unusable = || refused("The private_key in the provider's key is no RSA key in PEM.");
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable())?;
    let key = rustls::crypto::ring::sign::any_supported_type(&der).map_err(|_| unusable())?;
    let signer = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or_else(unusable)?;
    signer.sign(message).map_err(|_| unusable())
}

fn form(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    // A query is written as a form is.
    let url = Url::parse_with_params("form:", pairs);
    Zeroizing::new(url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default())
}

#[cfg(test)]
impl Tokens {
    /// Asks servers of this machine without TLS, as a test has them.
    pub(super) fn on_this_machine() -> Self {
        Self { may_ask: |url| url.host_str() == Some("127.0.0.1"), ..Self::default() }
    }
}

#[cfg(test)]
#[path = "google_tests.rs"]
mod tests;
