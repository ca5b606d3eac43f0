//! The laws that every recorded answer obeys in every protocol, whatever it says.
//!
//! 1. **Grammar**: its events are a sentence of `canonical::grammar`; complete where the decoder
//!    says that the answer is.
//! 2. **Split invariance**: network chunking carries no meaning. Every cut of a small stream, seeded
//!    random cuts of a long one and one byte at a time give the same events and the same outcome.
//! 3. **Folding**: events and the whole answer are one thing: unfolding the folded answer and
//!    folding again changes nothing.
//! 4. **Damage** ([`damage`]): other line ends and comments between events change nothing, a
//!    malformed event costs nothing but itself, and a cut is never taken for an end: what decodes as
//!    whole says all that the whole stream says.
//! 5. **Counting**: the parts of its usage share no token and sum to its totals, and its totals to
//!    the one that the provider states.

use canonical::fold::{fold, unfold};
use canonical::grammar::Grammar;
use canonical::{ChatRequest, ChatResponse, Error, Message, Part, Role, StreamEvent, Usage};
use serde_json::Value;
use wire::driver::{StreamCounters, StreamDriver};
use wire::{Protocol, Quirks, TargetContext, errors};

use crate::corpus::Record;

/// Streams up to this many bytes are cut at every place.
const EVERY_CUT_BYTES: usize = 1_200;

/// How often a longer stream is cut at random places.
const RANDOM_ROUNDS: u64 = 12;

/// What a record decodes to.
#[derive(Debug, Clone)]
pub struct Decoded {
    pub events: Vec<StreamEvent>,
    /// The events, folded: what had arrived, also before an error.
    pub response: ChatResponse,
    /// How the answer ended: whole, or with which error.
    pub outcome: Result<(), Error>,
    /// What the driver passed over; zero for answers that are not streamed.
    pub counters: StreamCounters,
}

/// Decodes `record` and holds it to all laws. `Err` says in a sentence which one it breaks.
pub fn check(protocol: &'static dyn Protocol, quirks: &Quirks, record: &Record) -> Result<Decoded, String> {
    let decoded = decode(protocol, quirks, record);
    grammar(&decoded)?;
    folding(&decoded)?;
    let adds_up = DO_NOT_ADD_UP.iter().all(|(id, _)| !record.id.ends_with(id));
    if let Some(usage) = decoded.response.usage.as_ref().filter(|_| adds_up) {
        counting(usage)?;
    }
    if is_streamed(record) {
        split_invariance(protocol, quirks, &record.body(), &decoded)?;
    }
    Ok(decoded)
}

/// Decodes `record` as the gateway would: by status, then whole or as a stream.
pub fn decode(protocol: &'static dyn Protocol, quirks: &Quirks, record: &Record) -> Decoded {
    let (status, headers, body) = (record.response.status, record.headers(), record.body());
    if status >= 400 {
        return failed(protocol.decode_error(status, &headers, &body));
    }
    if is_streamed(record) {
        return decode_stream(protocol, quirks, [body.as_slice()]);
    }
    if let Some(error) = errors::in_band(protocol, status, &headers, &body) {
        return failed(error);
    }
    match protocol.decode_response(&body, quirks) {
        Ok(response) => {
            let (events, counters) = (unfold(&response), StreamCounters::default());
            Decoded { events, response, outcome: Ok(()), counters }
        }
        Err(error) => failed(error),
    }
}

/// Decodes a stream that arrives in `chunks`.
pub fn decode_stream<'a>(
    protocol: &'static dyn Protocol,
    quirks: &Quirks,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Decoded {
    let mut driver = StreamDriver::new(protocol, quirks);
    let mut events = Vec::new();
    let pushed = chunks.into_iter().try_for_each(|chunk| driver.push(chunk, &mut events));
    let outcome = pushed.and_then(|()| driver.finish(&mut events));
    let response = fold(&events);
    Decoded { events, response, outcome, counters: driver.counters() }
}

/// Whether the record's body is a stream. A request for one may have been answered with an error
/// or one document, which the driver reads too.
pub fn is_streamed(record: &Record) -> bool {
    record.stream && record.response.status < 400
}

fn failed(error: Error) -> Decoded {
    Decoded {
        events: Vec::new(),
        response: ChatResponse::default(),
        outcome: Err(error),
        counters: StreamCounters::default(),
    }
}

/// Law 1.
pub fn grammar(decoded: &Decoded) -> Result<(), String> {
    let mut grammar = Grammar::default();
    for event in &decoded.events {
        grammar.accept(event).map_err(|law| format!("grammar: {law}"))?;
    }
    if decoded.outcome.is_ok() && !grammar.is_complete() {
        return Err(
            "grammar: the answer is said to be whole, but a part is open or no choice finished".into()
        );
    }
    Ok(())
}

