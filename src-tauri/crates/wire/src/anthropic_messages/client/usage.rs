//! Their counters → ours: merged by the last value of each field, cache counts put back into input.

use canonical::usage::Pass;
use canonical::{PicoUsd, Usage};
use serde_json::{Map, Value};

use super::types;
use crate::charges::with_own_key;

/// Takes each field that `later` names. `message_delta` repeats the input counts of
/// `message_start`, grown where server tools ran; adding them up would count twice.
pub(super) fn merge(usage: &mut types::Usage, later: types::Usage) {
    fn take<T>(ours: &mut Option<T>, later: Option<T>) {
        if later.is_some() {
            *ours = later;
        }
    }
    take(&mut usage.input_tokens, later.input_tokens);
    take(&mut usage.cache_creation_input_tokens, later.cache_creation_input_tokens);
    take(&mut usage.cache_read_input_tokens, later.cache_read_input_tokens);
    take(&mut usage.cache_creation, later.cache_creation);
    take(&mut usage.output_tokens, later.output_tokens);
    take(&mut usage.output_tokens_details, later.output_tokens_details);
    take(&mut usage.server_tool_use, later.server_tool_use);
    take(&mut usage.service_tier, later.service_tier);
    take(&mut usage.inference_geo, later.inference_geo);
    take(&mut usage.speed, later.speed);
    take(&mut usage.iterations, later.iterations);
    take(&mut usage.cost, later.cost);
    usage.rest.extend(later.rest.into_iter().filter(|(_, value)| !value.is_null()));
}

/// The counters without a canonical word, for the extensions.
pub(super) fn beside(usage: &types::Usage) -> Map<String, Value> {
    let mut fields = usage.rest.clone();
    if let Some(passes) = usage.iterations.as_ref().filter(|passes| !passes.is_empty()) {
        fields.insert("iterations".into(), passes.clone().into());
    }
    if let Some(fetches) =
        usage.server_tool_use.and_then(|tools| tools.web_fetch_requests).filter(|count| *count > 0)
    {
        fields.insert("web_fetch_requests".into(), fetches.into());
    }
    fields
}

/// In our convention: input includes what the cache gave and took.
///
/// Passes of compaction are billed but left out of the totals, so they are added here
/// (<https://docs.claude.com/en/docs/build-with-claude/compaction>). An advisor's or a refused
/// model's passes have another model's price: they stay out of the totals and stand in `passes`,
/// as all do where the totals alone would not say what was charged.
pub(super) fn convert(usage: &types::Usage) -> Usage {
    let lifetimes = usage.cache_creation.unwrap_or_default();
    let (five_minutes, hour) =
        (lifetimes.ephemeral_5m_input_tokens.unwrap_or(0), lifetimes.ephemeral_1h_input_tokens.unwrap_or(0));
    let cache_read = usage.cache_read_input_tokens.unwrap_or(0);
    let cache_write = usage.cache_creation_input_tokens.unwrap_or(0).max(five_minutes.saturating_add(hour));
    let mut converted = Usage {
        input_tokens: sum(&[usage.input_tokens.unwrap_or(0), cache_read, cache_write]),
        cache_read_tokens: cache_read,
        cache_write_tokens: cache_write,
        cache_write_1h_tokens: hour,
        output_tokens: usage.output_tokens.unwrap_or(0),
        web_searches: usage.server_tool_use.and_then(|tools| tools.web_search_requests).unwrap_or(0),
        service_tier: usage.service_tier.clone(),
        inference_geo: usage.inference_geo.clone(),
        speed: usage.speed.clone(),
        reported_cost: with_own_key(
            usage.cost.as_ref().and_then(|cost| PicoUsd::from_decimal_usd(&cost.to_string())),
            usage.rest.get("is_byok"),
            usage.rest.get("cost_details"),
        ),
        ..Usage::default()
    };
    for pass in usage.iterations.iter().flatten().filter(|pass| pass["type"] == "compaction") {
        add_pass(&mut converted, pass);
    }
    converted.passes = passes(usage);
    let thinking = usage.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or(0);
    converted.reasoning_tokens = thinking.min(converted.output_tokens);
    converted
}

