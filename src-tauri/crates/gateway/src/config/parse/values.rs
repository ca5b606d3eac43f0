//! Single values of the settings.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use crate::config::KeySource;

/// `keychain`, `env:NAME` or `none`.
pub(super) fn key_source(text: &str) -> Option<KeySource> {
    match text {
        "keychain" => Some(KeySource::Keychain),
        "none" => Some(KeySource::None),
        _ => {
            let name = text.strip_prefix("env:")?;
            let is_name = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            is_name.then(|| KeySource::Env(name.to_owned()))
        }
    }
}

/// `500ms`, `10s`, `5m`, `1h`; more than nothing and at most a day.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let millis = match unit.trim() {
        "ms" => number,
        "s" => number.checked_mul(1_000)?,
        "m" => number.checked_mul(60_000)?,
        "h" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    (1..=86_400_000).contains(&millis).then(|| Duration::from_millis(millis))
}

/// A provider's base URL without a slash at its end, or why it cannot be one.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    // Not quoted in messages: people do put keys into URLs.
    if !text.contains("://") {
        // A host and its port would read as a scheme and a path.
        return Err("The base_url does not say how to reach its host: write http:// before it, or https:// \
                    where the host is in another network."
            .to_owned());
    }
    let url = Url::parse(text)
        .map_err(|error| format!("The base_url is no URL ({error}); write \"https://host/path\"."))?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("The base_url may have no user name, password, query or fragment; \
                    a key belongs into the keychain or the environment."
            .to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if is_near(&url) => {}
        "http" => {
            return Err("The base_url is plain http to another network: the key and every message could be \
                        read on the way. Use https."
                .to_owned());
        }
        scheme => {
            return Err(format!("The base_url begins with {scheme}://; only https:// and http:// work."));
        }
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// On this machine or in its own network.
fn is_near(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        // A bare name, or one of the two suffixes that never leave the house (RFC 6761, RFC 6762).
        Err(_) => match host.rsplit_once('.') {
            None => true,
            Some((_, last)) => last.eq_ignore_ascii_case("local") || last.eq_ignore_ascii_case("localhost"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_scheme_is_told_what_to_write_before_it() {
        for text in ["localhost:1234/v1", "gpu-box:8000", "127.0.0.1:8080/v1", "api.openai.com"] {
            let error = base_url(text).unwrap_err();
            assert!(error.contains("write http:// before it"), "{text}: {error}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        for bad in ["", "10", "s", "0s", "-1s", "25h", "99999999999999999999s", "1d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn plain_http_stays_in_the_house() {
        for good in [
            "https://api.openai.com/v1/",
            "http://127.0.0.1:8080",
            "http://localhost:1/v1",
            "http://[::1]:80",
            "http://192.168.1.4",
            "http://gpu-box:8000/v1",
        ] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.openai.com/v1",
            "ftp://127.0.0.1",
            "api.openai.com",
            "https://sk-1@host/v1",
            "https://host/v1?key=sk-1",
        ] {
            let error = base_url(bad).unwrap_err();
            assert!(!error.contains("sk-1"), "{error}");
        }
    }
}
