//! What the port adds to a request: the rehearsal provider asked directly and through
//! `signalboxd`, in turns, on loopback. `cargo xtask bench` builds the daemon and names it in
//! `SIGNALBOXD`; numbers are only comparable within one run.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "A benchmark looks at its watch and tells people."
)]

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncBufReadExt as _;
use tokio::process::{Child, Command};

/// Requests each way in one round, for each concurrency.
const PER_ROUND: usize = 64;
/// Rounds alternate which way goes first, so that drift of the machine falls on both.
const ROUNDS: usize = 12;
/// Answers at once, so that what remains is what lies between.
const MODEL: &str = "fast";

#[derive(Clone)]
struct Way {
    http: reqwest::Client,
    url: String,
    key: String,
    model: String,
}

struct Case {
    name: &'static str,
    stream: bool,
    concurrency: usize,
}

const CASES: &[Case] = &[
    Case { name: "whole answer, one at a time", stream: false, concurrency: 1 },
    Case { name: "whole answer, 16 at once", stream: false, concurrency: 16 },
    Case { name: "first token, one at a time", stream: true, concurrency: 1 },
    Case { name: "first token, 16 at once", stream: true, concurrency: 16 },
];

#[tokio::main]
async fn main() -> Result<()> {
    // Cargo passes `--bench`; `cargo test --benches` passes nothing, and then there is nothing to measure.
    let Some(daemon) = std::env::var_os("SIGNALBOXD") else {
        println!("skipped: SIGNALBOXD names no daemon; `cargo xtask bench` does");
        return Ok(());
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = tempfile::tempdir()?;
    let rehearsal = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}/v1", rehearsal.local_addr()?);
    tokio::spawn(rehearsal::serve(rehearsal, std::future::pending()));
    let (address, key, mut child) = start(Path::new(&daemon), folder.path(), &base_url).await?;

    let http = reqwest::Client::builder().no_proxy().build()?;
    let way = |base: String, key: &str, model: String| Way {
        http: http.clone(),
        url: format!("{base}/chat/completions"),
        key: key.to_owned(),
        model,
    };
    let direct = way(base_url, "direct", MODEL.to_owned());
    let through = way(format!("http://{address}/v1"), &key, format!("bench/{MODEL}"));

    println!("{}", machine());
    println!("{PER_ROUND} requests each way per round, {ROUNDS} rounds in turns; milliseconds\n");
    println!("{:<30} {:>9} {:>9} {:>9} {:>9} {:>7}", "", "direct", "port", "direct", "port", "ratio");
    println!("{:<30} {:>9} {:>9} {:>9} {:>9} {:>7}", "", "median", "median", "p95", "p95", "median");
    for case in CASES {
        measure(case, &direct, &through).await?;
    }
    child.kill().await.context("the daemon could not be ended")
}

/// Starts the daemon with the rehearsal as its only provider; gives its address and a client's key.
async fn start(daemon: &Path, folder: &Path, base_url: &str) -> Result<(String, String, Child)> {
    let config = folder.join("signalbox.toml");
    let data = folder.join("data");
    let text = format!(
        "[port]\nlisten = \"127.0.0.1:0\"\n\n[[provider]]\nid = \"bench\"\nkind = \"openai-compatible\"\nbase_url = \"{base_url}\"\nkey = \"env:SIGNALBOX_BENCH_KEY\"\n"
    );
    std::fs::write(&config, text)?;
    let mut child = Command::new(daemon)
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .arg("--data-dir")
        .arg(&data)
        .env("SIGNALBOX_BENCH_KEY", "direct")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", daemon.display()))?;
    let stdout = child.stdout.take().context("the daemon has no standard output")?;
    let mut lines = tokio::io::BufReader::new(stdout).lines();
    let line = lines.next_line().await?.context("the daemon ended before it was ready")?;
    let ready: serde_json::Value = serde_json::from_str(&line)?;
    let address = ready["listening"].as_str().context("the daemon's line has no `listening`")?.to_owned();
    // Kept read, so that the daemon never blocks on a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });

    let added =
        Command::new(daemon).args(["client", "add", "bench", "--data-dir"]).arg(&data).output().await?;
    if !added.status.success() {
        bail!("no client key: {}", String::from_utf8_lossy(&added.stderr));
    }
    Ok((address, String::from_utf8(added.stdout)?.trim().to_owned(), child))
}

async fn measure(case: &Case, direct: &Way, through: &Way) -> Result<()> {
    round(case, direct).await?;
    round(case, through).await?;
    let (mut straight, mut ported) = (Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        if number % 2 == 0 {
            straight.extend(round(case, direct).await?);
            ported.extend(round(case, through).await?);
        } else {
            ported.extend(round(case, through).await?);
            straight.extend(round(case, direct).await?);
        }
    }
    let (direct50, port50) = (quantile(&mut straight, 0.5), quantile(&mut ported, 0.5));
    let (direct95, port95) = (quantile(&mut straight, 0.95), quantile(&mut ported, 0.95));
    let ratio = port50 / direct50;
    println!("{:<30} {direct50:>9.3} {port50:>9.3} {direct95:>9.3} {port95:>9.3} {ratio:>7.2}", case.name);
    Ok(())
}

/// One round: how long each request took.
async fn round(case: &Case, way: &Way) -> Result<Vec<Duration>> {
    let requests = (0..PER_ROUND).map(|_| ask(way, case.stream));
    futures_util::stream::iter(requests)
        .buffer_unordered(case.concurrency)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// Until the whole answer is there, or, streamed, until its first text is. A stream is read to its end.
async fn ask(way: &Way, stream: bool) -> Result<Duration> {
    let body = serde_json::json!({
        "model": way.model,
        "stream": stream,
        "messages": [{ "role": "user", "content": "Say something short." }],
    });
    let started = Instant::now();
    let response = way.http.post(&way.url).bearer_auth(&way.key).json(&body).send().await?;
    let status = response.status();
    if !status.is_success() {
        bail!("{} answered {status}: {}", way.url, response.text().await?);
    }
    if !stream {
        response.bytes().await?;
        return Ok(started.elapsed());
    }
    let mut first = None;
    let mut seen = String::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if first.is_none() {
            seen.push_str(&String::from_utf8_lossy(&chunk));
            first = has_text(&seen).then(|| started.elapsed());
        }
    }
    first.context("the stream ended without text")
}

/// Whether an OpenAI stream, as far as it came, holds a delta with text in it.
fn has_text(seen: &str) -> bool {
    let events = seen.lines().filter_map(|line| line.strip_prefix("data: "));
    events
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .any(|event| event["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty()))
}

/// Milliseconds below which `part` of the samples lie.
fn quantile(samples: &mut [Duration], part: f64) -> f64 {
    samples.sort_unstable();
    let index = ((samples.len() - 1) as f64 * part).round() as usize;
    samples[index].as_secs_f64() * 1000.0
}

/// `Linux 6.1.0, 2 × Some CPU`.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name").map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {}, {cores} × {cpu}", std::env::consts::OS, read("/proc/sys/kernel/osrelease").trim())
}
