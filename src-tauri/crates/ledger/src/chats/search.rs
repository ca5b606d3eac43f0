//! The list of chats, and finding some of them by what was said.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params_from_iter};

use super::ChatSummary;

/// The index knows runs of three characters; shorter words are looked for by reading the texts.
const SHORTEST_INDEXED: usize = 3;

/// How much of a long query is looked at; enough to paste a sentence.
const MOST_WORDS: usize = 24;

const SUMMARY: &str = "SELECT c.id, c.title, c.model, c.created_at, c.updated_at,
    (SELECT count(*) FROM messages AS m WHERE m.chat_id = c.id),
    EXISTS (SELECT 1 FROM messages AS m WHERE m.chat_id = c.id AND m.state = 'streaming'), c.draft
    FROM chats AS c";

pub(super) fn list(
    connection: &Connection,
    query: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<ChatSummary>> {
    let words: Vec<&str> = query.unwrap_or_default().split_whitespace().take(MOST_WORDS).collect();
    let (condition, mut values) = if words.is_empty() {
        (String::new(), Vec::new())
    } else {
        let (title, mut values) = matches("c.seq", "c.title", "chat_search", &words);
        let (text, text_values) = matches("m.seq", "m.text", "message_search", &words);
        values.extend(text_values);
        let condition =
            format!(" WHERE ({title}) OR c.id IN (SELECT m.chat_id FROM messages AS m WHERE {text})");
        (condition, values)
    };
    values.push(SqlValue::from(limit));
    connection
        .prepare_cached(&format!("{SUMMARY}{condition} ORDER BY c.updated_at DESC, c.id DESC LIMIT ?"))?
        .query_map(params_from_iter(values), summary_from_row)?
        .collect()
}

/// The condition that a text holds every one of `words`, and its values in order.
fn matches(rowid: &str, column: &str, index: &str, words: &[&str]) -> (String, Vec<SqlValue>) {
    let (long, short): (Vec<&str>, Vec<&str>) =
        words.iter().partition(|word| word.chars().count() >= SHORTEST_INDEXED);
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    if !long.is_empty() {
        conditions.push(format!("{rowid} IN (SELECT rowid FROM {index} WHERE {index} MATCH ?)"));
        values.push(SqlValue::from(phrases(&long)));
    }
    for word in short {
        conditions.push(format!("{column} LIKE ? ESCAPE '\\'"));
        values.push(SqlValue::from(like(word)));
    }
    (conditions.join(" AND "), values)
}

/// Every word as a quoted phrase, so that no character of it is an operator.
fn phrases(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect::<Vec<_>>().join(" ")
}

fn like(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

fn summary_from_row(row: &Row<'_>) -> rusqlite::Result<ChatSummary> {
    Ok(ChatSummary {
        id: row.get(0)?,
        title: row.get(1)?,
        model: row.get(2)?,
        created_at: row.get(3)?,
        updated_at: row.get(4)?,
        message_count: row.get::<_, i64>(5)?.max(0) as u64,
        is_streaming: row.get(6)?,
        draft: row.get(7)?,
    })
}
