//! What a request and its attempts took and cost, into the book.

use std::sync::Arc;

use canonical::{ChatRequest, EmbeddingRequest, Error, PicoUsd, Tool, Usage};
use catalog::{PriceQuery, Priced, SearchSize, SearchTool};
use ledger::{
    AttemptEnded, AttemptStarted, Cost, CostStatus, Decided, Outcome, Record, RequestSettled, RequestStarted,
};
use routing::Target;
use routing::decision::Decision;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::checks;
use super::drive::in_short;
use super::race::outcome_of;
use super::seen::Seen;
use super::{Caller, Ending, Receipt};
use crate::Event;
use crate::core::Core;
use crate::providers::Provider;

/// Notes on a request that are kept with its attempt: a schema may have any number of keywords.
const MOST_NOTES: usize = 64;

/// An attempt that was entered and has not ended.
#[derive(Debug)]
pub(super) struct Ticket {
    id: String,
    target: Target,
    ordinal: u32,
    started_at: Instant,
}

/// What the book keeps of a request, whatever it asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// `chat` or `embeddings`.
    pub operation: &'static str,
    /// As the client named it.
    pub model: String,
    pub stream: bool,
    pub service_tier: Option<String>,
    pub search_tool: SearchTool,
    pub search_size: Option<SearchSize>,
}

impl From<&ChatRequest> for Asked {
    fn from(request: &ChatRequest) -> Self {
        let options = request.extensions.field("openai-chat", "web_search_options");
        // The tool of OpenAI's Responses, under its own name or the older one.
        let tool = request.tools.iter().find_map(|tool| match tool {
            Tool::Opaque(tool) if tool.family == "openai-responses" => {
                let is_search = tool.value["type"].as_str()?.starts_with("web_search");
                is_search.then_some(&tool.value)
            }
            _ => None,
        });
        let is_preview = tool.is_some_and(|tool| {
            tool["type"].as_str().is_some_and(|kind| kind.starts_with("web_search_preview"))
        });
        Self {
            operation: "chat",
            model: request.model.clone(),
            stream: request.stream,
            service_tier: request.service_tier.clone(),
            search_tool: if is_preview { SearchTool::Preview } else { SearchTool::Current },
            search_size: options
                .or(tool)
                .and_then(|options| options.get("search_context_size")?.as_str())
                .and_then(SearchSize::from_name),
        }
    }
}

impl From<&EmbeddingRequest> for Asked {
    fn from(request: &EmbeddingRequest) -> Self {
        Self { operation: "embeddings", model: request.model.clone(), ..Self::default() }
    }
}

/// One request's pages of the ledger.
pub(super) struct Book<'a> {
    core: &'a Arc<Core>,
    id: String,
    caller: Caller,
    asked: Asked,
    route: Option<String>,
    started_at: Instant,
    started_at_ms: i64,
    attempts: u32,
    is_committed: bool,
    /// When the caller got the first content. An answer that another target goes on with began only
    /// once.
    first_shown: Option<Instant>,
    /// The last attempt's target: the one that answered, where one did.
    target: Option<Target>,
    /// The way it took, in a line.
    decision: String,
    /// What the last attempt saw.
    last: LastAttempt,
    /// Whether the last attempt's cost is known.
    last_is_known: bool,
    total: Total,
}

#[derive(Default)]
struct LastAttempt {
    response_model: Option<String>,
    system_fingerprint: Option<String>,
    usage: Option<Usage>,
    finish: Option<(canonical::FinishReason, Option<String>)>,
    first_content: Option<Instant>,
    priced: Option<Priced>,
}

/// The costs of all attempts together.
#[derive(Default)]
struct Total {
    sum: PicoUsd,
    has_unknown: bool,
    has_estimate: bool,
    has_reported: bool,
    /// Something is known.
    has_known: bool,
}

impl Total {
    fn add(&mut self, cost: Cost) {
        match cost.picousd() {
            Some(amount) => {
                self.sum += amount;
                self.has_known = true;
            }
            None => self.has_unknown = true,
        }
        self.has_estimate |= cost.status() == CostStatus::Estimated;
        // A free attempt beside a reported cost takes nothing from its certainty.
        self.has_reported |= cost.status() == CostStatus::Reported;
    }