fn add_pass(usage: &mut Usage, pass: &Value) {
    let pass = read_pass(pass);
    usage.input_tokens = sum(&[usage.input_tokens, pass.input_tokens]);
    usage.cache_read_tokens = sum(&[usage.cache_read_tokens, pass.cache_read_tokens]);
    usage.cache_write_tokens = sum(&[usage.cache_write_tokens, pass.cache_write_tokens]);
    usage.cache_write_1h_tokens = sum(&[usage.cache_write_1h_tokens, pass.cache_write_1h_tokens]);
    usage.output_tokens = sum(&[usage.output_tokens, pass.output_tokens]);
}

/// The passes, where one of them is more than a turn of the model that answers: those are in the
/// totals.
fn passes(usage: &types::Usage) -> Option<Box<[Pass]>> {
    let passes = usage.iterations.as_deref()?;
    let is_special = |pass: &Value| pass["type"] != "message" || pass["model"].is_string();
    passes.iter().any(is_special).then(|| passes.iter().map(read_pass).collect())
}

fn read_pass(pass: &Value) -> Pass {
    let count = |place: &str| pass.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    let (read, write) = (count("/cache_read_input_tokens"), count("/cache_creation_input_tokens"));
    Pass {
        model: pass["model"].as_str().map(str::to_owned),
        input_tokens: sum(&[count("/input_tokens"), read, write]),
        cache_read_tokens: read,
        cache_write_tokens: write,
        cache_write_1h_tokens: count("/cache_creation/ephemeral_1h_input_tokens").min(write),
        output_tokens: count("/output_tokens"),
    }
}

/// A report may say anything; a sum past its range stays at the end of it.
fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(value: Value) -> types::Usage {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_last_value_of_each_field_holds_and_cache_counts_are_part_of_input() {
        let mut usage = parsed(json!({
            "input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "output_tokens": 1, "service_tier": "standard", "inference_geo": "us"
        }));
        merge(
            &mut usage,
            parsed(json!({"input_tokens": 50, "cache_read_input_tokens": 7, "output_tokens": 40,
            "output_tokens_details": {"thinking_tokens": 12}, "server_tool_use": {"web_search_requests": 2},
            "service_tier": null, "speed": "fast"})),
        );
        let usage = convert(&usage);
        assert_eq!(usage.input_tokens, 50 + 7 + 30);
        assert_eq!(
            (usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens),
            (7, 30, 10)
        );
        assert_eq!((usage.output_tokens, usage.reasoning_tokens, usage.web_searches), (40, 12, 2));
        assert_eq!(usage.service_tier.as_deref(), Some("standard"));
        assert_eq!((usage.inference_geo.as_deref(), usage.speed.as_deref()), (Some("us"), Some("fast")));
    }

    #[test]
    fn nonsense_counts_stay_in_range() {
        let most = u64::MAX;
        let usage = convert(&parsed(json!({"input_tokens": most, "cache_read_input_tokens": most,
            "cache_creation": {"ephemeral_5m_input_tokens": most, "ephemeral_1h_input_tokens": 1},
            "output_tokens": -3, "output_tokens_details": {"thinking_tokens": 5}})));
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.reasoning_tokens), (most, 0, 0));
    }

    #[test]
    fn only_passes_of_compaction_are_added_and_all_are_told() {
        let usage = convert(&parsed(json!({"input_tokens": 100, "output_tokens": 10, "iterations": [
            {"type": "compaction", "input_tokens": 1000, "output_tokens": 200},
            {"type": "advisor_message", "input_tokens": 5000, "output_tokens": 300},
            {"type": "message", "input_tokens": 100, "output_tokens": 10}
        ]})));
        assert_eq!((usage.input_tokens, usage.output_tokens), (1100, 210));
        let told: Vec<_> =
            usage.passes.iter().flatten().map(|pass| (pass.input_tokens, pass.output_tokens)).collect();
        assert_eq!(told, [(1000, 200), (5000, 300), (100, 10)]);
        let turns = convert(&parsed(json!({"input_tokens": 100, "output_tokens": 10, "iterations": [
            {"type": "message", "input_tokens": 100, "output_tokens": 10}]})));
        assert_eq!(turns.passes, None);
    }
}
