//! The deviations of the providers in the corpus, by the corpus' names.

use wire::Quirks;

/// The quirks under which `provider`'s records are decoded; none for most.
pub fn quirks_for(provider: &str) -> Quirks {
    let mut quirks = Quirks::default();
    let reasoning_field = |name: &str| Some(name.to_owned());
    match provider {
        // `total_tokens = prompt + completion + reasoning`, in every record.
        "xai" => {
            quirks.reasoning_beside_completion = true;
            quirks.reasoning_field = reasoning_field("reasoning_content");
        }
        // A stream ends with `[DONE]` and often without a finish reason.
        "snowflake" => {
            quirks.done_without_finish_reason = true;
            quirks.reasoning_object = true;
        }
        // A finish reason ends the stream; `[DONE]` never comes.
        "perplexity" | "writer" => quirks.no_done_marker = true,
        // Earlier reasoning goes back in the field in which it came.
        "openrouter" | "vercel-gateway" => {
            quirks.reasoning_field = reasoning_field("reasoning");
            quirks.reasoning_object = true;
        }
        "gpustack" => {
            quirks.no_done_marker = true;
            quirks.reasoning_field = reasoning_field("reasoning");
        }
        "crusoe" | "ollama" => quirks.reasoning_field = reasoning_field("reasoning"),
        "alibaba" | "avian" | "copilot" | "deepseek" | "doubleword" | "llamacpp" | "moonshot" | "venice"
        | "zai" | "mistral" | "openai" | "azure" | "groq" | "huggingface" | "cerebras" => {
            quirks.reasoning_field = reasoning_field("reasoning_content");
        }
        _ => {}
    }
    quirks
}