/// Law 2.
pub fn split_invariance(
    protocol: &'static dyn Protocol,
    quirks: &Quirks,
    body: &[u8],
    whole: &Decoded,
) -> Result<(), String> {
    let same = |cuts: &[usize]| {
        let split = decode_stream(protocol, quirks, chunks(body, cuts));
        if split.events == whole.events && split.outcome == whole.outcome {
            return Ok(());
        }
        let place = split.events.iter().zip(&whole.events).position(|(a, b)| a != b);
        let shown: Vec<_> = cuts.iter().take(8).collect();
        Err(format!("split invariance: cut at {shown:?}, event {place:?} differs, or the outcome does"))
    };
    if body.len() <= EVERY_CUT_BYTES {
        (0..=body.len()).try_for_each(|cut| same(&[cut]))?;
    }
    let mut chance = Chance::new(body);
    for round in 0..RANDOM_ROUNDS {
        let count = 1 + usize::try_from(round).unwrap_or(0) * 3;
        let mut cuts: Vec<usize> = (0..count).map(|_| chance.below(body.len() + 1)).collect();
        cuts.sort_unstable();
        same(&cuts)?;
    }
    same(&(0..body.len()).collect::<Vec<_>>())
}

/// Law 3.
pub fn folding(decoded: &Decoded) -> Result<(), String> {
    let again = fold(&unfold(&decoded.response));
    if decoded.events.is_empty() || again == decoded.response {
        return Ok(());
    }
    Err(format!("folding: {again:?} is not {:?}", decoded.response))
}

/// Records whose own report does not add up, with the reason.
const DO_NOT_ADD_UP: [(&str, &str); 1] = [(
    "google/cassettes/test_structured_output/test_native_output_with_builtin_tools_stream.yaml#0",
    "the last report leaves out the candidates' tokens that an earlier one counts",
)];

/// Law 5, for everything that reports usage.
pub fn counting(usage: &Usage) -> Result<(), String> {
    let parts = usage.parts();
    // A report may name more kinds of output than it has output (a made-up one in OpenInference
    // does); what was named stands.
    let named = usage.reasoning_tokens
        + usage.output_audio_tokens
        + usage.output_image_tokens
        + usage.output_video_tokens;
    let totals = (usage.input_tokens, usage.output_tokens.max(named));
    if (parts.total_input(), parts.total_output()) != totals {
        return Err(format!("counting: {parts:?} is not {totals:?}"));
    }
    let both = usage.input_tokens + usage.output_tokens;
    // Azure-hosted Grok counts what was cached beside its total.
    let beside = usage.cache_read_tokens;
    match usage.total_tokens {
        Some(total) if total != both && total + beside != both => {
            Err(format!("counting: {} + {} is not {total}", usage.input_tokens, usage.output_tokens))
        }
        _ => Ok(()),
    }
}

/// Law 4, for event streams that decode as whole.
pub fn damage(
    protocol: &'static dyn Protocol,
    quirks: &Quirks,
    record: &Record,
    whole: &Decoded,
) -> Result<(), String> {
    let Some(text) = record.response.body_text.as_deref() else { return Ok(()) };
    let is_events = text.trim_start().starts_with(['d', 'e', ':']);
    if !is_streamed(record) || !is_events || whole.outcome.is_err() {
        return Ok(());
    }
    let lines: Vec<&str> = text.lines().collect();
    for (what, changed) in [
        ("CRLF", lines.join("\r\n") + "\r\n\r\n"),
        ("CR", lines.join("\r") + "\r\r"),
        (
            "comments",
            lines
                .iter()
                .map(|line| [*line, if line.is_empty() { "\n: ping\n\n" } else { "\n" }].concat())
                .collect(),
        ),
        ("a malformed event", format!("data: {{\"id\": \"x\", \"cho\n\n{text}")),
    ] {
        let decoded = decode_stream(protocol, quirks, [changed.as_bytes()]);
        if decoded.events != whole.events || decoded.outcome != whole.outcome {
            return Err(format!("damage: {what} changed the answer ({:?})", decoded.outcome));
        }
    }
    let mut chance = Chance::new(text.as_bytes());
    for _ in 0..RANDOM_ROUNDS {
        let cut = chance.below(text.len());
        let decoded = decode_stream(protocol, quirks, [&text.as_bytes()[..cut]]);
        if decoded.outcome.is_ok() && decoded.response.choices != whole.response.choices {
            return Err(format!("damage: cut at byte {cut} of {}, and taken for whole", text.len()));
        }
    }
    Ok(())
}

/// `body` cut at the sorted places `cuts`.
pub fn chunks<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(body.len()));
    starts.zip(ends).map(|(start, end)| &body[start..end]).collect()
}

/// A small deterministic source of numbers (xorshift64*), seeded by bytes: the same record is
/// always cut at the same places.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: &[u8]) -> Self {
        // FNV-1a; never 0, where xorshift would stay for ever.
        let hash = seed.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// A number in `0..limit`; 0 where `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(number).unwrap_or(0) % limit.max(1)
    }
}

/// The body that sends `parts` back to `model` as its own earlier answer, between two turns of the
/// user.
///
/// # Panics
/// Where the request cannot be written.
#[expect(clippy::expect_used, reason = "a test's helper fails as its body does")]
pub fn sent_back(protocol: &dyn Protocol, model: &str, parts: Vec<Part>) -> Value {
    let messages = vec![
        Message::text(Role::User, "Begin."),
        Message::new(Role::Assistant, parts),
        Message::text(Role::User, "Go on."),
    ];
    let request = ChatRequest { messages, ..ChatRequest::default() };
    let target = TargetContext { model, quirks: &Quirks::default(), max_output_tokens: None };
    let sent = protocol.encode_request(&request, &target).expect("a request");
    serde_json::from_slice(&sent.body).expect("a body of JSON")
}
