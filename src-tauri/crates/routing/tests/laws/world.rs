//! A small world around the real router: targets that behave as told, requests that come when they
//! are told, and a clock between them. Every step checks the laws that hold at every moment.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use canonical::{Error, ErrorKind, MicroUsdPerMTok, Origin, PicoUsd};
use routing::classify::Traits;
use routing::decision::{What, Why};
use routing::limit::{LimitSeen, Need};
use routing::policy::{Counted, LimitRule, Window};
use routing::router::PlaceView;
use routing::{Ask, Draw, Ended, Facts, Now, Permit, Planned, Policy, Route, Router, Run, Step, Target};

/// How a target answers during some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// First content after so many milliseconds, the end as many later.
    Well(u64),
    /// 500, after a moment.
    Down,
    /// Nothing at all until the engine's patience is over.
    Stalled,
    /// 429; the pause it asks for, in seconds.
    Refusing(Option<u64>),
    /// 500 for so many in a hundred.
    Flaky(u8),
    /// 401.
    BadKey,
    /// No connection: nothing was sent.
    Unreachable,
    /// Some content, then no more.
    Breaking,
    /// Too much for the model.
    TooLong,
    Overloaded,
}

/// A target's modes, each until so many milliseconds; the last one stays.
pub(crate) type Script = Vec<(u64, Mode)>;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub at_ms: u64,
    pub input: u64,
    pub output: u64,
    /// The client goes away so much later.
    pub leaves_after_ms: Option<u64>,
    pub acts: bool,
}

/// What the owner does in between.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    /// Saves the settings anew, as they are.
    SavesSettings,
    /// Puts another key in for this target's provider.
    ChangesKey(usize),
    /// Takes the target out, or lets it in again.
    Drains(usize, bool),
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub policy: Policy,
    pub route: Route,
    /// In the order of the route's targets.
    pub scripts: Vec<Script>,
    pub wishes: Vec<Wish>,
    /// When, in milliseconds, and what.
    pub deeds: Vec<(u64, Deed)>,
    /// What a token costs; 0 is free.
    pub price: i64,
    /// Headers that tell of limits, true or not, come with so many answers in a hundred.
    pub headers: u8,
    pub deadline_s: u64,
    pub seed: u64,
}

/// How one request ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    pub began_ms: u64,
    pub ended_ms: u64,
    pub is_answered: bool,
    pub has_left: bool,
    pub story: String,
}

/// What the world saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub endings: Vec<Ending>,
    pub retries: u32,
    pub hedges: u32,
    pub spent: PicoUsd,
    /// What the request that was worst estimated cost beyond its estimate.
    pub worst_excess: PicoUsd,
}

/// A law that was broken, in words.
pub(crate) type Broken = String;

macro_rules! law {
    ($holds:expr, $($words:tt)*) => {
        let holds: bool = $holds;
        if !holds {
            return Err(format!($($words)*));
        }
    };
}

const FIRST_CONTENT: Duration = Duration::from_secs(10);
const START: Now = Now::new(Duration::from_secs(1_000), 1_790_000_000_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Comes(usize),
    Looks(usize),
    Hedges(usize),
    Begins(usize, u32),
    Ends(usize, u32),
    Leaves(usize),
    Does(usize),
}

/// What will become of an attempt.
#[derive(Debug, Clone)]
struct Fate {
    begins_ms: Option<u64>,
    ends_ms: u64,
    error: Option<Error>,
    was_sent: bool,
}

#[derive(Debug)]
struct Attempt {
    permit: Permit,
    fate: Fate,
    sent_ms: u64,
    /// Counts up over everything that happens.
    order: u64,
    is_committed: bool,
}

/// A provider's refused key.
#[derive(Debug, Clone, Copy)]
struct Refused {
    /// As attempts count.
    order: u64,
    until_ms: u64,
    /// When it was last tried.
    tried_ms: u64,
}

