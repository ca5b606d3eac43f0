//! Scenarios times policies.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use routing::policy::OnBreak;
use serde::{Serialize, Serializer};

use crate::pilot::{Fallback, LeastLatency, Pilot, RoundRobin, Signalbox};
use crate::record::Record;
use crate::scenario::Scenario;
use crate::world::World;

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Signalbox,
    /// The same, where the route does not go on after an answer broke off.
    SignalboxEnds,
    Fallback,
    RoundRobin,
    LeastLatency,
}

impl Policy {
    pub const ALL: [Self; 5] =
        [Self::Signalbox, Self::SignalboxEnds, Self::Fallback, Self::RoundRobin, Self::LeastLatency];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signalbox => "Signalbox",
            Self::SignalboxEnds => "… with `end`",
            Self::Fallback => "fallback list",
            Self::RoundRobin => "round robin",
            Self::LeastLatency => "least latency",
        }
    }
}

impl Policy {
    /// For programs.
    const fn id(self) -> &'static str {
        match self {
            Self::Signalbox => "signalbox",
            Self::SignalboxEnds => "signalbox_end",
            Self::Fallback => "fallback",
            Self::RoundRobin => "round_robin",
            Self::LeastLatency => "least_latency",
        }
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// One scenario under one policy.
#[derive(Debug)]
pub struct Run<'a> {
    pub scenario: &'a Scenario,
    pub policy: Policy,
    pub record: Record,
}

/// Runs one scenario under one policy.
pub fn run(scenario: &Scenario, policy: Policy, seed: u64) -> Record {
    let targets = scenario.providers.len();
    match policy {
        Policy::Signalbox => with(scenario, Signalbox::new(scenario), seed),
        Policy::SignalboxEnds => {
            let mut scenario = scenario.clone();
            scenario.route.on_break = OnBreak::End;
            with(&scenario, Signalbox::new(&scenario), seed)
        }
        Policy::Fallback => with(scenario, Fallback::new(targets), seed),
        Policy::RoundRobin => with(scenario, RoundRobin::new(targets), seed),
        Policy::LeastLatency => with(scenario, LeastLatency::new(targets), seed),
    }
}

fn with<P: Pilot>(scenario: &Scenario, pilot: P, seed: u64) -> Record {
    let mut world = World::new(scenario, pilot, seed);
    world.run();
    world.record
}

/// Runs each scenario under each policy, as many at once as the machine has cores; the result is in
/// the order of the arguments.
pub fn run_all<'a>(scenarios: &'a [Scenario], policies: &[Policy], seed: u64) -> Vec<Run<'a>> {
    let jobs: Vec<(&Scenario, Policy)> = scenarios
        .iter()
        .flat_map(|scenario| policies.iter().map(move |policy| (scenario, *policy)))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((scenario, policy)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let place = jobs.iter().position(|job| std::ptr::eq(job.0, *scenario) && job.1 == *policy);
            let record = run(scenario, *policy, seed);
            let run = Run { scenario, policy: *policy, record };
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((place, run));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..cores.min(jobs.len()) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, run)| run).collect()
}
