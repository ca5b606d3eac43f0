#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::sync::Arc;
use std::time::Duration;

use canonical::{Error, ErrorKind, MicroUsdPerMTok, Origin, PicoUsd, Retry};

use super::*;
use crate::ask::{Ask, Facts};
use crate::classify::Traits;
use crate::decision::{Against, What, Why};
use crate::limit::Need;
use crate::policy::*;
use crate::run::{Hopeless, Permit, Run, Step};
use crate::{Draw, StrategyId};

/// A router, a clock that the test moves, and chance that it names.
struct World {
    router: Router,
    now: Now,
    chance: f64,
}

fn target(name: &str) -> Target {
    let (provider, model) = name.split_once('/').unwrap_or((name, "m"));
    Target { provider: provider.into(), model: model.into() }
}

fn route(names: &[&str]) -> Route {
    Route::new("r", names.iter().map(|name| target(name)))
}

impl World {
    fn new() -> Self {
        Self::with(Policy::default())
    }

    fn with(policy: Policy) -> Self {
        let now = Now::new(Duration::from_secs(1000), 1_790_000_000_000);
        Self { router: Router::new(Arc::new(policy), now), now, chance: 0.5 }
    }

    fn sleep(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    fn ask(&self, route: &Route) -> Ask {
        let count = route.targets.len();
        Ask {
            route: Arc::new(route.clone()),
            facts: vec![Facts::default(); count].into(),
            client: None,
            model: route.name.clone(),
            tags: Vec::new(),
            traits: Traits { input_tokens: 100, messages: 1, ..Traits::default() },
            output_tokens: 100,
            conversation: None,
            acts: false,
            first_content: Duration::from_secs(60),
            deadline: self.now.mono + Duration::from_secs(600),
        }
    }

    fn plan(&mut self, ask: Ask) -> Run {
        let chance = self.chance;
        match self.router.plan(ask, self.now, &mut Draw::new(&mut || chance)) {
            Planned::Run(run) => *run,
            Planned::Divert { route, .. } => panic!("diverted to {route}"),
        }
    }

    fn run(&mut self, route: &Route) -> Run {
        let ask = self.ask(route);
        self.plan(ask)
    }

    fn next(&mut self, run: &mut Run) -> Step {
        let chance = self.chance;
        self.router.next(run, self.now, &mut Draw::new(&mut || chance))
    }

    /// Who is asked next.
    fn asked(&mut self, run: &mut Run) -> Permit {
        match self.next(run) {
            Step::Ask(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    fn gives_up(&mut self, run: &mut Run) -> crate::GaveUp {
        match self.next(run) {
            Step::GiveUp(gave_up) => gave_up,
            other => panic!("{other:?}"),
        }
    }

    fn waits(&mut self, run: &mut Run) -> Duration {
        match self.next(run) {
            Step::Wait { until } => until.saturating_sub(self.now.mono),
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, run: &mut Run, permit: Permit, ended: &Ended<'_>) {
        let chance = self.chance;
        self.router.ended(run, permit, ended, self.now, &mut Draw::new(&mut || chance));
    }

    fn succeed(&mut self, run: &mut Run, permit: Permit) {
        self.end(run, permit, &good());
    }

    fn fail(&mut self, run: &mut Run, permit: Permit, error: &Error) {
        self.end(run, permit, &bad(error));
    }

    /// One request from its start to an answer of its first target.
    fn serve(&mut self, route: &Route) -> Target {
        let mut run = self.run(route);
        let permit = self.asked(&mut run);
        let target = permit.target.clone();
        self.succeed(&mut run, permit);
        target
    }

    /// Breaks the route's first target until its circuit opens.
    fn break_it(&mut self, name: &str) {
        let only = route(&[name]);
        for _ in 0..CircuitPolicy::default().consecutive_failures {
            let mut run = self.run(&only);
            let permit = self.asked(&mut run);
            self.fail(&mut run, permit, &error(ErrorKind::Timeout));
        }
    }
}

fn good() -> Ended<'static> {
    Ended {
        result: Ok(()),
        cause: None,
        has_lost: false,
        is_committed: true,
        was_sent: true,
        first_content: Some(Duration::from_millis(300)),
        duration: Duration::from_secs(2),
        used: Some(Need { input_tokens: 100, output_tokens: 50 }),
        cost: None,
        tool_failures: 0,
    }
}

fn bad(error: &Error) -> Ended<'_> {
    Ended { result: Err(error), is_committed: false, first_content: None, used: None, ..good() }
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, Origin::Provider, "no")
}

fn limited(after: Option<u64>) -> Error {
    let mut error = error(ErrorKind::RateLimited);
    error.retry_after = after.map(Duration::from_secs);
    error
}

fn policy_with_limit(provider: &str, counted: Counted, window: Window, most: u64) -> Policy {
    let rule = LimitRule { provider: provider.into(), model: Some("m".into()), counted, window, most };
    Policy { limits: vec![rule], ..Policy::default() }
}

// === Order ===

#[test]
fn the_first_target_is_asked_and_the_others_stand_by() {
    let mut world = World::new();
    let route = route(&["a", "b"]);
    let mut run = world.run(&route);
    let permit = world.asked(&mut run);
    assert_eq!((permit.target.provider.as_str(), permit.why), ("a", Why::First));
    assert!(run.has_alternative(&permit));
    world.succeed(&mut run, permit);
    let decision = run.decision();
    assert_eq!(decision.candidates.len(), 2);
    assert_eq!(decision.candidates[0].rank, Some(1));
    assert_eq!(
        decision.steps.iter().map(|step| step.what).collect::<Vec<_>>(),
        [What::Asked, What::Answered]
    );
}

#[test]
fn a_slip_is_asked_once_more_then_the_next_target_answers() {
    let mut world = World::new();
    let route = route(&["a", "b"]);
    let mut run = world.run(&route);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::ServerError));
    let pause = world.waits(&mut run);
    assert_eq!(pause, Duration::from_millis(200), "half of the base pause by the chance of one half");
    world.sleep(pause);
    let permit = world.asked(&mut run);
    assert_eq!((permit.target.provider.as_str(), permit.why), ("a", Why::Retry));
    world.fail(&mut run, permit, &error(ErrorKind::ServerError));
    let permit = world.asked(&mut run);
    assert_eq!((permit.target.provider.as_str(), permit.why), ("b", Why::Failover));
    world.fail(&mut run, permit, &error(ErrorKind::NotFound));
    assert_eq!(world.gives_up(&mut run).why, Hopeless::Failed);
    assert_eq!(run.attempts(), 3);
}

