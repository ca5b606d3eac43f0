//! Conversations: a tree of messages per chat, saved while they stream, and search over them.
//!
//! A message exists before its request is sent. An answer begins as `streaming`; its growing text
//! is saved as [`MessageProgress`], each of which holds the whole so far, and [`MessageEnded`] is
//! the last word. Branches are siblings: messages with the same parent.

use canonical::ErrorKind;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::{CostStatus, words};
use crate::{Ledger, LedgerError, Result, SHORTEST_WRITING_MS};

mod search;

words! {
    MessageState {
        Complete = "complete",
        Streaming = "streaming",
        /// The user pressed stop; what had arrived is kept.
        Stopped = "stopped",
        Failed = "failed",
        /// Our process died while it streamed.
        Interrupted = "interrupted",
        /// The provider broke off.
        Truncated = "truncated",
    }
}

/// A message to be stored, before anything is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    pub id: String,
    pub chat_id: String,
    /// `None` for a chat's first message.
    pub parent_id: Option<String>,
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// `Complete` for what the user wrote, `Streaming` for an answer to come.
    pub state: MessageState,
    pub text: String,
    pub attachments: Option<Value>,
    /// The model that is asked, for an answer.
    pub model: Option<String>,
    pub request_id: Option<String>,
    pub created_at: i64,
}

/// All that has arrived of a streaming message so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MessageProgress {
    pub id: String,
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Option<Value>,
}

/// The final form of a streaming message. Only the first end counts.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageEnded {
    pub id: String,
    pub state: MessageState,
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Option<Value>,
    /// Replaces the model given at the start, where it is `Some`.
    pub model: Option<String>,
    pub error_kind: Option<ErrorKind>,
    pub error_message: Option<String>,
    pub ended_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chat {
    pub id: String,
    pub title: String,
    /// What the user typed and has not sent.
    pub draft: String,
    /// The model that was asked last.
    pub model: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A line of the list of chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatSummary {
    pub id: String,
    pub title: String,
    pub model: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub message_count: u64,
    pub is_streaming: bool,
    /// What the user typed and has not sent.
    pub draft: String,
}

/// A chat with every message of every branch, in the order they were made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChatTree {
    pub chat: Chat,
    pub messages: Vec<StoredMessage>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredMessage {
    pub id: String,
    pub chat_id: String,
    pub parent_id: Option<String>,
    pub role: String,
    pub state: MessageState,
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Option<Value>,
    pub attachments: Option<Value>,
    pub model: Option<String>,
    pub error_kind: Option<String>,
    pub error_message: Option<String>,
    pub request_id: Option<String>,
    pub created_at: i64,
    pub ended_at: Option<i64>,
    /// What the ledger knows of the message's request, once there is one.
    pub receipt: Option<Receipt>,
}

/// A request in the few numbers that stand under its message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipt {
    pub request_id: String,
    pub route: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub attempts: u64,
    pub time_to_first_token_ms: Option<i64>,
    pub duration_ms: Option<i64>,
    pub usage: Option<ReceiptUsage>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub finish_reason: Option<String>,
}

