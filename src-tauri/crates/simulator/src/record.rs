//! What came of it: counted as clients and providers saw it.

use serde::Serialize;

use crate::scenario::Scenario;
use crate::span::{MINUTE, Micros, SECOND};

/// The grain of everything over time.
pub const GRAIN: Micros = 5 * SECOND;

/// Of a client's requests in one grain: fewer is trouble.
const FINE: f64 = 0.99;

/// Another provider leads where it gets so much more than the one that led.
const CLEARLY: f64 = 1.25;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Answered,
    /// An error, and nothing before it.
    Failed,
    /// Some of an answer, and then an error.
    Broken,
}

/// One grain of time.
#[derive(Debug, Clone, Default)]
pub struct Grain {
    pub answered: u32,
    pub lost: u32,
    /// Sum over the answered: from the request to its first content.
    pub first_content: Micros,
    /// Attempts by target.
    pub sent: Vec<u32>,
}

/// Everything counted in one run.
#[derive(Debug, Clone)]
pub struct Record {
    pub requests: u64,
    pub answered: u64,
    pub failed: u64,
    pub broken: u64,
    pub attempts: u64,
    pub hedges: u64,
    pub hedges_won: u64,
    /// Answers that broke off after the client had seen some of them, and went on elsewhere.
    pub breaks: u64,
    pub continued: u64,
    pub restarts: u64,
    pub waits: u64,
    /// Two beginnings for one client: never.
    pub second_commits: u64,
    pub violations: u64,
    pub limited: u64,
    /// Pico-dollars.
    pub billed: i64,
    pub useful: i64,
    pub events: u64,
    /// Requests, attempts or answers that never ended: never.
    pub left_over: u64,
    pub grains: Vec<Grain>,
    /// When the first answer of each grain that has one arrived.
    pub first_answers: Vec<Micros>,
    moves: u64,
    targets: usize,
    trouble: Option<(Micros, Micros)>,
    length: Micros,
    first_content: Vec<u32>,
    added: Vec<u32>,
}

/// The figures of one run, as they are printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub requests: u64,
    pub answered: u64,
    /// An error instead of an answer.
    pub failed: u64,
    /// An answer that ended too soon.
    pub broken: u64,
    pub success_percent: f64,
    /// From the request to its first content.
    pub first_content_p50_ms: f64,
    pub first_content_p99_ms: f64,
    /// From the request to the sending of the attempt that answered it.
    pub added_p50_ms: f64,
    pub added_p99_ms: f64,
    pub cost_usd: f64,
    /// Billed, and not in an answer that a client got.
    pub wasted_usd: f64,
    /// Changes of the provider that gets the most.
    pub switches_per_minute: f64,
    /// Conversations' changes of provider, per thousand answers.
    pub moves_per_thousand: f64,
    /// From the beginning of the trouble to the last five seconds in which more than one request in
    /// a hundred was lost; zero where there were none.
    pub recovered_after_s: f64,
    /// From the end of the trouble until the provider that led before leads as much again.
    pub returned_after_s: Option<f64>,
    /// Requests above a provider's limit by our own sending alone.
    pub violations: u64,
    /// Answers of 429, whosever doing.
    pub limited: u64,
    pub attempts: u64,
    pub hedges: u64,
    pub continued: u64,
}

