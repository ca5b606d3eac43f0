//! The rules one by one, on small tables whose sums can be done in the head; `oracle` then holds
//! every row of the real table against a second computation.

mod oracle;
mod properties;

use canonical::usage::{BilledTokens, Pass, ToolCalls};
use canonical::{PicoUsd, Usage};

use super::{CostStatus, PriceQuery, Priced, SearchSize, SearchTool, price_with};
use crate::prices::PriceTable;

/// A table of one model, `m` at `p`, with these fields beside its name.
fn table(fields: &str) -> PriceTable {
    provider_table("p", fields)
}

fn provider_table(provider: &str, fields: &str) -> PriceTable {
    let json = format!(
        r#"{{"as_of":"2026-11-20","tools":{{"openai":{{"web_search":"0.01","file_search":"0.0025","source":"x"}}}},
        "models":[{{"provider":"{provider}","model":"m","kind":"chat",{fields}}}]}}"#
    );
    PriceTable::parse(&json).unwrap()
}

fn standard(rates: &str) -> PriceTable {
    table(&format!(r#""usd_per_million_tokens":{{"standard":[{{"above_input_tokens":0,{rates}}}]}}"#))
}

fn query<'a>(provider: &'a str, usage: &'a Usage) -> PriceQuery<'a> {
    PriceQuery::new(Some(provider), "m", usage, 0)
}

fn cost(table: &PriceTable, usage: &Usage) -> Option<i64> {
    price_with(table, &query("p", usage)).cost.map(|cost| cost.0)
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage { input_tokens: input, output_tokens: output, ..Usage::default() }
}

fn note_of(priced: &Priced) -> String {
    priced.notes.join(" ")
}

// === Rates and parts ===

#[test]
fn a_dollar_rate_per_million_is_a_micro_dollar_per_token() {
    let table = standard(r#""input":"3","output":"15""#);
    let priced = price_with(&table, &query("p", &tokens(1000, 10)));
    assert_eq!(priced.cost, Some(PicoUsd(1000 * 3_000_000 + 10 * 15_000_000)));
    assert_eq!(priced.status, CostStatus::Computed);
    assert_eq!(priced.price_version, "2026-11-20");
    let row = priced.row.unwrap();
    assert_eq!((row.model.as_str(), row.tier.as_str(), row.above_input_tokens), ("m", "standard", 0));
    let lines: Vec<_> =
        priced.lines.iter().map(|l| (l.part.as_str(), l.tokens, l.rate.as_str(), l.cost.0)).collect();
    assert_eq!(lines, [("input", 1000, "3", 3_000_000_000), ("output", 10, "15", 150_000_000)]);
}

#[test]
fn a_rate_of_zero_is_a_price() {
    assert_eq!(cost(&standard(r#""input":"0","output":"0""#), &tokens(5, 5)), Some(0));
}

#[test]
fn the_sum_is_rounded_once_and_half_to_even() {
    // 10⁻³ pico-dollar per token: half a pico-dollar is 500 tokens.
    let table = standard(r#""input":"0.000000001","output":"0.000000001""#);
    for (input, output, rounded) in
        [(500, 0, 0), (250, 250, 0), (501, 0, 1), (1500, 0, 2), (1499, 0, 1), (2500, 0, 2)]
    {
        assert_eq!(cost(&table, &tokens(input, output)), Some(rounded), "{input} + {output}");
    }
}

#[test]
fn a_missing_rate_is_looked_up_in_the_same_row_only() {
    let usage = Usage { cache_read_tokens: 400, ..tokens(1000, 0) };
    let with_read = standard(r#""input":"2","cache_read":"0.5""#);
    let without = standard(r#""input":"2","output":"1""#);
    assert_eq!(cost(&with_read, &usage), Some(600 * 2_000_000 + 400 * 500_000));
    assert_eq!(cost(&without, &usage), Some(1000 * 2_000_000));
    let tiered = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"2","cache_read":"0.5"},
        {"above_input_tokens":900,"input":"4"}]}"#,
    );
    assert_eq!(cost(&tiered, &usage), Some(1000 * 4_000_000));
}

#[test]
fn stand_ins_chain_as_the_table_of_rates_says() {
    let usage = Usage {
        input_tokens: 100,
        cache_read_tokens: 30,
        cache_read_audio_tokens: 10,
        input_audio_tokens: 15,
        cache_write_tokens: 20,
        cache_write_1h_tokens: 8,
        output_tokens: 50,
        reasoning_tokens: 20,
        output_audio_tokens: 5,
        ..Usage::default()
    };
    // 45 plain, 5 audio, 20 + 10 read, 12 + 8 written; 25 text, 20 reasoning, 5 audio.
    let bare = standard(r#""input":"1","output":"10""#);
    assert_eq!(cost(&bare, &usage), Some(100 * 1_000_000 + 50 * 10_000_000));
    let cached = standard(r#""input":"1","output":"10","cache_read":"0.1","cache_write":"2""#);
    let inputs = 45 * 1_000_000 + 5 * 1_000_000 + 30 * 100_000 + 20 * 2_000_000;
    assert_eq!(cost(&cached, &usage), Some(inputs + 50 * 10_000_000));
    let all = standard(
        r#""input":"1","output":"10","cache_read":"0.1","cache_read_audio":"0.3","cache_write":"2","cache_write_1h":"3",
        "input_audio":"7","reasoning":"20","output_audio":"30""#,
    );
    let inputs =
        45 * 1_000_000 + 5 * 7_000_000 + 20 * 100_000 + 10 * 300_000 + 12 * 2_000_000 + 8 * 3_000_000;
    assert_eq!(cost(&all, &usage), Some(inputs + 25 * 10_000_000 + 20 * 20_000_000 + 5 * 30_000_000));
}

/// Cohere's answer of 1807 tokens read, 992 of them cached, and 41 written; billed 119 and 27.
#[test]
fn what_the_provider_bills_goes_before_what_was_read_and_written() {
    let table = standard(r#""input":"2","output":"10","cache_read":"0.5""#);
    let billed = Usage {
        cache_read_tokens: 992,
        billed: Some(Box::new(BilledTokens { input: 119, output: 27 })),
        ..tokens(1807, 41)
    };
    assert_eq!(cost(&table, &billed), Some(119 * 2_000_000 + 27 * 10_000_000));
    let unsaid = Usage { billed: None, ..billed };
    assert_eq!(cost(&table, &unsaid), Some(815 * 2_000_000 + 992 * 500_000 + 41 * 10_000_000));
}

#[test]
fn an_answer_of_images_alone_has_its_text_at_the_image_rate() {
    let table = standard(r#""input":"1","output_image":"40""#);
    assert_eq!(cost(&table, &tokens(1, 1)), Some(41_000_000));
}

#[test]
fn a_part_without_a_rate_makes_the_cost_unknown_and_not_zero() {
    let table = standard(r#""output":"7.5""#);
    let priced = price_with(&table, &query("p", &tokens(10, 10)));
    assert_eq!((priced.cost, priced.status), (None, CostStatus::Unknown));
    assert!(note_of(&priced).contains("no price for input tokens"), "{:?}", priced.notes);
    assert_eq!(priced.lines.len(), 1, "the part that has a price is still shown");
    assert_eq!(cost(&table, &tokens(0, 10)), Some(75_000_000), "a part without tokens needs no rate");
}

#[test]
fn no_usage_at_all_is_unknown() {
    let priced = price_with(&standard(r#""input":"1","output":"1""#), &query("p", &Usage::default()));
    assert_eq!((priced.cost, priced.status), (None, CostStatus::Unknown));
}

#[test]
fn alibaba_charges_a_thinking_answer_whole_at_the_reasoning_rate() {
    let table = table(
        r#""reasoning_rate_covers_answer":true,
        "usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"1","output":"2","reasoning":"8"}]}"#,
    );
    assert_eq!(cost(&table, &tokens(0, 100)), Some(100 * 2_000_000));
    let thought = Usage { reasoning_tokens: 1, ..tokens(0, 100) };
    assert_eq!(cost(&table, &thought), Some(100 * 8_000_000));
}

// === Row ===

#[test]
fn a_prompt_size_row_holds_above_its_threshold_and_prices_every_token() {
    let rows = r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"1","output":"1"},
        {"above_input_tokens":200,"input":"2","output":"3"}]}"#;
    let above = table(rows);
    let from = table(&format!(r#""threshold_inclusive":true,{rows}"#));
    for (input, by_above, by_from) in [(199, 1, 1), (200, 1, 2), (201, 2, 2)] {
        assert_eq!(cost(&above, &tokens(input, 0)), Some(input as i64 * by_above * 1_000_000));
        assert_eq!(cost(&from, &tokens(input, 0)), Some(input as i64 * by_from * 1_000_000));
    }
    let cached = Usage { cache_read_tokens: 150, cache_write_tokens: 50, ..tokens(201, 1) };
    assert_eq!(
        cost(&above, &cached),
        Some(201 * 2_000_000 + 3_000_000),
        "cached tokens count towards the size"
    );
}

#[test]
fn the_tier_that_the_answer_names_goes_before_the_one_asked_for() {
    let table = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"10"}],
        "priority":[{"above_input_tokens":0,"input":"20"}],"flex":[{"above_input_tokens":0,"input":"5"}]}"#,
    );
    for (answered, asked, rate) in [
        (None, None, 10),
        (None, Some("priority"), 20),
        (Some("default"), Some("priority"), 10),
        (Some("priority"), Some("default"), 20),
        (Some("fast"), None, 20),
        (Some("flex"), None, 5),
        (Some("auto"), None, 10),
        (Some("on_demand"), None, 10),
        (Some("batch"), None, 10),
        (Some("ultrafast"), None, 10),
    ] {
        let usage = Usage { service_tier: answered.map(str::to_owned), ..tokens(1, 0) };
        let priced = price_with(&table, &PriceQuery { requested_tier: asked, ..query("p", &usage) });
        assert_eq!(priced.cost, Some(PicoUsd(rate * 1_000_000)), "{answered:?}, {asked:?}");
    }
}

#[test]
fn a_model_without_the_tier_and_without_standard_is_unknown() {
    let priority_only =
        table(r#""usd_per_million_tokens":{"priority":[{"above_input_tokens":0,"input":"20"}]}"#);
    assert_eq!(cost(&priority_only, &tokens(1, 0)), None);
    let usage = Usage { service_tier: Some("priority".into()), ..tokens(1, 0) };
    assert_eq!(cost(&priority_only, &usage), Some(20_000_000));
}

#[test]
fn the_id_in_the_answer_goes_before_the_id_asked_for_and_a_near_hit_is_an_estimate() {
    let table = standard(r#""input":"1""#);
    let usage = tokens(1, 0);
    let ask = |response: Option<&'static str>, request: &'static str| {
        let query = PriceQuery { response_model: response, request_model: request, ..query("p", &usage) };
        price_with(&table, &query).status
    };
    assert_eq!(ask(Some("m"), "other"), CostStatus::Computed);
    assert_eq!(ask(Some("other"), "m"), CostStatus::Computed);
    assert_eq!(ask(None, "models/M"), CostStatus::Computed);
    assert_eq!(ask(Some("m-2025-08-07"), "m"), CostStatus::Estimated);
    assert_eq!(ask(None, "m-latest"), CostStatus::Estimated);
    assert_eq!(ask(Some("other"), "another"), CostStatus::Unknown);
}

#[test]
fn an_inferred_rate_that_was_used_makes_an_estimate() {
    let table = table(
        r#""inferred":["standard/0/cache_read"],
        "usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"1","cache_read":"0.5"}]}"#,
    );
    let plain = tokens(10, 0);
    assert_eq!(price_with(&table, &query("p", &plain)).status, CostStatus::Computed);
    let cached = Usage { cache_read_tokens: 5, ..tokens(10, 0) };
    let priced = price_with(&table, &query("p", &cached));
    assert_eq!(priced.status, CostStatus::Estimated);
    assert!(note_of(&priced).contains("inferred"));
}

// === Off-peak ===

#[test]
fn off_peak_rates_replace_the_rows_while_a_window_is_open() {
    let table = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"2","cache_read":"0.2","output":"4"},
        {"above_input_tokens":100,"input":"3","output":"6"}]},
        "off_peak":{"windows":[{"hours_utc":["04:00-06:00"]}],"weekday_timezone":"UTC","input":"1","cache_read":"0.1"}"#,
    );
    let hour = 3_600_000;
    for (at, open) in [(4 * hour - 1, false), (4 * hour, true), (6 * hour - 1, true), (6 * hour, false)] {
        for input in [100, 101] {
            let usage = Usage { cache_read_tokens: 10, ..tokens(input, 1) };
            let priced = price_with(&table, &PriceQuery { started_at_ms: at, ..query("p", &usage) });
            let (plain, read, output) = match (open, input > 100) {
                (true, large) => (1_000_000, 100_000, if large { 6_000_000 } else { 4_000_000 }),
                (false, false) => (2_000_000, 200_000, 4_000_000),
                (false, true) => (3_000_000, 3_000_000, 6_000_000),
            };
            let expected = (input as i64 - 10) * plain + 10 * read + output;
            assert_eq!(priced.cost, Some(PicoUsd(expected)), "{at} {input}");
        }
    }
}

#[test]
fn a_calendar_that_is_not_known_makes_an_estimate() {
    let table = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"2"}]},
        "off_peak":{"windows":[{"hours_utc":["00:00-00:00"],"weekdays":[6]}],"weekday_timezone":"Mars/Olympus","input":"1"}"#,
    );
    let priced = price_with(&table, &query("p", &tokens(1, 0)));
    assert_eq!((priced.cost, priced.status), (Some(PicoUsd(2_000_000)), CostStatus::Estimated));
}

// === Multipliers ===

#[test]
fn multipliers_multiply_token_costs_with_each_other_and_leave_calls_alone() {
    let table = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"1"}]},
        "usd_per_call":{"request":"0.005"},
        "multipliers":{"inference_geo":{"us":"1.1"},"speed":{"fast":"2"}}"#,
    );
    let call = 5_000_000_000;
    for (geo, speed, expected) in [
        (None, None, 10_000_000),
        (Some("us"), None, 11_000_000),
        (Some("global"), None, 10_000_000),
        (Some("us"), Some("fast"), 22_000_000),
    ] {
        let usage =
            Usage { inference_geo: geo.map(str::to_owned), speed: speed.map(str::to_owned), ..tokens(10, 0) };
        let priced = price_with(&table, &query("p", &usage));
        assert_eq!(priced.cost, Some(PicoUsd(expected + call)));
        assert_eq!(priced.lines.iter().map(|line| line.cost).sum::<PicoUsd>(), PicoUsd(expected + call));
    }
}

