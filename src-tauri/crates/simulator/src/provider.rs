//! A provider as it behaves towards us: how long it takes, what it refuses, what it bills.
//!
//! It knows nothing of routers. Whether a refusal is our own doing it says itself: it counts our
//! requests by its own measure, and a request above the limit is a violation only where our own use
//! alone was too much.

use std::time::Duration;

use canonical::{Error, ErrorKind, Origin};
use routing::policy::Counted;

use crate::chance::Chance;
use crate::meter::{Meter, Slip};
use crate::scenario::{Fault, FaultKind, MOST_LIMITS, ProviderSpec, Scenario};
use crate::span::{MS, Micros, SECOND};

/// The code of an error that stands before any byte was sent.
pub(crate) const NEVER_SENT: &str = "connect";

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) spec: ProviderSpec,
    faults: Vec<Fault>,
    meters: Vec<Meter>,
    in_flight: u32,
    /// Requests above a limit by our own sending alone.
    pub(crate) violations: u64,
    /// Answers of 429, whosever doing.
    pub(crate) limited: u64,
    /// Pico-dollars.
    pub(crate) billed: i64,
}

/// What a request asks of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) input: u64,
    /// How long the answer will be, which nobody knows beforehand.
    pub(crate) output: u64,
    pub(crate) most_output: u64,
}

/// What becomes of a request that has arrived.
#[derive(Debug)]
pub(crate) enum Reception {
    Refused {
        after: Micros,
        error: Error,
    },
    /// No word, ever.
    Silent,
    Accepted(Job),
}

/// An answer under way, at the provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) provider: usize,
    pub(crate) load: Load,
    slips: [Slip; MOST_LIMITS],
    /// Moments at the provider.
    pub(crate) first: Micros,
    pub(crate) end: Micros,
    /// Before `end`, where it breaks off.
    pub(crate) breaks: Option<Micros>,
}

impl Job {
    /// Tokens written by `at`.
    pub(crate) fn written(&self, at: Micros) -> u64 {
        if at >= self.end {
            return self.load.output;
        }
        let (done, whole) = (at.saturating_sub(self.first), self.end.saturating_sub(self.first).max(1));
        self.load.output * done / whole
    }
}

/// One limit as the headers tell it.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    pub counted: Counted,
    pub window: Micros,
    pub limit: u64,
    pub remaining: u64,
    pub reset: Micros,
}

impl Provider {
    pub(crate) fn new(spec: &ProviderSpec, scenario: &Scenario) -> Self {
        let faults = scenario.faults.iter().filter(|fault| fault.providers.contains(&spec.name));
        Self {
            meters: spec.limits.iter().map(|limit| Meter::new(*limit, scenario.starts_at_ms)).collect(),
            faults: faults.cloned().collect(),
            spec: spec.clone(),
            in_flight: 0,
            violations: 0,
            limited: 0,
            billed: 0,
        }
    }

    pub(crate) fn cost(&self, input: u64, output: u64) -> i64 {
        self.spec.input_price * input as i64 + self.spec.output_price * output as i64
    }

    /// A request arrives.
    pub(crate) fn receive(
        &mut self,
        number: usize,
        load: Load,
        now: Micros,
        chance: &mut Chance,
    ) -> Reception {
        if let Some(reception) = self.outage(now, chance) {
            return reception;
        }
        if self.share(FaultKind::Revoked, now) > 0.0 {
            let error = provider_error(ErrorKind::Authentication, 401, "the key is refused");
            return Reception::Refused { after: 20 * MS, error };
        }
        let room = self.capacity(now);
        if self.in_flight >= room {
            let error = provider_error(ErrorKind::Overloaded, 503, "overloaded");
            return Reception::Refused { after: 50 * MS, error };
        }
        if let Some(wait) = self.over_limit(load, now) {
            let mut error = provider_error(ErrorKind::RateLimited, 429, "too many requests");
            let tells = self.meters.iter().any(|meter| meter.spec.tells);
            error.retry_after = tells.then(|| whole_seconds(wait));
            return Reception::Refused { after: 20 * MS, error };
        }
        let slips = self.take(load, now);
        let errors = self.spec.errors + self.share(FaultKind::Errors, now);
        if chance.happens(errors) {
            for (meter, slip) in self.meters.iter_mut().zip(slips) {
                let stands = u64::from(meter.spec.counted == Counted::Requests);
                meter.settle(slip, stands);
            }
            let after = (self.spec.first_token as f64 * chance.unit()) as Micros;
            return Reception::Refused {
                after,
                error: provider_error(ErrorKind::ServerError, 500, "internal error"),
            };
        }
        self.in_flight += 1;
        Reception::Accepted(self.answer(number, load, slips, room, now, chance))
    }

    fn answer(
        &self,
        provider: usize,
        load: Load,
        slips: [Slip; MOST_LIMITS],
        room: u32,
        now: Micros,
        chance: &mut Chance,
    ) -> Job {
        let crowding = (f64::from(self.in_flight) / f64::from(room.max(1)) - 0.7).max(0.0) / 0.3;
        let slower = self.slowness(now) * (1.0 + 2.0 * crowding * crowding);
        // Reading the question: ten thousand tokens a second.
        let reading = load.input as f64 * 100.0;
        let wait = chance.lognormal(self.spec.first_token as f64, self.spec.spread) + reading;
        let first = now + (wait * slower) as Micros;
        let writing = load.output as f64 / self.spec.tokens_per_second * 1e6 * slower;
        let end = first + (writing as Micros).max(1);
        let breaks = self.breaks(now, first, end, chance);
        Job { provider, load, slips, first, end, breaks }
    }

