//! Their counts → ours. Totals include their subsets at all recorded hosts, and sum to
//! `total_tokens`.

use std::collections::BTreeMap;

use canonical::{PicoUsd, Usage};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::types::{self, InputDetails, OutputDetails};
use crate::charges::{self, ServerSideTools};

/// One tick of `cost_in_usd_ticks` in pico-dollars (10⁻¹⁰ dollars).
const PICO_PER_TICK: u64 = 100;

/// What the output's items say of tools that the provider ran, for where the report does not.
#[derive(Debug, Clone, Default)]
pub(super) struct RanTools {
    pub web_searches: u64,
    pub others: BTreeMap<&'static str, u64>,
}

/// The usage in `raw`, or `None` where it holds no count.
pub(super) fn decode(raw: &RawValue, ran: &RanTools) -> Option<Usage> {
    let wire: types::Usage = serde_json::from_str(raw.get()).ok()?;
    if wire.input_tokens.is_none() && wire.output_tokens.is_none() && wire.total_tokens.is_none() {
        return None;
    }
    let counted = ServerSideTools::read(wire.server_side_tool_usage_details.as_ref());
    let input: InputDetails = wire.input_tokens_details.unwrap_or_default();
    let output: OutputDetails = wire.output_tokens_details.unwrap_or_default();
    let mut usage = Usage {
        input_tokens: wire.input_tokens.unwrap_or(0),
        cache_read_tokens: input.cached_tokens.unwrap_or(0),
        cache_write_tokens: input.cache_write_tokens.unwrap_or(0),
        input_audio_tokens: input.audio_tokens.unwrap_or(0),
        input_image_tokens: input.image_tokens.unwrap_or(0),
        output_tokens: wire.output_tokens.unwrap_or(0),
        reasoning_tokens: output.reasoning_tokens.unwrap_or(0),
        output_audio_tokens: output.audio_tokens.unwrap_or(0),
        output_image_tokens: output.image_tokens.unwrap_or(0),
        total_tokens: wire.total_tokens,
        web_searches: counted.as_ref().map_or(ran.web_searches, |tools| tools.web_searches),
        tool_calls: match &counted {
            Some(tools) => tools.calls(),
            None => charges::tool_calls(ran.others.iter().map(|(tool, count)| (*tool, *count))),
        },
        reported_cost: charges::with_own_key(cost(&wire), wire.is_byok.as_ref(), wire.cost_details.as_ref()),
        ..Usage::default()
    };
    keep_within_totals(&mut usage);
    Some(usage)
}

/// No subset exceeds its total: what the same hosts do in Chat Completions (Azure-hosted Grok
/// counts the cached input beside the rest, relays call more reasoning than there is output).
fn keep_within_totals(usage: &mut Usage) {
    let cached = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
    if cached > usage.input_tokens {
        usage.input_tokens = usage.input_tokens.saturating_add(cached);
    }
    for subset in [&mut usage.input_audio_tokens, &mut usage.input_image_tokens] {
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
    match wire.cost_in_usd_ticks.and_then(|ticks| ticks.checked_mul(PICO_PER_TICK)) {
        Some(pico) => i64::try_from(pico).ok().map(PicoUsd),
        None => PicoUsd::from_decimal_usd(wire.cost.as_deref()?.get().trim()),
    }
}

/// The fields of a usage object that canonical usage has no word for, for clients of the family.
pub(super) fn rest(raw: &RawValue) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(raw.get()) else {
        return Map::new();
    };
    for known in ["input_tokens", "output_tokens", "total_tokens"] {
        fields.remove(known);
    }
    for (name, known) in [
        ("input_tokens_details", &["cached_tokens", "cache_write_tokens"][..]),
        ("output_tokens_details", &["reasoning_tokens"][..]),
    ] {
        let Some(Value::Object(details)) = fields.get_mut(name) else { continue };
        for known in known {
            details.remove(*known);
        }
    }
    fields.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty()));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(json: &str) -> Usage {
        decode(&RawValue::from_string(json.to_owned()).unwrap(), &RanTools::default()).unwrap()
    }

    #[test]
    fn a_cost_is_read_as_decimal_text_or_ticks() {
        for (json, pico) in [
            (r#"{"input_tokens":1,"cost":1.13e-05}"#, 11_300_000),
            (r#"{"input_tokens":1,"cost":0.1}"#, 100_000_000_000),
            (r#"{"input_tokens":1,"cost_in_usd_ticks":33406000}"#, 3_340_600_000),
        ] {
            assert_eq!(decoded(json).reported_cost, Some(PicoUsd(pico)), "{json}");
        }
        assert_eq!(decoded(r#"{"input_tokens":1}"#).reported_cost, None);
    }

    #[test]
    fn a_subset_never_exceeds_its_total() {
        let usage = decoded(
            r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":161},"output_tokens":5,
                "output_tokens_details":{"reasoning_tokens":9}}"#,
        );
        assert_eq!((usage.input_tokens, usage.cache_read_tokens), (171, 161));
        assert_eq!(
            (usage.output_tokens, usage.reasoning_tokens, usage.stated_reasoning_tokens),
            (5, 5, Some(9))
        );
    }
}
