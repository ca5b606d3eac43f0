//! What holds for every request under every sequence of failures, limits, budgets and departures:
//! the real router, driven by thousands of small random worlds (see [`world`], which checks most of
//! it at every step).

mod world;

use std::time::Duration;

use canonical::PicoUsd;
use proptest::prelude::*;
use routing::policy::{
    BudgetRule, Counted, HedgeAfter, HedgePolicy, LimitRule, OverBudget, Period, Policy, Scope, Sticky,
    Window,
};
use routing::{Route, STRATEGIES, StrategyId, Target};
use world::{Deed, Mode, Scenario, Script, Wish, World};

fn target(index: usize) -> Target {
    // Two models of the first provider, one of each other.
    Target { provider: format!("p{}", index.saturating_sub(1)), model: format!("m{index}") }
}

fn route(count: usize, strategy: StrategyId) -> Route {
    Route { strategy, ..Route::new("r", (0..count).map(target)) }
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        6 => (5..3_000_u64).prop_map(Mode::Well),
        2 => Just(Mode::Down),
        1 => Just(Mode::Stalled),
        2 => prop::option::of(0..40_u64).prop_map(Mode::Refusing),
        // Years, as some header once said.
        1 => Just(Mode::Refusing(Some(400_000_000))),
        2 => (1..99_u8).prop_map(Mode::Flaky),
        1 => Just(Mode::BadKey),
        1 => Just(Mode::Unreachable),
        1 => Just(Mode::Breaking),
        1 => Just(Mode::TooLong),
        1 => Just(Mode::Overloaded),
    ]
}

/// Modes from which another target saves the request.
fn any_mode_before_content() -> impl Strategy<Value = Mode> {
    any_mode().prop_filter("breaks after the client has seen content", |mode| *mode != Mode::Breaking)
}

fn script(mode: impl Strategy<Value = Mode>) -> impl Strategy<Value = Script> {
    prop::collection::vec((500..60_000_u64, mode), 1..6).prop_map(|parts| {
        let mut until = 0;
        parts
            .into_iter()
            .map(|(length, mode)| {
                until += length;
                (until, mode)
            })
            .collect()
    })
}

fn wishes(count: std::ops::Range<usize>, gap_ms: u64) -> impl Strategy<Value = Vec<Wish>> {
    let wish = (
        0..gap_ms,
        1..400_u64,
        1..400_u64,
        prop::option::weighted(0.1, 0..9_000_u64),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(wish, count).prop_map(|parts| {
        let mut at_ms = 0;
        let wish = |(gap, input, output, leaves_after_ms, acts)| {
            at_ms += gap;
            Wish { at_ms, input, output, leaves_after_ms, acts }
        };
        parts.into_iter().map(wish).collect()
    })
}

fn limits(targets: usize) -> impl Strategy<Value = Vec<LimitRule>> {
    let counted = prop::sample::select(vec![
        Counted::Requests,
        Counted::Tokens,
        Counted::InputTokens,
        Counted::OutputTokens,
        Counted::Concurrency,
    ]);
    let window = prop::sample::select(vec![Window::Second, Window::Minute, Window::Hour]);
    let rule = (0..targets, any::<bool>(), counted, window, 1..30_u64);
    prop::collection::vec(rule, 0..5).prop_map(|rules| {
        rules
            .into_iter()
            .map(|(at, of_model, counted, window, most)| {
                let target = target(at);
                let is_of_tokens = !matches!(counted, Counted::Requests | Counted::Concurrency);
                LimitRule {
                    provider: target.provider,
                    model: of_model.then_some(target.model),
                    counted,
                    window: if counted == Counted::Concurrency { Window::Now } else { window },
                    most: if is_of_tokens { most * 200 } else { most },
                }
            })
            .collect()
    })
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        Just(Deed::SavesSettings),
        (0..6_usize).prop_map(Deed::ChangesKey),
        (0..6_usize, any::<bool>()).prop_map(|(index, is_drained)| Deed::Drains(index, is_drained)),
    ]
}

fn hedge() -> impl Strategy<Value = Option<HedgeAfter>> {
    prop_oneof![
        Just(None),
        Just(Some(HedgeAfter::P95)),
        (0..2_000_u64).prop_map(|ms| Some(HedgeAfter::Fixed(Duration::from_millis(ms)))),
        (0.0..1.0_f64).prop_map(|share| Some(HedgeAfter::Share(share))),
    ]
}