    /// The answer is over, whole, broken off or cancelled: bills it, returns its cost.
    pub(crate) fn finish(&mut self, job: &Job, now: Micros) -> i64 {
        self.in_flight = self.in_flight.saturating_sub(1);
        let output = job.written(now);
        for (meter, slip) in self.meters.iter_mut().zip(job.slips) {
            meter.left(now);
            let used = amount(meter.spec.counted, Load { most_output: output, ..job.load });
            meter.settle(slip, used);
        }
        let cost = self.cost(job.load.input, output);
        self.billed += cost;
        cost
    }

    /// What its headers say now.
    pub(crate) fn headers(&mut self, now: Micros, out: &mut Vec<Told>) {
        out.clear();
        let others = self.share(FaultKind::Crowded, now);
        for meter in &mut self.meters {
            if meter.spec.tells && meter.window > 0 {
                let limit = meter.spec.most;
                let remaining = meter.left(now).saturating_sub((limit as f64 * others) as u64);
                let reset = meter.reset(now);
                out.push(Told { counted: meter.spec.counted, window: meter.window, limit, remaining, reset });
            }
        }
    }

    /// How long until it fits, where a limit stands in the way.
    fn over_limit(&mut self, load: Load, now: Micros) -> Option<Micros> {
        let others = self.share(FaultKind::Crowded, now);
        let (mut wait, mut ours) = (None, false);
        for meter in &mut self.meters {
            let needed = amount(meter.spec.counted, load);
            let theirs = (meter.spec.most as f64 * others) as u64;
            ours |= needed > meter.left(now);
            if needed + theirs > meter.left(now) {
                let free = meter.free_in(needed + theirs, now);
                wait = wait.max(Some(if theirs > 0 { free.min(5 * SECOND) } else { free }));
            }
        }
        self.limited += u64::from(wait.is_some());
        self.violations += u64::from(ours);
        wait
    }

    fn take(&mut self, load: Load, now: Micros) -> [Slip; MOST_LIMITS] {
        let mut slips = [Slip::default(); MOST_LIMITS];
        for (slip, meter) in slips.iter_mut().zip(&mut self.meters) {
            *slip = meter.take(amount(meter.spec.counted, load), now);
        }
        slips
    }

    fn outage(&self, now: Micros, chance: &mut Chance) -> Option<Reception> {
        if !chance.happens(self.share(FaultKind::Outage, now)) {
            return None;
        }
        let refused = |after, error| Some(Reception::Refused { after, error });
        match chance.unit() {
            part if part < 0.4 => {
                let mut error = Error::new(ErrorKind::Network, Origin::Network, "connection refused");
                error.code = Some(NEVER_SENT.into());
                refused(MS, error)
            }
            part if part < 0.8 => {
                refused(200 * MS, provider_error(ErrorKind::Overloaded, 503, "unavailable"))
            }
            _ => Some(Reception::Silent),
        }
    }

    /// The largest share of such a fault at `now`; 0 where there is none.
    fn share(&self, kind: FaultKind, now: Micros) -> f64 {
        let active = self.faults.iter().filter(|fault| fault.kind == kind && fault.is_on(now));
        active.map(|fault| fault.share).fold(0.0, f64::max)
    }

    fn slowness(&self, now: Micros) -> f64 {
        let active = self.faults.iter().filter(|fault| fault.kind == FaultKind::Slow && fault.is_on(now));
        active.map(|fault| fault.factor).fold(1.0, f64::max)
    }

    /// Requests at once; after an outage only a part of them for a while.
    fn capacity(&self, now: Micros) -> u32 {
        let mut part: f64 = 1.0;
        for fault in &self.faults {
            let back = fault.until + fault.recovery;
            if fault.kind == FaultKind::Outage && (fault.until..back).contains(&now) {
                part = part.min(((now - fault.until) as f64 / fault.recovery as f64).max(0.05));
            }
        }
        (f64::from(self.spec.capacity) * part) as u32
    }

    /// Where the answer breaks off: at the beginning of an outage, or by a fault of its own.
    fn breaks(&self, now: Micros, first: Micros, end: Micros, chance: &mut Chance) -> Option<Micros> {
        if chance.happens(self.share(FaultKind::Breaks, now)) {
            return Some(chance.between(first, end));
        }
        let outages = self.faults.iter().filter(|fault| fault.kind == FaultKind::Outage);
        let begin = outages.filter_map(|fault| fault.next_begin(now).map(|begin| (begin, fault.share)));
        let (begin, share) = begin.min_by_key(|(begin, _)| *begin)?;
        (begin < end && chance.happens(share)).then_some(begin)
    }
}

impl Fault {
    fn is_on(&self, now: Micros) -> bool {
        if now < self.from || now >= self.until {
            return false;
        }
        match (self.every, self.on_for) {
            (Some(every), Some(on_for)) => (now - self.from) % every.max(1) < on_for,
            _ => true,
        }
    }

    /// When it begins next, after `now`.
    fn next_begin(&self, now: Micros) -> Option<Micros> {
        if now < self.from {
            return Some(self.from);
        }
        let every = self.every?.max(1);
        let next = self.from + ((now - self.from) / every + 1) * every;
        (next < self.until).then_some(next)
    }
}

/// What a limit of this kind counts for such a request, before its answer is known.
fn amount(counted: Counted, load: Load) -> u64 {
    match counted {
        Counted::Requests | Counted::Concurrency => 1,
        Counted::InputTokens => load.input,
        Counted::OutputTokens => load.most_output,
        Counted::Tokens => load.input + load.most_output,
    }
}

fn provider_error(kind: ErrorKind, status: u16, message: &str) -> Error {
    Error::new(kind, Origin::Provider, message).with_status(status)
}

/// As `Retry-After` says it: in whole seconds, rounded up.
fn whole_seconds(wait: Micros) -> Duration {
    Duration::from_secs(wait.div_ceil(SECOND).max(1))
}
