//! What the price table says of a model beside its price, for the model picker and for limits.

use std::collections::BTreeMap;

use canonical::MicroUsdPerMTok;

use crate::prices::{Match, PriceTable, Rate, Row};

/// A model as the table knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    pub provider: String,
    /// The id in the table, which may differ from the one asked for; see `found`.
    pub id: String,
    pub found: Match,
    /// `chat`, `embedding`, …; the list is open.
    pub kind: String,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
    /// What the model takes (`tools`, `vision`, …). Missing is unknown, not false.
    pub capabilities: BTreeMap<String, bool>,
    /// `YYYY-MM-DD`, as the provider names it.
    pub deprecated_on: Option<String>,
    /// Dollars per million tokens, standard tier, small prompt; an exact decimal.
    pub input_usd_per_mtok: Option<String>,
    pub output_usd_per_mtok: Option<String>,
}

impl ModelInfo {
    fn of(row: &Row, found: Match) -> Self {
        let base = row.tiers.get("standard").and_then(|rows| rows.first());
        let price = |rate| base.and_then(|row| row.rates.resolve(rate)).map(|(_, price)| decimal(price));
        Self {
            provider: row.provider.clone(),
            id: row.model.clone(),
            found,
            kind: row.kind.clone(),
            context_window: row.context_window,
            max_output_tokens: row.max_output_tokens,
            capabilities: row.capabilities.clone(),
            deprecated_on: row.deprecated_on.clone(),
            input_usd_per_mtok: price(Rate::Input),
            output_usd_per_mtok: price(Rate::Output),
        }
    }
}

/// What is known of `model` at the price table's `provider`.
pub fn model(provider: &str, model: &str) -> Option<ModelInfo> {
    let found = PriceTable::embedded().find(provider, model)?;
    Some(ModelInfo::of(found.row, found.step))
}

/// The chat models that the table has of a provider, for when its own list is not known.
pub fn chat_models(provider: &str) -> Vec<ModelInfo> {
    PriceTable::embedded()
        .rows_of(provider)
        .filter(|row| row.kind == "chat")
        .map(|row| ModelInfo::of(row, Match::Exact))
        .collect()
}

/// A rate as the decimal number of dollars per million tokens that it is, without idle zeros.
pub fn decimal(price: MicroUsdPerMTok) -> String {
    const UNIT: i64 = 1_000_000_000;
    let (whole, fraction) = (price.0 / UNIT, price.0 % UNIT);
    let text = format!("{whole}.{fraction:09}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_shown_as_it_is_written() {
        for text in ["0", "3", "0.15", "0.000000001", "1250.5"] {
            assert_eq!(decimal(MicroUsdPerMTok::from_decimal_usd(text).unwrap()), text);
        }
    }

    #[test]
    fn a_model_is_known_with_its_window_and_capabilities() {
        let info = model("anthropic", "claude-haiku-4-5-20251001").unwrap();
        assert_eq!((info.context_window, info.max_output_tokens), (Some(200_000), Some(64_000)));
        assert_eq!(info.capabilities.get("tools"), Some(&true));
        assert_eq!(info.capabilities.get("juggling"), None);
        assert_eq!(info.input_usd_per_mtok.as_deref(), Some("1"));
        assert_eq!(info.output_usd_per_mtok.as_deref(), Some("5"));
    }

    #[test]
    fn only_chat_models_are_offered_for_chat() {
        let models = chat_models("openai");
        assert!(models.iter().any(|model| model.id == "gpt-5"));
        assert!(models.iter().all(|model| model.kind == "chat" && !model.id.contains("embedding")));
        assert!(chat_models("nobody").is_empty());
    }
}
