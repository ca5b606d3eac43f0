//! The control surface and the page over HTTP.

use ledger::Ledger;
use serde_json::{Value, json};

use crate::support::{Daemon, PATIENCE, client, folder, serve};

#[tokio::test]
async fn nothing_opens_without_the_token_or_for_another_page() {
    let daemon = Daemon::start();
    let status =
        |request: reqwest::RequestBuilder| async { request.json(&json!({})).send().await.unwrap().status() };
    let url = daemon.surface("/control/app.status");
    let token = daemon.token();
    assert_eq!(status(client().post(&url)).await, 401);
    assert_eq!(status(client().post(&url).bearer_auth("x".repeat(64))).await, 401);
    assert_eq!(status(client().post(&url).bearer_auth(token)).await, 200);
    assert_eq!(status(client().post(&url).bearer_auth(token).header("host", "evil.example")).await, 421);
    assert_eq!(
        status(client().post(&url).bearer_auth(token).header("origin", "https://evil.example")).await,
        403
    );
    let events = client().get(daemon.surface("/control/events")).send().await.unwrap();
    assert_eq!(events.status(), 401);
    let unknown = client().post(daemon.surface("/control/no.such")).bearer_auth(token).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.json::<Value>().await.unwrap()["error"]["kind"], "unknown_command");
}

#[tokio::test]
async fn an_answer_is_watched_over_server_sent_events_and_events_tell_of_it() {
    let daemon = Daemon::start();
    let mut events =
        client().get(daemon.surface("/control/events")).bearer_auth(daemon.token()).send().await.unwrap();
    let chat = daemon.control("chats.create", json!({})).await;
    let args =
        json!({"chat_id": chat["id"], "parent_id": null, "text": "Explain tea", "model": "rehearsal/steady"});
    let sent = daemon.control("chat.send", args).await;
    let path = format!("/control/watch/{}?since=0", sent["message_id"].as_str().unwrap());
    let watched = client().get(daemon.surface(&path)).bearer_auth(daemon.token()).send().await.unwrap();
    assert!(watched.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let body = watched.text().await.unwrap();
    let items: Vec<Value> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let end = items.last().unwrap();
    assert_eq!((&end["kind"], &end["message"]["state"]), (&json!("end"), &json!("complete")));
    assert_eq!(end["message"]["receipt"]["request_id"], sent["request_id"]);
    assert!(items.len() > 3);

    let mut heard = String::new();
    while !heard.contains("event: request.settled") {
        let chunk = events.chunk().await.unwrap().expect("events go on");
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(heard.contains("event: chats.changed") && heard.contains("event: request.started"), "{heard}");
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_answer_keeps_what_had_arrived() {
    let daemon = Daemon::start();
    let chat = daemon.control("chats.create", json!({})).await;
    let text = "Explain tea\n/drill stall";
    let args = json!({"chat_id": chat["id"], "parent_id": null, "text": text, "model": "rehearsal/fast"});
    let sent = daemon.control("chat.send", args).await;
    let message_id = sent["message_id"].as_str().unwrap();
    let book = daemon.folder.path().join("data").join(ledger::FILE_NAME);
    let beside = Ledger::attach_existing(&book, 0).unwrap();
    let arrived = async {
        loop {
            let message = beside.message(message_id).unwrap().unwrap();
            if !message.text.is_empty() {
                return message.text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let arrived = tokio::time::timeout(PATIENCE, arrived).await.unwrap();
    drop(beside);

    let folder = daemon.kill();
    let command = serve(&folder);
    let daemon = Daemon::start_with(command, folder);
    let tree = daemon.control("chats.get", json!({"id": chat["id"]})).await;
    assert_eq!(
        (&tree["messages"][0]["text"], &tree["messages"][0]["state"]),
        (&json!(text), &json!("complete"))
    );
    assert_eq!(
        (&tree["messages"][1]["text"], &tree["messages"][1]["state"]),
        (&json!(arrived), &json!("interrupted"))
    );
    assert_eq!(daemon.export()[0]["status"], "interrupted");
}

#[tokio::test]
async fn the_page_is_served_with_its_headers() {
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "<!doctype html><title>Signalbox</title>").unwrap();
    let folder = folder("");
    let mut command = serve(&folder);
    command.arg("--ui").arg(page.path()).env("SIGNALBOX_CONTROL_TOKEN", "a-token-of-the-caller");
    let daemon = Daemon::start_with(command, folder);
    assert_eq!(daemon.token(), "a-token-of-the-caller");
    let response = client().get(daemon.surface("/")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("connect-src 'self'"), "{policy}");
    assert_eq!(
        (header("x-content-type-options"), header("x-frame-options")),
        ("nosniff".into(), "DENY".into())
    );
    assert!(response.text().await.unwrap().contains("Signalbox"));
    let outside = client().get(daemon.surface("/../settings.toml")).send().await.unwrap();
    assert_eq!(outside.status(), 404);
    let rebound = client().get(daemon.surface("/")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 421);
}

#[tokio::test]
async fn a_missing_keychain_is_said_and_no_provider_is_saved_without_its_key() {
    let daemon = Daemon::start();
    let args = json!({"id": "mine", "kind": "openai", "key": "keychain", "secret": "sk-not-for-any-file"});
    let request = client().post(daemon.surface("/control/providers.save")).bearer_auth(daemon.token());
    let response = request.json(&args).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let error: Value = response.json().await.unwrap();
    assert_eq!(error["error"]["kind"], "keychain_absent");
    assert!(error["error"]["message"].as_str().unwrap().contains("env:NAME"), "{error}");
    let providers = daemon.control("providers.list", json!({})).await;
    assert_eq!(providers.as_array().unwrap().len(), 1);
    let (folder, _) = daemon.terminate();
    for file in files(folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(19).any(|bytes| bytes == b"sk-not-for-any-file"), "{}", file.display());
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
