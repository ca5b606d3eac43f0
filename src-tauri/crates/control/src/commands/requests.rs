//! Requests in pages, one with everything that the book knows of it, and those that were switched.

use ledger::{Outcome, SwitchRow};

use super::tools::since;
use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{
    IdArgs, ListRequestsArgs, RequestField, RequestFilter, RequestKey, RequestLine, RequestPage,
    RequestTotals, RequestView, SwitchView, SwitchesArgs,
};
use crate::views;

/// Rows of one answer at most.
const MOST_ROWS: u32 = 1_000;

/// Words of one search at most, and ids of one look.
const MOST_TERMS: usize = 32;
const MOST_IDS: usize = 1_000;

pub(crate) async fn get(control: &Control, args: IdArgs) -> Result<RequestView> {
    let id = args.id.clone();
    let detail = control.ledger(move |ledger| ledger.request(&id)).await?;
    detail.map(views::request).ok_or_else(|| ControlError::not_found("request", &args.id))
}

/// The newest first.
pub(crate) async fn list(control: &Control, args: ListRequestsArgs) -> Result<RequestPage> {
    within(args.limit)?;
    let filter = filter(args.filter)?;
    let before = args.before.map(|RequestKey { started_at, id }| ledger::RequestKey { started_at, id });
    let page = control.ledger(move |ledger| ledger.requests(&filter, before.as_ref(), args.limit)).await?;
    Ok(RequestPage { rows: page.rows.into_iter().map(line).collect(), has_more: page.has_more })
}

/// How many there are, and what they cost together.
pub(crate) async fn totals(control: &Control, args: RequestFilter) -> Result<RequestTotals> {
    let filter = filter(args)?;
    let totals = control.ledger(move |ledger| ledger.request_totals(&filter)).await?;
    let ledger::RequestTotals { requests, cost_picousd, unknown } = totals;
    Ok(RequestTotals { requests, cost_picousd, unknown })
}

/// The newest first.
pub(crate) async fn switches(control: &Control, args: SwitchesArgs) -> Result<Vec<SwitchView>> {
    within(args.limit)?;
    let since_ms = since(control, args.minutes)?;
    let rows = control.ledger(move |ledger| ledger.switches(since_ms, args.limit)).await?;
    Ok(rows.into_iter().map(switch).collect())
}

fn within(limit: u32) -> Result<()> {
    if limit == 0 || limit > MOST_ROWS {
        return Err(ControlError::invalid(format!("`limit` must be from 1 to {MOST_ROWS}.")));
    }
    Ok(())
}

fn filter(args: RequestFilter) -> Result<ledger::RequestFilter> {
    if args.terms.len() > MOST_TERMS || args.ids.len() > MOST_IDS {
        return Err(ControlError::invalid(format!("At most {MOST_TERMS} words and {MOST_IDS} ids at once.")));
    }
    let terms = args.terms.into_iter();
    Ok(ledger::RequestFilter {
        terms: terms
            .map(|term| ledger::Term { field: field(term.field), value: term.value, is_not: term.is_not })
            .collect(),
        since_ms: args.since_at,
        until_ms: args.until_at,
        cost_over_picousd: args.cost_over_picousd,
        is_switched: args.is_switched,
        ids: args.ids,
    })
}

const fn field(field: RequestField) -> ledger::Field {
    match field {
        RequestField::Provider => ledger::Field::Provider,
        RequestField::Tried => ledger::Field::Tried,
        RequestField::Model => ledger::Field::Model,
        RequestField::Client => ledger::Field::Client,
        RequestField::Route => ledger::Field::Route,
        RequestField::Outcome => ledger::Field::Outcome,
        RequestField::Error => ledger::Field::Error,
        RequestField::Operation => ledger::Field::Operation,
        RequestField::Text => ledger::Field::Text,
    }
}

fn line(row: ledger::RequestLine) -> RequestLine {
    RequestLine {
        id: row.id,
        started_at: row.started_at,
        status: row.outcome.as_str().to_owned(),
        client: row.client,
        dialect: row.dialect,
        operation: row.operation,
        route: row.route,
        request_model: row.request_model,
        stream: row.stream,
        provider: row.provider,
        model: row.model,
        attempts: row.attempts,
        switches: row.switches,
        http_status: row.http_status,
        error_kind: row.error_kind,
        time_to_first_token_ms: row.time_to_first_token_ms,
        duration_ms: row.duration_ms,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        cost_picousd: row.cost_picousd,
        cost_status: views::cost_status(row.cost_status),
    }
}

fn switch(row: SwitchRow) -> SwitchView {
    SwitchView {
        request_id: row.request_id,
        at: row.at,
        from_provider: row.from_provider,
        from_model: row.from_model,
        to_provider: row.to_provider,
        to_model: row.to_model,
        reason: row.reason,
        error_kind: row.error_kind,
        error_message: row.error_message,
        http_status: row.http_status,
        after_ms: row.after_ms,
        is_saved: matches!(row.request_outcome, Outcome::Ok | Outcome::Running),
    }
}
