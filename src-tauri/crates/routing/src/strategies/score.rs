//! Several measures as one number.

use super::{Candidate, Strategy};
use crate::Draw;
use crate::policy::ScoreWeights;

/// Least first: how much slower and dearer than the best, how often it fails, how little is left of
/// its limits, each as often as its weight says.
#[derive(Debug, Clone, Copy)]
pub struct Score(pub ScoreWeights);

impl Strategy for Score {
    const ID: &'static str = "score";

    fn rank(&self, targets: &mut [Candidate], _: &mut Draw<'_>) {
        let weights = self.0;
        let fastest = least(targets.iter().filter_map(|it| it.ttft_p95).map(|it| it.as_secs_f64()));
        let cheapest = least(targets.iter().filter_map(|it| it.cost).map(|it| it.0 as f64));
        for candidate in targets.iter_mut() {
            let latency = excess(candidate.ttft_p95.map(|it| it.as_secs_f64()), fastest, 0.0);
            // An unknown price is taken for twice the best: neither free nor out of the question.
            let cost = excess(candidate.cost.map(|it| it.0 as f64), cheapest, 1.0);
            candidate.score = Some(
                weights.latency * latency
                    + weights.cost * cost
                    // One failure in ten weighs as much as twice the time.
                    + weights.errors * candidate.error_rate * 10.0
                    + weights.quota * (1.0 - candidate.quota_left),
            );
        }
        let key = |candidate: &Candidate| candidate.score.unwrap_or(f64::MAX);
        targets.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.position.cmp(&b.position)));
    }
}

fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.min_by(f64::total_cmp)
}

/// How much more than the best, in multiples of it; no more than ten.
fn excess(value: Option<f64>, best: Option<f64>, unknown: f64) -> f64 {
    match (value, best) {
        (Some(value), Some(best)) if best > 0.0 => (value / best - 1.0).min(10.0),
        (Some(value), Some(_)) if value > 0.0 => 10.0,
        (Some(_), _) => 0.0,
        (None, _) => unknown,
    }
}
