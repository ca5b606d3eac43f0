//! The router: what it remembers of every target, and its four turns with a request.
//!
//! ```text
//! plan ──► next ──► Ask(permit) … the attempt … ended ──► next ──► …
//!            │                └─► hedge ──► a second permit beside it
//!            ├──► Wait … next
//!            └──► GiveUp
//! ```
//!
//! Everything is `&mut self` and takes a microsecond or so; whoever shares a router keeps it behind
//! a lock that is never held while something is waited for.

mod ended;
mod next;
mod plan;
mod view;

use std::sync::Arc;
use std::time::Duration;

use crate::Target;
use crate::budget::{Budgets, Who};
use crate::limit::LimitSeen;
use crate::places::Places;
use crate::policy::{LimitRule, Policy};
use crate::run::Permit;
use crate::share::ShareBudget;
use crate::sticky::StickyMap;
use crate::target::Place;
use crate::time::Now;

pub use ended::Ended;
pub use plan::Planned;
pub use view::{BudgetsView, PlaceView, RouterView, Saved};

/// Targets that are remembered; more only while they are in use. Clients may name any model of a
/// provider, so the names are not ours to bound otherwise.
const MOST_TARGETS: usize = 4096;

/// A target that was not asked for so long is forgotten where there are too many.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Where requests go, and what was learned from those before.
#[derive(Debug)]
pub struct Router {
    policy: Arc<Policy>,
    targets: Places<Target>,
    /// What holds for a provider's key and account as a whole, by the provider's id.
    providers: Places<String>,
    budgets: Budgets,
    retries: ShareBudget,
    hedges: ShareBudget,
    sticky: StickyMap,
}

impl Router {
    pub fn new(policy: Arc<Policy>, now: Now) -> Self {
        let mut budgets = Budgets::default();
        budgets.set(&policy.budgets, &policy.zone, now);
        Self {
            retries: ShareBudget::new(policy.retry.share, policy.retry.floor),
            hedges: ShareBudget::new(policy.hedge.share, policy.hedge.floor),
            policy,
            targets: Places::default(),
            providers: Places::default(),
            budgets,
            sticky: StickyMap::default(),
        }
    }

    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// From now on `policy` holds, for requests under way too. What was counted and learned stays.
    pub fn set_policy(&mut self, policy: Arc<Policy>, now: Now) {
        if self.policy.retry != policy.retry {
            self.retries.set(policy.retry.share, policy.retry.floor);
        }
        if self.policy.hedge != policy.hedge {
            self.hedges.set(policy.hedge.share, policy.hedge.floor);
        }
        self.budgets.set(&policy.budgets, &policy.zone, now);
        for (target, place) in self.targets.iter_mut() {
            place.limits.set(&of_target(&policy.limits, target));
        }
        for (provider, place) in self.providers.iter_mut() {
            place.limits.set(&of_provider(&policy.limits, provider));
        }
        self.policy = policy;
    }

    /// What a budget has taken since its period began, as the book has it.
    pub fn seed_budget(&mut self, name: &str, spent: canonical::PicoUsd, now: Now) {
        self.budgets.seed(name, spent, now);
    }

    /// What the headers of the attempt's answer said of its target's limits. Limits that the
    /// provider counts over all models are learned for each of them.
    pub fn learn(&mut self, permit: &Permit, seen: &[LimitSeen], now: Now) {
        if seen.is_empty() {
            return;
        }
        let limits = &mut self.target(&permit.target, now).limits;
        for limit in seen {
            limits.learn(limit, permit.held.target.as_ref(), now);
        }
    }

    /// The attempt's first content is here: a probe has shown enough, however long its answer is.
    pub fn answering(&mut self, permit: &Permit, now: Now) {
        let policy = Arc::clone(&self.policy);
        if let Some(own) = permit.held.own {
            self.target(&permit.target, now).circuit.answering(&policy.circuit, own, now.mono);
        }
        if let Some(key) = permit.held.key {
            self.provider(&permit.target.provider).circuit.answering(&policy.circuit, key, now.mono);
        }
    }

    /// The provider has another key: what the old one was refused for is over.
    pub fn key_changed(&mut self, provider: &str) {
        if let Some(place) = self.providers.get_mut(provider) {
            place.circuit.unpark();
        }
        for (target, place) in self.targets.iter_mut() {
            if target.provider == provider {
                place.circuit.unpark();
            }
        }
    }

    /// Takes a target out of every route until it is let in again. Requests under way go on.
    pub fn drain(&mut self, target: &Target, is_drained: bool, now: Now) {
        self.target(target, now).is_drained = is_drained;
    }

    /// Leaves a target alone until `until`, or lets it in at once.
    pub fn park(&mut self, target: &Target, until: Option<Duration>, now: Now) {
        let circuit = &mut self.target(target, now).circuit;
        match until {
            Some(until) => circuit.park(until),
            None => circuit.unpark(),
        }
    }

    fn target(&mut self, target: &Target, now: Now) -> &mut Place {
        if self.targets.len() >= MOST_TARGETS && self.targets.get(target).is_none() {
            self.targets.retain(|place| !place.is_idle(now.mono, FORGOTTEN_AFTER));
        }
        let limits = &self.policy.limits;
        self.targets.get_or_make(target, || Place::with(&of_target(limits, target)))
    }

    fn provider(&mut self, provider: &str) -> &mut Place {
        let limits = &self.policy.limits;
        self.providers.get_or_make(provider, || Place::with(&of_provider(limits, provider)))
    }
}

fn of_target<'a>(rules: &'a [LimitRule], target: &Target) -> Vec<&'a LimitRule> {
    rules
        .iter()
        .filter(|rule| {
            rule.provider == target.provider && rule.model.as_deref() == Some(target.model.as_str())
        })
        .collect()
}

fn of_provider<'a>(rules: &'a [LimitRule], provider: &str) -> Vec<&'a LimitRule> {
    rules.iter().filter(|rule| rule.provider == provider && rule.model.is_none()).collect()
}

fn who<'a>(ask: &'a crate::Ask, target: &'a Target) -> Who<'a> {
    Who {
        client: ask.client.as_deref(),
        model: &target.model,
        provider: &target.provider,
        route: Some(&ask.route.name),
    }
}

#[cfg(test)]
mod tests;
