use serde_json::{Value, json};

use super::*;
use crate::testing::{Book, Exchange, NOON, usage};
use crate::{Decided, Ledger, Record};

fn ids(ledger: &Ledger) -> Vec<String> {
    ledger.export_requests().map(|request| request.unwrap().id).collect()
}

#[test]
fn a_line_has_the_agreed_fields_in_the_agreed_order() {
    let book = Book::new();
    let mut exchange = Exchange::new("r", NOON, "acme/large").cost(12);
    exchange.usage = Some(usage(30, 4));
    exchange.write_to(&book);
    let decision = json!({ "route": null });
    book.write(Record::Decided(Decided { request_id: "r".to_owned(), decision }));
    book.settle();
    let request = book.ledger.export_requests().next().unwrap().unwrap();
    let line: Value = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
    let mut expected = json!({
        "id": "r", "started_at": NOON, "client": "notebook", "dialect": "openai-chat", "route": null,
        "provider": "acme", "request_model": "fast", "response_model": null, "stream": true, "status": "ok",
        "http_status": null, "error_kind": null, "finish_reason": null, "finish_reason_raw": null,
        "usage": serde_json::to_value(usage(30, 4)).unwrap(), "cost_picousd": 12, "cost_status": "computed",
        "duration_ms": 1_000, "time_to_first_token_ms": 200, "attempts": [{
            "provider": "acme", "model": "large", "outcome": "ok", "error_kind": null, "http_status": null,
            "reason": null, "duration_ms": 1_000, "cost_picousd": 12, "lane": null, "notes": [],
        }],
        "operation": "chat", "decision": { "route": null },
    });
    assert_eq!(line, expected);
    let order = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&line), order(&expected));
    assert_eq!(order(&line["attempts"][0]), order(&expected["attempts"][0].take()));
}

#[test]
fn every_request_comes_once_oldest_first_across_pages_and_equal_times() {
    let book = Book::new();
    let mut expected = Vec::new();
    for n in 0..i64::from(PAGE) * 2 + 7 {
        // Runs of equal times straddle the pages' borders.
        let exchange = Exchange::new(&format!("{n:05}"), NOON + n / 300, "acme/large");
        expected.push(exchange.id.clone());
        exchange.write_to(&book);
    }
    book.settle();
    assert_eq!(ids(&book.ledger), expected);
}

#[test]
fn a_helper_exports_while_the_owner_writes() {
    let book = Book::new();
    for n in 0..600 {
        Exchange::new(&format!("{n:05}"), NOON + n, "acme/large").write_to(&book);
    }
    book.settle();
    let helper = Ledger::attach_existing(&book.path(), NOON).unwrap();
    let mut export = helper.export_requests();
    assert_eq!(export.next().unwrap().unwrap().id, "00000");
    // The owner goes on in the middle of the export; what it adds behind the reader's place shows too.
    Exchange::new("99999", NOON + 10_000, "acme/large").write_to(&book);
    for record in Exchange::new("running", NOON + 20_000, "acme/large").started() {
        book.write(record);
    }
    book.settle();
    let rest: Vec<_> = export.map(|request| request.unwrap()).collect();
    assert_eq!(rest.len(), 599 + 2);
    let last = rest.last().unwrap();
    assert_eq!((last.id.as_str(), last.status, last.cost_picousd), ("running", Outcome::Running, None));
    assert_eq!(last.usage, None);
}

#[test]
fn an_empty_book_exports_nothing() {
    assert_eq!(ids(&Book::new().ledger), Vec::<String>::new());
}

#[test]
fn an_unreadable_value_ends_the_export_with_one_error() {
    let book = Book::new();
    Exchange::new("r", NOON, "acme/large").write_to(&book);
    book.settle();
    book.ledger
        .transact(|transaction| {
            transaction.execute("UPDATE requests SET outcome = 'mauve'", []).unwrap();
            Ok(())
        })
        .unwrap();
    let lines: Vec<_> = book.ledger.export_requests().collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].as_ref().unwrap_err().kind(), "corrupt");
}
