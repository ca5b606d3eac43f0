//! What kind of task a request is: local, cheap, and only as clever as it can be sure of.

use serde::{Deserialize, Serialize};

/// How much a task asks of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Simple,
    Standard,
    Complex,
}
