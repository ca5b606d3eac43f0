//! A gateway of its own per test, and providers that do as they are told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream::{self, Stream, StreamExt};
use gateway::secrets::InMemory;
use gateway::{Clock, Gateway, Options, Parts, Secrets};
use ledger::{ExportedRequest, Ledger, LedgerError};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

/// Long enough for the slowest machine; nothing waits this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const FLOOD_PIECE_BYTES: usize = 64 << 10;

pub(crate) struct House {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) key: String,
    pub(crate) config_path: PathBuf,
    folder: tempfile::TempDir,
}

impl House {
    /// A gateway with these settings, on a free port, with one client.
    pub(crate) async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config_path = folder.path().join("settings.toml");
        std::fs::write(&config_path, format!("[port]\nlisten = \"127.0.0.1:0\"\n{settings}")).unwrap();
        let gateway = start(&folder).await;
        let key = gateway.create_client("test").await.unwrap().key;
        Self { gateway, key, config_path, folder }
    }

    /// Ends, and starts anew with the same folder and the same client.
    pub(crate) async fn restarted(self) -> Self {
        let Self { gateway, key, config_path, folder } = self;
        gateway.shutdown().await;
        drop(gateway);
        Self { gateway: start(&folder).await, key, config_path, folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.port().listening.expect("the port is open"))
    }

    pub(crate) async fn post(&self, body: &Value) -> reqwest::Response {
        self.post_bytes(body.to_string().into_bytes()).await
    }

    pub(crate) async fn post_bytes(&self, body: Vec<u8>) -> reqwest::Response {
        http()
            .post(self.url("/v1/chat/completions"))
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        http().get(self.url(path)).bearer_auth(&self.key).send().await.unwrap()
    }

    /// The newest request in the book.
    pub(crate) async fn last_request(&self) -> ExportedRequest {
        self.gateway.ledger().flush().await.unwrap();
        let ledger = self.gateway.ledger().clone();
        let rows = tokio::task::spawn_blocking(move || exported(&ledger)).await.unwrap();
        rows.into_iter().next_back().expect("a request is in the book")
    }
}