    /// `last_is_known`: the last attempt, which is the one that answered, has a cost. What an
    /// earlier one may have cost makes the sum an estimate; where nothing but free attempts is
    /// known, nothing can be said.
    fn cost(&self, last_is_known: bool) -> Cost {
        if !self.has_known && !self.has_unknown {
            // Refused before anybody was asked.
            return Cost::FREE;
        }
        if !last_is_known || (self.has_unknown && self.sum == PicoUsd::ZERO) {
            return Cost::UNKNOWN;
        }
        if self.has_unknown || self.has_estimate {
            Cost::estimated(self.sum)
        } else if self.has_reported {
            Cost::reported(self.sum)
        } else {
            Cost::computed(self.sum)
        }
    }
}

impl<'a> Book<'a> {
    pub(super) fn new(core: &'a Arc<Core>, id: String, caller: Caller, asked: Asked) -> Self {
        Self {
            core,
            id,
            caller,
            asked,
            route: None,
            started_at: core.clock.now(),
            started_at_ms: core.clock.now_ms(),
            attempts: 0,
            is_committed: false,
            first_shown: None,
            target: None,
            decision: String::new(),
            last: LastAttempt::default(),
            last_is_known: false,
            total: Total::default(),
        }
    }

    pub(super) fn started_at(&self) -> Instant {
        self.started_at
    }

