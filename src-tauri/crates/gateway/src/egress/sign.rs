//! The catalogue's `auth` → headers or a query parameter. The only place where a key is written out.

use canonical::{Error, ErrorKind, Origin, Retry};
use catalog::{Auth, AuthScheme};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Url};

use crate::secrets::Secret;

/// Puts the key where the provider looks for it. Without a key the request goes unsigned.
pub(crate) fn sign_url(url: &mut Url, auth: &Auth, key: Option<&Secret>) {
    if let (AuthScheme::Query(name), Some(key)) = (&auth.scheme, key) {
        url.query_pairs_mut().append_pair(name, key.expose());
    }
}

pub(crate) fn sign_headers(
    request: RequestBuilder,
    auth: &Auth,
    key: Option<&Secret>,
) -> Result<RequestBuilder, Error> {
    let Some(key) = key else { return Ok(request) };
    let (name, value) = match &auth.scheme {
        AuthScheme::None | AuthScheme::Query(_) => return Ok(request),
        AuthScheme::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
        AuthScheme::Header(name) => {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
            (name, key.expose().to_owned())
        }
    };
    let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
    // Keeps it out of reqwest's own debug output and out of HTTP/2's shared compression table.
    value.set_sensitive(true);
    Ok(request.header(name, value))
}

fn unusable() -> Error {
    let mut error = Error::new(
        ErrorKind::Authentication,
        Origin::Gateway,
        "The provider's key cannot be sent as a header.",
    );
    error.retry = Retry::NextTarget;
    error
}
