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
    /// Written to the cache, all lifetimes together; ⊂ input, disjoint from reads.
    pub cache_write_tokens: u64,
    /// Of the writes, those with a lifetime of one hour.
    pub cache_write_1h_tokens: u64,
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
    /// Perplexity's citation tokens; not part of input or output.
    pub citation_tokens: u64,
    /// Searches that the provider ran.
    pub web_searches: u64,
    /// The provider's own total, as it said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
    /// What the provider says it charged.
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
    /// Default lifetime (5 minutes at Anthropic).
    pub cache_write: u64,
    pub cache_write_1h: u64,
    pub output: u64,
    pub reasoning: u64,
    pub output_audio: u64,
    pub output_image: u64,
}

impl UsageParts {
    pub fn total_input(&self) -> u64 {
        self.input
            + self.input_audio
            + self.input_image
            + self.input_video
            + self.cache_read
            + self.cache_read_audio
            + self.cache_read_image
            + self.cache_write
            + self.cache_write_1h
    }

    pub fn total_output(&self) -> u64 {
        self.output + self.reasoning + self.output_audio + self.output_image
    }
}

impl Usage {
    /// The disjoint parts. Where subsets claim more than their total, the plain part is 0 and the
    /// subsets stand: what was named is never dropped.
    pub fn parts(&self) -> UsageParts {
        let cache_read_audio = self.cache_read_audio_tokens.min(self.cache_read_tokens);
        let cache_read_image = self.cache_read_image_tokens.min(self.cache_read_tokens - cache_read_audio);
        let cache_write_1h = self.cache_write_1h_tokens.min(self.cache_write_tokens);
        let input_audio = self.input_audio_tokens.saturating_sub(cache_read_audio);
        let input_image = self.input_image_tokens.saturating_sub(cache_read_image);
        // A report may say anything; a sum past its range stays at the end of it.
        let sum = |parts: &[u64]| parts.iter().fold(0, |sum: u64, part| sum.saturating_add(*part));
        let named_input = sum(&[
            self.cache_read_tokens,
            self.cache_write_tokens,
            input_audio,
            input_image,
            self.input_video_tokens,
        ]);
        let named_output = sum(&[self.reasoning_tokens, self.output_audio_tokens, self.output_image_tokens]);
        UsageParts {
            input: self.input_tokens.saturating_sub(named_input),
            input_audio,
            input_image,
            input_video: self.input_video_tokens,
            cache_read: self.cache_read_tokens - cache_read_audio - cache_read_image,
            cache_read_audio,
            cache_read_image,
            cache_write: self.cache_write_tokens - cache_write_1h,
            cache_write_1h,
            output: self.output_tokens.saturating_sub(named_output),
            reasoning: self.reasoning_tokens,
            output_audio: self.output_audio_tokens,
            output_image: self.output_image_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
