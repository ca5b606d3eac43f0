//! Against a token endpoint on this machine. The key was made for these tests and opens nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::engine::general_purpose::STANDARD;
use catalog::Kinds;
use rustls::pki_types::alg_id;
use serde_json::Value;
use tokio::net::TcpListener;
use wire::HttpRequest;

use super::super::Egress;
use super::*;
use crate::config::{KeySource, ProviderConfig};
use crate::providers::Provider;

const PEM: &str = include_str!("google_test_key.pem");
/// The public half, as PKCS #1 has it.
const PUBLIC: &str = "MIIBCgKCAQEAtNTDDe5HTOVQfX+TzEiQIEedfqPajmkICX9TtAG+NRWEqqBiV5O6OOVBA99YzauUW9wtuf1IDuOpLJSQxU2GKMo67wugsWViMPfE/TC5NMuNLDLJ+5rfC4sj3KCyWsHH6YOkYohtbwaP1kvveKkocFETW/NtxSSfEzBdsiPKZB2hs5MpG3Oz0EDfwITrCSFf/bOW8YMnPSZxIJiS4I6m9RH9vaysWG/AIpg8ymp4bTt8oOYPnd4FEH5vKkOk5DliFMIiGciWfRcB1NK9MH2z2+qTtsCrMnd+AvJChwxoK5R6CmDXcXGHOT07hnoLVWpvtwk+0LXVNAnxcTHbxT3RVQIDAQAB";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A token endpoint and a provider behind it.
#[derive(Default)]
struct Google {
    asked: AtomicUsize,
    /// The forms that came, decoded.
    forms: Mutex<Vec<HashMap<String, String>>>,
    /// Tokens up to this one are withdrawn.
    withdrawn: AtomicUsize,
    /// What the provider was sent: path and headers.
    seen: Mutex<Vec<(String, HeaderMap)>>,
}

async fn token(State(google): State<Arc<Google>>, body: String) -> (StatusCode, String) {
    let url = Url::parse(&format!("form:?{body}")).unwrap();
    let form: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let number = google.asked.fetch_add(1, Ordering::SeqCst) + 1;
    let is_bad = form.get("refresh_token").is_some_and(|token| token == "revoked");
    google.forms.lock().unwrap().push(form);
    if is_bad {
        let said = json!({"error": "invalid_grant", "error_description": "Token has been revoked."});
        return (StatusCode::BAD_REQUEST, said.to_string());
    }
    let answer =
        json!({"access_token": format!("ya29.token-{number}"), "expires_in": 3599, "token_type": "Bearer"});
    (StatusCode::OK, answer.to_string())
}

async fn models(
    State(google): State<Arc<Google>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    google.seen.lock().unwrap().push((uri.path().to_owned(), headers));
    let number: usize =
        bearer.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
    if number <= google.withdrawn.load(Ordering::SeqCst) {
        return (
            StatusCode::UNAUTHORIZED,
            json!({"error": {"message": format!("{bearer} is bad")}}).to_string(),
        );
    }
    (StatusCode::OK, "{\"models\": []}".to_owned())
}

async fn google() -> (Arc<Google>, String) {
    let google = Arc::new(Google::default());
    let router =
        Router::new().route("/token", post(token)).fallback(get(models)).with_state(Arc::clone(&google));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (google, url)
}

fn service_account(url: &str) -> Secret {
    let file = json!({
        "type": "service_account", "project_id": "my-project", "private_key_id": "kid-1", "private_key": PEM,
        "client_email": "robot@my-project.iam.gserviceaccount.com", "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": format!("{url}/token"),
        "universe_domain": "googleapis.com",
    });
    Secret::new(&serde_json::to_string_pretty(&file).unwrap()).unwrap()
}

fn client() -> Client {
    Egress::new(Duration::from_secs(5)).unwrap();
    Client::builder().no_proxy().build().unwrap()
}

