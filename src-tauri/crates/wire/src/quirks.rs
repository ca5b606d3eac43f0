//! Every deviation that a protocol can be asked to make. A vendor's file sets fields, with the
//! reason beside them; the protocol reads them in one place. None is set by default.

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
