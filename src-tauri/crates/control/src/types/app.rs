//! The program itself: its port, its keychain, its ledger, what today cost.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::LampState;

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct AppStatus {
    pub version: String,
    pub port: PortStatus,
    pub running_requests: u64,
    pub today: TodaySpend,
    pub worst_lamp: LampState,
    pub keychain: KeychainStatus,
    pub config_path: String,
    pub data_dir: String,
    /// The settings file as it stands is not in force, and why.
    pub config_error: Option<String>,
    pub ledger: LedgerView,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PortStatus {
    /// `127.0.0.1:8790`; `None` while the port is closed.
    pub listening: Option<String>,
    /// Why it is closed.
    pub error: Option<String>,
    /// What the settings ask for.
    pub requested: String,
    /// An address that was free a moment ago, where the requested one is taken.
    pub suggestion: Option<String>,
}

/// Since midnight UTC or, where the window said its offset, since its own midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TodaySpend {
    pub cost_picousd: i64,
    /// Requests whose cost is not known, and is not part of the sum.
    pub unknown_count: u64,
    pub requests: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KeychainStatus {
    pub state: KeychainState,
    /// For people; `None` while all is well.
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum KeychainState {
    Available,
    Locked,
    Absent,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LedgerView {
    /// `ok`, `retrying` or `losing`.
    pub state: String,
    /// Records that could not be kept since the start.
    pub dropped: u64,
    pub message: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
pub struct StatusArgs {
    /// The window's offset from UTC, east positive: where `today` begins.
    #[serde(default)]
    #[ts(optional)]
    pub utc_offset_minutes: Option<i32>,
}
