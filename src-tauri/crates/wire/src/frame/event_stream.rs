//! AWS' binary event stream (`application/vnd.amazon.eventstream`): messages of typed headers and a
//! payload, each with a checksum over its lengths and one over the whole.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html>
//!
//! Messages are found by their lengths alone, so behind a broken one nothing can be found again: it
//! ends its stream.

use aws_smithy_eventstream::frame::read_message_from;

use super::{Frame, FrameTooLarge, MAX_FRAME_BYTES, text};

/// Total length, length of the headers and the checksum of both, four bytes each.
const PRELUDE_BYTES: usize = 12;

/// A message without headers and payload: the prelude and the checksum of the whole.
const MIN_MESSAGE_BYTES: usize = PRELUDE_BYTES + 4;

/// Why nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventStreamError {
    TooLarge(FrameTooLarge),
    /// A checksum does not fit, or the lengths and headers make no sense.
    Corrupt,
}

/// What stands before and behind the event's type in the headers of an event. Nearly every message
/// has exactly these, so that the parser, which copies each header, is needed for the others alone.
const BEFORE_TYPE: &[u8] = b"\x0b:event-type\x07\x00";
const BEHIND_TYPE: &[u8] = b"\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event";

/// Cuts the bytes into messages.
///
/// A frame's `event` is an event's `:event-type`. An exception's is `exception:` with its
/// `:exception-type`, an error's `error:` with its `:error-code`, and then `data` is its message.
#[derive(Debug, Default)]
pub struct EventStreamFramer {
    /// The beginning of the next message; never more than its own length.
    pending: Vec<u8>,
}

