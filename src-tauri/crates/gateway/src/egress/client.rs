//! HTTP to providers: pools, redirects, compression, and network errors in words.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;
use std::sync::Once;
use std::time::Duration;

use canonical::{Error, ErrorKind, Origin};
use catalog::AuthScheme;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use wire::{Headers, HttpRequest, Method, StreamFraming};

use super::google::{Access, Tokens};
use super::sign;
use crate::clock::Clock;
use crate::providers::Provider;
use crate::secrets::Secret;

/// The largest answer that is taken whole.
pub(crate) const MAX_BODY_BYTES: usize = 64 << 20;

/// How much of an error's body is read: providers explain themselves in less.
pub(crate) const MAX_ERROR_BYTES: usize = 1 << 20;

/// Idle connections are kept this long; many providers hang up after a minute or so.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// How long a server on this machine may take to say what it is.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// More than any server's list of models.
const MAX_PROBE_BYTES: usize = 1 << 20;

/// What came of asking whether a server is there.
#[derive(Debug)]
pub(crate) enum Probed {
    Answer(Vec<u8>),
    /// Somebody listens and has not answered in time.
    Late,
    Nothing,
}

/// The connections to all providers, shared by all requests.
#[derive(Clone)]
pub(crate) struct Egress {
    /// For providers elsewhere: through the system's proxy, where one is set.
    far: Client,
    /// For providers on this machine: never through a proxy, which could not reach them.
    near: Client,
    /// What Google gave for keys.
    tokens: Tokens,
    connect_timeout: Duration,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress").field("connect_timeout", &self.connect_timeout).finish_non_exhaustive()
    }
}

impl Egress {
    /// # Errors
    /// What TLS has to say, as when the system's certificates cannot be read.
    pub(crate) fn new(connect_timeout: Duration) -> Result<Self, String> {
        install_tls();
        let client = |no_proxy: bool| {
            let builder = Client::builder()
                .user_agent(concat!("signalbox/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(connect_timeout)
                .pool_idle_timeout(POOL_IDLE)
                // A redirect would carry the key to wherever it points.
                .redirect(Policy::none())
                .tcp_nodelay(true);
            let builder = if no_proxy { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| describe(&error))
        };
        Ok(Self { far: client(false)?, near: client(true)?, tokens: Tokens::default(), connect_timeout })
    }

    /// This one where the timeout is the same, with its open connections; else a new one.
    pub(crate) fn with_connect_timeout(&self, connect_timeout: Duration) -> Result<Self, String> {
        if connect_timeout == self.connect_timeout {
            return Ok(self.clone());
        }
        Ok(Self { tokens: self.tokens.clone(), ..Self::new(connect_timeout)? })
    }

    #[cfg(test)]
    pub(super) fn use_tokens(&mut self, tokens: Tokens) {
        self.tokens = tokens;
    }

    /// Asks the host of `base_url` for `path`, without a key. Only this machine is asked.
    pub(crate) async fn probe(&self, base_url: &str, path: &str) -> Probed {
        let url = Url::parse(base_url).and_then(|base| base.join(path));
        let Some(url) = url.ok().filter(is_loopback) else { return Probed::Nothing };
        let asked = async {
            let response = self.near.get(url).header(ACCEPT, "application/json").send().await.ok()?;
            let is_well = response.status().is_success();
            read_body(response, MAX_PROBE_BYTES).await.ok().filter(|_| is_well)
        };
        match tokio::time::timeout(PROBE_DEADLINE, asked).await {
            Ok(Some(body)) => Probed::Answer(body),
            Ok(None) => Probed::Nothing,
            Err(_) => Probed::Late,
        }
    }

    /// Sends `request` to `provider`, signed. Resolves when the answer's headers are here.
    pub(crate) async fn send(
        &self,
        provider: &Provider,
        request: HttpRequest,
        key: Option<&Secret>,
        wants_stream: bool,
    ) -> Result<Response, SendFailure> {
        let Some((access, was_kept)) = self.access(provider, key).await? else {
            return self.send_signed(provider, request, key, None, wants_stream).await;
        };
        // A token may be withdrawn before it runs out; a new one is refused for another reason.
        let again = was_kept.then(|| request.clone());
        let response = self.send_signed(provider, request, key, Some(&access), wants_stream).await?;
        let Some(request) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        self.tokens.forget(&provider.id).await;
        let Some((access, _)) = self.access(provider, key).await? else { return Ok(response) };
        self.send_signed(provider, request, key, Some(&access), wants_stream).await
    }

    /// What Google gives for the key, and whether it was there already. `None` where it is not asked.
    async fn access(
        &self,
        provider: &Provider,
        key: Option<&Secret>,
    ) -> Result<Option<(Access, bool)>, Error> {
        let (AuthScheme::ServiceAccount(account), Some(key)) = (&provider.auth.scheme, key) else {
            return Ok(None);
        };
        self.tokens.access(&self.far, &provider.id, &account.scope, key, Clock).await.map(Some)
    }

    async fn send_signed(
        &self,
        provider: &Provider,
        request: HttpRequest,
        key: Option<&Secret>,
        access: Option<&Access>,
        wants_stream: bool,
    ) -> Result<Response, SendFailure> {
        let mut url = url_of(provider, &request, access)?;
        let client = if is_loopback(&url) { &self.near } else { &self.far };
        sign::sign_url(&mut url, &provider.auth, key);
        let mut builder = match request.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url).header(CONTENT_TYPE, "application/json").body(request.body),
        };
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        builder = if wants_stream {
            // A compressor holds words back until its block is full.
            builder.header(ACCEPT, accept(provider)).header(ACCEPT_ENCODING, "identity")
        } else {
            builder.header(ACCEPT, "application/json")
        };
        let failed = |error: reqwest::Error| SendFailure {
            error: network_error(provider, &error),
            was_sent: !error.is_connect() && !error.is_builder(),
        };
        let mut request = builder.build().map_err(failed)?;
        sign::sign_headers(&mut request, &provider.auth, key, access, Clock.system())?;
        client.execute(request).await.map_err(failed)
    }
}

