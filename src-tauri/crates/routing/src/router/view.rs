//! What the router knows, for people to see and for the next start to remember.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Router;
use crate::Target;
use crate::budget::BudgetView;
use crate::circuit::SavedCircuit;
use crate::decision::Against;
use crate::health::HealthView;
use crate::limit::{LimitView, Need, SavedLimits};
use crate::run::millis;
use crate::target::{Place, Standing};
use crate::time::Now;

/// Everything at one moment, in the order of names.
#[derive(Debug, Clone, Serialize)]
pub struct RouterView {
    pub targets: Vec<PlaceView>,
    /// Keys and accounts as a whole; `model` is empty.
    pub providers: Vec<PlaceView>,
    pub budgets: BudgetsView,
    /// Rate-limit headers that made no sense and were passed over.
    pub ignored_headers: u64,
}

pub type BudgetsView = Vec<BudgetView>;

#[derive(Debug, Clone, Serialize)]
pub struct PlaceView {
    pub provider: String,
    pub model: String,
    /// `closed`, `open`, `half_open` or `ramp`.
    pub circuit: &'static str,
    /// The share of its traffic it gets while it comes back.
    pub share: Option<f64>,
    /// What keeps requests away at this moment.
    pub against: Option<Against>,
    /// For how long, where that is known.
    pub opens_in_ms: Option<u64>,
    pub in_flight: u32,
    pub is_drained: bool,
    pub health: HealthView,
    pub limits: Vec<LimitView>,
}

/// What outlives a restart: pauses that providers asked for, and quotas of an hour or longer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub targets: Vec<SavedPlace>,
    pub providers: Vec<SavedPlace>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlace {
    pub provider: String,
    #[serde(default)]
    pub model: String,
    pub circuit: Option<SavedCircuit>,
    pub limits: Option<SavedLimits>,
    #[serde(default)]
    pub is_drained: bool,
}

impl Router {
    pub fn view(&mut self, now: Now) -> RouterView {
        let policy = std::sync::Arc::clone(&self.policy);
        let look = |(provider, model): (&str, &str), place: &mut Place| {
            let standing = place.standing(&policy.circuit, &Need::default(), now);
            let (against, opens_at) = match standing {
                Standing::Not { against, until } => (Some(against), until),
                _ => (None, None),
            };
            PlaceView {
                provider: provider.to_owned(),
                model: model.to_owned(),
                circuit: place.circuit.state(now.mono).as_str(),
                share: if let Standing::Share(share) = standing { Some(share) } else { None },
                against,
                opens_in_ms: opens_at.map(|at| millis(at.saturating_sub(now.mono))),
                in_flight: place.in_flight,
                is_drained: place.is_drained,
                health: place.view(now.mono),
                limits: place.limits.view(now),
            }
        };
        let mut targets: Vec<_> =
            self.targets.iter_mut().map(|(it, place)| look((&it.provider, &it.model), place)).collect();
        let mut providers: Vec<_> =
            self.providers.iter_mut().map(|(it, place)| look((it, ""), place)).collect();
        targets.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        providers.sort_by(|a, b| a.provider.cmp(&b.provider));
        let places = self.targets.values().chain(self.providers.values());
        let ignored_headers = places.map(|place| place.limits.ignored()).sum();
        RouterView { targets, providers, budgets: self.budgets.view(now), ignored_headers }
    }

    /// What the next start is to remember; empty where there is nothing.
    pub fn save(&mut self, now: Now) -> Saved {
        let save = |provider: &str, model: &str, place: &mut Place| {
            let (circuit, limits) = (place.circuit.saved(now), place.limits.saved(now));
            (circuit.is_some() || limits.is_some() || place.is_drained).then(|| SavedPlace {
                provider: provider.to_owned(),
                model: model.to_owned(),
                circuit,
                limits,
                is_drained: place.is_drained,
            })
        };
        let mut targets: Vec<_> =
            self.targets.iter_mut().filter_map(|(it, place)| save(&it.provider, &it.model, place)).collect();
        let mut providers: Vec<_> =
            self.providers.iter_mut().filter_map(|(it, place)| save(it, "", place)).collect();
        targets.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        providers.sort_by(|a, b| a.provider.cmp(&b.provider));
        Saved { targets, providers }
    }

    /// Takes up what an earlier run saved.
    pub fn restore(&mut self, saved: Saved, now: Now) {
        let fill = |place: &mut Place, saved: SavedPlace| {
            if let Some(circuit) = saved.circuit {
                place.circuit = crate::circuit::Circuit::restored(&circuit, now);
            }
            if let Some(limits) = saved.limits {
                place.limits.restore(&limits, now);
            }
            place.is_drained = saved.is_drained;
        };
        for place in saved.targets {
            let target = Target { provider: place.provider.clone(), model: place.model.clone() };
            fill(self.target(&target, now), place);
        }
        for place in saved.providers {
            let provider = place.provider.clone();
            fill(self.provider(&provider), place);
        }
    }
}

impl RouterView {
    /// How long until something changes by itself, for whoever shows a countdown.
    pub fn next_change(&self) -> Option<Duration> {
        let places = self.targets.iter().chain(&self.providers);
        places.filter_map(|place| place.opens_in_ms).min().map(Duration::from_millis)
    }
}
