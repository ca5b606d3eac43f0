//! The table's own JSON, field for field. Lists are open: what we have no word for is passed over.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use canonical::MicroUsdPerMTok;
use canonical::money::scaled_decimal;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

#[derive(Deserialize)]
pub(super) struct File {
    pub(super) as_of: String,
    pub(super) models: Vec<Row>,
    #[serde(default)]
    pub(super) tools: HashMap<String, Tools>,
}

/// One model at one provider.
#[derive(Debug, Deserialize)]
pub struct Row {
    pub provider: String,
    pub model: String,
    /// `chat`, `embedding`, `completion`, `image`; the list is open.
    pub kind: String,
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
    /// Service tier → rows of rates, ascending by threshold, the first always 0.
    #[serde(rename = "usd_per_million_tokens", default)]
    pub tiers: BTreeMap<String, Vec<RateRow>>,
    /// A rate row holds from its threshold on, not only above it (xAI).
    #[serde(default)]
    pub threshold_inclusive: bool,
    /// Once an answer has reasoning, all its output costs the `reasoning` rate (Alibaba).
    #[serde(default)]
    pub reasoning_rate_covers_answer: bool,
    /// `tier/threshold/rate` names that the source does not state.
    #[serde(default)]
    pub inferred: Vec<String>,
    #[serde(default)]
    pub usd_per_call: BTreeMap<String, CallPrice>,
    /// What one web search charge is for: `query`, `prompt`, `request`.
    pub web_search_unit: Option<String>,
    pub web_search_free: Option<FreeSearches>,
    #[serde(default)]
    pub multipliers: BTreeMap<String, Multiplier>,
    pub off_peak: Option<OffPeak>,
    #[serde(default)]
    pub capabilities: BTreeMap<String, bool>,
    pub deprecated_on: Option<String>,
    pub source: Option<String>,
}

/// Rates of one tier from one prompt size on.
#[derive(Debug, Clone, Default)]
pub struct RateRow {
    pub above_input_tokens: u64,
    pub rates: Rates,
}

/// What tokens are charged as. The order is the table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    Input,
    CacheRead,
    CacheReadExplicit,
    CacheReadAudio,
    CacheReadImage,
    CacheWrite,
    CacheWrite1h,
    CacheWrite12h,
    CacheWriteAudio,
    InputAudio,
    InputImage,
    InputVideo,
    Output,
    Reasoning,
    OutputAudio,
    OutputImage,
    OutputVideo,
    Citation,
}

impl Rate {
    pub const ALL: [Self; 18] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheReadExplicit,
        Self::CacheReadAudio,
        Self::CacheReadImage,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::CacheWrite12h,
        Self::CacheWriteAudio,
        Self::InputAudio,
        Self::InputImage,
        Self::InputVideo,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::OutputVideo,
        Self::Citation,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheReadExplicit => "cache_read_explicit",
            Self::CacheReadAudio => "cache_read_audio",
            Self::CacheReadImage => "cache_read_image",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheWrite12h => "cache_write_12h",
            Self::CacheWriteAudio => "cache_write_audio",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image",
            Self::InputVideo => "input_video",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::OutputVideo => "output_video",
            Self::Citation => "citation",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.as_str() == name)
    }

    /// The rate that stands in where a row lacks this one. `output` and `output_image` stand in
    /// for each other, so a walk along this must not go further than it must.
    pub const fn stand_in(self) -> Option<Self> {
        match self {
            Self::Input => None,
            Self::CacheRead
            | Self::CacheWrite
            | Self::InputAudio
            | Self::InputImage
            | Self::InputVideo
            | Self::Citation => Some(Self::Input),
            Self::CacheReadExplicit | Self::CacheReadAudio | Self::CacheReadImage => Some(Self::CacheRead),
            Self::CacheWrite1h | Self::CacheWrite12h | Self::CacheWriteAudio => Some(Self::CacheWrite),
            Self::Output => Some(Self::OutputImage),
            Self::Reasoning | Self::OutputAudio | Self::OutputImage | Self::OutputVideo => Some(Self::Output),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The rates that a row names; the others have stand-ins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates(Vec<(Rate, MicroUsdPerMTok)>);

impl Rates {
    pub fn get(&self, rate: Rate) -> Option<MicroUsdPerMTok> {
        self.0.iter().find(|(have, _)| *have == rate).map(|(_, price)| *price)
    }

    /// The rate, or the first that stands in for it, and which of them it was.
    pub fn resolve(&self, rate: Rate) -> Option<(Rate, MicroUsdPerMTok)> {
        let mut next = Some(rate);
        // The longest way is three long (cache_read_audio, cache_read, input).
        for _ in 0..3 {
            let candidate = next?;
            if let Some(price) = self.get(candidate) {
                return Some((candidate, price));
            }
            next = candidate.stand_in();
        }
        None
    }

    /// These rates with those of `over` in place of their own.
    pub(crate) fn replaced_by(&self, over: &Self) -> Self {
        let kept = self.0.iter().filter(|(rate, _)| over.get(*rate).is_none());
        Self(over.0.iter().chain(kept).copied().collect())
    }

    fn set(&mut self, rate: Rate, price: MicroUsdPerMTok) {
        self.0.push((rate, price));
    }
}

/// Dollars per call, in thousandths of a pico-dollar (exact).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPrice(pub i128);

impl<'de> Deserialize<'de> for CallPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        exact_decimal(&text, 15).map(Self).ok_or_else(|| de::Error::custom(no_decimal(&text)))
    }
}

