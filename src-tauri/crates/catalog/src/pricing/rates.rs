//! The row: service tier first, then the size of the whole prompt.

use crate::prices::{Rate, RateRow, Row};

/// A model's rates for one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) tier: &'a str,
    pub(super) row: &'a RateRow,
}

impl Chosen<'_> {
    /// The rate's name in the row's list of inferred ones.
    pub(super) fn name_of(&self, rate: Rate) -> String {
        format!("{}/{}/{rate}", self.tier, self.row.above_input_tokens)
    }
}

/// The rates that hold for a prompt of `total_input` tokens in `tier`, as the provider names it.
/// A tier that the model lacks is `standard`; `None` where it lacks that too.
pub(super) fn choose<'a>(row: &'a Row, tier: Option<&str>, total_input: u64) -> Option<Chosen<'a>> {
    let (tier, rows) =
        row.tiers.get_key_value(tier_of(tier)).or_else(|| row.tiers.get_key_value("standard"))?;
    let passes = |threshold: u64| {
        // The first row is everyone's, also for an empty prompt.
        threshold == 0
            || if row.threshold_inclusive { total_input >= threshold } else { total_input > threshold }
    };
    let row = rows.iter().rev().find(|row| passes(row.above_input_tokens))?;
    Some(Chosen { tier, row })
}

/// The table's tier for a provider's word.
fn tier_of(name: Option<&str>) -> &'static str {
    match name.map(str::to_ascii_lowercase).as_deref() {
        Some("priority" | "fast") => "priority",
        Some("flex") => "flex",
        Some("batch") => "batch",
        Some("ultrafast") => "ultrafast",
        _ => "standard",
    }
}
