//! Every chat row of the real table, priced a second time: straight from the JSON, in fractions,
//! by code that shares nothing with the code under test but its inputs.

use canonical::{PicoUsd, Usage};
use serde_json::Value;

use crate::pricing::{PriceQuery, SearchSize, SearchTool, price};

// === The second computation ===

/// A decimal number: `digits / 10^places`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    places: u32,
}

impl Decimal {
    const ZERO: Self = Self { digits: 0, places: 0 };

    fn whole(digits: u64) -> Self {
        Self { digits: i128::from(digits), places: 0 }
    }

    fn read(value: &Value) -> Self {
        let text = value.as_str().unwrap();
        let places = text.find('.').map_or(0, |dot| text.len() - dot - 1);
        Self { digits: text.replace('.', "").parse().unwrap(), places: places as u32 }
    }

    fn times(self, other: Self) -> Self {
        Self { digits: self.digits * other.digits, places: self.places + other.places }
    }

    fn plus(self, other: Self) -> Self {
        let places = self.places.max(other.places);
        let widen = |d: Self| d.digits * 10_i128.pow(places - d.places);
        Self { digits: widen(self) + widen(other), places }
    }

    /// Dollars as pico-dollars; the one rounding there is, half to even.
    fn to_pico(self) -> i128 {
        if self.places <= 12 {
            return self.digits * 10_i128.pow(12 - self.places);
        }
        let unit = 10_i128.pow(self.places - 12);
        let (below, rest) = (self.digits / unit, self.digits % unit);
        let is_up = rest > unit - rest || (rest == unit - rest && below % 2 == 1);
        below + i128::from(is_up)
    }
}

/// A request as counts that are disjoint from the start, so that nothing is split here.
#[derive(Clone, Default)]
struct Ask {
    plain: u64,
    read: u64,
    read_audio: u64,
    read_explicit: u64,
    write: u64,
    write_1h: u64,
    write_12h: u64,
    audio: u64,
    image: u64,
    video: u64,
    text: u64,
    reasoning: u64,
    spoken: u64,
    drawn: u64,
    filmed: u64,
    citations: u64,
    searches: u64,
    tier: Option<&'static str>,
    geo: Option<&'static str>,
    speed: Option<&'static str>,
    host: Option<&'static str>,
    location: Option<&'static str>,
    size: Option<(&'static str, SearchSize)>,
    at_ms: i64,
}

impl Ask {
    fn total_input(&self) -> u64 {
        let reads = self.read + self.read_audio + self.read_explicit;
        let writes = self.write + self.write_1h + self.write_12h;
        self.plain + reads + writes + self.audio + self.image + self.video
    }

    fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.total_input(),
            cache_read_tokens: self.read + self.read_audio + self.read_explicit,
            cache_read_explicit_tokens: self.read_explicit,
            cache_read_audio_tokens: self.read_audio,
            cache_write_tokens: self.write + self.write_1h + self.write_12h,
            cache_write_12h_tokens: self.write_12h,
            cache_write_1h_tokens: self.write_1h,
            input_audio_tokens: self.audio + self.read_audio,
            input_image_tokens: self.image,
            input_video_tokens: self.video,
            output_tokens: self.text + self.reasoning + self.spoken + self.drawn + self.filmed,
            output_video_tokens: self.filmed,
            reasoning_tokens: self.reasoning,
            output_audio_tokens: self.spoken,
            output_image_tokens: self.drawn,
            citation_tokens: self.citations,
            web_searches: self.searches,
            service_tier: self.tier.map(str::to_owned),
            inference_geo: self.geo.map(str::to_owned),
            speed: self.speed.map(str::to_owned),
            ..Usage::default()
        }
    }
}