#[derive(Debug)]
struct Client {
    run: Box<Run>,
    attempts: Vec<Attempt>,
    commits: u32,
    /// When its next look is due: older ones are void.
    looks_ms: u64,
    need: Need,
}

pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    router: Router,
    now_ms: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    random: u64,
    clients: HashMap<usize, Client>,
    endings: HashMap<usize, Ending>,
    /// What left us, by the limit's place in the policy: when, and how much.
    sent: Vec<Vec<(u64, u64)>>,
    probes: HashMap<Target, Vec<(usize, u32)>>,
    /// When targets said to come back.
    told_ms: HashMap<Target, u64>,
    refused: HashMap<String, Refused>,
    seen: Seen,
}

impl<'a> World<'a> {
    /// Runs the scenario to its end.
    pub(crate) fn run(scenario: &'a Scenario) -> Result<Seen, Broken> {
        let mut world = Self {
            scenario,
            router: Router::new(Arc::new(scenario.policy.clone()), START),
            now_ms: 0,
            events: BinaryHeap::new(),
            order: 0,
            random: scenario.seed,
            clients: HashMap::new(),
            endings: HashMap::new(),
            sent: vec![Vec::new(); scenario.policy.limits.len()],
            probes: HashMap::new(),
            told_ms: HashMap::new(),
            refused: HashMap::new(),
            seen: Seen {
                endings: Vec::new(),
                retries: 0,
                hedges: 0,
                spent: PicoUsd::ZERO,
                worst_excess: PicoUsd::ZERO,
            },
        };
        for (id, wish) in scenario.wishes.iter().enumerate() {
            world.at(wish.at_ms, Event::Comes(id));
            if let Some(after) = wish.leaves_after_ms {
                world.at(wish.at_ms + after, Event::Leaves(id));
            }
        }
        for (index, (at_ms, _)) in scenario.deeds.iter().enumerate() {
            world.at(*at_ms, Event::Does(index));
        }
        let mut steps = 0_u64;
        while let Some(Reverse((at_ms, _, event))) = world.events.pop() {
            world.now_ms = at_ms;
            world.happens(event)?;
            world.limits_hold_now()?;
            steps += 1;
            law!(steps < 2_000_000, "it never ends");
        }
        world.at_the_end()
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at_ms, self.order, event)));
    }

    fn now(&self) -> Now {
        START.after(Duration::from_millis(self.now_ms))
    }

    /// SplitMix64: the numbers of one seed.
    fn random(&mut self) -> u64 {
        next_random(&mut self.random)
    }

    fn percent(&mut self, share: u8) -> bool {
        self.random() % 100 < u64::from(share)
    }

    fn happens(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Comes(id) => self.comes(id),
            Event::Looks(id) => {
                let is_due = self.clients.get(&id).is_some_and(|client| client.looks_ms == self.now_ms);
                if is_due { self.turn(id) } else { Ok(()) }
            }
            Event::Hedges(id) => self.hedges(id),
            Event::Begins(id, ordinal) => self.begins(id, ordinal),
            Event::Ends(id, ordinal) => self.ends(id, ordinal),
            Event::Leaves(id) => self.leaves(id),
            Event::Does(index) => {
                self.does(self.scenario.deeds[index].1);
                Ok(())
            }
        }
    }

    fn does(&mut self, deed: Deed) {
        let now = self.now();
        let target = |index: usize| &self.scenario.route.targets[index % self.scenario.scripts.len()].target;
        match deed {
            Deed::SavesSettings => self.router.set_policy(Arc::new(self.scenario.policy.clone()), now),
            Deed::ChangesKey(index) => {
                self.router.key_changed(&target(index).provider);
                self.refused.remove(&target(index).provider);
            }
            Deed::Drains(index, is_drained) => self.router.drain(target(index), is_drained, now),
        }
    }

    fn comes(&mut self, id: usize) -> Result<(), Broken> {
        let wish = &self.scenario.wishes[id];
        let facts = Facts {
            input_price: Some(MicroUsdPerMTok(self.scenario.price * 1_000)),
            output_price: Some(MicroUsdPerMTok(self.scenario.price * 1_000)),
            is_free: self.scenario.price == 0,
            ..Facts::default()
        };
        let ask = Ask {
            route: Arc::new(self.scenario.route.clone()),
            facts: vec![facts; self.scenario.scripts.len()].into(),
            client: None,
            model: self.scenario.route.name.clone(),
            tags: Vec::new(),
            traits: Traits { input_tokens: wish.input, messages: 1, ..Traits::default() },
            output_tokens: wish.output,
            conversation: Some(id as u64 % 7),
            acts: wish.acts,
            first_content: FIRST_CONTENT,
            deadline: self.now().mono + Duration::from_secs(self.scenario.deadline_s),
        };
        let (now, mut random) = (self.now(), self.random);
        let planned = self.router.plan(ask, now, &mut Draw::new(&mut || unit(&mut random)));
        self.random = random;
        let Planned::Run(run) = planned else { return Err("diverted without a rule".into()) };
        let need = Need { input_tokens: wish.input, output_tokens: wish.output };
        let client = Client { run, attempts: Vec::new(), commits: 0, looks_ms: 0, need };
        self.clients.insert(id, client);
        self.turn(id)
    }

    /// The request's next turn.
    fn turn(&mut self, id: usize) -> Result<(), Broken> {
        let before = self.router.view(self.now()).targets;
        let (now, mut random) = (self.now(), self.random);
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        law!(client.attempts.is_empty(), "a turn beside an attempt");
        law!(client.commits == 0, "a turn after the client had content");
        let step = self.router.next(&mut client.run, now, &mut Draw::new(&mut || unit(&mut random)));
        self.random = random;
        match step {
            Step::Ask(permit) => {
                if let Some(after) = permit.hedge_after {
                    self.at(self.now_ms + after.as_millis() as u64, Event::Hedges(id));
                }
                self.ask(id, permit, &before)
            }
            Step::Wait { until } => {
                let until_ms = until.saturating_sub(START.mono).as_nanos().div_ceil(1_000_000) as u64;
                law!(until > now.mono, "a wait until {until:?} at {:?}", now.mono);
                law!(until < client.run.deadline(), "a wait past the deadline");
                client.looks_ms = until_ms;
                self.at(until_ms, Event::Looks(id));
                Ok(())
            }
            Step::GiveUp(_) => self.over(id, false, false),
        }
    }

    fn hedges(&mut self, id: usize) -> Result<(), Broken> {
        let before = self.router.view(self.now()).targets;
        let (now, mut random) = (self.now(), self.random);
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        if client.attempts.len() != 1 || client.attempts[0].is_committed {
            return Ok(());
        }
        let first = client.attempts[0].permit.target.clone();
        let permit = self.router.hedge(&mut client.run, now, &mut Draw::new(&mut || unit(&mut random)));
        self.random = random;
        let Some(permit) = permit else { return Ok(()) };
        law!(!self.scenario.wishes[id].acts, "what acts was asked twice at once");
        law!(permit.why == Why::Hedge && !permit.is_probe(), "a hedge that is none");
        law!(permit.target != first, "a hedge at the same target");
        self.seen.hedges += 1;
        self.ask(id, permit, &before)
    }

    /// An attempt leaves us: what every attempt has to respect.
    fn ask(&mut self, id: usize, permit: Permit, before: &[PlaceView]) -> Result<(), Broken> {
        let target = permit.target.clone();
        let place = before.iter().find(|it| (&it.provider, &it.model) == (&target.provider, &target.model));
        let circuit = place.map_or("closed", |place| place.circuit);
        law!(!place.is_some_and(|place| place.is_drained), "{target} is taken out");
        if matches!(circuit, "open" | "half_open") {
            law!(permit.is_probe(), "{target} is {circuit}, and got more than a probe");
        }
        if permit.is_probe() {
            let probes = self.probes.entry(target.clone()).or_default();
            law!(probes.is_empty(), "{target} got a second probe beside {probes:?}");
            probes.push((id, permit.ordinal));
        }
        let told_ms = self.told_ms.get(&target).copied().unwrap_or_default();
        law!(self.now_ms >= told_ms, "{target} said to come back at {told_ms} ms, not at {}", self.now_ms);
        if let Some(refused) = self.refused.get_mut(&target.provider).filter(|it| self.now_ms < it.until_ms) {
            let since_ms = self.now_ms - refused.tried_ms;
            law!(since_ms >= 1_000, "the refused key of {target} was tried again after {since_ms} ms");
            refused.tried_ms = self.now_ms;
        }
        self.seen.retries += u32::from(permit.why == Why::Retry);
        let fate = self.fate(&target);
        let need = self.clients[&id].need;
        self.count(&target, &need, true, false);
        let ordinal = permit.ordinal;
        if let Some(begins_ms) = fate.begins_ms {
            self.at(begins_ms, Event::Begins(id, ordinal));
        }
        self.at(fate.ends_ms, Event::Ends(id, ordinal));
        let (sent_ms, order) = (self.now_ms, self.order);
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        law!(client.commits == 0, "an attempt after the client had content");
        client.attempts.push(Attempt { permit, fate, sent_ms, order, is_committed: false });
        law!(client.attempts.len() <= 2, "three attempts at once");
        let per_target = self.scenario.policy.retry.attempts_per_target as usize;
        // Four refusals for the rate count for nothing.
        let most = self.scenario.scripts.len() * (per_target + 4);
        law!(client.run.attempts() as usize <= most, "{} attempts", client.run.attempts());
        Ok(())
    }

    fn mode(&self, target: &Target) -> Mode {
        let position = self.scenario.route.targets.iter().position(|it| it.target == *target);
        let script = &self.scenario.scripts[position.unwrap_or_default()];
        let now = script.iter().find(|(until_ms, _)| self.now_ms < *until_ms).or(script.last());
        now.map_or(Mode::Well(100), |(_, mode)| *mode)
    }

    fn fate(&mut self, target: &Target) -> Fate {
        let now = self.now_ms;
        let well =
            |ms: u64| Fate { begins_ms: Some(now + ms), ends_ms: now + 2 * ms, error: None, was_sent: true };
        let failed = |after_ms: u64, kind: ErrorKind| Fate {
            begins_ms: None,
            ends_ms: now + after_ms,
            error: Some(Error::new(kind, Origin::Provider, "no")),
            was_sent: true,
        };
        match self.mode(target) {
            Mode::Well(ms) => well(ms.max(1)),
            Mode::Down => failed(20, ErrorKind::ServerError),
            Mode::Stalled => failed(FIRST_CONTENT.as_millis() as u64, ErrorKind::Timeout),
            Mode::Refusing(after) => {
                let mut fate = failed(15, ErrorKind::RateLimited);
                if let Some(error) = &mut fate.error {
                    error.retry_after = after.map(Duration::from_secs);
                }
                fate
            }
            Mode::Flaky(share) if self.percent(share) => failed(30, ErrorKind::ServerError),
            Mode::Flaky(_) => well(80),
            Mode::BadKey => failed(10, ErrorKind::Authentication),
            Mode::Unreachable => {
                let error = Some(Error::new(ErrorKind::Network, Origin::Network, "no"));
                Fate { error, was_sent: false, ..failed(5, ErrorKind::Network) }
            }
            Mode::Breaking => Fate { begins_ms: Some(now + 50), ..failed(120, ErrorKind::Truncated) },
            Mode::TooLong => failed(25, ErrorKind::ContextTooLong),
            Mode::Overloaded => failed(25, ErrorKind::Overloaded),
        }
    }

    /// The first content is here: it is the client's, and whoever else was asked is hung up on.
    fn begins(&mut self, id: usize, ordinal: u32) -> Result<(), Broken> {
        let now = self.now();
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        let Some(at) = client.attempts.iter().position(|it| it.permit.ordinal == ordinal) else {
            return Ok(());
        };
        client.commits += 1;
        law!(client.commits == 1, "two beginnings");
        client.attempts[at].is_committed = true;
        self.router.answering(&client.attempts[at].permit, now);
        self.probe_is_over(id, ordinal);
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        let losers: Vec<_> = client.attempts.extract_if(.., |it| !it.is_committed).collect();
        for loser in losers {
            let lost = Error::new(ErrorKind::Cancelled, Origin::Gateway, "lost");
            self.end(id, loser, Some(&lost), true);
        }
        Ok(())
    }

    fn ends(&mut self, id: usize, ordinal: u32) -> Result<(), Broken> {
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        let Some(at) = client.attempts.iter().position(|it| it.permit.ordinal == ordinal) else {
            return Ok(());
        };
        let attempt = client.attempts.swap_remove(at);
        let (error, is_committed) = (attempt.fate.error.clone(), attempt.is_committed);
        self.end(id, attempt, error.as_ref(), false);
        match error {
            None => self.over(id, true, false),
            // The client has a part of it: the route marks the end.
            Some(_) if is_committed => self.over(id, false, false),
            Some(_) if self.clients[&id].attempts.is_empty() => self.turn(id),
            // The other one of the pair may still answer.
            Some(_) => Ok(()),
        }
    }

    fn leaves(&mut self, id: usize) -> Result<(), Broken> {
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        for attempt in std::mem::take(&mut client.attempts) {
            let left = Error::new(ErrorKind::Cancelled, Origin::Caller, "left");
            self.end(id, attempt, Some(&left), false);
        }
        self.over(id, false, true)
    }

    /// An attempt comes back.
    fn end(&mut self, id: usize, attempt: Attempt, error: Option<&Error>, has_lost: bool) {
        let Attempt { permit, fate, sent_ms, order, is_committed } = attempt;
        let need = self.clients[&id].need;
        let target = permit.target.clone();
        self.probe_is_over(id, permit.ordinal);
        self.tell_limits(&permit);
        if !has_lost {
            self.remember(&target, error, order, sent_ms);
        }
        let used = Need {
            input_tokens: need.input_tokens,
            output_tokens: if error.is_none() { self.random() % (need.output_tokens + 1) } else { 0 },
        };
        let is_counted = !self.percent(10);
        let cost = self.cost(&permit, fate.was_sent);
        let now = self.now();
        let ended = Ended {
            result: error.map_or(Ok(()), Err),
            cause: None,
            has_lost,
            is_committed,
            was_sent: fate.was_sent,
            first_content: fate
                .begins_ms
                .filter(|at| *at <= self.now_ms)
                .map(|at| Duration::from_millis(at - sent_ms)),
            duration: Duration::from_millis(self.now_ms - sent_ms),
            used: is_counted.then_some(used),
            cost,
            tool_failures: 0,
        };
        // The provider writes no more than was asked for.
        let written = if is_counted { used } else { need };
        self.count(&target, &written, false, fate.was_sent);
        if !fate.was_sent {
            self.uncount(&target, &need, sent_ms);
        }
        let mut random = self.random;
        let Some(client) = self.clients.get_mut(&id) else { return };
        self.router.ended(&mut client.run, permit, &ended, now, &mut Draw::new(&mut || unit(&mut random)));
        self.random = random;
    }

    fn over(&mut self, id: usize, is_answered: bool, has_left: bool) -> Result<(), Broken> {
        let Some(client) = self.clients.remove(&id) else { return Err("over twice".into()) };
        law!(client.attempts.is_empty(), "over beside an attempt");
        law!(!is_answered || client.commits == 1, "answered with {} beginnings", client.commits);
        let decision = client.run.decision();
        let answers = decision.steps.iter().filter(|step| step.what == What::Answered).count();
        let gave_up = decision.steps.iter().filter(|step| step.what == What::GaveUp).count();
        law!(answers == usize::from(is_answered), "told of {answers} answers");
        law!(answers + gave_up <= 1, "both answered and failed");
        let ending = Ending {
            began_ms: self.scenario.wishes[id].at_ms,
            ended_ms: self.now_ms,
            is_answered,
            has_left,
            story: format!("{:?}", decision.steps),
        };
        law!(self.endings.insert(id, ending).is_none(), "two endings");
        Ok(())
    }

    fn probe_is_over(&mut self, id: usize, ordinal: u32) {
        for probes in self.probes.values_mut() {
            probes.retain(|probe| *probe != (id, ordinal));
        }
    }

    /// What an answer binds us to.
    fn remember(&mut self, target: &Target, error: Option<&Error>, order: u64, sent_ms: u64) {
        self.order += 1;
        let provider = &target.provider;
        match error.map(|error| error.kind) {
            Some(ErrorKind::RateLimited) => {
                let asked = error.and_then(|error| error.retry_after).filter(|it| it.as_secs() <= 86_400);
                let told_ms = self.told_ms.entry(target.clone()).or_default();
                *told_ms = (*told_ms).max(self.now_ms + asked.map_or(0, |it| it.as_millis() as u64));
            }
            Some(ErrorKind::Authentication) => {
                let tried_ms = self.refused.get(provider).map_or(sent_ms, |it| it.tried_ms.max(sent_ms));
                let refused = Refused { order: self.order, until_ms: self.now_ms + 300_000, tried_ms };
                self.refused.insert(provider.clone(), refused);
                return;
            }
            Some(ErrorKind::Cancelled) => return,
            _ => {}
        }
        // Whatever it said, it took the key; unless it left before the key was refused.
        if self.refused.get(provider).is_some_and(|refused| refused.order < order) {
            self.refused.remove(provider);
        }
    }

    /// Headers of an answer, sensible or not.
    fn tell_limits(&mut self, permit: &Permit) {
        if !self.percent(self.scenario.headers) {
            return;
        }
        let (limit, remaining, reset) = (self.random() % 50, self.random() % 60, self.random() % 90);
        let is_absurd = self.percent(20);
        let seen = LimitSeen {
            counted: if self.percent(50) { Counted::Requests } else { Counted::Tokens },
            window: Some(Duration::from_secs(60)),
            limit: Some(limit * 10),
            remaining: Some(remaining * 10),
            reset: Some(Duration::from_secs(if is_absurd { reset * 9_000_000 } else { reset })),
        };
        let now = self.now();
        self.router.learn(permit, &[seen], now);
    }

    /// What an attempt really cost: up to twice its estimate, and now and then nobody knows.
    fn cost(&mut self, permit: &Permit, was_sent: bool) -> Option<PicoUsd> {
        let estimate = permit.estimated_cost?;
        if !was_sent {
            return Some(PicoUsd::ZERO);
        }
        if self.percent(5) {
            self.seen.spent += estimate;
            return None;
        }
        let cost = PicoUsd(estimate.0 * (self.random() % 201) as i64 / 100);
        self.seen.spent += cost;
        self.seen.worst_excess = self.seen.worst_excess.max(cost - estimate);
        Some(cost)
    }
}

