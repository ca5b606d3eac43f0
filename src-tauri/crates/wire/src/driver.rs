//! Frames → events: the one policy for everything that a stream can bring.
//!
//! | what comes | what the driver does |
//! |---|---|
//! | a known frame | passes it to the decoder, forwards its events |
//! | an unknown tag | counts it, goes on |
//! | a malformed frame | counts it, goes on: one bad chunk costs nothing but itself |
//! | an in-band error object | ends the stream with it, classified like an HTTP error |
//! | an HTML page or plain text with status 200 | `InvalidResponse` |
//! | one JSON document instead of a stream | an error if it is one, else the whole answer, unfolded |
//! | lines, none of which the protocol knows | `InvalidResponse` |
//! | a binary message whose checksum is wrong | `InvalidResponse` for this stream alone |
//! | a frame past the limit, or an answer past one of its own | `InvalidResponse` for this stream alone |
//! | the end before the terminal event | `Truncated` |

use canonical::fold::unfold;
use canonical::{Error, ErrorKind, Origin, StreamEvent};

use crate::frame::event_stream::{EventStreamError, EventStreamFramer};
use crate::frame::json_array::JsonArrayFramer;
use crate::frame::ndjson::NdjsonFramer;
use crate::frame::sse::SseFramer;
use crate::frame::{Frame, FrameTooLarge, MAX_FRAME_BYTES};
use crate::{FrameOutcome, Headers, Protocol, Quirks, StreamDecoder, StreamFraming, errors};

/// Parts of one answer: past it the provider counts nonsense. The longest recorded answer has 61.
const MAX_PARTS: u32 = 16 << 10;

/// Bytes of text, thought, signatures and arguments of one answer, which decoders, dialects and the
/// chat all hold until its end. A million tokens are some 5 MiB.
const MAX_CONTENT_BYTES: usize = 64 << 20;

/// Bytes of one stream, whatever they say. Log probabilities of twenty candidates make each token of
/// a long answer take some 3 KiB.
const MAX_STREAM_BYTES: usize = 1 << 30;

/// Counts of what was passed over; never content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamCounters {
    pub frames: u64,
    pub unknown: u64,
    pub malformed: u64,
    pub comments: u64,
}

/// One provider stream, from bytes to canonical events.
pub struct StreamDriver {
    framing: Framing,
    decoder: Box<dyn StreamDecoder>,
    protocol: &'static dyn Protocol,
    counters: StreamCounters,
    extent: Extent,
    has_failed: bool,
}

/// How large the answer is so far.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    stream_bytes: usize,
    content_bytes: usize,
}

impl Extent {
    fn add(&mut self, events: &[StreamEvent]) -> Result<(), Error> {
        for event in events {
            match event {
                StreamEvent::PartStart { index, .. } if *index >= MAX_PARTS => {
                    return Err(too_much(&format!("an answer of more than {MAX_PARTS} parts")));
                }
                StreamEvent::PartDelta { delta, .. } => self.content_bytes += delta.text().len(),
                _ => {}
            }
        }
        if self.content_bytes > MAX_CONTENT_BYTES {
            return Err(too_much(&format!("an answer of more than {} MiB", MAX_CONTENT_BYTES >> 20)));
        }
        Ok(())
    }
}

impl std::fmt::Debug for StreamDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamDriver")
            .field("protocol", &self.protocol)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// What the bytes turned out to be. Content types lie, so the first byte decides; where it is a
/// brace, which begins a document and a stream of lines alike, the protocol does.
#[derive(Debug)]
enum Framing {
    Undecided,
    Sse(SseFramer),
    EventStream(EventStreamFramer),
    JsonArray(JsonArrayFramer),
    Ndjson(NdjsonFramer),
    /// Not a stream at all: a JSON document, an HTML page or plain text, kept whole.
    Document(Vec<u8>),
}

impl StreamDriver {
    pub fn new(protocol: &'static dyn Protocol, quirks: &Quirks) -> Self {
        Self {
            framing: Framing::Undecided,
            decoder: protocol.stream_decoder(quirks),
            protocol,
            counters: StreamCounters::default(),
            extent: Extent::default(),
            has_failed: false,
        }
    }

