//! Sums that may be spent per period of the calendar: reserved before a request is sent, settled
//! after.
//!
//! Estimates are wrong, and many requests at once are wrong together. So beside others a request
//! passes only while all of them may cost [`CAUTION`] times their estimates; the last of a budget is
//! given to one at a time. As long as nothing costs more than that, a budget is overshot by what one
//! request costs beyond its estimate, at most.
//!
//! A cost belongs to the period in which it was reserved. What is free passes always; what has no
//! known price passes until the budget is used up, and is counted.

mod period;

use canonical::PicoUsd;
use canonical::glob::fits;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::policy::{BudgetRule, OverBudget, Period, Scope};
use crate::time::Now;
pub use period::{period_end, period_start};

/// So many times its estimate a request may cost while others are under way.
pub const CAUTION: i64 = 2;

/// A wall clock that was set back by no more than this stays in the period it had reached: a time
/// server does so by seconds, a person who crosses a midnight by hours.
const SET_BACK_MS: i64 = 24 * 3_600_000;

/// Whose request it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Who<'a> {
    pub client: Option<&'a str>,
    /// The target's.
    pub model: &'a str,
    /// The target's.
    pub provider: &'a str,
    pub route: Option<&'a str>,
}

/// How a request stands with the budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Fine,
    /// These are nearly or wholly used up, and let it pass.
    Warned(Vec<String>),
    /// It should take this route instead.
    Downgrade {
        budget: String,
        route: String,
    },
    Blocked {
        budget: String,
        resets_at_ms: i64,
        /// What is left is held by requests under way: it may pass once one of them has ended.
        is_held: bool,
    },
}

/// A request's part of the budgets. Goes back through [`Budgets::settle`].
#[derive(Debug, Default)]
#[must_use = "what is not settled stays reserved until the period ends"]
pub struct BudgetHold {
    amount: PicoUsd,
    /// No price was known.
    is_unknown: bool,
    /// The budgets' serials and the beginnings of their periods.
    parts: Vec<(u64, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetState {
    Fine,
    /// Past the share at which it warns.
    Near,
    UsedUp,
}

/// One budget, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    pub name: String,
    pub per: Period,
    pub amount: PicoUsd,
    pub spent: PicoUsd,
    /// Of requests under way.
    pub reserved: PicoUsd,
    pub began_at_ms: i64,
    pub resets_at_ms: i64,
    /// Spent and reserved, of the amount; above 1 where it was overshot.
    pub share: f64,
    pub state: BudgetState,
    /// Requests of this period whose cost is not known, and stands in `spent` as its estimate or not
    /// at all.
    pub unknown: u64,
}

#[derive(Debug, Clone)]
struct Account {
    rule: BudgetRule,
    /// Stays the same while the rule keeps its name.
    serial: u64,
    start_ms: i64,
    end_ms: i64,
    spent: PicoUsd,
    reserved: PicoUsd,
    /// Requests under way that cost something, for all we know.
    holds: u64,
    unknown: u64,
}

/// All budgets.
#[derive(Debug, Clone)]
pub struct Budgets {
    accounts: Vec<Account>,
    zone: TimeZone,
    serial: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { accounts: Vec::new(), zone: TimeZone::UTC, serial: 0 }
    }
}

impl Budgets {
    /// No budget was set: nothing has to be asked.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Puts `rules` in the place of those before. What is spent stays with the name; where a rule now
    /// counts something else (another scope, another period), [`Self::seed`] tells what.
    pub fn set(&mut self, rules: &[BudgetRule], zone: &TimeZone, now: Now) {
        let is_new_zone = self.zone != *zone;
        self.zone = zone.clone();
        let mut before = std::mem::take(&mut self.accounts);
        for rule in rules {
            let known = before.iter().position(|account| account.rule.name == rule.name);
            let mut account = known.map_or_else(
                || {
                    self.serial += 1;
                    Account::new(rule.clone(), self.serial)
                },
                |at| before.swap_remove(at),
            );
            if is_new_zone || account.rule.per != rule.per || account.end_ms == 0 {
                (account.start_ms, account.end_ms) = period::bounds(rule.per, zone, now.unix_ms);
            }
            account.rule = rule.clone();
            self.accounts.push(account);
        }
    }

