use super::*;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use std::time::Duration;

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn unix(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn now(text: &str) -> Now {
    Now::new(Duration::ZERO, unix(text))
}

fn usd(text: &str) -> PicoUsd {
    PicoUsd::from_decimal_usd(text).unwrap()
}

fn rule(name: &str, amount: &str, then: OverBudget) -> BudgetRule {
    BudgetRule {
        name: name.into(),
        scope: Scope::default(),
        amount: usd(amount),
        per: Period::Day,
        then,
        warn_at_percent: 80,
    }
}

const NOON: &str = "2026-03-11T12:00:00Z";
const ANYBODY: Who<'static> = Who { client: Some("codex"), model: "m", provider: "p", route: Some("r") };

fn budgets(rules: &[BudgetRule]) -> Budgets {
    let mut budgets = Budgets::default();
    budgets.set(rules, &TimeZone::UTC, now(NOON));
    budgets
}

fn spend(budgets: &mut Budgets, amount: &str) {
    let hold = budgets.reserve(&ANYBODY, Some(usd(amount)), now(NOON)).unwrap();
    budgets.settle(hold, Some(usd(amount)), now(NOON));
}

#[test]
fn what_is_reserved_is_settled_with_what_it_cost() {
    let mut budgets = budgets(&[rule("daily", "10", OverBudget::Block)]);
    let hold = budgets.reserve(&ANYBODY, Some(usd("2")), now(NOON)).unwrap();
    let view = budgets.view(now(NOON));
    assert_eq!((view[0].spent, view[0].reserved), (PicoUsd::ZERO, usd("2")));
    budgets.settle(hold, Some(usd("0.5")), now(NOON));
    let hold = budgets.reserve(&ANYBODY, Some(usd("1")), now(NOON)).unwrap();
    budgets.settle(hold, None, now(NOON));
    let view = &budgets.view(now(NOON))[0];
    assert_eq!((view.spent, view.reserved, view.unknown), (usd("1.5"), PicoUsd::ZERO, 1));
    assert_eq!(view.state, BudgetState::Fine);
    assert_eq!(view.resets_at_ms, unix("2026-03-12T00:00:00Z"));
}

#[test]
fn each_rule_says_what_follows_when_it_is_used_up() {
    let downgrade = OverBudget::Downgrade("cheap".into());
    for (then, expected) in [
        (OverBudget::Warn, Standing::Warned(vec!["daily".into()])),
        (downgrade.clone(), Standing::Downgrade { budget: "daily".into(), route: "cheap".into() }),
        (
            OverBudget::Block,
            Standing::Blocked {
                budget: "daily".into(),
                resets_at_ms: unix("2026-03-12T00:00:00Z"),
                is_held: false,
            },
        ),
    ] {
        let mut budgets = budgets(&[rule("daily", "10", then)]);
        assert_eq!(budgets.check(&ANYBODY, Some(usd("7.9")), now(NOON)), Standing::Fine);
        assert_eq!(
            budgets.check(&ANYBODY, Some(usd("8")), now(NOON)),
            Standing::Warned(vec!["daily".into()])
        );
        spend(&mut budgets, "9.5");
        assert_eq!(budgets.check(&ANYBODY, Some(usd("0.6")), now(NOON)), expected);
        // What is free passes always.
        assert_eq!(budgets.check(&ANYBODY, Some(PicoUsd::ZERO), now(NOON)), Standing::Fine);
        let hold = budgets.reserve(&ANYBODY, Some(PicoUsd::ZERO), now(NOON)).unwrap();
        budgets.settle(hold, Some(PicoUsd::ZERO), now(NOON));
    }
    // Who is on the cheaper route already goes on.
    let mut budgets = budgets(&[rule("daily", "1", downgrade)]);
    spend(&mut budgets, "1");
    let on_cheap = Who { route: Some("cheap"), ..ANYBODY };
    assert_eq!(budgets.check(&on_cheap, Some(usd("1")), now(NOON)), Standing::Warned(vec!["daily".into()]));
}

#[test]
fn the_worst_of_several_budgets_counts_and_none_is_reserved_then() {
    let mut warn = rule("warn", "1", OverBudget::Warn);
    warn.per = Period::Month;
    let mut monthly = rule("monthly", "2", OverBudget::Block);
    monthly.per = Period::Month;
    let mut budgets = budgets(&[
        warn,
        rule("daily", "2", OverBudget::Block),
        monthly,
        rule("down", "1", OverBudget::Downgrade("cheap".into())),
    ]);
    let hold = budgets.reserve(&Who { route: Some("cheap"), ..ANYBODY }, Some(usd("2")), now(NOON)).unwrap();
    budgets.settle(hold, Some(usd("2")), now(NOON));
    let before = budgets.view(now(NOON));
    let refused = budgets.reserve(&ANYBODY, Some(usd("1")), now(NOON)).unwrap_err();
    assert_eq!(
        refused,
        Standing::Blocked {
            budget: "monthly".into(),
            resets_at_ms: unix("2026-04-01T00:00:00Z"),
            is_held: false
        }
    );
    assert_eq!(budgets.view(now(NOON)), before);
}

#[test]
fn a_budget_is_for_those_it_names() {
    let scope = |client: &str, model: &str| Scope {
        client: Some(client.into()),
        model: Some(model.into()),
        ..Scope::default()
    };
    for (scope, who, is_meant) in [
        (Scope::default(), Who::default(), true),
        (scope("codex*", "*"), ANYBODY, true),
        (scope("codex*", "*"), Who { client: None, ..ANYBODY }, false),
        (scope("*", "gpt-*"), ANYBODY, false),
        (Scope { provider: Some("p".into()), ..Scope::default() }, ANYBODY, true),
        (Scope { route: Some("other".into()), ..Scope::default() }, ANYBODY, false),
        (Scope { route: Some("*".into()), ..Scope::default() }, Who { route: None, ..ANYBODY }, false),
    ] {
        let mut budgets =
            budgets(&[BudgetRule { scope: scope.clone(), ..rule("b", "1", OverBudget::Block) }]);
        let is_blocked = matches!(budgets.check(&who, Some(usd("2")), now(NOON)), Standing::Blocked { .. });
        assert_eq!(is_blocked, is_meant, "{scope:?} {who:?}");
    }
}

#[test]
fn what_has_no_price_passes_until_the_budget_is_used_up_and_is_counted() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    let hold = budgets.reserve(&ANYBODY, None, now(NOON)).unwrap();
    budgets.settle(hold, None, now(NOON));
    let hold = budgets.reserve(&ANYBODY, None, now(NOON)).unwrap();
    budgets.settle(hold, Some(usd("1")), now(NOON));
    let view = &budgets.view(now(NOON))[0];
    assert_eq!((view.spent, view.unknown, view.state), (usd("1"), 1, BudgetState::UsedUp));
    assert!(matches!(budgets.reserve(&ANYBODY, None, now(NOON)), Err(Standing::Blocked { .. })));
}

