//! `kill -9` under load, twenty times on one data folder.
//!
//! What the ledger promises, and so what is held here:
//!
//! - **Settled is settled.** A request's end is queued before its client hears the end of the
//!   answer, and commits in a group within a few dozen milliseconds: a client's last byte is no
//!   receipt. Two things are. A row that another process read as settled (`export requests`) is
//!   there after the kill, equal in every field. And the queue keeps its order: once the start of
//!   a request is on disk, every request that some client had whole before that one was asked is
//!   settled on disk too, with its exact cost.
//! - **Exactly the unfinished are `interrupted`.** After a restart no row is `running`. A request
//!   that cannot have ended (its answer takes longer than its process lived) is `interrupted`. A
//!   request is `interrupted` although its client had it whole only within that last group.
//! - **Rows of dead processes never change again.**
//! - **The file is sound**: `PRAGMA integrity_check` on the files as the kill left them, and on
//!   those of the restarted process.
//!
//! Kills are placed by counted events (pieces of answers that reached clients), with seeded counts,
//! so they fall into the thick of the load on fast and slow machines alike.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use signalbox_tests::daemon::Daemon;
use tokio::sync::watch;
use tokio::task::JoinSet;

const KILLS: u64 = 20;
/// Clients whose answers come at once, so that some settle whenever the kill comes…
const QUICK: u64 = 8;
/// …and clients that are in the middle of an answer.
const SLOW: u64 = 2;
/// One says nothing more after its beginning, one goes on for minutes: certainly unfinished,
/// whenever the kill comes.
const ENDLESS: [&str; 2] = ["rehearsal/drill-stall", "rehearsal/drill-long"];

/// A provider with a price: the daemon knows it as OpenAI.
const PRICED: &str = "priced/gpt-5";
/// gpt-5 at OpenAI, in pico-dollars per token; the daemon's table says the same or the test fails.
const INPUT_PICO: u64 = 1_250_000;
const OUTPUT_PICO: u64 = 10_000_000;
const OUTPUT_TOKENS: u64 = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_settled_is_lost_and_exactly_the_unfinished_are_interrupted() -> Result<()> {
    // The HTTP client asks for one even where nothing is encrypted.
    rustls::crypto::ring::default_provider().install_default().ok();
    let upstream = priced_upstream().await?;
    let settings = format!(
        "[[provider]]\nid = \"priced\"\nkind = \"openai\"\nbase_url = \"http://{upstream}/v1\"\nkey = \"env:PRICED_KEY\"\n"
    );
    let environment = [("PRICED_KEY", "sk-test-of-nobody")];
    let mut daemon = Daemon::start_with(&settings, &environment)?;
    let key = daemon.client_key("load")?;

    let mut random = Seeded(0x5EED_0F09);
    // Every row of a dead process, as it was first seen after a restart.
    let mut history: BTreeMap<String, Value> = BTreeMap::new();
    for kill in 0..KILLS {
        let load = Load::start(&daemon, &key)?;
        // Some of it settles; an export is the receipt for that.
        load.pieces_reach(100 + random.below(200)).await?;
        let receipts = rows(daemon.export()?)?;
        // The load goes on, and the kill falls into it.
        load.pieces_reach(load.pieces() + 1 + random.below(300)).await?;
        daemon.kill()?;
        let seen = load.end().await?;

        check_left_files(&daemon.data_dir())?;
        daemon.serve(&environment)?;
        check_integrity(&daemon.data_dir().join(ledger::FILE_NAME))?;
        let after = rows(daemon.export()?)?;

        let check = || -> Result<()> {
            check_receipts(&receipts, &after)?;
            check_nothing_runs(&after)?;
            check_unfinished(&seen, &after)?;
            check_finished(&seen, &after)?;
            check_same(&history, &after)
        };
        check().with_context(|| format!("after kill {kill}"))?;
        let count = |status: &str| after.values().filter(|row| row["status"] == status).count();
        println!(
            "kill {kill}: {} receipts, {} answers whole, {} begun; on disk {} ok, {} interrupted",
            receipts.len(),
            seen.whole.len(),
            seen.asked.len(),
            count("ok"),
            count("interrupted"),
        );
        history = after;
    }
    Ok(())
}

// === What must hold ===

