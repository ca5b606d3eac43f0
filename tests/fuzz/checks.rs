//! What holds for any bytes: no panic, no endless loop, no broken law of the event grammar, and the
//! same answer however the network cuts it.
//!
//! A target is a name and a check; the name is also the folder of its kept inputs
//! (`tests/fixtures/fuzz/NAME`). Checks panic, for that is what a fuzzer looks for.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "A check that fails is to stop the run.")]

use canonical::fold::{fold, unfold};
use canonical::grammar::Grammar;
use canonical::{Error, ErrorKind, Origin, StreamEvent};
use wire::driver::StreamDriver;
use wire::frame::Frame;
use wire::frame::event_stream::EventStreamFramer;
use wire::frame::json_array::JsonArrayFramer;
use wire::frame::ndjson::NdjsonFramer;
use wire::frame::sse::SseFramer;
use wire::{AnswerContext, Headers, ProtocolId, Quirks, RequestHead, errors};

/// The targets that are no protocol's stream.
pub const OTHERS: [&str; 4] = ["frames", "whole", "errors", "requests"];

/// Longest input that is cut into single bytes as well.
const SINGLE_BYTES: usize = 4096;

/// # Panics
/// Where a law does not hold, or no target has that name.
pub fn run(target: &str, data: &[u8]) {
    match target {
        "frames" => frames(data),
        "whole" => whole(data),
        "errors" => errors_of(data),
        "requests" => requests(data),
        name => stream(ProtocolId::from_name(name).expect("a target's name"), data),
    }
}

// === Frames ===

type Frames = (Vec<(Option<String>, String)>, String);

/// Every framer over the same bytes.
fn frames(data: &[u8]) {
    for frame in [sse, ndjson, json_array, event_stream] {
        let whole = frame(&[data]);
        for cut in cuts(data) {
            assert_eq!(frame(&cut), whole, "a cut changed the frames");
        }
    }
}

/// The framer's methods have the same names and differ in their types.
macro_rules! framed {
    ($framer:ident, $chunks:ident, $end:expr) => {{
        let mut framer = $framer::default();
        let mut got = Vec::new();
        let mut deliver = |frame: Frame<'_>| {
            got.push((frame.event.map(str::to_owned), frame.data.to_owned()));
            Ok::<(), ()>(())
        };
        let mut outcome = String::new();
        for chunk in $chunks {
            if let Err(error) = framer.push(chunk, &mut deliver) {
                outcome = format!("{error:?}");
                break;
            }
        }
        if outcome.is_empty() {
            outcome = $end(framer, &mut deliver);
        }
        (got, outcome)
    }};
}

fn sse(chunks: &[&[u8]]) -> Frames {
    framed!(SseFramer, chunks, |mut framer: SseFramer, deliver: &mut _| {
        let ended = framer.finish(deliver);
        format!("{ended:?} {} {}", framer.comments(), framer.strays())
    })
}

fn ndjson(chunks: &[&[u8]]) -> Frames {
    framed!(NdjsonFramer, chunks, |mut framer: NdjsonFramer, deliver: &mut _| format!(
        "{:?}",
        framer.finish(deliver)
    ))
}

fn json_array(chunks: &[&[u8]]) -> Frames {
    framed!(JsonArrayFramer, chunks, |framer: JsonArrayFramer, _: &mut _| framer.is_closed().to_string())
}

fn event_stream(chunks: &[&[u8]]) -> Frames {
    framed!(EventStreamFramer, chunks, |framer: EventStreamFramer, _: &mut _| framer.is_amid().to_string())
}

// === Streams ===

fn stream(protocol: ProtocolId, data: &[u8]) {
    if protocol == ProtocolId::BedrockConverse && data.first().is_some_and(u8::is_ascii_alphabetic) {
        let decoded = unsigned(protocol, data);
        lawful(&decoded);
        return passed_on(&decoded.0);
    }
    for quirks in quirks() {
        let whole = decode(protocol, &quirks, &[data]);
        lawful(&whole);
        for cut in cuts(data) {
            assert_eq!(decode(protocol, &quirks, &cut), whole, "a cut changed the answer");
        }
        abandoned(protocol, &quirks, data);
        passed_on(&whole.0);
    }
}

type Decoded = (Vec<StreamEvent>, Result<(), Error>);

/// Behind the checksums of the binary stream: a line is an event's name, a blank and its payload.
/// No fuzzer guesses a checksum, so without this it would never come as far as the decoder.
fn unsigned(protocol: ProtocolId, data: &[u8]) -> Decoded {
    let mut decoder = wire::protocol(protocol).stream_decoder(&Quirks::default());
    let mut events = Vec::new();
    for line in String::from_utf8_lossy(data).lines() {
        let (event, data) = line.split_once(' ').unwrap_or((line, ""));
        if let Err(error) = decoder.frame(Frame { event: Some(event), data }, &mut events) {
            return (events, Err(error));
        }
    }
    let outcome = decoder.end(&mut events);
    (events, outcome)
}

