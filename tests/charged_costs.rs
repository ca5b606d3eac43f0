//! Some providers say in each answer what they charged for it. What we compute from the same
//! answer's usage and the price table must be that, wherever the table has the model: the decoders,
//! the table and the arithmetic against the vendors' own bills.

use std::collections::BTreeMap;

use catalog::pricing::price_with;
use catalog::{CostStatus, PriceQuery, PriceTable};
use signalbox_tests::corpus;
use signalbox_tests::laws;
use wire::ProtocolId;

/// xAI's prices when its answers were recorded (<https://docs.x.ai/docs/models>, autumn 2025); they
/// have changed since, and one of the models is gone from the table.
const XAI_THEN: &str = r#"{ "as_of": "2025-10-01", "models": [
    { "provider": "xai", "model": "grok-code-fast-1", "kind": "chat", "usd_per_million_tokens":
        { "standard": [{ "above_input_tokens": 0, "input": "0.2", "cache_read": "0.02", "output": "1.5" }] } },
    { "provider": "xai", "model": "grok-4-fast", "kind": "chat", "usd_per_million_tokens":
        { "standard": [{ "above_input_tokens": 0, "input": "0.2", "cache_read": "0.05", "output": "0.5" }] } }
]}"#;

/// Perplexity rounds each of its figures to 10⁻⁵ dollars; xAI and Vercel charge exactly.
fn rounding(provider: &str) -> i64 {
    if provider == "perplexity" { 20_000_000 } else { 0 }
}

#[test]
fn what_we_compute_is_what_was_charged() {
    let Some(records) = corpus::records("openai-chat") else { return };
    let protocol = wire::protocol(ProtocolId::OpenaiChat);
    let xai_then = PriceTable::parse(XAI_THEN).unwrap();
    let mut compared: BTreeMap<String, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for record in records {
        let Some(kind) = catalog::kind(&record.provider) else { continue };
        let Some(price_provider) = kind.price_provider.as_deref() else { continue };
        let answer = laws::decode(protocol, &kind.quirks, &record).response;
        let Some(usage) = answer.usage.filter(|usage| usage.reported_cost.is_some()) else { continue };
        let asked =
            record.request.as_ref().and_then(|r| r.body.as_ref()?["model"].as_str().map(str::to_owned));
        let table = if price_provider == "xai" { &xai_then } else { PriceTable::embedded() };
        let query = PriceQuery {
            response_model: answer.start.model.as_deref(),
            ..PriceQuery::new(
                Some(price_provider),
                asked.as_deref().unwrap_or_default(),
                &usage,
                1_795_132_800_000,
            )
        };
        let priced = price_with(table, &query);
        // Without a row the charge itself is the cost; a near row is no bill.
        let (CostStatus::Computed, Some(cost), Some(charged)) = (priced.status, priced.cost, priced.reported)
        else {
            continue;
        };
        *compared.entry(record.provider.clone()).or_default() += 1;
        if (cost.0 - charged.0).abs() > rounding(&record.provider) {
            wrong.push(format!(
                "{}: {} computed, {} charged, {usage:?}, {:?}",
                record.id, cost.0, charged.0, priced.lines
            ));
        }
    }
    println!("compared, by provider: {compared:?}");
    for provider in ["perplexity", "vercel-gateway", "xai"] {
        assert!(compared.contains_key(provider), "{provider}: {compared:?}");
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