async fn start(folder: &tempfile::TempDir) -> Arc<Gateway> {
    let options = Options {
        config_path: folder.path().join("settings.toml"),
        data_dir: folder.path().to_owned(),
        listen_override: None,
    };
    let file = folder.path().join(ledger::FILE_NAME);
    // The tasks of an earlier run let go of the ledger one after another.
    let open = async {
        loop {
            match Ledger::open(&file, Clock.now_ms()) {
                Err(LedgerError::InUse { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    };
    let ledger = tokio::time::timeout(PATIENCE, open).await.expect("the ledger is free");
    let parts = Parts { ledger, secrets: Secrets::new(Arc::new(InMemory::default())), clock: Clock };
    Gateway::start(options, parts).await.unwrap()
}

fn exported(ledger: &Ledger) -> Vec<ExportedRequest> {
    ledger.export_requests().map(Result::unwrap).collect()
}

pub(crate) fn http() -> reqwest::Client {
    // TLS is installed by the gateway that every test starts first.
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) fn ask(model: &str, is_stream: bool) -> Value {
    json!({ "model": model, "stream": is_stream, "messages": [{ "role": "user", "content": "Hello" }] })
}

/// One `[[provider]]` of the OpenAI-compatible kind at `url`.
pub(crate) fn provider(id: &str, url: &str) -> String {
    format!(
        "[[provider]]\nid = \"{id}\"\nkind = \"openai-compatible\"\nbase_url = \"{url}/v1\"\nkey = \"none\"\n"
    )
}

pub(crate) fn route(name: &str, providers: &[&str]) -> String {
    let targets: Vec<String> =
        providers.iter().map(|id| format!("{{ provider = \"{id}\", model = \"m\" }}")).collect();
    format!("[[route]]\nname = \"{name}\"\ntargets = [{}]\n", targets.join(", "))
}

// === A provider that does as it is told ===

/// What to answer to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// These pieces, then the end.
    Stream {
        pieces: Vec<String>,
        end: End,
    },
    /// Words without end, as fast as they are taken; [`Upstream::pieces_taken`] counts them.
    Flood,
    /// Takes the request and never says a word.
    Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    /// The connection breaks without its proper end, once [`Upstream::break_off`] says so: what
    /// was said before is then on its way.
    Break,
    /// Stays open and says nothing more.
    Hang,
    /// Comments for ever.
    Pings,
}

#[derive(Clone)]
struct Stage {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    requests: Arc<Mutex<Vec<Value>>>,
    heads: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    hung_up: mpsc::UnboundedSender<()>,
    breaks: Arc<Semaphore>,
    taken: Arc<AtomicUsize>,
}

pub(crate) struct Upstream {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Value>>>,
    heads: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    hung_up: mpsc::UnboundedReceiver<()>,
    breaks: Arc<Semaphore>,
    taken: Arc<AtomicUsize>,
}

impl Upstream {
    /// Answers one request after the other with `replies`, and with 500 when none is left.
    pub(crate) async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let (sender, hung_up) = mpsc::unbounded_channel();
        let stage = Stage {
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
            requests: Arc::default(),
            heads: Arc::default(),
            hung_up: sender,
            breaks: Arc::new(Semaphore::new(0)),
            taken: Arc::default(),
        };
        let taken = Arc::clone(&stage.taken);
        let breaks = Arc::clone(&stage.breaks);
        let (requests, heads) = (Arc::clone(&stage.requests), Arc::clone(&stage.heads));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(play).with_state(stage);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, requests, heads, hung_up, breaks, taken }
    }

    /// What it was asked, oldest first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// Address and headers of what it was asked, oldest first.
    pub(crate) fn heads(&self) -> Vec<(String, HeaderMap)> {
        self.heads.lock().unwrap().clone()
    }

    /// Pieces of a [`Reply::Flood`] that the server has handed to the network.
    pub(crate) fn pieces_taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Breaks one connection that waits for it, now or as soon as one does.
    pub(crate) fn break_off(&self) {
        self.breaks.add_permits(1);
    }

    /// Resolves when somebody hung up on an answer that had not ended.
    pub(crate) async fn was_hung_up_on(&mut self) {
        tokio::time::timeout(PATIENCE, self.hung_up.recv())
            .await
            .expect("the connection stayed open")
            .unwrap();
    }
}

/// Tells when it goes: the server drops an answer's body when its client has left.
struct Guard(mpsc::UnboundedSender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn play(State(stage): State<Stage>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    stage.heads.lock().unwrap().push((head.uri.to_string(), head.headers));
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    stage.requests.lock().unwrap().push(serde_json::from_slice(&body).unwrap_or(Value::Null));
    let reply = stage.replies.lock().unwrap().pop_front();
    match reply {
        Some(Reply::Whole { status, headers, body }) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Some(Reply::Stream { pieces, end }) => {
            let body = Body::from_stream(pieces_then(pieces, end, stage.breaks, Guard(stage.hung_up)));
            Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
        }
        Some(Reply::Flood) => {
            let piece = Bytes::from(words(&"flood ".repeat(FLOOD_PIECE_BYTES / 6)));
            let flood = stream::repeat_with(move || {
                stage.taken.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>(piece.clone())
            });
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(Body::from_stream(flood))
                .unwrap()
        }
        Some(Reply::Silence) => {
            let _guard = Guard(stage.hung_up);
            std::future::pending().await
        }
        None => Response::builder().status(500).body(Body::from("nothing left to say")).unwrap(),
    }
}

fn pieces_then(
    pieces: Vec<String>,
    end: End,
    breaks: Arc<Semaphore>,
    guard: Guard,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let said = stream::iter(pieces).map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    let said = said.map(|piece| piece.map_err(|never| match never {}));
    let rest: std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>> = match end {
        End::Close => Box::pin(stream::empty()),
        End::Break => Box::pin(stream::once(async move {
            breaks.acquire().await.unwrap().forget();
            Err(std::io::Error::other("cut"))
        })),
        End::Hang => Box::pin(stream::pending()),
        End::Pings => Box::pin(stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok(Bytes::from_static(b": ping\n\n")), ()))
        })),
    };
    said.chain(rest).map(move |piece| {
        let _held = &guard;
        piece
    })
}

pub(crate) fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let chunk = json!({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026",
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
    });
    format!("data: {chunk}\n\n")
}

pub(crate) fn words(text: &str) -> String {
    chunk(&json!({ "role": "assistant", "content": text }), None)
}

/// A good stream that says `text`.
pub(crate) fn good_stream(text: &str) -> Reply {
    let usage = json!({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-2026", "choices": [],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 },
    });
    let pieces = vec![
        words(text),
        chunk(&json!({}), Some("stop")),
        format!("data: {usage}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ];
    Reply::Stream { pieces, end: End::Close }
}

/// A good whole answer that says `text`.
pub(crate) fn good_answer(text: &str) -> Reply {
    let body = json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m-2026",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 },
    });
    Reply::Whole {
        status: 200,
        headers: vec![("content-type", "application/json".into())],
        body: body.to_string(),
    }
}

pub(crate) fn failure(status: u16, message: &str) -> Reply {
    let body = json!({ "error": { "message": message, "type": "x", "code": null } }).to_string();
    Reply::Whole { status, headers: vec![], body }
}

/// The text in a stream of chunks, and the error that ended it.
pub(crate) fn read_stream(body: &str) -> (String, Option<Value>) {
    let (mut text, mut error) = (String::new(), None);
    for data in body.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
        if let Some(found) = value.get("error") {
            error = Some(found.clone());
        }
        if let Some(more) = value["choices"][0]["delta"]["content"].as_str() {
            text.push_str(more);
        }
    }
    (text, error)
}