    /// What the books say was spent in the current period of the budget `name`.
    pub fn seed(&mut self, name: &str, spent: PicoUsd, now: Now) {
        self.roll(now);
        for account in self.accounts.iter_mut().filter(|account| account.rule.name == name) {
            account.spent = spent;
        }
    }

    /// How a request of `who` that will cost about `estimate` stands. `None`: no price is known.
    pub fn check(&mut self, who: &Who<'_>, estimate: Option<PicoUsd>, now: Now) -> Standing {
        self.roll(now);
        if estimate.is_some_and(|estimate| estimate <= PicoUsd::ZERO) {
            return Standing::Fine;
        }
        let mut standing = Standing::Fine;
        for account in self.accounts.iter().filter(|account| account.concerns(who)) {
            standing = standing.or_worse(account.standing(who, estimate));
        }
        standing
    }

    /// Reserves `estimate` in every budget that concerns `who`, or in none.
    ///
    /// # Errors
    /// `Downgrade` or `Blocked`.
    pub fn reserve(
        &mut self,
        who: &Who<'_>,
        estimate: Option<PicoUsd>,
        now: Now,
    ) -> Result<BudgetHold, Standing> {
        match self.check(who, estimate, now) {
            Standing::Fine | Standing::Warned(_) => {}
            refused => return Err(refused),
        }
        let amount = estimate.unwrap_or_default().max(PicoUsd::ZERO);
        let mut hold = BudgetHold { amount, is_unknown: estimate.is_none(), parts: Vec::new() };
        for account in self.accounts.iter_mut().filter(|account| account.concerns(who)) {
            account.reserved += amount;
            account.holds += hold.costly();
            hold.parts.push((account.serial, account.start_ms));
        }
        Ok(hold)
    }

    /// The request is over and cost `actual`. `None`: not known, so the estimate stands; what never
    /// left us cost nothing.
    pub fn settle(&mut self, hold: BudgetHold, actual: Option<PicoUsd>, now: Now) {
        self.roll(now);
        let costly = hold.costly();
        for (serial, start_ms) in hold.parts {
            let is_meant = |account: &&mut Account| account.serial == serial && account.start_ms == start_ms;
            let Some(account) = self.accounts.iter_mut().find(is_meant) else { continue };
            account.reserved = account.reserved - hold.amount;
            account.holds = account.holds.saturating_sub(costly);
            account.spent += actual.unwrap_or(hold.amount);
            account.unknown += u64::from(actual.is_none());
        }
    }

    pub fn view(&mut self, now: Now) -> Vec<BudgetView> {
        self.roll(now);
        self.accounts.iter().map(Account::view).collect()
    }

    /// Begins new periods where they are due.
    fn roll(&mut self, now: Now) {
        for account in &mut self.accounts {
            account.roll(&self.zone, now.unix_ms);
        }
    }
}

impl BudgetHold {
    /// 1 where it may cost something.
    fn costly(&self) -> u64 {
        u64::from(self.is_unknown || self.amount > PicoUsd::ZERO)
    }
}

impl Scope {
    /// Whether requests of `who` count.
    pub fn means(&self, who: &Who<'_>) -> bool {
        let is = |glob: &Option<String>, name: Option<&str>| {
            glob.as_ref().is_none_or(|glob| name.is_some_and(|name| fits(glob, name)))
        };
        is(&self.client, who.client)
            && is(&self.model, Some(who.model))
            && is(&self.provider, Some(who.provider))
            && is(&self.route, who.route)
    }
}

impl Account {
    fn new(rule: BudgetRule, serial: u64) -> Self {
        Self {
            rule,
            serial,
            start_ms: 0,
            end_ms: 0,
            spent: PicoUsd::ZERO,
            reserved: PicoUsd::ZERO,
            holds: 0,
            unknown: 0,
        }
    }

