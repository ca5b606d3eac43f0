//! The contracts that other programs rely on, through the real `signalboxd`: its ready line, its
//! settings, the port, what the ledger exports. Providers are plain sockets on loopback that say
//! what a test wrote, byte for byte.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use signalbox_tests::daemon::Daemon;
use signalbox_tests::upstream::{Step, Upstream, answer, stream};

const OPENAI_TEXT: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"prompt_tokens_details":{"cached_tokens":400,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":50}},"service_tier":"default","system_fingerprint":"fp_1"}"#;

const ANTHROPIC_TEXT: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Hello there"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":600,"cache_creation_input_tokens":100,"cache_read_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":0},"output_tokens":200,"service_tier":"standard"}}"#;

const BEDROCK_TEXT: &str = r#"{"metrics":{"latencyMs":9},"output":{"message":{"role":"assistant","content":[{"text":"Hello there"}]}},"stopReason":"end_turn","usage":{"inputTokens":1000,"outputTokens":200,"totalTokens":1200}}"#;
const GEMINI_TEXT: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hello there"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":150,"thoughtsTokenCount":50,"totalTokenCount":1200,"cachedContentTokenCount":400},"modelVersion":"gemini-2.5-flash","responseId":"r1"}"#;

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn provider(id: &str, kind: &str, base_url: &str) -> String {
    format!(
        "[[provider]]\nid = \"{id}\"\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\nkey = \"env:TEST_KEY\"\n"
    )
}

fn start(settings: &str) -> Result<Daemon> {
    Daemon::start_with(settings, &[("TEST_KEY", "secret-of-the-test")])
}

struct Port {
    http: Client,
    base: String,
    key: String,
}

impl Port {
    fn of(daemon: &Daemon) -> Result<Self> {
        // The port has no certificate; the provider is only asked for because reqwest wants one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { http: Client::new(), base: daemon.url("")?, key: daemon.client_key("test")? })
    }

    async fn chat(&self, body: &Value) -> Result<Response> {
        Ok(self
            .http
            .post(format!("{}/v1/chat/completions", self.base))
            .bearer_auth(&self.key)
            .json(body)
            .send()
            .await?)
    }
}

fn ask(model: &str, is_stream: bool) -> Value {
    json!({"model": model, "stream": is_stream, "messages": [{"role": "user", "content": "Hi"}]})
}

fn request_id(response: &Response) -> Result<String> {
    let header = response.headers().get("x-signalbox-request-id").context("no x-signalbox-request-id")?;
    Ok(header.to_str()?.to_owned())
}

#[tokio::test]
async fn a_refusals_own_words_are_kept_without_the_key() -> Result<()> {
    let body =
        r#"{"error":{"message":"No.","type":"server_error"},"hint":"key secret-of-the-test, shard 7"}"#;
    let upstream =
        Upstream::start(vec![answer("500 Internal Server Error", "application/json", "", body)]).await?;
    let mut daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let port = Port::of(&daemon)?;
    let response = port.chat(&ask("openai/gpt-5", false)).await?;
    let id = request_id(&response)?;
    daemon.settled(&id).await?;
    daemon.stop()?;
    let book = rusqlite::Connection::open(daemon.data_dir().join("signalbox.db"))?;
    let kept: String =
        book.query_row("SELECT error_body FROM attempt_details LIMIT 1", [], |row| row.get(0))?;
    assert!(
        kept.contains("shard 7") && kept.contains("•••") && !kept.contains("secret-of-the-test"),
        "{kept}"
    );
    Ok(())
}