/// What the rules say the request costs in pico-dollars; `None` is unknown.
fn expected(row: &Value, tools: &Value, ask: &Ask) -> Option<i128> {
    let wanted = match ask.tier {
        Some("priority" | "fast") => "priority",
        Some(tier @ ("flex" | "batch" | "ultrafast")) => tier,
        _ => "standard",
    };
    let tiers = &row["usd_per_million_tokens"];
    let steps = tiers.get(wanted).or_else(|| tiers.get("standard"))?.as_array().unwrap();
    let mut step = &steps[0];
    for candidate in &steps[1..] {
        let threshold = candidate["above_input_tokens"].as_u64().unwrap();
        let is_passed = if row["threshold_inclusive"] == true {
            ask.total_input() >= threshold
        } else {
            ask.total_input() > threshold
        };
        if is_passed {
            step = candidate;
        }
    }
    let off_peak = row.get("off_peak").filter(|off_peak| is_off_peak(off_peak, ask.at_ms));
    let rate = |names: &[&str]| -> Option<Decimal> {
        let found =
            names.iter().find_map(|name| off_peak.and_then(|o| o.get(name)).or_else(|| step.get(name)));
        found.map(Decimal::read)
    };

    let mut reasoning = ask.reasoning;
    let mut answers = [ask.text, ask.spoken, ask.drawn, ask.filmed];
    if reasoning > 0 && row["reasoning_rate_covers_answer"] == true {
        reasoning += answers.iter().sum::<u64>();
        answers = [0; 4];
    } else if row["provider"] == "vercel" {
        answers[0] += reasoning;
    }
    let charges: [(u64, &[&str]); 16] = [
        (ask.plain, &["input"]),
        (ask.read, &["cache_read", "input"]),
        (ask.read_audio, &["cache_read_audio", "cache_read", "input"]),
        (ask.write, &["cache_write", "input"]),
        (ask.write_1h, &["cache_write_1h", "cache_write", "input"]),
        (ask.audio, &["input_audio", "input"]),
        (ask.image, &["input_image", "input"]),
        (ask.video, &["input_video", "input"]),
        (ask.citations, &["citation", "input"]),
        (reasoning, &["reasoning", "output", "output_image"]),
        (answers[0], &["output", "output_image"]),
        (answers[1], &["output_audio", "output", "output_image"]),
        (answers[2], &["output_image", "output"]),
        (answers[3], &["output_video", "output", "output_image"]),
        (ask.read_explicit, &["cache_read_explicit", "cache_read", "input"]),
        (ask.write_12h, &["cache_write_12h", "cache_write", "input"]),
    ];
    let mut sum = Decimal::ZERO;
    for (tokens, names) in charges {
        if tokens > 0 {
            sum = sum.plus(Decimal::whole(tokens).times(rate(names)?));
        }
    }
    sum.places += 6; // Per million.

    let factors = &row["multipliers"];
    let zone = ask.host.and_then(|host| host.strip_suffix(".api.openai.com"));
    for (name, value) in [("inference_geo", ask.geo), ("speed", ask.speed), ("data_residency", zone)] {
        if let Some(factor) = value.and_then(|value| factors[name].get(value)) {
            sum = sum.times(Decimal::read(factor));
        }
    }
    if ask.location.is_some_and(|location| location != "global") && !factors["regional_endpoint"].is_null() {
        sum = sum.times(Decimal::read(&factors["regional_endpoint"]));
    }

    let calls = &row["usd_per_call"];
    if !calls["request"].is_null() {
        sum = sum.plus(Decimal::read(&calls["request"]));
    }
    let unit = row["web_search_unit"].as_str();
    let default_size = if unit == Some("request") { "low" } else { "medium" };
    let size = ask.size.map_or(default_size, |(name, _)| name);
    let provider = row["provider"].as_str().unwrap();
    let of_row = if provider == "openai" { None } else { calls.get(format!("web_search_{size}")) };
    let (count, search) = match (of_row, unit) {
        (Some(price), Some("request")) => (1, Some(price)),
        (Some(price), Some("prompt")) => (ask.searches.min(1), Some(price)),
        (Some(price), _) => (ask.searches, Some(price)),
        (None, _) => (ask.searches, tools[provider].get("web_search")),
    };
    if count > 0 {
        sum = sum.plus(Decimal::whole(count).times(Decimal::read(search?)));
    }
    Some(sum.to_pico())
}

fn is_off_peak(off_peak: &Value, at_ms: i64) -> bool {
    let minutes = at_ms / 60_000;
    let zone_minutes = if off_peak["weekday_timezone"] == "Asia/Shanghai" { 480 } else { 0 };
    // 1970-01-05 was a Monday.
    let weekday = 1 + ((minutes + zone_minutes) / 1440 - 4).rem_euclid(7);
    let clock = format!("{:02}:{:02}", minutes % 1440 / 60, minutes % 60);
    off_peak["windows"].as_array().unwrap().iter().any(|window| {
        let is_day =
            window.get("weekdays").is_none_or(|days| days.as_array().unwrap().iter().any(|d| *d == weekday));
        is_day
            && window["hours_utc"].as_array().unwrap().iter().any(|hours| {
                let (start, end) = hours.as_str().unwrap().split_once('-').unwrap();
                if start < end {
                    start <= clock.as_str() && clock.as_str() < end
                } else {
                    start <= clock.as_str() || clock.as_str() < end
                }
            })
    })
}

// === The grid ===

