//! What the router remembers over a restart, kept in the ledger: pauses that providers asked for and
//! quotas of an hour and longer. Budgets begin with what the book says was charged in their period.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use canonical::PicoUsd;
use ledger::{Charge, Ledger, LedgerError};
use routing::Now;
use routing::budget::{Who, period_start};
use routing::policy::{BudgetRule, Policy};
use routing::router::Saved;

use super::{Gateway, blocking};
use crate::core::Core;

/// The name in the ledger.
const KEY: &str = "router";

/// A crash forgets no more than this.
const PAUSE: Duration = Duration::from_secs(5);

/// Two readings of the clocks lie this far apart only where somebody set one of them.
const JITTER_MS: i64 = 1_000;

/// What was written last, so that nothing is written twice.
#[derive(Debug, Default)]
struct Written {
    text: Option<String>,
    /// What the wall clock is ahead of the other, which makes the same moment the same number each time.
    offset_ms: Option<i64>,
}

impl Gateway {
    /// Gives the router what an earlier run left for it. Before the first request.
    pub(super) async fn recall(&self) {
        let ledger = self.core.ledger.clone();
        match blocking(move || ledger.remembered(KEY)).await {
            Ok(Some(text)) => match serde_json::from_str::<Saved>(&text) {
                Ok(saved) => self.core.route(|router, now| router.restore(saved, now)),
                // Written by another version, perhaps; the providers will tell again.
                Err(error) => tracing::warn!(%error, "what the router remembered could not be read"),
            },
            Ok(None) => {}
            Err(error) => tracing::warn!(kind = error.kind(), "what the router remembered could not be read"),
        }
        let policy = Arc::clone(&self.core.snapshot().config.policy);
        seed(&self.core, &policy, |_| true).await;
    }

    /// Writes what the router remembers every few seconds, where it changed, until `stop`.
    pub(super) fn keep_memory(&self) {
        let (core, stop) = (Arc::clone(&self.core), self.stop.clone());
        let task = tokio::spawn(async move {
            let mut written = Written::default();
            let mut pause = tokio::time::interval(PAUSE);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = pause.tick() => write(&core, &mut written).await,
                }
            }
        });
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Writes it once more, when nothing runs any longer.
    pub(super) async fn write_memory(&self) {
        write(&self.core, &mut Written::default()).await;
    }
}

async fn write(core: &Core, written: &mut Written) {
    let now = written.steady(core.router_now());
    let saved = core.route(|router, _| router.save(now));
    let text = match serde_json::to_string(&saved) {
        Ok(text) => (saved != Saved::default()).then_some(text),
        Err(error) => {
            tracing::warn!(%error, "what the router remembers could not be written");
            return;
        }
    };
    // The first time whatever is there may be of another run.
    if written.text == text && text.is_some() {
        return;
    }
    let (ledger, value, now_ms) = (core.ledger.clone(), text.clone(), core.clock.now_ms());
    match blocking(move || forget_or_remember(&ledger, value, now_ms)).await {
        Ok(()) => written.text = text,
        Err(error) => tracing::warn!(kind = error.kind(), "what the router remembers could not be written"),
    }
}

/// Nothing is written where there is nothing and was nothing.
fn forget_or_remember(ledger: &Ledger, value: Option<String>, now_ms: i64) -> Result<(), LedgerError> {
    if value.is_none() && ledger.remembered(KEY)?.is_none() {
        return Ok(());
    }
    ledger.remember(KEY, value, now_ms)
}

impl Written {
    fn steady(&mut self, now: Now) -> Now {
        let mono_ms = i64::try_from(now.mono.as_millis()).unwrap_or(i64::MAX);
        let offset_ms = now.unix_ms.saturating_sub(mono_ms);
        let known = self.offset_ms.filter(|known| known.abs_diff(offset_ms) < JITTER_MS.unsigned_abs());
        let offset_ms = *self.offset_ms.insert(known.unwrap_or(offset_ms));
        Now::new(Duration::from_millis(mono_ms.unsigned_abs()), offset_ms.saturating_add(mono_ms))
    }
}

// === Budgets ===

