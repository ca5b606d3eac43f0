//! What is charged per call beside tokens: the request itself, searches, tools, images.

use canonical::PicoUsd;
use canonical::money::div_round_half_even;

use super::rules::ProviderRules;
use super::{CostLine, MILLI, PriceQuery, Priced, SearchSize, SearchTool, Sum};
use crate::prices::{CallPrice, PriceTable, Row};

/// Adds every call that was charged. `None` past what the arithmetic holds.
pub(super) fn add(
    table: &PriceTable,
    rules: ProviderRules,
    row: &Row,
    query: &PriceQuery<'_>,
    sum: &mut Sum,
    priced: &mut Priced,
) -> Option<()> {
    let mut charged: Vec<Call<'_>> = Vec::new();
    if let Some(price) = row.usd_per_call.get("request") {
        charged.push(Call { part: "request", count: 1, price: Some(*price) });
    }
    charged.extend(searches(table, rules, row, query));
    for calls in query.usage.tool_calls.iter().flatten().filter(|calls| calls.count > 0) {
        let part = rules.tool(&calls.tool);
        let price = row.usd_per_call.get(part).copied().or_else(|| table.tool(&row.provider, part));
        charged.push(Call { part, count: calls.count, price });
        if part == "google_maps" && row.web_search_unit.as_deref() == Some("query") {
            // Answers say that Maps was asked, not how often.
            sum.is_estimated = true;
            priced.notes.push("Each query to Google Maps is charged; at least one ran.".to_owned());
        }
    }
    charged.extend(images(row, query));

    for call in charged {
        let Some(price) = call.price else {
            sum.is_incomplete = true;
            priced.notes.push(format!("{} has no price for calls of {}.", row.model, call.part));
            continue;
        };
        let exact = price.0.checked_mul(i128::from(call.count))?;
        sum.calls = sum.calls.checked_add(exact)?;
        priced.lines.push(CostLine {
            part: call.part.to_owned(),
            model: None,
            tokens: call.count,
            rate: price.to_string(),
            cost: PicoUsd(i64::try_from(div_round_half_even(exact, MILLI)).ok()?),
            is_call: true,
        });
    }
    if query.usage.web_searches > 0
        && let Some(free) = &row.web_search_free
    {
        // Free searches are shared by models, keys and clients that we do not see.
        priced.notes.push(format!(
            "{} searches per {} are free at the provider; not deducted here.",
            free.count, free.period
        ));
    }
    Some(())
}

struct Call<'a> {
    part: &'a str,
    count: u64,
    price: Option<CallPrice>,
}

fn searches<'a>(
    table: &PriceTable,
    rules: ProviderRules,
    row: &Row,
    query: &PriceQuery<'_>,
) -> Option<Call<'a>> {
    let ran = query.usage.web_searches;
    let unit = row.web_search_unit.as_deref().unwrap_or("query");
    let reported = query.usage.search_context_size.as_deref().and_then(SearchSize::from_name);
    let size = reported.or(query.search_size);
    let of_row = row.usd_per_call.get(size_name(unit, size)).copied();
    let is_tool_priced = rules.row_search_is_preview && query.search_tool == SearchTool::Current;
    let (count, price) = match (of_row.filter(|_| !is_tool_priced), unit) {
        (Some(price), "request") => (1, Some(price)),
        (Some(price), "prompt") => (u64::from(ran > 0), Some(price)),
        (Some(price), "query") => (ran, Some(price)),
        // A unit that we have no word for: nothing says how often the price counts.
        (Some(_), _) => (ran, None),
        (None, _) => (ran, table.tool(&row.provider, "web_search")),
    };
    (count > 0).then_some(Call { part: "web_search", count, price })
}

fn size_name(unit: &str, size: Option<SearchSize>) -> &'static str {
    match size {
        Some(SearchSize::Low) => "web_search_low",
        Some(SearchSize::High) => "web_search_high",
        None if unit == "request" => "web_search_low",
        Some(SearchSize::Medium) | None => "web_search_medium",
    }
}

/// Images have a price of their own only where no tokens were counted for them.
fn images<'a>(row: &Row, query: &PriceQuery<'_>) -> impl Iterator<Item = Call<'a>> {
    [
        ("input_image", query.input_images, query.usage.input_image_tokens),
        ("output_image", query.output_images, query.usage.output_image_tokens),
    ]
    .into_iter()
    .filter(|(_, count, tokens)| *count > 0 && *tokens == 0)
    .filter_map(|(part, count, _)| {
        let price = row.usd_per_call.get(part).copied()?;
        Some(Call { part, count, price: Some(price) })
    })
}
