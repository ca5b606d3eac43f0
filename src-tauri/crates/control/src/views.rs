//! The book's rows in the window's words.

use canonical::Usage;
use gateway::Receipt as EngineReceipt;
use ledger::chats::{ReceiptUsage, StoredMessage};
use ledger::{AttemptRow, Chat, ChatSummary, RequestDetail, ToolFailed};
use serde_json::Value;

use crate::types::{
    AttemptView, ChatView, CostLineView, CostStatus, ErrorView, MessageRole, MessageState, MessageView,
    Receipt, RequestView, ToolCallView, ToolFailureView, UsageView,
};

pub(crate) const fn cost_status(status: ledger::CostStatus) -> CostStatus {
    match status {
        ledger::CostStatus::Reported => CostStatus::Reported,
        ledger::CostStatus::Computed => CostStatus::Computed,
        ledger::CostStatus::Estimated => CostStatus::Estimated,
        ledger::CostStatus::Unknown => CostStatus::Unknown,
    }
}

pub(crate) const fn message_state(state: ledger::MessageState) -> MessageState {
    match state {
        ledger::MessageState::Complete => MessageState::Complete,
        ledger::MessageState::Streaming => MessageState::Streaming,
        ledger::MessageState::Stopped => MessageState::Stopped,
        ledger::MessageState::Failed => MessageState::Failed,
        ledger::MessageState::Interrupted => MessageState::Interrupted,
        ledger::MessageState::Truncated => MessageState::Truncated,
    }
}

/// Tool calls as they are kept with a message: a list of `{id, name, arguments}`.
pub(crate) fn tool_calls(kept: Option<&Value>) -> Vec<ToolCallView> {
    // What this version cannot read was kept by another; the message is shown without it.
    kept.and_then(|calls| serde_json::from_value(calls.clone()).ok()).unwrap_or_default()
}

pub(crate) fn message(row: StoredMessage) -> MessageView {
    let error = row.error_kind.map(|kind| ErrorView { kind, message: row.error_message.unwrap_or_default() });
    MessageView {
        tool_calls: tool_calls(row.tool_calls.as_ref()),
        role: match row.role.as_str() {
            "assistant" => MessageRole::Assistant,
            "system" => MessageRole::System,
            _ => MessageRole::User,
        },
        id: row.id,
        chat_id: row.chat_id,
        parent_id: row.parent_id,
        text: row.text,
        reasoning: row.reasoning,
        model: row.model,
        state: message_state(row.state),
        error,
        created_at: row.created_at,
        request_id: row.request_id,
        receipt: row.receipt.map(receipt),
    }
}

fn receipt(receipt: ledger::Receipt) -> Receipt {
    Receipt {
        tokens_per_second: receipt.tokens_per_second(),
        request_id: receipt.request_id,
        route: receipt.route,
        provider: receipt.provider,
        model: receipt.model,
        attempts: u32::try_from(receipt.attempts).unwrap_or(u32::MAX),
        time_to_first_token_ms: receipt.time_to_first_token_ms,
        duration_ms: receipt.duration_ms,
        usage: receipt.usage.map(receipt_usage),
        cost_picousd: receipt.cost_picousd,
        cost_status: cost_status(receipt.cost_status),
        finish_reason: receipt.finish_reason,
    }
}

const fn receipt_usage(usage: ReceiptUsage) -> UsageView {
    UsageView {
        input: usage.input,
        cache_read: usage.cache_read,
        cache_write: usage.cache_write,
        output: usage.output,
        reasoning: usage.reasoning,
    }
}

const fn usage(usage: &Usage) -> UsageView {
    UsageView {
        input: usage.input_tokens,
        cache_read: usage.cache_read_tokens,
        cache_write: usage.cache_write_tokens,
        output: usage.output_tokens,
        reasoning: usage.reasoning_tokens,
    }
}

/// The engine's own receipt, for when the book cannot be read.
pub(crate) fn engine_receipt(receipt: &EngineReceipt) -> Receipt {
    Receipt {
        request_id: receipt.request_id.clone(),
        route: receipt.route.clone(),
        provider: receipt.provider.clone(),
        model: receipt.model.clone(),
        attempts: receipt.attempts,
        time_to_first_token_ms: receipt.time_to_first_token_ms,
        duration_ms: Some(receipt.duration_ms),
        tokens_per_second: None,
        usage: receipt.usage.as_ref().map(usage),
        cost_picousd: receipt.cost.picousd().map(|cost| cost.0),
        cost_status: cost_status(receipt.cost.status()),
        finish_reason: receipt.finish_reason.map(|reason| reason.as_str().to_owned()),
    }
}