#[test]
fn a_hopeless_error_ends_the_run() {
    let mut world = World::new();
    let mut run = world.run(&route(&["a", "b"]));
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::InvalidRequest));
    assert_eq!(world.gives_up(&mut run).why, Hopeless::Failed);
}

#[test]
fn no_time_left_ends_the_run() {
    let mut world = World::new();
    let mut run = world.run(&route(&["a", "b"]));
    world.sleep(Duration::from_secs(601));
    assert_eq!(world.gives_up(&mut run).why, Hopeless::Deadline);
}

#[test]
fn what_may_have_had_effects_is_not_asked_again() {
    let mut world = World::new();
    let route = route(&["a", "b"]);
    for (kind, goes_on) in [
        (ErrorKind::Timeout, false),
        (ErrorKind::Network, false),
        (ErrorKind::ServerError, false),
        (ErrorKind::RateLimited, true),
        (ErrorKind::Overloaded, true),
    ] {
        let mut run = world.run(&route);
        run.ask.acts = true;
        let permit = world.asked(&mut run);
        world.fail(&mut run, permit, &error(kind));
        let step = world.next(&mut run);
        assert_eq!(!matches!(step, Step::GiveUp(_)), goes_on, "{kind:?} {step:?}");
        if let Step::Ask(permit) = step {
            world.succeed(&mut run, permit);
        }
    }
    // Not sent: it had no effect.
    let mut world = World::new();
    let mut run = world.run(&route);
    run.ask.acts = true;
    let permit = world.asked(&mut run);
    world.end(&mut run, permit, &Ended { was_sent: false, ..bad(&error(ErrorKind::Timeout)) });
    assert!(matches!(world.next(&mut run), Step::Ask(_)));
}