    /// Takes the next bytes and appends the events that they complete. After an error the stream
    /// is over; what `out` holds by then had arrived.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if self.has_failed {
            return Ok(());
        }
        self.extent.stream_bytes += bytes.len();
        let outcome = if self.extent.stream_bytes > MAX_STREAM_BYTES {
            Err(too_much(&format!("more than {} MiB in one stream", MAX_STREAM_BYTES >> 20)))
        } else {
            self.push_framed(bytes, out)
        };
        self.has_failed = outcome.is_err();
        outcome
    }

    /// The byte stream ended in good order. `Truncated` where the protocol's own end is missing.
    pub fn finish(&mut self, out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if std::mem::replace(&mut self.has_failed, true) {
            return Ok(());
        }
        let (decoder, counters) = (&mut self.decoder, &mut self.counters);
        match &mut self.framing {
            Framing::Undecided => Err(truncated("The provider's answer was empty.")),
            Framing::Sse(framer) => {
                let mut deliver = |frame: Frame<'_>| decode(decoder.as_mut(), counters, frame, out);
                framer.finish(&mut deliver)?;
                self.counters.comments = framer.comments();
                if self.counters.frames == 0 && framer.strays() > 0 {
                    return Err(plain_text());
                }
                if self.counters.frames == 0 {
                    return Err(truncated("The provider opened a stream and sent nothing in it."));
                }
                self.decoder.end(out)
            }
            Framing::EventStream(framer) => {
                let is_amid = framer.is_amid();
                self.decoder.end(out)?;
                if is_amid { Err(truncated("The provider's answer broke off.")) } else { Ok(()) }
            }
            Framing::JsonArray(framer) => {
                let is_closed = framer.is_closed();
                self.decoder.end(out)?;
                if is_closed { Ok(()) } else { Err(truncated("The provider's answer broke off.")) }
            }
            Framing::Ndjson(framer) => {
                let whole_lines = counters.frames;
                let mut deliver = |frame: Frame<'_>| decode(decoder.as_mut(), counters, frame, out);
                framer.finish(&mut deliver)?;
                // A piece of a first line is a cut, not another protocol.
                if whole_lines > 0 && self.counters.malformed == self.counters.frames {
                    return Err(foreign());
                }
                self.decoder.end(out)
            }
            Framing::Document(body) => {
                let body = std::mem::take(body);
                self.decode_document(&body, out)
            }
        }
    }

    /// The connection broke. Ends open parts so that what had arrived is whole; the caller has the
    /// error.
    pub fn abandon(&mut self, out: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_failed, true) {
            // Whatever the decoder says of the end, the broken connection is the news.
            let _ = self.decoder.end(out);
        }
    }

    pub fn counters(&self) -> StreamCounters {
        self.counters
    }

    fn push_framed(&mut self, mut bytes: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if matches!(self.framing, Framing::Undecided) {
            let Some(first) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else {
                return Ok(());
            };
            bytes = &bytes[first..];
            self.framing = match bytes[0] {
                b'[' => Framing::JsonArray(JsonArrayFramer::default()),
                b'{' if self.protocol.framing() == StreamFraming::Lines => {
                    Framing::Ndjson(NdjsonFramer::default())
                }
                b'{' | b'<' => Framing::Document(Vec::new()),
                _ if self.protocol.framing() == StreamFraming::Binary => {
                    Framing::EventStream(EventStreamFramer::default())
                }
                _ => Framing::Sse(SseFramer::default()),
            };
        }
        let (decoder, counters, extent) = (&mut self.decoder, &mut self.counters, &mut self.extent);
        let mut deliver = |frame: Frame<'_>| {
            let before = out.len();
            decode(decoder.as_mut(), counters, frame, out)?;
            extent.add(&out[before..]).inspect_err(|_| {
                // What had arrived is whole; that it is too much is the news.
                let _ = decoder.end(out);
            })
        };
        match &mut self.framing {
            Framing::Sse(framer) => {
                let outcome = framer.push(bytes, &mut deliver).map_err(too_large)?;
                self.counters.comments = framer.comments();
                outcome
            }
            Framing::JsonArray(framer) => framer.push(bytes, &mut deliver).map_err(too_large)?,
            Framing::Ndjson(framer) => framer.push(bytes, &mut deliver).map_err(too_large)?,
            Framing::EventStream(framer) => match framer.push(bytes, &mut deliver) {
                Ok(outcome) => outcome,
                Err(error) => {
                    // What had arrived is whole; the broken message is the news.
                    let _ = self.decoder.end(out);
                    Err(match error {
                        EventStreamError::TooLarge(limit) => too_large(limit),
                        EventStreamError::Corrupt => corrupt(),
                    })
                }
            },
            Framing::Document(body) if body.len() + bytes.len() > MAX_FRAME_BYTES => {
                Err(too_large(FrameTooLarge))
            }
            Framing::Document(body) => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            Framing::Undecided => Ok(()),
        }
    }

    /// A provider that was asked for a stream and sent one document: the whole answer, or an error.
    fn decode_document(&mut self, body: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Error> {
        if let Some(error) = errors::in_band(self.protocol, 200, &Headers::default(), body) {
            return Err(error);
        }
        let response = self.decoder.whole(body)?;
        self.counters.frames += 1;
        out.extend(unfold(&response));
        Ok(())
    }
}