/// Tells the router what the book has for the budgets of `policy` that are `meant`.
pub(super) async fn seed(core: &Core, policy: &Arc<Policy>, meant: impl Fn(&BudgetRule) -> bool) {
    let rules: Vec<BudgetRule> = policy.budgets.iter().filter(|rule| meant(rule)).cloned().collect();
    if rules.is_empty() {
        return;
    }
    // What was settled a moment ago may still be on its way into the book.
    if let Err(error) = core.ledger.flush().await {
        tracing::warn!(kind = error.kind(), "the ledger could not be written out");
    }
    let (ledger, zone, now_ms) = (core.ledger.clone(), policy.zone.clone(), core.clock.now_ms());
    let read = move || {
        let spent = |rule: BudgetRule| {
            let charges = ledger.charges_since(period_start(rule.per, &zone, now_ms))?;
            Ok((spent(&rule, &charges), rule.name))
        };
        rules.into_iter().map(spent).collect::<Result<Vec<_>, LedgerError>>()
    };
    match blocking(read).await {
        Ok(sums) => core.route(|router, now| {
            for (spent, name) in sums {
                router.seed_budget(&name, spent, now);
            }
        }),
        Err(error) => {
            tracing::warn!(kind = error.kind(), "budgets begin at nothing: the book could not be read");
        }
    }
}

fn spent(rule: &BudgetRule, charges: &[Charge]) -> PicoUsd {
    let is_meant = |charge: &&Charge| {
        rule.scope.means(&Who {
            client: charge.client.as_deref(),
            model: &charge.model,
            provider: &charge.provider,
            route: Some(&charge.route),
        })
    };
    charges.iter().filter(is_meant).map(|charge| PicoUsd(charge.cost_picousd)).sum()
}

/// Whether `rule` counts something else than it did under `before`, so that the book has to say what.
pub(super) fn counts_anew(before: &Policy, after: &Policy, rule: &BudgetRule) -> bool {
    let is_same = |old: &BudgetRule| (&old.name, &old.scope, old.per) == (&rule.name, &rule.scope, rule.per);
    before.zone != after.zone || !before.budgets.iter().any(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use routing::policy::{OverBudget, Period, Scope};

    fn rule(name: &str, scope: Scope) -> BudgetRule {
        BudgetRule {
            name: name.into(),
            scope,
            amount: PicoUsd(1),
            per: Period::Day,
            then: OverBudget::Block,
            warn_at_percent: 80,
        }
    }

    #[test]
    fn the_same_moment_is_the_same_number_until_somebody_sets_the_clock() {
        let mut written = Written::default();
        let mut steady = |mono_us: u64, unix_ms: i64| {
            let now = written.steady(Now::new(Duration::from_micros(mono_us), unix_ms));
            now.unix_ms - i64::try_from(now.mono.as_millis()).unwrap()
        };
        assert_eq!(steady(5_000_900, 1_000_005_000), 1_000_000_000);
        // The clocks are read one after the other, and each is cut to its unit.
        assert_eq!(steady(9_999_999, 1_000_010_001), 1_000_000_000);
        // An hour was set back.
        assert_eq!(steady(12_000_000, 996_412_000), 996_400_000);
    }

    #[test]
    fn a_budget_has_what_its_own_were_charged() {
        let charge = |client: Option<&str>, route: &str, cost_picousd| Charge {
            client: client.map(str::to_owned),
            route: route.into(),
            provider: "a".into(),
            model: "m".into(),
            cost_picousd,
        };
        let charges =
            [charge(Some("codex"), "deep", 1), charge(Some("other"), "deep", 2), charge(None, "x", 4)];
        let scope = |client: Option<&str>, route: Option<&str>| Scope {
            client: client.map(str::to_owned),
            route: route.map(str::to_owned),
            ..Scope::default()
        };
        for (scope, sum) in [
            (Scope::default(), 7),
            (scope(Some("*"), None), 3),
            (scope(Some("codex"), Some("deep")), 1),
            (scope(None, Some("y")), 0),
        ] {
            assert_eq!(spent(&rule("b", scope.clone()), &charges), PicoUsd(sum), "{scope:?}");
        }
    }

    #[test]
    fn only_a_budget_that_counts_something_else_asks_the_book() {
        let policy = |budgets: Vec<BudgetRule>| Policy { budgets, ..Policy::default() };
        let before = policy(vec![rule("b", Scope::default())]);
        let after = Policy::default();
        let more = BudgetRule { amount: PicoUsd(2), ..rule("b", Scope::default()) };
        assert!(!counts_anew(&before, &after, &more), "a larger amount counts the same");
        let narrower = rule("b", Scope { provider: Some("a".into()), ..Scope::default() });
        let weekly = BudgetRule { per: Period::Week, ..rule("b", Scope::default()) };
        for changed in [narrower, weekly, rule("c", Scope::default())] {
            assert!(counts_anew(&before, &after, &changed), "{changed:?}");
        }
        let elsewhere = Policy { zone: jiff::tz::TimeZone::fixed(jiff::tz::offset(3)), ..Policy::default() };
        assert!(counts_anew(&before, &elsewhere, &more));
    }
}