/// What a stream may come as, in the protocol's own word.
fn accept(provider: &Provider) -> &'static str {
    match provider.protocol.framing() {
        StreamFraming::Events | StreamFraming::Lines => "text/event-stream, application/json",
        StreamFraming::Binary => "application/vnd.amazon.eventstream",
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct SendFailure {
    pub error: Error,
    /// The request may have reached the provider, which may charge for it.
    pub was_sent: bool,
}

impl From<Error> for SendFailure {
    /// For what failed before anything was sent.
    fn from(error: Error) -> Self {
        Self { error, was_sent: false }
    }
}

/// One TLS implementation for the whole process.
fn install_tls() {
    static ONCE: Once = Once::new();
    // An error means that somebody installed one before, which serves as well.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// The provider's address with what only its key says filled in.
fn base_of<'p>(provider: &'p Provider, access: Option<&Access>) -> Result<Cow<'p, str>, Error> {
    let mut base = Cow::Borrowed(provider.base_url.as_str());
    let of_key = provider.kind.variables.iter().filter(|variable| variable.from_key.is_some());
    for variable in of_key {
        let placeholder = format!("{{{}}}", variable.name);
        if !base.contains(&placeholder) {
            continue;
        }
        let Some(project) = access.and_then(|access| access.project.as_deref()) else {
            return Err(sign::refused(&format!(
                "The provider \"{}\" needs {1} in its settings ({1} = \"…\"): its key does not say it.",
                provider.id, variable.name
            )));
        };
        base = base.replace(&placeholder, project).into();
    }
    Ok(base)
}

fn url_of(provider: &Provider, request: &HttpRequest, access: Option<&Access>) -> Result<Url, Error> {
    let base_url = base_of(provider, access)?;
    let mut url = Url::parse(&format!("{base_url}{}", request.path)).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            Origin::Gateway,
            format!("The address of the provider \"{}\" is no URL: {error}.", provider.id),
        )
    })?;
    let of_provider = provider.quirks.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let of_request = request.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query: Vec<(&str, &str)> = of_request.chain(of_provider).collect();
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What a failed connection means, in words that name the provider and the remedy.
pub(crate) fn network_error(provider: &Provider, error: &reqwest::Error) -> Error {
    let (kind, what) = if error.is_timeout() {
        (ErrorKind::Timeout, "could not be reached in time")
    } else if error.is_connect() {
        (ErrorKind::Network, "could not be reached")
    } else {
        (ErrorKind::Network, "hung up")
    };
    let host = Url::parse(&provider.base_url)
        .ok()
        .and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)))
        .unwrap_or_default();
    let message = format!("The provider \"{}\" ({host}) {what}: {}.", provider.id, describe(error));
    Error::new(kind, Origin::Network, message)
}

/// The innermost reason. Never the URL, whose query may hold a key.
fn describe(error: &reqwest::Error) -> String {
    let mut reason: Option<&dyn std::error::Error> = error.source();
    while let Some(inner) = reason.and_then(std::error::Error::source) {
        reason = Some(inner);
    }
    match reason {
        Some(reason) => reason.to_string(),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None => "the connection failed".to_owned(),
    }
}

/// The answer's headers as plain values; those that are no text are left out.
pub(crate) fn headers_of(response: &Response) -> Headers {
    response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect()
}

/// The body, as far as `limit` bytes; `Err(None)` where it is longer.
pub(crate) async fn read_body(
    mut response: Response,
    limit: usize,
) -> Result<Vec<u8>, Option<reqwest::Error>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Some)? {
        if body.len() + chunk.len() > limit {
            return Err(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
