//! What a decision costs: `cargo bench -p routing`.
//!
//! `plan` is the order of a request's targets; `request` is everything the router does for one that
//! is answered at the first attempt: plan, permit, first content, end. The router has seen traffic:
//! every target has measured times, limits by hand and from headers; one circuit is open, one comes
//! back.
#![expect(clippy::expect_used, reason = "A benchmark that cannot go on says so.")]

use std::sync::Arc;
use std::time::Duration;

use canonical::{Error, ErrorKind, MicroUsdPerMTok, Origin, PicoUsd};
use divan::Bencher;
use routing::classify::Traits;
use routing::limit::{LimitSeen, Need};
use routing::policy::{BudgetRule, Counted, LimitRule, OverBudget, Period, Policy, Scope, Sticky, Window};
use routing::{Ask, Draw, Ended, Facts, Now, Permit, Planned, Route, Router, Run, Step, StrategyId, Target};

fn main() {
    divan::main();
}

/// A router with experience, one request to plan, and a clock.
struct Desk {
    router: Router,
    ask: Ask,
    now: Now,
    state: u64,
}

impl Desk {
    fn new(targets: usize, strategy: StrategyId) -> Self {
        let targets: Vec<Target> = (0..targets)
            .map(|index| Target {
                provider: format!("provider-{}", index / 2),
                model: format!("model-{index}"),
            })
            .collect();
        let sticky = Some(Sticky { idle: Duration::from_secs(3_600) });
        let route = Route { strategy, sticky, ..Route::new("route", targets.clone()) };
        let now = Now::new(Duration::from_secs(1_000), 1_790_000_000_000);
        let facts = Facts {
            context_window: Some(200_000),
            tools: Some(true),
            input_price: Some(MicroUsdPerMTok(3_000_000)),
            output_price: Some(MicroUsdPerMTok(15_000_000)),
            ..Facts::default()
        };
        let ask = Ask {
            facts: vec![facts; targets.len()].into(),
            route: Arc::new(route),
            client: Some("agent".into()),
            model: "route".into(),
            tags: Vec::new(),
            traits: Traits { input_tokens: 4_000, messages: 12, tools: 9, ..Traits::default() },
            output_tokens: 800,
            conversation: Some(7),
            acts: false,
            first_content: Duration::from_secs(60),
            deadline: now.mono + Duration::from_secs(86_400),
        };
        let router = Router::new(Arc::new(policy(&targets)), now);
        let mut desk = Self { router, ask, now, state: 7 };
        desk.gain_experience(&targets);
        desk
    }

    /// Some minutes of traffic at every target; the last but one breaks, the last one recovers.
    fn gain_experience(&mut self, targets: &[Target]) {
        for (index, target) in targets.iter().enumerate() {
            let ask = Ask { route: Arc::new(Route::new("one", [target.clone()])), ..self.ask.clone() };
            for attempt in 0..200 {
                let (mut run, permit) = self.permit(ask.clone());
                let is_broken = attempt > 190 && targets.len() > 4 && index + 2 == targets.len();
                let Some(permit) = permit else { break };
                let error = is_broken.then(|| Error::new(ErrorKind::Timeout, Origin::Provider, "late"));
                self.end(&mut run, permit, error.as_ref());
                self.now = self.now.after(Duration::from_millis(20));
            }
        }
    }

    fn plan(&mut self, ask: Ask) -> Box<Run> {
        self.now = self.now.after(Duration::from_micros(100));
        let (now, state) = (self.now, &mut self.state);
        match self.router.plan(ask, now, &mut Draw::new(&mut || unit(state))) {
            Planned::Run(run) => run,
            Planned::Divert { .. } => unreachable!("no budget says so"),
        }
    }

    fn permit(&mut self, ask: Ask) -> (Box<Run>, Option<Permit>) {
        let mut run = self.plan(ask);
        let (now, state) = (self.now, &mut self.state);
        let permit = match self.router.next(&mut run, now, &mut Draw::new(&mut || unit(state))) {
            Step::Ask(permit) => Some(permit),
            Step::Wait { .. } | Step::GiveUp(_) => None,
        };
        (run, permit)
    }

    fn end(&mut self, run: &mut Run, permit: Permit, error: Option<&Error>) {
        let seen = LimitSeen {
            counted: Counted::Requests,
            window: Some(Duration::from_secs(60)),
            limit: Some(1_000_000),
            remaining: Some(900_000),
            reset: Some(Duration::from_secs(30)),
        };
        self.router.learn(&permit, &[seen], self.now);
        self.router.answering(&permit, self.now);
        let ended = Ended {
            result: error.map_or(Ok(()), Err),
            cause: None,
            has_lost: false,
            is_committed: error.is_none(),
            was_sent: true,
            first_content: error.is_none().then_some(Duration::from_millis(400)),
            duration: Duration::from_secs(3),
            used: Some(Need { input_tokens: 4_000, output_tokens: 700 }),
            cost: Some(PicoUsd(1_000)),
            tool_failures: 0,
        };
        let (now, state) = (self.now, &mut self.state);
        self.router.ended(run, permit, &ended, now, &mut Draw::new(&mut || unit(state)));
    }
}

/// Limits for every target and provider, and two budgets, none of which is ever used up.
fn policy(targets: &[Target]) -> Policy {
    let limit = |target: &Target, model: bool, counted, window| LimitRule {
        provider: target.provider.clone(),
        model: model.then(|| target.model.clone()),
        counted,
        window,
        most: 1 << 50,
    };
    let limits = targets.iter().flat_map(|target| {
        [
            limit(target, true, Counted::Requests, Window::Minute),
            limit(target, true, Counted::Tokens, Window::Minute),
            limit(target, false, Counted::Concurrency, Window::Now),
        ]
    });
    let budget = |name: &str, per| BudgetRule {
        name: name.into(),
        scope: Scope::default(),
        amount: PicoUsd(i64::MAX / 4),
        per,
        then: OverBudget::Block,
        warn_at_percent: 80,
    };
    Policy {
        limits: limits.collect(),
        budgets: vec![budget("day", Period::Day), budget("month", Period::Month)],
        ..Policy::default()
    }
}

const STRATEGIES: [&str; 3] = ["priority", "lowest-latency", "score"];

fn strategy(name: &str) -> StrategyId {
    StrategyId::from_name(name).expect("a strategy of this name")
}

#[divan::bench(args = STRATEGIES, sample_size = 100, sample_count = 500)]
fn plan_20_targets(bencher: Bencher<'_, '_>, name: &str) {
    let mut desk = Desk::new(20, strategy(name));
    let ask = desk.ask.clone();
    bencher.with_inputs(|| ask.clone()).bench_local_values(|ask| desk.plan(ask));
}

#[divan::bench(args = [1, 5, 20, 100], sample_size = 100, sample_count = 500)]
fn plan_by_priority(bencher: Bencher<'_, '_>, targets: usize) {
    let mut desk = Desk::new(targets, StrategyId::Priority);
    let ask = desk.ask.clone();
    bencher.with_inputs(|| ask.clone()).bench_local_values(|ask| desk.plan(ask));
}

#[divan::bench(args = [1, 20], sample_size = 100, sample_count = 500)]
fn request(bencher: Bencher<'_, '_>, targets: usize) {
    let mut desk = Desk::new(targets, StrategyId::Priority);
    let ask = desk.ask.clone();
    bencher.with_inputs(|| ask.clone()).bench_local_values(|ask| {
        let (mut run, permit) = desk.permit(ask);
        desk.end(&mut run, permit.expect("a target that works"), None);
        run
    });
}

fn unit(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}