fn decode(
    decoder: &mut dyn StreamDecoder,
    counters: &mut StreamCounters,
    frame: Frame<'_>,
    out: &mut Vec<StreamEvent>,
) -> Result<(), Error> {
    counters.frames += 1;
    match decoder.frame(frame, out)? {
        FrameOutcome::Known => {}
        FrameOutcome::Unknown => counters.unknown += 1,
        FrameOutcome::Malformed => counters.malformed += 1,
    }
    Ok(())
}

fn truncated(message: &str) -> Error {
    Error::new(ErrorKind::Truncated, Origin::Provider, message)
}

/// Lines that are not the protocol's, all of them.
fn foreign() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "The provider answered with something that is not its protocol. \
         Check the base URL, and any proxy between here and the provider.",
    )
}

fn corrupt() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "A message of the provider's binary stream is broken (its checksum does not fit); the stream was ended.",
    )
}

fn plain_text() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Origin::Provider,
        "The provider answered with plain text instead of a stream. \
         Check the base URL, and any proxy between here and the provider.",
    )
}

pub(crate) fn too_large(_: FrameTooLarge) -> Error {
    too_much(&format!("one piece of more than {} MiB", MAX_FRAME_BYTES >> 20))
}

fn too_much(what: &str) -> Error {
    let message = format!("The provider sent {what}; the stream was ended.");
    Error::new(ErrorKind::InvalidResponse, Origin::Provider, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProtocolId;

    fn ollama() -> StreamDriver {
        StreamDriver::new(crate::protocol(ProtocolId::OllamaChat), &Quirks::default())
    }

    fn line(message: &str) -> String {
        format!("{{\"model\":\"m\",\"message\":{message},\"done\":false}}\n")
    }

    fn starts(events: &[StreamEvent]) -> usize {
        events.iter().filter(|event| matches!(event, StreamEvent::PartStart { .. })).count()
    }

    /// The stream failed for good, and every part that began has its end.
    fn assert_ended(driver: &mut StreamDriver, outcome: Result<(), Error>, says: &str) {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidResponse);
        assert!(error.message.contains(says), "{}", error.message);
        let mut more = Vec::new();
        driver.push(line("{\"content\":\"more\"}").as_bytes(), &mut more).unwrap();
        driver.finish(&mut more).unwrap();
        assert!(more.is_empty(), "the stream went on");
    }

    #[test]
    fn an_answer_has_no_more_parts_than_the_limit() {
        let (mut driver, mut events) = (ollama(), Vec::new());
        let calls = |count: usize| {
            let calls = vec![r#"{"function":{"name":"f","arguments":{}}}"#; count];
            line(&format!("{{\"tool_calls\":[{}]}}", calls.join(",")))
        };
        for _ in 0..MAX_PARTS / 128 {
            driver.push(calls(128).as_bytes(), &mut events).unwrap();
        }
        assert_eq!(starts(&events), MAX_PARTS as usize);
        let outcome = driver.push(calls(1).as_bytes(), &mut events);
        assert_ended(&mut driver, outcome, "16384 parts");
    }

    #[test]
    fn an_answer_holds_no_more_content_than_the_limit() {
        let (mut driver, mut events) = (ollama(), Vec::new());
        let mebibyte = line(&format!("{{\"content\":\"{}\"}}", "x".repeat(1 << 20)));
        for _ in 0..MAX_CONTENT_BYTES >> 20 {
            driver.push(mebibyte.as_bytes(), &mut events).unwrap();
            // What was read is the caller's; the driver only counts.
            events.retain(|event| !matches!(event, StreamEvent::PartDelta { .. }));
        }
        let outcome = driver.push(line("{\"content\":\"x\"}").as_bytes(), &mut events);
        assert!(matches!(events.last(), Some(StreamEvent::PartEnd { .. })), "a part is left open");
        assert_ended(&mut driver, outcome, "64 MiB");
    }

    #[test]
    fn a_stream_of_nothing_but_noise_ends_at_the_limit_too() {
        let (mut driver, mut events) = (ollama(), Vec::new());
        let blank = [b'\n'; 64];
        driver.push(line("{\"content\":\"x\"}").as_bytes(), &mut events).unwrap();
        // As if a gibibyte but for the last piece had gone by.
        driver.extent.stream_bytes = MAX_STREAM_BYTES - blank.len();
        driver.push(&blank, &mut events).unwrap();
        let outcome = driver.push(&blank, &mut events);
        assert_ended(&mut driver, outcome, "1024 MiB");
    }
}