impl fmt::Display for CallPrice {
    /// US dollars, as the decimal number that it is, without idle zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNIT: i128 = 1_000_000_000_000_000;
        let text = format!("{}.{:015}", self.0 / UNIT, self.0 % UNIT);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// `text × 10^scale` where that is whole and not negative.
fn exact_decimal(text: &str, scale: i32) -> Option<i128> {
    let value = scaled_decimal(text, scale)?;
    (scaled_decimal(text, scale + 6)? == value.checked_mul(1_000_000)?).then_some(value)
}

fn no_decimal(text: &str) -> String {
    format!("`{text}` is no exact decimal number of dollars")
}

/// Searches that are free per period; stated, never deducted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FreeSearches {
    pub count: u64,
    pub period: String,
    pub shared_group: Option<String>,
}

/// A factor on all token rates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Multiplier {
    /// Holds whenever its condition does.
    Always(Factor),
    /// Holds for these values of what it hangs on.
    ByValue(BTreeMap<String, Factor>),
}

/// A decimal factor as a fraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    pub numerator: i128,
    /// A power of ten, as small as it can be.
    pub denominator: i128,
    /// As the table writes it.
    pub text: String,
}

impl Factor {
    fn parse(text: &str) -> Option<Self> {
        (0..=9).find_map(|scale| {
            Some(Self {
                numerator: exact_decimal(text, scale)?,
                denominator: 10_i128.checked_pow(scale.unsigned_abs())?,
                text: text.to_owned(),
            })
        })
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(no_decimal(&text)))
    }
}

/// Rates that replace the row's while one of the windows is open.
#[derive(Debug, Clone)]
pub struct OffPeak {
    pub windows: Vec<Window>,
    /// Whose calendar the weekdays are of.
    pub weekday_timezone: String,
    pub rates: Rates,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Window {
    /// `HH:MM-HH:MM`, start included, end excluded.
    pub hours_utc: Vec<Hours>,
    /// ISO, 1 = Monday; absent: every day.
    pub weekdays: Option<Vec<u8>>,
}

/// Minutes of a UTC day; `end` ≤ `start` wraps, and midnight as an end is the day's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub start: u32,
    pub end: u32,
}

impl Hours {
    fn parse(text: &str) -> Option<Self> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (start, end) = text.split_once('-')?;
        Some(Self { start: minute(start)?, end: minute(end)? })
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no HH:MM-HH:MM")))
    }
}

/// What a provider charges per call of the tools it runs.
#[derive(Debug, Clone, Default)]
pub struct Tools(Vec<(String, CallPrice)>);

impl Tools {
    pub(super) fn get(&self, tool: &str) -> Option<CallPrice> {
        self.0.iter().find(|(name, _)| name == tool).map(|(_, price)| *price)
    }
}

impl<'de> Deserialize<'de> for Tools {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields: BTreeMap<String, serde_json::Value> = BTreeMap::deserialize(deserializer)?;
        // `source` and whatever else is no figure stands beside the prices.
        let prices = fields.into_iter().filter_map(|(name, value)| {
            let price = exact_decimal(value.as_str()?, 15)?;
            Some((name, CallPrice(price)))
        });
        Ok(Self(prices.collect()))
    }
}

/// A map that holds rates among other fields.
struct RateMap {
    rates: Rates,
    others: serde_json::Map<String, serde_json::Value>,
}

impl<'de> Deserialize<'de> for RateMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateMapVisitor;
        impl<'de> Visitor<'de> for RateMapVisitor {
            type Value = RateMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of rates")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RateMap, A::Error> {
                let mut found = RateMap { rates: Rates::default(), others: serde_json::Map::new() };
                while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    if let Some(rate) = Rate::from_name(&key) {
                        let text = map.next_value::<std::borrow::Cow<'de, str>>()?;
                        let price = MicroUsdPerMTok::from_decimal_usd(&text)
                            .ok_or_else(|| de::Error::custom(no_decimal(&text)))?;
                        found.rates.set(rate, price);
                    } else {
                        found.others.insert(key.into_owned(), map.next_value()?);
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(RateMapVisitor)
    }
}

impl<'de> Deserialize<'de> for RateRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = RateMap::deserialize(deserializer)?;
        let above = map.others.get("above_input_tokens").and_then(serde_json::Value::as_u64);
        let above_input_tokens = above.ok_or_else(|| de::Error::missing_field("above_input_tokens"))?;
        Ok(Self { above_input_tokens, rates: map.rates })
    }
}

impl<'de> Deserialize<'de> for OffPeak {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut map = RateMap::deserialize(deserializer)?;
        let windows = map.others.remove("windows").ok_or_else(|| de::Error::missing_field("windows"))?;
        let zone = map.others.get("weekday_timezone").and_then(serde_json::Value::as_str);
        Ok(Self {
            windows: serde_json::from_value(windows).map_err(de::Error::custom)?,
            weekday_timezone: zone.unwrap_or("UTC").to_owned(),
            rates: map.rates,
        })
    }
}
