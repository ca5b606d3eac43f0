//! A provider on loopback with every fault of a real one, drawn by chance from a fixed seed, and with
//! books of its own: what it was asked, how much at once, and what it bills.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::upstream::read_request;

/// Words of a whole answer.
const WORDS: usize = 24;

/// What every request is billed for as its input.
const INPUT_TOKENS: i64 = 40;

/// How long it takes to its answer, so that several are under way at once.
const THINKING: Duration = Duration::from_millis(20);

/// The words from that one on: every one is known by its number, so that one that is lost or said twice
/// shows.
pub fn words(from: usize) -> String {
    (from..WORDS).map(word).collect()
}

fn word(number: usize) -> String {
    if number == 0 { "word-0".to_owned() } else { format!(" word-{number}") }
}

/// How often what goes wrong, as shares of the requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Answers with 500.
    pub fails: f64,
    /// Takes the request and never says a word.
    pub stalls: f64,
    /// Ends in the middle of its answer, without a word about it.
    pub cuts: f64,
    /// Says 200 and sends a page.
    pub lies: f64,
    /// So many requests at once, and so many more each second; the others are refused with 429.
    pub bucket: Option<(u32, f64)>,
}

/// What it counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub asked: usize,
    pub failed: usize,
    pub stalled: usize,
    pub cut: usize,
    pub lied: usize,
    pub refused: usize,
    pub most_at_once: usize,
    pub most_in_a_minute: usize,
    /// Of everything that it said what it bills for.
    pub input_tokens: i64,
    pub output_tokens: i64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} asked, {} failed, {} stalled, {} cut, {} lied, {} refused; {} at once, {} in a minute",
            self.asked,
            self.failed,
            self.stalled,
            self.cut,
            self.lied,
            self.refused,
            self.most_at_once,
            self.most_in_a_minute
        )
    }
}

#[derive(Debug)]
struct Books {
    counts: Counts,
    at_once: usize,
    last_minute: VecDeque<Instant>,
    /// What is left in the bucket, and since when.
    bucket: (f64, Instant),
    seed: u64,
}

#[derive(Debug)]
pub struct Faulty {
    pub name: &'static str,
    address: SocketAddr,
    books: Arc<Mutex<Books>>,
    task: tokio::task::JoinHandle<()>,
}

enum Deed {
    Refuse(Duration),
    Fail,
    Stall,
    Lie,
    Cut,
    Answer,
}

impl Faulty {
    /// # Errors
    /// Where no port is to be had.
    pub async fn start(name: &'static str, faults: Faults) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let full = faults.bucket.map_or(0.0, |(size, _)| f64::from(size));
        let books = Books {
            counts: Counts::default(),
            at_once: 0,
            last_minute: VecDeque::new(),
            bucket: (full, Instant::now()),
            seed: name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte)),
        };
        let books = Arc::new(Mutex::new(books));
        let shared = Arc::clone(&books);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, faults, Arc::clone(&shared)));
            }
        });
        Ok(Self { name, address, books, task })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn counts(&self) -> Counts {
        lock(&self.books).counts
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    /// A number from 0 up to 1, the next of a fixed row (Knuth's MMIX).
    fn draw(&mut self) -> f64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as f64 / f64::from(1_u32 << 31)
    }

    fn decide(&mut self, faults: &Faults, now: Instant) -> Deed {
        self.counts.asked += 1;
        self.last_minute.push_back(now);
        while self.last_minute.front().is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(60)) {
            self.last_minute.pop_front();
        }
        self.counts.most_in_a_minute = self.counts.most_in_a_minute.max(self.last_minute.len());
        if let Some((size, rate)) = faults.bucket {
            let (left, since) = self.bucket;
            let left = (left + now.duration_since(since).as_secs_f64() * rate).min(f64::from(size));
            if left < 1.0 {
                self.bucket = (left, now);
                self.counts.refused += 1;
                return Deed::Refuse(Duration::from_secs_f64((1.0 - left) / rate));
            }
            self.bucket = (left - 1.0, now);
        }
        let mut drawn = self.draw();
        let mut is = |share: f64| {
            drawn -= share;
            drawn < 0.0
        };
        if is(faults.fails) {
            self.counts.failed += 1;
            Deed::Fail
        } else if is(faults.stalls) {
            self.counts.stalled += 1;
            Deed::Stall
        } else if is(faults.lies) {
            self.counts.lied += 1;
            Deed::Lie
        } else if is(faults.cuts) {
            self.counts.cut += 1;
            Deed::Cut
        } else {
            Deed::Answer
        }
    }

    fn bill(&mut self, output_tokens: usize) {
        self.counts.input_tokens += INPUT_TOKENS;
        self.counts.output_tokens += i64::try_from(output_tokens).unwrap_or_default();
    }
}

