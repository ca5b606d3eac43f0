//! A request's targets, filtered and ranked.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::{Router, who};
use crate::Draw;
use crate::ask::{Ask, Facts};
use crate::budget::Standing as Allowed;
use crate::classify::{Class, classify};
use crate::decision::Against;
use crate::policy::{Route, RouteTarget, Then, Tier};
use crate::run::{Run, Slot};
use crate::strategies::Candidate;
use crate::target::Standing;
use crate::time::Now;

/// A target's limits refused so much of the last minutes' traffic only where there was some.
const DEMOTED_FROM: u32 = 10;

/// What a plan comes to.
#[derive(Debug)]
pub enum Planned {
    Run(Box<Run>),
    /// A budget is used up, and says that this route takes its requests.
    Divert {
        budget: String,
        route: String,
    },
}

/// How ready a target is; the readier stand before the others, whatever the strategy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    Ready,
    Demoted,
    /// It comes back, and this request is not in its share.
    Recovering,
    /// In a while, and it is known when.
    Later,
    Closed,
}

/// A candidate with everything it is sorted by.
struct Ranked {
    candidate: Candidate,
    readiness: Readiness,
    against: Option<Against>,
    /// Behind the others until its cause comes.
    is_reserve: bool,
    /// What the rule or the task's tier says: less is better.
    place: usize,
}

impl Router {
    /// The order in which the request's targets are to be asked. What is out of the question says
    /// why; where nothing remains, [`Router::next`] says so.
    pub fn plan(&mut self, ask: Ask, now: Now, draw: &mut Draw<'_>) -> Planned {
        self.retries.request(now.mono);
        self.hedges.request(now.mono);
        let (class, class_why) = classify(&ask.traits);
        let route = &*ask.route;
        let rule = route.rules.iter().position(|rule| rule.when.holds(&ask, class));
        let (mut ranked, mut filtered) = (Vec::with_capacity(route.targets.len()), Vec::new());
        let mut budget = BudgetSays::default();
        for (position, target) in route.targets.iter().enumerate() {
            let facts = ask.facts.get(position).copied().unwrap_or_default();
            if let Some(against) = self.rules_out(target, &facts, &ask, class) {
                filtered.push((position, against));
            } else if budget.forbids(self, &ask, target, &facts, now) {
                filtered.push((position, Against::Budget));
            } else {
                ranked.push(self.look(position, target, &facts, &ask, now, draw));
            }
        }
        if ranked.is_empty() {
            // What is known of models may be wrong or old: where nothing else is left, the provider
            // has the word.
            let (doubtful, sure): (Vec<_>, Vec<_>) = filtered.into_iter().partition(|(_, against)| {
                matches!(against, Against::TooLong | Against::NoTools | Against::NoImages)
            });
            filtered = sure;
            for (position, against) in doubtful {
                let (target, facts) =
                    (&route.targets[position], ask.facts.get(position).copied().unwrap_or_default());
                if budget.forbids(self, &ask, target, &facts, now) {
                    filtered.push((position, Against::Budget));
                    continue;
                }
                let mut look = self.look(position, target, &facts, &ask, now, draw);
                look.against.get_or_insert(against);
                ranked.push(look);
            }
        }
        if ranked.is_empty()
            && let Some((budget, route)) = budget.divert
        {
            return Planned::Divert { budget, route };
        }
        let sticky = self.sticky_position(&ask, now.mono);
        let slots = order(ranked, route, rule, class, sticky, draw);
        Planned::Run(Box::new(Run {
            class,
            class_why,
            rule,
            slots,
            filtered,
            causes: Vec::new(),
            again: None,
            is_hopeless: false,
            failures: 0,
            attempts: 0,
            under_way: 0,
            budgets: budget.warned,
            blocked_by: budget.blocked,
            started: now.mono,
            waiting_since: None,
            steps: Vec::new(),
            ask,
        }))
    }