#[test]
fn residency_hangs_on_the_host_and_regions_on_the_location() {
    let resident = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"10"}]},
        "multipliers":{"data_residency":{"eu":"1.1"},"regional_endpoint":"1.2"}"#,
    );
    for (host, location, expected) in [
        (None, None, 100),
        (Some("api.openai.com"), None, 100),
        (Some("eu.api.openai.com"), None, 110),
        (Some("eu.api.example.com"), None, 100),
        (None, Some("global"), 100),
        (None, Some("europe-west4"), 120),
        (Some("eu.api.openai.com"), Some("europe-west4"), 132),
    ] {
        let usage = tokens(1, 0);
        let priced = price_with(&resident, &PriceQuery { host, location, ..query("p", &usage) });
        assert_eq!(priced.cost, Some(PicoUsd(expected * 100_000)), "{host:?} {location:?}");
    }
}

// === Calls ===

const SEARCHES: &str = r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"0"}]},
    "usd_per_call":{"web_search_low":"0.005","web_search_medium":"0.008","web_search_high":"0.012"}"#;

fn search_cost(table: &PriceTable, provider: &str, searches: u64, size: Option<SearchSize>) -> i64 {
    let usage = Usage { web_searches: searches, ..tokens(1, 0) };
    let query = PriceQuery { search_size: size, ..query(provider, &usage) };
    price_with(table, &query).cost.unwrap().0 / 1_000_000_000
}

