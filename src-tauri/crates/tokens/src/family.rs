//! What a model's name says of how it counts.

/// Whose ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// GPT-4o and all later models of OpenAI; the nearest public one for everyone else.
    O200k,
    /// GPT-3.5, GPT-4 and the embedding models.
    Cl100k,
}

/// How a maker's models count: the encoding, and what stands around the words.
#[derive(Debug)]
pub(crate) struct Family {
    pub encoding: Encoding,
    /// Tokens of this family per hundred of the encoding.
    pub percent: u64,
    /// Around every request.
    pub per_request: u64,
    /// Around every message: role and separators.
    pub per_message: u64,
    /// Around the tools together, where there are any.
    pub per_tools: u64,
    /// Around each tool.
    pub per_tool: u64,
    /// Tools stand before the model as the JSON that they came as, not as a declaration.
    pub tools_as_json: bool,
    /// Of an image whose size is unknown.
    pub per_image: u64,
}

/// <https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>; an image of
/// 1024 × 1024 in high detail is 85 + 4 · 170 tokens.
const OPENAI: Family = Family {
    encoding: Encoding::O200k,
    percent: 100,
    per_request: 3,
    per_message: 4,
    per_tools: 12,
    per_tool: 8,
    tools_as_json: false,
    per_image: 765,
};

const OPENAI_OLD: Family = Family { encoding: Encoding::Cl100k, ..OPENAI };

/// An image of about one megapixel: width · height / 750 tokens.
/// <https://docs.claude.com/en/docs/build-with-claude/vision>. The instructions that tools bring:
/// <https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing>.
const CLAUDE: Family = Family {
    encoding: Encoding::O200k,
    percent: 118,
    per_request: 3,
    per_message: 4,
    per_tools: 480,
    per_tool: 10,
    tools_as_json: true,
    per_image: 1_400,
};

/// An image that fits 384 × 384, or each tile of one, is 258 tokens.
/// <https://ai.google.dev/gemini-api/docs/tokens>
const GEMINI: Family = Family {
    encoding: Encoding::O200k,
    percent: 100,
    per_request: 0,
    per_message: 1,
    per_tools: 0,
    per_tool: 20,
    tools_as_json: false,
    per_image: 258,
};

/// The open GPTs come with instructions of their own (recorded at Groq: 84 where 20 were sent).
const GPT_OSS: Family = Family { per_request: 67, ..OPENAI };

/// Open models, whose templates put tools in as JSON.
const OPEN: Family =
    Family { per_request: 0, per_message: 4, per_tools: 0, per_tool: 4, tools_as_json: true, ..OPENAI };

/// Its template explains to the model how to call, at length.
const DEEPSEEK: Family = Family { per_message: 2, per_tools: 150, ..OPEN };

impl Family {
    pub(crate) fn of(model: &str) -> &'static Family {
        let model = model.to_ascii_lowercase();
        let has = |word: &str| model.contains(word);
        if has("claude") {
            &CLAUDE
        } else if has("gemini") || has("gemma") {
            &GEMINI
        } else if has("gpt-3.5")
            || has("text-embedding")
            || (has("gpt-4") && !has("gpt-4o") && !has("gpt-4."))
        {
            &OPENAI_OLD
        } else if has("gpt-oss") {
            &GPT_OSS
        } else if has("deepseek") {
            &DEEPSEEK
        } else if has("gpt") || is_o_series(&model) {
            &OPENAI
        } else {
            &OPEN
        }
    }

    pub(crate) fn scaled(&self, tokens: u64) -> u64 {
        (tokens * self.percent).div_ceil(100)
    }
}

/// `o3-mini`, `openai/o4-mini`.
fn is_o_series(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_models_generation() {
        for (model, expected) in [
            ("gpt-4", Encoding::Cl100k),
            ("gpt-4-turbo", Encoding::Cl100k),
            ("gpt-3.5-turbo-0125", Encoding::Cl100k),
            ("text-embedding-3-small", Encoding::Cl100k),
            ("gpt-4o-mini", Encoding::O200k),
            ("gpt-4.1", Encoding::O200k),
            ("openai/gpt-5", Encoding::O200k),
            ("o3-mini", Encoding::O200k),
            ("llama-3.3-70b", Encoding::O200k),
        ] {
            assert_eq!(Family::of(model).encoding, expected, "{model}");
        }
    }
}