impl EventStreamFramer {
    /// Takes the next bytes and hands each complete message to `deliver`; stops at its first error.
    pub fn push<E>(
        &mut self,
        mut bytes: &[u8],
        deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, EventStreamError> {
        loop {
            if self.pending.is_empty() {
                let wanted = wanted(bytes)?;
                if wanted > PRELUDE_BYTES && bytes.len() >= wanted {
                    let (whole, later) = bytes.split_at(wanted);
                    bytes = later;
                    match message(whole, deliver)? {
                        Ok(()) => continue,
                        Err(error) => return Ok(Err(error)),
                    }
                }
            }
            let wanted = wanted(&self.pending)?;
            let take = wanted.saturating_sub(self.pending.len()).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() < wanted {
                return Ok(Ok(()));
            }
            if wanted > PRELUDE_BYTES {
                let outcome = message(&self.pending, deliver);
                self.pending.clear();
                match outcome? {
                    Ok(()) => {}
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
    }

    /// Whether a message has begun and not ended.
    pub fn is_amid(&self) -> bool {
        !self.pending.is_empty()
    }
}

/// Hands a whole message on.
fn message<E>(
    bytes: &[u8],
    deliver: &mut impl FnMut(Frame<'_>) -> Result<(), E>,
) -> Result<Result<(), E>, EventStreamError> {
    if let Some((event, payload)) = usual(bytes) {
        if !has_good_checksum(bytes) {
            return Err(EventStreamError::Corrupt);
        }
        let data = &text(payload);
        return Ok(deliver(Frame { event: Some(event), data }));
    }
    let message = read_message_from(bytes).map_err(|_| EventStreamError::Corrupt)?;
    let header = |name: &str| {
        let found = message.headers().iter().find(|header| header.name().as_str() == name)?;
        Some(found.value().as_string().ok()?.as_str())
    };
    let payload = text(message.payload());
    let named = |kind: &str, name: &str| format!("{kind}:{}", header(name).unwrap_or_default());
    Ok(match header(":message-type") {
        Some("exception") => {
            deliver(Frame { event: Some(&named("exception", ":exception-type")), data: &payload })
        }
        Some("error") => deliver(Frame {
            event: Some(&named("error", ":error-code")),
            data: header(":error-message").unwrap_or(&payload),
        }),
        _ => deliver(Frame { event: header(":event-type"), data: &payload }),
    })
}

/// How many of `message`'s bytes there must be before something can be done with it.
fn wanted(message: &[u8]) -> Result<usize, EventStreamError> {
    let Some((prelude, _)) = message.split_first_chunk::<PRELUDE_BYTES>() else {
        return Ok(PRELUDE_BYTES);
    };
    if word(prelude, 8) != Some(crc32fast::hash(&prelude[..8])) {
        return Err(EventStreamError::Corrupt);
    }
    match word(prelude, 0).map(usize::try_from) {
        Some(Ok(length @ MIN_MESSAGE_BYTES..=MAX_FRAME_BYTES)) => Ok(length),
        Some(Ok(0..MIN_MESSAGE_BYTES)) => Err(EventStreamError::Corrupt),
        _ => Err(EventStreamError::TooLarge(FrameTooLarge)),
    }
}

/// The type and payload of a whole message with the usual headers.
fn usual(message: &[u8]) -> Option<(&str, &[u8])> {
    let headers = usize::try_from(word(message, 4)?).ok()?;
    let content = message.get(PRELUDE_BYTES..message.len().checked_sub(4)?)?;
    let (headers, payload) = content.split_at_checked(headers)?;
    let kind = headers.strip_prefix(BEFORE_TYPE)?.strip_suffix(BEHIND_TYPE)?;
    let (length, kind) = kind.split_first()?;
    (usize::from(*length) == kind.len()).then(|| std::str::from_utf8(kind).ok())?.map(|kind| (kind, payload))
}

/// Whether a whole message's last word is the checksum of what stands before it.
fn has_good_checksum(message: &[u8]) -> bool {
    message
        .split_last_chunk::<4>()
        .is_some_and(|(said, checksum)| crc32fast::hash(said) == u32::from_be_bytes(*checksum))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// A message as the specification writes it, apart from the parser's own writer.
    fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut head = Vec::new();
        for (name, value) in headers {
            head.push(u8::try_from(name.len()).unwrap());
            head.extend_from_slice(name.as_bytes());
            // 7 is text.
            head.push(7);
            head.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            head.extend_from_slice(value.as_bytes());
        }
        let total = u32::try_from(MIN_MESSAGE_BYTES + head.len() + payload.len()).unwrap();
        let mut bytes = total.to_be_bytes().to_vec();
        bytes.extend_from_slice(&u32::try_from(head.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    fn event(kind: &str, payload: &str) -> Vec<u8> {
        message(&[(":message-type", "event"), (":event-type", kind)], payload.as_bytes())
    }

    fn stream() -> Vec<u8> {
        [
            event("messageStart", r#"{"role":"assistant"}"#),
            event("contentBlockDelta", r#"{"delta":{"text":"Grüße"}}"#),
            message(&[], b""),
            message(
                &[(":exception-type", "throttlingException"), (":message-type", "exception")],
                br#"{"message":"Slow down."}"#,
            ),
            message(
                &[
                    (":message-type", "error"),
                    (":error-code", "InternalFailure"),
                    (":error-message", "Broken."),
                ],
                b"",
            ),
        ]
        .concat()
    }

    type Frames = Vec<(Option<String>, String)>;

    fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Frames, Result<bool, EventStreamError>) {
        let mut framer = EventStreamFramer::default();
        let mut found = Vec::new();
        for chunk in chunks {
            let outcome = framer.push(chunk, &mut |frame| {
                found.push((frame.event.map(str::to_owned), frame.data.to_owned()));
                Ok::<(), Infallible>(())
            });
            if let Err(error) = outcome {
                return (found, Err(error));
            }
        }
        (found, Ok(framer.is_amid()))
    }

    #[test]
    fn every_kind_of_message_becomes_a_frame_of_its_name() {
        let (found, outcome) = frames([stream().as_slice()]);
        assert_eq!(outcome, Ok(false));
        let shown: Vec<(Option<&str>, &str)> =
            found.iter().map(|(event, data)| (event.as_deref(), data.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Some("messageStart"), r#"{"role":"assistant"}"#),
                (Some("contentBlockDelta"), r#"{"delta":{"text":"Grüße"}}"#),
                (None, ""),
                (Some("exception:throttlingException"), r#"{"message":"Slow down."}"#),
                (Some("error:InternalFailure"), "Broken."),
            ]
        );
    }

    #[test]
    fn one_wrong_bit_anywhere_ends_the_stream_and_keeps_what_came_before_it() {
        let (first, second) = (event("a", "{}"), event("b", "{\"text\":\"word\"}"));
        for at in 0..second.len() * 8 {
            let mut broken = second.clone();
            broken[at / 8] ^= 1 << (at % 8);
            let (found, outcome) = frames([first.as_slice(), &broken, &second]);
            assert_eq!(outcome, Err(EventStreamError::Corrupt), "bit {at}");
            assert_eq!(found.len(), 1, "bit {at}");
        }
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_kept_for_it() {
        let prelude = |total: u32, headers: u32| {
            let mut bytes = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
            bytes
        };
        let too_large = Err(EventStreamError::TooLarge(FrameTooLarge));
        for (total, expected) in [
            (0, Err(EventStreamError::Corrupt)),
            (15, Err(EventStreamError::Corrupt)),
            (u32::try_from(MAX_FRAME_BYTES).unwrap() + 1, too_large),
            (u32::MAX, too_large),
        ] {
            assert_eq!(frames([prelude(total, 0).as_slice()]).1, expected, "{total}");
        }
        // Headers longer than their message.
        let mut bytes = prelude(20, 900);
        bytes.extend_from_slice(&[0; 8]);
        assert_eq!(frames([bytes.as_slice()]).1, Err(EventStreamError::Corrupt));
    }

    proptest! {
        /// Network chunking carries no meaning: any split decodes alike.
        #[test]
        fn framing_ignores_chunk_boundaries(mut cuts in prop::collection::vec(0..stream().len(), 0..12)) {
            let bytes = stream();
            cuts.sort_unstable();
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let ends = cuts.iter().copied().chain(std::iter::once(bytes.len()));
            let chunks: Vec<&[u8]> = starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect();
            prop_assert_eq!(frames(chunks), frames([bytes.as_slice()]));
        }

        /// A cut is seen as one, wherever it falls between two messages' edges.
        #[test]
        fn a_cut_message_is_known_as_one(cut in 0..stream().len()) {
            let bytes = stream();
            let edges: Vec<usize> = std::iter::successors(Some(0), |at| {
                let total = bytes.get(*at..at + 4)?.try_into().ok().map(u32::from_be_bytes)?;
                Some(at + usize::try_from(total).ok()?)
            }).collect();
            let (_, outcome) = frames([&bytes[..cut]]);
            prop_assert_eq!(outcome, Ok(!edges.contains(&cut)));
        }

        /// Whatever comes, nothing panics, also where the checksums are right.
        #[test]
        fn no_bytes_panic(noise in prop::collection::vec(any::<u8>(), 0..200), head in 0_usize..60) {
            let _ = frames([noise.as_slice()]);
            let head = head.min(noise.len());
            let total = u32::try_from(MIN_MESSAGE_BYTES + noise.len()).unwrap();
            let mut bytes = total.to_be_bytes().to_vec();
            bytes.extend_from_slice(&u32::try_from(head).unwrap().to_be_bytes());
            bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
            bytes.extend_from_slice(&noise);
            bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
            let _ = frames([bytes.as_slice()]);
        }
    }
}