pub(crate) fn chat_summary(chat: ChatSummary) -> ChatView {
    ChatView {
        id: chat.id,
        title: chat.title,
        created_at: chat.created_at,
        updated_at: chat.updated_at,
        message_count: chat.message_count,
        model: chat.model,
        is_streaming: chat.is_streaming,
        draft: chat.draft,
    }
}

pub(crate) fn chat(chat: Chat, messages: &[StoredMessage]) -> ChatView {
    ChatView {
        id: chat.id,
        title: chat.title,
        created_at: chat.created_at,
        updated_at: chat.updated_at,
        message_count: messages.len() as u64,
        model: chat.model,
        is_streaming: messages.iter().any(|message| message.state == ledger::MessageState::Streaming),
        draft: chat.draft,
    }
}

pub(crate) fn request(detail: RequestDetail) -> RequestView {
    let RequestDetail { request: row, attempts, decision, tool_failures } = detail;
    RequestView {
        operation: row.operation,
        chat_id: row.chat_id,
        message_id: row.message_id,
        model: row.model,
        price_version: row.price_version,
        // What another version wrote may have parts that this one cannot read.
        decision: decision.and_then(|decision| serde_json::from_value(decision).ok()),
        tool_failures: tool_failures.into_iter().map(tool_failure).collect(),
        usage: row.usage.as_ref().map(usage),
        cost_lines: cost_lines(row.cost_lines.as_ref()),
        cost_notes: cost_notes(row.cost_lines.as_ref()),
        id: row.id,
        started_at: row.started_at,
        client: row.client,
        dialect: row.dialect,
        route: row.route,
        provider: row.provider,
        request_model: row.request_model,
        response_model: row.response_model,
        stream: row.stream,
        status: row.outcome.as_str().to_owned(),
        http_status: row.http_status,
        error_kind: row.error_kind,
        error_message: row.error_message,
        finish_reason: row.finish_reason,
        finish_reason_raw: row.finish_reason_raw,
        cost_picousd: row.cost_picousd,
        cost_status: cost_status(row.cost_status),
        duration_ms: row.duration_ms,
        time_to_first_token_ms: row.time_to_first_token_ms,
        attempts: attempts.into_iter().map(attempt).collect(),
    }
}

/// The price's summands, as the catalogue wrote them.
fn cost_lines(kept: Option<&Value>) -> Vec<CostLineView> {
    let lines = kept.and_then(|kept| kept.get("lines"));
    let lines: Vec<catalog::CostLine> =
        lines.and_then(|lines| serde_json::from_value(lines.clone()).ok()).unwrap_or_default();
    lines
        .into_iter()
        .map(|line| CostLineView {
            label: line.part,
            model: line.model,
            quantity: line.tokens,
            cost_picousd: line.cost.0,
        })
        .collect()
}

fn cost_notes(kept: Option<&Value>) -> Vec<String> {
    let notes = kept.and_then(|kept| kept.get("notes"));
    notes.and_then(|notes| serde_json::from_value(notes.clone()).ok()).unwrap_or_default()
}

fn attempt(row: AttemptRow) -> AttemptView {
    AttemptView {
        id: row.id,
        ordinal: row.ordinal,
        provider: row.provider,
        model: row.model,
        outcome: row.outcome.as_str().to_owned(),
        error_kind: row.error_kind,
        http_status: row.http_status,
        reason: row.reason,
        error_message: row.error_message,
        duration_ms: row.duration_ms,
        time_to_first_token_ms: row.time_to_first_token_ms,
        cost_picousd: row.cost_picousd,
        cost_status: cost_status(row.cost_status),
        lane: row.lane,
        unknown_frames: row.unknown_frames,
        malformed_frames: row.malformed_frames,
        error_body: row.error_body,
        notes: row.notes,
        usage: row.usage.as_ref().map(usage),
        provider_request_id: row.provider_request_id,
        started_at: row.started_at,
    }
}

pub(crate) fn tool_failure(row: ToolFailed) -> ToolFailureView {
    ToolFailureView {
        request_id: row.request_id,
        ordinal: row.ordinal,
        at: row.at,
        provider: row.provider,
        model: row.model,
        tool: row.tool,
        kind: row.kind,
        path: row.path,
        message: row.message,
        remedy: row.remedy,
        repairs: row.repairs,
        arguments: row.arguments,
        schema: row.schema,
    }
}
