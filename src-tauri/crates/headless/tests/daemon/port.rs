//! The port through the real program, with keys and the export from beside it.

use serde_json::{Value, json};

use crate::support::{Daemon, client};

fn ask(prompt: &str, stream: bool) -> Value {
    json!({"model": "rehearsal/fast", "stream": stream, "messages": [{"role": "user", "content": prompt}]})
}

async fn chat(daemon: &Daemon, key: &str, body: &Value) -> reqwest::Response {
    let request = client().post(daemon.port("/v1/chat/completions")).bearer_auth(key);
    request.json(body).send().await.unwrap()
}

#[tokio::test]
async fn a_key_made_beside_the_daemon_counts_at_once_and_the_export_shows_what_it_did() {
    let daemon = Daemon::start();
    assert_eq!(chat(&daemon, "sb-wrong", &ask("Hello", false)).await.status(), 401);
    let key = daemon.add_client("editor");
    assert!(key.starts_with("sb-") && !key.contains('\n'), "{key:?}");

    let whole: Value = chat(&daemon, &key, &ask("Explain tea", false)).await.json().await.unwrap();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("rehearsal"), "{whole}");
    let streamed = chat(&daemon, &key, &ask("Explain tea", true)).await.text().await.unwrap();
    assert!(streamed.trim_end().ends_with("data: [DONE]"), "{streamed}");

    // What is settled is in the book within its group commit; asking for the status waits for nothing.
    let mut requests = settled(&daemon, 3).await;
    let refused = requests.remove(0);
    assert_eq!((&refused["client"], &refused["error_kind"]), (&Value::Null, &json!("authentication")));
    assert_eq!(refused["attempts"], json!([]));
    for request in &requests {
        assert_eq!((&request["client"], &request["dialect"]), (&json!("editor"), &json!("openai-chat")));
        assert_eq!(
            (&request["provider"], &request["request_model"]),
            (&json!("rehearsal"), &json!("rehearsal/fast"))
        );
        assert_eq!((&request["cost_picousd"], &request["cost_status"]), (&json!(0), &json!("computed")));
        assert_eq!((&request["status"], &request["http_status"]), (&json!("ok"), &json!(200)));
        assert_eq!(request["attempts"].as_array().unwrap().len(), 1);
        assert!(request["usage"]["output_tokens"].as_u64().unwrap() > 0);
    }
    let fields: Vec<&String> = requests[0].as_object().unwrap().keys().collect();
    let contract = [
        "id",
        "started_at",
        "client",
        "dialect",
        "route",
        "provider",
        "request_model",
        "response_model",
        "stream",
        "status",
        "http_status",
        "error_kind",
        "finish_reason",
        "finish_reason_raw",
        "usage",
        "cost_picousd",
        "cost_status",
        "duration_ms",
        "time_to_first_token_ms",
        "attempts",
        "operation",
        "decision",
    ];
    assert_eq!(fields, contract);
    let fields: Vec<&String> = requests[0]["attempts"][0].as_object().unwrap().keys().collect();
    let contract = [
        "provider",
        "model",
        "outcome",
        "error_kind",
        "http_status",
        "reason",
        "duration_ms",
        "cost_picousd",
        "lane",
        "notes",
    ];
    assert_eq!(fields, contract);

    daemon.run(&["client", "remove", "editor"]);
    assert_eq!(daemon.run(&["client", "list"]), "");
}

/// The export, once `count` requests in it have ended.
async fn settled(daemon: &Daemon, count: usize) -> Vec<Value> {
    let waited = async {
        loop {
            let requests = daemon.export();
            if requests.iter().filter(|request| request["status"] != "running").count() >= count {
                return requests;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let requests = tokio::time::timeout(crate::support::PATIENCE, waited).await.unwrap();
    assert_eq!(requests.len(), count);
    requests
}

#[tokio::test]
async fn sigterm_saves_everything_and_ends_well() {
    let daemon = Daemon::start();
    let key = daemon.add_client("editor");
    // Under way when the signal comes.
    let mut stalled = chat(&daemon, &key, &ask("Explain tea\n/drill stall", true)).await;
    assert!(stalled.chunk().await.unwrap().is_some());
    let (folder, is_success) = daemon.terminate();
    assert!(is_success);
    let output = crate::support::run(&["export", "requests"], Some(&folder));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(line["status"], "running");
    assert_eq!(line["client"], "editor");
}
