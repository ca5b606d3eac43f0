//! From a record to its row: one prepared statement each.

use canonical::Usage;
use rusqlite::types::ToSql;
use rusqlite::{Transaction, named_params};
use serde_json::Value;

use crate::chats::{MessageEnded, MessageProgress, NewMessage};
use crate::entry::{
    AttemptEnded, AttemptStarted, Decided, Outcome, Record, RequestSettled, RequestStarted, ToolFailed,
    origin_word,
};

/// Writes one record. `false` where there was nothing to write it to: an end without its start, or
/// a second end.
pub(super) fn write(transaction: &Transaction<'_>, record: &Record) -> rusqlite::Result<bool> {
    match record {
        Record::RequestStarted(start) => request_started(transaction, start),
        Record::AttemptStarted(start) => attempt_started(transaction, start),
        Record::AttemptEnded(end) => attempt_ended(transaction, end),
        Record::RequestSettled(end) => request_settled(transaction, end),
        Record::ToolFailed(failed) => tool_failed(transaction, failed),
        Record::Decided(decided) => self::decided(transaction, decided),
        Record::MessageCreated(message) => insert_message(transaction, message),
        // A chat may be deleted while its answer still streams; then there is nothing to keep.
        Record::MessageProgress(progress) => message_progress(transaction, progress).map(|_| true),
        Record::MessageEnded(end) => message_ended(transaction, end).map(|_| true),
        Record::ClientSeen { id, at } => client_seen(transaction, id, *at).map(|_| true),
    }
}

fn execute(
    transaction: &Transaction<'_>,
    sql: &str,
    values: &[(&str, &dyn ToSql)],
) -> rusqlite::Result<bool> {
    transaction.prepare_cached(sql)?.execute(values).map(|changed| changed > 0)
}

fn request_started(transaction: &Transaction<'_>, start: &RequestStarted) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "INSERT INTO requests (id, started_at, outcome, client, dialect, operation, route, request_model,
                               is_stream, chat_id, message_id)
         VALUES (:id, :started_at, :outcome, :client, :dialect, :operation, :route, :request_model,
                 :is_stream, :chat_id, :message_id)",
        named_params! {
            ":id": start.id,
            ":started_at": start.started_at,
            ":outcome": Outcome::Running,
            ":client": start.client,
            ":dialect": start.dialect,
            ":operation": start.operation,
            ":route": start.route,
            ":request_model": start.request_model,
            ":is_stream": start.stream,
            ":chat_id": start.chat_id,
            ":message_id": start.message_id,
        },
    )
}

fn attempt_started(transaction: &Transaction<'_>, start: &AttemptStarted) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "INSERT INTO attempts (id, request_id, ordinal, provider, model, started_at, outcome, reason)
         VALUES (:id, :request_id, :ordinal, :provider, :model, :started_at, :outcome, :reason)",
        named_params! {
            ":id": start.id,
            ":request_id": start.request_id,
            ":ordinal": start.ordinal,
            ":provider": start.provider,
            ":model": start.model,
            ":started_at": start.started_at,
            ":outcome": Outcome::Running,
            ":reason": start.reason,
        },
    )
}

/// The columns that usage is summed by, and the whole of it as JSON.
struct UsageColumns {
    input: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    web_searches: Option<i64>,
    json: Option<String>,
}

impl UsageColumns {
    fn new(usage: Option<&Usage>) -> rusqlite::Result<Self> {
        // A count past i64 is nonsense from a provider; the largest storable number says so.
        let column =
            |part: fn(&Usage) -> u64| usage.map(|usage| i64::try_from(part(usage)).unwrap_or(i64::MAX));
        Ok(Self {
            input: column(|usage| usage.input_tokens),
            cache_read: column(|usage| usage.cache_read_tokens),
            cache_write: column(|usage| usage.cache_write_tokens),
            output: column(|usage| usage.output_tokens),
            reasoning: column(|usage| usage.reasoning_tokens),
            web_searches: column(|usage| usage.web_searches),
            json: usage.map(compact_json).transpose()?,
        })
    }
}

/// A usage as JSON without its zeros: it is most of a row's size, and reading fills them in again.
fn compact_json(usage: &Usage) -> rusqlite::Result<String> {
    let value = serde_json::to_value(usage);
    let mut value = value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| field.as_u64() != Some(0));
    }
    Ok(value.to_string())
}

fn value_json(value: Option<&Value>) -> Option<String> {
    value.map(Value::to_string)
}

