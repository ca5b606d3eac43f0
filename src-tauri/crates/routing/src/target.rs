//! What the router remembers of one target, and of one provider's key.

use std::time::Duration;

use crate::ceiling::Ceiling;
use crate::circuit::{Admitted, Blocked, Circuit, Verdict};
use crate::decision::Against;
use crate::health::{Health, HealthView};
use crate::limit::{Free, Limits, Need};
use crate::policy::{CircuitPolicy, LimitRule};
use crate::time::Now;

/// Where as many are under way as a target bears, it is looked at again so soon.
const FULL_LOOK: Duration = Duration::from_millis(250);

/// A target, or a provider as a whole (its key, its account's limits).
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub circuit: Circuit,
    pub health: Health,
    pub limits: Limits,
    pub in_flight: u32,
    /// What it bears of them.
    pub ceiling: Ceiling,
    /// Refusals for the rate, one after another.
    pub refusals_in_row: u32,
    /// Taken out by hand.
    pub is_drained: bool,
    pub last_used: Duration,
}

/// Whether a place takes an attempt now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Standing {
    Free,
    /// It comes back in steps: this share of its traffic.
    Share(f64),
    /// One may find out.
    Probe,
    /// Not before `until`, where it is known.
    Not {
        against: Against,
        until: Option<Duration>,
    },
}

impl Place {
    pub(crate) fn with(limits: &[&LimitRule]) -> Self {
        let mut place = Self::default();
        place.limits.set(limits);
        place
    }

    pub(crate) fn view(&mut self, now: Duration) -> HealthView {
        self.health.view(now)
    }

    /// How it looks, without asking for anything.
    pub(crate) fn standing(&mut self, policy: &CircuitPolicy, need: &Need, now: Now) -> Standing {
        if self.is_drained {
            return Standing::Not { against: Against::Drained, until: None };
        }
        let verdict = match self.circuit.verdict(policy, now.mono) {
            Verdict::Free => Standing::Free,
            Verdict::Share(share) => Standing::Share(share),
            Verdict::Probe => Standing::Probe,
            Verdict::Closed { until, why } => {
                return Standing::Not { against: against(why), until: Some(until) };
            }
        };
        if verdict != Standing::Probe && !self.ceiling.has_room(self.in_flight, now.mono) {
            let until = Some(now.mono.saturating_add(FULL_LOOK));
            return Standing::Not { against: Against::Limited, until };
        }
        match self.limits.free_at(need, now) {
            Free::Now => verdict,
            Free::At { at, .. } => Standing::Not { against: Against::Limited, until: Some(at) },
            Free::Never(_) => Standing::Not { against: Against::LimitTooSmall, until: None },
        }
    }

    /// Lets one attempt in past the circuit.
    pub(crate) fn admit(&mut self, policy: &CircuitPolicy, now: Duration, early: bool) -> Option<Admitted> {
        self.circuit.admit(policy, now, early)
    }

    /// Whether nothing would be lost with it.
    pub(crate) fn is_idle(&self, now: Duration, since: Duration) -> bool {
        self.in_flight == 0 && !self.is_drained && now.saturating_sub(self.last_used) > since
    }
}

fn against(why: Blocked) -> Against {
    match why {
        Blocked::CircuitOpen => Against::CircuitOpen,
        Blocked::Cooling => Against::Cooling,
        Blocked::Parked => Against::Parked,
        Blocked::ProbeUnderWay => Against::Probing,
    }
}
