//! Everyone's counts → canonical usage, where totals include their subsets.
//!
//! OpenAI's own totals do. Where another provider's do not, its own sum gives it away:
//! `total_tokens` says whether a count stands within `prompt_tokens` and `completion_tokens` or
//! beside them. The cases are those of the recorded corpus.

use canonical::{PicoUsd, Usage};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::charges::{ServerSideTools, with_own_key};
use crate::json::reading;
use crate::openai_chat::types;

/// One tick of `cost_in_usd_ticks` in pico-dollars (10⁻¹⁰ dollars).
const PICO_PER_TICK: u64 = 100;

/// The usage in `raw`, and the fields that canonical usage has no word for, for clients of the
/// family; `None` where it holds no count. `reasoning_is_beside`: where nothing else tells, reasoning
/// is no part of the completion's tokens.
pub(super) fn decode(raw: &RawValue, reasoning_is_beside: bool) -> Option<(Usage, Map<String, Value>)> {
    let wire: types::Usage = serde_json::from_str(raw.get()).ok()?;
    if wire.prompt_tokens.is_none() && wire.completion_tokens.is_none() && wire.total_tokens.is_none() {
        return None;
    }
    let mut usage = plain(&wire);
    reconcile(&mut usage, reasoning_is_beside);
    clamp(&mut usage);
    Some((usage, wire.rest.fields))
}

/// The fields beside the counts of a report that was decoded before.
pub(super) fn rest(raw: &str) -> Map<String, Value> {
    let wire: Option<types::Usage> = serde_json::from_str(raw).ok();
    wire.map(|wire| wire.rest.fields).unwrap_or_default()
}

/// The counts as they stand.
fn plain(wire: &types::Usage) -> Usage {
    let types::UsageRest { prompt, completion, cost, fields } = &wire.rest;
    let mut usage = Usage {
        input_tokens: or_zero(wire.prompt_tokens),
        output_tokens: or_zero(wire.completion_tokens),
        total_tokens: wire.total_tokens,
        cache_read_tokens: or_zero(prompt.cached_tokens),
        input_audio_tokens: or_zero(prompt.audio_tokens),
        reasoning_tokens: or_zero(completion.reasoning_tokens),
        output_audio_tokens: or_zero(completion.audio_tokens),
        reported_cost: *cost,
        ..Usage::default()
    };
    for (name, value) in fields {
        take(&mut usage, name, value);
    }
    let prompt_kind = fields.get("prompt_tokens_details").and_then(|details| details.get("cache_type"));
    if prompt_kind.is_some_and(|kind| kind == "ephemeral") {
        // https://www.alibabacloud.com/help/en/model-studio/context-cache
        usage.cache_read_explicit_tokens = usage.cache_read_tokens;
    }
    usage.reported_cost =
        with_own_key(usage.reported_cost, fields.get("is_byok"), fields.get("cost_details"));
    usage
}

/// What a field that is not OpenAI's own says. One count goes by many names; several names at once
/// say the same.
fn take(usage: &mut Usage, name: &str, value: &Value) {
    let count = count_of(value);
    match name {
        // Copilot, Perplexity.
        "reasoning_tokens" => raise(&mut usage.reasoning_tokens, count),
        // DeepSeek; Mistral's older name; Moonshot, Together, Hugging Face; Venice, Doubleword.
        "prompt_cache_hit_tokens" | "num_cached_tokens" | "cached_tokens" | "cache_read_input_tokens" => {
            raise(&mut usage.cache_read_tokens, count);
        }
        // Vercel, Doubleword.
        "cache_creation_input_tokens" => raise(&mut usage.cache_write_tokens, count),
        "cache_creation" => {
            let field = |name: &str| value.get(name).map_or(0, count_of);
            usage.cache_write_1h_tokens = field("ephemeral_1h_input_tokens");
            let both = field("ephemeral_5m_input_tokens").saturating_add(usage.cache_write_1h_tokens);
            raise(&mut usage.cache_write_tokens, both);
        }
        "prompt_tokens_details" => {
            for (name, value) in value.as_object().into_iter().flatten() {
                take_of_prompt(usage, name, value);
            }
        }
        "completion_tokens_details" => {
            usage.output_image_tokens = value.get("image_tokens").map_or(0, count_of);
        }
        // Perplexity.
        "citation_tokens" => usage.citation_tokens = count,
        // Perplexity, xAI.
        "num_search_queries" | "num_sources_used" => raise(&mut usage.web_searches, count),
        // OpenRouter.
        "server_tool_use_details" => {
            raise(&mut usage.web_searches, value.get("web_search_requests").map_or(0, count_of));
        }
        // xAI: how often its own tools ran.
        "server_side_tool_usage_details" => {
            if let Some(tools) = ServerSideTools::read(Some(value)) {
                raise(&mut usage.web_searches, tools.web_searches);
                usage.tool_calls = tools.calls();
            }
        }
        // Perplexity.
        "search_context_size" => usage.search_context_size = value.as_str().map(str::to_owned),
        // Mistral.
        "service_tier" => usage.service_tier = value.as_str().map(str::to_owned),
        // xAI.
        "cost_in_usd_ticks" => {
            let pico = reading::count_of(value).and_then(|ticks| ticks.checked_mul(PICO_PER_TICK));
            let said = pico.and_then(|pico| i64::try_from(pico).ok()).map(PicoUsd);
            usage.reported_cost = said.or(usage.reported_cost);
        }
        _ => {}
    }
}