#[tokio::test]
async fn each_protocol_answers_an_openai_client_with_and_without_a_version_in_its_base_url() -> Result<()> {
    for (kind, version, path, header, reply) in [
        (
            "openai",
            "/v1",
            "/v1/chat/completions",
            ("authorization", "Bearer secret-of-the-test"),
            OPENAI_TEXT,
        ),
        ("anthropic", "/v1", "/v1/messages", ("x-api-key", "secret-of-the-test"), ANTHROPIC_TEXT),
        (
            "google",
            "/v1beta",
            "/v1beta/models/m-1:generateContent",
            ("x-goog-api-key", "secret-of-the-test"),
            GEMINI_TEXT,
        ),
        (
            "bedrock",
            "",
            "/model/m-1/converse",
            // An API key of Bedrock's own; a signature needs a host that names its region.
            ("authorization", "Bearer secret-of-the-test"),
            BEDROCK_TEXT,
        ),
    ] {
        let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", reply)]).await?;
        let (plain, versioned) = (upstream.url(), format!("{}{version}", upstream.url()));
        let daemon = start(&format!(
            "{}{}",
            provider("plain", kind, &plain),
            provider("versioned", kind, &versioned)
        ))?;
        let port = Port::of(&daemon)?;
        for id in ["plain", "versioned"] {
            let response = port.chat(&ask(&format!("{id}/m-1"), false)).await?;
            let status = response.status();
            let body: Value = response.json().await?;
            assert_eq!(status, StatusCode::OK, "{kind}: {body}");
            assert_eq!(body["choices"][0]["message"]["content"], "Hello there", "{kind}: {body}");
            assert_eq!(body["choices"][0]["finish_reason"], "stop", "{kind}");
            assert_eq!(body["usage"]["prompt_tokens"], 1000, "{kind}: {body}");
            assert_eq!(body["usage"]["completion_tokens"], 200, "{kind}: {body}");
            assert_eq!(body["object"], "chat.completion");
        }
        for seen in upstream.seen() {
            assert!(seen.line.contains(&format!(" {path} ")), "{kind}: {}", seen.line);
            assert_eq!(seen.header(header.0), Some(header.1), "{kind}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_export_holds_what_the_contract_names_and_the_exact_cost() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", OPENAI_TEXT)]).await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let port = Port::of(&daemon)?;
    let response = port.chat(&ask("openai/gpt-4o-mini", false)).await?;
    let row = daemon.settled(&request_id(&response)?).await?;

    let fields = "id started_at client dialect route provider request_model response_model stream status http_status error_kind finish_reason finish_reason_raw usage cost_picousd cost_status duration_ms time_to_first_token_ms attempts operation decision";
    for field in fields.split(' ') {
        assert!(row.get(field).is_some(), "no `{field}` in {row}");
    }
    let attempt = &row["attempts"][0];
    for field in [
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
    ] {
        assert!(attempt.get(field).is_some(), "no attempts[].`{field}` in {row}");
    }
    assert_eq!(row["client"], "test");
    assert_eq!(row["dialect"], "openai-chat");
    assert_eq!(row["provider"], "openai");
    assert_eq!(row["request_model"], "openai/gpt-4o-mini");
    assert_eq!(row["response_model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(row["stream"], false);
    assert_eq!(row["http_status"], 200);
    assert_eq!(row["finish_reason"], "stop");
    assert_eq!(row["finish_reason_raw"], "stop");
    assert_eq!(row["usage"]["input_tokens"], 1000);
    assert_eq!(row["usage"]["cache_read_tokens"], 400);
    assert_eq!(row["usage"]["reasoning_tokens"], 50);
    // gpt-4o-mini: $0.15 in, $0.075 cached, $0.60 out per million; a micro-dollar per million
    // tokens is a pico-dollar per token.
    assert_eq!(row["cost_picousd"], 600 * 150_000 + 400 * 75_000 + 200 * 600_000);
    assert_eq!(attempt["cost_picousd"], row["cost_picousd"]);
    Ok(())
}

#[tokio::test]
async fn a_model_without_a_price_costs_unknown_and_not_zero() -> Result<()> {
    let reply = OPENAI_TEXT.replace("gpt-4o-mini-2024-07-18", "nobody-knows-me");
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", &reply)]).await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let response = Port::of(&daemon)?.chat(&ask("openai/nobody-knows-me", false)).await?;
    let row = daemon.settled(&request_id(&response)?).await?;
    assert_eq!((&row["cost_picousd"], &row["cost_status"]), (&Value::Null, &json!("unknown")), "{row}");
    Ok(())
}

#[tokio::test]
async fn a_route_passes_over_a_failing_target_before_the_first_word() -> Result<()> {
    let html = "<html><head><title>502 Bad Gateway</title></head></html>";
    let broken = Upstream::start(vec![answer("502 Bad Gateway", "text/html", "", html)]).await?;
    let hello = chunk(r#"{"role":"assistant","content":"Hello"}"#, "null");
    let done = chunk("{}", "\"stop\"");
    let good = Upstream::start(vec![stream(&[&hello, &done, "data: [DONE]\n\n"])]).await?;
    let route = "[[route]]\nname = \"fast\"\nstrategy = \"priority\"\ntargets = [{ provider = \"a\", model = \"m\" }, { provider = \"b\", model = \"n\" }]\n";
    let settings =
        format!("{}{}{route}", provider("a", "openai", &broken.url()), provider("b", "openai", &good.url()));
    let daemon = start(&settings)?;
    let response = Port::of(&daemon)?.chat(&ask("fast", true)).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let id = request_id(&response)?;
    let text = response.text().await?;
    assert!(text.contains("Hello") && text.ends_with("data: [DONE]\n\n"), "{text}");

    let row = daemon.settled(&id).await?;
    assert_eq!((&row["route"], &row["provider"]), (&json!("fast"), &json!("b")), "{row}");
    let attempts = row["attempts"].as_array().context("no attempts")?;
    let (last, failed) = attempts.split_last().context("no attempts")?;
    assert!(!failed.is_empty() && failed.iter().all(|attempt| attempt["provider"] == "a"), "{row}");
    assert_eq!(failed[0]["http_status"], 502);
    assert_eq!(failed[0]["error_kind"], "server_error");
    assert_eq!(last["provider"], "b");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_and_never_a_clean_end() -> Result<()> {
    let hello = chunk(r#"{"role":"assistant","content":"Hello"}"#, "null");
    let mut reset = stream(&[&hello]);
    reset.push(Step::Reset);
    for script in [stream(&[&hello]), reset] {
        let upstream = Upstream::start(vec![script]).await?;
        let daemon = start(&provider("openai", "openai", &upstream.url()))?;
        let response = Port::of(&daemon)?.chat(&ask("openai/gpt-4o-mini", true)).await?;
        let id = request_id(&response)?;
        let text = response.text().await?;
        assert!(text.contains("Hello"), "what had arrived is shown: {text}");
        assert!(text.contains("\"error\""), "the rest is an error: {text}");
        assert!(!text.contains("[DONE]") && !text.contains("\"finish_reason\":\"stop\""), "{text}");
        let row = daemon.settled(&id).await?;
        assert_eq!(row["finish_reason"], Value::Null, "{row}");
        assert!(matches!(row["error_kind"].as_str(), Some("truncated" | "network")), "{row}");
    }
    Ok(())
}

#[tokio::test]
async fn one_malformed_chunk_costs_nothing_but_itself() -> Result<()> {
    let pieces = [
        chunk(r#"{"role":"assistant","content":"Hel"}"#, "null"),
        "data: {\"choices\": [{\n\n".into(),
        chunk(r#"{"content":"lo"}"#, "\"stop\""),
    ];
    let upstream =
        Upstream::start(vec![stream(&[&pieces[0], &pieces[1], &pieces[2], "data: [DONE]\n\n"])]).await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let text = Port::of(&daemon)?.chat(&ask("openai/gpt-4o-mini", true)).await?.text().await?;
    assert!(
        text.contains("\"Hel\"") && text.contains("\"lo\"") && text.ends_with("data: [DONE]\n\n"),
        "{text}"
    );
    Ok(())
}

#[tokio::test]
async fn an_html_page_with_a_good_status_is_an_error_for_streams_and_for_whole_answers() -> Result<()> {
    let page = "<!doctype html><html><head><title>Sign in</title></head></html>";
    let upstream = Upstream::start(vec![answer("200 OK", "text/html", "", page)]).await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let port = Port::of(&daemon)?;
    for is_stream in [false, true] {
        let response = port.chat(&ask("openai/gpt-4o-mini", is_stream)).await?;
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY, "stream: {is_stream}");
        let body: Value = response.json().await?;
        assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains("HTML")), "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_to_the_provider() -> Result<()> {
    let hello = chunk(r#"{"role":"assistant","content":"Hello"}"#, "null");
    let mut script = stream(&[&hello]);
    script.push(Step::AwaitClose);
    let mut upstream = Upstream::start(vec![script]).await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let mut response = Port::of(&daemon)?.chat(&ask("openai/gpt-4o-mini", true)).await?;
    let id = request_id(&response)?;
    assert!(response.chunk().await?.is_some());
    drop(response);
    tokio::time::timeout(Duration::from_secs(20), upstream.closed.recv())
        .await
        .context("the upstream was not cancelled")?;
    let row = daemon.settled(&id).await?;
    assert_eq!(row["error_kind"], "cancelled", "{row}");
    Ok(())
}

#[tokio::test]
async fn fields_that_we_do_not_know_reach_a_provider_that_may() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", OPENAI_TEXT)]).await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let mut body = ask("openai/gpt-4o-mini", false);
    body["verbosity"] = json!("low");
    body["brand_new_field"] = json!({"deep": [1, 2.5, "x"]});
    let response = Port::of(&daemon)?.chat(&body).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let sent = upstream.seen()[0].json()?;
    assert_eq!(sent["verbosity"], "low");
    assert_eq!(sent["brand_new_field"], body["brand_new_field"]);
    assert_eq!(sent["model"], "gpt-4o-mini");
    Ok(())
}

#[tokio::test]
async fn bad_requests_are_refused_in_the_clients_own_shape() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", OPENAI_TEXT)]).await?;
    let daemon = start(&format!(
        "{}[limits]\nmax_body_bytes = 2000\n",
        provider("openai", "openai", &upstream.url())
    ))?;
    let port = Port::of(&daemon)?;
    let post = |key: Option<&str>, body: String| {
        let request = port.http.post(format!("{}/v1/chat/completions", port.base)).body(body);
        key.map_or_else(
            || request.try_clone(),
            |key| request.try_clone().map(|request| request.bearer_auth(key)),
        )
    };
    let good = ask("openai/gpt-4o-mini", false).to_string();
    for (key, body, status, needle) in [
        (None, good.clone(), 401, "key"),
        (Some("sb-wrong"), good.clone(), 401, "key"),
        (Some(port.key.as_str()), "{\"model\": ".into(), 400, "JSON"),
        (Some(port.key.as_str()), ask(&"x".repeat(3000), false).to_string(), 413, "2000"),
        (Some(port.key.as_str()), ask("opena/gpt-4o-mini", false).to_string(), 404, "openai"),
    ] {
        let response = post(key, body).context("the request cannot be made")?.send().await?;
        let got = response.status().as_u16();
        let body: Value = response.json().await?;
        let message = body["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(got, status, "{body}");
        assert!(message.contains(needle), "`{needle}` is not in: {message}");
        assert!(!message.contains("sb-wrong"), "the key is repeated: {message}");
    }
    // A name that nothing explains makes us ask for the list of models, and for nothing else.
    let asked: Vec<_> = upstream.seen().into_iter().map(|seen| seen.line).collect();
    assert!(asked.iter().all(|line| line.starts_with("GET /v1/models ")), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn a_rate_limit_keeps_its_status_and_its_wait() -> Result<()> {
    let body = r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    let upstream = Upstream::start(vec![answer(
        "429 Too Many Requests",
        "application/json",
        "retry-after: 86400\r\n",
        body,
    )])
    .await?;
    let daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let response = Port::of(&daemon)?.chat(&ask("openai/gpt-4o-mini", false)).await?;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers().get("retry-after").and_then(|value| value.to_str().ok()), Some("86400"));
    let body: Value = response.json().await?;
    assert_eq!(body["error"]["code"], "rate_limit_exceeded", "{body}");
    Ok(())
}

#[tokio::test]
async fn a_key_revoked_or_wrong_host_gets_nothing_and_health_needs_no_key() -> Result<()> {
    let daemon = start("")?;
    let port = Port::of(&daemon)?;
    let health = port.http.get(daemon.url("/healthz")?).send().await?;
    assert_eq!(health.status(), StatusCode::OK);
    let models = port.http.get(daemon.url("/v1/models")?).bearer_auth(&port.key).send().await?;
    let models: Value = models.json().await?;
    let ids: Vec<_> =
        models["data"].as_array().context("no data")?.iter().map(|model| model["id"].clone()).collect();
    assert!(ids.contains(&json!("rehearsal/steady")), "{ids:?}");
    let rebound = port
        .http
        .get(daemon.url("/v1/models")?)
        .header("host", "evil.example")
        .bearer_auth(&port.key)
        .send()
        .await?;
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
    Ok(())
}

#[tokio::test]
async fn a_changed_settings_file_counts_and_a_broken_one_leaves_the_last_good_in_force() -> Result<()> {
    let upstream = Upstream::start(vec![answer("200 OK", "application/json", "", OPENAI_TEXT)]).await?;
    let daemon = start(&provider("first", "openai", &upstream.url()))?;
    let port = Port::of(&daemon)?;
    let status = async |model: &str| Ok::<_, anyhow::Error>(port.chat(&ask(model, false)).await?.status());
    assert_eq!(status("second/m").await?, StatusCode::NOT_FOUND);

    let both = format!(
        "{}{}",
        provider("first", "openai", &upstream.url()),
        provider("second", "openai", &upstream.url())
    );
    std::fs::write(daemon.config(), both)?;
    let mut tries = 0;
    while status("second/m").await? != StatusCode::OK {
        tries += 1;
        anyhow::ensure!(tries < 400, "the new settings never counted");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    std::fs::write(daemon.config(), "[port]\nlisten = \"127.0.0.1:0\"\nprovidr = 3\n")?;
    // Nothing tells from outside that a bad file was read; the check names its line, key and cure.
    let check = daemon.command()?.args(["check", "--config"]).arg(daemon.config()).output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    assert!(!check.status.success() && said.contains("providr") && said.contains('3'), "{said}");
    assert_eq!(status("first/m").await?, StatusCode::OK);
    assert_eq!(status("second/m").await?, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn a_second_copy_and_a_taken_port_are_told_by_what() -> Result<()> {
    let daemon = start("")?;
    let serve = |listen: String, data: std::path::PathBuf| -> Result<String> {
        let output = daemon
            .command()?
            .args(["serve", "--listen", &listen, "--config"])
            .arg(daemon.config())
            .arg("--data-dir")
            .arg(data)
            .output()?;
        anyhow::ensure!(!output.status.success(), "a second copy started");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let same_data = serve("127.0.0.1:0".into(), daemon.data_dir())?;
    assert!(
        same_data.contains("signalbox.lock") || same_data.to_lowercase().contains("already"),
        "{same_data}"
    );
    let same_port = serve(daemon.address()?.to_string(), daemon.folder().join("other"))?;
    assert!(
        same_port.contains("signalboxd") && same_port.contains(&daemon.address()?.port().to_string()),
        "{same_port}"
    );
    Ok(())
}

#[tokio::test]
async fn a_provider_key_is_in_no_file_log_or_error() -> Result<()> {
    let body = r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
    let upstream = Upstream::start(vec![answer("401 Unauthorized", "application/json", "", body)]).await?;
    let mut daemon = start(&provider("openai", "openai", &upstream.url()))?;
    let port = Port::of(&daemon)?;
    let response = port.chat(&ask("openai/gpt-4o-mini", false)).await?;
    assert!(!response.text().await?.contains("secret-of-the-test"));
    daemon.stop()?;
    let mut folders = vec![daemon.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path)?;
            for secret in [b"secret-of-the-test".as_slice(), port.key.as_bytes()] {
                assert!(
                    !bytes.windows(secret.len()).any(|window| window == secret),
                    "a key is in {}",
                    path.display()
                );
            }
        }
    }
    Ok(())
}