    /// What puts a target out of the question before its state is looked at.
    fn rules_out(&self, target: &RouteTarget, facts: &Facts, ask: &Ask, class: Class) -> Option<Against> {
        if target.when.as_ref().is_some_and(|when| !when.holds(ask, class)) {
            return Some(Against::Condition);
        }
        if self.targets.get(&target.target).is_some_and(|place| place.is_drained) {
            return Some(Against::Drained);
        }
        if facts.is_too_short_for(ask.traits.input_tokens) {
            return Some(Against::TooLong);
        }
        if ask.traits.tools > 0 && facts.tools == Some(false) {
            return Some(Against::NoTools);
        }
        (ask.traits.images && facts.images == Some(false)).then_some(Against::NoImages)
    }

    fn look(
        &mut self,
        position: usize,
        target: &RouteTarget,
        facts: &Facts,
        ask: &Ask,
        now: Now,
        draw: &mut Draw<'_>,
    ) -> Ranked {
        let need = ask.need();
        let policy = std::sync::Arc::clone(&self.policy);
        let place = self.target(&target.target, now);
        place.last_used = now.mono;
        let view = place.view(now.mono);
        let (in_flight, own_left) = (place.in_flight, place.limits.left(now));
        let own = place.standing(&policy.circuit, &need, now);
        let provider = self.provider(&target.target.provider);
        let quota_left = own_left.min(provider.limits.left(now));
        let whole = provider.standing(&policy.circuit, &need, now);
        let (readiness, against) = worse(readiness(own, draw), readiness(whole, draw));
        let is_demoted = view.requests >= DEMOTED_FROM
            && view.limited_share >= policy.circuit.demote_429_share
            && readiness == Readiness::Ready;
        let (readiness, against) =
            if is_demoted { (Readiness::Demoted, Some(Against::Demoted)) } else { (readiness, against) };
        let wants = [
            (ask.traits.tools > 0, facts.tools),
            (ask.traits.images, facts.images),
            (ask.traits.schema, facts.schema),
        ];
        let is_reserve = !target.only_after.is_empty();
        Ranked {
            candidate: Candidate {
                position,
                weight: target.weight,
                cost: facts.cost(&need),
                ttft_p95: view.ttft_p95,
                error_rate: view.error_rate,
                in_flight,
                quota_left,
                lacks: wants.iter().filter(|(wanted, known)| *wanted && *known != Some(true)).count() as u32,
                context_window: facts.context_window,
                score: None,
            },
            readiness,
            against: if is_reserve { Some(Against::OnlyAfter) } else { against },
            is_reserve,
            place: 0,
        }
    }

    /// Where the conversation has been before.
    fn sticky_position(&mut self, ask: &Ask, now: Duration) -> Option<usize> {
        let idle = ask.route.sticky?.idle;
        let target = self.sticky.get(sticky_key(ask)?, idle, now)?;
        ask.route.targets.iter().position(|it| it.target == *target)
    }
}

/// One conversation on one route.
pub(super) fn sticky_key(ask: &Ask) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    (ask.conversation?, &ask.route.name).hash(&mut hasher);
    Some(hasher.finish())
}

fn readiness(standing: Standing, draw: &mut Draw<'_>) -> (Readiness, Option<Against>) {
    match standing {
        // A probe is worth one request: it is how a target comes back.
        Standing::Free | Standing::Probe => (Readiness::Ready, None),
        Standing::Share(share) if draw.unit() < share => (Readiness::Ready, None),
        Standing::Share(_) => (Readiness::Recovering, Some(Against::Recovering)),
        Standing::Not { against: against @ (Against::Limited | Against::Cooling), .. } => {
            (Readiness::Later, Some(against))
        }
        Standing::Not { against, .. } => (Readiness::Closed, Some(against)),
    }
}

fn worse<T>(a: (Readiness, T), b: (Readiness, T)) -> (Readiness, T) {
    if b.0 > a.0 { b } else { a }
}

