//! Against web pages that reach for local ports: a page may send requests to 127.0.0.1, and by DNS
//! rebinding make them look like its own. Both show in `Host` and `Origin`.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri};
use canonical::{Error, ErrorKind, Origin};

/// Refuses a request that was not meant for this machine's own name, or that a foreign page sent.
pub(super) fn check(headers: &HeaderMap, uri: &Uri) -> Result<(), Error> {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or(""));
    // HTTP/2 says the host in the address.
    let Some(host) = text(HOST).or_else(|| uri.authority().map(Authority::as_str)) else {
        return Err(refused("The request names no host."));
    };
    if !is_this_machine(host) {
        return Err(refused("The request's Host is not this machine: use 127.0.0.1, localhost or [::1]."));
    }
    match text(ORIGIN) {
        Some(origin) if !is_same(origin, host) => {
            Err(refused("Requests from web pages are refused: call Signalbox from a program."))
        }
        _ => Ok(()),
    }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Permission, Origin::Caller, message)
}

fn is_this_machine(host: &str) -> bool {
    // `[::1]:8790`, `127.0.0.1:8790`, `localhost`; a colon outside of brackets begins the port.
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_same(origin: &str, host: &str) -> bool {
    origin.strip_prefix("http://").is_some_and(|rest| rest.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_and_no_foreign_page_get_in() {
        for (host, origin, is_allowed) in [
            ("127.0.0.1:8790", None, true),
            ("localhost:8790", None, true),
            ("LOCALHOST", None, true),
            ("[::1]:8790", None, true),
            ("127.0.0.1:8790", Some("http://127.0.0.1:8790"), true),
            ("127.0.0.1:8790", Some("http://127.0.0.1:5173"), false),
            ("127.0.0.1:8790", Some("https://evil.example"), false),
            ("127.0.0.1:8790", Some("null"), false),
            ("evil.example:8790", None, false),
            ("localhost.evil.example", None, false),
            ("192.168.1.7:8790", None, false),
            ("", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(check(&headers, &Uri::from_static("/")).is_ok(), is_allowed, "{host} {origin:?}");
        }
        let none = HeaderMap::new();
        assert!(check(&none, &Uri::from_static("/")).is_err());
        assert!(check(&none, &Uri::from_static("http://localhost:8790/healthz")).is_ok());
        assert!(check(&none, &Uri::from_static("http://evil.example/healthz")).is_err());
    }
}
