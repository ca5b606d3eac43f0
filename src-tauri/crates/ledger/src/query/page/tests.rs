use canonical::{ErrorKind, PicoUsd};

use super::*;
use crate::testing::{Book, Exchange, NOON, attempt, attempt_id, request, usage};
use crate::{AttemptEnded, Cost, Decided, Record, RequestSettled, RequestStarted};

fn ids(page: &RequestPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.id.as_str()).collect()
}

fn found(book: &Book, filter: &RequestFilter) -> Vec<String> {
    let page = book.ledger.requests(filter, None, 100).unwrap();
    assert_eq!(page.rows.len() as u64, book.ledger.request_totals(filter).unwrap().requests);
    page.rows.into_iter().map(|row| row.id).collect()
}

fn term(field: Field, value: &str) -> RequestFilter {
    RequestFilter {
        terms: vec![Term { field, value: value.to_owned(), is_not: false }],
        ..Default::default()
    }
}

fn not(field: Field, value: &str) -> RequestFilter {
    RequestFilter { terms: vec![Term { field, value: value.to_owned(), is_not: true }], ..Default::default() }
}

/// Three requests: one plain, one that was switched, one of the chat window that failed.
fn filled() -> Book {
    let book = Book::new();
    let mut plain = Exchange::new("plain", NOON, "acme/large-2026").cost(30);
    plain.usage = Some(usage(7, 3));
    plain.write_to(&book);

    let start = RequestStarted { route: Some("deep".to_owned()), ..request("switched", NOON + 1) };
    book.write(Record::RequestStarted(start));
    for (ordinal, provider) in [(0, "acme"), (1, "globex")] {
        book.write(Record::AttemptStarted(attempt("switched", ordinal, provider, "huge", NOON + 1)));
        let outcome = if ordinal == 0 { Outcome::Failed } else { Outcome::Ok };
        book.write(Record::AttemptEnded(AttemptEnded::new(attempt_id("switched", ordinal), outcome, 5)));
    }
    book.write(Record::RequestSettled(RequestSettled {
        cost: Cost::computed(PicoUsd(500)),
        ..RequestSettled::new("switched", Outcome::Ok, NOON + 9, 8)
    }));

    let start = RequestStarted { client: None, dialect: "chat".to_owned(), ..request("chat", NOON + 2) };
    book.write(Record::RequestStarted(start));
    book.write(Record::AttemptStarted(attempt("chat", 0, "acme", "small[1]", NOON + 2)));
    book.write(Record::RequestSettled(RequestSettled {
        error_kind: Some(ErrorKind::RateLimited),
        error_message: Some("Acme asks to wait".to_owned()),
        ..RequestSettled::new("chat", Outcome::Failed, NOON + 9, 7)
    }));
    book.settle();
    book
}