#[test]
fn searches_are_charged_by_query_by_answer_or_by_request() {
    for (unit, searches, size, milli_dollars) in [
        ("query", 0, None, 0),
        ("query", 3, None, 24),
        ("query", 3, Some(SearchSize::High), 36),
        ("prompt", 0, None, 0),
        ("prompt", 3, None, 8),
        ("request", 0, None, 5),
        ("request", 3, None, 5),
        ("request", 0, Some(SearchSize::Medium), 8),
    ] {
        let table = table(&format!(r#""web_search_unit":"{unit}",{SEARCHES}"#));
        assert_eq!(search_cost(&table, "p", searches, size), milli_dollars, "{unit} {searches} {size:?}");
    }
}

#[test]
fn the_reported_search_size_goes_before_the_one_asked_for() {
    let table = table(&format!(r#""web_search_unit":"query",{SEARCHES}"#));
    let usage = Usage { web_searches: 1, search_context_size: Some("high".into()), ..tokens(1, 0) };
    let asked = PriceQuery { search_size: Some(SearchSize::Low), ..query("p", &usage) };
    assert_eq!(price_with(&table, &asked).cost, Some(PicoUsd(12_000_000_000)));
}

#[test]
fn openai_has_two_search_tools_with_two_prices() {
    let table = provider_table("openai", &format!(r#""web_search_unit":"query",{SEARCHES}"#));
    assert_eq!(search_cost(&table, "openai", 2, None), 20);
    let usage = Usage { web_searches: 2, ..tokens(1, 0) };
    let preview = PriceQuery { search_tool: SearchTool::Preview, ..query("openai", &usage) };
    assert_eq!(price_with(&table, &preview).cost, Some(PicoUsd(16_000_000_000)));
}

#[test]
fn a_search_or_tool_that_nobody_prices_makes_the_cost_unknown() {
    let bare = standard(r#""input":"1""#);
    assert_eq!(cost(&bare, &Usage { web_searches: 1, ..tokens(1, 0) }), None);
    let strange = table(&format!(r#""web_search_unit":"fortnight",{SEARCHES}"#));
    assert_eq!(cost(&strange, &Usage { web_searches: 1, ..tokens(1, 0) }), None);
    let openai = provider_table(
        "openai",
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"0"}]}"#,
    );
    for (tool, expected) in
        [("file_search", Some(PicoUsd(5_000_000_000))), ("juggling", None), ("source", None)]
    {
        let ran = ToolCalls { tool: tool.to_owned(), count: 2 };
        let usage = Usage { tool_calls: Some([ran].into()), ..tokens(1, 0) };
        let priced = price_with(&openai, &query("openai", &usage));
        assert_eq!(priced.cost, expected, "{tool}");
    }
}

#[test]
fn free_searches_are_stated_and_not_deducted() {
    let table = table(&format!(
        r#""web_search_unit":"query","web_search_free":{{"count":1500,"period":"day","shared_group":"g"}},{SEARCHES}"#
    ));
    let priced = price_with(&table, &query("p", &Usage { web_searches: 1, ..tokens(1, 0) }));
    assert_eq!(priced.cost, Some(PicoUsd(8_000_000_000)));
    assert!(note_of(&priced).contains("1500 searches per day"));
}

#[test]
fn images_are_priced_one_by_one_only_where_no_tokens_were_counted_for_them() {
    let table = table(
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"1","output":"1"}]},
        "usd_per_call":{"output_image":"0.04"}"#,
    );
    for (image_tokens, expected) in [(0, 2_000_000 + 80_000_000_000), (1, 2_000_000)] {
        let usage = Usage { output_image_tokens: image_tokens, ..tokens(1, 1) };
        let priced =
            price_with(&table, &PriceQuery { output_images: 2, input_images: 3, ..query("p", &usage) });
        assert_eq!(priced.cost, Some(PicoUsd(expected)));
    }
}

#[test]
fn what_a_google_search_brought_in_is_free_and_what_other_tools_brought_in_is_not() {
    let table = provider_table(
        "google",
        r#""usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"1"},{"above_input_tokens":100,"input":"2"}]},
        "web_search_unit":"query","usd_per_call":{"web_search_medium":"0"}"#,
    );
    let fetched = Usage { tool_use_tokens: 50, ..tokens(140, 0) };
    assert_eq!(price_with(&table, &query("google", &fetched)).cost, Some(PicoUsd(280_000_000)));
    let searched = Usage { web_searches: 1, ..fetched };
    assert_eq!(price_with(&table, &query("google", &searched)).cost, Some(PicoUsd(90_000_000)));
}

#[test]
fn vercels_recorded_costs_are_reached_to_the_pico_dollar() {
    // vercel-gateway.openai-chat.jsonl: gemini-2.5-flash reports reasoning beside 2 output tokens,
    // gpt-5 within 327; both were charged on top.
    for (rates, prompt, completion, reasoning, reported) in [
        (r#""input":"0.3","output":"2.5""#, 9, 2, 25, 70_200_000),
        (r#""input":"1.25","output":"10""#, 113, 327, 256, 5_971_250_000),
    ] {
        let fields =
            format!(r#""usd_per_million_tokens":{{"standard":[{{"above_input_tokens":0,{rates}}}]}}"#);
        let usage = Usage {
            reasoning_tokens: reasoning.min(completion),
            stated_reasoning_tokens: (reasoning > completion).then_some(reasoning),
            ..tokens(prompt, completion)
        };
        let priced = price_with(&provider_table("vercel", &fields), &query("vercel", &usage));
        assert_eq!(priced.cost, Some(PicoUsd(reported)), "{:?}", priced.lines);
    }
}

// === Status ===

#[test]
fn a_reported_cost_stands_beside_ours_and_in_for_it_where_we_have_none() {
    let table = standard(r#""input":"1""#);
    let usage = Usage { reported_cost: Some(PicoUsd(7)), ..tokens(1, 0) };
    let both = price_with(&table, &query("p", &usage));
    assert_eq!(
        (both.cost, both.reported, both.status),
        (Some(PicoUsd(1_000_000)), Some(PicoUsd(7)), CostStatus::Computed)
    );
    for provider in [None, Some("openrouter")] {
        let reported = price_with(&table, &PriceQuery { provider, ..query("p", &usage) });
        assert_eq!((reported.cost, reported.status), (Some(PicoUsd(7)), CostStatus::Reported));
    }
}

#[test]
fn zero_is_what_a_free_model_costs_but_means_nothing_from_azure() {
    let table = standard(r#""input":"1""#);
    let usage = Usage { reported_cost: Some(PicoUsd::ZERO), ..tokens(1, 0) };
    let free = price_with(&table, &PriceQuery { provider: None, ..query("p", &usage) });
    assert_eq!((free.cost, free.status), (Some(PicoUsd::ZERO), CostStatus::Reported));
    let by_name = PriceQuery { provider: Some("azure-openai"), ..query("p", &usage) };
    let by_host = PriceQuery { provider: None, host: Some("x.services.ai.azure.com"), ..query("p", &usage) };
    for query in [by_name, by_host] {
        let priced = price_with(&table, &query);
        assert_eq!((priced.cost, priced.reported, priced.status), (None, None, CostStatus::Unknown));
    }
}

#[test]
fn a_provider_that_is_set_to_cost_nothing_costs_nothing() {
    let table = standard(r#""input":"1""#);
    for usage in [Usage::default(), tokens(100, 100)] {
        let priced = price_with(&table, &PriceQuery { is_free: true, ..query("p", &usage) });
        assert_eq!((priced.cost, priced.status), (Some(PicoUsd::ZERO), CostStatus::Computed));
    }
}

#[test]
fn tokens_that_we_counted_ourselves_make_an_estimate() {
    let usage = Usage { is_estimated: true, ..tokens(1, 0) };
    assert_eq!(price_with(&standard(r#""input":"1""#), &query("p", &usage)).status, CostStatus::Estimated);
}

#[test]
fn an_amount_past_what_can_be_kept_is_unknown() {
    let table = standard(r#""input":"1000000","output":"1000000""#);
    assert_eq!(cost(&table, &tokens(u64::MAX, u64::MAX)), None);
}

// === Passes ===

#[test]
fn each_pass_is_priced_as_its_own_model_and_the_totals_are_not() {
    let json = r#"{"as_of":"2026-11-20","models":[
        {"provider":"p","model":"m","kind":"chat","usd_per_million_tokens":{"standard":[
            {"above_input_tokens":0,"input":"2","cache_read":"1","output":"10"},
            {"above_input_tokens":1000,"input":"4","output":"20"}]}},
        {"provider":"p","model":"advisor","kind":"chat",
            "multipliers":{"speed":{"fast":"1.5"}},
            "usd_per_million_tokens":{"standard":[{"above_input_tokens":0,"input":"5","output":"25"}]}}]}"#;
    let table = PriceTable::parse(json).unwrap();
    let own = |input, output| Pass { input_tokens: input, output_tokens: output, ..Pass::default() };
    let advice = Pass { model: Some("advisor".to_owned()), ..own(500, 20) };
    let usage = Usage {
        passes: Some([own(600, 11), advice.clone(), own(700, 12)].into()),
        web_searches: 0,
        ..tokens(1300, 23)
    };
    let priced = price_with(&table, &query("p", &usage));
    // No pass alone is past the threshold that the totals are past.
    let (own, advised) = (1300 * 2 + 23 * 10, 500 * 5 + 20 * 25);
    assert_eq!(priced.cost, Some(PicoUsd((own + advised) * 1_000_000)));
    assert_eq!(priced.status, CostStatus::Computed);
    assert_eq!(priced.row.unwrap().model, "m");
    let models: Vec<_> = priced.lines.iter().map(|line| line.model.as_deref()).collect();
    assert_eq!(models, [None, None, Some("advisor"), Some("advisor"), None, None]);
    // A multiplier of one model leaves the other's alone.
    let fast = Usage { speed: Some("fast".to_owned()), ..usage.clone() };
    let priced = price_with(&table, &query("p", &fast));
    assert_eq!(priced.cost, Some(PicoUsd((own * 2 + advised * 3) * 500_000)));
    let stranger = Pass { model: Some("stranger".to_owned()), ..advice };
    let unknown = Usage { passes: Some([stranger].into()), ..usage };
    let priced = price_with(&table, &query("p", &unknown));
    assert_eq!((priced.cost, priced.status), (None, CostStatus::Unknown));
    assert!(note_of(&priced).contains("No price is known for stranger"));
}

#[test]
fn a_tool_is_priced_under_the_name_that_the_provider_lists_it_by() {
    let json = r#"{"as_of":"2026-11-20","tools":{"xai":{"collections_search":"0.0025","x_search":"0.005"}},
        "models":[{"provider":"xai","model":"m","kind":"chat","usd_per_million_tokens":
            {"standard":[{"above_input_tokens":0,"input":"0"}]}}]}"#;
    let ran = |tool: &str, count| ToolCalls { tool: tool.to_owned(), count };
    let usage =
        Usage { tool_calls: Some([ran("file_search", 2), ran("x_search", 1)].into()), ..tokens(1, 0) };
    let priced = price_with(&PriceTable::parse(json).unwrap(), &query("xai", &usage));
    assert_eq!(priced.cost, Some(PicoUsd(10_000_000_000)));
    assert!(priced.lines.iter().any(|line| line.part == "collections_search" && line.tokens == 2));
}
