//! AWS' Signature Version 4 over a request, by AWS' own signer.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use canonical::Error;
use catalog::SigV4;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Request, Url};

use super::sign::{bearer, refused, unusable};
use crate::secrets::Secret;

/// What a key for AWS turned out to be.
enum Key {
    Credentials(Credentials),
    /// A Bedrock API key, which stands for itself.
    Api,
}

/// Adds the date, the session's token and the signature. The region is the scheme's own, or the one
/// that the host names.
pub(super) fn sign_request(
    request: &mut Request,
    scheme: &SigV4,
    key: &Secret,
    now: SystemTime,
) -> Result<(), Error> {
    let identity = match read_key(key, |name| std::env::var(name).ok())? {
        Key::Credentials(credentials) => credentials.into(),
        Key::Api => {
            request.headers_mut().insert(AUTHORIZATION, bearer(key)?);
            return Ok(());
        }
    };
    let Some(region) = scheme.region.as_deref().or_else(|| region_of(request.url())) else {
        return Err(refused(
            "AWS' signature names a region, and the provider's base URL names none: \
             use the address of one region (https://bedrock-runtime.us-east-1.amazonaws.com).",
        ));
    };
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(&scheme.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| unusable())?
        .into();
    // Only what nobody on the way has a reason to change.
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let headers = content_type.map(|value| (CONTENT_TYPE.as_str(), value));
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        headers.into_iter(),
        SignableBody::Bytes(body),
    );
    let signed = signable.and_then(|signable| sign(signable, &parameters)).map_err(|_| unusable())?;
    let (instructions, _) = signed.into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::try_from(name).map_err(|_| unusable())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

/// `ID:SECRET[:TOKEN]`, an access key's id alone, which AWS' own variables complete, or an API key:
/// ids are of capitals and digits, API keys are not.
fn read_key(key: &Secret, variable: impl Fn(&str) -> Option<String>) -> Result<Key, Error> {
    let made = |id: &str, secret: &str, token: Option<String>| {
        Key::Credentials(Credentials::new(id, secret, token, None, "signalbox"))
    };
    let mut pieces = key.expose().splitn(3, ':');
    match (pieces.next().unwrap_or_default(), pieces.next(), pieces.next()) {
        (id, Some(secret), token) if !id.is_empty() && !secret.is_empty() => {
            Ok(made(id, secret, token.map(str::to_owned)))
        }
        (id, None, _) if id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) => {
            let said =
                |name| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            match said("AWS_SECRET_ACCESS_KEY") {
                Some(secret) => Ok(made(id, &secret, said("AWS_SESSION_TOKEN"))),
                None => Err(refused(
                    "The provider's key is an access key's id alone. Use ACCESS_KEY_ID:SECRET_ACCESS_KEY \
                     as the key, or set the environment variable AWS_SECRET_ACCESS_KEY beside it.",
                )),
            }
        }
        (_, None, _) => Ok(Key::Api),
        _ => Err(refused("The provider's key is not ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN].")),
    }
}

