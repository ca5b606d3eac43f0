use canonical::error::Origin;
use canonical::{ErrorKind, FinishReason, PicoUsd};
use serde_json::json;

use super::*;
use crate::testing::{Book, Exchange, NOON, attempt, attempt_id, request, usage};
use crate::{AttemptEnded, Cost, Record, RequestSettled};

const MINUTE: i64 = 60_000;

fn only(book: &Book) -> TargetHealth {
    let mut health = book.ledger.health(NOON, 10 * MINUTE, 10).unwrap();
    assert_eq!(health.len(), 1);
    health.remove(0)
}

#[test]
fn every_field_of_a_request_comes_back_as_it_was_written() {
    let book = Book::new();
    book.write(Record::RequestStarted(crate::RequestStarted {
        route: Some("fast".to_owned()),
        chat_id: Some("chat".to_owned()),
        message_id: Some("message".to_owned()),
        ..request("r", NOON)
    }));
    book.write(Record::AttemptStarted(attempt("r", 0, "acme", "large", NOON)));
    book.write(Record::AttemptEnded(AttemptEnded {
        error_kind: Some(ErrorKind::RateLimited),
        error_origin: Some(Origin::Provider),
        http_status: Some(429),
        reason: Some("first".to_owned()),
        error_message: Some("acme asks to wait".to_owned()),
        provider_request_id: Some("req_1".to_owned()),
        error_body: Some("{\"error\":\"slow down\"}".to_owned()),
        notes: vec!["dropped:seed".to_owned()],
        passed_over: crate::PassedOver { unknown: 2, malformed: 1 },
        ..AttemptEnded::new(attempt_id("r", 0), Outcome::Failed, 40)
    }));
    let mut second = attempt("r", 1, "globex", "huge", NOON + 40);
    second.reason = Some("failover".to_owned());
    book.write(Record::AttemptStarted(second));
    let spent = canonical::Usage {
        cache_read_tokens: 5,
        web_searches: 2,
        service_tier: Some("flex".to_owned()),
        ..usage(30, 40)
    };
    book.write(Record::AttemptEnded(AttemptEnded {
        usage: Some(spent.clone()),
        cost: Cost::computed(PicoUsd(7)),
        time_to_first_token_ms: Some(60),
        lane: Some("verbatim".to_owned()),
        ..AttemptEnded::new(attempt_id("r", 1), Outcome::Ok, 100)
    }));
    book.write(Record::RequestSettled(RequestSettled {
        provider: Some("globex".to_owned()),
        response_model: Some("huge-2026".to_owned()),
        http_status: Some(200),
        finish_reason: Some(FinishReason::ToolCalls),
        finish_reason_raw: Some("tool_use".to_owned()),
        usage: Some(spent.clone()),
        cost: Cost::computed(PicoUsd(7)),
        reported_cost: Some(PicoUsd(8)),
        price_version: Some("2026-11".to_owned()),
        cost_lines: Some(json!([{"part": "input", "tokens": 25}])),
        time_to_first_token_ms: Some(100),
        system_fingerprint: Some("fp".to_owned()),
        ..RequestSettled::new("r", Outcome::Ok, NOON + 140, 140)
    }));
    book.settle();

    let RequestDetail { request, attempts, decision, tool_failures } =
        book.ledger.request("r").unwrap().unwrap();
    assert_eq!(
        request,
        RequestRow {
            id: "r".to_owned(),
            started_at: NOON,
            settled_at: Some(NOON + 140),
            outcome: Outcome::Ok,
            client: Some("notebook".to_owned()),
            dialect: "openai-chat".to_owned(),
            operation: Some("chat".to_owned()),
            route: Some("fast".to_owned()),
            request_model: "fast".to_owned(),
            stream: true,
            chat_id: Some("chat".to_owned()),
            message_id: Some("message".to_owned()),
            provider: Some("globex".to_owned()),
            model: Some("huge".to_owned()),
            response_model: Some("huge-2026".to_owned()),
            http_status: Some(200),
            error_kind: None,
            error_message: None,
            finish_reason: Some("tool_calls".to_owned()),
            finish_reason_raw: Some("tool_use".to_owned()),
            usage: Some(spent.clone()),
            cost_picousd: Some(7),
            cost_status: CostStatus::Computed,
            reported_cost_picousd: Some(8),
            price_version: Some("2026-11".to_owned()),
            cost_lines: Some(json!([{"part": "input", "tokens": 25}])),
            duration_ms: Some(140),
            time_to_first_token_ms: Some(100),
            system_fingerprint: Some("fp".to_owned()),
        }
    );
    assert_eq!(
        attempts[0],
        AttemptRow {
            id: attempt_id("r", 0),
            ordinal: 0,
            provider: "acme".to_owned(),
            model: "large".to_owned(),
            started_at: NOON,
            outcome: Outcome::Failed,
            error_kind: Some("rate_limited".to_owned()),
            error_origin: Some("provider".to_owned()),
            http_status: Some(429),
            reason: Some("first".to_owned()),
            error_message: Some("acme asks to wait".to_owned()),
            duration_ms: Some(40),
            time_to_first_token_ms: None,
            usage: None,
            cost_picousd: None,
            cost_status: CostStatus::Unknown,
            provider_request_id: Some("req_1".to_owned()),
            lane: None,
            error_body: Some("{\"error\":\"slow down\"}".to_owned()),
            notes: vec!["dropped:seed".to_owned()],
            unknown_frames: 2,
            malformed_frames: 1,
        }
    );
    assert_eq!((attempts[1].lane.as_deref(), attempts[1].error_body.as_deref()), (Some("verbatim"), None));
    assert_eq!(attempts[1].reason.as_deref(), Some("failover"), "a reason given at the start stays");
    assert_eq!(attempts[1].usage, Some(spent));
    assert_eq!((decision, tool_failures), (None, Vec::new()));
    assert_eq!(book.ledger.request("another").unwrap(), None);
}