#[test]
fn the_last_of_a_budget_is_given_to_one_at_a_time() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    let first = budgets.reserve(&ANYBODY, Some(usd("0.4")), now(NOON)).unwrap();
    let held = budgets.reserve(&ANYBODY, Some(usd("0.4")), now(NOON)).unwrap_err();
    assert!(matches!(held, Standing::Blocked { is_held: true, .. }), "{held:?}");
    let never = budgets.reserve(&ANYBODY, Some(usd("1.1")), now(NOON)).unwrap_err();
    assert!(matches!(never, Standing::Blocked { is_held: false, .. }), "{never:?}");
    budgets.settle(first, Some(usd("0.5")), now(NOON));
    let second = budgets.reserve(&ANYBODY, Some(usd("0.4")), now(NOON)).unwrap();
    budgets.settle(second, Some(usd("0.4")), now(NOON));
}

#[test]
fn a_new_period_begins_with_nothing_spent_and_a_late_cost_belongs_to_the_old_one() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    let hold = budgets.reserve(&ANYBODY, Some(usd("0.8")), now("2026-03-11T23:59:59Z")).unwrap();
    let midnight = now("2026-03-12T00:00:00Z");
    assert_eq!(budgets.check(&ANYBODY, Some(usd("0.7")), midnight), Standing::Fine);
    budgets.settle(hold, Some(usd("0.9")), midnight);
    let view = &budgets.view(midnight)[0];
    assert_eq!((view.spent, view.reserved), (PicoUsd::ZERO, PicoUsd::ZERO));
}

#[test]
fn new_rules_keep_what_is_spent_by_name() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    let hold = budgets.reserve(&ANYBODY, Some(usd("0.5")), now(NOON)).unwrap();
    let rules = [rule("other", "9", OverBudget::Warn), rule("daily", "3", OverBudget::Block)];
    budgets.set(&rules, &TimeZone::UTC, now(NOON));
    budgets.settle(hold, Some(usd("0.5")), now(NOON));
    let spent: Vec<_> = budgets.view(now(NOON)).iter().map(|view| view.spent).collect();
    assert_eq!(spent, [PicoUsd::ZERO, usd("0.5")]);
    // A rule that is gone takes its holds with it.
    let hold = budgets.reserve(&ANYBODY, Some(usd("0.5")), now(NOON)).unwrap();
    budgets.set(&[], &TimeZone::UTC, now(NOON));
    budgets.settle(hold, Some(usd("0.5")), now(NOON));
    assert_eq!(budgets.view(now(NOON)), []);
}

