//! The router of Signalbox, driven as the gateway's engine drives it: plan, next, ended; hedges,
//! waits, and every permit given back.

use std::sync::Arc;
use std::time::Duration;

use canonical::{MicroUsdPerMTok, PicoUsd};
use routing::classify::Traits;
use routing::limit::{LimitSeen, Need};
use routing::policy::{
    BudgetRule, Cause, Commit, HedgeAfter, LimitRule, OnBreak, OverBudget, Period, Scope, Sticky,
};
use routing::{Ask, Draw, Ended, Facts, Now, Permit, Planned, Policy, Route, Router, StrategyId, Target};

use super::{Asked, Ending, Moment, Pilot, Step, Ticket};
use crate::chance::Chance;
use crate::provider::Told;
use crate::scenario::{ProviderSpec, RouteSpec, Scenario};
use crate::span::{self, Micros, micros};

/// Every provider's only model.
const MODEL: &str = "m";

/// The router with one route over all providers.
#[derive(Debug)]
pub struct Signalbox {
    pub router: Router,
    pub targets: Vec<Target>,
    route: Arc<Route>,
    facts: Arc<[Facts]>,
    first_content: Duration,
    seen: Vec<LimitSeen>,
}

/// What the engine holds of a request.
#[derive(Debug)]
pub struct Run {
    /// `None` where no scenario's route takes it.
    way: Option<Box<routing::Run>>,
    /// It broke off after the client had seen some of it.
    has_broken: bool,
    is_over: bool,
}

impl Signalbox {
    pub fn new(scenario: &Scenario) -> Self {
        Self::with_policy(scenario, policy(scenario))
    }

    pub fn with_policy(scenario: &Scenario, policy: Policy) -> Self {
        let start = Now { mono: Duration::ZERO, unix_ms: scenario.starts_at_ms };
        let targets: Vec<Target> = scenario
            .providers
            .iter()
            .map(|spec| Target { provider: spec.name.clone(), model: MODEL.to_owned() })
            .collect();
        Self {
            router: Router::new(Arc::new(policy), start),
            route: Arc::new(route(&scenario.route, &targets)),
            facts: scenario.providers.iter().map(facts).collect(),
            first_content: Duration::from_micros(scenario.route.first_content),
            targets,
            seen: Vec::new(),
        }
    }

    fn ticket(&self, permit: Permit, has_broken: bool) -> Ticket<Permit> {
        let target = self.targets.iter().position(|target| *target == permit.target).unwrap_or_default();
        Ticket {
            target,
            hedge_after: permit.hedge_after.map(micros),
            goes_on: has_broken && self.route.on_break == OnBreak::Continue,
            permit,
        }
    }
}

impl Pilot for Signalbox {
    type Run = Run;
    type Permit = Permit;

    fn begin(&mut self, asked: &Asked, moment: Moment, chance: &mut Chance) -> Run {
        let ask = Ask {
            route: Arc::clone(&self.route),
            facts: Arc::clone(&self.facts),
            client: None,
            model: self.route.name.clone(),
            tags: Vec::new(),
            traits: Traits { input_tokens: asked.input, messages: asked.messages, ..Traits::default() },
            output_tokens: asked.most_output,
            conversation: Some(asked.conversation),
            acts: false,
            first_content: self.first_content,
            deadline: Duration::from_micros(asked.deadline),
        };
        let mut source = || chance.unit();
        let way = match self.router.plan(ask, moment.now, &mut Draw::new(&mut source)) {
            Planned::Run(run) => Some(run),
            // No scenario has a second route to go to.
            Planned::Divert { .. } => None,
        };
        Run { way, has_broken: false, is_over: false }
    }

    fn next(&mut self, run: &mut Run, moment: Moment, chance: &mut Chance) -> Step<Permit> {
        let Run { way: Some(inner), has_broken, is_over: false } = run else { return Step::GiveUp };
        let mut source = || chance.unit();
        match self.router.next(inner, moment.now, &mut Draw::new(&mut source)) {
            routing::Step::Ask(permit) => Step::Ask(self.ticket(permit, *has_broken)),
            routing::Step::Wait { until } => Step::Wait { until: micros(until) },
            routing::Step::GiveUp(_) => Step::GiveUp,
        }
    }