// === Rates ===

#[test]
fn a_refusal_for_the_rate_moves_on_at_once_and_leaves_the_target_alone_as_long_as_it_asked() {
    let mut world = World::new();
    let route = route(&["a", "b"]);
    let mut run = world.run(&route);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &limited(Some(30)));
    let permit = world.asked(&mut run);
    assert_eq!(permit.target.provider, "b");
    world.succeed(&mut run, permit);
    world.sleep(Duration::from_secs(29));
    assert_eq!(world.serve(&route).provider, "b");
    world.sleep(Duration::from_secs(2));
    assert_eq!(world.serve(&route).provider, "a");
}

#[test]
fn a_sole_target_is_waited_for_within_patience_and_else_the_client_learns_how_long() {
    let mut world = World::new();
    let only = route(&["a"]);
    let mut run = world.run(&only);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &limited(Some(7)));
    assert_eq!(world.waits(&mut run), Duration::from_secs(7));
    world.sleep(Duration::from_secs(7));
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &limited(Some(90)));
    let gave_up = world.gives_up(&mut run);
    assert_eq!(gave_up.why, Hopeless::Failed);
    // Another request hears of it without being sent.
    let mut run = world.run(&only);
    let gave_up = world.gives_up(&mut run);
    assert_eq!((gave_up.why, gave_up.retry_after), (Hopeless::AllLimited, Some(Duration::from_secs(90))));
}

#[test]
fn an_absurd_pause_is_not_believed() {
    let mut world = World::new();
    let only = route(&["a"]);
    let mut run = world.run(&only);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &limited(Some(400 * 24 * 3600)));
    world.sleep(Duration::from_secs(2));
    assert_eq!(world.serve(&only).provider, "a");
}

#[test]
fn a_limit_of_ours_sends_the_surplus_elsewhere_before_it_is_refused() {
    let mut world = World::with(policy_with_limit("a", Counted::Requests, Window::Minute, 2));
    let route = route(&["a", "b"]);
    let answers: Vec<_> = (0..4).map(|_| world.serve(&route).provider).collect();
    assert_eq!(answers, ["a", "a", "b", "b"]);
    let mut run = world.run(&self::route(&["a"]));
    let gave_up = world.gives_up(&mut run);
    assert_eq!(gave_up.why, Hopeless::AllLimited);
    assert!(gave_up.retry_after.unwrap() > Duration::from_secs(59));
}

#[test]
fn a_request_larger_than_a_limit_is_told_so() {
    let mut world = World::with(policy_with_limit("a", Counted::Tokens, Window::Minute, 50));
    let mut run = world.run(&route(&["a"]));
    assert_eq!(world.gives_up(&mut run).why, Hopeless::LimitTooSmall);
}

// === Health ===

#[test]
fn a_broken_target_is_left_alone_probed_once_and_comes_back_in_steps() {
    let mut world = World::new();
    let route = route(&["a", "b"]);
    world.break_it("a");
    assert_eq!(world.serve(&route).provider, "b");
    world.sleep(CircuitPolicy::default().open_for + Duration::from_secs(1));
    let mut probing = world.run(&route);
    let probe = world.asked(&mut probing);
    assert_eq!((probe.target.provider.as_str(), probe.why), ("a", Why::Probe));
    assert_eq!(world.serve(&route).provider, "b", "one probe at a time");
    world.succeed(&mut probing, probe);
    // One in a hundred at first.
    world.chance = 0.5;
    assert_eq!(world.serve(&route).provider, "b");
    world.chance = 0.005;
    assert_eq!(world.serve(&route).provider, "a");
    world.chance = 0.99;
    for _ in 0..3 {
        world.sleep(CircuitPolicy::default().dwell + Duration::from_secs(1));
        world.chance = 0.0;
        assert_eq!(world.serve(&route).provider, "a");
        world.chance = 0.99;
    }
    assert_eq!(world.serve(&route).provider, "a", "all of it again");
}

