//! `docs/ROUTING.md`: its tables and pictures, made from runs. What people wrote stays.

use std::fmt::Write as _;

use crate::picture::{Chart, Series};
use crate::record::{Figures, GRAIN, Grain};
use crate::runs::{Policy, Run};
use crate::span::MINUTE;

/// Puts the tables between their marks.
pub fn fill(page: &str, runs: &[Run<'_>]) -> Result<String, String> {
    let page = between(page, "compared", &compared(runs))?;
    let page = between(&page, "figures", &figures(runs))?;
    between(&page, "scenarios", &scenarios(runs))
}

fn between(page: &str, name: &str, table: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- simulator: {name} -->\n"), "<!-- /simulator -->");
    let missing = || format!("the page has no mark `{}`", begin.trim_end());
    let from = page.find(&begin).ok_or_else(missing)? + begin.len();
    let until = from + page[from..].find(end).ok_or_else(missing)?;
    Ok(format!("{}{table}{}", &page[..from], &page[until..]))
}

/// Scenarios × policies: what clients noticed and what it cost.
fn compared(runs: &[Run<'_>]) -> String {
    let mut out = String::from("| scenario |");
    for policy in Policy::ALL {
        let _ = write!(out, " {} |", policy.as_str());
    }
    let _ = writeln!(out, "\n| --- |{}", " --- |".repeat(Policy::ALL.len()));
    for one in by_scenario(runs) {
        let _ = write!(out, "| {} ({} requests) |", one[0].scenario.name, thousands(one[0].record.requests));
        for run in one {
            let it = run.record.figures();
            let lost = it.failed + it.broken;
            let first = seconds(it.first_content_p99_ms);
            let cost = 1_000.0 * it.cost_usd / it.answered.max(1) as f64;
            let _ = write!(out, " {} · {first} · ${cost:.2} |", count(lost));
        }
        out.push('\n');
    }
    out
}

/// Every figure of Signalbox' own runs.
fn figures(runs: &[Run<'_>]) -> String {
    let mut out = String::from(
        "| scenario | success | added latency P50 / P99 | cost | wasted | switches a minute | recovered | first choice back | over a limit |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for run in runs.iter().filter(|run| run.policy == Policy::Signalbox) {
        let it: Figures = run.record.figures();
        let returned = it.returned_after_s.map_or("–".to_owned(), |after| format!("{after:.0} s"));
        let _ = writeln!(
            out,
            "| {} | {:.3}% | {:.0} / {:.0} ms | ${:.2} | ${:.2} | {:.2} | {:.0} s | {returned} | {} |",
            run.scenario.name,
            it.success_percent,
            it.added_p50_ms,
            it.added_p99_ms,
            it.cost_usd,
            it.wasted_usd,
            it.switches_per_minute,
            it.recovered_after_s,
            it.violations,
        );
    }
    out
}

fn scenarios(runs: &[Run<'_>]) -> String {
    let mut out = String::new();
    for one in by_scenario(runs) {
        let scenario = one[0].scenario;
        let text = scenario.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "- **{}** (`{}`). {text}", scenario.title, scenario.name);
    }
    out
}

fn by_scenario<'r, 'a>(runs: &'r [Run<'a>]) -> impl Iterator<Item = &'r [Run<'a>]> {
    runs.chunk_by(|a, b| a.scenario.name == b.scenario.name)
}

fn count(lost: u64) -> String {
    if lost == 0 { "**none**".to_owned() } else { format!("{} lost", thousands(lost)) }
}

fn seconds(ms: f64) -> String {
    format!("{:.1} s", ms / 1_000.0)
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Every picture of the page: its file's name and its text.
pub fn pictures(runs: &[Run<'_>]) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    for (name, scenario, title) in [
        ("outage-success.svg", "outage", "One provider fails: requests answered"),
        ("cascade-success.svg", "cascade", "A cascade of rate limits: requests answered"),
        ("region-success.svg", "region", "Three of four fail: requests answered"),
    ] {
        out.extend(each_policy(runs, name, scenario, title, ("%", 80.0, 100.0), success));
    }
    let title = "A brown-out: average time to the first content";
    out.extend(each_policy(runs, "brownout-latency.svg", "brownout", title, (" s", 0.0, 8.0), first_content));
    for (name, scenario, title) in [
        ("outage-traffic.svg", "outage", "One provider fails: where Signalbox sends attempts"),
        ("cascade-traffic.svg", "cascade", "A cascade of rate limits: where Signalbox sends attempts"),
        ("flapping-traffic.svg", "flapping", "A provider that flaps: where Signalbox sends attempts"),
        ("midnight-traffic.svg", "midnight", "A day's quota: where Signalbox sends attempts"),
        ("spike-traffic.svg", "spike", "Three times the traffic: where Signalbox sends attempts"),
        ("hour-traffic.svg", "hour", "An hour: where Signalbox sends attempts"),
    ] {
        out.extend(traffic(runs, name, scenario, title));
    }
    out.extend(ramp(runs));
    out
}

fn each_policy(
    runs: &[Run<'_>],
    name: &'static str,
    scenario: &str,
    title: &str,
    axis: (&str, f64, f64),
    value: impl Fn(&Grain) -> Option<f64>,
) -> Option<(&'static str, String)> {
    let runs: Vec<&Run<'_>> = runs
        .iter()
        .filter(|run| run.scenario.name == scenario && run.policy != Policy::SignalboxEnds)
        .collect();
    let series: Vec<Series<'_>> = runs
        .iter()
        .map(|run| Series { name: run.policy.as_str(), values: smooth(run.record.within(), &value) })
        .collect();
    let chart = chart(runs.first()?, title, axis);
    Some((name, chart.lines(&series)))
}

/// Three grains together: fewer teeth, and nothing hidden that lasts.
fn smooth(grains: &[Grain], value: impl Fn(&Grain) -> Option<f64>) -> Vec<f64> {
    let sum = |grains: &[Grain]| {
        grains.iter().fold(Grain::default(), |mut sum, grain| {
            sum.answered += grain.answered;
            sum.lost += grain.lost;
            sum.first_content += grain.first_content;
            sum
        })
    };
    let mut last = 0.0;
    let mut out = Vec::with_capacity(grains.len());
    for at in 0..grains.len() {
        last = value(&sum(&grains[at.saturating_sub(2)..=at])).unwrap_or(last);
        out.push(last);
    }
    // Before the first answer there is nothing to show.
    if let Some(first) = grains.iter().position(|grain| grain.answered + grain.lost > 0) {
        let value = out[first];
        out[..first].fill(value);
    }
    out
}

fn success(grain: &Grain) -> Option<f64> {
    let all = grain.answered + grain.lost;
    (all > 0).then(|| 100.0 * f64::from(grain.answered) / f64::from(all))
}

fn first_content(grain: &Grain) -> Option<f64> {
    (grain.answered > 0).then(|| grain.first_content as f64 / 1e6 / f64::from(grain.answered))
}

fn chart<'t>(run: &Run<'_>, title: &'t str, (unit, least, most): (&'t str, f64, f64)) -> Chart<'t> {
    let minutes = |at: u64| at as f64 / MINUTE as f64;
    let until = minutes(run.scenario.length);
    let trouble = run.scenario.trouble().map(|(from, until)| (minutes(from), minutes(until)));
    Chart { title, unit, least, most, from: 0.0, until, trouble }
}

