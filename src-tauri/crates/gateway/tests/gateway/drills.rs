//! The rehearsal provider misbehaves on request, through the same port and engine as any other.

use ledger::Outcome;

use crate::support::{House, ask, read_stream};

#[tokio::test]
async fn every_drill_ends_as_what_it_is() {
    let house = House::with("").await;
    for (drill, is_stream, status, outcome, error_kind, finish) in [
        ("500-html", true, 502, Outcome::Failed, Some("server_error"), None),
        ("503", true, 503, Outcome::Failed, Some("overloaded"), None),
        ("401", false, 401, Outcome::Failed, Some("authentication"), None),
        ("malformed", true, 200, Outcome::Ok, None, Some("stop")),
        ("cut", true, 200, Outcome::Truncated, Some("truncated"), None),
        ("error-in-stream", true, 200, Outcome::Failed, Some("server_error"), None),
        ("safety", true, 200, Outcome::Ok, None, Some("content_filter")),
        ("length", true, 200, Outcome::Ok, None, Some("length")),
        ("tool", true, 200, Outcome::Ok, None, Some("tool_calls")),
        ("parallel-tools", false, 200, Outcome::Ok, None, Some("tool_calls")),
    ] {
        let response = house.post(&ask(&format!("rehearsal/drill-{drill}"), is_stream)).await;
        let (found, body) = (response.status().as_u16(), response.text().await.unwrap());
        let row = house.last_request().await;
        assert_eq!(
            (row.status, row.error_kind.as_deref(), row.finish_reason.as_deref()),
            (outcome, error_kind, finish),
            "{drill}: {body}"
        );
        assert_eq!((found, row.http_status), (status, Some(status)), "{drill}: {body}");
        assert_eq!(row.cost_picousd, Some(0), "{drill}: a rehearsal costs nothing");
        if is_stream && status == 200 {
            assert_eq!(read_stream(&body).1.is_some(), outcome != Outcome::Ok, "{drill}: {body}");
        }
    }
}

#[tokio::test]
async fn a_refused_key_in_a_drill_keeps_nobody_else_away() {
    let house = House::with("").await;
    assert_eq!(house.post(&ask("rehearsal/drill-401", false)).await.status(), 401);
    // The rehearsal takes no key, so there is none that could be refused for all its models.
    assert_eq!(house.post(&ask("rehearsal/fast", false)).await.status(), 200);
}