#[test]
fn a_loaded_target_keeps_its_circuit_and_gets_fewer_at_once() {
    let mut world = World::new();
    let route = route(&["a", "b"]);
    let mut under_way: Vec<(Run, Permit)> = (0..20)
        .map(|_| {
            let mut run = world.run(&route);
            let permit = world.asked(&mut run);
            (run, permit)
        })
        .collect();
    let (mut run, permit) = under_way.pop().unwrap();
    world.succeed(&mut run, permit);
    for (mut run, permit) in under_way.drain(10..) {
        world.fail(&mut run, permit, &error(ErrorKind::Overloaded));
    }
    // Ten are still under way, and eighteen were when the first one was refused.
    let mut more: Vec<(Run, Permit)> = Vec::new();
    let others = std::iter::repeat_with(|| {
        let mut run = world.run(&route);
        let permit = world.asked(&mut run);
        let provider = permit.target.provider.clone();
        more.push((run, permit));
        provider
    });
    assert_eq!(others.take_while(|provider| provider == "a").count(), 6);
}

#[test]
fn refusals_for_load_by_a_target_that_answers_nobody_open_its_circuit() {
    let mut world = World::new();
    let only = route(&["a"]);
    for _ in 0..CircuitPolicy::default().consecutive_failures {
        let mut run = world.run(&only);
        let permit = world.asked(&mut run);
        world.fail(&mut run, permit, &error(ErrorKind::Overloaded));
    }
    assert_eq!(world.serve(&route(&["a", "b"])).provider, "b");
}

#[test]
fn whoever_goes_on_with_an_answer_takes_the_text_so_far_of_its_limits_too() {
    let mut world = World::with(policy_with_limit("b", Counted::InputTokens, Window::Minute, 140));
    let mut run = world.run(&route(&["a", "b"]));
    let permit = world.asked(&mut run);
    let cut = error(ErrorKind::Truncated);
    let broke = Ended { result: Err(&cut), cause: Some(Cause::Broke), ..good() };
    world.end(&mut run, permit, &broke);
    let permit = world.asked(&mut run);
    assert_eq!(permit.target.provider, "a", "at the other one 100 tokens would fit, 150 do not");
    world.succeed(&mut run, permit);
}

#[test]
fn whoever_goes_on_with_an_answer_takes_the_text_so_far_of_its_budget_too() {
    let route = route(&["a", "b"]);
    let mut world = World::new();
    let ask = priced(&world, &route);
    let mut run = world.plan(ask);
    let permit = world.asked(&mut run);
    let first = permit.estimated_cost.unwrap();
    let cut = error(ErrorKind::Truncated);
    world.end(&mut run, permit, &Ended { result: Err(&cut), cause: Some(Cause::Broke), ..good() });
    let permit = world.asked(&mut run);
    assert!(permit.estimated_cost.unwrap() > first);
    world.succeed(&mut run, permit);
}

#[test]
fn where_everything_is_broken_the_least_bad_is_asked() {
    let mut world = World::new();
    world.break_it("a");
    world.sleep(Duration::from_secs(3));
    world.break_it("b");
    world.sleep(Duration::from_secs(2));
    let route = route(&["a", "b"]);
    let mut run = world.run(&route);
    let probe = world.asked(&mut run);
    assert_eq!((probe.target.provider.as_str(), probe.why), ("a", Why::Probe));
    world.succeed(&mut run, probe);
}

#[test]
fn who_waits_where_everything_is_broken_sees_within_a_second_that_it_is_well() {
    let mut world = World::new();
    world.break_it("a");
    let only = route(&["a"]);
    let mut waiting = world.run(&only);
    assert_eq!(world.waits(&mut waiting), Duration::from_secs(1), "not the fifteen that it is open for");
    world.sleep(Duration::from_secs(1));
    assert_eq!(world.serve(&only).provider, "a", "somebody's early probe");
    let permit = world.asked(&mut waiting);
    world.succeed(&mut waiting, permit);
}