fn attempt_ended(transaction: &Transaction<'_>, end: &AttemptEnded) -> rusqlite::Result<bool> {
    let usage = UsageColumns::new(end.usage.as_ref())?;
    let is_new = execute(
        transaction,
        "UPDATE attempts SET outcome = :outcome, error_kind = :error_kind, error_origin = :error_origin,
             http_status = :http_status, reason = coalesce(:reason, reason), error_message = :error_message,
             duration_ms = :duration_ms, time_to_first_token_ms = :time_to_first_token_ms,
             input_tokens = :input, cache_read_tokens = :cache_read, cache_write_tokens = :cache_write,
             output_tokens = :output, reasoning_tokens = :reasoning, web_searches = :web_searches,
             usage_json = :usage_json, cost_picousd = :cost, cost_status = :cost_status,
             provider_request_id = :provider_request_id, finish_reason = :finish_reason,
             checked = :checked, check_failures = :check_failures, check_repairs = :check_repairs,
             lane = :lane, unknown_frames = :unknown_frames, malformed_frames = :malformed_frames
         WHERE id = :id AND outcome = 'running'",
        named_params! {
            ":lane": end.lane,
            ":unknown_frames": end.passed_over.unknown,
            ":malformed_frames": end.passed_over.malformed,
            ":id": end.id,
            ":outcome": end.outcome,
            ":error_kind": end.error_kind.map(canonical::ErrorKind::as_str),
            ":error_origin": end.error_origin.map(origin_word),
            ":http_status": end.http_status,
            ":reason": end.reason,
            ":error_message": end.error_message,
            ":duration_ms": end.duration_ms,
            ":time_to_first_token_ms": end.time_to_first_token_ms,
            ":input": usage.input,
            ":cache_read": usage.cache_read,
            ":cache_write": usage.cache_write,
            ":output": usage.output,
            ":reasoning": usage.reasoning,
            ":web_searches": usage.web_searches,
            ":usage_json": usage.json,
            ":cost": end.cost.picousd().map(|cost| cost.0),
            ":cost_status": end.cost.status(),
            ":provider_request_id": end.provider_request_id,
            ":finish_reason": end.finish_reason.map(canonical::FinishReason::as_str),
            ":checked": end.checks.checked,
            ":check_failures": end.checks.failed,
            ":check_repairs": end.checks.repaired,
        },
    )?;
    if is_new && (end.error_body.is_some() || !end.notes.is_empty()) {
        let notes = (!end.notes.is_empty()).then(|| Value::from(end.notes.clone()).to_string());
        execute(
            transaction,
            "INSERT INTO attempt_details (attempt_id, error_body, notes_json) VALUES (:id, :error_body, :notes)",
            named_params! { ":id": end.id, ":error_body": end.error_body, ":notes": notes },
        )?;
    }
    Ok(is_new)
}

/// Bytes of a failed call's arguments, and of its schema, that are kept.
const KEPT_CONTENT_BYTES: usize = 8 << 10;

fn tool_failed(transaction: &Transaction<'_>, failed: &ToolFailed) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "INSERT INTO tool_failures (request_id, ordinal, at, provider, model, tool, kind, path, message, remedy,
                                    repairs, arguments, schema_json)
         VALUES (:request_id, :ordinal, :at, :provider, :model, :tool, :kind, :path, :message, :remedy,
                 :repairs, :arguments, :schema)",
        named_params! {
            ":request_id": failed.request_id,
            ":ordinal": failed.ordinal,
            ":at": failed.at,
            ":provider": failed.provider,
            ":model": failed.model,
            ":tool": failed.tool,
            ":kind": failed.kind,
            ":path": failed.path,
            ":message": failed.message,
            ":remedy": failed.remedy,
            ":repairs": failed.repairs,
            ":arguments": beginning(&failed.arguments),
            ":schema": failed.schema.as_deref().map(beginning),
        },
    )
}

