//! One answer under way: from the engine onto the board and into the book.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use canonical::{ChatResponse, Error, ErrorKind, Origin};
use gateway::{Ending, EngineEvent, Gateway, Running};
use ledger::chats::StoredMessage;
use ledger::{MessageEnded, MessageProgress, MessageState, Outcome, Record};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Cursor};
use crate::control::with_ledger;
use crate::types::{MessageView, WatchItem};
use crate::views;

/// Between two items for those who watch: thirty a second is as much as an eye follows.
const ITEM_EVERY: Duration = Duration::from_millis(33);

/// Between two saves of what has arrived: with the book's own group commit less than a second.
const SAVE_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Generation {
    pub(super) message_id: String,
    pub(super) chat_id: String,
    cancel: CancellationToken,
    /// The user pressed stop; else a cancelled answer was interrupted.
    is_stopped: AtomicBool,
    board: Mutex<Board>,
    changed: watch::Sender<()>,
}

/// When the next item and the next save are due; `None` while there is nothing for them.
#[derive(Debug, Default)]
struct Due {
    item: Option<Instant>,
    save: Option<Instant>,
    last_item: Option<Instant>,
}

impl Generation {
    pub(super) fn new(message_id: String, chat_id: String, cancel: CancellationToken) -> Self {
        Self {
            message_id,
            chat_id,
            cancel,
            is_stopped: AtomicBool::new(false),
            board: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.cancel.cancel();
    }

    pub(super) fn interrupt(&self) {
        self.cancel.cancel();
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) fn items(&self, cursor: &mut Cursor) -> VecDeque<WatchItem> {
        self.board().items(cursor)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the answer in until its end. The end is on disk before it is shown.
    pub(super) async fn run(&self, gateway: &Gateway, mut running: Running) {
        let mut due = Due::default();
        let ending = loop {
            let news = tokio::select! {
                event = running.events.recv() => event,
                () = at(due.item) => {
                    self.show(&mut due, gateway.clock().now());
                    continue;
                }
                () = at(due.save) => {
                    due.save = None;
                    gateway.ledger().write(Record::MessageProgress(self.progress()));
                    continue;
                }
            };
            match news {
                Some(EngineEvent::Answer(event)) => {
                    self.board().apply(&event);
                    self.note(&mut due, gateway.clock().now());
                }
                Some(EngineEvent::Whole(response)) => {
                    self.take_whole(&response);
                    self.note(&mut due, gateway.clock().now());
                }
                // Bytes come to those who sent some, which a chat does not.
                Some(
                    EngineEvent::Committed(_)
                    | EngineEvent::Seam(_)
                    | EngineEvent::Raw(_)
                    | EngineEvent::RawWhole(_),
                ) => {}
                Some(EngineEvent::Ended(ending)) => break Some(ending),
                None => break None,
            }
        };
        let message = self.settle(gateway, ending.as_deref(), &running.request_id).await;
        self.board().end(message);
        self.changed.send_replace(());
    }

    /// Something arrived: an item and a save are due, each at its own pace.
    fn note(&self, due: &mut Due, now: Instant) {
        if !self.board().has_news() {
            return;
        }
        due.item.get_or_insert_with(|| due.last_item.map_or(now, |last| now.max(last + ITEM_EVERY)));
        due.save.get_or_insert(now + SAVE_EVERY);
    }

    fn show(&self, due: &mut Due, now: Instant) {
        let mut board = self.board();
        board.commit();
        due.last_item = Some(now);
        due.item = board.has_news().then(|| now + ITEM_EVERY);
        drop(board);
        self.changed.send_replace(());
    }

    /// An answer that came in one piece, as the events that it stands for.
    fn take_whole(&self, response: &ChatResponse) {
        let mut board = self.board();
        for event in canonical::fold::unfold(response) {
            board.apply(&event);
        }
    }

    fn progress(&self) -> MessageProgress {
        let board = self.board();
        MessageProgress {
            id: self.message_id.clone(),
            text: board.text().to_owned(),
            reasoning: board.reasoning().to_owned(),
            tool_calls: board.calls_json(),
        }
    }

    /// Saves the end and returns the message as it now stands in the book.
    async fn settle(&self, gateway: &Gateway, ending: Option<&Ending>, request_id: &str) -> MessageView {
        let lost =
            Error::new(ErrorKind::Internal, Origin::Gateway, "The request ended without a word about how.");
        let (outcome, error) = match ending {
            Some(ending) => (ending.outcome, ending.error.as_ref()),
            None => (Outcome::Failed, Some(&lost)),
        };
        let state = self.state_after(outcome);
        // Being stopped is no error, whatever the engine calls it.
        let error = error.filter(|_| matches!(state, MessageState::Failed | MessageState::Truncated));
        let end = self.end_record(state, ending, error, gateway.clock().now_ms());
        gateway.ledger().write(Record::MessageEnded(end.clone()));
        if let Err(error) = gateway.ledger().flush().await {
            // The record stays queued and is tried again; the answer is shown all the same.
            tracing::warn!(kind = error.kind(), "an answer's end is not on disk yet");
        }
        let id = self.message_id.clone();
        let saved = with_ledger(gateway, move |ledger| ledger.message(&id)).await;
        match saved {
            Ok(Some(message)) if message.state != MessageState::Streaming => views::message(message),
            _ => self.unsaved(end, ending, request_id),
        }
    }

    fn state_after(&self, outcome: Outcome) -> MessageState {
        match outcome {
            Outcome::Ok => MessageState::Complete,
            Outcome::Truncated => MessageState::Truncated,
            Outcome::Cancelled if self.is_stopped.load(Ordering::Acquire) => MessageState::Stopped,
            Outcome::Cancelled | Outcome::Interrupted | Outcome::Running => MessageState::Interrupted,
            Outcome::Failed | Outcome::Superseded => MessageState::Failed,
        }
    }

    fn end_record(
        &self,
        state: MessageState,
        ending: Option<&Ending>,
        error: Option<&Error>,
        now_ms: i64,
    ) -> MessageEnded {
        let board = self.board();
        // The model that answered, under the name that asks for it again.
        let answered = ending.and_then(|ending| {
            let receipt = &ending.receipt;
            // A route keeps its name: asking again asks the route.
            (receipt.route.is_none())
                .then(|| Some(format!("{}/{}", receipt.provider.as_ref()?, receipt.model.as_ref()?)))?
        });
        MessageEnded {
            id: self.message_id.clone(),
            state,
            text: board.text().to_owned(),
            reasoning: board.reasoning().to_owned(),
            tool_calls: board.calls_json(),
            model: answered,
            error_kind: error.map(|error| error.kind),
            error_message: error.map(|error| error.message.clone()),
            ended_at: now_ms,
        }
    }

    /// The message as it would stand in the book, if the book could be read.
    fn unsaved(&self, end: MessageEnded, ending: Option<&Ending>, request_id: &str) -> MessageView {
        let row = StoredMessage {
            id: end.id,
            chat_id: self.chat_id.clone(),
            parent_id: None,
            role: "assistant".to_owned(),
            state: end.state,
            text: end.text,
            reasoning: end.reasoning,
            tool_calls: end.tool_calls,
            attachments: None,
            model: end.model,
            error_kind: end.error_kind.map(|kind| kind.as_str().to_owned()),
            error_message: end.error_message,
            request_id: Some(request_id.to_owned()),
            created_at: end.ended_at,
            ended_at: Some(end.ended_at),
            receipt: None,
        };
        let receipt = ending.map(|ending| views::engine_receipt(&ending.receipt));
        MessageView { receipt, ..views::message(row) }
    }
}

/// Resolves at that time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
