//! What holds of any cost, whatever was used.

use canonical::{PicoUsd, Usage};
use proptest::prelude::*;

use crate::prices::PriceTable;
use crate::pricing::{CostStatus, PriceQuery, price};

/// Any report a provider may send, consistent or not.
fn usages() -> impl Strategy<Value = Usage> {
    let count = || prop_oneof![0..10_000_000_u64, Just(0), Just(u64::MAX)];
    let counts = prop::collection::vec(count(), 12);
    let words =
        prop::sample::select(vec![None, Some("priority"), Some("flex"), Some("us"), Some("fast"), Some("?")]);
    (counts, words.clone(), words.clone(), words).prop_map(|(n, tier, geo, speed)| Usage {
        input_tokens: n[0],
        cache_read_tokens: n[1],
        cache_write_tokens: n[2],
        cache_write_1h_tokens: n[3],
        input_audio_tokens: n[4],
        cache_read_audio_tokens: n[5],
        tool_use_tokens: n[6],
        output_tokens: n[7],
        reasoning_tokens: n[8],
        output_image_tokens: n[9],
        citation_tokens: n[10],
        web_searches: n[11] % 10,
        service_tier: tier.map(str::to_owned),
        inference_geo: geo.map(str::to_owned),
        speed: speed.map(str::to_owned),
        ..Usage::default()
    })
}

fn rows() -> impl Strategy<Value = usize> {
    0..PriceTable::embedded().rows().len()
}

proptest! {
    #[test]
    fn an_amount_is_there_exactly_where_the_status_says_so(usage in usages(), row in rows(), at in any::<i64>()) {
        let row = &PriceTable::embedded().rows()[row];
        let priced = price(&PriceQuery::new(Some(&row.provider), &row.model, &usage, at));
        prop_assert_eq!(priced.cost.is_none(), priced.status == CostStatus::Unknown);
        prop_assert!(priced.cost.is_none_or(|cost| cost >= PicoUsd::ZERO));
        prop_assert!(priced.status != CostStatus::Unknown || !priced.notes.is_empty(), "an unknown cost says why");
    }

    #[test]
    fn lines_and_cost_differ_by_rounding_alone(input in 0..1_000_000_u64, read in 0..100_000_u64, output in 1..100_000_u64, row in rows()) {
        let row = &PriceTable::embedded().rows()[row];
        let usage = Usage { input_tokens: input + read, cache_read_tokens: read, output_tokens: output, ..Usage::default() };
        let priced = price(&PriceQuery::new(Some(&row.provider), &row.model, &usage, 0));
        if let Some(cost) = priced.cost {
            let lines: PicoUsd = priced.lines.iter().map(|line| line.cost).sum();
            prop_assert!((lines.0 - cost.0).unsigned_abs() <= priced.lines.len() as u64);
        }
    }

    #[test]
    fn more_output_never_costs_less(input in 1..500_000_u64, output in 0..100_000_u64, more in 1..100_000_u64, row in rows()) {
        let row = &PriceTable::embedded().rows()[row];
        let cost = |output| {
            let usage = Usage { input_tokens: input, output_tokens: output, ..Usage::default() };
            price(&PriceQuery::new(Some(&row.provider), &row.model, &usage, 0)).cost
        };
        if let (Some(less), Some(more)) = (cost(output), cost(output + more)) {
            prop_assert!(less <= more);
        }
    }

    #[test]
    fn an_id_that_is_no_models_finds_nothing_or_says_that_it_is_near(id in "[a-z0-9@/.-]{1,24}") {
        let table = PriceTable::embedded();
        if let Some(found) = table.find("openai", &id) {
            prop_assert!(found.step.is_estimate() || found.row.model.eq_ignore_ascii_case(id.trim_start_matches("models/")));
        }
    }
}