/// What an export showed settled is there, and the same in every field.
fn check_receipts(receipts: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Result<()> {
    let settled = |row: &Value| row["status"] != "running";
    // Without receipts and without running requests the check would hold nothing.
    let ok = receipts.values().filter(|row| row["status"] == "ok").count();
    ensure!(ok > 0 && receipts.values().any(|row| !settled(row)), "{ok} of {} were settled", receipts.len());
    let settled = receipts.iter().filter(|(_, row)| settled(row)).map(|(id, row)| (id.clone(), row.clone()));
    check_same(&settled.collect(), after)?;
    for id in receipts.keys() {
        ensure!(after.contains_key(id), "{id} ran and is gone");
    }
    Ok(())
}

fn check_same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Result<()> {
    for (id, before) in before {
        let now = after.get(id).with_context(|| format!("{id} is gone: {before}"))?;
        ensure!(now == before, "{id} was settled and changed:\n{before}\n{now}");
    }
    Ok(())
}

fn check_nothing_runs(after: &BTreeMap<String, Value>) -> Result<()> {
    for (id, row) in after {
        ensure!(row["status"] != "running", "{id} runs, and nobody asked since the restart");
        for attempt in row["attempts"].as_array().context("no attempts")? {
            ensure!(attempt["outcome"] != "running", "an attempt of {id} runs");
        }
    }
    Ok(())
}

fn check_unfinished(seen: &Seen, after: &BTreeMap<String, Value>) -> Result<()> {
    for id in &seen.endless {
        let row = after.get(id).with_context(|| format!("{id} was under way for long and left no row"))?;
        ensure!(row["status"] == "interrupted", "{id} cannot have ended: {row}");
        ensure!(row["finish_reason"].is_null() && row["cost_picousd"].is_null(), "{id} was cut off: {row}");
    }
    // What was cut off on its way to the client may have been whole here; nothing else is possible.
    for id in seen.asked.keys().filter(|id| !seen.whole.contains_key(*id)) {
        let status = after.get(id).map_or(&Value::Null, |row| &row["status"]);
        ensure!(status.is_null() || status == "interrupted" || status == "ok", "{id} is {status}");
    }
    Ok(())
}

fn check_finished(seen: &Seen, after: &BTreeMap<String, Value>) -> Result<()> {
    let on_disk = seen.asked.iter().filter(|(id, _)| after.contains_key(*id));
    let last_start = on_disk.map(|(_, asked_at)| *asked_at).max().context("nothing was asked")?;
    let mut held = 0;
    for (id, whole) in &seen.whole {
        let row = after.get(id).filter(|row| row["status"] == "ok");
        if whole.at < last_start {
            held += 1;
            ensure!(row.is_some(), "{id} was answered: {:?}", after.get(id));
        }
        // Else it was in the last group, where it may be cut off, or gone, but not wrong.
        if let (Some(row), Some(input_tokens)) = (row, whole.input_tokens) {
            let cost = input_tokens * INPUT_PICO + OUTPUT_TOKENS * OUTPUT_PICO;
            ensure!(
                row["cost_picousd"] == cost && row["cost_status"] == "computed",
                "{id} cost {cost}: {row}"
            );
        }
    }
    ensure!(held > 0, "no answer was whole before the last start on disk");
    Ok(())
}

/// The files as the kill left them, read from a copy: whoever opens the originals mends them, and
/// that is the next process' part.
fn check_left_files(data_dir: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for name in [ledger::FILE_NAME.to_owned(), format!("{}-wal", ledger::FILE_NAME)] {
        let left = data_dir.join(&name);
        if left.exists() {
            std::fs::copy(left, folder.path().join(&name))?;
        }
    }
    check_integrity(&folder.path().join(ledger::FILE_NAME))
}

fn check_integrity(file: &Path) -> Result<()> {
    let connection = rusqlite::Connection::open(file)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(verdict == "ok", "{verdict}");
    let faults: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
    ensure!(faults == 0, "{faults} rows point at nothing");
    Ok(())
}

fn rows(export: Vec<Value>) -> Result<BTreeMap<String, Value>> {
    let count = export.len();
    let rows: BTreeMap<String, Value> = export
        .into_iter()
        .map(|row| Ok((row["id"].as_str().context("a row without an id")?.to_owned(), row)))
        .collect::<Result<_>>()?;
    ensure!(rows.len() == count, "an id came twice");
    Ok(rows)
}

// === Load ===

/// What the clients knew when the process died. Moments are counted, not timed.
#[derive(Debug, Default)]
struct Seen {
    /// Requests whose answer began, by the moment at which they were asked.
    asked: BTreeMap<String, u64>,
    whole: BTreeMap<String, Whole>,
    endless: BTreeSet<String>,
}

#[derive(Debug)]
struct Whole {
    /// The moment at which the client had all of it.
    at: u64,
    /// Of the priced provider.
    input_tokens: Option<u64>,
}

/// Clients that ask without a pause until the process dies.
struct Load {
    clients: JoinSet<Result<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    url: String,
    key: String,
    /// Pieces of answers that have reached clients.
    pieces: watch::Sender<u64>,
    moments: AtomicU64,
    seen: Mutex<Seen>,
}

impl Load {
    fn start(daemon: &Daemon, key: &str) -> Result<Self> {
        let shared = Arc::new(Shared {
            http: reqwest::Client::builder().no_proxy().build()?,
            url: daemon.url("/v1/chat/completions")?,
            key: key.to_owned(),
            pieces: watch::Sender::new(0),
            moments: AtomicU64::new(0),
            seen: Mutex::default(),
        });
        let mut clients = JoinSet::new();
        for client in 0..QUICK + SLOW {
            clients.spawn(Arc::clone(&shared).ask_on_and_on(client));
        }
        for model in ENDLESS {
            clients.spawn(Arc::clone(&shared).ask_without_end(model));
        }
        Ok(Self { clients, shared })
    }

    fn pieces(&self) -> u64 {
        *self.shared.pieces.borrow()
    }

    /// Waits until `count` pieces have reached clients and every endless answer has begun.
    async fn pieces_reach(&self, count: u64) -> Result<()> {
        let mut pieces = self.shared.pieces.subscribe();
        let enough = |seen: &u64| *seen >= count && self.shared.seen().endless.len() == ENDLESS.len();
        let reached = tokio::time::timeout(Duration::from_secs(120), pieces.wait_for(enough)).await;
        reached.with_context(|| format!("{} of {count} pieces came", self.pieces()))??;
        Ok(())
    }

    /// The process is dead: every client finds out, and says what it knew.
    async fn end(mut self) -> Result<Seen> {
        while let Some(client) = self.clients.join_next().await {
            client??;
        }
        Ok(std::mem::take(&mut *self.shared.seen()))
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::SeqCst)
    }

    /// One client: each kind of request in turn, until one of them is cut off.
    async fn ask_on_and_on(self: Arc<Self>, client: u64) -> Result<()> {
        for turn in client.. {
            // Different costs, so that a row cannot pass for another.
            let number = 1 + client * 10_000 + turn;
            let (model, stream) = match turn % 3 {
                _ if client >= QUICK => ("rehearsal/steady", true),
                0 => ("rehearsal/fast", true),
                1 => (PRICED, false),
                _ => ("rehearsal/fast", false),
            };
            let Some(id) = self.exchange(model, stream, number).await? else { return Ok(()) };
            let whole = Whole { at: self.moment(), input_tokens: (model == PRICED).then_some(number) };
            self.seen().whole.insert(id, whole);
        }
        Ok(())
    }

    async fn ask_without_end(self: Arc<Self>, model: &str) -> Result<()> {
        ensure!(self.exchange(model, true, 0).await?.is_none(), "{model} ended");
        Ok(())
    }

    /// Asks and reads the answer: the request's id, or `None` where the process died on it.
    async fn exchange(&self, model: &str, stream: bool, number: u64) -> Result<Option<String>> {
        let asked_at = self.moment();
        let body = ask(model, stream, number);
        let Ok(response) = self.http.post(&self.url).bearer_auth(&self.key).json(&body).send().await else {
            return Ok(None);
        };
        let id =
            response.headers().get("x-signalbox-request-id").context("no request id")?.to_str()?.to_owned();
        ensure!(response.status() == 200, "{id}: {}", response.status());
        self.seen().asked.insert(id.clone(), asked_at);
        let mut text = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(Ok(piece)) = pieces.next().await {
            text.extend_from_slice(&piece);
            if ENDLESS.contains(&model) {
                self.seen().endless.insert(id.clone());
            }
            self.pieces.send_modify(|pieces| *pieces += 1);
        }
        Ok(is_whole(&text, stream).then_some(id))
    }
}

