//! The catalogue's `auth` → headers or a query parameter. Here, in [`super::sigv4`] and in
//! [`super::google`] a key is written out, nowhere else.

use std::time::SystemTime;

use canonical::{Error, ErrorKind, Origin, Retry};
use catalog::{Auth, AuthScheme};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Request, Url};

use super::google::{Access, Proof};
use super::sigv4;
use crate::secrets::Secret;

/// Puts the key where the provider looks for it. Without a key the request goes unsigned.
pub(super) fn sign_url(url: &mut Url, auth: &Auth, key: Option<&Secret>) {
    if let (AuthScheme::Query(name), Some(key)) = (&auth.scheme, key) {
        url.query_pairs_mut().append_pair(name, key.expose());
    }
}

/// Shows who pays in the headers; `now` is the moment of a signature, `access` what Google gave for
/// the key, where it was asked.
pub(super) fn sign_headers(
    request: &mut Request,
    auth: &Auth,
    key: Option<&Secret>,
    access: Option<&Access>,
    now: SystemTime,
) -> Result<(), Error> {
    let Some(key) = key else { return Ok(()) };
    let is_plain = !matches!(auth.scheme, AuthScheme::None | AuthScheme::ServiceAccount(_));
    if is_plain && key.expose().starts_with('{') {
        return Err(refused("The provider's key is a file's JSON, and the provider takes a plain key."));
    }
    let (name, value) = match &auth.scheme {
        AuthScheme::None | AuthScheme::Query(_) => return Ok(()),
        AuthScheme::SigV4(scheme) => return sigv4::sign_request(request, scheme, key, now),
        AuthScheme::ServiceAccount(_) => return sign_for_google(request, key, access),
        AuthScheme::Bearer => (AUTHORIZATION, bearer(key)?),
        AuthScheme::Header(name) => {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
            (name, sensitive(key.expose())?)
        }
    };
    request.headers_mut().insert(name, value);
    Ok(())
}

fn sign_for_google(request: &mut Request, key: &Secret, access: Option<&Access>) -> Result<(), Error> {
    let Some(access) = access else { return Err(unusable()) };
    let headers = request.headers_mut();
    match &access.proof {
        Proof::Token(token) => headers.insert(AUTHORIZATION, bearer(token)?),
        Proof::ApiKey => headers.insert(HeaderName::from_static("x-goog-api-key"), sensitive(key.expose())?),
    };
    if let Some(project) = &access.quota_project {
        let value = HeaderValue::try_from(project).map_err(|_| unusable())?;
        headers.insert(HeaderName::from_static("x-goog-user-project"), value);
    }
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
