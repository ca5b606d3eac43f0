//! What is charged for tokens: each part at its rate, in the row of the model that took them.

use canonical::Usage;
use canonical::usage::Pass;

use super::rules::ProviderRules;
use super::{CostLine, PriceQuery, Priced, RowId, Sum, factors, off_peak, parts, rates};
use crate::prices::{Found, PriceTable};

/// Adds the passes of one answer, each at its own model's price. `None` with a note where one of
/// them has none, or past what the arithmetic holds.
pub(super) fn add_passes(
    table: &PriceTable,
    rules: ProviderRules,
    answers: Found<'_>,
    (query, passes): (&PriceQuery<'_>, &[Pass]),
    sum: &mut Sum,
    priced: &mut Priced,
) -> Option<()> {
    let whole = query.usage;
    for pass in passes {
        let usage = Usage {
            service_tier: whole.service_tier.clone(),
            inference_geo: whole.inference_geo.clone(),
            speed: whole.speed.clone(),
            is_estimated: whole.is_estimated,
            ..pass.usage()
        };
        let query = PriceQuery { usage: &usage, ..*query };
        let (found, named) = match pass.model.as_deref() {
            None => (answers, None),
            Some(model) => {
                let Some(found) = query.provider.and_then(|provider| table.find(provider, model)) else {
                    priced.notes.push(format!("No price is known for {model}."));
                    return None;
                };
                let is_other = found.row.model != answers.row.model;
                (found, is_other.then_some(model))
            }
        };
        add(rules, found, &query, named, sum, priced)?;
    }
    Some(())
}

/// Adds what `query.usage` counts, at the prices of `found`; `other_model` names it where it is not
/// the model that answers. `None` with a note where nothing can be said.
pub(super) fn add(
    rules: ProviderRules,
    found: Found<'_>,
    query: &PriceQuery<'_>,
    other_model: Option<&str>,
    sum: &mut Sum,
    priced: &mut Priced,
) -> Option<()> {
    let usage = query.usage;
    let parts = parts::split(usage, rules);
    if parts.is_empty() {
        return Some(());
    }
    sum.has_tokens = true;
    let tier = usage.service_tier.as_deref().or(query.requested_tier);
    let Some(chosen) = rates::choose(found.row, tier, parts.total_input()) else {
        priced.notes.push(format!("{} has no standard price.", found.row.model));
        return None;
    };
    if other_model.is_none() {
        priced.row = Some(RowId {
            provider: found.row.provider.clone(),
            model: found.row.model.clone(),
            tier: chosen.tier.to_owned(),
            above_input_tokens: chosen.row.above_input_tokens,
        });
    }
    if found.step.is_estimate() {
        sum.is_estimated = true;
        priced.note(format!("Priced as {}, the nearest model with a price.", found.row.model));
    }
    let in_force = off_peak::rates_at(found.row, chosen.row, query.started_at_ms);
    if let off_peak::InForce::Undecided { zone, .. } = &in_force {
        sum.is_estimated = true;
        priced.note(format!("Off-peak hours by the calendar of {zone} are not known here."));
    }
    let factor = factors::product(found.row, query)?;
    for (rate, tokens) in parts.priced_as(found.row.reasoning_rate_covers_answer) {
        let Some((used, price)) = in_force.rates().resolve(rate) else {
            sum.is_incomplete = true;
            priced.note(format!("{} has no price for {rate} tokens.", found.row.model));
            continue;
        };
        if !in_force.replaces(used) && found.row.inferred.iter().any(|name| *name == chosen.name_of(used)) {
            sum.is_estimated = true;
            priced.note(format!("The price for {used} tokens is inferred; the provider does not state it."));
        }
        let exact = price.milli_pico(tokens);
        sum.add_tokens(exact, &factor)?;
        priced.lines.push(CostLine {
            part: rate.to_string(),
            model: other_model.map(str::to_owned),
            tokens,
            rate: crate::models::decimal(price),
            cost: factor.apply(exact)?,
            is_call: false,
        });
    }
    Some(())
}

impl Priced {
    /// Notes what several passes may say, once.
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