#[test]
fn health_counts_the_providers_faults_and_not_the_callers() {
    let book = Book::new();
    for n in 0..6 {
        Exchange::new(&format!("ok{n}"), NOON - MINUTE, "acme/large").write_to(&book);
    }
    Exchange::new("cut", NOON - MINUTE, "acme/large").ended(Outcome::Truncated).write_to(&book);
    Exchange::new("left", NOON - MINUTE, "acme/large").ended(Outcome::Cancelled).write_to(&book);
    for (id, origin) in [("theirs", Origin::Provider), ("callers", Origin::Caller)] {
        let exchange = Exchange::new(id, NOON - 2 * MINUTE, "acme/large").ended(Outcome::Failed);
        for record in exchange.started() {
            book.write(record);
        }
        let mut end = exchange.attempt_ended();
        end.error_origin = Some(origin);
        end.error_kind = Some(ErrorKind::ServerError);
        end.error_message = Some(id.to_owned());
        book.write(Record::AttemptEnded(end));
    }
    for record in Exchange::new("running", NOON, "acme/large").started() {
        book.write(record);
    }
    book.settle();
    let health = only(&book);
    assert_eq!((health.requests, health.errors, health.truncated), (11, 2, 1));
    assert!((health.error_rate - 2.0 / 9.0).abs() < 1e-12, "{}", health.error_rate);
    assert_eq!(health.answered + health.refused + health.errors, 9);
    assert_eq!(health.last_seen_at, NOON);
    assert_eq!(health.last_error.as_ref().unwrap().at, NOON - MINUTE + 1_000, "the latest error");
    assert_eq!(health.sparkline.iter().sum::<u64>(), 11);
    assert_eq!(health.error_sparkline.iter().sum::<u64>(), 2);
}

#[test]
fn quantiles_come_from_attempts_that_ended_well() {
    let book = Book::new();
    for n in 1..=100 {
        let mut exchange = Exchange::new(&format!("r{n}"), NOON, "acme/large");
        exchange.time_to_first_token_ms = Some(n);
        exchange.duration_ms = n * 10;
        exchange.write_to(&book);
    }
    let mut slow = Exchange::new("slow", NOON, "acme/large").ended(Outcome::Failed);
    slow.duration_ms = 50_000_000;
    slow.write_to(&book);
    book.settle();
    let health = only(&book);
    assert_eq!(health.ttft_ms, Some(Quantiles { p50: 50, p95: 95, p99: 99 }));
    assert_eq!(health.duration_ms, Some(Quantiles { p50: 500, p95: 950, p99: 990 }));
}

#[test]
fn speed_is_all_output_over_all_writing_time() {
    let book = Book::new();
    for (id, output, ttft, duration) in [("a", 100, 500, 1_500), ("b", 500, 100, 2_100)] {
        let mut exchange = Exchange::new(id, NOON, "acme/large");
        exchange.usage = Some(usage(10, output));
        exchange.time_to_first_token_ms = Some(ttft);
        exchange.duration_ms = duration;
        exchange.write_to(&book);
    }
    book.settle();
    assert_eq!(only(&book).tokens_per_second, Some(200.0));
}

#[test]
fn an_answer_that_comes_in_one_burst_has_no_speed() {
    let book = Book::new();
    for id in ["a", "b", "c"] {
        let mut exchange = Exchange::new(id, NOON, "acme/large");
        exchange.usage = Some(usage(10, 50_000));
        exchange.time_to_first_token_ms = Some(400);
        exchange.duration_ms = 450;
        exchange.write_to(&book);
    }
    book.settle();
    assert_eq!(only(&book).tokens_per_second, None, "not even three bursts tell");
    assert_eq!(book.ledger.receipt("a").unwrap().unwrap().tokens_per_second(), None);
}

#[test]
fn a_target_without_an_end_has_no_rate_and_no_quantiles() {
    let book = Book::new();
    for record in Exchange::new("running", NOON, "acme/large").started() {
        book.write(record);
    }
    book.settle();
    let health = only(&book);
    assert_eq!((health.requests, health.errors), (1, 0));
    assert!(health.error_rate.abs() < f64::EPSILON);
    assert_eq!((health.ttft_ms, health.duration_ms, health.tokens_per_second), (None, None, None));
    assert_eq!(health.last_error, None);
}

#[test]
fn the_window_has_sharp_edges_and_even_buckets() {
    let book = Book::new();
    let start = NOON - 10 * MINUTE + 1;
    for (id, at) in [("before", start - 1), ("first", start), ("last", NOON), ("after", NOON + 1)] {
        Exchange::new(id, at, "acme/large").write_to(&book);
    }
    book.settle();
    assert_eq!(only(&book).sparkline, [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn targets_are_apart_by_provider_and_model() {
    let book = Book::new();
    for (id, target) in [("a", "acme/large"), ("b", "acme/small"), ("c", "globex/large")] {
        Exchange::new(id, NOON, target).write_to(&book);
    }
    book.settle();
    let targets: Vec<String> = book
        .ledger
        .health(NOON, MINUTE, 1)
        .unwrap()
        .into_iter()
        .map(|health| format!("{}/{}", health.provider, health.model))
        .collect();
    assert_eq!(targets, ["acme/large", "acme/small", "globex/large"]);
}
