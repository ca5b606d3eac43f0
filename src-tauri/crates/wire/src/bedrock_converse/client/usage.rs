//! Their counters → ours: cache counts put back into input.

use canonical::Usage;
use serde_json::{Map, Value};

use super::types::TokenUsage;

/// The counters without a canonical word, for the extensions.
pub(super) fn beside(usage: &TokenUsage) -> Map<String, Value> {
    let says = |value: &Value| !value.is_null() && value.as_object().is_none_or(|fields| !fields.is_empty());
    usage
        .rest
        .iter()
        .filter(|(_, value)| says(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// In our convention: input includes what the cache gave and took.
pub(super) fn convert(usage: &TokenUsage) -> Usage {
    let read = usage.cache_read_input_tokens.or(usage.cache_read_input_token_count).unwrap_or(0);
    let write = usage.cache_write_input_tokens.or(usage.cache_write_input_token_count).unwrap_or(0);
    let hour = usage
        .cache_details
        .iter()
        .flatten()
        .filter(|detail| detail.ttl.as_deref() == Some("1h"))
        .fold(0_u64, |sum, detail| sum.saturating_add(detail.input_tokens.unwrap_or(0)));
    Usage {
        // A report may say anything; a sum past its range stays at the end of it.
        input_tokens: usage.input_tokens.unwrap_or(0).saturating_add(read).saturating_add(write),
        cache_read_tokens: read,
        cache_write_tokens: write,
        cache_write_1h_tokens: hour.min(write),
        output_tokens: usage.output_tokens.unwrap_or(0),
        total_tokens: usage.total_tokens,
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn converted(value: Value) -> Usage {
        convert(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn cache_counts_are_part_of_input_under_either_name_and_once_under_both() {
        for (read, write) in [
            ("cacheReadInputTokens", "cacheWriteInputTokens"),
            ("cacheReadInputTokenCount", "cacheWriteInputTokenCount"),
        ] {
            let usage = converted(json!({"inputTokens": 3, "outputTokens": 121, "totalTokens": 2072,
                read: 1712, write: 236, "cacheDetails": [{"inputTokens": 36, "ttl": "1h"},
                {"inputTokens": 200, "ttl": "5m"}]}));
            assert_eq!((usage.input_tokens, usage.output_tokens), (1951, 121));
            assert_eq!((usage.cache_read_tokens, usage.cache_write_tokens), (1712, 236));
            assert_eq!((usage.cache_write_1h_tokens, usage.total_tokens), (36, Some(2072)));
        }
        let both =
            converted(json!({"inputTokens": 1, "cacheReadInputTokens": 5, "cacheReadInputTokenCount": 5}));
        assert_eq!(both.input_tokens, 6);
    }

    #[test]
    fn nonsense_counts_stay_in_range() {
        let usage = converted(json!({"inputTokens": u64::MAX, "cacheReadInputTokens": u64::MAX,
            "outputTokens": -3, "cacheDetails": [{"inputTokens": 9, "ttl": "1h"}, {"ttl": 5}]}));
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_write_1h_tokens), (u64::MAX, 0, 0));
    }
}