#[test]
fn a_callers_own_fault_breaks_nothing() {
    let mut world = World::new();
    let only = route(&["a"]);
    for kind in [ErrorKind::InvalidRequest, ErrorKind::ContextTooLong, ErrorKind::ContentFiltered] {
        for _ in 0..20 {
            let mut run = world.run(&only);
            let permit = world.asked(&mut run);
            assert_eq!(permit.why, Why::First);
            world.fail(&mut run, permit, &error(kind));
        }
    }
    assert_eq!(world.serve(&only).provider, "a");
}

#[test]
fn a_refused_key_parks_that_key_alone_until_there_is_another() {
    let mut world = World::new();
    let route = route(&["a/one", "a/two", "b/one"]);
    let mut run = world.run(&route);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::Authentication));
    let permit = world.asked(&mut run);
    assert_eq!(permit.target.provider, "b", "the same key is no way out");
    world.succeed(&mut run, permit);
    assert_eq!(world.serve(&route).provider, "b");
    world.router.key_changed("a");
    assert_eq!(world.serve(&route).provider, "a");
}

#[test]
fn a_request_with_no_other_way_asks_a_parked_key_again() {
    let mut world = World::new();
    let only = route(&["a"]);
    let mut run = world.run(&only);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::Authentication));
    assert_eq!(world.gives_up(&mut run).why, Hopeless::Failed);
    world.sleep(Duration::from_secs(2));
    let mut run = world.run(&only);
    let permit = world.asked(&mut run);
    world.succeed(&mut run, permit);
    assert_eq!(world.serve(&only).provider, "a");
}

// === Causes ===

#[test]
fn too_long_goes_to_a_larger_window_only() {
    let mut world = World::new();
    let route = route(&["small", "smaller", "large", "unknown"]);
    let mut ask = world.ask(&route);
    let window = |tokens| Facts { context_window: Some(tokens), ..Facts::default() };
    ask.facts = vec![window(8_000), window(4_000), window(100_000), Facts::default()].into();
    let mut run = world.plan(ask);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::ContextTooLong));
    assert_eq!(world.asked(&mut run).target.provider, "large");
}

#[test]
fn a_target_that_is_too_small_is_not_asked_unless_nothing_else_is_left() {
    let mut world = World::new();
    let route = route(&["small", "large"]);
    let mut ask = world.ask(&route);
    ask.traits.input_tokens = 50_000;
    let window = |tokens| Facts { context_window: Some(tokens), ..Facts::default() };
    ask.facts = vec![window(8_000), window(100_000)].into();
    let mut run = world.plan(ask.clone());
    assert_eq!(world.asked(&mut run).target.provider, "large");
    assert_eq!(run.decision().candidates[1].why, Some(Against::TooLong));
    ask.facts = vec![window(8_000), window(8_000)].into();
    let mut run = world.plan(ask);
    assert_eq!(world.asked(&mut run).target.provider, "small", "the provider has the last word");
}

#[test]
fn a_filtered_answer_goes_to_another_provider_and_first_to_one_kept_for_that() {
    let mut world = World::new();
    let mut route = route(&["a/one", "a/two", "b/one", "c/one"]);
    route.targets[3].only_after = vec![Cause::ContentFiltered];
    let mut run = world.run(&route);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::ContentFiltered));
    let permit = world.asked(&mut run);
    assert_eq!(permit.target.provider, "c");
    world.fail(&mut run, permit, &error(ErrorKind::ContentFiltered));
    assert_eq!(world.asked(&mut run).target.provider, "b");
    // For anything else it is not there.
    let mut run = world.run(&self::route(&["a/one"]));
    let permit = world.asked(&mut run);
    world.succeed(&mut run, permit);
    let mut run = world.run(&route);
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &error(ErrorKind::NotFound));
    assert_eq!(world.asked(&mut run).target, target("a/two"));
}