prop_compose! {
    /// Anything at all.
    fn anything()(targets in 1..6_usize)(
        scripts in prop::collection::vec(script(any_mode()), targets),
        limits in limits(targets),
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        hedge in hedge(),
        hedge_share in 0.0..0.6_f64,
        is_sticky in any::<bool>(),
        wishes in wishes(1..60, 1_500),
        price in prop_oneof![Just(0), 1..50_i64],
        budget in prop::option::of(1_000..200_000_i64),
        headers in prop_oneof![Just(0), 0..60_u8],
        deadline_s in 1..120_u64,
        deeds in prop::collection::vec((0..60_000_u64, any_deed()), 0..6),
        seed in any::<u64>(),
    ) -> Scenario {
        let budgets = budget.into_iter().map(|amount| BudgetRule {
            name: "all".into(),
            scope: Scope::default(),
            amount: PicoUsd(amount),
            per: Period::Month,
            then: OverBudget::Block,
            warn_at_percent: 80,
        });
        let policy = Policy {
            limits,
            budgets: budgets.collect(),
            hedge: HedgePolicy { share: hedge_share, ..HedgePolicy::default() },
            ..Policy::default()
        };
        let sticky = is_sticky.then_some(Sticky { idle: Duration::from_secs(60) });
        let route = Route { hedge, sticky, ..route(scripts.len(), strategy) };
        Scenario { policy, route, scripts, wishes, deeds, price, headers, deadline_s, seed }
    }
}

prop_compose! {
    /// One target works, whatever the others do, and nothing limits it.
    fn one_is_well()(targets in 2..6_usize)(
        scripts in prop::collection::vec(script(any_mode_before_content()), targets),
        well in 0..targets,
        well_ms in 5..2_000_u64,
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        hedge in hedge(),
        mut wishes in wishes(1..60, 1_000),
        seed in any::<u64>(),
    ) -> Scenario {
        let mut scripts = scripts;
        scripts[well] = vec![(0, Mode::Well(well_ms))];
        // What acts is not repeated.
        for wish in &mut wishes {
            wish.acts = false;
        }
        // A key that is refused is refused for all its models.
        let mut route = Route { hedge, ..route(scripts.len(), strategy) };
        route.targets[well].target.provider = "well".into();
        Scenario {
            policy: Policy::default(), route, scripts, wishes, deeds: Vec::new(), price: 1, headers: 0, deadline_s: 600, seed,
        }
    }
}

prop_compose! {
    /// All are down for so many milliseconds, and then all work.
    fn all_down()(targets in 1..5_usize)(
        until_ms in 3_000..50_000_u64,
        modes in prop::collection::vec(
            prop_oneof![Just(Mode::Down), Just(Mode::Unreachable), Just(Mode::Overloaded), Just(Mode::Flaky(100))],
            targets,
        ),
        well_ms in 5..200_u64,
        strategy in prop::sample::select(STRATEGIES.to_vec()),
        gap_ms in 50..900_u64,
        seed in any::<u64>(),
    ) -> (u64, Scenario) {
        let scripts: Vec<Script> =
            modes.iter().map(|mode| vec![(until_ms, *mode), (u64::MAX, Mode::Well(well_ms))]).collect();
        let wishes = (0..(until_ms + 10_000) / gap_ms).map(|index| Wish {
            at_ms: index * gap_ms, input: 10, output: 10, leaves_after_ms: None, acts: false,
        });
        let scenario = Scenario {
            policy: Policy::default(),
            route: route(scripts.len(), strategy),
            scripts,
            wishes: wishes.collect(),
            deeds: Vec::new(),
            price: 1,
            headers: 0,
            deadline_s: 60,
            seed,
        };
        (until_ms, scenario)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No request is both answered and failed, none begins twice, an open circuit gets nothing but
    /// its probe, limits and budgets hold, repeats stay within their shares, and everything that was
    /// held comes back.
    #[test]
    fn every_world_keeps_the_laws(scenario in anything()) {
        World::run(&scenario).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn with_one_target_that_works_every_request_is_answered(scenario in one_is_well()) {
        let seen = World::run(&scenario).map_err(TestCaseError::fail)?;
        for ending in seen.endings.iter().filter(|ending| !ending.has_left) {
            prop_assert!(ending.is_answered, "{}", ending.story);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A second is the interval of probes where everything is closed. After one of them everybody is
    /// answered, those who were waiting too.
    #[test]
    fn when_all_were_down_one_probe_interval_brings_them_back((until_ms, scenario) in all_down()) {
        let seen = World::run(&scenario).map_err(TestCaseError::fail)?;
        // The next request after the interval probes; its answer takes 200 ms to begin at most.
        let gap = scenario.wishes[1].at_ms;
        let back = until_ms + 1_000 + gap + 300;
        for ending in seen.endings.iter().filter(|ending| ending.ended_ms > back) {
            prop_assert!(ending.is_answered, "{ending:?}");
        }
    }
}
