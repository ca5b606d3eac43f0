//! What a request cost: usage × the row that held, in integers, rounded once at the end.
//!
//! The rules are those of `PRICES.md`, section "Cost of a request", in its order: the row
//! ([`rates`]), off-peak hours ([`off_peak`]), disjoint parts ([`parts`]), calls ([`calls`]),
//! arithmetic (here). A part without a price makes the cost unknown, never 0.

mod calls;
mod factors;
mod off_peak;
mod parts;
mod rates;
mod rules;
#[cfg(test)]
mod tests;
mod tokens;

use canonical::money::div_round_half_even;
use canonical::{PicoUsd, Usage};
use serde::{Deserialize, Serialize};

use crate::prices::{Found, PriceTable, RowId};

/// What has to be known of a request to price it.
#[derive(Debug, Clone, Copy)]
pub struct PriceQuery<'a> {
    /// The provider's name in the price table; `None` where it has none there.
    pub provider: Option<&'a str>,
    /// The provider's own setting: what it answers costs nothing.
    pub is_free: bool,
    /// The model that the answer names.
    pub response_model: Option<&'a str>,
    /// The model that was asked for, as the provider takes it.
    pub request_model: &'a str,
    /// The service tier that was asked for; the answer's own (in `usage`) goes before it.
    pub requested_tier: Option<&'a str>,
    pub usage: &'a Usage,
    /// When the request started: milliseconds since the Unix epoch, UTC.
    pub started_at_ms: i64,
    pub search_tool: SearchTool,
    /// The search context size asked for; the reported one (in `usage`) goes before it.
    pub search_size: Option<SearchSize>,
    /// Images in and out; priced one by one only where no tokens were counted for them.
    pub input_images: u64,
    pub output_images: u64,
    /// The host that answered (`eu.api.openai.com`).
    pub host: Option<&'a str>,
    /// The Vertex location that answered.
    pub location: Option<&'a str>,
}

impl<'a> PriceQuery<'a> {
    /// A plain request; what else is known is set on the fields.
    pub fn new(
        provider: Option<&'a str>,
        request_model: &'a str,
        usage: &'a Usage,
        started_at_ms: i64,
    ) -> Self {
        Self {
            provider,
            is_free: false,
            response_model: None,
            request_model,
            requested_tier: None,
            usage,
            started_at_ms,
            search_tool: SearchTool::Current,
            search_size: None,
            input_images: 0,
            output_images: 0,
            host: None,
            location: None,
        }
    }
}

/// Which of OpenAI's search tools ran; they have prices of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SearchTool {
    #[default]
    Current,
    /// `web_search_preview`.
    Preview,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchSize {
    Low,
    Medium,
    High,
}

impl SearchSize {
    /// The size as requests and answers write it (`search_context_size`).
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "low" => Some(Self::Low),
            "medium" => Some(Self::Medium),
            "high" => Some(Self::High),
            _ => None,
        }
    }
}

/// How a cost is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    /// The provider said it; we have no price of our own.
    Reported,
    /// Reported usage × the row of exactly this model.
    Computed,
    /// Computed from something less certain: see the notes.
    Estimated,
    /// Something had no price. There is no amount.
    Unknown,
}

impl CostStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Computed => "computed",
            Self::Estimated => "estimated",
            Self::Unknown => "unknown",
        }
    }
}

/// A cost and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    /// `None` exactly where `status` is `Unknown`.
    pub cost: Option<PicoUsd>,
    pub status: CostStatus,
    /// What was priced; an unknown cost keeps the lines that had a price.
    pub lines: Vec<CostLine>,
    /// What the provider says it charged, kept beside our own figure.
    pub reported: Option<PicoUsd>,
    pub row: Option<RowId>,
    /// The price table's date.
    pub price_version: String,
    /// For people: why the cost is less certain, or unknown.
    pub notes: Vec<String>,
}

/// One summand. Lines are rounded each, the cost is rounded once: they may differ by a few
/// pico-dollars, and the cost is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostLine {
    /// The table's name of the rate or call (`input`, `cache_read`, `web_search`).
    pub part: String,
    /// Where another model's price holds than the answer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Tokens, or calls where `is_call`.
    pub tokens: u64,
    /// US dollars per million tokens, or per call; an exact decimal, before multipliers.
    pub rate: String,
    /// With multipliers.
    pub cost: PicoUsd,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_call: bool,
}

/// The cost of a request, by the table that this build carries.
pub fn price(query: &PriceQuery<'_>) -> Priced {
    price_with(PriceTable::embedded(), query)
}

