//! Who gets in, what is understood, and where the port is.

use gateway::clients;
use gateway::{Clock, ConfigEdit};
use ledger::Ledger;
use serde_json::{Value, json};

use crate::support::{House, ask, http};

async fn status_with(house: &House, key: Option<&str>, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = http().get(house.url("/v1/models"));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn only_a_client_with_a_key_gets_in_and_a_new_key_counts_at_once() {
    let house = House::with("").await;
    let (status, body) = status_with(&house, None, &[]).await;
    assert_eq!(status, 401);
    assert!(body["error"]["message"].as_str().unwrap().contains("client key"), "{body}");
    let (status, body) = status_with(&house, Some("sb-wrong"), &[]).await;
    assert_eq!((status, body["error"]["code"].as_str()), (401, Some("invalid_api_key")));
    assert_eq!(status_with(&house, Some(&house.key), &[]).await.0, 200);

    // As `signalboxd client add` does from a process of its own, after we have read the list.
    let path = house.gateway.ledger().path().to_owned();
    let added = tokio::task::spawn_blocking(move || {
        let beside = Ledger::attach(&path, Clock.now_ms()).unwrap();
        clients::create(&beside, Clock, "second").unwrap()
    });
    let added = added.await.unwrap();
    assert_eq!(status_with(&house, Some(&added.key), &[]).await.0, 200);

    house.gateway.revoke_client(&added.id).await.unwrap();
    assert_eq!(status_with(&house, Some(&added.key), &[]).await.0, 401);
}

#[tokio::test]
async fn pages_from_elsewhere_are_kept_out_even_with_a_key() {
    let house = House::with("").await;
    for headers in [
        [("host", "evil.example"), ("accept", "*/*")],
        [("origin", "https://evil.example"), ("accept", "*/*")],
    ] {
        let (status, body) = status_with(&house, Some(&house.key), &headers).await;
        assert_eq!(status, 403, "{body}");
    }
    let response = http().get(house.url("/healthz")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn health_needs_no_key_and_unknown_paths_are_answered_in_json() {
    let house = House::with("").await;
    let response = http().get(house.url("/healthz")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let response = house.get("/v1/completions").await;
    assert_eq!(response.status(), 404);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("/v1/completions"), "{body}");
    let response = house.get("/v1/chat/completions").await;
    assert_eq!(response.status(), 405);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"].is_object());
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_the_shape_that_its_client_reads() {
    let house = House::with("").await;
    for (path, header, place) in [
        ("/v1beta/files", None, "/error/status"),
        ("/v1/files", Some(("anthropic-version", "2023-06-01")), "/error/type"),
        ("/v1/files", None, "/error/code"),
    ] {
        let mut request = http().get(house.url(path));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 404);
        let body: Value = response.json().await.unwrap();
        assert!(body.pointer(place).is_some(), "{path}: {body}");
        assert!(body["error"]["message"].as_str().unwrap().contains("/v1/embeddings"), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_with_the_place() {
    let house = House::with("").await;
    let response = house.post_bytes(b"{\"model\": \"x\",\n oops".to_vec()).await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("line 2"), "{body}");
    let response = house.post_bytes(Vec::new()).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_with_413() {
    let house = House::with("[limits]\nmax_body_bytes = 2048\n").await;
    let mut body = ask("rehearsal/fast", false);
    assert_eq!(house.post(&body).await.status(), 200);
    body["messages"][0]["content"] = json!("x".repeat(4096));
    let response = house.post(&body).await;
    assert_eq!(response.status(), 413);
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("2048"), "{body}");
}

#[tokio::test]
async fn models_are_listed_as_an_sdk_expects_them() {
    let settings = "[[provider]]\nid = \"a\"\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                    key = \"none\"\nmodels = [\"org/m1\"]\n\
                    [[route]]\nname = \"quick\"\ntargets = [{ provider = \"a\", model = \"org/m1\" }]\n";
    let house = House::with(settings).await;
    let list: Value = house.get("/v1/models").await.json().await.unwrap();
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert!(ids.starts_with(&["quick", "a/org/m1"]), "{ids:?}");
    assert!(ids.contains(&"rehearsal/fast"));
    let one: Value = house.get("/v1/models/a/org/m1").await.json().await.unwrap();
    assert_eq!((one["id"].as_str(), one["owned_by"].as_str()), (Some("a/org/m1"), Some("a")));
    assert_eq!(house.get("/v1/models/a/org/m2").await.status(), 404);
}

#[tokio::test]
async fn a_taken_port_is_explained_and_the_proposed_one_works() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let house = House::with("").await;
    let before = house.gateway.port().listening.unwrap();

    house.gateway.edit_config(ConfigEdit::SetListen { address: taken.to_string() }).await.unwrap();
    let port = house.gateway.port();
    assert_eq!(port.requested, taken.to_string());
    assert!(port.error.unwrap().contains("already used by"));
    // The old address goes on until another one is open.
    assert_eq!(port.listening, Some(before));
    assert_eq!(house.get("/healthz").await.status(), 200);

    // Back to where it still is: that is no conflict with ourselves.
    house.gateway.edit_config(ConfigEdit::SetListen { address: before.to_string() }).await.unwrap();
    assert_eq!(house.gateway.port().error, None);
    assert_eq!(house.get("/healthz").await.status(), 200);

    let suggestion = port.suggestion.unwrap();
    house.gateway.edit_config(ConfigEdit::SetListen { address: suggestion.clone() }).await.unwrap();
    let port = house.gateway.port();
    assert_eq!((port.listening.unwrap().to_string(), port.error), (suggestion, None));
    assert_eq!(house.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn the_gateway_starts_without_a_port_where_it_is_taken() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join(ledger::FILE_NAME), 0).unwrap();
    let options = gateway::Options {
        config_path: folder.path().join("settings.toml"),
        data_dir: folder.path().to_owned(),
        listen_override: Some(taken),
    };
    let secrets = gateway::Secrets::new(std::sync::Arc::new(gateway::secrets::InMemory::default()));
    let gateway =
        gateway::Gateway::start(options, gateway::Parts { ledger, secrets, clock: Clock }).await.unwrap();
    let port = gateway.port();
    assert_eq!(port.listening, None);
    if cfg!(target_os = "linux") {
        assert!(port.error.unwrap().contains(&format!("pid {}", std::process::id())));
    }
    assert!(!gateway.models().await.is_empty());
}

#[tokio::test]
async fn what_was_refused_before_it_was_read_stands_in_the_book_without_what_was_sent() {
    let house = House::with("").await;
    let send = |key: &str, body: &'static str| {
        http().post(house.url("/v1/chat/completions")).bearer_auth(key).body(body).send()
    };
    assert_eq!(send("sb-wrong", "{}").await.unwrap().status(), 401);
    let row = house.last_request().await;
    assert_eq!((row.error_kind.as_deref(), row.http_status), (Some("authentication"), Some(401)));
    assert_eq!((row.client, row.cost_picousd), (None, Some(0)));
    assert_eq!(send(&house.key, "a secret that is no JSON").await.unwrap().status(), 400);
    let row = house.last_request().await;
    assert_eq!((row.error_kind.as_deref(), row.http_status), (Some("invalid_request"), Some(400)));
    assert!(row.client.is_some());
}