    /// Attempts made so far.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn started(&mut self, route: Option<String>) {
        self.route = route;
        self.core.ledger.write(Record::RequestStarted(RequestStarted {
            id: self.id.clone(),
            started_at: self.started_at_ms,
            client: self.caller.client.clone(),
            dialect: self.caller.dialect.to_owned(),
            operation: Some(self.asked.operation.to_owned()),
            route: self.route.clone(),
            request_model: self.asked.model.clone(),
            stream: self.asked.stream,
            chat_id: self.caller.chat_id.clone(),
            message_id: self.caller.message_id.clone(),
        }));
        self.core.tell(Event::RequestStarted {
            request_id: self.id.clone(),
            client: self.caller.client.clone(),
            request_model: self.asked.model.clone(),
            chat_id: self.caller.chat_id.clone(),
            message_id: self.caller.message_id.clone(),
        });
    }

    /// `why`: as the router names it.
    pub(super) fn attempt_started(&mut self, target: &Target, why: &'static str) -> Ticket {
        let ticket = Ticket {
            id: self.core.clock.new_id(),
            target: target.clone(),
            ordinal: self.attempts,
            started_at: self.core.clock.now(),
        };
        self.core.ledger.write(Record::AttemptStarted(AttemptStarted {
            id: ticket.id.clone(),
            request_id: self.id.clone(),
            ordinal: self.attempts,
            provider: target.provider.clone(),
            model: target.model.clone(),
            started_at: self.core.clock.now_ms(),
            reason: Some(why.to_owned()),
        }));
        self.attempts += 1;
        self.target = Some(target.clone());
        ticket
    }

    /// The target began to answer, and the caller was told.
    pub(super) fn committed(&mut self, target: &Target, first_content: Option<Instant>) {
        self.is_committed = true;
        self.first_shown = self.first_shown.or(first_content);
        self.target = Some(target.clone());
    }

    /// Returns what it cost.
    pub(super) fn attempt_ended(
        &mut self,
        ticket: Ticket,
        provider: Option<&Arc<Provider>>,
        seen: &Seen,
        error: Option<&Error>,
    ) -> Cost {
        let outcome = outcome_of(error);
        let priced = provider.and_then(|provider| self.price(provider, &ticket.target.model, seen));
        let cost = match &priced {
            Some(priced) => cost_of(priced, outcome),
            None if provider.is_some_and(|provider| provider.is_free()) || !seen.may_cost() => Cost::FREE,
            None => Cost::UNKNOWN,
        };
        self.total.add(cost);
        let since = |at: Instant| millis(at.duration_since(ticket.started_at));
        self.core.ledger.write(Record::AttemptEnded(AttemptEnded {
            error_kind: error.map(|error| error.kind),
            error_origin: error.map(|error| error.origin),
            http_status: seen.http_status,
            error_message: error.map(|error| error.message.clone()),
            lane: seen.lane.map(|lane| lane.as_str().to_owned()),
            error_body: error.and_then(|error| error.body.clone()),
            time_to_first_token_ms: seen.first_content.map(since),
            usage: seen.usage.clone(),
            cost,
            provider_request_id: seen.provider_request_id.clone(),
            finish_reason: seen.finish.as_ref().map(|(reason, _)| *reason),
            checks: checks::counts(&seen.report),
            notes: seen.notes.iter().take(MOST_NOTES).map(wire::Note::in_full).collect(),
            passed_over: seen.passed_over,
            ..AttemptEnded::new(ticket.id, outcome, since(self.core.clock.now()))
        }));
        let place = checks::Place {
            request_id: &self.id,
            ordinal: ticket.ordinal,
            at: self.core.clock.now_ms(),
            provider: &ticket.target.provider,
            model: &ticket.target.model,
        };
        for row in checks::rows(&seen.report, &place) {
            tracing::info!(
                request = self.id,
                provider = row.provider,
                model = row.model,
                tool = row.tool,
                kind = row.kind,
                path = row.path,
                remedy = row.remedy,
                repairs = row.repairs,
                "a check failed"
            );
            self.core.ledger.write(Record::ToolFailed(row));
        }
        if let Some(error) = error.filter(|_| outcome != Outcome::Cancelled) {
            tracing::info!(
                request = self.id,
                provider = ticket.target.provider,
                model = ticket.target.model,
                kind = error.kind.as_str(),
                status = error.status,
                "an attempt failed"
            );
            self.core.tell(Event::AttemptFailed {
                request_id: self.id.clone(),
                provider: ticket.target.provider,
                model: ticket.target.model,
                error_kind: error.kind,
                message: error.message.clone(),
            });
        }
        self.last = LastAttempt {
            response_model: seen.start.model.clone(),
            system_fingerprint: seen.start.system_fingerprint.clone(),
            usage: seen.usage.clone(),
            finish: seen.finish.clone(),
            first_content: seen.first_content,
            priced,
        };
        self.last_is_known = cost.picousd().is_some();
        cost
    }

    /// The answer is made of several: `used` is what all of them took so far.
    pub(super) fn joined(&mut self, used: Option<&Usage>) {
        self.last.usage = used.cloned();
    }

    /// Why it went where it went.
    pub(super) fn decided(&mut self, decision: &Decision) {
        self.decision = in_short(decision, self.target.as_ref().filter(|_| self.is_committed));
        // Names and numbers: there is nothing in it that could not be written.
        if let Ok(decision) = serde_json::to_value(decision) {
            self.core.ledger.write(Record::Decided(Decided { request_id: self.id.clone(), decision }));
        }
    }

    /// Writes the request's end and returns what its caller hears.
    pub(super) fn settle(self, result: Result<(), Error>) -> Ending {
        let error = result.err();
        let outcome = outcome_of(error.as_ref());
        let now = self.core.clock.now();
        let duration_ms = millis(now.duration_since(self.started_at));
        let first_content = self.first_shown.or(self.last.first_content);
        let time_to_first_token_ms = first_content.map(|at| millis(at.duration_since(self.started_at)));
        let cost = self.total.cost(self.last_is_known);
        let target = self.target.clone();
        let (provider, model) = target.map(|target| (target.provider, target.model)).unzip();
        let finish = self.last.finish.clone();
        let priced = self.last.priced.as_ref();
        self.core.ledger.write(Record::RequestSettled(RequestSettled {
            provider: provider.clone(),
            model: model.clone(),
            response_model: self.last.response_model.clone(),
            http_status: self.http_status(error.as_ref()),
            error_kind: error.as_ref().map(|error| error.kind),
            error_message: error.as_ref().map(|error| error.message.clone()),
            finish_reason: finish.as_ref().map(|(reason, _)| *reason),
            finish_reason_raw: finish.as_ref().and_then(|(_, raw)| raw.clone()),
            usage: self.last.usage.clone(),
            cost,
            reported_cost: self.last.usage.as_ref().and_then(|usage| usage.reported_cost),
            price_version: priced.map(|priced| priced.price_version.clone()),
            cost_lines: priced.map(|priced| self.cost_lines(priced)),
            time_to_first_token_ms,
            system_fingerprint: self.last.system_fingerprint.clone(),
            ..RequestSettled::new(self.id.clone(), outcome, self.core.clock.now_ms(), duration_ms)
        }));
        self.core.tell(Event::RequestSettled {
            request_id: self.id.clone(),
            outcome,
            provider: provider.clone(),
            model: model.clone(),
            error_kind: error.as_ref().map(|error| error.kind),
            chat_id: self.caller.chat_id.clone(),
            message_id: self.caller.message_id.clone(),
        });
        Ending {
            outcome,
            error,
            receipt: Receipt {
                request_id: self.id,
                route: self.route,
                provider,
                model,
                response_model: self.last.response_model,
                attempts: self.attempts,
                decision: self.decision,
                time_to_first_token_ms,
                duration_ms,
                usage: self.last.usage,
                cost,
                finish_reason: finish.map(|(reason, _)| reason),
            },
        }
    }

    /// What the client was answered; `None` where there is no HTTP (the chat window) or nobody left
    /// to answer.
    fn http_status(&self, error: Option<&Error>) -> Option<u16> {
        let dialect = wire::dialect(self.caller.dialect)?;
        match error {
            None => Some(200),
            Some(_) if self.is_committed && self.asked.stream => Some(200),
            Some(error) if error.kind == canonical::ErrorKind::Cancelled => None,
            Some(error) => Some(dialect.encode_error(error, None).0),
        }
    }

    fn price(&self, provider: &Provider, model: &str, seen: &Seen) -> Option<Priced> {
        let usage = seen.usage.as_ref()?;
        let host = reqwest::Url::parse(&provider.base_url).ok()?;
        Some(catalog::price(&PriceQuery {
            is_free: provider.is_free(),
            response_model: seen.start.model.as_deref(),
            requested_tier: self.asked.service_tier.as_deref(),
            search_tool: self.asked.search_tool,
            search_size: self.asked.search_size,
            host: host.host_str(),
            location: provider.location(),
            ..PriceQuery::new(provider.kind.price_provider.as_deref(), model, usage, self.started_at_ms)
        }))
    }

    fn cost_lines(&self, priced: &Priced) -> Value {
        let mut lines = json!({ "lines": priced.lines, "row": priced.row, "notes": priced.notes });
        if self.attempts > 1 {
            lines["attempts"] = json!({
                "count": self.attempts,
                "sum_picousd": self.total.sum,
                "has_unknown": self.total.has_unknown,
            });
        }
        lines
    }
}

