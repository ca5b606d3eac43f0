//! Usage split into parts that share no token, each under the rate that prices it.

use canonical::Usage;

use super::rules::ProviderRules;
use crate::prices::Rate;

/// Tokens per rate; a token is under one rate only.
#[derive(Debug)]
pub(super) struct Parts(Vec<(Rate, u64)>);

pub(super) fn split(usage: &Usage, rules: ProviderRules) -> Parts {
    // What is billed is one count for each way; the provider has split it no further.
    if let Some(billed) = &usage.billed {
        return Parts(vec![(Rate::Input, billed.input), (Rate::Output, billed.output)]);
    }
    let parts = usage.parts();
    // What other tools of the provider brought in is charged. Where both searched and other tools
    // ran, the report does not tell them apart, and the search is what is known to have run.
    let uncharged =
        if rules.search_results_are_free && usage.web_searches > 0 { usage.tool_use_tokens } else { 0 };
    let (output, reasoning) = if rules.reasoning_is_on_top {
        let stated = usage.stated_reasoning_tokens.unwrap_or(parts.reasoning);
        (parts.output.saturating_add(parts.reasoning), stated)
    } else {
        (parts.output, parts.reasoning)
    };
    Parts(vec![
        (Rate::Input, parts.input.saturating_sub(uncharged)),
        (Rate::CacheRead, parts.cache_read),
        (Rate::CacheReadAudio, parts.cache_read_audio),
        (Rate::CacheReadImage, parts.cache_read_image),
        (Rate::CacheReadExplicit, parts.cache_read_explicit),
        (Rate::CacheWrite, parts.cache_write),
        (Rate::CacheWrite1h, parts.cache_write_1h),
        (Rate::CacheWrite12h, parts.cache_write_12h),
        (Rate::InputAudio, parts.input_audio),
        (Rate::InputImage, parts.input_image),
        (Rate::InputVideo, parts.input_video),
        (Rate::Output, output),
        (Rate::Reasoning, reasoning),
        (Rate::OutputAudio, parts.output_audio),
        (Rate::OutputImage, parts.output_image),
        (Rate::OutputVideo, parts.output_video),
        (Rate::Citation, usage.citation_tokens),
    ])
}

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, tokens)| *tokens == 0)
    }

    /// Uncached, read and written, all kinds; what prompt-size rows are chosen by.
    pub(super) fn total_input(&self) -> u64 {
        let inputs = self.0.iter().filter(|(rate, _)| is_input(*rate));
        inputs.fold(0_u64, |sum, (_, tokens)| sum.saturating_add(*tokens))
    }

    /// The parts that hold tokens. Where `reasoning_covers_answer`, one reasoning token puts the
    /// whole answer under the `reasoning` rate.
    pub(super) fn priced_as(&self, reasoning_covers_answer: bool) -> Vec<(Rate, u64)> {
        let has_reasoning = self.0.iter().any(|(rate, tokens)| *rate == Rate::Reasoning && *tokens > 0);
        let mut priced = Vec::new();
        let mut covered = 0_u64;
        for (rate, tokens) in self.0.iter().copied().filter(|(_, tokens)| *tokens > 0) {
            if reasoning_covers_answer && has_reasoning && is_output(rate) {
                covered = covered.saturating_add(tokens);
            } else {
                priced.push((rate, tokens));
            }
        }
        if covered > 0 {
            priced.push((Rate::Reasoning, covered));
        }
        priced
    }
}

const fn is_output(rate: Rate) -> bool {
    matches!(rate, Rate::Output | Rate::Reasoning | Rate::OutputAudio | Rate::OutputImage | Rate::OutputVideo)
}

const fn is_input(rate: Rate) -> bool {
    !is_output(rate) && !matches!(rate, Rate::Citation)
}
