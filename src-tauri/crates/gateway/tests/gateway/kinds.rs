//! Providers of the user's own: files beside the settings, and servers on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use gateway::Event;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;

use crate::support::{House, PATIENCE};

/// A provider file for a server at `url`, which is known by whom its models belong to.
fn file(id: &str, url: &str) -> String {
    format!(
        "id = \"{id}\"\nname = \"Mine\"\nprotocol = \"openai-chat\"\nbase_url = \"{url}/v1\"\nauth = \"none\"\n\
         docs = \"https://example.com\"\nis_free = true\nis_local = true\n\n\
         [probe]\npath = \"/v1/models\"\nexpects = \"/data/0/owned_by\"\nequals = \"{id}\"\n"
    )
}

/// The settings or the files were read again; what was wrong with them.
async fn reread(events: &mut Receiver<Event>) -> Option<String> {
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if let Event::ConfigChanged { error } = event {
            return error;
        }
    }
}

/// Puts `text` where `path` is in one step, as editors do: half a file is never seen.
fn put(house: &House, name: &str, text: &str) {
    let folder = gateway::config::kinds::folder(&house.config_path);
    let beside = folder.join(format!("{name}.new"));
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, folder.join(name)).unwrap();
}

#[tokio::test]
async fn a_file_of_the_users_counts_when_it_is_there_and_a_bad_one_takes_nothing_else_away() {
    let house = House::with("[discovery]\nenabled = false\n").await;
    let mut events = house.gateway.subscribe();
    put(&house, "mine.toml", &file("mine", "http://127.0.0.1:9"));
    assert_eq!(reread(&mut events).await, None);
    assert_eq!(house.gateway.kinds().get("mine").unwrap().name, "Mine");
    let settings = std::fs::read_to_string(&house.config_path).unwrap();
    let settings = format!("{settings}[[provider]]\nid = \"m\"\nkind = \"mine\"\n");
    house.gateway.set_config_text(&settings).await.unwrap();
    assert_eq!(house.gateway.provider("m").unwrap().base_url, "http://127.0.0.1:9/v1");
    assert_eq!(reread(&mut events).await, None);

    put(&house, "other.toml", &file("other", "http://127.0.0.1:9").replace("base_url", "base_uri"));
    let error = reread(&mut events).await.unwrap();
    assert!(error.contains("other.toml, line 4") && error.contains("`base_url`"), "{error}");
    assert!(house.gateway.config_error().unwrap().leaves_settings());
    assert!(house.gateway.provider("m").is_some());
    assert_eq!(house.gateway.user_kinds().files.len(), 1);

    put(&house, "other.toml", &file("groq", "http://127.0.0.1:9"));
    assert_eq!(reread(&mut events).await, None);
    assert!(house.gateway.user_kinds().files[1].replaces_shipped);
    assert_eq!(house.gateway.kinds().get("groq").unwrap().name, "Mine");
}

/// A server whose models belong to `vllm` while the flag is up, and to somebody else after.
async fn server() -> (String, Arc<AtomicBool>) {
    let is_vllm = Arc::new(AtomicBool::new(true));
    let models = |State(is_vllm): State<Arc<AtomicBool>>| async move {
        let owner = if is_vllm.load(Ordering::SeqCst) { "vllm" } else { "somebody" };
        (StatusCode::OK, json!({"object": "list", "data": [{"id": "qwen", "owned_by": owner}]}).to_string())
    };
    let router = Router::new().route("/v1/models", get(models)).with_state(Arc::clone(&is_vllm));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, is_vllm)
}

#[tokio::test]
async fn a_server_on_this_machine_serves_without_being_configured_and_goes_when_it_is_gone() {
    let house = House::with("").await;
    let (url, is_vllm) = server().await;
    let mut events = house.gateway.subscribe();
    put(&house, "vllm.toml", &file("vllm", &url));
    // What runs on the usual ports of the machine that tests is none of this test's business.
    let is_found = || house.gateway.provider("vllm").filter(|found| found.is_discovered);
    while house.gateway.kinds().get("vllm").is_none_or(|kind| kind.name != "Mine") {
        reread(&mut events).await;
    }
    house.gateway.look_for_servers().await;
    assert_eq!(is_found().unwrap().base_url, format!("{url}/v1"));
    let models = house.gateway.models().await;
    assert!(models.iter().any(|model| model.id == "vllm/qwen"), "{models:?}");

    // Another server at the same port is not it.
    is_vllm.store(false, Ordering::SeqCst);
    house.gateway.look_for_servers().await;
    assert!(house.gateway.provider("vllm").is_none());
    is_vllm.store(true, Ordering::SeqCst);
    house.gateway.look_for_servers().await;
    assert!(is_found().is_some());

    // The settings have the last word.
    let settings = std::fs::read_to_string(&house.config_path).unwrap();
    let named = format!("{settings}[[provider]]\nid = \"vllm\"\nkind = \"openai\"\nkey = \"none\"\n");
    house.gateway.set_config_text(&named).await.unwrap();
    assert_eq!(house.gateway.provider("vllm").unwrap().kind.id, "openai");
    house.gateway.set_config_text(&format!("{settings}[discovery]\nenabled = false\n")).await.unwrap();
    assert!(house.gateway.provider("vllm").is_none());
    house.gateway.set_config_text(&settings).await.unwrap();
    assert!(is_found().is_some());
}
