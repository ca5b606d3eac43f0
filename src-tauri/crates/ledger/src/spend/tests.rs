use canonical::PicoUsd;
use proptest::prelude::*;

use super::*;
use crate::testing::{Book, Exchange, NOON, attempt, attempt_id, request, usage};
use crate::{AttemptEnded, Cost, Outcome, Record, RequestSettled};

const HOUR: i64 = 3_600_000;

fn keys(groups: &[SpendGroup]) -> Vec<(&str, i64)> {
    groups.iter().map(|group| (group.key.as_str(), group.total.cost_picousd)).collect()
}

#[test]
fn days_are_the_users_days() {
    let book = Book::new();
    // 23:30 and 00:30 in Kathmandu (UTC+5:45) around the midnight that begins the 20th there.
    let midnight = NOON - 12 * HOUR - (5 * 60 + 45) * MINUTE_MS;
    Exchange::new("late", midnight - HOUR / 2, "acme/large").cost(3).write_to(&book);
    Exchange::new("early", midnight + HOUR / 2, "acme/large").cost(5).write_to(&book);
    book.settle();
    let kathmandu = book.ledger.spend(NOON, 2, SpendBy::Provider, 5 * 60 + 45).unwrap();
    let days: Vec<_> = kathmandu.days.iter().map(|day| (day.date.as_str(), keys(&day.groups))).collect();
    assert_eq!(days, [("2026-11-19", vec![("acme", 3)]), ("2026-11-20", vec![("acme", 5)])]);
    assert_eq!(kathmandu.today.cost_picousd, 5);
    let utc = book.ledger.spend(NOON, 2, SpendBy::Provider, 0).unwrap();
    assert_eq!(keys(&utc.days[0].groups), [("acme", 8)]);
    assert_eq!(utc.today, SpendTotal::default());
}

#[test]
fn the_month_begins_on_its_first_whatever_days_are_shown() {
    let book = Book::new();
    let first = NOON - 12 * HOUR - 19 * DAY_MS;
    Exchange::new("october", first - 1, "acme/large").cost(100).write_to(&book);
    Exchange::new("november", first, "acme/large").cost(10).write_to(&book);
    Exchange::new("today", NOON, "acme/large").cost(1).write_to(&book);
    book.settle();
    for days in [1, 7, 90] {
        let summary = book.ledger.spend(NOON, days, SpendBy::Provider, 0).unwrap();
        assert_eq!((summary.today.cost_picousd, summary.month.cost_picousd), (1, 11), "{days} days");
        assert_eq!(summary.days.len(), days as usize);
    }
    let quarter = book.ledger.spend(NOON, 90, SpendBy::Provider, 0).unwrap();
    assert_eq!(keys(&quarter.totals), [("acme", 111)]);
    assert_eq!(book.ledger.spend_today(NOON, 0).unwrap(), quarter.today);
}

#[test]
fn an_unknown_cost_is_counted_and_never_summed_as_zero() {
    let book = Book::new();
    Exchange::new("known", NOON, "acme/large").cost(4).write_to(&book);
    let mut unknown = Exchange::new("unknown", NOON, "acme/large");
    unknown.cost = Cost::UNKNOWN;
    unknown.write_to(&book);
    Exchange::new("free", NOON, "acme/large").write_to(&book);
    for record in Exchange::new("running", NOON, "acme/large").started() {
        book.write(record);
    }
    book.settle();
    let summary = book.ledger.spend(NOON, 1, SpendBy::Provider, 0).unwrap();
    assert_eq!((summary.today.cost_picousd, summary.today.unknown, summary.today.requests), (4, 1, 3));
}

#[test]
fn models_stand_under_their_provider_dearest_first() {
    let book = Book::new();
    for (id, target, cost) in [("a", "acme/x", 1), ("b", "globex/x", 5), ("c", "acme/y", 3)] {
        let mut exchange = Exchange::new(id, NOON, target).cost(cost);
        exchange.usage = Some(usage(10, 2));
        exchange.write_to(&book);
    }
    book.settle();
    let summary = book.ledger.spend(NOON, 1, SpendBy::Model, 0).unwrap();
    assert_eq!(keys(&summary.totals), [("globex/x", 5), ("acme/y", 3), ("acme/x", 1)]);
    assert_eq!(summary.totals[0].model.as_deref(), Some("x"));
    assert_eq!((summary.today.input_tokens, summary.today.output_tokens), (30, 6));
    let by_provider = book.ledger.spend(NOON, 1, SpendBy::Provider, 0).unwrap();
    assert_eq!(keys(&by_provider.totals), [("globex", 5), ("acme", 4)]);
}

/// A request that `acme/large` failed after charging `failed`, and `globex/huge` then served.
fn failed_over(book: &Book, id: &str, failed: i64, served: i64) {
    book.write(Record::RequestStarted(request(id, NOON)));
    book.write(Record::AttemptStarted(attempt(id, 0, "acme", "large", NOON)));
    book.write(Record::AttemptEnded(AttemptEnded {
        cost: Cost::estimated(PicoUsd(failed)),
        ..AttemptEnded::new(attempt_id(id, 0), Outcome::Truncated, 10)
    }));
    book.write(Record::AttemptStarted(attempt(id, 1, "globex", "huge", NOON + 10)));
    book.write(Record::AttemptEnded(AttemptEnded {
        cost: Cost::computed(PicoUsd(served)),
        ..AttemptEnded::new(attempt_id(id, 1), Outcome::Ok, 10)
    }));
    book.write(Record::RequestSettled(RequestSettled {
        cost: Cost::computed(PicoUsd(failed + served)),
        ..RequestSettled::new(id, Outcome::Ok, NOON + 20, 20)
    }));
}

