//! What was spent, by day and by group.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SpendArgs {
    /// How many days, today included.
    pub days: u32,
    pub group_by: GroupBy,
    /// The window's offset from UTC, east positive: where days begin.
    pub utc_offset_minutes: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Provider,
    Model,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendSummary")]
pub struct SpendSummaryView {
    pub today_picousd: i64,
    pub month_picousd: i64,
    /// Requests whose cost is unknown and not in the sum.
    pub today_unknown: u64,
    pub month_unknown: u64,
    pub today_requests: u64,
    pub month_requests: u64,
    pub days: Vec<SpendDayView>,
    pub totals: Vec<SpendTotalView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendDay")]
pub struct SpendDayView {
    /// `2026-11-20`, in the window's time zone.
    pub date: String,
    pub groups: Vec<SpendGroupView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendGroup")]
pub struct SpendGroupView {
    pub key: String,
    pub cost_picousd: i64,
    pub requests: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub unknown: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "SpendTotal")]
pub struct SpendTotalView {
    pub key: String,
    pub cost_picousd: i64,
    pub requests: u64,
    pub input_tokens: u64,
    pub cache_read_tokens: u64,
    pub output_tokens: u64,
    pub unknown: u64,
}
