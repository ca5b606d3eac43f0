//! Everyone's counts → canonical usage, where totals include their subsets.
//!
//! OpenAI's own totals do. Where another provider's do not, its own sum gives it away:
//! `total_tokens` says whether a count stands within `prompt_tokens` and `completion_tokens` or
//! beside them. The cases are those of the recorded corpus.

use std::borrow::Cow;

use canonical::{PicoUsd, Usage};
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::Quirks;
use crate::charges::{ServerSideTools, with_own_key};
use crate::json::open_object;
use crate::json::reading::{Object, Rest};
use crate::openai_chat::types;

/// One tick of `cost_in_usd_ticks` in pico-dollars (10⁻¹⁰ dollars).
const PICO_PER_TICK: u64 = 100;

/// The usage in `raw`, or `None` where it holds no count.
pub(super) fn decode(raw: &RawValue, quirks: &Quirks) -> Option<Usage> {
    let wire: types::Usage = serde_json::from_str(raw.get()).ok()?;
    if wire.prompt_tokens.is_none() && wire.completion_tokens.is_none() && wire.total_tokens.is_none() {
        return None;
    }
    let mut usage = plain(&wire);
    if let Some(tools) = ServerSideTools::read(wire.server_side_tool_usage_details.as_ref()) {
        usage.web_searches = usage.web_searches.max(tools.web_searches);
        usage.tool_calls = tools.calls();
    }
    let is_explicit =
        wire.prompt_tokens_details.is_some_and(|d| d.cache_type.as_deref() == Some("ephemeral"));
    if is_explicit {
        // https://www.alibabacloud.com/help/en/model-studio/context-cache
        usage.cache_read_explicit_tokens = usage.cache_read_tokens;
    }
    reconcile(&mut usage, quirks);
    clamp(&mut usage);
    Some(usage)
}

/// The fields of a usage object that canonical usage has no word for, for clients of the family.
pub(super) fn rest(raw: &RawValue) -> Map<String, Value> {
    let beside: Option<Beside> = serde_json::from_str(raw.get()).ok();
    beside.map(|beside| beside.rest.0).unwrap_or_default()
}

/// A usage object without what canonical usage says.
#[derive(Default)]
struct Beside {
    said: Option<IgnoredAny>,
    rest: Unsaid,
}

open_object!(Beside {
    "prompt_tokens" => said: Strict,
    "completion_tokens" => said: Strict,
    "total_tokens" => said: Strict,
});

#[derive(Default)]
struct PromptBeside {
    said: Option<IgnoredAny>,
    rest: Map<String, Value>,
}

open_object!(PromptBeside {
    "cached_tokens" => said: Strict,
    "audio_tokens" => said: Strict,
});

#[derive(Default)]
struct CompletionBeside {
    said: Option<IgnoredAny>,
    rest: Map<String, Value>,
}

open_object!(CompletionBeside {
    "reasoning_tokens" => said: Strict,
    "audio_tokens" => said: Strict,
});

/// What is not empty of the other fields.
#[derive(Default)]
struct Unsaid(Map<String, Value>);

impl<'de> Rest<'de> for Unsaid {
    fn keep<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let value = match &*name {
            "prompt_tokens_details" => {
                let Object::<PromptBeside>(details) = map.next_value()?;
                Value::Object(details.unwrap_or_default().rest)
            }
            "completion_tokens_details" => {
                let Object::<CompletionBeside>(details) = map.next_value()?;
                Value::Object(details.unwrap_or_default().rest)
            }
            _ => map.next_value()?,
        };
        if !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty()) {
            self.0.insert(name.into_owned(), value);
        }
        Ok(())
    }
}

