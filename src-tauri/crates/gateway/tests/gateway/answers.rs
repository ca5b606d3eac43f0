//! Requests that end well, and those whose caller leaves.

use gateway::{Caller, EngineEvent, Event};
use ledger::{CostStatus, Outcome};
use serde_json::{Value, json};

use crate::support::{
    End, FLOOD_PIECE_BYTES, House, PATIENCE, Reply, Upstream, ask, failure, good_answer, good_stream, http,
    provider, read_stream, route, words,
};

#[tokio::test]
async fn a_chat_with_the_rehearsal_goes_through_the_port_into_the_book() {
    let house = House::with("").await;
    for is_stream in [true, false] {
        let response = house.post(&ask("rehearsal/fast", is_stream)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-signalbox-provider"], "rehearsal");
        assert_eq!(response.headers()["x-signalbox-model"], "fast");
        assert_eq!(response.headers()["x-signalbox-attempts"], "1");
        let id = response.headers()["x-signalbox-request-id"].to_str().unwrap().to_owned();
        let body = response.text().await.unwrap();
        let text = if is_stream {
            assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
            read_stream(&body).0
        } else {
            let answer: Value = serde_json::from_str(&body).unwrap();
            answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
        };
        assert!(!text.is_empty());

        let row = house.last_request().await;
        assert_eq!((row.id, row.status, row.http_status), (id, Outcome::Ok, Some(200)));
        assert_eq!((row.client.as_deref(), row.dialect.as_str()), (Some("test"), "openai-chat"));
        assert_eq!((row.stream, row.request_model.as_str()), (is_stream, "rehearsal/fast"));
        assert_eq!(
            (row.finish_reason.as_deref(), row.finish_reason_raw.as_deref()),
            (Some("stop"), Some("stop"))
        );
        assert!(row.usage.unwrap().output_tokens > 0);
        assert_eq!((row.cost_picousd, row.cost_status), (Some(0), CostStatus::Computed));
        assert!(row.time_to_first_token_ms.is_some() && row.duration_ms >= row.time_to_first_token_ms);
        assert_eq!(row.attempts.len(), 1);
    }
}

#[tokio::test]
async fn the_chat_window_uses_the_same_engine_without_the_port() {
    let house = House::with("").await;
    let request = wire::openai_chat::server::OpenAiChat;
    let request = wire::Dialect::decode_request(
        &request,
        &wire::RequestHead::default(),
        ask("fast", true).to_string().as_bytes(),
    )
    .unwrap();
    let caller = Caller { dialect: "chat", message_id: Some("m1".into()), ..Caller::default() };
    let mut running = house.gateway.chat(request, caller);
    let mut kinds = Vec::new();
    while let Some(event) = running.events.recv().await {
        match event {
            EngineEvent::Committed(committed) => {
                assert_eq!((committed.provider.as_str(), committed.attempts), ("rehearsal", 1));
                kinds.push("committed");
            }
            EngineEvent::Answer(_) => kinds.push("answer"),
            EngineEvent::Seam(_) => kinds.push("seam"),
            EngineEvent::Whole(_) => kinds.push("whole"),
            EngineEvent::Raw(_) | EngineEvent::RawWhole(_) => kinds.push("raw"),
            EngineEvent::Ended(ending) => {
                assert_eq!(ending.outcome, Outcome::Ok);
                assert!(ending.receipt.usage.is_some());
                kinds.push("ended");
            }
        }
    }
    kinds.dedup();
    assert_eq!(kinds, ["committed", "answer", "ended"]);
    let row = house.last_request().await;
    assert_eq!((row.dialect.as_str(), row.client, row.http_status), ("chat", None, None));
}

#[tokio::test]
async fn a_known_model_is_priced_from_the_catalogue() {
    let upstream = Upstream::with([good_answer("hi"), good_stream("hi")]).await;
    let settings = format!(
        "[[provider]]\nid = \"main\"\nkind = \"openai\"\nbase_url = \"{}\"\nkey = \"none\"\n",
        upstream.url
    );
    let house = House::with(&settings).await;
    for is_stream in [false, true] {
        let response = house.post(&ask("main/gpt-4o", is_stream)).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        response.bytes().await.unwrap();
        let row = house.last_request().await;
        // 7 tokens at 2.50 and 3 at 10 dollars per million, as the catalogue says of gpt-4o.
        assert_eq!(row.cost_picousd, Some(7 * 2_500_000 + 3 * 10_000_000));
        assert_eq!(row.response_model.as_deref(), Some("m-2026"));
    }
    // Usage is asked for although the client did not ask.
    assert_eq!(upstream.requests()[1]["stream_options"]["include_usage"], json!(true));
    assert_eq!(upstream.requests()[0]["model"], json!("gpt-4o"));
}

#[tokio::test]
async fn an_unknown_models_cost_is_unknown_and_not_nothing() {
    let upstream = Upstream::with([good_answer("hi")]).await;
    let settings = format!(
        "[[provider]]\nid = \"main\"\nkind = \"openai\"\nbase_url = \"{}\"\nkey = \"none\"\n",
        upstream.url
    );
    let house = House::with(&settings).await;
    house.post(&ask("main/gpt-of-tomorrow", false)).await;
    let row = house.last_request().await;
    assert_eq!((row.cost_picousd, row.cost_status), (None, CostStatus::Unknown));
    assert_eq!(row.usage.unwrap().input_tokens, 7);
}

#[tokio::test]
async fn a_provider_of_responses_answers_a_client_of_chat_completions() {
    let event = |event: Value| format!("data: {event}\n\n");
    let said = [
        event(json!({ "type": "response.created", "response": { "id": "r1", "model": "m-2026" } })),
        event(
            json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "hi" }),
        ),
    ];
    let end = event(json!({ "type": "response.completed", "response": { "status": "completed", "output": [],
        "usage": { "input_tokens": 7, "output_tokens": 3, "total_tokens": 10 } } }));
    let whole = [&said[..], &[end]].concat();
    let upstream = Upstream::with([
        Reply::Stream { pieces: whole, end: End::Close },
        Reply::Stream { pieces: said.to_vec(), end: End::Close },
    ])
    .await;
    let settings = format!("{}protocol = \"openai-responses\"\n", provider("a", &upstream.url));
    let house = House::with(&settings).await;
    let body = house.post(&ask("a/gpt-5.2", true)).await.text().await.unwrap();
    assert_eq!(read_stream(&body), ("hi".to_owned(), None));
    let row = house.last_request().await;
    assert_eq!((row.status, row.finish_reason_raw.as_deref()), (Outcome::Ok, Some("completed")));
    assert_eq!(row.usage.unwrap().input_tokens, 7);
    let sent = &upstream.requests()[0];
    assert_eq!(sent["input"], json!([{ "role": "user", "content": "Hello" }]));
    assert_eq!((&sent["store"], &sent["stream"]), (&json!(false), &json!(true)));

    // Without its last event, the same stream is cut.
    let body = house.post(&ask("a/gpt-5.2", true)).await.text().await.unwrap();
    let (text, error) = read_stream(&body);
    assert_eq!((text.as_str(), error.is_some(), body.contains("[DONE]")), ("hi", true, false));
    assert_eq!(house.last_request().await.status, Outcome::Truncated);
}