fn token_of(access: &Access) -> &str {
    match &access.proof {
        Proof::Token(token) => token.expose(),
        Proof::ApiKey => "an API key",
    }
}

#[tokio::test]
async fn the_jwt_says_who_asks_for_what_and_is_signed_with_the_key() {
    let (google, url) = google().await;
    let tokens = Tokens::on_this_machine();
    let key = service_account(&url);
    let (access, was_kept) = tokens.access(&client(), "v", SCOPE, &key, Clock).await.unwrap();
    assert_eq!((token_of(&access), was_kept), ("ya29.token-1", false));
    assert_eq!(access.project.as_deref(), Some("my-project"));
    let form = google.forms.lock().unwrap()[0].clone();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (signed, signature) = form["assertion"].rsplit_once('.').unwrap();
    let parts: Vec<Value> = signed
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
    assert_eq!(parts[1]["iss"], "robot@my-project.iam.gserviceaccount.com");
    assert_eq!((&parts[1]["scope"], &parts[1]["aud"]), (&json!(SCOPE), &json!(format!("{url}/token"))));
    assert_eq!(parts[1]["exp"].as_u64().unwrap() - parts[1]["iat"].as_u64().unwrap(), 3600);

    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let verifier = algorithms.all.iter().find(|algorithm| {
        algorithm.signature_alg_id() == alg_id::RSA_PKCS1_SHA256
            && algorithm.public_key_alg_id() == alg_id::RSA_ENCRYPTION
    });
    let (public, signature) = (STANDARD.decode(PUBLIC).unwrap(), URL_SAFE_NO_PAD.decode(signature).unwrap());
    let verifier = verifier.unwrap();
    assert!(verifier.verify_signature(&public, signed.as_bytes(), &signature).is_ok());
    assert!(verifier.verify_signature(&public, b"something else", &signature).is_err());
}

#[tokio::test]
async fn many_who_wait_ask_once_and_another_key_asks_again() {
    let (google, url) = google().await;
    let tokens = Tokens::on_this_machine();
    let (client, key) = (client(), service_account(&url));
    let asked = (0..20).map(|_| tokens.access(&client, "v", SCOPE, &key, Clock));
    let all = futures_util::future::join_all(asked).await;
    assert!(all.iter().all(|access| token_of(&access.as_ref().unwrap().0) == "ya29.token-1"));
    assert_eq!(google.asked.load(Ordering::SeqCst), 1);
    let user = json!({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r",
        "quota_project_id": "payer", "token_uri": format!("{url}/token")});
    let user = Secret::new(&user.to_string()).unwrap();
    let (access, _) = tokens.access(&client, "v", SCOPE, &user, Clock).await.unwrap();
    assert_eq!(token_of(&access), "ya29.token-2");
    assert_eq!((access.project.as_deref(), access.quota_project.as_deref()), (Some("payer"), Some("payer")));
    let form = google.forms.lock().unwrap()[1].clone();
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "r"));
}