/// The price table's word in the ledger's; what was cut short may have used more than it reported.
fn cost_of(priced: &Priced, outcome: Outcome) -> Cost {
    let is_partial = outcome != Outcome::Ok;
    match (priced.cost, priced.status) {
        (None, _) | (_, catalog::CostStatus::Unknown) => Cost::UNKNOWN,
        (Some(cost), catalog::CostStatus::Reported) => Cost::reported(cost),
        (Some(cost), catalog::CostStatus::Estimated) => Cost::estimated(cost),
        (Some(cost), catalog::CostStatus::Computed) if is_partial && cost != PicoUsd::ZERO => {
            Cost::estimated(cost)
        }
        (Some(cost), catalog::CostStatus::Computed) => Cost::computed(cost),
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(costs: &[Cost]) -> Cost {
        let mut total = Total::default();
        for cost in costs {
            total.add(*cost);
        }
        total.cost(costs.last().is_some_and(|cost| cost.picousd().is_some()))
    }

    #[test]
    fn a_request_costs_what_its_attempts_cost_and_never_pretends_to_know() {
        let known = |amount| Cost::computed(PicoUsd(amount));
        for (costs, expected) in [
            (vec![], Cost::FREE),
            (vec![known(5)], known(5)),
            (vec![Cost::FREE, known(5)], known(5)),
            (vec![known(2), known(5)], known(7)),
            (vec![Cost::FREE, Cost::reported(PicoUsd(5))], Cost::reported(PicoUsd(5))),
            (vec![Cost::estimated(PicoUsd(2)), known(5)], Cost::estimated(PicoUsd(7))),
            // The answer's cost is known, an earlier attempt's is not: the sum is a lower bound.
            (vec![Cost::UNKNOWN, known(5)], Cost::estimated(PicoUsd(5))),
            (vec![known(5), Cost::UNKNOWN], Cost::UNKNOWN),
            // Nothing would look like a price.
            (vec![Cost::UNKNOWN, Cost::FREE], Cost::UNKNOWN),
        ] {
            assert_eq!(total(&costs), expected, "{costs:?}");
        }
    }

    #[test]
    fn what_was_cut_short_is_an_estimate_even_where_usage_was_reported() {
        let priced = |status| Priced {
            cost: Some(PicoUsd(5)),
            status,
            lines: Vec::new(),
            reported: None,
            row: None,
            price_version: String::new(),
            notes: Vec::new(),
        };
        let computed = priced(catalog::CostStatus::Computed);
        assert_eq!(cost_of(&computed, Outcome::Ok), Cost::computed(PicoUsd(5)));
        assert_eq!(cost_of(&computed, Outcome::Cancelled), Cost::estimated(PicoUsd(5)));
        assert_eq!(cost_of(&computed, Outcome::Truncated), Cost::estimated(PicoUsd(5)));
        let reported = priced(catalog::CostStatus::Reported);
        assert_eq!(cost_of(&reported, Outcome::Cancelled), Cost::reported(PicoUsd(5)));
    }
}