fn decided(transaction: &Transaction<'_>, decided: &Decided) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "INSERT INTO request_decisions (seq, decision_json) SELECT seq, :decision FROM requests WHERE id = :id
         ON CONFLICT (seq) DO UPDATE SET decision_json = excluded.decision_json",
        named_params! { ":id": decided.request_id, ":decision": decided.decision.to_string() },
    )
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(KEPT_CONTENT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn request_settled(transaction: &Transaction<'_>, end: &RequestSettled) -> rusqlite::Result<bool> {
    let usage = UsageColumns::new(end.usage.as_ref())?;
    let is_settled = execute(
        transaction,
        "UPDATE requests SET outcome = :outcome, settled_at = :settled_at,
             provider = coalesce(:provider, (SELECT provider FROM attempts WHERE request_id = requests.id
                                             ORDER BY ordinal DESC LIMIT 1)),
             model = coalesce(:model, (SELECT model FROM attempts WHERE request_id = requests.id
                                       ORDER BY ordinal DESC LIMIT 1)),
             response_model = :response_model, http_status = :http_status, error_kind = :error_kind,
             finish_reason = :finish_reason, finish_reason_raw = :finish_reason_raw,
             input_tokens = :input, cache_read_tokens = :cache_read, cache_write_tokens = :cache_write,
             output_tokens = :output, reasoning_tokens = :reasoning, web_searches = :web_searches,
             cost_picousd = :cost, cost_status = :cost_status, reported_cost_picousd = :reported_cost,
             price_version = :price_version, duration_ms = :duration_ms,
             time_to_first_token_ms = :time_to_first_token_ms
         WHERE id = :id AND outcome = 'running'",
        named_params! {
            ":id": end.id,
            ":outcome": end.outcome,
            ":settled_at": end.settled_at,
            ":provider": end.provider,
            ":model": end.model,
            ":response_model": end.response_model,
            ":http_status": end.http_status,
            ":error_kind": end.error_kind.map(canonical::ErrorKind::as_str),
            ":finish_reason": end.finish_reason.map(canonical::FinishReason::as_str),
            ":finish_reason_raw": end.finish_reason_raw,
            ":input": usage.input,
            ":cache_read": usage.cache_read,
            ":cache_write": usage.cache_write,
            ":output": usage.output,
            ":reasoning": usage.reasoning,
            ":web_searches": usage.web_searches,
            ":cost": end.cost.picousd().map(|cost| cost.0),
            ":cost_status": end.cost.status(),
            ":reported_cost": end.reported_cost.map(|cost| cost.0),
            ":price_version": end.price_version,
            ":duration_ms": end.duration_ms,
            ":time_to_first_token_ms": end.time_to_first_token_ms,
        },
    )?;
    let cost_lines = value_json(end.cost_lines.as_ref());
    let has_details = end.error_message.is_some()
        || usage.json.is_some()
        || cost_lines.is_some()
        || end.system_fingerprint.is_some();
    if !is_settled || !has_details {
        return Ok(is_settled);
    }
    execute(
        transaction,
        "INSERT INTO request_details (seq, error_message, usage_json, cost_lines_json, system_fingerprint)
         SELECT seq, :error_message, :usage_json, :cost_lines, :system_fingerprint
         FROM requests WHERE id = :id",
        named_params! {
            ":id": end.id,
            ":error_message": end.error_message,
            ":usage_json": usage.json,
            ":cost_lines": cost_lines,
            ":system_fingerprint": end.system_fingerprint,
        },
    )
}

/// Also marks the chat as touched, so that lists show it first.
pub(crate) fn insert_message(transaction: &Transaction<'_>, message: &NewMessage) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "INSERT INTO messages (id, chat_id, parent_id, role, state, text, attachments_json, model, request_id,
                               created_at)
         VALUES (:id, :chat_id, :parent_id, :role, :state, :text, :attachments, :model, :request_id, :created_at)",
        named_params! {
            ":id": message.id,
            ":chat_id": message.chat_id,
            ":parent_id": message.parent_id,
            ":role": message.role,
            ":state": message.state,
            ":text": message.text,
            ":attachments": value_json(message.attachments.as_ref()),
            ":model": message.model,
            ":request_id": message.request_id,
            ":created_at": message.created_at,
        },
    )?;
    execute(
        transaction,
        "UPDATE chats SET updated_at = max(updated_at, :at), model = coalesce(:model, model) WHERE id = :id",
        named_params! { ":id": message.chat_id, ":at": message.created_at, ":model": message.model },
    )
}

fn message_progress(transaction: &Transaction<'_>, progress: &MessageProgress) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "UPDATE messages SET text = :text, reasoning = :reasoning, tool_calls_json = :tool_calls
         WHERE id = :id AND state = 'streaming'",
        named_params! {
            ":id": progress.id,
            ":text": progress.text,
            ":reasoning": progress.reasoning,
            ":tool_calls": value_json(progress.tool_calls.as_ref()),
        },
    )
}

fn message_ended(transaction: &Transaction<'_>, end: &MessageEnded) -> rusqlite::Result<bool> {
    let is_ended = execute(
        transaction,
        "UPDATE messages SET state = :state, text = :text, reasoning = :reasoning,
             tool_calls_json = :tool_calls, model = coalesce(:model, model), error_kind = :error_kind,
             error_message = :error_message, ended_at = :ended_at
         WHERE id = :id AND state = 'streaming'",
        named_params! {
            ":id": end.id,
            ":state": end.state,
            ":text": end.text,
            ":reasoning": end.reasoning,
            ":tool_calls": value_json(end.tool_calls.as_ref()),
            ":model": end.model,
            ":error_kind": end.error_kind.map(canonical::ErrorKind::as_str),
            ":error_message": end.error_message,
            ":ended_at": end.ended_at,
        },
    )?;
    if is_ended {
        execute(
            transaction,
            "UPDATE chats SET updated_at = max(updated_at, :at)
             WHERE id = (SELECT chat_id FROM messages WHERE id = :id)",
            named_params! { ":id": end.id, ":at": end.ended_at },
        )?;
    }
    Ok(is_ended)
}

fn client_seen(transaction: &Transaction<'_>, id: &str, at: i64) -> rusqlite::Result<bool> {
    execute(
        transaction,
        "UPDATE clients SET last_seen_at = max(coalesce(last_seen_at, :at), :at) WHERE id = :id",
        named_params! { ":id": id, ":at": at },
    )
}
