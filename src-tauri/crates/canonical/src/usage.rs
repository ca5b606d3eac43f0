//! Token counts, in one convention: OpenTelemetry's, where a total includes its subsets.

use serde::{Deserialize, Serialize};

use crate::PicoUsd;

/// What a provider reports that an answer used. Each decoder converts on entry, whatever its wire
/// counts how: `input_tokens` **includes** cache reads, cache writes and media, `output_tokens`
/// **includes** reasoning and media. Subsets never exceed their total: a decoder that meets a
/// report where they do raises the total (Azure-hosted Grok) or clamps the subset (reasoning at
/// OpenRouter), as the corpus shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub input_tokens: u64,
    /// Read from the provider's cache; ⊂ input.
    pub cache_read_tokens: u64,
    /// Of the reads, those from a cache that the request named (Alibaba's explicit cache).
    pub cache_read_explicit_tokens: u64,
    /// Written to the cache, all lifetimes together; ⊂ input, disjoint from reads.
    pub cache_write_tokens: u64,
    /// Of the writes, those with a lifetime of one hour.
    pub cache_write_1h_tokens: u64,
    /// Of the writes, those with a lifetime of twelve hours.
    pub cache_write_12h_tokens: u64,
    /// ⊂ input, cached ones included.
    pub input_audio_tokens: u64,
    /// ⊂ input, cached ones included.
    pub input_image_tokens: u64,
    /// ⊂ input, cached ones included.
    pub input_video_tokens: u64,
    /// ⊂ cache reads and ⊂ input audio.
    pub cache_read_audio_tokens: u64,
    /// ⊂ cache reads and ⊂ input image.
    pub cache_read_image_tokens: u64,
    /// Brought in by the provider's own tools; ⊂ input (Gemini's `toolUsePromptTokenCount`).
    pub tool_use_tokens: u64,
    pub output_tokens: u64,
    /// ⊂ output.
    pub reasoning_tokens: u64,
    /// What the provider called reasoning, where that exceeds the output it is counted in: not
    /// tokens of this answer by any sum, but some bill it (Vercel's gateway).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_reasoning_tokens: Option<u64>,
    /// ⊂ output.
    pub output_audio_tokens: u64,
    /// ⊂ output.
    pub output_image_tokens: u64,
    /// ⊂ output.
    pub output_video_tokens: u64,
    /// Perplexity's citation tokens; not part of input or output.
    pub citation_tokens: u64,
    /// Searches that the provider ran.
    pub web_searches: u64,
    /// How much the searches read (`low`, `medium`, `high`); their price hangs on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_context_size: Option<String>,
    /// Calls of the provider's other tools that may be billed beside their tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Box<[ToolCalls]>>,
    /// The passes that the answer was made in, where they were counted apart: what was charged is
    /// their sum, each at its own model's price. The totals above need not hold all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<Box<[Pass]>>,
    /// All that is charged for, where the provider says that it is not what was read and written
    /// (Cohere leaves its own template out). Boxed, since few say so and every event has its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed: Option<Box<BilledTokens>>,
    /// The provider's own total, as it said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
    /// What the provider says that the answer cost. Where it relays with its caller's own key at
    /// another provider, both bills together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_cost: Option<PicoUsd>,
    /// The tier that the provider says it used (`default`, `priority`, `batch`, …).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// Anthropic: where inference ran (`us`, `global`, …); a price multiplier may hang on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference_geo: Option<String>,
    /// Anthropic: `fast` where fast mode answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// Counted by us because the provider reported nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_estimated: bool,
}

/// Tokens that are charged for, beside those that were counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledTokens {
    pub input: u64,
    pub output: u64,
}

/// How often one of the provider's own tools ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCalls {
    /// As price lists name it (`file_search`).
    pub tool: String,
    pub count: u64,
}

/// One pass of a model over the conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pass {
    /// `None` for the model that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Cache reads and writes included.
    pub input_tokens: u64,
    /// ⊂ input.
    pub cache_read_tokens: u64,
    /// ⊂ input, disjoint from reads.
    pub cache_write_tokens: u64,
    /// ⊂ cache writes.
    pub cache_write_1h_tokens: u64,
    pub output_tokens: u64,
}

impl Pass {
    /// The pass as a report of its own.
    pub fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.input_tokens,
            cache_read_tokens: self.cache_read_tokens,
            cache_write_tokens: self.cache_write_tokens,
            cache_write_1h_tokens: self.cache_write_1h_tokens,
            output_tokens: self.output_tokens,
            ..Usage::default()
        }
    }
}

/// The same tokens split so that each is in exactly one part; what prices are applied to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageParts {
    /// Text input that was neither read from nor written to a cache.
    pub input: u64,
    pub input_audio: u64,
    pub input_image: u64,
    pub input_video: u64,
    pub cache_read: u64,
    pub cache_read_audio: u64,
    pub cache_read_image: u64,
    pub cache_read_explicit: u64,
    /// Default lifetime (5 minutes at Anthropic).
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub cache_write_12h: u64,
    pub output: u64,
    pub reasoning: u64,
    pub output_audio: u64,
    pub output_image: u64,
    pub output_video: u64,
}