impl Record {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            requests: 0,
            answered: 0,
            failed: 0,
            broken: 0,
            attempts: 0,
            hedges: 0,
            hedges_won: 0,
            breaks: 0,
            continued: 0,
            restarts: 0,
            waits: 0,
            second_commits: 0,
            violations: 0,
            limited: 0,
            billed: 0,
            useful: 0,
            events: 0,
            left_over: 0,
            grains: Vec::new(),
            first_answers: Vec::new(),
            moves: 0,
            targets: scenario.providers.len(),
            trouble: scenario.trouble(),
            length: scenario.length,
            first_content: Vec::new(),
            added: Vec::new(),
        }
    }

    fn grain(&mut self, at: Micros) -> &mut Grain {
        let index = (at / GRAIN) as usize;
        while self.grains.len() <= index {
            self.grains.push(Grain { sent: vec![0; self.targets], ..Grain::default() });
        }
        &mut self.grains[index]
    }

    pub(crate) fn sent(&mut self, target: usize, at: Micros, is_hedge: bool, goes_on: bool) {
        self.attempts += 1;
        self.hedges += u64::from(is_hedge);
        self.continued += u64::from(goes_on);
        self.grain(at).sent[target] += 1;
    }

    pub(crate) fn answered(&mut self, at: Micros, first_content: Micros, added: Micros, moved: bool) {
        self.grain(at).first_content += first_content;
        self.first_content.push(tenths_of_ms(first_content));
        self.added.push(tenths_of_ms(added));
        self.moves += u64::from(moved);
    }

    pub(crate) fn concluded(&mut self, fate: Fate, at: Micros) {
        let is_answered = fate == Fate::Answered;
        match fate {
            Fate::Answered => self.answered += 1,
            Fate::Failed => self.failed += 1,
            Fate::Broken => self.broken += 1,
        }
        let grain = self.grain(at);
        if is_answered {
            grain.answered += 1;
            if grain.answered == 1 {
                self.first_answers.push(at);
            }
        } else {
            grain.lost += 1;
        }
    }

    pub fn figures(&self) -> Figures {
        let (mut first, mut added) = (self.first_content.clone(), self.added.clone());
        let usd = |pico: i64| pico as f64 / 1e12;
        let per = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        Figures {
            requests: self.requests,
            answered: self.answered,
            failed: self.failed,
            broken: self.broken,
            success_percent: 100.0 * per(self.answered, self.requests),
            first_content_p50_ms: quantile(&mut first, 0.5),
            first_content_p99_ms: quantile(&mut first, 0.99),
            added_p50_ms: quantile(&mut added, 0.5),
            added_p99_ms: quantile(&mut added, 0.99),
            cost_usd: usd(self.billed),
            wasted_usd: usd(self.billed - self.useful),
            switches_per_minute: self.switches() as f64 * MINUTE as f64 / self.length.max(1) as f64,
            moves_per_thousand: 1_000.0 * per(self.moves, self.answered),
            recovered_after_s: self.recovered_after() as f64 / SECOND as f64,
            returned_after_s: self.returned_after().map(|after| after as f64 / SECOND as f64),
            violations: self.violations,
            limited: self.limited,
            attempts: self.attempts,
            hedges: self.hedges,
            continued: self.continued,
        }
    }

    /// Grains of the scenario's own length: what is under way at its end is no part of pictures.
    pub fn within(&self) -> &[Grain] {
        let whole = (self.length / GRAIN) as usize;
        &self.grains[..whole.min(self.grains.len())]
    }

    pub fn switches(&self) -> u64 {
        let (mut leader, mut switches): (Option<usize>, u64) = (None, 0);
        for grain in self.within() {
            let most = (0..self.targets).max_by_key(|target| (grain.sent[*target], usize::MAX - *target));
            let Some(most) = most.filter(|most| grain.sent[*most] > 0) else { continue };
            let Some(led) = leader else {
                leader = Some(most);
                continue;
            };
            if most != led && f64::from(grain.sent[most]) > CLEARLY * f64::from(grain.sent[led]) {
                leader = Some(most);
                switches += 1;
            }
        }
        switches
    }

    pub fn recovered_after(&self) -> Micros {
        let Some((from, _)) = self.trouble else { return 0 };
        let troubled = self.grains.iter().rposition(|grain| {
            let all = grain.answered + grain.lost;
            all > 0 && f64::from(grain.answered) < FINE * f64::from(all)
        });
        troubled.map_or(0, |last| ((last as u64 + 1) * GRAIN).saturating_sub(from))
    }

    pub fn returned_after(&self) -> Option<Micros> {
        let (from, until) = self.trouble?;
        let before = &self.grains[..((from / GRAIN) as usize).min(self.grains.len())];
        let sum = |target: usize| before.iter().map(|grain| u64::from(grain.sent[target])).sum::<u64>();
        let leader = (0..self.targets).max_by_key(|target| (sum(*target), usize::MAX - *target))?;
        let all: u64 = (0..self.targets).map(sum).sum();
        let share = sum(leader) as f64 / all.max(1) as f64;
        let after = (until.div_ceil(GRAIN)) as usize;
        let back = self.within().iter().skip(after).position(|grain| {
            let all: u32 = grain.sent.iter().sum();
            all > 0 && f64::from(grain.sent[leader]) >= 0.9 * share * f64::from(all)
        })?;
        Some((after + back) as u64 * GRAIN - until)
    }
}

fn tenths_of_ms(length: Micros) -> u32 {
    u32::try_from(length / 100).unwrap_or(u32::MAX)
}

/// In milliseconds. Reorders `values`.
fn quantile(values: &mut [u32], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let place = ((values.len() - 1) as f64 * share).round() as usize;
    let (_, value, _) = values.select_nth_unstable(place);
    f64::from(*value) / 10.0
}
