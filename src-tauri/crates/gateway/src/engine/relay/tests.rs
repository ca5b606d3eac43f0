use std::convert::Infallible;
use std::time::Duration;

use axum::http;
use bytes::Bytes;
use canonical::{ErrorKind, StreamEvent};
use catalog::{Kinds, Values};
use futures_util::stream;
use reqwest::Body;
use routing::policy::Commit;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use wire::verbatim::TapOptions;

use super::super::source::Source;
use super::*;
use crate::clock::Clock;
use crate::config::{KeySource, ProviderConfig};
use crate::providers::Provider;

const IDLE: Duration = Duration::from_secs(10);
const PING: &str = ": ping\n\n";
const DONE: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn words(text: &str) -> String {
    format!("data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

/// A stream of an OpenAI-shaped provider that says each of these after its wait, then pings once a
/// second for ever.
fn open(script: Vec<(Duration, String)>, tap: Option<TapOptions>) -> OpenStream {
    let said = stream::unfold(script.into_iter(), |mut script| async move {
        let (wait, text) = script.next().unwrap_or((Duration::from_secs(1), PING.to_owned()));
        sleep(wait).await;
        Some((Ok::<_, Infallible>(Bytes::from(text)), script))
    });
    let config = ProviderConfig {
        id: "a".to_owned(),
        kind: "openai-compatible".to_owned(),
        base_url: Some("http://127.0.0.1:1".to_owned()),
        protocol: None,
        key: KeySource::None,
        models: Vec::new(),
        variables: Values::new(),
        profiles: Vec::new(),
    };
    let provider = Provider::resolve(&config, &Kinds::shipped()).unwrap();
    let response = http::Response::new(Body::wrap_stream(said)).into();
    OpenStream {
        source: Source::new(response, &provider, tap, None),
        pending: Arrived::default(),
        is_over: false,
        error: None,
        watched: None,
    }
}

/// Relays to a client that takes `pause` for each thing it gets. Says how it ended, after how long,
/// and what the client got.
async fn relayed(stream: OpenStream, pause: Duration) -> (Relayed, Duration, Vec<EngineEvent>) {
    let (events, mut receiver) = mpsc::channel(1);
    let line = Line { events, cancel: CancellationToken::new() };
    let client = tokio::spawn(async move {
        let mut got = Vec::new();
        while let Some(event) = receiver.recv().await {
            got.push(event);
            sleep(pause).await;
        }
        got
    });
    let began = Clock.now();
    let total = Duration::from_secs(100_000);
    let pace = Pace { deadline: began + total, total, first_content: total, commit: Commit::default() };
    let (mut seen, request) = (Seen::default(), ChatRequest::default());
    let relay = Relay { clock: Clock, request: &request, line: &line, idle: IDLE, pace, thread: None };
    let ended = relay.run(stream, &mut seen).await;
    let took = Clock.now() - began;
    drop(line);
    (ended, took, client.await.unwrap())
}

#[expect(clippy::unnecessary_wraps, reason = "what takes it takes none as well")]
fn tap() -> Option<TapOptions> {
    Some(TapOptions::default())
}

fn text(events: &[EngineEvent]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            EngineEvent::Answer(StreamEvent::PartDelta {
                delta: canonical::PartDelta::Text(more), ..
            }) => text.push_str(more),
            EngineEvent::Raw(raw) => text.push_str(std::str::from_utf8(&raw.bytes).unwrap()),
            _ => {}
        }
    }
    text
}

#[tokio::test(start_paused = true)]
async fn pings_do_not_reset_the_idle_timer_in_either_lane() {
    for tap in [None, tap()] {
        let script = vec![(Duration::ZERO, words("half")), (Duration::from_secs(3), words("way"))];
        let (ended, took, got) = relayed(open(script, tap), Duration::ZERO).await;
        let Relayed::Failed(error) = ended else { panic!("{ended:?}") };
        assert_eq!((error.kind, took.as_secs()), (ErrorKind::Timeout, 13), "{}", error.message);
        assert!(error.message.contains("fell silent for 10 s"), "{}", error.message);
        assert!(text(&got).contains("half") && text(&got).contains("way"));
    }
}

#[tokio::test(start_paused = true)]
async fn words_reset_the_idle_timer_in_either_lane() {
    for tap in [None, tap()] {
        let nine = Duration::from_secs(9);
        let script =
            vec![(nine, words("a")), (nine, words("b")), (nine, words("c")), (nine, DONE.to_owned())];
        let (ended, took, got) = relayed(open(script, tap), Duration::ZERO).await;
        // The line stays open and pings: its protocol's last word was said, so nothing is missing.
        assert!(matches!(ended, Relayed::Complete), "{ended:?}");
        assert!(took.as_secs() >= 36, "{took:?}");
        assert!(text(&got).contains('c'));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_not_the_providers_silence() {
    for tap in [None, tap()] {
        let script = vec![
            (Duration::ZERO, words("a")),
            (Duration::from_secs(1), PING.to_owned()),
            (Duration::from_secs(1), PING.to_owned()),
            (Duration::from_secs(1), words("b")),
            (Duration::from_secs(1), DONE.to_owned()),
        ];
        let (ended, _, got) = relayed(open(script, tap), Duration::from_secs(60)).await;
        assert!(matches!(ended, Relayed::Complete), "{ended:?}");
        assert!(text(&got).contains('b'), "{}", text(&got));
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_an_answer_that_never_falls_silent() {
    let script = (0..50_000).map(|_| (Duration::from_secs(5), words("on"))).collect();
    let (ended, took, _) = relayed(open(script, None), Duration::ZERO).await;
    let Relayed::Failed(error) = ended else { panic!("{ended:?}") };
    assert!(error.message.contains("timeouts.total"), "{}", error.message);
    assert_eq!(took.as_secs(), 100_000);
}