async fn serve(mut stream: TcpStream, faults: Faults, books: Arc<Mutex<Books>>) {
    let Ok(seen) = read_request(&mut stream).await else { return };
    let Ok(body) = seen.json() else { return };
    let deed = {
        let mut books = lock(&books);
        books.at_once += 1;
        books.counts.most_at_once = books.counts.most_at_once.max(books.at_once);
        books.decide(&faults, Instant::now())
    };
    let from = next_word(&body);
    let is_stream = body["stream"] == true;
    let said = match deed {
        Deed::Refuse(wait) => {
            let extra = format!("retry-after-ms: {}\r\n", wait.as_millis() + 1);
            let body = json!({ "error": { "message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded" } });
            whole("429 Too Many Requests", "application/json", &extra, &body.to_string())
        }
        Deed::Fail => whole("500 Internal Server Error", "text/plain", "", "oops"),
        Deed::Lie => whole("200 OK", "text/html", "", "<!doctype html><html><title>Welcome</title></html>"),
        Deed::Stall => {
            let mut rest = [0_u8; 64];
            while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {}
            Vec::new()
        }
        Deed::Cut if is_stream => {
            // A few words, and with each what it bills so far.
            let until = (from + 4).min(WORDS - 1).max(from);
            lock(&books).bill(until - from);
            streamed(from, until, false)
        }
        // A whole answer that breaks off is billed by nobody: nothing of it says what for.
        Deed::Cut => {
            let mut bytes = whole("200 OK", "application/json", "", &answer(from).to_string());
            bytes.truncate(bytes.len() - 40);
            bytes
        }
        Deed::Answer => {
            lock(&books).bill(WORDS - from);
            if is_stream {
                streamed(from, WORDS, true)
            } else {
                whole("200 OK", "application/json", "", &answer(from).to_string())
            }
        }
    };
    tokio::time::sleep(THINKING).await;
    // Before it is whole at the other side: who reads the last byte may ask again at once.
    lock(&books).at_once -= 1;
    let _ = stream.write_all(&said).await;
    let _ = stream.shutdown().await;
    // What was sent is read, also where the other side has more to say.
    let mut rest = [0_u8; 64];
    while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {}
}

/// The word that follows what the conversation ends with, as the model would go on.
fn next_word(body: &Value) -> usize {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said = messages.iter().rev().find(|message| message["role"] == "assistant");
    let last =
        said.and_then(|message| message["content"].as_str()?.rsplit('-').next()?.parse::<usize>().ok());
    // It is asked to begin with words that it said.
    last.map_or(0, |last| (last + 1).saturating_sub(2))
}

fn usage(words: usize) -> Value {
    let total = INPUT_TOKENS + i64::try_from(words).unwrap_or_default();
    json!({ "prompt_tokens": INPUT_TOKENS, "completion_tokens": words, "total_tokens": total })
}

fn answer(from: usize) -> Value {
    json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": words(from) }, "finish_reason": "stop" }],
        "usage": usage(WORDS - from),
    })
}

fn whole(status: &str, kind: &str, extra: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn streamed(from: usize, until: usize, is_whole: bool) -> Vec<u8> {
    let chunk = |delta: Value, finish: Value, words: usize| {
        let chunk = json!({
            "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
            "usage": usage(words),
        });
        format!("data: {chunk}\n\n")
    };
    let mut said =
        String::from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    for number in from..until {
        let delta = json!({ "role": "assistant", "content": word(number) });
        said.push_str(&chunk(delta, Value::Null, number + 1 - from));
    }
    if is_whole {
        said.push_str(&chunk(json!({}), json!("stop"), until - from));
        said.push_str("data: [DONE]\n\n");
    }
    said.into_bytes()
}