impl Receipt {
    /// Output tokens per second from the first token to the end; `None` where too little is known or
    /// the answer came too fast to tell.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let output = self.usage.as_ref()?.output;
        let writing_ms = u64::try_from(self.duration_ms? - self.time_to_first_token_ms?).ok()?;
        (writing_ms >= SHORTEST_WRITING_MS && output > 0).then(|| output as f64 * 1000.0 / writing_ms as f64)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReceiptUsage {
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

/// The columns that [`Receipt::from_row`] reads, of a query over `requests AS r`.
const RECEIPT_COLUMNS: &str = "r.id, r.route, r.provider, coalesce(r.model, r.response_model),
    (SELECT count(*) FROM attempts AS a WHERE a.request_id = r.id), r.time_to_first_token_ms, r.duration_ms,
    r.input_tokens, r.cache_read_tokens, r.cache_write_tokens, r.output_tokens, r.reasoning_tokens,
    r.cost_picousd, r.cost_status, r.finish_reason";

impl Receipt {
    /// `None` where the row has no request (a left join without a match).
    fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Self>> {
        let Some(request_id) = row.get::<_, Option<String>>(first)? else { return Ok(None) };
        let count = |column: usize| -> rusqlite::Result<u64> {
            Ok(row.get::<_, Option<i64>>(first + column)?.unwrap_or(0).max(0) as u64)
        };
        let usage = match row.get::<_, Option<i64>>(first + 7)? {
            None => None,
            Some(_) => Some(ReceiptUsage {
                input: count(7)?,
                cache_read: count(8)?,
                cache_write: count(9)?,
                output: count(10)?,
                reasoning: count(11)?,
            }),
        };
        Ok(Some(Self {
            request_id,
            route: row.get(first + 1)?,
            provider: row.get(first + 2)?,
            model: row.get(first + 3)?,
            attempts: count(4)?,
            time_to_first_token_ms: row.get(first + 5)?,
            duration_ms: row.get(first + 6)?,
            usage,
            cost_picousd: row.get(first + 12)?,
            cost_status: row.get(first + 13)?,
            finish_reason: row.get(first + 14)?,
        }))
    }
}

/// The columns that [`message_from_row`] reads, of a query over `messages AS m`.
const MESSAGE_COLUMNS: &str = "m.id, m.chat_id, m.parent_id, m.role, m.state, m.text, m.reasoning,
    m.tool_calls_json, m.attachments_json, m.model, m.error_kind, m.error_message, m.request_id,
    m.created_at, m.ended_at";

fn message_from_row(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    Ok(StoredMessage {
        id: row.get(0)?,
        chat_id: row.get(1)?,
        parent_id: row.get(2)?,
        role: row.get(3)?,
        state: row.get(4)?,
        text: row.get(5)?,
        reasoning: row.get(6)?,
        tool_calls: json(row, 7)?,
        attachments: json(row, 8)?,
        model: row.get(9)?,
        error_kind: row.get(10)?,
        error_message: row.get(11)?,
        request_id: row.get(12)?,
        created_at: row.get(13)?,
        ended_at: row.get(14)?,
        receipt: Receipt::from_row(row, 15)?,
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Value>> {
    crate::query::json_column(row, column)
}

fn chat_from_row(row: &Row<'_>) -> rusqlite::Result<Chat> {
    Ok(Chat {
        id: row.get(0)?,
        title: row.get(1)?,
        draft: row.get(2)?,
        model: row.get(3)?,
        created_at: row.get(4)?,
        updated_at: row.get(5)?,
    })
}

impl Ledger {
    /// Makes an empty chat; on disk when it returns. Blocks.
    pub fn create_chat(&self, id: &str, title: &str, model: Option<&str>, now_ms: i64) -> Result<Chat> {
        let chat = Chat {
            id: id.to_owned(),
            title: title.to_owned(),
            draft: String::new(),
            model: model.map(str::to_owned),
            created_at: now_ms,
            updated_at: now_ms,
        };
        let row = chat.clone();
        self.change(move |connection| {
            connection.execute(
                "INSERT INTO chats (id, title, model, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)",
                params![row.id, row.title, row.model, row.created_at],
            )
        })?;
        Ok(chat)
    }

    /// Blocks. The time of the last change stays: a new title is not a new message.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn rename_chat(&self, id: &str, title: &str) -> Result<()> {
        let (id, title) = (id.to_owned(), title.to_owned());
        let row = id.clone();
        let changed = self.change(move |connection| {
            connection.execute("UPDATE chats SET title = ?2 WHERE id = ?1", params![row, title])
        })?;
        found(changed, id)
    }

    /// Keeps what the user typed and has not sent; an empty text forgets it. Blocks.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_draft(&self, id: &str, text: &str) -> Result<()> {
        let (id, text) = (id.to_owned(), text.to_owned());
        let row = id.clone();
        let changed = self.change(move |connection| {
            connection.execute("UPDATE chats SET draft = ?2 WHERE id = ?1", params![row, text])
        })?;
        found(changed, id)
    }

    /// Deletes a chat and its messages. What they cost stays in the book. Blocks.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete_chat(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        let row = id.clone();
        let changed =
            self.change(move |connection| connection.execute("DELETE FROM chats WHERE id = ?1", [row]))?;
        found(changed, id)
    }

    /// Stores messages, all or none, before anything is sent; on disk when it returns. Blocks.
    ///
    /// # Errors
    /// `NotFound` where the chat does not exist.
    pub fn add_messages(&self, messages: Vec<NewMessage>) -> Result<()> {
        let path = self.path().to_owned();
        self.transact(move |transaction| {
            for message in &messages {
                let exists: bool = transaction
                    .query_row(
                        "SELECT EXISTS (SELECT 1 FROM chats WHERE id = ?1)",
                        [&message.chat_id],
                        |row| row.get(0),
                    )
                    .map_err(|error| LedgerError::sqlite(&path, &error))?;
                if !exists {
                    return Err(LedgerError::NotFound { what: "chat", id: message.chat_id.clone() });
                }
                crate::writer::insert_message(transaction, message)
                    .map_err(|error| LedgerError::sqlite(&path, &error))?;
            }
            Ok(())
        })
    }

    /// Chats, the last used first. With a query, those whose title or one of whose messages holds
    /// every word of it (any part of a word, any case, accents ignored). Blocks.
    pub fn chats(&self, query: Option<&str>, limit: u32) -> Result<Vec<ChatSummary>> {
        self.read(|connection| search::list(connection, query, limit).map_err(|error| self.sqlite(&error)))
    }

    /// One chat with all its messages and their receipts, in one snapshot. Blocks.
    pub fn chat(&self, id: &str) -> Result<Option<ChatTree>> {
        self.read(|connection| tree(connection, id).map_err(|error| self.sqlite(&error)))
    }

    /// One message with its receipt. Blocks.
    pub fn message(&self, id: &str) -> Result<Option<StoredMessage>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {MESSAGE_COLUMNS}, {RECEIPT_COLUMNS}
                     FROM messages AS m LEFT JOIN requests AS r ON r.id = m.request_id WHERE m.id = ?1"
                ))
                .and_then(|mut statement| statement.query_row([id], message_from_row).optional())
                .map_err(|error| self.sqlite(&error))
        })
    }

    /// The receipt of one request, as far as it is known by now. Blocks.
    pub fn receipt(&self, request_id: &str) -> Result<Option<Receipt>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {RECEIPT_COLUMNS} FROM requests AS r WHERE r.id = ?1"))
                .and_then(|mut statement| {
                    statement.query_row([request_id], |row| Receipt::from_row(row, 0)).optional()
                })
                .map(Option::flatten)
                .map_err(|error| self.sqlite(&error))
        })
    }

    fn change(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<usize> {
        let path = self.path().to_owned();
        self.transact(move |transaction| {
            work(transaction).map_err(|error| LedgerError::sqlite(&path, &error))
        })
    }
}

fn found(changed: usize, id: String) -> Result<()> {
    if changed == 0 { Err(LedgerError::NotFound { what: "chat", id }) } else { Ok(()) }
}

fn tree(connection: &Connection, id: &str) -> rusqlite::Result<Option<ChatTree>> {
    let chat = connection
        .prepare_cached("SELECT id, title, draft, model, created_at, updated_at FROM chats WHERE id = ?1")?
        .query_row([id], chat_from_row)
        .optional()?;
    let Some(chat) = chat else { return Ok(None) };
    let messages = connection
        .prepare_cached(&format!(
            "SELECT {MESSAGE_COLUMNS}, {RECEIPT_COLUMNS}
             FROM messages AS m LEFT JOIN requests AS r ON r.id = m.request_id
             WHERE m.chat_id = ?1 ORDER BY m.seq"
        ))?
        .query_map([id], message_from_row)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(ChatTree { chat, messages }))
}

#[cfg(test)]
mod tests;
