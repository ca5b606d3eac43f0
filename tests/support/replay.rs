//! A provider on loopback that answers with recorded exchanges, byte for byte, over real HTTP: the
//! recorded status, headers and body, the body in seeded chunks, the requests kept.
//!
//! A request names its record in one of two ways: by the path's beginning (`/record-12/…`), or by
//! its model (`record-12`), in the body or in the path, so that one base URL serves all records.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::corpus::Record;
use crate::laws::{Chance, chunks};

/// Headers that belong to the recorded connection and not to this one.
const OF_THE_CONNECTION: [&str; 5] =
    ["content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive"];

/// Requests larger than this are no test of ours.
const MAX_BODY_BYTES: usize = 64 << 20;

/// One answer to give.
#[derive(Debug, Clone)]
pub struct Take {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Take {
    /// The record's answer, whole.
    pub fn of(record: &Record) -> Self {
        let headers = record.headers();
        let headers = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { status: record.response.status, headers, body: record.body() }
    }

    /// The same, cut after `length` bytes and then ended in good HTTP.
    pub fn cut(record: &Record, length: usize) -> Self {
        let mut take = Self::of(record);
        take.body.truncate(length);
        take
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The number of the take that answered it.
    pub take: usize,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

#[derive(Debug)]
pub struct Replay {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    takes: Vec<Take>,
    arrived: Mutex<Vec<Arrived>>,
}

impl Replay {
    /// Serves `takes` until it is dropped.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(takes: Vec<Take>) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { takes, arrived: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // Ends with the task, when the test drops it.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, task })
    }

    /// A base URL under which the model names the record.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A base URL under which every request is answered with that take.
    pub fn url_of(&self, take: usize) -> String {
        format!("http://{}/{}", self.address, model(take))
    }

    /// The requests so far, in the order of their arrival.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The model that asks for a take.
pub fn model(take: usize) -> String {
    format!("record-{take}")
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let Ok(bytes) = to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let named = take_in(&path).or_else(|| take_in(body["model"].as_str()?));
    let Some((number, take)) = named.and_then(|number| Some((number, shared.takes.get(number)?))) else {
        // A list of models, for instance, is not on record.
        let error = json!({"error": {"message": "no record is named", "type": "invalid_request_error"}});
        return (StatusCode::NOT_FOUND, error.to_string()).into_response();
    };
    let headers = parts.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let arrived = Arrived { take: number, path, headers: headers.collect(), body };
    shared.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
    replayed(take)
}

/// The number in the first `record-N` of `text`.
fn take_in(text: &str) -> Option<usize> {
    let digits = text.split_once("record-")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

fn replayed(take: &Take) -> Response {
    let mut chance = Chance::new(&take.body);
    let mut cuts: Vec<usize> = (0..take.body.len() / 512).map(|_| chance.below(take.body.len())).collect();
    cuts.sort_unstable();
    let pieces: Vec<Result<Bytes, Infallible>> =
        chunks(&take.body, &cuts).into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut response = Response::new(Body::from_stream(futures_util::stream::iter(pieces)));
    *response.status_mut() = StatusCode::from_u16(take.status).unwrap_or(StatusCode::OK);
    for (name, value) in &take.headers {
        let is_ours = OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str());
        if let (false, Ok(name), Ok(value)) =
            (is_ours, name.parse::<HeaderName>(), HeaderValue::from_str(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
