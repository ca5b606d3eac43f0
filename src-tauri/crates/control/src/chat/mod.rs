//! Answers in the chat window. The core owns every one of them from the first moment: a window
//! that closes, changes the chat or comes back only watches.
//!
//! - [`history`]: the path through a chat's tree becomes a request; titles.
//! - [`board`]: an answer as it grows, cut into numbered items for those who watch. Pure.
//! - [`generation`]: one answer under way: from the engine onto the board and into the book.
//!
//! The order of things: the question and the empty answer are on disk, then the provider is asked;
//! what arrives is saved within a second; the end is on disk before it is shown.

mod board;
mod generation;
pub(crate) mod history;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use canonical::ChatRequest;
use futures_util::stream::{self, BoxStream, StreamExt};
use gateway::{Caller, Gateway};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use crate::control::with_ledger;
use crate::error::{ControlError, Result};
use crate::events::{ChatsChangedEvent, ControlEvent};
use crate::types::{MessageState, WatchItem, WatchKind};
use crate::views;

use generation::Generation;

/// What a chat's request calls its dialect in the book.
const DIALECT: &str = "chat";

/// Every answer that is being written.
#[derive(Debug)]
pub(crate) struct Generations {
    gateway: Arc<Gateway>,
    events: broadcast::Sender<ControlEvent>,
    live: Mutex<HashMap<String, Arc<Generation>>>,
    tasks: Mutex<JoinSet<()>>,
}

/// An answer to begin: its message is in the book already.
pub(crate) struct Begin {
    pub(crate) chat_id: String,
    pub(crate) message_id: String,
    pub(crate) request_id: String,
    pub(crate) request: ChatRequest,
}

impl Generations {
    pub(crate) fn new(gateway: Arc<Gateway>, events: broadcast::Sender<ControlEvent>) -> Self {
        Self { gateway, events, live: Mutex::default(), tasks: Mutex::default() }
    }

    /// Asks for the answer. When this returns it can be watched and stopped.
    pub(crate) fn begin(self: &Arc<Self>, begin: Begin) {
        let caller = Caller {
            client: None,
            dialect: DIALECT,
            chat_id: Some(begin.chat_id.clone()),
            message_id: Some(begin.message_id.clone()),
            request_id: Some(begin.request_id),
            hints: gateway::Hints::default(),
            inbound: None,
        };
        let running = self.gateway.chat(begin.request, caller);
        let generation =
            Arc::new(Generation::new(begin.message_id.clone(), begin.chat_id, running.cancel.clone()));
        self.live().insert(begin.message_id, Arc::clone(&generation));
        let generations = Arc::clone(self);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            generation.run(&generations.gateway, running).await;
            generations.live().remove(&generation.message_id);
            let changed = ChatsChangedEvent { chat_id: generation.chat_id.clone() };
            // Nobody listening is no error.
            let _ = generations.events.send(ControlEvent::ChatsChanged(changed));
        });
    }

    /// Ends an answer by the user's word; what had arrived stays. One that has ended stays as it is.
    pub(crate) fn stop(&self, message_id: &str) {
        if let Some(generation) = self.find(message_id) {
            generation.stop();
        }
    }

    /// Ends every answer of a chat that is about to be deleted.
    pub(crate) fn stop_chat(&self, chat_id: &str) {
        for generation in self.live().values().filter(|generation| generation.chat_id == chat_id) {
            generation.stop();
        }
    }

    /// Ends every answer and returns when all of them are saved as `interrupted`.
    pub(crate) async fn shutdown(&self) {
        for generation in self.live().values() {
            generation.interrupt();
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }

    /// See [`crate::Control::watch`].
    pub(crate) async fn watch(&self, message_id: &str, since: u64) -> Result<BoxStream<'static, WatchItem>> {
        if let Some(generation) = self.find(message_id) {
            return Ok(follow(generation, since));
        }
        let id = message_id.to_owned();
        let message = with_ledger(&self.gateway, move |ledger| ledger.message(&id)).await?;
        let message = message.ok_or_else(|| ControlError::not_found("message", message_id))?;
        let message = views::message(message);
        if message.state == MessageState::Streaming {
            // Its generation ended between our two looks, or its row could not be written.
            return Err(ControlError::internal(
                "The answer is not being written any more. Open the chat again.",
            ));
        }
        let end = WatchItem {
            seq: since,
            kind: WatchKind::End,
            text: None,
            reasoning: None,
            tool_calls: None,
            message: Some(message),
        };
        Ok(stream::iter([end]).boxed())
    }

    fn find(&self, message_id: &str) -> Option<Arc<Generation>> {
        self.live().get(message_id).cloned()
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Generation>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items of a generation from `since` on, until its end.
fn follow(generation: Arc<Generation>, since: u64) -> BoxStream<'static, WatchItem> {
    struct Place {
        generation: Arc<Generation>,
        changed: tokio::sync::watch::Receiver<()>,
        cursor: board::Cursor,
        queue: VecDeque<WatchItem>,
        is_over: bool,
    }
    let changed = generation.changes();
    let place = Place {
        generation,
        changed,
        cursor: board::Cursor::new(since),
        queue: VecDeque::new(),
        is_over: false,
    };
    stream::unfold(place, |mut place| async move {
        loop {
            if let Some(item) = place.queue.pop_front() {
                place.is_over = item.kind == WatchKind::End;
                return Some((item, place));
            }
            if place.is_over {
                return None;
            }
            // Seen before looking, so that a change while we look wakes us again.
            place.changed.mark_unchanged();
            place.queue = place.generation.items(&mut place.cursor);
            if place.queue.is_empty() && place.changed.changed().await.is_err() {
                return None;
            }
        }
    })
    .boxed()
}
