//! A whole answer.

use serde::{Deserialize, Serialize};

use crate::event::ResponseStart;
use crate::request::{Content, Part};
use crate::{Extensions, Usage};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatResponse {
    pub start: ResponseStart,
    /// In the order of their choice number.
    pub choices: Vec<Choice>,
    /// `None` where the provider reported nothing: unknown, not zero.
    pub usage: Option<Usage>,
    pub extensions: Extensions,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub index: u32,
    pub parts: Vec<Part>,
    /// `None` while the answer is unfinished.
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word, exactly as sent.
    pub finish_reason_raw: Option<String>,
    pub extensions: Extensions,
}

impl Choice {
    /// The answer's text, without reasoning or refusal.
    pub fn plain_text(&self) -> String {
        crate::request::plain_text(&self.parts)
    }

    /// Calls that the client is to answer.
    pub fn has_client_tool_calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(&part.content, Content::ToolCall(call) if !call.is_server_side))
    }
}

/// Why the model stopped, in one vocabulary; the raw word is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    /// One of the request's stop sequences was written.
    StopSequence,
    /// The output limit or the context window was reached.
    Length,
    /// The client is to run tools and answer.
    ToolCalls,
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider paused a long turn; send it back to go on.
    Paused,
    /// The provider ended the answer with an error of its own.
    Error,
    /// A word this version does not know; see the raw one.
    Other,
}

impl FinishReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Paused => "paused",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}
