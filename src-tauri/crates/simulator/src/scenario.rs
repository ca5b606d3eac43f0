//! A scenario: who asks, whom, and what goes wrong when. One file each in `scenarios/`; the folder
//! is the list.

use include_dir::{Dir, include_dir};
use routing::policy::{Counted, OnBreak, Window};
use serde::Deserialize;

use crate::span::{self, MINUTE, MS, Micros, SECOND};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name.
    #[serde(skip)]
    pub name: String,
    pub title: String,
    /// What happens, for the documentation.
    pub text: String,
    /// New requests are made so long; those under way then are still answered.
    #[serde(rename = "lasts", deserialize_with = "span::de")]
    pub length: Micros,
    /// Unix time at the start.
    #[serde(default = "new_year")]
    pub starts_at_ms: i64,
    pub agents: Agents,
    #[serde(default)]
    pub crowd: Vec<Crowd>,
    /// What "recovered" is measured from, and "back" from, where faults do not say it.
    #[serde(default)]
    pub watch: Option<Watch>,
    #[serde(default)]
    pub route: RouteSpec,
    #[serde(rename = "provider")]
    pub providers: Vec<ProviderSpec>,
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    #[serde(default, rename = "budget")]
    pub budgets: Vec<BudgetSpec>,
}

/// 1 January 2026, 12:00 in Greenwich.
const fn new_year() -> i64 {
    1_767_268_800_000
}

/// Programs that ask, read the answer, do something, and ask again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    pub count: u32,
    /// Between an answer and the next question, on average.
    #[serde(default = "four_seconds", deserialize_with = "span::de")]
    pub think: Micros,
    /// Tokens that each question adds to the conversation.
    #[serde(default = "three_hundred")]
    pub question: u32,
    /// Half of the answers are shorter than so many tokens.
    #[serde(default = "two_hundred")]
    pub answer: u32,
    /// What the request allows at most.
    #[serde(default = "two_thousand")]
    pub max_answer: u32,
    /// Turns of a conversation, on average.
    #[serde(default = "twelve")]
    pub turns: u32,
}

const fn four_seconds() -> Micros {
    4 * SECOND
}
const fn three_hundred() -> u32 {
    300
}
const fn two_hundred() -> u32 {
    200
}
const fn two_thousand() -> u32 {
    2_000
}
const fn twelve() -> u32 {
    12
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    #[serde(deserialize_with = "span::de")]
    pub from: Micros,
    #[serde(deserialize_with = "span::de")]
    pub until: Micros,
}

/// More agents, for a while.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    pub count: u32,
    #[serde(deserialize_with = "span::de")]
    pub from: Micros,
    #[serde(deserialize_with = "span::de")]
    pub until: Micros,
}

/// How the route is set where Signalbox runs it. The plain policies know targets and timeouts only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteSpec {
    pub strategy: String,
    #[serde(deserialize_with = "span::de")]
    pub first_content: Micros,
    #[serde(deserialize_with = "span::de")]
    pub total: Micros,
    /// Conversations stay where they are until so long without a request.
    #[serde(deserialize_with = "span::de_option")]
    pub sticky: Option<Micros>,
    /// `p95`, or a length of time.
    pub hedge: Option<String>,
    pub on_break: OnBreak,
    /// Characters before an answer counts as the client's.
    pub commit_chars: usize,
}

impl Default for RouteSpec {
    fn default() -> Self {
        Self {
            strategy: "priority".into(),
            first_content: 20 * SECOND,
            total: 10 * MINUTE,
            sticky: None,
            hedge: None,
            on_break: OnBreak::Continue,
            commit_chars: 0,
        }
    }
}

/// A provider with one model, when nothing is wrong with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSpec {
    pub name: String,
    /// Half of the answers begin sooner.
    #[serde(default = "half_a_second", deserialize_with = "span::de")]
    pub first_token: Micros,
    /// Deviation of the logarithm of that time; 0.5 puts one in a hundred at 3.2 times the median.
    #[serde(default = "half")]
    pub spread: f64,
    #[serde(default = "eighty")]
    pub tokens_per_second: f64,
    /// One way; each request takes up to half of it longer, by chance.
    #[serde(default = "twenty_ms", deserialize_with = "span::de")]
    pub distance: Micros,
    /// Requests at once that it is built for: close to it answers come slower, above it are refused.
    #[serde(default = "plenty")]
    pub capacity: u32,
    /// Micro-dollars per million tokens, which is pico-dollars per token.
    #[serde(default = "three_dollars")]
    pub input_price: i64,
    #[serde(default = "fifteen_dollars")]
    pub output_price: i64,
    /// Share of requests that fail with a 500 on any day.
    #[serde(default)]
    pub errors: f64,
    #[serde(default, rename = "limit")]
    pub limits: Vec<LimitSpec>,
}

