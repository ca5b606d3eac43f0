//! Shares: every target gets some of the traffic.

use super::{Candidate, Strategy, two_choices};
use crate::Draw;

/// Each in proportion to its weight; a weight of 0 stands behind all others.
#[derive(Debug, Clone, Copy)]
pub struct Weighted;

impl Strategy for Weighted {
    const ID: &'static str = "weighted";

    fn rank(&self, targets: &mut [Candidate], draw: &mut Draw<'_>) {
        shuffle(targets, draw, |candidate| f64::from(candidate.weight));
    }
}

/// In proportion to what the scarcest limit of each has left (and to the weights).
#[derive(Debug, Clone, Copy)]
pub struct RemainingQuota;

impl Strategy for RemainingQuota {
    const ID: &'static str = "remaining-quota";

    fn rank(&self, targets: &mut [Candidate], draw: &mut Draw<'_>) {
        shuffle(targets, draw, |candidate| f64::from(candidate.weight) * candidate.quota_left);
    }
}

/// The one with less under way for its weight, of two that chance names.
#[derive(Debug, Clone, Copy)]
pub struct LeastBusy;

impl Strategy for LeastBusy {
    const ID: &'static str = "least-busy";

    fn rank(&self, targets: &mut [Candidate], draw: &mut Draw<'_>) {
        let load =
            |candidate: &Candidate| f64::from(candidate.in_flight + 1) / f64::from(candidate.weight.max(1));
        targets.sort_by(|a, b| load(a).total_cmp(&load(b)).then(a.position.cmp(&b.position)));
        two_choices(targets, draw, |a, b| load(a) < load(b));
    }
}

/// An order in which each leads with the likelihood of its weight (Efraimidis and Spirakis,
/// “Weighted random sampling with a reservoir”): the least of −ln(u) / weight first.
fn shuffle(targets: &mut [Candidate], draw: &mut Draw<'_>, weight: impl Fn(&Candidate) -> f64) {
    for candidate in targets.iter_mut() {
        let weight = weight(candidate);
        let key = if weight > 0.0 { -(1.0 - draw.unit()).ln() / weight } else { f64::INFINITY };
        candidate.score = Some(key);
    }
    let key = |candidate: &Candidate| candidate.score.unwrap_or(f64::INFINITY);
    targets.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.position.cmp(&b.position)));
    for candidate in targets {
        // It means nothing to a reader.
        candidate.score = None;
    }
}