fn decode(protocol: ProtocolId, quirks: &Quirks, chunks: &[&[u8]]) -> Decoded {
    let mut driver = StreamDriver::new(wire::protocol(protocol), quirks);
    let mut events = Vec::new();
    let pushed = chunks.iter().try_for_each(|chunk| driver.push(chunk, &mut events));
    let outcome = pushed.and_then(|()| driver.finish(&mut events));
    (events, outcome)
}

fn lawful((events, outcome): &Decoded) {
    let mut grammar = Grammar::default();
    for event in events {
        grammar.accept(event).expect("the grammar's laws");
    }
    assert!(outcome.is_err() || grammar.is_complete(), "said to be whole, and is not");
    if !events.is_empty() {
        let folded = fold(events);
        assert_eq!(fold(&unfold(&folded)), folded, "folding is not the opposite of unfolding");
    }
}

/// The connection breaks half way.
fn abandoned(protocol: ProtocolId, quirks: &Quirks, data: &[u8]) {
    let mut driver = StreamDriver::new(wire::protocol(protocol), quirks);
    let mut events = Vec::new();
    let _ = driver.push(&data[..data.len() / 2], &mut events);
    driver.abandon(&mut events);
    let mut grammar = Grammar::default();
    for event in &events {
        grammar.accept(event).expect("the grammar's laws");
    }
}

/// Whatever a provider says, every dialect can pass on.
fn passed_on(events: &[StreamEvent]) {
    let context = AnswerContext { include_usage: true, ..AnswerContext::default() };
    for dialect in ProtocolId::ALL.into_iter().filter_map(|family| wire::dialect(family.as_str())) {
        let (mut encoder, mut out) = (dialect.stream_encoder(&context), Vec::new());
        for event in events {
            encoder.event(event, &mut out);
        }
        encoder.end(&mut out);
        if !events.is_empty() {
            dialect.encode_response(&fold(events), &context);
        }
    }
}

// === Whole bodies ===

fn whole(data: &[u8]) {
    for protocol in ProtocolId::ALL.map(wire::protocol) {
        for quirks in quirks() {
            if let Ok(response) = protocol.decode_response(data, &quirks) {
                let unfinished = Err(Error::new(ErrorKind::Truncated, Origin::Provider, String::new()));
                lawful(&(unfold(&response), unfinished));
            }
        }
        let _ = protocol.decode_models(data);
    }
}

fn errors_of(data: &[u8]) {
    let headers: Headers =
        [("retry-after", data), ("retry-after-ms", data), ("x-ratelimit-reset-requests", data)]
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .into_iter()
            .collect();
    for protocol in ProtocolId::ALL.map(wire::protocol) {
        for status in [200, 400, 429, 503] {
            let error = protocol.decode_error(status, &headers, data);
            for dialect in ProtocolId::ALL.into_iter().filter_map(|family| wire::dialect(family.as_str())) {
                dialect.encode_error(&error, Some("request"));
            }
            let _ = errors::in_band(protocol, status, &headers, data);
        }
    }
}

/// What a client asks, in every dialect, is refused or can be said to every provider (or is
/// refused there).
fn requests(data: &[u8]) {
    let quirks = Quirks::default();
    for dialect in ProtocolId::ALL.into_iter().filter_map(|family| wire::dialect(family.as_str())) {
        let head = RequestHead { model: Some("model"), ..RequestHead::default() };
        let Ok(request) = dialect.decode_request(&head, data) else { continue };
        for protocol in ProtocolId::ALL.map(wire::protocol) {
            let target = wire::TargetContext { model: "model", quirks: &quirks, max_output_tokens: None };
            let _ = protocol.encode_request(&request, &target);
        }
    }
}

// === Shared ===

fn quirks() -> [Quirks; 2] {
    [Quirks::default(), Quirks { done_without_finish_reason: true, ..Quirks::default() }]
}

/// Ways to cut `data`, the same each time.
fn cuts(data: &[u8]) -> Vec<Vec<&[u8]>> {
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let at = usize::try_from(hash >> 32).unwrap_or(0) % (data.len() + 1);
    let step = 1 + usize::try_from(hash & 0xff).unwrap_or(0);
    let mut cuts = vec![vec![&data[..at], &data[at..]], data.chunks(step).collect()];
    if data.len() <= SINGLE_BYTES {
        cuts.push(data.chunks(1).collect());
    }
    cuts
}