// === what is counted ===

impl World<'_> {
    /// What the limits count of an attempt when it leaves us, and when its answer is written.
    fn count(&mut self, target: &Target, need: &Need, is_leaving: bool, was_sent: bool) {
        for (rule, sent) in self.scenario.policy.limits.iter().zip(&mut self.sent) {
            if !concerns(rule, target) {
                continue;
            }
            let amount = match (rule.counted, is_leaving) {
                (Counted::Requests, true) => 1,
                (Counted::InputTokens | Counted::Tokens, true) => need.input_tokens,
                (Counted::OutputTokens | Counted::Tokens, false) if was_sent => need.output_tokens,
                _ => continue,
            };
            sent.push((self.now_ms, amount));
        }
    }

    /// It never left us after all.
    fn uncount(&mut self, target: &Target, need: &Need, sent_ms: u64) {
        for (rule, sent) in self.scenario.policy.limits.iter().zip(&mut self.sent) {
            let amount = match rule.counted {
                Counted::Requests => 1,
                Counted::InputTokens | Counted::Tokens => need.input_tokens,
                Counted::OutputTokens | Counted::Concurrency => continue,
            };
            if concerns(rule, target)
                && let Some(at) = sent.iter().position(|it| *it == (sent_ms, amount))
            {
                sent.remove(at);
            }
        }
    }

    fn limits_hold_now(&self) -> Result<(), Broken> {
        for rule in self.scenario.policy.limits.iter().filter(|rule| rule.counted == Counted::Concurrency) {
            let attempts = self.clients.values().flat_map(|client| &client.attempts);
            let under_way = attempts.filter(|it| concerns(rule, &it.permit.target)).count() as u64;
            law!(under_way <= rule.most, "{under_way} at once under {rule:?}");
        }
        Ok(())
    }

    fn at_the_end(mut self) -> Result<Seen, Broken> {
        law!(self.clients.is_empty(), "requests without an end");
        law!(self.endings.len() == self.scenario.wishes.len(), "an ending for each request");
        for (rule, sent) in self.scenario.policy.limits.iter().zip(&self.sent) {
            let Some(window_ms) = window_ms(rule) else { continue };
            let (mut sum, mut first) = (0, 0);
            for (at_ms, amount) in sent {
                sum += amount;
                while sent[first].0 + window_ms <= *at_ms {
                    sum -= sent[first].1;
                    first += 1;
                }
                law!(sum <= rule.most, "{sum} in the window that ends at {at_ms} ms under {rule:?}");
            }
        }
        let view = self.router.view(self.now());
        for place in view.targets.iter().chain(&view.providers) {
            law!(
                place.in_flight == 0,
                "{}/{} still has {} under way",
                place.provider,
                place.model,
                place.in_flight
            );
            let held =
                place.limits.iter().find(|it| it.counted == Counted::Concurrency && Some(it.left) != it.most);
            law!(held.is_none(), "{held:?} is not whole");
        }
        for budget in &view.budgets {
            law!(budget.reserved == PicoUsd::ZERO, "{budget:?} still holds something");
            law!(budget.spent == self.seen.spent, "{budget:?} counts other than {:?}", self.seen.spent);
            let most = budget.amount + self.seen.worst_excess;
            law!(budget.spent <= most, "{budget:?} is overshot by more than {:?}", self.seen.worst_excess);
        }
        let (retry, hedge) = (&self.scenario.policy.retry, &self.scenario.policy.hedge);
        for (what, made, share, floor) in [
            ("retries", self.seen.retries, retry.share, retry.floor),
            ("hedges", self.seen.hedges, hedge.share, hedge.floor),
        ] {
            let minutes = self.now_ms as f64 / 60_000.0;
            let most = f64::from(floor) * (1.0 + minutes) + share * self.scenario.wishes.len() as f64;
            law!(f64::from(made) <= most + 1e-3, "{made} {what}, and {most} are allowed");
        }
        let mut endings: Vec<_> = self.endings.into_iter().collect();
        endings.sort_by_key(|(id, _)| *id);
        self.seen.endings = endings.into_iter().map(|(_, ending)| ending).collect();
        Ok(self.seen)
    }
}

fn concerns(rule: &LimitRule, target: &Target) -> bool {
    rule.provider == target.provider && rule.model.as_ref().is_none_or(|model| *model == target.model)
}

fn window_ms(rule: &LimitRule) -> Option<u64> {
    match rule.window {
        _ if rule.counted == Counted::Concurrency => None,
        Window::Now => None,
        Window::Second => Some(1_000),
        Window::Minute => Some(60_000),
        Window::Hour => Some(3_600_000),
        Window::Day => Some(86_400_000),
    }
}

pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn unit(state: &mut u64) -> f64 {
    (next_random(state) >> 11) as f64 / (1_u64 << 53) as f64
}