    fn roll(&mut self, zone: &TimeZone, unix_ms: i64) {
        let is_next = unix_ms >= self.end_ms;
        let is_far_back = unix_ms < self.start_ms.saturating_sub(SET_BACK_MS);
        if !is_next && !is_far_back {
            return;
        }
        (self.start_ms, self.end_ms) = period::bounds(self.rule.per, zone, unix_ms);
        // Set back by far the clock was wrong before, and what was spent was spent in this period
        // for all we know.
        if is_next {
            (self.spent, self.unknown) = (PicoUsd::ZERO, 0);
        }
        (self.reserved, self.holds) = (PicoUsd::ZERO, 0);
    }

    fn concerns(&self, who: &Who<'_>) -> bool {
        self.rule.scope.means(who)
    }

    fn standing(&self, who: &Who<'_>, estimate: Option<PicoUsd>) -> Standing {
        let amount = self.rule.amount;
        let after = self.taken() + estimate.unwrap_or_default();
        let is_over = match estimate {
            // Something, however little.
            None => self.taken() >= amount,
            Some(_) if self.holds == 0 => after > amount,
            Some(estimate) => {
                let under_way = (self.reserved + estimate).0.saturating_mul(CAUTION);
                self.spent + PicoUsd(under_way) > amount
            }
        };
        if !is_over {
            return if self.is_near(after) { self.warned() } else { Standing::Fine };
        }
        match &self.rule.then {
            OverBudget::Warn => self.warned(),
            // On that route already, it is as cheap as it gets.
            OverBudget::Downgrade(route) if who.route == Some(route.as_str()) => self.warned(),
            OverBudget::Downgrade(route) => {
                Standing::Downgrade { budget: self.rule.name.clone(), route: route.clone() }
            }
            OverBudget::Block => Standing::Blocked {
                budget: self.rule.name.clone(),
                resets_at_ms: self.end_ms,
                is_held: self.holds > 0 && self.spent + estimate.unwrap_or(PicoUsd(1)) <= amount,
            },
        }
    }

    fn warned(&self) -> Standing {
        Standing::Warned(vec![self.rule.name.clone()])
    }

    /// Spent and reserved.
    fn taken(&self) -> PicoUsd {
        self.spent + self.reserved
    }

    fn is_near(&self, taken: PicoUsd) -> bool {
        i128::from(taken.0) * 100 >= i128::from(self.rule.amount.0) * i128::from(self.rule.warn_at_percent)
    }

    fn view(&self) -> BudgetView {
        let (taken, amount) = (self.taken(), self.rule.amount);
        let state = if taken >= amount {
            BudgetState::UsedUp
        } else if self.is_near(taken) {
            BudgetState::Near
        } else {
            BudgetState::Fine
        };
        BudgetView {
            name: self.rule.name.clone(),
            per: self.rule.per,
            amount,
            spent: self.spent,
            reserved: self.reserved,
            began_at_ms: self.start_ms,
            resets_at_ms: self.end_ms,
            share: taken.0 as f64 / amount.0.max(1) as f64,
            state,
            unknown: self.unknown,
        }
    }
}

impl Standing {
    /// What both budgets together mean: blocked counts more than another route, and that more than a
    /// warning.
    fn or_worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Warned(mut names), Self::Warned(more)) => {
                names.extend(more);
                Self::Warned(names)
            }
            // Nothing passes before the last of them.
            (
                Self::Blocked { resets_at_ms: one, is_held: held, .. },
                Self::Blocked { budget, resets_at_ms: other, is_held },
            ) if other > one || (held && !is_held) => {
                Self::Blocked { budget, resets_at_ms: other, is_held: held && is_held }
            }
            (one, other) if other.rank() > one.rank() => other,
            (one, _) => one,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Warned(_) => 1,
            Self::Downgrade { .. } => 2,
            Self::Blocked { .. } => 3,
        }
    }
}

#[cfg(test)]
mod tests;
