//! Their counters → ours. Thoughts are put into output, what tools brought in into input.

use canonical::Usage;

use super::types::{Modality, ModalityTokenCount, UsageMetadata};

/// Takes each field that `later` names: Vertex sends the traffic type alone until the last chunk.
pub(super) fn merge(usage: &mut UsageMetadata, later: UsageMetadata) {
    fn take<T>(ours: &mut Option<T>, later: Option<T>) {
        if later.is_some() {
            *ours = later;
        }
    }
    take(&mut usage.prompt_token_count, later.prompt_token_count);
    take(&mut usage.cached_content_token_count, later.cached_content_token_count);
    take(&mut usage.candidates_token_count, later.candidates_token_count);
    take(&mut usage.tool_use_prompt_token_count, later.tool_use_prompt_token_count);
    take(&mut usage.thoughts_token_count, later.thoughts_token_count);
    take(&mut usage.total_token_count, later.total_token_count);
    take(&mut usage.prompt_tokens_details, later.prompt_tokens_details);
    take(&mut usage.cache_tokens_details, later.cache_tokens_details);
    take(&mut usage.candidates_tokens_details, later.candidates_tokens_details);
    take(&mut usage.tool_use_prompt_tokens_details, later.tool_use_prompt_tokens_details);
    take(&mut usage.traffic_type, later.traffic_type);
    take(&mut usage.service_tier, later.service_tier);
    usage.rest.extend(later.rest);
}

/// In our convention; `None` where the report holds no counts at all.
pub(super) fn convert(usage: &UsageMetadata, web_searches: u64) -> Option<Usage> {
    let counts = [
        usage.prompt_token_count,
        usage.candidates_token_count,
        usage.thoughts_token_count,
        usage.total_token_count,
    ];
    if counts.iter().all(Option::is_none) {
        return None;
    }
    let cached = usage.cached_content_token_count.unwrap_or(0);
    let tool_use = usage.tool_use_prompt_token_count.unwrap_or(0);
    let thoughts = usage.thoughts_token_count.unwrap_or(0);
    let input_of = |modality| {
        let prompt = count(usage.prompt_tokens_details.as_ref(), modality);
        prompt.saturating_add(count(usage.tool_use_prompt_tokens_details.as_ref(), modality))
    };
    Some(Usage {
        input_tokens: usage.prompt_token_count.unwrap_or(0).max(cached).saturating_add(tool_use),
        cache_read_tokens: cached,
        input_audio_tokens: input_of(Modality::Audio),
        input_image_tokens: input_of(Modality::Image),
        input_video_tokens: input_of(Modality::Video),
        cache_read_audio_tokens: count(usage.cache_tokens_details.as_ref(), Modality::Audio),
        cache_read_image_tokens: count(usage.cache_tokens_details.as_ref(), Modality::Image),
        tool_use_tokens: tool_use,
        output_tokens: usage.candidates_token_count.unwrap_or(0).saturating_add(thoughts),
        reasoning_tokens: thoughts,
        output_audio_tokens: count(usage.candidates_tokens_details.as_ref(), Modality::Audio),
        output_image_tokens: count(usage.candidates_tokens_details.as_ref(), Modality::Image),
        output_video_tokens: count(usage.candidates_tokens_details.as_ref(), Modality::Video),
        web_searches,
        total_tokens: usage.total_token_count,
        service_tier: tier(usage),
        ..Usage::default()
    })
}

fn count(details: Option<&Vec<ModalityTokenCount>>, modality: Modality) -> u64 {
    details
        .into_iter()
        .flatten()
        .filter(|detail| detail.modality == Some(modality))
        .filter_map(|detail| detail.token_count)
        .fold(0, u64::saturating_add)
}

/// The tier in the words that prices use; Vertex names it by its kind of traffic.
fn tier(usage: &UsageMetadata) -> Option<String> {
    let word = usage.service_tier.as_ref().or(usage.traffic_type.as_ref())?.to_ascii_lowercase();
    Some(match word.strip_prefix("on_demand") {
        Some("") => "standard".into(),
        Some(rest) => rest.trim_start_matches('_').to_owned(),
        None => word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn converted(value: Value) -> Option<Usage> {
        convert(&serde_json::from_value(value).unwrap(), 2)
    }

    #[test]
    fn thoughts_are_output_and_tool_prompts_are_input() {
        let usage = converted(json!({
            "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 30, "toolUsePromptTokenCount": 40, "totalTokenCount": 190,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70}, {"modality": "AUDIO", "tokenCount": 30}],
            "cacheTokensDetails": [{"modality": 4, "tokenCount": 10}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 5}],
            "trafficType": "ON_DEMAND_FLEX"
        }))
        .unwrap();
        assert_eq!((usage.input_tokens, usage.tool_use_tokens, usage.cache_read_tokens), (140, 40, 60));
        assert_eq!((usage.output_tokens, usage.reasoning_tokens, usage.output_image_tokens), (50, 30, 5));
        assert_eq!((usage.input_audio_tokens, usage.cache_read_audio_tokens), (30, 10));
        assert_eq!((usage.total_tokens, usage.web_searches), (Some(190), 2));
        assert_eq!(usage.service_tier.as_deref(), Some("flex"));
    }

    #[test]
    fn a_report_without_counts_is_no_report() {
        assert_eq!(converted(json!({"trafficType": "ON_DEMAND"})), None);
    }
}