/// Inputs of a total of `size` tokens in several mixtures, with answers of several kinds.
fn shapes(size: u64) -> Vec<Ask> {
    let part = |share: u64| size * share / 100;
    let rest = |taken: &[u64]| size - taken.iter().sum::<u64>();
    let (read, write, hour, half_day, explicit) = (part(40), part(10), part(20), part(9), part(8));
    let (audio, image, video, read_audio) = (part(7), part(11), part(13), part(3));
    vec![
        Ask { plain: size, text: 333, ..Ask::default() },
        Ask {
            plain: rest(&[read, write, hour, half_day, explicit]),
            read,
            read_explicit: explicit,
            write,
            write_1h: hour,
            write_12h: half_day,
            text: 7,
            reasoning: 1001,
            ..Ask::default()
        },
        Ask {
            plain: rest(&[audio, image, video, read_audio]),
            audio,
            image,
            video,
            read_audio,
            text: 1,
            spoken: 17,
            drawn: 1290,
            filmed: 77,
            searches: 3,
            ..Ask::default()
        },
        Ask {
            plain: size,
            reasoning: 19,
            citations: 41,
            searches: 1,
            size: Some(("high", SearchSize::High)),
            ..Ask::default()
        },
    ]
}

/// Prompt sizes around every threshold of the row, and two plain ones.
fn sizes(row: &Value) -> Vec<u64> {
    let mut sizes = vec![1, 1000];
    for step in
        row["usd_per_million_tokens"].as_object().unwrap().values().flat_map(|rows| rows.as_array().unwrap())
    {
        let threshold = step["above_input_tokens"].as_u64().unwrap();
        if threshold > 0 {
            sizes.extend([threshold - 1, threshold, threshold + 1]);
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Both sides of every edge of the row's windows, on a Friday and the two days after it.
fn moments(row: &Value) -> Vec<i64> {
    const FRIDAY: i64 = 1_795_132_800_000;
    let Some(off_peak) = row.get("off_peak") else { return vec![FRIDAY] };
    let mut moments = Vec::new();
    for hours in
        off_peak["windows"].as_array().unwrap().iter().flat_map(|w| w["hours_utc"].as_array().unwrap())
    {
        for edge in hours.as_str().unwrap().split('-') {
            let (hour, minute) = edge.split_once(':').unwrap();
            let at = hour.parse::<i64>().unwrap() * 3_600_000 + minute.parse::<i64>().unwrap() * 60_000;
            for day in 0..4 {
                moments.extend([-1, 0].map(|side| FRIDAY + day * 86_400_000 + at + side));
            }
        }
    }
    // Midnight in Shanghai, where its weekday changes.
    moments.extend([-1, 0].map(|side| FRIDAY + 16 * 3_600_000 + side));
    moments
}

/// What a multiplier of the row may hang on, in every mixture.
fn circumstances(row: &Value) -> Vec<Ask> {
    if row.get("multipliers").is_none() {
        return vec![Ask::default()];
    }
    let mut all = Vec::new();
    for geo in [None, Some("us"), Some("global")] {
        for speed in [None, Some("fast")] {
            for host in [None, Some("eu.api.openai.com"), Some("api.openai.com")] {
                for location in [None, Some("global"), Some("us-east5")] {
                    all.push(Ask { geo, speed, host, location, ..Ask::default() });
                }
            }
        }
    }
    all
}

fn check(row: &Value, tools: &Value, ask: &Ask) {
    let usage = ask.usage();
    let (provider, model) = (row["provider"].as_str().unwrap(), row["model"].as_str().unwrap());
    let priced = price(&PriceQuery {
        host: ask.host,
        location: ask.location,
        search_size: ask.size.map(|(_, size)| size),
        search_tool: SearchTool::Current,
        ..PriceQuery::new(Some(provider), model, &usage, ask.at_ms)
    });
    let expected = expected(row, tools, ask).map(|pico| PicoUsd(i64::try_from(pico).unwrap()));
    assert_eq!(
        priced.cost, expected,
        "{provider}/{model} {usage:?} at {} host {:?}: {:?}",
        ask.at_ms, ask.host, priced.lines
    );
}

#[test]
fn every_chat_row_costs_what_a_second_computation_says() {
    const TIERS: [Option<&str>; 6] =
        [None, Some("default"), Some("priority"), Some("flex"), Some("batch"), Some("ultrafast")];
    let table: Value = serde_json::from_str(include_str!("../../../prices.json")).unwrap();
    let mut checked = 0;
    for row in table["models"].as_array().unwrap().iter().filter(|row| row["kind"] == "chat") {
        for size in sizes(row) {
            for shape in shapes(size) {
                for tier in TIERS {
                    check(row, &table["tools"], &Ask { tier, ..shape.clone() });
                    checked += 1;
                }
                for at_ms in moments(row) {
                    check(row, &table["tools"], &Ask { at_ms, ..shape.clone() });
                }
            }
        }
        for Ask { geo, speed, host, location, .. } in circumstances(row) {
            for shape in shapes(12_345) {
                check(row, &table["tools"], &Ask { geo, speed, host, location, ..shape });
            }
        }
    }
    assert!(checked > 100_000, "{checked} prices");
}