const fn half_a_second() -> Micros {
    500 * MS
}
const fn half() -> f64 {
    0.5
}
const fn eighty() -> f64 {
    80.0
}
const fn twenty_ms() -> Micros {
    20 * MS
}
const fn plenty() -> u32 {
    1_000_000
}
const fn three_dollars() -> i64 {
    3_000_000
}
const fn fifteen_dollars() -> i64 {
    15_000_000
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    pub counted: Counted,
    pub per: Window,
    pub most: u64,
    #[serde(default)]
    pub kind: MeterKind,
    /// Each answer's headers say limit, remaining and reset; a refusal says `Retry-After`.
    #[serde(default = "yes")]
    pub tells: bool,
    /// The owner has written it into the settings too.
    #[serde(default)]
    pub set: bool,
    /// Share that is used up when the scenario begins.
    #[serde(default)]
    pub used: f64,
}

const fn yes() -> bool {
    true
}

/// How a provider counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterKind {
    /// A bucket that fills up evenly (OpenAI, Anthropic).
    #[default]
    Bucket,
    /// Anew with each minute or day of the clock.
    Fixed,
    /// What lies within the window before each request.
    Sliding,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: FaultKind,
    pub providers: Vec<String>,
    #[serde(deserialize_with = "span::de")]
    pub from: Micros,
    #[serde(deserialize_with = "span::de")]
    pub until: Micros,
    /// With `on_for`: not all the time, but again with each such period.
    #[serde(default, deserialize_with = "span::de_option")]
    pub every: Option<Micros>,
    #[serde(default, deserialize_with = "span::de_option")]
    pub on_for: Option<Micros>,
    /// Of the requests (`outage`, `errors`, `breaks`), or of the limits that others use up (`crowded`).
    #[serde(default = "one")]
    pub share: f64,
    /// `slow`: so many times longer.
    #[serde(default = "one")]
    pub factor: f64,
    /// After an outage its capacity comes back evenly over so long.
    #[serde(default)]
    #[serde(deserialize_with = "span::de")]
    pub recovery: Micros,
}

const fn one() -> f64 {
    1.0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No request is answered (some refused, some 503, some without a word); streams break off.
    Outage,
    /// 500s.
    Errors,
    Slow,
    /// Answers break off in the middle.
    Breaks,
    /// 401.
    Revoked,
    /// Others use the same key.
    Crowded,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    pub name: String,
    pub pico_usd: i64,
}

impl Scenario {
    /// Reads a scenario. Says what is wrong with it, and where.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut scenario: Self = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        name.clone_into(&mut scenario.name);
        for fault in &scenario.faults {
            for provider in &fault.providers {
                if !scenario.providers.iter().any(|known| known.name == *provider) {
                    return Err(format!("{name}: a fault names `{provider}`, which is no provider here"));
                }
            }
        }
        if scenario.providers.is_empty() || scenario.providers.len() > MOST_PROVIDERS {
            return Err(format!("{name}: needs one to {MOST_PROVIDERS} providers"));
        }
        for provider in &scenario.providers {
            if provider.limits.len() > MOST_LIMITS {
                return Err(format!("{name}: {} has more than {MOST_LIMITS} limits", provider.name));
            }
        }
        Ok(scenario)
    }

    /// Every scenario of the folder, by name.
    pub fn all() -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        for file in FILES.files() {
            let name = file.path().file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            found.push(Self::parse(name, file.contents_utf8().unwrap_or_default())?);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The same with so many times the agents, and providers so many times as large.
    #[must_use]
    pub fn times(mut self, factor: u32) -> Self {
        self.agents.count = self.agents.count.saturating_mul(factor);
        for crowd in &mut self.crowd {
            crowd.count = crowd.count.saturating_mul(factor);
        }
        for provider in &mut self.providers {
            provider.capacity = provider.capacity.saturating_mul(factor);
            for limit in &mut provider.limits {
                limit.most = limit.most.saturating_mul(u64::from(factor));
            }
        }
        self
    }

    /// From the first fault or crowd to the last: what "recovered" is measured from and to.
    pub fn trouble(&self) -> Option<(Micros, Micros)> {
        if let Some(watch) = self.watch {
            return Some((watch.from, watch.until));
        }
        let spans = || {
            let faults = self.faults.iter().map(|fault| (fault.from, fault.until));
            faults.chain(self.crowd.iter().map(|crowd| (crowd.from, crowd.until)))
        };
        Some((spans().map(|span| span.0).min()?, spans().map(|span| span.1).max()?))
    }
}

/// What one request's record has room for.
pub const MOST_LIMITS: usize = 6;
pub const MOST_PROVIDERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_scenario() {
        let all = Scenario::all().unwrap();
        assert!(all.len() >= 9, "{}", all.len());
        for scenario in all {
            assert!(!scenario.title.is_empty() && !scenario.text.is_empty(), "{}", scenario.name);
        }
    }

    #[test]
    fn a_fault_of_an_unknown_provider_is_refused_by_name() {
        let text = r#"
            title = "t"
            text = "t"
            lasts = "1m"
            agents = { count = 1 }
            [[provider]]
            name = "a"
            [[fault]]
            kind = "outage"
            providers = ["b"]
            from = "1s"
            until = "2s"
        "#;
        assert!(Scenario::parse("x", text).unwrap_err().contains("`b`"));
    }
}