    fn hedge(&mut self, run: &mut Run, moment: Moment, chance: &mut Chance) -> Option<Ticket<Permit>> {
        let mut source = || chance.unit();
        let permit = self.router.hedge(run.way.as_mut()?, moment.now, &mut Draw::new(&mut source))?;
        Some(self.ticket(permit, false))
    }

    fn told(&mut self, permit: &Permit, told: &[Told], moment: Moment) {
        self.seen.clear();
        self.seen.extend(told.iter().map(|told| LimitSeen {
            counted: told.counted,
            window: Some(Duration::from_micros(told.window)),
            limit: Some(told.limit),
            remaining: Some(told.remaining),
            reset: Some(Duration::from_micros(told.reset)),
        }));
        self.router.learn(permit, &self.seen, moment.now);
    }

    fn ended(
        &mut self,
        run: &mut Run,
        permit: Permit,
        ending: &Ending<'_>,
        moment: Moment,
        chance: &mut Chance,
    ) {
        let Some(inner) = &mut run.way else { return };
        let breaks = ending.result.is_err() && ending.is_committed && !ending.has_lost;
        let goes_on = breaks && self.route.on_break != OnBreak::End;
        run.has_broken |= breaks;
        run.is_over |= breaks && !goes_on;
        let ended = Ended {
            result: ending.result,
            cause: goes_on.then_some(Cause::Broke),
            has_lost: ending.has_lost,
            is_committed: ending.is_committed,
            was_sent: ending.was_sent,
            first_content: ending.first_content.map(Duration::from_micros),
            duration: Duration::from_micros(ending.duration),
            used: ending.used.map(|(input_tokens, output_tokens)| Need { input_tokens, output_tokens }),
            cost: ending.cost.map(PicoUsd),
            tool_failures: 0,
        };
        let mut source = || chance.unit();
        self.router.ended(inner, permit, &ended, moment.now, &mut Draw::new(&mut source));
    }
}

/// The default policy, with the limits and budgets that the scenario's owner has set by hand.
pub fn policy(scenario: &Scenario) -> Policy {
    let mut policy = Policy::default();
    for provider in &scenario.providers {
        policy.limits.extend(provider.limits.iter().filter(|limit| limit.set).map(|limit| LimitRule {
            provider: provider.name.clone(),
            model: None,
            counted: limit.counted,
            window: limit.per,
            most: limit.most,
        }));
    }
    policy.budgets.extend(scenario.budgets.iter().map(|budget| BudgetRule {
        name: budget.name.clone(),
        scope: Scope::default(),
        amount: PicoUsd(budget.pico_usd),
        per: Period::Day,
        then: OverBudget::Block,
        warn_at_percent: 80,
    }));
    policy
}

fn route(spec: &RouteSpec, targets: &[Target]) -> Route {
    let mut route = Route::new("agents", targets.iter().cloned());
    route.strategy = StrategyId::from_name(&spec.strategy).unwrap_or_default();
    route.sticky = spec.sticky.map(|idle| Sticky { idle: Duration::from_micros(idle) });
    route.hedge = spec.hedge.as_deref().map(hedge);
    route.commit = Commit { chars: spec.commit_chars, within: None };
    route.on_break = spec.on_break;
    route.total = Some(Duration::from_micros(spec.total));
    route.first_content = Some(Duration::from_micros(spec.first_content));
    route
}

fn hedge(text: &str) -> HedgeAfter {
    let after: Option<Micros> = span::parse(text);
    after.map_or(HedgeAfter::P95, |after| HedgeAfter::Fixed(Duration::from_micros(after)))
}

fn facts(spec: &ProviderSpec) -> Facts {
    Facts {
        // A pico-dollar per token is a thousand of the catalogue's units.
        input_price: Some(MicroUsdPerMTok(spec.input_price * 1_000)),
        output_price: Some(MicroUsdPerMTok(spec.output_price * 1_000)),
        ..Facts::default()
    }
}
