//! Scenarios made by chance, and a pilot that looks over the router's shoulder.

use routing::Permit;
use routing::decision::Why;
use routing::policy::{Counted, OnBreak, Window};
use simulator::Chance;
use simulator::Told;
use simulator::pilot::signalbox::{Run, Signalbox};
use simulator::pilot::{Asked, Ending, Moment, Pilot, Step, Ticket};
use simulator::scenario::{
    Agents, Fault, FaultKind, LimitSpec, MeterKind, ProviderSpec, RouteSpec, Scenario,
};
use simulator::span::{MS, Micros, SECOND};

pub(crate) fn provider(name: &str) -> ProviderSpec {
    toml::from_str(&format!("name = \"{name}\"")).unwrap()
}

pub(crate) fn fault(kind: FaultKind, providers: Vec<String>, from: Micros, until: Micros) -> Fault {
    Fault { kind, providers, from, until, every: None, on_for: None, share: 1.0, factor: 1.0, recovery: 0 }
}

pub(crate) fn limit(counted: Counted, per: Window, most: u64) -> LimitSpec {
    LimitSpec { counted, per, most, kind: MeterKind::Bucket, tells: true, set: false, used: 0.0 }
}

pub(crate) fn scenario(length: Micros, agents: u32, providers: Vec<ProviderSpec>) -> Scenario {
    Scenario {
        name: "made up".into(),
        title: String::new(),
        text: String::new(),
        length,
        starts_at_ms: 1_767_268_800_000,
        agents: Agents {
            count: agents,
            think: 2 * SECOND,
            question: 300,
            answer: 120,
            max_answer: 500,
            turns: 6,
        },
        crowd: Vec::new(),
        watch: None,
        route: RouteSpec { on_break: OnBreak::Continue, ..RouteSpec::default() },
        providers,
        faults: Vec::new(),
        budgets: Vec::new(),
    }
}

/// A minute or so with two to four providers, of which anything may go wrong.
pub(crate) fn random(seed: u64) -> Scenario {
    let mut chance = Chance::new(seed.wrapping_mul(0x9e37_79b9));
    let length = chance.between(40 * SECOND, 80 * SECOND);
    let providers = ["a", "b", "c", "d"][..chance.between(2, 4) as usize].iter();
    let providers = providers.map(|name| ProviderSpec {
        first_token: chance.between(200 * MS, 900 * MS),
        tokens_per_second: chance.between(40, 150) as f64,
        distance: chance.between(MS, 80 * MS),
        errors: 0.02 * chance.unit(),
        limits: if chance.happens(0.4) {
            vec![limit(Counted::Requests, Window::Minute, chance.between(20, 200))]
        } else {
            Vec::new()
        },
        ..provider(name)
    });
    let providers: Vec<ProviderSpec> = providers.collect();
    let mut scenario = scenario(length, chance.between(4, 16) as u32, providers);
    let strategies = routing::STRATEGIES;
    let strategy = strategies[chance.between(0, strategies.len() as u64 - 1) as usize];
    scenario.route.strategy = strategy.as_str().into();
    scenario.route.sticky = chance.happens(0.5).then_some(60 * SECOND);
    for _ in 0..chance.between(1, 4) {
        let fault = some_fault(&mut chance, &scenario);
        scenario.faults.push(fault);
    }
    scenario
}

fn some_fault(chance: &mut Chance, scenario: &Scenario) -> Fault {
    use FaultKind::{Breaks, Crowded, Errors, Outage, Revoked, Slow};
    let kind = [Outage, Errors, Slow, Breaks, Revoked, Crowded][chance.between(0, 5) as usize];
    let mut providers: Vec<String> = scenario.providers.iter().map(|it| it.name.clone()).collect();
    providers.retain(|_| chance.happens(0.6));
    let from = chance.between(0, scenario.length / 2);
    let flaps = chance.happens(0.3);
    Fault {
        share: if kind == Outage && chance.happens(0.7) { 1.0 } else { chance.unit() },
        factor: 1.0 + 9.0 * chance.unit(),
        recovery: chance.between(0, 10 * SECOND),
        every: flaps.then_some(8 * SECOND),
        on_for: flaps.then_some(4 * SECOND),
        ..fault(kind, providers, from, chance.between(from + SECOND, scenario.length))
    }
}

/// The router, and what it does with circuits that are open.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Signalbox,
    pub(crate) trespasses: Vec<String>,
    pub(crate) seen_open: u64,
    pub(crate) probes: u64,
}

impl Watched {
    pub(crate) fn new(inner: Signalbox) -> Self {
        Self { inner, trespasses: Vec::new(), seen_open: 0, probes: 0 }
    }

    /// The circuits that are not closed, nor coming back in steps.
    fn closed_to_traffic(&mut self, moment: Moment) -> Vec<String> {
        let view = self.inner.router.view(moment.now);
        let closed = view.targets.into_iter().filter(|it| it.circuit == "open" || it.circuit == "half_open");
        closed.map(|it| it.provider).collect()
    }

    fn check(&mut self, closed: &[String], ticket: &Ticket<Permit>) {
        self.seen_open += u64::from(!closed.is_empty());
        let permit = &ticket.permit;
        if permit.why == Why::Probe {
            self.probes += 1;
        } else if closed.contains(&permit.target.provider) {
            self.trespasses.push(format!("{permit:?}"));
        }
    }
}

impl Pilot for Watched {
    type Run = Run;
    type Permit = Permit;

    fn begin(&mut self, asked: &Asked, moment: Moment, chance: &mut Chance) -> Run {
        self.inner.begin(asked, moment, chance)
    }

    fn next(&mut self, run: &mut Run, moment: Moment, chance: &mut Chance) -> Step<Permit> {
        let closed = self.closed_to_traffic(moment);
        let step = self.inner.next(run, moment, chance);
        if let Step::Ask(ticket) = &step {
            self.check(&closed, ticket);
        }
        step
    }

    fn hedge(&mut self, run: &mut Run, moment: Moment, chance: &mut Chance) -> Option<Ticket<Permit>> {
        let closed = self.closed_to_traffic(moment);
        let ticket = self.inner.hedge(run, moment, chance);
        if let Some(ticket) = &ticket {
            self.check(&closed, ticket);
        }
        ticket
    }

    fn told(&mut self, permit: &Permit, told: &[Told], moment: Moment) {
        self.inner.told(permit, told, moment);
    }

    fn ended(
        &mut self,
        run: &mut Run,
        permit: Permit,
        ending: &Ending<'_>,
        moment: Moment,
        chance: &mut Chance,
    ) {
        self.inner.ended(run, permit, ending, moment, chance);
    }
}
