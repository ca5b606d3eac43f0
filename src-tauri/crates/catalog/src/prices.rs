//! The price table, and which of its rows holds for a model.
//!
//! `prices.json` is the table as it is kept; its format and every rule about it are described in
//! `PRICES.md`. It is read once, at the first question.

mod lookup;
mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use lookup::{Found, Match};
pub use table::{
    CallPrice, Factor, FreeSearches, Hours, Multiplier, OffPeak, Rate, RateRow, Rates, Row, Tools, Window,
};

static EMBEDDED: LazyLock<PriceTable> = LazyLock::new(|| {
    // A table that does not parse prices nothing, which shows as unknown cost and never as 0;
    // a test holds that it parses.
    PriceTable::parse(include_str!("../prices.json")).unwrap_or_default()
});

/// Which row of which table: what is kept with a cost, so that it can be explained later.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RowId {
    pub provider: String,
    pub model: String,
    pub tier: String,
    pub above_input_tokens: u64,
}

/// Every price we know, by provider and model.
#[derive(Debug, Default)]
pub struct PriceTable {
    as_of: String,
    rows: Vec<Row>,
    by_provider: HashMap<String, lookup::ProviderIndex>,
    tools: HashMap<String, Tools>,
}

impl PriceTable {
    /// The copy that this build carries.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Reads a table. What it does not know in it is passed over; a figure that is no exact
    /// decimal is an error, because a price that was nearly read is a wrong price.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let file: table::File = serde_json::from_str(text)?;
        let mut by_provider: HashMap<String, lookup::ProviderIndex> = HashMap::new();
        for (index, row) in file.models.iter().enumerate() {
            by_provider.entry(row.provider.clone()).or_default().add(index, &row.model);
        }
        Ok(Self { as_of: file.as_of, rows: file.models, by_provider, tools: file.tools })
    }

    /// The date that the prices are of; what a cost names as its price version.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    pub fn has_provider(&self, provider: &str) -> bool {
        self.by_provider.contains_key(provider)
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of one provider, in the table's order.
    pub fn rows_of<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.provider == provider)
    }

    /// What the provider charges for a call of a tool that it runs itself.
    pub fn tool(&self, provider: &str, tool: &str) -> Option<CallPrice> {
        self.tools.get(provider)?.get(tool)
    }

    /// The row of `model` at `provider`, by the four steps of "Finding the row".
    pub fn find(&self, provider: &str, model: &str) -> Option<Found<'_>> {
        let (index, step) = self.by_provider.get(provider)?.find(model)?;
        Some(Found { row: self.rows.get(index)?, step })
    }
}
