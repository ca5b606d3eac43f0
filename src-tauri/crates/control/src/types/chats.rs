//! Conversations: what is asked, what is answered, what it cost.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ErrorView;

#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct ListChatsArgs {
    /// Words to look for in titles and messages.
    #[serde(default)]
    #[ts(optional = nullable)]
    pub query: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChatView {
    pub id: String,
    pub title: String,
    pub created_at: i64,
    pub updated_at: i64,
    pub message_count: u64,
    pub model: Option<String>,
    pub is_streaming: bool,
    pub draft: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct CreateChatArgs {
    #[serde(default)]
    #[ts(optional = nullable)]
    pub model: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct ChatTreeView {
    pub chat: ChatView,
    /// All versions, oldest first; `parent_id` makes the tree.
    pub messages: Vec<MessageView>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct RenameChatArgs {
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SetDraftArgs {
    pub id: String,
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SendArgs {
    pub chat_id: String,
    /// The answer that this replies to; `None` begins the chat, or a second version of its beginning.
    #[serde(default)]
    pub parent_id: Option<String>,
    pub text: String,
    pub model: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct RegenerateArgs {
    /// An answer, or the question that is to be answered again.
    pub message_id: String,
    #[serde(default)]
    #[ts(optional = nullable)]
    pub model: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct StopArgs {
    pub message_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SendResult {
    pub user_message_id: String,
    /// The answer's.
    pub message_id: String,
    pub request_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct MessageView {
    pub id: String,
    pub chat_id: String,
    pub parent_id: Option<String>,
    pub role: MessageRole,
    pub text: String,
    pub reasoning: String,
    pub tool_calls: Vec<ToolCallView>,
    pub model: Option<String>,
    pub state: MessageState,
    pub error: Option<ErrorView>,
    pub created_at: i64,
    pub request_id: Option<String>,
    pub receipt: Option<Receipt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    User,
    Assistant,
    System,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    Complete,
    Streaming,
    /// By the user's word.
    Stopped,
    Failed,
    /// The program ended while it was written.
    Interrupted,
    /// The provider broke off without an end.
    Truncated,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ToolCallView {
    pub id: String,
    pub name: String,
    /// As the model wrote them.
    pub arguments: String,
}

/// What an answer took and cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct Receipt {
    pub request_id: String,
    pub route: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub attempts: u32,
    pub time_to_first_token_ms: Option<i64>,
    pub duration_ms: Option<i64>,
    /// Output tokens over the time from the first token to the end.
    pub tokens_per_second: Option<f64>,
    pub usage: Option<UsageView>,
    pub cost_picousd: Option<i64>,
    pub cost_status: CostStatus,
    pub finish_reason: Option<String>,
}

/// Tokens. `input` includes the cache's, `output` includes reasoning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct UsageView {
    pub input: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub output: u64,
    pub reasoning: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    Reported,
    Computed,
    Estimated,
    Unknown,
}
