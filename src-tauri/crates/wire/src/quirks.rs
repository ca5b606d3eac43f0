//! Every deviation that a protocol can be asked to make. A vendor's file sets fields, with the
//! reason beside them; the protocol reads them in one place. None is set by default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// The path segment of the API's version where it is not the protocol's own; empty for none.
    pub version: Option<String>,
    /// The list of models is at another host, whose name begins with this label instead (Bedrock).
    pub models_host: Option<String>,
    /// Where the list of models is, from the host's root, where it is not the protocol's own place.
    pub models_path: Option<String>,
    /// The list of models is under this address instead, and signed like everything else (Vertex).
    pub models_base: Option<String>,
    /// Stands before the path of every request to a model; `{model}` is the model's id (Azure's
    /// deployments).
    pub path_prefix: Option<String>,
    /// The path of a request for an answer, in place of the protocol's own; `{model}` as above.
    pub answer_path: Option<String>,
    /// The path of a request for a streamed answer, where it is another one.
    pub stream_path: Option<String>,
    /// Query parameters of every request (Azure's `api-version`).
    pub query: BTreeMap<String, String>,
    /// anthropic-messages: the path names the model, and the body must not (Vertex).
    pub omit_model: bool,
    /// anthropic-messages: the API's version is the body's `anthropic_version`, with this value, and
    /// no header (Vertex).
    pub version_in_body: Option<String>,
    /// anthropic-messages: the only values of `anthropic-beta` that the provider takes; a name that
    /// ends with `*` stands for all that begin so. Others are left out, where it would refuse them.
    pub allowed_betas: Option<Vec<String>>,
    /// openai-chat: the field that carries the output limit; by default `max_tokens`.
    pub max_tokens_field: Option<String>,
    /// openai-chat: does not take `stream_options`; usage comes anyway or not at all.
    pub omit_stream_options: bool,
    /// openai-chat: takes `system` only; `developer` messages are sent as such.
    pub no_developer_role: bool,
    /// openai-chat: reasoning tokens are reported beside `completion_tokens`, not within (xAI).
    pub reasoning_beside_completion: bool,
    /// openai-chat: `[DONE]` without a finish reason is a complete answer (Snowflake).
    pub done_without_finish_reason: bool,
    /// openai-chat: the field in which earlier reasoning is sent back (`reasoning_content`).
    pub reasoning_field: Option<String>,
    /// openai-chat: takes `reasoning: {effort, max_tokens, enabled}` (OpenRouter, Vercel gateway);
    /// by default the level is sent as `reasoning_effort`.
    pub reasoning_object: bool,
    /// openai-chat: takes a thought's signature back in `extra_content.google` of its tool call.
    pub google_signatures: bool,
    /// openai-chat: reads images and documents in a tool's message, where others take text alone.
    pub tool_media: bool,
    /// openai-chat: takes what only OpenAI's own API has: tools with free-form input (`custom`), and of a
    /// request of Responses its `metadata`, `prompt_cache_key`, `safety_identifier` and `store`.
    pub openai_extras: bool,
    /// Whose signatures of thought it makes and takes back, where not its own alone: `anthropic` for
    /// every seller of Claude.
    pub signature_maker: Option<String>,
    /// openai embeddings: where they are, relative to the base URL; by default `/embeddings`.
    pub embeddings_path: Option<String>,
    /// openai embeddings: the field that asks for a width; by default `dimensions`.
    pub embedding_dimensions_field: Option<String>,
    /// openai embeddings: vectors are always signed bytes, as base64 (Perplexity).
    pub embeddings_are_int8: bool,
    /// gemini-generate: Vertex' forms of what is no chat: `:predict` makes embeddings, and what is
    /// to be counted stands at the top of its body.
    pub vertex_forms: bool,
    /// Request fields that the provider refuses; dropped on the way out.
    pub drop_fields: Vec<String>,
}

impl Quirks {
    /// The path of a request to `model`, where `usual` is the protocol's own for it
    /// (`/chat/completions`, `/embeddings`): behind the provider's prefix, where it has one.
    pub fn path_to(&self, usual: &str, model: &str) -> String {
        match &self.path_prefix {
            Some(prefix) => format!("{}{usual}", named(prefix, model)),
            None => usual.to_owned(),
        }
    }

    /// The path of a request for an answer of `model`: the provider's own, else as [`Self::path_to`].
    pub fn answer_path_to(&self, usual: &str, model: &str, stream: bool) -> String {
        let own = if stream {
            self.stream_path.as_ref().or(self.answer_path.as_ref())
        } else {
            self.answer_path.as_ref()
        };
        own.map_or_else(|| self.path_to(usual, model), |path| named(path, model))
    }

    /// Whether the provider takes this value of `anthropic-beta`.
    pub fn allows_beta(&self, beta: &str) -> bool {
        let Some(allowed) = &self.allowed_betas else { return true };
        allowed.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => beta.starts_with(start),
            None => beta == name,
        })
    }

    /// The value of an `anthropic-beta` header with what the provider takes of it; `None` where that
    /// is nothing.
    pub fn betas<'b>(&self, betas: impl IntoIterator<Item = &'b str>) -> Option<String> {
        let mut kept: Vec<&str> = Vec::new();
        for beta in betas.into_iter().flat_map(|value| value.split(',')).map(str::trim) {
            if !beta.is_empty() && !kept.contains(&beta) && self.allows_beta(beta) {
                kept.push(beta);
            }
        }
        (!kept.is_empty()).then(|| kept.join(","))
    }
}

fn named(template: &str, model: &str) -> String {
    template.replace("{model}", &segment(model))
}

/// `text` as one segment of a path. What may stand there as it is stays: Vertex' `@` before a date.
fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'@' | b':' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_may_have_a_prefix_or_paths_of_its_own() {
        let plain = Quirks::default();
        assert_eq!(plain.answer_path_to("/chat/completions", "m", true), "/chat/completions");
        let azure = Quirks { path_prefix: Some("/deployments/{model}".into()), ..Quirks::default() };
        assert_eq!(
            azure.answer_path_to("/chat/completions", "a/b", false),
            "/deployments/a%2Fb/chat/completions"
        );
        assert_eq!(azure.path_to("/embeddings", "e"), "/deployments/e/embeddings");
        let vertex = Quirks {
            answer_path: Some("/models/{model}:rawPredict".into()),
            stream_path: Some("/models/{model}:streamRawPredict".into()),
            ..Quirks::default()
        };
        let paths = [false, true].map(|stream| vertex.answer_path_to("/messages", "claude@20250219", stream));
        assert_eq!(paths, ["/models/claude@20250219:rawPredict", "/models/claude@20250219:streamRawPredict"]);
    }

    #[test]
    fn betas_that_a_provider_would_refuse_are_left_out_and_none_is_sent_twice() {
        let all = Quirks::default();
        assert_eq!(all.betas(["a-1, b-2", "a-1"]).as_deref(), Some("a-1,b-2"));
        let some =
            Quirks { allowed_betas: Some(vec!["a-1".into(), "context-1m-*".into()]), ..Quirks::default() };
        assert_eq!(
            some.betas(["b-2,a-1", "context-1m-2025-08-07"]).as_deref(),
            Some("a-1,context-1m-2025-08-07")
        );
        assert_eq!(some.betas(["b-2"]), None);
        assert_eq!(Quirks { allowed_betas: Some(vec![]), ..Quirks::default() }.betas(["a-1"]), None);
    }
}
