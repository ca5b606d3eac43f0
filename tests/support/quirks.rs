//! The deviations of the providers in the corpus, by the corpus' names.

use wire::Quirks;

/// The quirks under which `provider`'s records are decoded; none for most.
pub fn quirks_for(provider: &str) -> Quirks {
    let mut quirks = Quirks::default();
    match provider {
        // `total_tokens = prompt + completion + reasoning`, in every record.
        "xai" => quirks.reasoning_beside_completion = true,
        // A stream ends with `[DONE]` and often without a finish reason.
        "snowflake" => quirks.done_without_finish_reason = true,
        // A finish reason ends the stream; `[DONE]` never comes.
        "perplexity" | "writer" | "gpustack" => quirks.no_done_marker = true,
        _ => {}
    }
    quirks
}