#[test]
fn an_answer_that_failed_its_checks_is_asked_of_another_or_again_of_the_same() {
    let mut world = World::new();
    let wrong = error(ErrorKind::InvalidResponse);
    for (names, expected) in [(&["a", "b"][..], "b"), (&["a"][..], "a")] {
        let mut run = world.run(&route(names));
        let permit = world.asked(&mut run);
        world.end(&mut run, permit, &Ended { cause: Some(Cause::Check), ..bad(&wrong) });
        let permit = world.asked(&mut run);
        assert_eq!((permit.target.provider.as_str(), permit.why), (expected, Why::Check));
        world.succeed(&mut run, permit);
    }
}

// === Rules, tiers, conversations ===

#[test]
fn the_first_rule_that_matches_leads_and_conditions_keep_targets_out() {
    let mut world = World::new();
    let mut route = route(&["a", "b", "long"]);
    route.targets[2].when = Some(Condition { min_input_tokens: Some(1_000), ..Condition::default() });
    route.rules = vec![Rule {
        when: Condition { clients: vec!["codex*".into()], ..Condition::default() },
        then: Then::Targets(vec![1]),
    }];
    let mut ask = world.ask(&route);
    ask.client = Some("codex-cli".into());
    let mut run = world.plan(ask);
    assert_eq!(world.asked(&mut run).target.provider, "b");
    assert_eq!(run.decision().rule, Some(0));
    assert_eq!(run.decision().candidates.last().unwrap().why, Some(Against::Condition));
    assert_eq!(world.serve(&route).provider, "a");
}

#[test]
fn the_task_takes_the_cheapest_tier_that_does_it() {
    let mut world = World::new();
    let mut route = route(&["big", "small", "middle"]);
    route.tiers = true;
    for (at, tier) in [Tier::Complex, Tier::Cheap, Tier::Standard].into_iter().enumerate() {
        route.targets[at].tier = Some(tier);
    }
    for (label, expected) in [
        (crate::classify::Class::Simple, "small"),
        (crate::classify::Class::Standard, "middle"),
        (crate::classify::Class::Complex, "big"),
    ] {
        let mut ask = world.ask(&route);
        ask.traits.label = Some(label);
        let mut run = world.plan(ask);
        let permit = world.asked(&mut run);
        assert_eq!(permit.target.provider, expected);
        world.succeed(&mut run, permit);
    }
}

#[test]
fn a_conversation_stays_where_it_is_while_that_is_well() {
    let mut world = World::new();
    let mut route = route(&["a", "b"]);
    route.sticky = Some(Sticky { idle: Duration::from_secs(600) });
    let talk = |world: &mut World, id: u64| {
        let mut ask = world.ask(&route);
        ask.conversation = Some(id);
        let mut run = world.plan(ask);
        let permit = world.asked(&mut run);
        (run, permit)
    };
    let (mut run, permit) = talk(&mut world, 1);
    world.fail(&mut run, permit, &limited(Some(5)));
    let permit = world.asked(&mut run);
    world.succeed(&mut run, permit);
    world.sleep(Duration::from_secs(60));
    let (mut run, permit) = talk(&mut world, 1);
    assert_eq!(permit.target.provider, "b", "where it went on");
    world.succeed(&mut run, permit);
    let (_, permit) = talk(&mut world, 2);
    assert_eq!(permit.target.provider, "a", "a new one begins at the front");
    world.sleep(Duration::from_secs(700));
    let (_, permit) = talk(&mut world, 1);
    assert_eq!(permit.target.provider, "a", "forgotten after ten minutes");
}

// === Hedges ===

#[test]
fn a_slow_first_attempt_gets_company_within_its_share() {
    let mut world = World::with(Policy { hedge: HedgePolicy { share: 0.0, floor: 1 }, ..Policy::default() });
    let mut route = route(&["a", "b"]);
    route.hedge = Some(HedgeAfter::Fixed(Duration::from_secs(2)));
    let mut run = world.run(&route);
    let slow = world.asked(&mut run);
    assert_eq!(slow.hedge_after, Some(Duration::from_secs(2)));
    world.sleep(Duration::from_secs(2));
    let hedge = world.router.hedge(&mut run, world.now, &mut Draw::new(&mut || 0.5)).unwrap();
    assert_eq!((hedge.target.provider.as_str(), hedge.why), ("b", Why::Hedge));
    assert!(world.router.hedge(&mut run, world.now, &mut Draw::new(&mut || 0.5)).is_none());
    let lost = error(ErrorKind::Cancelled);
    world.end(&mut run, slow, &Ended { has_lost: true, ..bad(&lost) });
    world.succeed(&mut run, hedge);
    let told: Vec<_> = run.decision().steps.iter().map(|step| step.what).collect();
    assert_eq!(told, [What::Asked, What::Asked, What::Lost, What::Answered]);
    // The share is used up.
    let mut run = world.run(&route);
    let _slow = world.asked(&mut run);
    assert!(world.router.hedge(&mut run, world.now, &mut Draw::new(&mut || 0.5)).is_none());
}

