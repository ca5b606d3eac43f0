//! Bytes → frames. Each framing is a small machine fed with whatever the network delivers;
//! any split of the bytes gives the same frames.

pub mod event_stream;
pub mod json_array;
pub mod ndjson;
pub mod sse;

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

/// A frame grew past [`MAX_FRAME_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLarge;