#[tokio::test]
async fn a_token_is_asked_for_anew_before_it_runs_out() {
    let (google, url) = google().await;
    let tokens = Tokens::on_this_machine();
    let (client, key) = (client(), service_account(&url));
    tokens.access(&client, "v", SCOPE, &key, Clock).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3300)).await;
    assert!(tokens.access(&client, "v", SCOPE, &key, Clock).await.unwrap().1, "still good");
    tokio::time::advance(Duration::from_secs(200)).await;
    // Paused time jumps to the next timer while a socket is waited for.
    tokio::time::resume();
    assert!(!tokens.access(&client, "v", SCOPE, &key, Clock).await.unwrap().1);
    assert_eq!(google.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_key_that_cannot_serve_is_refused_without_being_repeated() {
    let (_, url) = google().await;
    let tokens = Tokens::on_this_machine();
    let client = client();
    let cases = [
        (json!({"type": "external_account"}), "external_account"),
        (json!({"type": "service_account", "client_email": "a"}), "private_key"),
        (
            json!({"type": "service_account", "client_email": "a", "token_uri": "https://a", "private_key": "hush-hush"}),
            "RSA",
        ),
        (json!({"web": {}}), "no service account's key file"),
        (
            json!({"type": "authorized_user", "client_id": "i", "client_secret": "hush-hush",
                "refresh_token": "revoked", "token_uri": format!("{url}/token")}),
            "Token has been revoked",
        ),
    ];
    for (file, said) in cases {
        let key = Secret::new(&file.to_string()).unwrap();
        let error = tokens.access(&client, "v", SCOPE, &key, Clock).await.err().unwrap();
        assert!(error.message.contains(said), "{}", error.message);
        assert!(!error.message.contains("hush"), "{}", error.message);
        assert_eq!((error.kind, error.retry), (ErrorKind::Authentication, Retry::NextTarget));
    }
    let error = Tokens::default().access(&client, "v", SCOPE, &service_account(&url), Clock).await.err();
    assert!(error.unwrap().message.contains("https"), "a token is asked for without TLS");
}

fn provider(url: &str) -> Provider {
    let config = ProviderConfig {
        id: "v".into(),
        kind: "vertex".into(),
        base_url: Some(url.to_owned()),
        protocol: None,
        key: KeySource::Keychain,
        models: Vec::new(),
        variables: catalog::Values::new(),
        profiles: Vec::new(),
    };
    Provider::resolve(&config, &Kinds::shipped()).unwrap()
}

#[tokio::test]
async fn a_withdrawn_token_is_replaced_once_and_hidden_in_what_is_said_of_it() {
    let (google, url) = google().await;
    let mut egress = Egress::new(Duration::from_secs(5)).unwrap();
    egress.use_tokens(Tokens::on_this_machine());
    let key = service_account(&url);
    let mut provider = provider(&url);
    provider.base_url = format!("{url}/projects/{{project}}");
    let ask = || egress.send(&provider, HttpRequest::get("/models"), Some(&key), false);
    assert_eq!(ask().await.unwrap().status(), 200);
    google.withdrawn.store(1, Ordering::SeqCst);
    assert_eq!(ask().await.unwrap().status(), 200, "with a new token");
    assert_eq!(google.asked.load(Ordering::SeqCst), 2);
    {
        let seen = google.seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[2].0, "/projects/my-project/models");
        assert_eq!(seen[2].1["authorization"], "Bearer ya29.token-2");
    }
    google.withdrawn.store(99, Ordering::SeqCst);
    let refused = ask().await.unwrap();
    assert_eq!(refused.status(), 401, "no more than once");
    let mut error = Error::caller(refused.text().await.unwrap());
    key.hide_in(&mut error);
    assert!(!error.message.contains("ya29"), "{}", error.message);
}

#[tokio::test]
async fn an_api_key_or_a_ready_token_is_sent_as_it_is_and_needs_the_project_from_the_settings() {
    let (google, url) = google().await;
    let egress = Egress::new(Duration::from_secs(5)).unwrap();
    let mut provider = provider(&url);
    for (key, header, value) in
        [("AIzaKey", "x-goog-api-key", "AIzaKey"), ("ya29.ready", "authorization", "Bearer ya29.ready")]
    {
        let key = Secret::new(key).unwrap();
        provider.base_url = format!("{url}/projects/mine");
        egress.send(&provider, HttpRequest::get("/models"), Some(&key), false).await.unwrap();
        assert_eq!(google.seen.lock().unwrap().last().unwrap().1[header], value);
        provider.base_url = format!("{url}/projects/{{project}}");
        let error = egress.send(&provider, HttpRequest::get("/models"), Some(&key), false).await.unwrap_err();
        assert!(error.error.message.contains("project = "), "{}", error.error.message);
    }
    assert_eq!(google.asked.load(Ordering::SeqCst), 0);
}