#[tokio::test]
async fn the_next_target_answers_when_one_fails_before_its_first_content() {
    let broken = Upstream::with([failure(400, "no"), failure(400, "no")]).await;
    let good = Upstream::with([good_stream("second"), good_answer("second")]).await;
    let settings =
        [provider("a", &broken.url), provider("b", &good.url), route("fast", &["a", "b"])].concat();
    let house = House::with(&settings).await;
    for is_stream in [true, false] {
        let response = house.post(&ask("fast", is_stream)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-signalbox-provider"], "b");
        assert_eq!(response.headers()["x-signalbox-attempts"], "2");
        assert!(response.text().await.unwrap().contains("second"));
        let row = house.last_request().await;
        assert_eq!((row.route.as_deref(), row.provider.as_deref()), (Some("fast"), Some("b")));
        let outcomes: Vec<_> =
            row.attempts.iter().map(|it| (it.provider.as_str(), it.outcome, it.reason.as_deref())).collect();
        assert_eq!(outcomes, [("a", Outcome::Failed, Some("first")), ("b", Outcome::Ok, Some("failover"))]);
        assert_eq!(row.attempts[0].cost_picousd, Some(0));
    }
}

#[tokio::test]
async fn a_stream_that_dies_before_its_first_content_moves_on_unseen() {
    let opening = words("");
    let dying = Upstream::with([
        Reply::Stream { pieces: vec![opening.clone()], end: End::Break },
        Reply::Stream { pieces: vec![opening], end: End::Break },
    ])
    .await;
    dying.break_off();
    dying.break_off();
    let good = Upstream::with([good_stream("second")]).await;
    let settings = [provider("a", &dying.url), provider("b", &good.url), route("fast", &["a", "b"])].concat();
    let house = House::with(&settings).await;
    let body = house.post(&ask("fast", true)).await.text().await.unwrap();
    assert_eq!(read_stream(&body), ("second".to_owned(), None));
    let row = house.last_request().await;
    let reasons: Vec<_> = row.attempts.iter().map(|it| it.reason.as_deref().unwrap()).collect();
    assert_eq!(reasons, ["first", "retry", "failover"]);
}

#[tokio::test]
async fn after_the_first_content_an_error_ends_the_stream_and_nobody_else_is_asked() {
    let dying = Upstream::with([Reply::Stream { pieces: vec![words("half ")], end: End::Break }]).await;
    let spare = Upstream::with([good_stream("other")]).await;
    let settings =
        [provider("a", &dying.url), provider("b", &spare.url), route("fast", &["a", "b"])].concat();
    let house = House::with(&settings).await;
    let mut response = house.post(&ask("fast", true)).await;
    assert_eq!(response.status(), 200);
    let mut body = response.chunk().await.unwrap().unwrap().to_vec();
    dying.break_off();
    while let Some(more) = response.chunk().await.unwrap() {
        body.extend_from_slice(&more);
    }
    let (text, error) = read_stream(std::str::from_utf8(&body).unwrap());
    assert_eq!(text, "half ");
    assert!(error.unwrap()["message"].as_str().unwrap().contains("broke"));
    assert!(spare.requests().is_empty());
    let row = house.last_request().await;
    assert_eq!((row.status, row.error_kind.as_deref()), (Outcome::Truncated, Some("truncated")));
    assert_eq!((row.cost_picousd, row.cost_status), (None, CostStatus::Unknown));
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_told_and_then_answered() {
    let limited = Reply::Whole {
        status: 429,
        headers: vec![("retry-after", "0".into())],
        body: r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#.into(),
    };
    let upstream = Upstream::with([limited, good_answer("now")]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let response = house.post(&ask("a/m", false)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-signalbox-attempts"], "2");
    let row = house.last_request().await;
    assert_eq!(row.attempts[0].error_kind.as_deref(), Some("rate_limited"));
    assert_eq!(row.attempts[1].reason.as_deref(), Some("retry"));
}

#[tokio::test]
async fn a_wait_longer_than_our_patience_is_passed_on_to_the_client() {
    let limited = Reply::Whole {
        status: 429,
        headers: vec![("retry-after", "3600".into())],
        body: r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#.into(),
    };
    let upstream = Upstream::with([limited]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let response = house.post(&ask("a/m", true)).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "3600");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn the_provider_is_hung_up_on_when_the_client_leaves_in_the_middle() {
    let mut upstream = Upstream::with([Reply::Stream { pieces: vec![words("half ")], end: End::Hang }]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let mut events = house.gateway.subscribe();
    let mut response = house.post(&ask("a/m", true)).await;
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    upstream.was_hung_up_on().await;
    settled(&mut events).await;
    let row = house.last_request().await;
    assert_eq!((row.status, row.error_kind.as_deref()), (Outcome::Cancelled, Some("cancelled")));
    assert_eq!((row.cost_picousd, row.cost_status), (None, CostStatus::Unknown));
    assert_eq!(row.attempts[0].outcome, Outcome::Cancelled);
    assert_eq!(house.gateway.running_requests(), 0);
}

#[tokio::test]
async fn the_provider_is_hung_up_on_when_the_client_leaves_before_any_answer() {
    let mut upstream = Upstream::with([Reply::Silence]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let mut events = house.gateway.subscribe();
    let request = http()
        .post(house.url("/v1/chat/completions"))
        .bearer_auth(&house.key)
        .body(ask("a/m", true).to_string());
    let client = tokio::spawn(request.send());
    while upstream.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    client.abort();
    upstream.was_hung_up_on().await;
    settled(&mut events).await;
    assert_eq!(house.last_request().await.status, Outcome::Cancelled);
}

#[tokio::test]
async fn a_request_that_is_cancelled_from_inside_still_hears_its_end() {
    let mut upstream = Upstream::with([Reply::Stream { pieces: vec![words("half ")], end: End::Hang }]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let dialect = wire::openai_chat::server::OpenAiChat;
    let request = wire::Dialect::decode_request(
        &dialect,
        &wire::RequestHead::default(),
        ask("a/m", true).to_string().as_bytes(),
    )
    .unwrap();
    let mut running = house.gateway.chat(request, Caller { dialect: "chat", ..Caller::default() });
    while let Some(event) = running.events.recv().await {
        match event {
            EngineEvent::Answer(event) if event.is_content() => running.cancel.cancel(),
            EngineEvent::Ended(ending) => assert_eq!(ending.outcome, Outcome::Cancelled),
            _ => {}
        }
    }
    upstream.was_hung_up_on().await;
}

#[tokio::test]
async fn shutting_down_ends_what_runs_and_puts_it_into_the_book() {
    let mut upstream = Upstream::with([Reply::Stream { pieces: vec![words("half ")], end: End::Hang }]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let mut response = house.post(&ask("a/m", true)).await;
    assert!(response.chunk().await.unwrap().is_some());
    let rest = async {
        let mut rest = Vec::new();
        while let Ok(Some(piece)) = response.chunk().await {
            rest.extend_from_slice(&piece);
        }
        String::from_utf8(rest).unwrap()
    };
    let ((), rest) = tokio::join!(house.gateway.shutdown(), rest);
    assert!(rest.contains("Signalbox was closed") && rest.contains("server_error"), "{rest}");
    assert!(!rest.contains("[DONE]"), "{rest}");
    upstream.was_hung_up_on().await;
    assert_eq!(house.last_request().await.status, Outcome::Cancelled);
}

/// Without a bound the flood would go on into memory for ever; with one it comes to rest while the
/// rest of the house goes about its business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_slows_its_own_provider_and_nobody_else() {
    const BOUND_BYTES: usize = 512 << 20;
    let upstream = Upstream::with([Reply::Flood]).await;
    let house = House::with(&provider("a", &upstream.url)).await;
    let idle_client = house.post(&ask("a/m", true)).await;
    assert_eq!(idle_client.status(), 200);
    let mut before = 0;
    loop {
        assert_eq!(house.post(&ask("rehearsal/fast", false)).await.status(), 200);
        let taken = upstream.pieces_taken();
        assert!(taken * FLOOD_PIECE_BYTES < BOUND_BYTES, "{taken} pieces went nowhere");
        if taken == before {
            break;
        }
        before = taken;
    }
    drop(idle_client);
}

async fn settled(events: &mut tokio::sync::broadcast::Receiver<Event>) {
    let wait = async { while !matches!(events.recv().await.unwrap(), Event::RequestSettled { .. }) {} };
    tokio::time::timeout(PATIENCE, wait).await.expect("the request was never settled");
}
