//! An answer while it is being written.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{MessageView, ToolCallView};

/// One piece of news about an answer that is being written. A `snapshot` replaces everything seen
/// before, a `delta` is appended, an `end` carries the message as it was saved and is the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
pub struct WatchItem {
    /// What to ask for next: `since` this number, nothing up to here is sent again.
    pub seq: u64,
    pub kind: WatchKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub reasoning: Option<String>,
    /// Whole calls as they stand, not pieces of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub tool_calls: Option<Vec<ToolCallView>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional = nullable)]
    pub message: Option<MessageView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WatchKind {
    Snapshot,
    Delta,
    End,
}