fn take_of_prompt(usage: &mut Usage, name: &str, value: &Value) {
    match name {
        "cache_write_tokens" => raise(&mut usage.cache_write_tokens, count_of(value)),
        "image_tokens" => usage.input_image_tokens = count_of(value),
        "video_tokens" => usage.input_video_tokens = count_of(value),
        _ => {}
    }
}

/// Moves counts that stand beside a total into it.
fn reconcile(usage: &mut Usage, reasoning_is_beside: bool) {
    let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
    let counted = usage.input_tokens.saturating_add(usage.output_tokens);
    let surplus = usage.total_tokens.and_then(|total| total.checked_sub(counted));
    match surplus {
        // xAI, where no total says so.
        None if reasoning_is_beside => add(&mut usage.output_tokens, usage.reasoning_tokens),
        // Of a stated total, nothing is left: every subset stands within.
        None | Some(0) => {}
        // xAI.
        Some(surplus) if surplus == usage.reasoning_tokens => add(&mut usage.output_tokens, surplus),
        // Mistral's audio.
        Some(surplus) if surplus == usage.input_audio_tokens => add(&mut usage.input_tokens, surplus),
        // Counted as Anthropic does.
        Some(surplus) if surplus == cached => add(&mut usage.input_tokens, surplus),
        // Gemini's compatible endpoint counts thoughts in the total alone, and bills them as output.
        Some(surplus) if usage.reasoning_tokens == 0 => {
            usage.reasoning_tokens = surplus;
            add(&mut usage.output_tokens, surplus);
        }
        Some(_) => {}
    }
    // Azure-hosted Grok: 161 cached of 10 prompt tokens. What exceeds a total is no part of it.
    if cached > usage.input_tokens {
        add(&mut usage.input_tokens, cached);
    }
}

/// Reports may say anything; a sum past its range stays at the end of it.
fn add(total: &mut u64, more: u64) {
    *total = total.saturating_add(more);
}

/// A subset above its total (reasoning at OpenRouter, Vercel and Doubleword) is the total.
fn clamp(usage: &mut Usage) {
    usage.cache_write_1h_tokens = usage.cache_write_1h_tokens.min(usage.cache_write_tokens);
    for subset in
        [&mut usage.input_audio_tokens, &mut usage.input_image_tokens, &mut usage.input_video_tokens]
    {
        *subset = (*subset).min(usage.input_tokens);
    }
    if usage.reasoning_tokens > usage.output_tokens {
        usage.stated_reasoning_tokens = Some(usage.reasoning_tokens);
    }
    for subset in
        [&mut usage.reasoning_tokens, &mut usage.output_audio_tokens, &mut usage.output_image_tokens]
    {
        *subset = (*subset).min(usage.output_tokens);
    }
}

fn or_zero(count: Option<u64>) -> u64 {
    count.unwrap_or(0)
}

fn raise(count: &mut u64, to: u64) {
    *count = (*count).max(to);
}

fn count_of(value: &Value) -> u64 {
    or_zero(reading::count_of(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(json: &str) -> Usage {
        decode(&RawValue::from_string(json.to_owned()).unwrap(), false).unwrap().0
    }

    #[test]
    fn a_total_shows_what_stands_beside_the_counts() {
        let xai = decoded(
            r#"{"prompt_tokens":468,"completion_tokens":82,"total_tokens":870,"completion_tokens_details":{"reasoning_tokens":320}}"#,
        );
        assert_eq!((xai.input_tokens, xai.output_tokens, xai.reasoning_tokens), (468, 402, 320));
        let gemini = decoded(r#"{"prompt_tokens":35,"completion_tokens":12,"total_tokens":109}"#);
        assert_eq!((gemini.input_tokens, gemini.output_tokens, gemini.reasoning_tokens), (35, 74, 62));
        let mistral = decoded(
            r#"{"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,"prompt_tokens_details":{"audio_tokens":375,"cached_tokens":9}}"#,
        );
        assert_eq!(
            (mistral.input_tokens, mistral.input_audio_tokens, mistral.cache_read_tokens),
            (386, 375, 9)
        );
    }

    #[test]
    fn a_subset_never_exceeds_its_total() {
        let grok = decoded(
            r#"{"prompt_tokens":10,"completion_tokens":213,"total_tokens":223,"prompt_tokens_details":{"cached_tokens":161}}"#,
        );
        assert_eq!((grok.input_tokens, grok.cache_read_tokens), (171, 161));
        let vercel = decoded(
            r#"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"completion_tokens_details":{"reasoning_tokens":25}}"#,
        );
        assert_eq!(
            (vercel.output_tokens, vercel.reasoning_tokens, vercel.stated_reasoning_tokens),
            (2, 2, Some(25))
        );
        assert_eq!(vercel.stated_reasoning_tokens, Some(25));
    }

    #[test]
    fn a_cost_is_read_as_decimal_text() {
        for (json, pico) in [
            (r#"{"prompt_tokens":1,"cost":0.00007159}"#, 71_590_000),
            (r#"{"prompt_tokens":1,"cost":7.02e-05}"#, 70_200_000),
            (r#"{"prompt_tokens":1,"cost":0.1}"#, 100_000_000_000),
            (r#"{"prompt_tokens":1,"cost":{"request_cost":0.005,"total_cost":0.00512}}"#, 5_120_000_000),
            (r#"{"prompt_tokens":1,"cost_in_usd_ticks":2488500}"#, 248_850_000),
        ] {
            assert_eq!(decoded(json).reported_cost, Some(PicoUsd(pico)), "{json}");
        }
        assert_eq!(decoded(r#"{"prompt_tokens":1}"#).reported_cost, None);
    }
}
