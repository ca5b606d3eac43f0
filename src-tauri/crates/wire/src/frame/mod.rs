//! Bytes → frames. Each framing is a small machine fed with whatever the network delivers;
//! any split of the bytes gives the same frames.

pub mod event_stream;
pub mod json_array;
pub mod ndjson;
pub mod sse;

use std::borrow::Cow;

/// Bytes of one frame that we are willing to hold. Gemini inlines base64 images, which reach a few
/// MiB; past this the provider is broken or hostile.
pub const MAX_FRAME_BYTES: usize = 32 << 20;

/// The highest number that a choice, a block or an item of an answer may have. Decoders keep a state
/// per number, and a provider that counts on for ever is not to grow them: past it a message is
/// malformed.
pub(crate) const MAX_INDEX: u64 = 16 << 10;

/// One message of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// SSE's `event:` field, where there is one; of a binary message, see [`event_stream`].
    pub event: Option<&'a str>,
    pub data: &'a str,
}

/// Bytes as text. Nearly all of them are, and the check for that is much faster than the repair.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A frame grew past [`MAX_FRAME_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLarge;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::event_stream::EventStreamFramer;
    use super::json_array::JsonArrayFramer;
    use super::ndjson::NdjsonFramer;
    use super::sse::SseFramer;
    use super::*;

    /// What a framer makes of bytes: its frames, and how it ended.
    type Read = (Vec<(Option<String>, String)>, String);

    #[expect(clippy::unnecessary_wraps, reason = "what a framer is given may fail")]
    fn note(frames: &mut Vec<(Option<String>, String)>, frame: Frame<'_>) -> Result<(), Infallible> {
        frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
        Ok(())
    }

    fn sse(chunks: &[&[u8]]) -> Read {
        let (mut framer, mut frames) = (SseFramer::default(), Vec::new());
        for chunk in chunks {
            let Ok(Ok(())) = framer.push(chunk, &mut |frame| note(&mut frames, frame)) else {
                unreachable!()
            };
        }
        let Ok(()) = framer.finish(&mut |frame| note(&mut frames, frame));
        (frames, format!("{} {}", framer.comments(), framer.strays()))
    }

    fn ndjson(chunks: &[&[u8]]) -> Read {
        let (mut framer, mut frames) = (NdjsonFramer::default(), Vec::new());
        for chunk in chunks {
            let Ok(Ok(())) = framer.push(chunk, &mut |frame| note(&mut frames, frame)) else {
                unreachable!()
            };
        }
        let Ok(()) = framer.finish(&mut |frame| note(&mut frames, frame));
        (frames, String::new())
    }

    fn json_array(chunks: &[&[u8]]) -> Read {
        let (mut framer, mut frames) = (JsonArrayFramer::default(), Vec::new());
        for chunk in chunks {
            let Ok(Ok(())) = framer.push(chunk, &mut |frame| note(&mut frames, frame)) else {
                unreachable!()
            };
        }
        (frames, framer.is_closed().to_string())
    }

    fn event_stream(chunks: &[&[u8]]) -> Read {
        let (mut framer, mut frames) = (EventStreamFramer::default(), Vec::new());
        for chunk in chunks {
            if let Err(error) = framer.push(chunk, &mut |frame| note(&mut frames, frame)) {
                return (frames, format!("{error:?}"));
            }
        }
        (frames, framer.is_amid().to_string())
    }

    /// Bytes that mean something to a framer, more often than chance would have it.
    fn telling_bytes() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            prop::sample::select(vec![
                &b"data: "[..],
                b"data",
                b"event: ",
                b": ",
                b"\r",
                b"\n",
                b"\r\n",
                b"\n\n",
                b"[",
                b"]",
                b"{",
                b"}",
                b"\"",
                b"\\",
                b",",
                b"\xEF\xBB\xBF",
                b"\xC3",
                b"\xBC",
                b"\0\0\0\x10",
                b"\0\0\0\0\x05\xc2\x48\xeb",
            ])
            .prop_map(<[u8]>::to_vec),
            prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        /// Network chunking carries no meaning: any bytes, cut anywhere, give the same frames.
        #[test]
        fn any_cut_of_any_bytes_gives_the_same_frames(
            bytes in telling_bytes(),
            one in any::<prop::sample::Index>(),
            two in any::<prop::sample::Index>(),
        ) {
            let (one, two) = (one.index(bytes.len() + 1), two.index(bytes.len() + 1));
            let (one, two) = (one.min(two), one.max(two));
            let cut = [&bytes[..one], &bytes[one..two], &bytes[two..]];
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            for framer in [sse, ndjson, json_array, event_stream] {
                let whole = framer(&[&bytes]);
                prop_assert_eq!(framer(&cut), whole.clone());
                prop_assert_eq!(framer(&singles), whole);
            }
        }
    }
}
