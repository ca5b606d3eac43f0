//! The life of a request, a file per stage: [`admit`] (which targets, under which name), [`race`]
//! (attempt after attempt until one answers; [`drive`] asks the router which, [`facts`] tells it what
//! the request and the targets are like), [`lane`] (the client's own bytes, or ours),
//! [`attempt`] (one target asked), [`hold`] (how much of its answer is held back), [`source`] (its stream read), [`thoughts`] (whose proofs of thought go where), [`relay`] (its answer passed on),
//! [`continuation`] (another model going on where one broke off),
//! [`settle`] (what it cost, into the book).
//!
//! What is no conversation takes the same course with less: [`embed`], and [`count`] outside of
//! the book; [`exchange`] is their one question and answer.
//!
//! A request runs in a task of its own and speaks to its caller through a bounded channel: a
//! caller that reads slowly slows its own provider down and nobody else. A caller that drops the
//! channel or cancels has left: the connection to the provider is dropped at once.

pub mod admit;
mod attempt;
mod checks;
mod continuation;
pub(crate) mod count;
mod drive;
pub(crate) mod embed;
mod estimate;
mod exchange;
mod facts;
mod hold;
mod lane;
mod race;
mod relay;
mod seen;
mod settle;
mod source;
mod thoughts;

use std::sync::Arc;

use bytes::Bytes;
use canonical::{ChatRequest, ChatResponse, Error, FinishReason, StreamEvent, Usage};
use ledger::{Cost, Outcome};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::core::Core;

pub use continuation::Seam;
pub(crate) use drive::LastFaults;
pub use facts::Hints;
pub(crate) use facts::KnownFacts;
pub use lane::{Inbound, Lane};

/// Events that wait between the engine and a slow caller.
const CHANNEL_EVENTS: usize = 64;

/// Who asks.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The client's name; `None` for the chat window.
    pub client: Option<String>,
    /// What the caller speaks (`openai-chat`), or `chat` for the chat window.
    pub dialect: &'static str,
    pub chat_id: Option<String>,
    /// The answer's message in the chat.
    pub message_id: Option<String>,
    /// The request's id, where the caller wrote it down before asking (the chat saves its message
    /// first); a new one else.
    pub request_id: Option<String>,
    /// What it says beside the request.
    pub hints: Hints,
    /// What the client sent, as it sent it: a provider of the same family may get just that, and
    /// the caller hears `Raw` or `RawWhole`. `None` for the chat window.
    pub inbound: Option<Inbound>,
}

/// A request under way. Dropping it (or its `events`) is leaving: the provider is hung up on.
#[derive(Debug)]
pub struct Running {
    pub request_id: String,
    /// `Committed` once, then the answer, then `Ended`; or `Ended` alone. Nothing after `Ended`.
    pub events: mpsc::Receiver<EngineEvent>,
    /// Ends the request; the engine then says `Ended` with [`Outcome::Cancelled`].
    pub cancel: CancellationToken,
}

/// What a caller hears of its request.
#[derive(Debug, Clone)]
pub enum EngineEvent {
    /// A target answers; no other one will be asked from here on.
    Committed(Committed),
    /// The answer broke off, and another model goes on with it from here.
    Seam(Seam),
    /// A piece of the answer; only where the request asked for a stream.
    Answer(StreamEvent),
    /// The next bytes of the provider's own stream, in whole frames; instead of `Answer`, where
    /// the lane is [`Lane::Verbatim`].
    Raw(Raw),
    /// The whole answer; only where the request did not ask for a stream.
    Whole(Box<ChatResponse>),
    /// The whole answer in the provider's own bytes; instead of `Whole`, where the lane is
    /// [`Lane::Verbatim`].
    RawWhole(Bytes),
    /// The end, good or bad; always the last.
    Ended(Box<Ending>),
}

/// Bytes of a provider's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    pub bytes: Bytes,
    /// They are the provider's own word for the error that `Ended` tells next: nothing of ours may
    /// follow them.
    pub is_last_word: bool,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub route: Option<String>,
    pub provider: String,
    pub model: String,
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// Each target of the route with what became of it, in a line.
    pub decision: String,
    pub lane: Lane,
    /// What the provider calls a whole answer's bytes.
    pub content_type: Option<String>,
    /// The provider's own id of the request.
    pub provider_request_id: Option<String>,
    /// What of the request it was not told as the client said it, by names ([`wire::notes::summary`]).
    pub notes: Option<String>,
}

/// How a request ended.
#[derive(Debug, Clone)]
pub struct Ending {
    pub outcome: Outcome,
    /// Why, where it did not end well.
    pub error: Option<Error>,
    pub receipt: Receipt,
}

/// What a request took and cost.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub request_id: String,
    pub route: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub response_model: Option<String>,
    pub attempts: u32,
    /// Each target of the route with what became of it, in a line; empty where none was planned.
    pub decision: String,
    pub time_to_first_token_ms: Option<i64>,
    pub duration_ms: i64,
    pub usage: Option<Usage>,
    pub cost: Cost,
    pub finish_reason: Option<FinishReason>,
}

/// Starts a request and returns at once. Needs a tokio runtime.
pub(crate) fn chat(core: &Arc<Core>, request: ChatRequest, caller: Caller) -> Running {
    let request_id = caller.request_id.clone().unwrap_or_else(|| core.clock.new_id());
    let (events, receiver) = mpsc::channel(CHANNEL_EVENTS);
    let cancel = core.closing.child_token();
    let line = Line { events, cancel: cancel.clone() };
    core.requests.spawn(race::run(Arc::clone(core), request_id.clone(), request, caller, line));
    Running { request_id, events: receiver, cancel }
}

/// The engine's end of the line to a caller.
#[derive(Debug)]
struct Line {
    events: mpsc::Sender<EngineEvent>,
    cancel: CancellationToken,
}

/// The caller is gone, or wants no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left;

impl Line {
    /// Waits for room, for as long as the caller is there.
    async fn send(&self, event: EngineEvent) -> Result<(), Left> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Left),
            sent = self.events.send(event) => sent.map_err(|_| Left),
        }
    }

    /// Resolves when the caller has left.
    async fn left(&self) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.events.closed() => {}
        }
    }

    /// The last word; also to a caller who cancelled and still listens.
    async fn end(&self, ending: Ending) {
        // Nobody there to hear it is fine: it stands in the book.
        let _ = self.events.send(EngineEvent::Ended(Box::new(ending))).await;
    }
}