/// The counts as they stand.
fn plain(wire: &types::Usage) -> Usage {
    let none = (types::PromptDetails::default(), types::CompletionDetails::default());
    let prompt = wire.prompt_tokens_details.as_ref().unwrap_or(&none.0);
    let completion = wire.completion_tokens_details.as_ref().unwrap_or(&none.1);
    let (write_5m, write_1h) = wire.cache_creation.as_ref().map_or((0, 0), |writes| {
        (or_zero(writes.ephemeral_5m_input_tokens), or_zero(writes.ephemeral_1h_input_tokens))
    });
    Usage {
        input_tokens: or_zero(wire.prompt_tokens),
        output_tokens: or_zero(wire.completion_tokens),
        total_tokens: wire.total_tokens,
        // One count under many names; several names at once say the same.
        cache_read_tokens: largest([
            prompt.cached_tokens,
            wire.prompt_cache_hit_tokens,
            wire.num_cached_tokens,
            wire.cached_tokens,
            wire.cache_read_input_tokens,
        ]),
        cache_write_tokens: largest([
            prompt.cache_write_tokens,
            wire.cache_creation_input_tokens,
            Some(write_5m.saturating_add(write_1h)),
        ]),
        cache_write_1h_tokens: write_1h,
        input_audio_tokens: or_zero(prompt.audio_tokens),
        input_image_tokens: or_zero(prompt.image_tokens),
        input_video_tokens: or_zero(prompt.video_tokens),
        reasoning_tokens: largest([completion.reasoning_tokens, wire.reasoning_tokens]),
        output_audio_tokens: or_zero(completion.audio_tokens),
        output_image_tokens: or_zero(completion.image_tokens),
        citation_tokens: or_zero(wire.citation_tokens),
        web_searches: largest([
            wire.num_search_queries,
            wire.num_sources_used,
            wire.server_tool_use_details.as_ref().and_then(|tools| tools.web_search_requests),
        ]),
        reported_cost: with_own_key(cost(wire), wire.is_byok.as_ref(), wire.cost_details.as_ref()),
        search_context_size: wire.search_context_size.clone(),
        service_tier: wire.service_tier.clone(),
        ..Usage::default()
    }
}

/// Moves counts that stand beside a total into it.
fn reconcile(usage: &mut Usage, quirks: &Quirks) {
    let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
    let counted = usage.input_tokens.saturating_add(usage.output_tokens);
    let surplus = usage.total_tokens.and_then(|total| total.checked_sub(counted));
    match surplus {
        // xAI, where no total says so.
        None if quirks.reasoning_beside_completion => add(&mut usage.output_tokens, usage.reasoning_tokens),
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

fn cost(wire: &types::Usage) -> Option<PicoUsd> {
    let ticks = wire.cost_in_usd_ticks.and_then(|ticks| ticks.checked_mul(PICO_PER_TICK));
    match ticks {
        Some(pico) => i64::try_from(pico).ok().map(PicoUsd),
        None => dollars(wire.cost.as_deref()?),
    }
}

/// Dollars as the JSON text says them, exactly: a number, or Perplexity's object with a total, or
/// Venice's with dollars.
pub(crate) fn dollars(raw: &RawValue) -> Option<PicoUsd> {
    #[derive(serde::Deserialize)]
    struct Costs<'a> {
        #[serde(borrow)]
        total_cost: Option<&'a RawValue>,
        #[serde(borrow)]
        usd: Option<&'a RawValue>,
    }
    PicoUsd::from_decimal_usd(raw.get().trim()).or_else(|| {
        let costs: Costs<'_> = serde_json::from_str(raw.get()).ok()?;
        PicoUsd::from_decimal_usd(costs.total_cost.or(costs.usd)?.get().trim())
    })
}

fn or_zero(count: Option<u64>) -> u64 {
    count.unwrap_or(0)
}

fn largest<const N: usize>(counts: [Option<u64>; N]) -> u64 {
    counts.into_iter().flatten().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(json: &str) -> Usage {
        decode(&RawValue::from_string(json.to_owned()).unwrap(), &Quirks::default()).unwrap()
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
