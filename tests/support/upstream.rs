//! A provider on loopback that says exactly what a test wrote, byte for byte, over a plain socket:
//! an HTTP library would mend what a broken provider breaks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the upstream does with one request.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Waits until the other side closes the connection, and reports it.
    AwaitClose,
    /// Ends the connection with a reset instead of an orderly close.
    Reset,
}

/// What is done with the n-th request.
type Script = dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `POST /v1/chat/completions HTTP/1.1`
    pub line: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// Where the body is no JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// One message for each [`Step::AwaitClose`] that saw the close.
    pub closed: mpsc::UnboundedReceiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Upstream {
    /// Answers the n-th request with `scripts[n]`, and every later one with the last.
    pub async fn start(scripts: Vec<Vec<Step>>) -> Result<Self> {
        Self::start_with(move |number, _| scripts.get(number).or(scripts.last()).cloned().unwrap_or_default())
            .await
    }

    /// Answers the n-th request (from 0) as `script` says.
    pub async fn start_with(
        script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Result<Self> {
        let script: Arc<Script> = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (closing, closed) = mpsc::unbounded_channel();
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log), closing.clone()));
            }
        });
        Ok(Self { address, seen, closed, task })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, in the order of their arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A whole answer with a length.
pub fn answer(status: &str, content_type: &str, extra: &str, body: &str) -> Vec<Step> {
    vec![Step::Send(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )]
}

/// An event stream that ends when the connection closes: each piece is written on its own.
pub fn stream(pieces: &[&str]) -> Vec<Step> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    std::iter::once(head)
        .chain(pieces.iter().copied())
        .map(|text| Step::Send(text.as_bytes().to_vec()))
        .collect()
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    log: Arc<Mutex<Vec<Seen>>>,
    closing: mpsc::UnboundedSender<()>,
) {
    let Ok(seen) = read_request(&mut stream).await else { return };
    let number = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(seen.clone());
        log.len() - 1
    };
    for step in script(number, &seen) {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Step::AwaitClose => {
                let mut rest = [0_u8; 64];
                while matches!(stream.read(&mut rest).await, Ok(read) if read > 0) {}
                // Nobody listens where the test does not care.
                let _ = closing.send(());
            }
            Step::Reset => {
                #[expect(deprecated, reason = "a zero linger is how a socket is closed with a reset")]
                let _ = stream.set_linger(Some(std::time::Duration::ZERO));
                return;
            }
        }
    }
}

/// # Errors
/// Where the connection closes first, or it is no HTTP.
pub async fn read_request(stream: &mut TcpStream) -> Result<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed in the head");
    };
    let head = String::from_utf8(bytes[..head_end].to_vec())?;
    let mut lines = head.split("\r\n");
    let line = lines.next().context("no request line")?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(Ok(0), |(_, value)| value.parse())?;
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        anyhow::ensure!(stream.read_buf(&mut body).await? > 0, "closed in the body");
    }
    Ok(Seen { line, headers, body })
}