#[test]
fn what_a_failed_attempt_cost_stands_under_the_target_that_charged_it() {
    let book = Book::new();
    failed_over(&book, "r", 30, 12);
    book.settle();
    let summary = book.ledger.spend(NOON, 1, SpendBy::Model, 0).unwrap();
    assert_eq!(keys(&summary.totals), [("acme/large", 30), ("globex/huge", 12)]);
    assert_eq!(summary.today.cost_picousd, 42);
    assert_eq!(summary.today.requests, 1, "two attempts are one request");
}

#[test]
fn charges_are_told_by_everything_that_a_budget_may_be_for() {
    let book = Book::new();
    Exchange::new("early", NOON - 1, "acme/large").cost(100).write_to(&book);
    Exchange::new("one", NOON, "acme/large").cost(3).write_to(&book);
    Exchange::new("two", NOON, "acme/large").cost(4).write_to(&book);
    Exchange::new("free", NOON, "acme/tiny").write_to(&book);
    let mut unknown = Exchange::new("unknown", NOON, "acme/tiny");
    unknown.cost = Cost::UNKNOWN;
    unknown.write_to(&book);
    failed_over(&book, "r", 30, 12);
    let mut routed = request("routed", NOON);
    (routed.client, routed.route) = (None, Some("deep".to_owned()));
    book.write(Record::RequestStarted(routed));
    book.write(Record::AttemptStarted(attempt("routed", 0, "acme", "large", NOON)));
    book.write(Record::AttemptEnded(AttemptEnded {
        cost: Cost::computed(PicoUsd(7)),
        ..AttemptEnded::new(attempt_id("routed", 0), Outcome::Ok, 10)
    }));
    book.settle();
    let charge = |client: Option<&str>, route: &str, target: (&str, &str), cost_picousd| Charge {
        client: client.map(str::to_owned),
        route: route.to_owned(),
        provider: target.0.to_owned(),
        model: target.1.to_owned(),
        cost_picousd,
    };
    assert_eq!(
        book.ledger.charges_since(NOON).unwrap(),
        [
            // It is not settled yet, and charged already.
            charge(None, "deep", ("acme", "large"), 7),
            charge(Some("notebook"), "fast", ("acme", "large"), 37),
            charge(Some("notebook"), "fast", ("globex", "huge"), 12),
        ]
    );
}

#[test]
fn a_request_that_reached_nobody_has_an_empty_key() {
    let book = Book::new();
    book.write(Record::RequestStarted(request("r", NOON)));
    book.write(Record::RequestSettled(RequestSettled {
        cost: Cost::FREE,
        ..RequestSettled::new("r", Outcome::Failed, NOON, 1)
    }));
    book.settle();
    for by in [SpendBy::Provider, SpendBy::Model] {
        let summary = book.ledger.spend(NOON, 1, by, 0).unwrap();
        assert_eq!(keys(&summary.totals), [("", 0)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However costs are spread over targets, days, failures and unknowns, every view sums to the same.
    #[test]
    fn groups_sum_to_the_total(
        rows in proptest::collection::vec((0..40 * DAY_MS, 0..3_u8, proptest::option::of(0..1_000_000_i64)), 0..40),
        failovers in proptest::collection::vec((0..1_000_i64, 0..1_000_i64), 0..5),
        offset in -14 * 60..=14 * 60_i32,
    ) {
        let book = Book::new();
        let mut expected = (0, 0);
        for (n, (age, target, cost)) in rows.iter().enumerate() {
            let mut exchange = Exchange::new(&format!("r{n}"), NOON - age, ["a/x", "a/y", "b/x"][usize::from(*target)]);
            exchange.cost = cost.map_or(Cost::UNKNOWN, |cost| Cost::computed(PicoUsd(cost)));
            exchange.write_to(&book);
            expected.0 += cost.unwrap_or(0);
            expected.1 += u64::from(cost.is_none());
        }
        for (n, (failed, served)) in failovers.iter().enumerate() {
            failed_over(&book, &format!("f{n}"), *failed, *served);
            expected.0 += failed + served;
        }
        book.settle();
        for by in [SpendBy::Provider, SpendBy::Model] {
            let summary = book.ledger.spend(NOON, 60, by, offset).unwrap();
            let total = |groups: &[SpendGroup]| groups.iter().fold((0, 0), |sum, group| {
                (sum.0 + group.total.cost_picousd, sum.1 + group.total.unknown)
            });
            prop_assert_eq!(total(&summary.totals), expected);
            let by_day = summary.days.iter().map(|day| total(&day.groups));
            prop_assert_eq!(by_day.fold((0, 0), |sum, day| (sum.0 + day.0, sum.1 + day.1)), expected);
        }
    }
}