/// The cost of a request, by this table.
pub fn price_with(table: &PriceTable, query: &PriceQuery<'_>) -> Priced {
    let rules = rules::of(query.provider);
    let reported = query.usage.reported_cost.filter(|cost| {
        let means_nothing = rules.zero_reported_cost_means_nothing || rules::is_azure_host(query.host);
        cost.0 != 0 || !means_nothing
    });
    let mut priced = Priced {
        cost: None,
        status: CostStatus::Unknown,
        lines: Vec::new(),
        reported,
        row: None,
        price_version: table.as_of().to_owned(),
        notes: Vec::new(),
    };
    if query.is_free {
        priced.cost = Some(PicoUsd::ZERO);
        priced.status = CostStatus::Computed;
        priced.notes.push("The provider is set to cost nothing.".to_owned());
        return priced;
    }
    if let Some((cost, status)) = computed(table, rules, query, &mut priced) {
        (priced.cost, priced.status) = (Some(cost), status);
        return priced;
    }
    if priced.notes.is_empty() {
        priced.notes.push("The counts are past what an amount can hold.".to_owned());
    }
    if let Some(cost) = reported {
        (priced.cost, priced.status) = (Some(cost), CostStatus::Reported);
    }
    priced
}

/// Our own figure, or `None` with a note where something has no price.
fn computed(
    table: &PriceTable,
    rules: rules::ProviderRules,
    query: &PriceQuery<'_>,
    priced: &mut Priced,
) -> Option<(PicoUsd, CostStatus)> {
    let usage = query.usage;
    let Some(found) = find_row(table, query) else {
        priced
            .notes
            .push(format!("No price is known for {}.", query.response_model.unwrap_or(query.request_model)));
        return None;
    };
    if usage.is_estimated {
        priced.notes.push("The provider reported no usage; tokens were counted here.".to_owned());
    }
    let mut sum = Sum { is_estimated: usage.is_estimated, ..Sum::default() };
    match usage.passes.as_deref() {
        None => tokens::add(rules, found, query, None, &mut sum, priced)?,
        Some(passes) => tokens::add_passes(table, rules, found, (query, passes), &mut sum, priced)?,
    }
    if !sum.has_tokens {
        priced.notes.push("The provider reported no usage.".to_owned());
        return None;
    }
    calls::add(table, rules, found.row, query, &mut sum, priced)?;
    if sum.is_incomplete {
        return None;
    }
    let cost = sum.total()?;
    Some((cost, if sum.is_estimated { CostStatus::Estimated } else { CostStatus::Computed }))
}

/// The id that the response names goes before the id that was asked for.
fn find_row<'t>(table: &'t PriceTable, query: &PriceQuery<'_>) -> Option<Found<'t>> {
    let provider = query.provider?;
    query
        .response_model
        .and_then(|model| table.find(provider, model))
        .or_else(|| table.find(provider, query.request_model))
}

/// The exact sum so far, in thousandths of a pico-dollar.
#[derive(Debug)]
struct Sum {
    /// Tokens × multipliers, as a fraction.
    tokens: i128,
    denominator: i128,
    calls: i128,
    has_tokens: bool,
    is_estimated: bool,
    /// Something had no price.
    is_incomplete: bool,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            tokens: 0,
            denominator: 1,
            calls: 0,
            has_tokens: false,
            is_estimated: false,
            is_incomplete: false,
        }
    }
}

impl Sum {
    /// Adds thousandths of a pico-dollar × a factor. `None` past what the arithmetic holds.
    fn add_tokens(&mut self, exact: i128, factor: &factors::Product) -> Option<()> {
        let more = exact.checked_mul(factor.numerator)?;
        if self.denominator == factor.denominator {
            self.tokens = self.tokens.checked_add(more)?;
            return Some(());
        }
        let ours = self.tokens.checked_mul(factor.denominator)?;
        self.tokens = ours.checked_add(more.checked_mul(self.denominator)?)?;
        self.denominator = self.denominator.checked_mul(factor.denominator)?;
        Some(())
    }

    /// Tokens + calls, rounded half to even, once. `None` past what an amount holds.
    fn total(&self) -> Option<PicoUsd> {
        let exact = self.tokens.checked_add(self.calls.checked_mul(self.denominator)?)?;
        let rounded = div_round_half_even(exact, self.denominator.checked_mul(MILLI)?);
        i64::try_from(rounded).ok().map(PicoUsd)
    }
}

/// Thousandths per whole.
const MILLI: i128 = 1000;