#[test]
fn a_zone_that_changes_moves_the_period() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    spend(&mut budgets, "0.5");
    budgets.set(&[rule("daily", "1", OverBudget::Block)], &zone("Asia/Kathmandu"), now(NOON));
    let view = &budgets.view(now(NOON))[0];
    assert_eq!(view.began_at_ms, unix("2026-03-10T18:15:00Z"));
    assert_eq!((view.resets_at_ms, view.spent), (unix("2026-03-11T18:15:00Z"), usd("0.5")));
}

#[test]
fn the_books_tell_what_was_spent_before_the_start() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    budgets.seed("daily", usd("0.9"), now(NOON));
    budgets.seed("nobody", usd("0.9"), now(NOON));
    assert!(matches!(budgets.check(&ANYBODY, Some(usd("0.2")), now(NOON)), Standing::Blocked { .. }));
}

#[test]
fn a_wall_clock_that_is_set_back_gives_nothing_back() {
    let mut budgets = budgets(&[rule("daily", "1", OverBudget::Block)]);
    let next_day = now("2026-03-12T00:00:01Z");
    let hold = budgets.reserve(&ANYBODY, Some(usd("0.9")), next_day).unwrap();
    budgets.settle(hold, Some(usd("0.9")), next_day);
    // By seconds over midnight: it is still the new day.
    let view = &budgets.view(now("2026-03-11T23:59:59Z"))[0];
    assert_eq!((view.spent, view.resets_at_ms), (usd("0.9"), unix("2026-03-13T00:00:00Z")));
    // By years: the day that it is now, and what was spent stays.
    let view = &budgets.view(now("2020-01-01T05:00:00Z"))[0];
    assert_eq!((view.spent, view.resets_at_ms), (usd("0.9"), unix("2020-01-02T00:00:00Z")));
    let view = &budgets.view(now("2020-01-02T00:00:00Z"))[0];
    assert_eq!(view.spent, PicoUsd::ZERO);
}

// === Periods ===