/// Whether the answer has its end; a connection may close in good order before that.
fn is_whole(answer: &[u8], stream: bool) -> bool {
    if stream {
        return answer.trim_ascii_end().ends_with(b"data: [DONE]");
    }
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["choices"][0]["finish_reason"] == "stop"
}

fn ask(model: &str, stream: bool, number: u64) -> Value {
    json!({
        "model": model,
        "stream": stream,
        "messages": [{ "role": "user", "content": format!("{number}") }],
    })
}

/// A provider on loopback whose price is in the table: the prompt's number is its input tokens.
async fn priced_upstream() -> Result<std::net::SocketAddr> {
    let answer = axum::routing::post(|axum::Json(body): axum::Json<Value>| async move {
        let content = &body["messages"][0]["content"];
        let text = content.as_str().or_else(|| content[0]["text"].as_str()).unwrap_or_default();
        let input: u64 = text.parse().unwrap_or(0);
        axum::Json(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_132_800, "model": "gpt-5",
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
            "usage": {
                "prompt_tokens": input,
                "completion_tokens": OUTPUT_TOKENS,
                "total_tokens": input + OUTPUT_TOKENS,
            },
        }))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = axum::Router::new().route("/v1/chat/completions", answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// A small generator (SplitMix64): the same kills every time.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