fn order(
    mut ranked: Vec<Ranked>,
    route: &Route,
    rule: Option<usize>,
    class: Class,
    sticky: Option<usize>,
    draw: &mut Draw<'_>,
) -> Vec<Slot> {
    let mut candidates: Vec<Candidate> = ranked.iter().map(|it| it.candidate).collect();
    route.strategy.rank(&mut candidates, &route.score, draw);
    // In the strategy's order from here on.
    let mut rank = vec![0; route.targets.len()];
    for (at, candidate) in candidates.iter().enumerate() {
        rank[candidate.position] = at;
    }
    for it in &mut ranked {
        let at = rank[it.candidate.position];
        it.candidate.score = candidates[at].score;
        it.place = wanted_place(route, rule, class, it.candidate.position);
    }
    let is_sticky = |it: &Ranked| sticky == Some(it.candidate.position) && it.readiness <= Readiness::Demoted;
    ranked.sort_by_key(|it| {
        (it.is_reserve, !is_sticky(it), it.readiness, it.place, rank[it.candidate.position])
    });
    ranked
        .iter()
        .map(|it| Slot {
            position: it.candidate.position,
            attempts: 0,
            refusals: 0,
            is_done: false,
            not_before: Duration::ZERO,
            cost: it.candidate.cost,
            against: it.against,
            is_reserve: it.is_reserve,
            score: it.candidate.score,
            ttft_p95: it.candidate.ttft_p95,
            quota_left: it.candidate.quota_left,
            is_sticky: is_sticky(it),
        })
        .collect()
}

/// Where the rule that matched, or the tier that the task wants, puts a target.
fn wanted_place(route: &Route, rule: Option<usize>, class: Class, position: usize) -> usize {
    let tier = route.targets.get(position).and_then(|it| it.tier).unwrap_or(Tier::Standard);
    match rule.and_then(|rule| route.rules.get(rule)).map(|rule| &rule.then) {
        Some(Then::Targets(wanted)) => wanted.iter().position(|it| *it == position).unwrap_or(wanted.len()),
        Some(Then::Tier(wanted)) => distance(*wanted, tier),
        None if route.tiers => distance(tier_of(class), tier),
        None => 0,
    }
}

/// The cheapest that is good enough first, then the better ones, then those that fall short.
fn distance(wanted: Tier, tier: Tier) -> usize {
    let (wanted, tier) = (wanted as usize, tier as usize);
    if tier >= wanted { tier - wanted } else { 3 + wanted - tier }
}

fn tier_of(class: Class) -> Tier {
    match class {
        Class::Simple => Tier::Cheap,
        Class::Standard => Tier::Standard,
        Class::Complex => Tier::Complex,
    }
}

/// What budgets say to a request, over all its targets.
#[derive(Default)]
struct BudgetSays {
    warned: Vec<String>,
    blocked: Option<(String, i64)>,
    divert: Option<(String, String)>,
}

impl BudgetSays {
    fn forbids(
        &mut self,
        router: &mut Router,
        ask: &Ask,
        target: &RouteTarget,
        facts: &Facts,
        now: Now,
    ) -> bool {
        if router.budgets.is_empty() {
            return false;
        }
        let estimate = facts.cost(&ask.need());
        match router.budgets.check(&who(ask, &target.target), estimate, now) {
            // Held by requests under way, what is left may come back.
            Allowed::Fine | Allowed::Blocked { is_held: true, .. } => false,
            Allowed::Warned(names) => {
                for name in names {
                    if !self.warned.contains(&name) {
                        self.warned.push(name);
                    }
                }
                false
            }
            Allowed::Downgrade { budget, route } => {
                self.divert.get_or_insert((budget, route));
                true
            }
            Allowed::Blocked { budget, resets_at_ms, .. } => {
                self.blocked.get_or_insert((budget, resets_at_ms));
                true
            }
        }
    }
}