#[test]
fn what_has_effects_is_never_hedged() {
    let mut world = World::new();
    let mut route = route(&["a", "b"]);
    route.hedge = Some(HedgeAfter::Fixed(Duration::from_secs(2)));
    let mut ask = world.ask(&route);
    ask.acts = true;
    let mut run = world.plan(ask);
    let permit = world.asked(&mut run);
    assert_eq!(permit.hedge_after, None);
    assert!(world.router.hedge(&mut run, world.now, &mut Draw::new(&mut || 0.5)).is_none());
}

// === Budgets ===

fn budget(amount: i64, then: OverBudget) -> Policy {
    let rule = BudgetRule {
        name: "daily".into(),
        scope: Scope::default(),
        amount: PicoUsd(amount),
        per: Period::Day,
        then,
        warn_at_percent: 80,
    };
    Policy { budgets: vec![rule], ..Policy::default() }
}

fn priced(world: &World, route: &Route) -> Ask {
    let mut ask = world.ask(route);
    // 100 tokens in and 100 out at 1 pico-dollar each.
    let rate = Some(MicroUsdPerMTok(1_000));
    let facts = Facts { input_price: rate, output_price: rate, ..Facts::default() };
    ask.facts = vec![facts; route.targets.len()].into();
    ask
}

#[test]
fn a_budget_is_held_back_before_and_settled_after() {
    let mut world = World::with(budget(900, OverBudget::Block));
    let route = route(&["a"]);
    let ask = priced(&world, &route);
    let (mut first, mut second, mut third) =
        (world.plan(ask.clone()), world.plan(ask.clone()), world.plan(ask.clone()));
    let one = world.asked(&mut first);
    assert_eq!(one.estimated_cost, Some(PicoUsd(200)));
    let two = world.asked(&mut second);
    // What the others hold may come back.
    world.waits(&mut third);
    world.end(&mut first, one, &Ended { cost: Some(PicoUsd(10)), ..good() });
    let three = world.asked(&mut third);
    world.end(&mut second, two, &Ended { cost: Some(PicoUsd(500)), ..good() });
    world.end(&mut third, three, &Ended { cost: Some(PicoUsd(380)), ..good() });
    let mut fourth = world.plan(ask);
    let gave_up = world.gives_up(&mut fourth);
    assert!(matches!(gave_up.why, Hopeless::Budget { ref name, .. } if name == "daily"), "{gave_up:?}");
}

#[test]
fn a_used_up_budget_sends_requests_to_the_route_it_names() {
    let mut world = World::with(budget(100, OverBudget::Downgrade("cheap".into())));
    let ask = priced(&world, &route(&["a"]));
    let planned = world.router.plan(ask, world.now, &mut Draw::new(&mut || 0.5));
    assert!(matches!(planned, Planned::Divert { ref route, .. } if route == "cheap"), "{planned:?}");
}

// === What people do by hand, and what lasts ===

#[test]
fn a_drained_target_gets_nothing_new() {
    let mut world = World::new();
    let both = route(&["a", "b"]);
    world.router.drain(&target("a"), true, world.now);
    assert_eq!(world.serve(&both).provider, "b");
    let mut run = world.run(&route(&["a"]));
    assert!(matches!(world.next(&mut run), Step::GiveUp(_)));
    world.router.drain(&target("a"), false, world.now);
    assert_eq!(world.serve(&both).provider, "a");
}

