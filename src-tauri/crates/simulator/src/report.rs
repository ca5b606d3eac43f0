//! Figures as text: for a terminal, for another program, for the documentation.

use std::fmt::Write as _;

use serde::Serialize;

use crate::record::Figures;
use crate::runs::{Policy, Run};

#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    policy: Policy,
    #[serde(flatten)]
    figures: Figures,
}

/// One JSON object a run, in an array.
pub fn json(runs: &[Run<'_>]) -> Result<String, serde_json::Error> {
    let lines: Vec<Line<'_>> = runs
        .iter()
        .map(|run| Line { scenario: &run.scenario.name, policy: run.policy, figures: run.record.figures() })
        .collect();
    serde_json::to_string_pretty(&lines)
}

/// For people: every scenario with a line for each policy.
pub fn text(runs: &[Run<'_>]) -> String {
    let (mut out, mut last) = (String::new(), "");
    for run in runs {
        let figures = run.record.figures();
        if run.scenario.name != last {
            last = &run.scenario.name;
            let _ = writeln!(out, "\n{last}: {}", run.scenario.title);
            let _ = writeln!(out, "{HEADER}");
        }
        let _ = writeln!(out, "{}", line(run.policy, &figures));
    }
    let all = runs.iter().map(|run| run.record.requests).sum::<u64>();
    let events = runs.iter().map(|run| run.record.events).sum::<u64>();
    let _ = writeln!(out, "\n{all} requests, {events} events");
    out
}

const HEADER: &str = "               requests  failed  broken  success  first p50     p99 ms  added p50     p99 ms    \
                      cost $  wasted $  switch/min  moves/k  recover s  return s  viol.    429  hedges";

fn line(policy: Policy, it: &Figures) -> String {
    let returned = it.returned_after_s.map_or("-".to_owned(), |after| format!("{after:.0}"));
    format!(
        "{:<14}{:>9}{:>8}{:>8}{:>8.3}%{:>11.0}{:>11.0}{:>11.0}{:>11.0}{:>10.2}{:>10.2}{:>12.2}{:>9.0}{:>11.0}{:>10}{:>7}{:>7}{:>8}",
        policy.as_str(),
        it.requests,
        it.failed,
        it.broken,
        it.success_percent,
        it.first_content_p50_ms,
        it.first_content_p99_ms,
        it.added_p50_ms,
        it.added_p99_ms,
        it.cost_usd,
        it.wasted_usd,
        it.switches_per_minute,
        it.moves_per_thousand,
        it.recovered_after_s,
        returned,
        it.violations,
        it.limited,
        it.hedges,
    )
}
