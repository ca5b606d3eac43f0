//! HTTP to providers: pools, redirects, compression, and network errors in words.

use std::error::Error as _;
use std::fmt;
use std::sync::Once;
use std::time::Duration;

use canonical::{Error, ErrorKind, Origin};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use wire::{Headers, HttpRequest, Method, StreamFraming};

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

/// The connections to all providers, shared by all requests.
#[derive(Clone)]
pub(crate) struct Egress {
    /// For providers elsewhere: through the system's proxy, where one is set.
    far: Client,
    /// For providers on this machine: never through a proxy, which could not reach them.
    near: Client,
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
        Ok(Self { far: client(false)?, near: client(true)?, connect_timeout })
    }

    /// This one where the timeout is the same, with its open connections; else a new one.
    pub(crate) fn with_connect_timeout(&self, connect_timeout: Duration) -> Result<Self, String> {
        if connect_timeout == self.connect_timeout { Ok(self.clone()) } else { Self::new(connect_timeout) }
    }

    /// Sends `request` to `provider`, signed. Resolves when the answer's headers are here.
    pub(crate) async fn send(
        &self,
        provider: &Provider,
        request: HttpRequest,
        key: Option<&Secret>,
        wants_stream: bool,
    ) -> Result<Response, SendFailure> {
        let mut url = url_of(provider, &request)?;
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
        sign::sign_headers(&mut request, &provider.auth, key, Clock.system())?;
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

fn url_of(provider: &Provider, request: &HttpRequest) -> Result<Url, Error> {
    let mut url = Url::parse(&format!("{}{}", provider.base_url, request.path)).map_err(|error| {
        Error::new(
            ErrorKind::Internal,
            Origin::Gateway,
            format!("The address of the provider \"{}\" is no URL: {error}.", provider.id),
        )
    })?;
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
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