#[test]
fn pauses_and_day_quotas_outlive_a_restart() {
    let mut world = World::with(policy_with_limit("q", Counted::Requests, Window::Day, 1));
    world.serve(&route(&["q"]));
    let mut run = world.run(&route(&["a"]));
    let permit = world.asked(&mut run);
    world.fail(&mut run, permit, &limited(Some(3_600)));
    let saved = serde_json::to_string(&world.router.save(world.now)).unwrap();

    let policy = Arc::clone(world.router.policy());
    // Ten minutes later, on another clock.
    let now = Now::new(Duration::from_secs(5), world.now.unix_ms + 600_000);
    let mut later = World { router: Router::new(policy, now), now, chance: 0.5 };
    later.router.restore(serde_json::from_str(&saved).unwrap(), now);
    assert_eq!(later.serve(&route(&["a", "b"])).provider, "b");
    assert_eq!(later.serve(&route(&["q", "b"])).provider, "b");
    later.sleep(Duration::from_secs(3_001));
    assert_eq!(later.serve(&route(&["a", "b"])).provider, "a");
}

#[test]
fn a_strange_name_does_not_fill_the_memory() {
    let mut world = World::new();
    for n in 0..MOST_TARGETS * 2 {
        world.sleep(Duration::from_secs(1));
        world.serve(&route(&[&format!("a/model-{n}")]));
    }
    assert!(world.router.targets.len() <= MOST_TARGETS);
}

#[test]
fn every_strategy_serves() {
    for strategy in crate::STRATEGIES {
        let mut world = World::new();
        let route = Route { strategy: *strategy, ..route(&["a", "b", "c"]) };
        for _ in 0..20 {
            world.serve(&route);
        }
        assert_eq!(StrategyId::from_name(strategy.as_str()), Some(*strategy));
    }
}

#[test]
fn retries_stop_when_their_share_is_used_up() {
    let policy = Policy {
        retry: RetryPolicy { share: 0.0, floor: 2, ..RetryPolicy::default() },
        circuit: CircuitPolicy {
            consecutive_failures: 1_000,
            min_requests: 1_000,
            ..CircuitPolicy::default()
        },
        ..Policy::default()
    };
    let mut world = World::with(policy);
    let only = route(&["a"]);
    let mut attempts = Vec::new();
    for _ in 0..4 {
        let mut run = world.run(&only);
        loop {
            match world.next(&mut run) {
                Step::Ask(permit) => world.fail(&mut run, permit, &error(ErrorKind::ServerError)),
                Step::Wait { until } => world.sleep(until.saturating_sub(world.now.mono)),
                Step::GiveUp(_) => break,
            }
        }
        attempts.push(run.attempts());
    }
    assert_eq!(attempts, [2, 2, 1, 1]);
    assert_eq!(error(ErrorKind::ServerError).retry, Retry::SameTarget);
}

#[test]
fn an_answer_that_broke_off_goes_on_elsewhere_and_at_last_where_it_began() {
    let mut world = World::new();
    let broken = error(ErrorKind::Truncated);
    let mut run = world.run(&route(&["a", "b"]));
    let permit = world.asked(&mut run);
    world.end(&mut run, permit, &Ended { cause: Some(Cause::Broke), ..bad(&broken) });
    let permit = world.asked(&mut run);
    assert_eq!((permit.target.provider.as_str(), permit.why), ("b", Why::Continue));
    world.fail(&mut run, permit, &limited(Some(60)));
    let permit = world.asked(&mut run);
    assert_eq!(permit.target.provider, "a");
    world.succeed(&mut run, permit);
}

#[test]
fn an_answer_is_gone_on_with_three_times_at_most() {
    let mut world = World::new();
    let broken = error(ErrorKind::Truncated);
    let mut run = world.run(&route(&["a"]));
    for _ in 0..4 {
        let permit = world.asked(&mut run);
        world.end(&mut run, permit, &Ended { cause: Some(Cause::Broke), ..bad(&broken) });
    }
    assert_eq!(world.gives_up(&mut run).why, Hopeless::Failed);
}
