//! The catalogue's `auth` → headers or a query parameter. Here and in [`super::sigv4`] a key is written
//! out, nowhere else.

use std::time::SystemTime;

use canonical::{Error, ErrorKind, Origin, Retry};
use catalog::{Auth, AuthScheme};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Request, Url};

use super::sigv4;
use crate::secrets::Secret;

/// Puts the key where the provider looks for it. Without a key the request goes unsigned.
pub(crate) fn sign_url(url: &mut Url, auth: &Auth, key: Option<&Secret>) {
    if let (AuthScheme::Query(name), Some(key)) = (&auth.scheme, key) {
        url.query_pairs_mut().append_pair(name, key.expose());
    }
}

/// Shows who pays in the headers; `now` is the moment of a signature.
pub(crate) fn sign_headers(
    request: &mut Request,
    auth: &Auth,
    key: Option<&Secret>,
    now: SystemTime,
) -> Result<(), Error> {
    let Some(key) = key else { return Ok(()) };
    let (name, value) = match &auth.scheme {
        AuthScheme::None | AuthScheme::Query(_) => return Ok(()),
        AuthScheme::SigV4(scheme) => return sigv4::sign_request(request, scheme, key, now),
        AuthScheme::Bearer => (AUTHORIZATION, bearer(key)?),
        AuthScheme::Header(name) => {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
            (name, sensitive(key.expose())?)
        }
    };
    request.headers_mut().insert(name, value);
    Ok(())
}

pub(super) fn bearer(key: &Secret) -> Result<HeaderValue, Error> {
    sensitive(&format!("Bearer {}", key.expose()))
}

fn sensitive(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
    // Keeps it out of reqwest's own debug output and out of HTTP/2's shared compression table.
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn unusable() -> Error {
    refused("The provider's key cannot be sent as a header.")
}

/// A key that cannot serve, and why; another target's may.
pub(super) fn refused(message: &str) -> Error {
    let mut error = Error::new(ErrorKind::Authentication, Origin::Gateway, message);
    error.retry = Retry::NextTarget;
    error
}
