//! The settings file.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SettingsView {
    pub path: String,
    pub text: String,
    pub listen: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SetTextArgs {
    pub text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, TS)]
pub struct SetListenArgs {
    /// `127.0.0.1:8790`
    pub listen: String,
}

/// Why a settings text was not taken; the file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SettingsError {
    pub message: String,
    /// From 1.
    pub line: Option<u32>,
    pub key: Option<String>,
    /// The known key that looks most like it.
    pub nearest: Option<String>,
}