#[test]
fn periods_begin_by_the_calendar_of_the_zone() {
    let (berlin, howe, kathmandu, havana) =
        (zone("Europe/Berlin"), zone("Australia/Lord_Howe"), zone("Asia/Kathmandu"), zone("America/Havana"));
    let cairo = zone("Africa/Cairo");
    for (what, period, zone, at, start, end) in [
        ("a day", Period::Day, &berlin, "2026-03-11T12:00Z", "2026-03-10T23:00Z", "2026-03-11T23:00Z"),
        ("23 hours", Period::Day, &berlin, "2026-03-29T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("25 hours", Period::Day, &berlin, "2026-10-25T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("its week", Period::Week, &berlin, "2026-03-29T12:00Z", "2026-03-22T23:00Z", "2026-03-29T22:00Z"),
        ("a Monday", Period::Week, &berlin, "2026-03-29T22:00Z", "2026-03-29T22:00Z", "2026-04-05T22:00Z"),
        ("its month", Period::Month, &berlin, "2026-03-29T12:00Z", "2026-02-28T23:00Z", "2026-03-31T22:00Z"),
        ("leap year", Period::Month, &berlin, "2028-02-29T22:59Z", "2028-01-31T23:00Z", "2028-02-29T23:00Z"),
        ("year's end", Period::Month, &berlin, "2026-12-31T22:59Z", "2026-11-30T23:00Z", "2026-12-31T23:00Z"),
        ("skipped", Period::Hour, &berlin, "2026-03-29T00:59Z", "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        ("after it", Period::Hour, &berlin, "2026-03-29T01:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
        ("02 once", Period::Hour, &berlin, "2026-10-25T00:30Z", "2026-10-25T00:00Z", "2026-10-25T01:00Z"),
        ("02 twice", Period::Hour, &berlin, "2026-10-25T01:30Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"),
        // Half an hour: 02:00 becomes 02:30 in October and 01:30 in April.
        ("howe +", Period::Day, &howe, "2026-10-03T20:00Z", "2026-10-03T13:30Z", "2026-10-04T13:00Z"),
        ("howe -", Period::Day, &howe, "2026-04-04T20:00Z", "2026-04-04T13:00Z", "2026-04-05T13:30Z"),
        ("30 min", Period::Hour, &howe, "2026-10-03T15:30Z", "2026-10-03T15:30Z", "2026-10-03T16:00Z"),
        ("90 min", Period::Hour, &howe, "2026-04-04T15:15Z", "2026-04-04T14:00Z", "2026-04-04T15:30Z"),
        ("+05:45", Period::Hour, &kathmandu, "2026-03-11T12:00Z", "2026-03-11T11:15Z", "2026-03-11T12:15Z"),
        ("+05:45", Period::Day, &kathmandu, "2026-03-11T19:00Z", "2026-03-11T18:15Z", "2026-03-12T18:15Z"),
        // Midnight does not exist, or exists twice.
        ("none", Period::Day, &cairo, "2026-04-23T23:00Z", "2026-04-23T22:00Z", "2026-04-24T21:00Z"),
        ("twice", Period::Day, &havana, "2026-11-01T05:30Z", "2026-11-01T04:00Z", "2026-11-02T05:00Z"),
    ] {
        let (at, start, end) = (unix(at), unix(start), unix(end));
        assert_eq!(period_start(period, zone, at), start, "{what}: start");
        assert_eq!(period_end(period, zone, at), end, "{what}: end");
    }
}

#[test]
fn the_ends_of_time_have_a_period_too() {
    for at in [i64::MIN, i64::MAX, -377_705_000_000_000, 253_402_000_000_000] {
        for period in [Period::Hour, Period::Day, Period::Week, Period::Month] {
            let (start, end) = period::bounds(period, &zone("Europe/Berlin"), at);
            assert!(start < end, "{at} {period:?}");
        }
    }
}

fn periods() -> impl proptest::strategy::Strategy<Value = (Period, &'static str)> {
    let zones = [
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Havana",
        "Africa/Cairo",
        "UTC",
        "Pacific/Apia",
        "America/St_Johns",
        "Asia/Tehran",
    ];
    (
        prop::sample::select(vec![Period::Hour, Period::Day, Period::Week, Period::Month]),
        prop::sample::select(zones.to_vec()),
    )
}

/// From 1990 to 2050.
const YEARS: std::ops::Range<i64> = 631_152_000_000..2_524_608_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// Each moment lies in exactly one period.
    #[test]
    fn periods_have_neither_gaps_nor_overlaps((period, name) in periods(), at in YEARS) {
        let zone = zone(name);
        let (start, end) = period::bounds(period, &zone, at);
        prop_assert!(start <= at && at < end);
        prop_assert_eq!(period::bounds(period, &zone, start), (start, end));
        prop_assert_eq!(period::bounds(period, &zone, end - 1), (start, end));
        prop_assert_eq!(period_start(period, &zone, end), end);
        prop_assert_eq!(period_end(period, &zone, start - 1), start);
    }
}

proptest! {
    /// However many are under way: the sum stays within the amount, but for what one of them cost
    /// beyond its estimate. (None costs more than twice its estimate.)
    #[test]
    fn a_budget_is_overshot_by_one_estimates_error_at_most(
        requests in prop::collection::vec((1..5_000_i64, 0..=200_i64, 0..12_usize), 1..200),
        amount in 10_000..60_000_i64,
        at_once in 1..12_usize,
    ) {
        let amount_rule = BudgetRule { amount: PicoUsd(amount), ..rule("b", "1", OverBudget::Block) };
        let mut budgets = budgets(&[amount_rule]);
        let mut under_way: Vec<(BudgetHold, i64)> = Vec::new();
        let (mut spent, mut largest_error) = (0, 0);
        let mut end = |budgets: &mut Budgets, (hold, cost): (BudgetHold, i64)| {
            spent += cost;
            budgets.settle(hold, Some(PicoUsd(cost)), now(NOON));
            spent
        };
        for (estimate, percent, pick) in requests {
            let cost = estimate * percent / 100;
            if let Ok(hold) = budgets.reserve(&ANYBODY, Some(PicoUsd(estimate)), now(NOON)) {
                largest_error = largest_error.max(cost - estimate);
                under_way.push((hold, cost));
            }
            if under_way.len() >= at_once {
                let next = under_way.swap_remove(pick % under_way.len());
                end(&mut budgets, next);
            }
        }
        for next in under_way {
            end(&mut budgets, next);
        }
        let total = end(&mut budgets, (BudgetHold::default(), 0));
        prop_assert!(total <= amount + largest_error, "{total} of {amount}, error {largest_error}");
        prop_assert_eq!(budgets.view(now(NOON))[0].spent, PicoUsd(total));
        prop_assert_eq!(budgets.view(now(NOON))[0].reserved, PicoUsd::ZERO);
    }

    /// A budget is of use: requests that are asked one after another pass while it lasts.
    #[test]
    fn one_after_another_a_budget_is_spent_to_its_last_estimate(
        costs in prop::collection::vec(1..5_000_i64, 1..100),
        amount in 10_000..60_000_i64,
    ) {
        let amount_rule = BudgetRule { amount: PicoUsd(amount), ..rule("b", "1", OverBudget::Block) };
        let mut budgets = budgets(&[amount_rule]);
        let mut left = amount;
        for cost in costs {
            let hold = budgets.reserve(&ANYBODY, Some(PicoUsd(cost)), now(NOON));
            prop_assert_eq!(hold.is_ok(), cost <= left);
            if let Ok(hold) = hold {
                left -= cost;
                budgets.settle(hold, Some(PicoUsd(cost)), now(NOON));
            }
        }
    }
}
