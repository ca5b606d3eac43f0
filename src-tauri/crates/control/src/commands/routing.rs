//! How the router stands, and what a person does about a target: ask it now, leave it alone, take
//! it out.

use std::time::Duration;

use ::routing::{Target, budget, limit, policy, router};
use canonical::{ChatRequest, Message, Role};
use gateway::{Caller, Ending, EngineEvent, Running};

use super::routes::period;
use crate::control::Control;
use crate::error::{ControlError, Result};
use crate::types::{
    BudgetView, DrainArgs, Empty, ErrorView, LimitView, ParkArgs, PlaceView, ProbeView, RoutingView,
    TargetView,
};

/// A week; who wants longer takes it out.
const MOST_MINUTES: u32 = 7 * 24 * 60;

/// Room for a word, and for models that count more than it.
const PROBE_TOKENS: u64 = 16;

/// A person waits for it.
const PROBE_PATIENCE: Duration = Duration::from_secs(30);

/// The name under which a probe stands in the book.
const PROBE_CLIENT: &str = "probe";

pub(crate) async fn view(control: &Control, _: Empty) -> Result<RoutingView> {
    let view = control.gateway().routing();
    Ok(RoutingView {
        at: control.gateway().clock().now_ms(),
        targets: view.targets.into_iter().map(place).collect(),
        providers: view.providers.into_iter().map(place).collect(),
        budgets: view.budgets.into_iter().map(budget_view).collect(),
        ignored_headers: view.ignored_headers,
    })
}

/// Leaves a target alone for a while, or lets it in at once.
pub(crate) async fn park(control: &Control, args: ParkArgs) -> Result<()> {
    if args.minutes.is_some_and(|minutes| minutes == 0 || minutes > MOST_MINUTES) {
        return Err(ControlError::invalid(format!("`minutes` must be from 1 to {MOST_MINUTES}.")));
    }
    let target = target(control, &args.provider, &args.model)?;
    match args.minutes {
        Some(minutes) => control.gateway().park(&target, Duration::from_secs(u64::from(minutes) * 60)),
        None => control.gateway().let_in(&target),
    }
    Ok(())
}

/// Takes a target out of every route, or lets it in again.
pub(crate) async fn drain(control: &Control, args: DrainArgs) -> Result<()> {
    let target = target(control, &args.provider, &args.model)?;
    control.gateway().drain(&target, args.is_drained);
    Ok(())
}

/// Asks a target for one word, past every route, also where it is parked. Its circuit learns from it
/// as from any request; what it costs stands in the book.
pub(crate) async fn probe(control: &Control, args: TargetView) -> Result<ProbeView> {
    let target = target(control, &args.provider, &args.model)?;
    let is_target = |it: &router::PlaceView| it.provider == target.provider && it.model == target.model;
    if control.gateway().routing().targets.iter().any(|it| is_target(it) && it.is_drained) {
        return Err(ControlError::invalid(format!("{target} is taken out of routes; put it back first.")));
    }
    control.gateway().let_in(&target);
    let request = ChatRequest {
        model: target.to_string(),
        messages: vec![Message::text(Role::User, "Answer with the word ok.")],
        max_output_tokens: Some(PROBE_TOKENS),
        ..ChatRequest::default()
    };
    let caller = Caller { client: Some(PROBE_CLIENT.to_owned()), dialect: "chat", ..Caller::default() };
    let mut running = control.gateway().chat(request, caller);
    let request_id = running.request_id.clone();
    let Ok(ending) = tokio::time::timeout(PROBE_PATIENCE, end_of(&mut running)).await else {
        running.cancel.cancel();
        let message = format!("{target} gave no answer within {} s.", PROBE_PATIENCE.as_secs());
        let error = Some(ErrorView { kind: "timeout".to_owned(), message });
        let duration_ms = i64::try_from(PROBE_PATIENCE.as_millis()).unwrap_or(i64::MAX);
        return Ok(ProbeView { ok: false, request_id, duration_ms, error });
    };
    let ending = ending.ok_or_else(|| ControlError::internal("The probe ended without a word about how."))?;
    // Whoever opens the request finds it; what keeps the book from being written is told elsewhere.
    let _ = control.gateway().ledger().flush().await;
    let error =
        ending.error.map(|error| ErrorView { kind: error.kind.as_str().to_owned(), message: error.message });
    Ok(ProbeView { ok: error.is_none(), request_id, duration_ms: ending.receipt.duration_ms, error })
}

async fn end_of(running: &mut Running) -> Option<Ending> {
    while let Some(event) = running.events.recv().await {
        if let EngineEvent::Ended(ending) = event {
            return Some(*ending);
        }
    }
    None
}

fn target(control: &Control, provider: &str, model: &str) -> Result<Target> {
    if control.gateway().provider(provider).is_none() {
        return Err(ControlError::not_found("provider", provider));
    }
    Ok(Target { provider: provider.to_owned(), model: model.to_owned() })
}

fn place(it: router::PlaceView) -> PlaceView {
    PlaceView {
        provider: it.provider,
        model: it.model,
        circuit: it.circuit.to_owned(),
        share: it.share,
        against: it.against.map(|against| against.as_str().to_owned()),
        opens_in_ms: it.opens_in_ms,
        in_flight: it.in_flight,
        is_drained: it.is_drained,
        limits: it.limits.iter().map(limit_view).collect(),
    }
}

fn limit_view(it: &limit::LimitView) -> LimitView {
    LimitView {
        counted: counted(it.counted).to_owned(),
        window_ms: it.window_ms,
        most: it.most,
        left: it.left,
        resets_in_ms: it.resets_in_ms,
        is_set: it.source == limit::LimitSource::Set,
    }
}

fn budget_view(it: budget::BudgetView) -> BudgetView {
    BudgetView {
        name: it.name,
        per: period(it.per).to_owned(),
        amount_picousd: it.amount.0,
        spent_picousd: it.spent.0,
        reserved_picousd: it.reserved.0,
        resets_at: it.resets_at_ms,
        share: it.share,
        unknown: it.unknown,
    }
}

const fn counted(counted: policy::Counted) -> &'static str {
    use policy::Counted;
    match counted {
        Counted::Requests => "requests",
        Counted::Tokens => "tokens",
        Counted::InputTokens => "input_tokens",
        Counted::OutputTokens => "output_tokens",
        Counted::Concurrency => "concurrency",
    }
}