fn signalbox<'r, 'a>(runs: &'r [Run<'a>], scenario: &str) -> Option<&'r Run<'a>> {
    runs.iter().find(|run| run.scenario.name == scenario && run.policy == Policy::Signalbox)
}

/// In hundredths of all attempts of the grain.
fn share(grains: &[Grain], target: usize) -> Vec<f64> {
    let part = |grain: &Grain| {
        let all: u32 = grain.sent.iter().sum();
        100.0 * f64::from(grain.sent[target]) / f64::from(all.max(1))
    };
    grains.iter().map(part).collect()
}

fn traffic(
    runs: &[Run<'_>],
    name: &'static str,
    scenario: &str,
    title: &str,
) -> Option<(&'static str, String)> {
    let run = signalbox(runs, scenario)?;
    let providers = run.scenario.providers.iter().enumerate();
    let series: Vec<Series<'_>> = providers
        .map(|(target, spec)| Series { name: &spec.name, values: share(run.record.within(), target) })
        .collect();
    Some((name, chart(run, title, ("%", 0.0, 100.0)).shares(&series)))
}

/// The end of the outage, close up.
fn ramp(runs: &[Run<'_>]) -> Option<(&'static str, String)> {
    let run = signalbox(runs, "outage")?;
    let end = (run.scenario.trouble()?.1 / GRAIN) as usize;
    let grains = run.record.within();
    let (from, until) = (end.saturating_sub(12), (end + 36).min(grains.len()));
    let minutes = |grain: usize| (grain as u64 * GRAIN) as f64 / MINUTE as f64;
    let title = "One provider comes back: its share of Signalbox' attempts";
    let chart = Chart {
        title,
        unit: "%",
        least: 0.0,
        most: 100.0,
        from: minutes(from),
        until: minutes(until),
        trouble: Some((minutes(from), minutes(end))),
    };
    let name = run.scenario.providers.first().map_or("", |spec| spec.name.as_str());
    let series = [Series { name, values: share(grains.get(from..until)?, 0) }];
    Some(("outage-ramp.svg", chart.lines(&series)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_replaces_what_stood_between_its_marks_and_nothing_else() {
        let page = "before\n<!-- simulator: a -->\nold\n<!-- /simulator -->\nafter";
        let filled = between(page, "a", "new\n").unwrap();
        assert_eq!(filled, "before\n<!-- simulator: a -->\nnew\n<!-- /simulator -->\nafter");
        assert!(between(page, "b", "").unwrap_err().contains("simulator: b"));
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(["1", "1,000", "1,234,567"], [1, 1_000, 1_234_567].map(thousands)[..]);
    }
}