#[test]
fn pages_hold_every_request_once_newest_first_whatever_is_added_meanwhile() {
    let book = Book::new();
    let mut expected = Vec::new();
    for n in 0..95_i64 {
        // Runs of equal times straddle the pages' borders.
        let exchange = Exchange::new(&format!("{n:03}"), NOON + n / 20, "acme/large");
        expected.push(exchange.id.clone());
        exchange.write_to(&book);
    }
    book.settle();
    expected.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = book.ledger.requests(&RequestFilter::default(), before.as_ref(), 20).unwrap();
        before = page.rows.last().map(|row| RequestKey { started_at: row.started_at, id: row.id.clone() });
        seen.extend(page.rows.into_iter().map(|row| row.id));
        Exchange::new(&format!("later {}", seen.len()), NOON + 1_000, "acme/large").write_to(&book);
        book.settle();
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[test]
fn a_line_says_who_answered_after_how_many_attempts_and_switches() {
    let book = filled();
    let page = book.ledger.requests(&RequestFilter::default(), None, 10).unwrap();
    assert_eq!(ids(&page), ["chat", "switched", "plain"]);
    assert!(!page.has_more);
    let [chat, switched, plain] = &page.rows[..] else { panic!("{page:?}") };
    assert_eq!((switched.provider.as_deref(), switched.model.as_deref()), (Some("globex"), Some("huge")));
    assert_eq!((switched.attempts, switched.switches), (2, 1));
    assert_eq!((plain.attempts, plain.switches, plain.input_tokens), (1, 0, Some(7)));
    assert_eq!((plain.cost_picousd, plain.operation.as_deref()), (Some(30), Some("chat")));
    assert_eq!((chat.client.as_deref(), chat.error_kind.as_deref()), (None, Some("rate_limited")));
    assert_eq!((chat.cost_picousd, chat.cost_status), (None, CostStatus::Unknown));
}

#[test]
fn a_running_request_shows_whom_it_asks() {
    let book = Book::new();
    for record in Exchange::new("r", NOON, "acme/large").started() {
        book.write(record);
    }
    book.settle();
    let page = book.ledger.requests(&RequestFilter::default(), None, 1).unwrap();
    assert_eq!((page.rows[0].outcome, page.rows[0].provider.as_deref()), (Outcome::Running, Some("acme")));
    let totals = book.ledger.request_totals(&RequestFilter::default()).unwrap();
    assert_eq!((totals.requests, totals.unknown), (1, 0), "what it will cost is not unknown yet");
}

#[test]
fn each_field_finds_what_it_names() {
    let book = filled();
    for (filter, expected) in [
        (term(Field::Provider, "globex"), vec!["switched"]),
        (term(Field::Provider, "glob"), vec![]),
        (term(Field::Provider, "Glob*"), vec!["switched"]),
        (term(Field::Tried, "acme"), vec!["chat", "switched", "plain"]),
        (not(Field::Tried, "globex"), vec!["chat", "plain"]),
        (term(Field::Model, "LARGE"), vec!["plain"]),
        (term(Field::Model, "l[1]"), vec!["chat"]),
        (term(Field::Client, "chat"), vec!["chat"]),
        (term(Field::Client, "notebook"), vec!["switched", "plain"]),
        (not(Field::Client, "chat"), vec!["switched", "plain"]),
        (term(Field::Route, "deep"), vec!["switched"]),
        (not(Field::Route, "deep"), vec!["chat", "plain"]),
        (term(Field::Outcome, "failed"), vec!["chat"]),
        (term(Field::Error, "rate"), vec!["chat"]),
        (term(Field::Error, "asks to"), vec!["chat"]),
        (term(Field::Text, "huge"), vec!["switched"]),
        (term(Field::Text, "'; DROP TABLE requests; --"), vec![]),
        (term(Field::Operation, "chat"), vec!["chat", "switched", "plain"]),
        (RequestFilter { since_ms: Some(NOON + 1), ..Default::default() }, vec!["chat", "switched"]),
        (RequestFilter { until_ms: Some(NOON + 1), ..Default::default() }, vec!["plain"]),
        (RequestFilter { cost_over_picousd: Some(30), ..Default::default() }, vec!["switched"]),
        (RequestFilter { is_switched: true, ..Default::default() }, vec!["switched"]),
        (RequestFilter { ids: vec!["plain".into(), "gone".into()], ..Default::default() }, vec!["plain"]),
    ] {
        assert_eq!(found(&book, &filter), expected, "{filter:?}");
    }
}

#[test]
fn the_sum_counts_what_is_known_and_says_what_is_not() {
    let totals = filled().ledger.request_totals(&RequestFilter::default()).unwrap();
    assert_eq!(totals, RequestTotals { requests: 3, cost_picousd: 530, unknown: 1 });
}

#[test]
fn a_decision_stands_with_its_request_and_goes_with_it() {
    let book = filled();
    let decide = |n: u32| {
        let decision = serde_json::json!({ "route": "deep", "n": n });
        book.write(Record::Decided(Decided { request_id: "switched".to_owned(), decision }));
    };
    decide(1);
    decide(2);
    book.settle();
    let detail = book.ledger.request("switched").unwrap().unwrap();
    assert_eq!(detail.decision.unwrap()["n"], 2, "the last word counts");
    let left: i64 = book
        .ledger
        .transact(|transaction| {
            transaction.execute("DELETE FROM requests WHERE id = 'switched'", []).unwrap();
            Ok(transaction.query_row("SELECT count(*) FROM request_decisions", [], |row| row.get(0)).unwrap())
        })
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_decision_without_its_request_is_refused_and_counted() {
    let book = Book::new();
    let decision = serde_json::json!({});
    book.write(Record::Decided(Decided { request_id: "nobody".to_owned(), decision }));
    book.ledger.flush_blocking().unwrap();
    assert_eq!(book.ledger.status().failed, 1);
}
