//! A provider that never ends a line, through the real `signalboxd`: its own stream fails, the one
//! beside it ends well, and the daemon holds no more than a frame of it.

use anyhow::{Result, ensure};
use reqwest::Client;
use serde_json::json;
use signalbox_tests::daemon::Daemon;
use signalbox_tests::upstream::{Step, Upstream, stream};

/// What the hostile provider has to say, in MiB: many times what one frame may hold.
const ENDLESS_MIB: usize = 400;

/// How much the daemon may grow by, in KiB: a frame (32 MiB), what its buffer takes while it grows
/// (twice that and half of it again), and as much for everything else.
const MAX_GROWTH_KIB: u64 = 200 << 10;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn an_endless_line_fails_its_own_stream_and_no_other() -> Result<()> {
    let upstream = Upstream::start_with(|_, seen| {
        if String::from_utf8_lossy(&seen.body).contains("hostile") { endless() } else { good() }
    })
    .await?;
    let settings = format!(
        "[[provider]]\nid = \"p\"\nkind = \"openai\"\nbase_url = \"{}\"\nkey = \"env:TEST_KEY\"\n",
        upstream.url()
    );
    let daemon = Daemon::start_with(&settings, &[("TEST_KEY", "secret-of-the-test")])?;
    let key = daemon.client_key("test")?;
    let url = daemon.url("/v1/chat/completions")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = Client::new();
    let ask = async |model: &str| -> Result<String> {
        let body = json!({"model": format!("p/{model}"), "stream": true,
            "messages": [{"role": "user", "content": "Hi"}]});
        Ok(http.post(&url).bearer_auth(&key).json(&body).send().await?.text().await?)
    };
    let quiet = ask("warm-up").await?;
    ensure!(quiet.contains("[DONE]"), "the daemon does not answer at all: {quiet}");
    let before = daemon.peak_memory_kib();

    let (hostile, good) = tokio::join!(ask("hostile"), ask("good"));
    let (hostile, good) = (hostile?, good?);
    ensure!(hostile.contains("more than 32 MiB"), "the endless line is not what failed: {hostile}");
    ensure!(!hostile.contains("[DONE]"), "a failed stream ended as if it were whole");
    ensure!(good.contains("the good one") && good.contains("[DONE]"), "the other stream suffered: {good}");

    // Linux tells; elsewhere there is nothing to read.
    if let (Some(before), Some(after)) = (before, daemon.peak_memory_kib()) {
        println!("peak of the daemon's memory: {before} KiB before, {after} KiB after");
        ensure!(after - before < MAX_GROWTH_KIB, "grew from {before} to {after} KiB");
    }
    Ok(())
}

fn good() -> Vec<Step> {
    stream(&[
        "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"the good one\"}}]}\n\n",
        "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    ])
}

fn endless() -> Vec<Step> {
    let start = Step::Send(format!("{HEAD}data: {{\"id\":\"").into_bytes());
    std::iter::once(start).chain((0..ENDLESS_MIB).map(|_| Step::Send(vec![b'x'; 1 << 20]))).collect()
}
