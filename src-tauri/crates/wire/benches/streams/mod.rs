//! The recorded streams that decoders are measured with, and the two ways of reading them.
#![expect(clippy::expect_used, reason = "A record that cannot be read has stopped the benchmark.")]

use std::path::PathBuf;

use base64::Engine as _;
use canonical::StreamEvent;
use serde_json::Value;
use wire::driver::StreamDriver;
use wire::{ProtocolId, Quirks};

/// What one read from the network brings.
const NETWORK_BYTES: usize = 16 << 10;

/// A message of the binary stream without headers and payload.
const MIN_MESSAGE_BYTES: usize = 16;

/// Every recorded stream of one protocol, each an answer of its own.
pub(crate) struct Streams {
    pub(crate) protocol: ProtocolId,
    pub(crate) bodies: Vec<Vec<u8>>,
}

impl Streams {
    /// The set of that name, where it is here and has streams of the protocol.
    #[allow(dead_code, reason = "The allocations are counted of the fixtures alone.")]
    pub(crate) fn of(set: &str, protocol: ProtocolId) -> Option<Self> {
        if set == "corpus" { Self::of_corpus(protocol) } else { Some(Self::of_fixtures(protocol)) }
    }

    /// The project's own fixtures, which are always here.
    pub(crate) fn of_fixtures(protocol: ProtocolId) -> Self {
        let path = project().join(format!("tests/fixtures/wire/{protocol}.jsonl"));
        Self { protocol, bodies: bodies(&std::fs::read_to_string(path).expect("fixtures")) }
    }

    /// The whole corpus, where it lies beside the project.
    #[allow(dead_code, reason = "The allocations are counted of the fixtures alone.")]
    pub(crate) fn of_corpus(protocol: ProtocolId) -> Option<Self> {
        let files = std::fs::read_dir(project().join("../shared/corpus")).ok()?;
        let name = format!(".{protocol}.jsonl");
        let texts = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with(&name))
            .filter_map(|path| std::fs::read_to_string(path).ok());
        let bodies: Vec<_> = texts.flat_map(|text| bodies(&text)).collect();
        (!bodies.is_empty()).then_some(Self { protocol, bodies })
    }

    #[allow(dead_code, reason = "The allocations are counted, not timed.")]
    pub(crate) fn bytes(&self) -> usize {
        self.bodies.iter().map(Vec::len).sum()
    }

    /// Our way: driver and decoder, fed as the network would.
    pub(crate) fn decode(&self, quirks: &Quirks, mut take: impl FnMut(StreamEvent)) {
        let mut events = Vec::new();
        for body in &self.bodies {
            let mut driver = StreamDriver::new(wire::protocol(self.protocol), quirks);
            for chunk in body.chunks(NETWORK_BYTES) {
                if driver.push(chunk, &mut events).is_err() {
                    break;
                }
                events.drain(..).for_each(&mut take);
            }
            // Some recorded streams end in an error or a cut; that is a reading too.
            let _ = driver.finish(&mut events);
            events.drain(..).for_each(&mut take);
        }
    }

    /// The plain way: no framer, no checks; each payload read into a `Value` and dropped.
    pub(crate) fn read_plainly(&self, mut take: impl FnMut(Value)) {
        for body in &self.bodies {
            if self.protocol == ProtocolId::BedrockConverse {
                payloads(body).filter_map(|json| serde_json::from_slice(json).ok()).for_each(&mut take);
            } else if body.first() == Some(&b'[') {
                serde_json::from_slice(body).into_iter().for_each(&mut take);
            } else {
                let lines =
                    body.split(|byte| *byte == b'\n').map(|line| line.strip_prefix(b"data:").unwrap_or(line));
                lines.filter_map(json).for_each(&mut take);
            }
        }
    }
}

/// A line's payload, where it is one: names of events, blank lines and `[DONE]` are not.
fn json(line: &[u8]) -> Option<Value> {
    let line = line.trim_ascii();
    line.starts_with(b"{").then(|| serde_json::from_slice(line).ok())?
}

/// The payloads of AWS' binary messages, by their lengths alone.
fn payloads(mut body: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let word = |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?) as usize);
        let (total, headers) = (word(0)?, word(4)?);
        let message = body.get(..total).filter(|message| message.len() >= MIN_MESSAGE_BYTES + headers)?;
        body = &body[total..];
        Some(&message[12 + headers..total - 4])
    })
}

fn bodies(jsonl: &str) -> Vec<Vec<u8>> {
    let records = jsonl.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    records
        .filter(|record| record["stream"] == true && record["response"]["status"] == 200)
        .filter_map(|record| {
            let response = &record["response"];
            match (response["body_text"].as_str(), response["body_base64"].as_str()) {
                (Some(text), _) => Some(text.as_bytes().to_vec()),
                (None, coded) => base64::engine::general_purpose::STANDARD.decode(coded?).ok(),
            }
        })
        .collect()
}

fn project() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."))
}