impl UsageParts {
    pub fn total_input(&self) -> u64 {
        sum(&[
            self.input,
            self.input_audio,
            self.input_image,
            self.input_video,
            self.cache_read,
            self.cache_read_audio,
            self.cache_read_image,
            self.cache_read_explicit,
            self.cache_write,
            self.cache_write_1h,
            self.cache_write_12h,
        ])
    }

    pub fn total_output(&self) -> u64 {
        sum(&[self.output, self.reasoning, self.output_audio, self.output_image, self.output_video])
    }
}

impl UsageParts {
    /// Few reports say how much of the cached input was media. Where both together exceed the
    /// whole by `overlap` tokens, so many are both, and are counted once: as cached.
    fn cache_media_that_must_be(&mut self, mut overlap: u64) {
        for (media, cached) in [
            (&mut self.input_audio, &mut self.cache_read_audio),
            (&mut self.input_image, &mut self.cache_read_image),
        ] {
            let moved = overlap.min(*media).min(self.cache_read);
            *media -= moved;
            *cached += moved;
            self.cache_read -= moved;
            overlap -= moved;
        }
        // Cached video has no price of its own: it stays where it is counted already.
        self.input_video -= overlap.min(self.input_video).min(self.cache_read);
    }
}

/// A report may say anything; a sum past its range stays at the end of it.
fn sum(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(*part))
}

impl Usage {
    /// The disjoint parts. Media that must have been read from the cache is counted there. Where
    /// subsets still claim more than their total, the plain part is 0 and the subsets stand: what
    /// was named is never dropped.
    pub fn parts(&self) -> UsageParts {
        // Each subset takes what the ones before it left of its total.
        let cache_read_audio = self.cache_read_audio_tokens.min(self.cache_read_tokens);
        let read = self.cache_read_tokens - cache_read_audio;
        let cache_read_image = self.cache_read_image_tokens.min(read);
        let read = read - cache_read_image;
        let cache_read_explicit = self.cache_read_explicit_tokens.min(read);
        let cache_write_1h = self.cache_write_1h_tokens.min(self.cache_write_tokens);
        let written = self.cache_write_tokens - cache_write_1h;
        let cache_write_12h = self.cache_write_12h_tokens.min(written);
        let named_output = sum(&[
            self.reasoning_tokens,
            self.output_audio_tokens,
            self.output_image_tokens,
            self.output_video_tokens,
        ]);
        let mut parts = UsageParts {
            input: 0,
            input_audio: self.input_audio_tokens.saturating_sub(cache_read_audio),
            input_image: self.input_image_tokens.saturating_sub(cache_read_image),
            input_video: self.input_video_tokens,
            cache_read: read - cache_read_explicit,
            cache_read_audio,
            cache_read_image,
            cache_read_explicit,
            cache_write: written - cache_write_12h,
            cache_write_1h,
            cache_write_12h,
            output: self.output_tokens.saturating_sub(named_output),
            reasoning: self.reasoning_tokens,
            output_audio: self.output_audio_tokens,
            output_image: self.output_image_tokens,
            output_video: self.output_video_tokens,
        };
        parts.cache_media_that_must_be(parts.total_input().saturating_sub(self.input_tokens));
        parts.input = self.input_tokens.saturating_sub(parts.total_input());
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn media_that_must_have_been_cached_is_counted_once() {
        let usage = Usage {
            input_tokens: 1000,
            cache_read_tokens: 800,
            input_audio_tokens: 300,
            input_video_tokens: 200,
            ..Usage::default()
        };
        let parts = usage.parts();
        assert_eq!((parts.input_audio, parts.cache_read_audio), (0, 300));
        assert_eq!((parts.cache_read, parts.input_video, parts.input), (500, 200, 0));
        assert_eq!(parts.total_input(), 1000);
        let parts = Usage { input_audio_tokens: 0, input_video_tokens: 900, ..usage }.parts();
        assert_eq!((parts.cache_read, parts.input_video, parts.input), (800, 200, 0));
    }

    proptest! {
        /// Whatever a consistent report says, its parts sum to its totals.
        #[test]
        fn parts_are_disjoint_and_sum_to_the_totals(
            plain in 0..1_000_000_u64, read in 0..1_000_000_u64, write in 0..1_000_000_u64, hour in 0..1_000_000_u64,
            audio in 0..1_000_u64, text in 0..1_000_000_u64, reasoning in 0..1_000_000_u64,
        ) {
            let usage = Usage {
                input_tokens: plain + read + write + audio,
                cache_read_tokens: read,
                cache_write_tokens: write,
                cache_write_1h_tokens: hour.min(write),
                input_audio_tokens: audio,
                output_tokens: text + reasoning,
                reasoning_tokens: reasoning,
                ..Usage::default()
            };
            let parts = usage.parts();
            prop_assert_eq!(parts.total_input(), usage.input_tokens);
            prop_assert_eq!(parts.total_output(), usage.output_tokens);
            prop_assert_eq!(parts.input, plain);
            prop_assert_eq!(parts.output, text);
        }
    }
}