/// The label of the host that is a region's name: `eu-west-1`, `us-gov-west-1`.
fn region_of(url: &Url) -> Option<&str> {
    url.host_str()?.split('.').find(|label| {
        let words: Vec<&str> = label.split('-').collect();
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        matches!(words.as_slice(), [area, places @ .., number]
            if area.len() == 2 && is_word(area) && !places.is_empty() && places.iter().all(is_word)
                && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::Method;

    use super::*;

    /// 2015-08-30T12:36:00Z, the moment of AWS' published examples.
    const NOW: Duration = Duration::from_secs(1_440_938_160);
    const KEY: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signed(method: Method, url: &str, key: &str, scheme: &SigV4) -> Result<Request, Error> {
        let mut request = Request::new(method, url.parse().unwrap());
        let now = SystemTime::UNIX_EPOCH + NOW;
        sign_request(&mut request, scheme, &Secret::new(key).unwrap(), now).map(|()| request)
    }

    fn header<'a>(request: &'a Request, name: &str) -> &'a str {
        request.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `get-vanilla`, `post-vanilla` and `get-vanilla-with-session-token` of the test suite that AWS
    /// publishes: <https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4>.
    #[test]
    fn signatures_are_those_that_aws_publishes() {
        let scheme = SigV4 { service: "service".into(), region: Some("us-east-1".into()) };
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        for (method, key, headers, signature) in [
            (
                Method::GET,
                KEY.to_owned(),
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::POST,
                KEY.to_owned(),
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                Method::GET,
                format!("{KEY}:{token}"),
                "host;x-amz-date;x-amz-security-token",
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
        ] {
            let request = signed(method, "https://example.amazonaws.com/", &key, &scheme).unwrap();
            assert_eq!(
                header(&request, "authorization"),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders={headers}, Signature={signature}"
                )
            );
            assert_eq!(header(&request, "x-amz-date"), "20150830T123600Z");
        }
    }

    /// A model's id is escaped once on the wire and once more in what is signed; the body and its
    /// type are signed too. Computed apart, step by step as AWS' document has it.
    #[test]
    fn an_escaped_path_and_a_body_are_signed_as_the_document_says() {
        use sha2::{Digest as _, Sha256};
        let hex = |bytes: &[u8]| {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>()
        };
        let hmac = |key: &[u8], text: &str| {
            let mut block = [0_u8; 64];
            block[..key.len()].copy_from_slice(key);
            let inner =
                Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
            let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner);
            outer.finalize().to_vec()
        };
        let body = "{\"messages\":[]}";
        let canonical = format!(
            "POST\n/model/amazon.nova-lite-v1%253A0/converse\n\ncontent-type:application/json\n\
             host:bedrock-runtime.eu-west-1.amazonaws.com\nx-amz-date:20150830T123600Z\n\n\
             content-type;host;x-amz-date\n{}",
            hex(&Sha256::digest(body))
        );
        let scope = "20150830/eu-west-1/bedrock/aws4_request";
        let to_sign =
            format!("AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let secret = KEY.split_once(':').unwrap().1;
        let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, step| hmac(&key, step));
        let expected = hex(&hmac(&key, &to_sign));

        let url = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse";
        let mut request = Request::new(Method::POST, url.parse().unwrap());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        let scheme = SigV4 { service: "bedrock".into(), region: None };
        let now = SystemTime::UNIX_EPOCH + NOW;
        sign_request(&mut request, &scheme, &Secret::new(KEY).unwrap(), now).unwrap();
        assert!(header(&request, "authorization").ends_with(&format!("Signature={expected}")));
        assert!(!format!("{request:?}").contains(&expected), "a signature is printed");
    }

    #[test]
    fn a_key_is_credentials_an_id_that_the_environment_completes_or_an_api_key() {
        let read = |key: &str, variables: &[(&str, &str)]| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(have, _)| *have == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            match read_key(&Secret::new(key).unwrap(), variable) {
                Ok(Key::Credentials(found)) => {
                    Ok(Some((found.secret_access_key().to_owned(), found.session_token().map(str::to_owned))))
                }
                Ok(Key::Api) => Ok(None),
                Err(error) => Err(error.message),
            }
        };
        let is = |secret: &str, token: Option<&str>| Ok(Some((secret.to_owned(), token.map(str::to_owned))));
        assert_eq!(read("AKIA1:se/cret", &[]), is("se/cret", None));
        assert_eq!(read("ASIA1:secret:to:ken", &[]), is("secret", Some("to:ken")));
        let both = [("AWS_SECRET_ACCESS_KEY", "beside"), ("AWS_SESSION_TOKEN", "token")];
        assert_eq!(read("AKIA1", &both), is("beside", Some("token")));
        assert!(read("AKIA1", &[]).unwrap_err().contains("AWS_SECRET_ACCESS_KEY"));
        assert!(read("AKIA1:", &both).is_err());
        assert_eq!(read("ABSKQmVkcm9ja0FQSUtleS0=", &both), Ok(None));
    }

    #[test]
    fn an_api_key_is_sent_as_it_is() {
        let scheme = SigV4 { service: "bedrock".into(), region: None };
        let request = signed(Method::GET, "https://example.com/", "ABSKabc", &scheme).unwrap();
        assert_eq!(header(&request, "authorization"), "Bearer ABSKabc");
        assert_eq!(header(&request, "x-amz-date"), "");
    }

    #[test]
    fn the_region_is_read_off_the_host() {
        for (url, region) in [
            ("https://bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            (
                "https://vpce-1a2b-3c.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com",
                Some("ap-southeast-2"),
            ),
            ("https://bedrock-runtime.amazonaws.com", None),
            ("http://127.0.0.1:8080", None),
        ] {
            assert_eq!(region_of(&url.parse().unwrap()), region, "{url}");
        }
        let scheme = SigV4 { service: "bedrock".into(), region: None };
        let error = signed(Method::GET, "https://example.com/", KEY, &scheme).unwrap_err();
        assert!(error.message.contains("region"), "{}", error.message);
    }
}
