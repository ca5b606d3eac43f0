//! The life of requests between agents and providers: what the gateway's engine does, in simulated
//! time. Deciding is the pilot's; here is only the waiting.

use canonical::{Error, ErrorKind, Origin};
use routing::Now;
use routing::policy::OnBreak;
use std::time::Duration;

use crate::agent::{Agent, Question};
use crate::chance::Chance;
use crate::pilot::{Asked, Ending, Moment, Pilot, Step, Ticket};
use crate::provider::{Job, Load, NEVER_SENT, Provider, Reception, Told};
use crate::queue::{Event, Queue};
use crate::record::{Fate, Record};
use crate::scenario::Scenario;
use crate::slab::{Key, Slab};
use crate::span::{MS, Micros};

/// A character is a quarter of a token, as estimates go.
const CHARS_PER_TOKEN: u64 = 4;

/// A pilot that lets a request wait is asked again no sooner than this.
const SHORTEST_WAIT: Micros = MS;

struct Request<Run> {
    run: Run,
    agent: u32,
    question: Question,
    asked: Asked,
    started: Micros,
    live: [Option<Key>; 2],
    first_content: Option<Micros>,
    /// Tokens that the client has, of answers that broke off.
    delivered: u64,
    /// Pico-dollars of what the client has.
    useful: i64,
    is_committed: bool,
}

struct Attempt<Permit> {
    request: Key,
    target: usize,
    permit: Permit,
    sent: Micros,
    load: Load,
    /// At the provider; gone there when it stopped.
    job: Option<(Key, Job)>,
    /// Why it was refused, on its way to us.
    error: Option<Error>,
    told: Vec<Told>,
    first_content: Option<Micros>,
    is_committed: bool,
    goes_on: bool,
    is_hedge: bool,
}

/// One simulation.
pub struct World<'a, P: Pilot> {
    scenario: &'a Scenario,
    pub pilot: P,
    now: Micros,
    queue: Queue,
    agents: Vec<Agent>,
    providers: Vec<Provider>,
    requests: Slab<Request<P::Run>>,
    attempts: Slab<Attempt<P::Permit>>,
    jobs: Slab<Job>,
    asking: Chance,
    answering: Chance,
    routing: Chance,
    pub record: Record,
    spare: Vec<Vec<Told>>,
}

impl<P: Pilot> std::fmt::Debug for World<'_, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("scenario", &self.scenario.name).field("now", &self.now).finish()
    }
}

impl<'a, P: Pilot> World<'a, P> {
    pub fn new(scenario: &'a Scenario, pilot: P, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut world = Self {
            scenario,
            pilot,
            now: 0,
            queue: Queue::default(),
            agents: Vec::new(),
            providers: scenario.providers.iter().map(|spec| Provider::new(spec, scenario)).collect(),
            requests: Slab::new(),
            attempts: Slab::new(),
            jobs: Slab::new(),
            asking: chance.fork(),
            answering: chance.fork(),
            routing: chance.fork(),
            record: Record::new(scenario),
            spare: Vec::new(),
        };
        world.gather(scenario.agents.count, 0, scenario.length);
        for crowd in &scenario.crowd {
            world.gather(crowd.count, crowd.from, crowd.until.min(scenario.length));
        }
        world
    }

    /// Runs to the end: no new requests after the scenario's length, and each one under way is
    /// followed to its own end.
    pub fn run(&mut self) {
        while let Some((at, event)) = self.queue.pop() {
            self.now = at;
            self.happen(event);
        }
        self.record.events = self.queue.events();
        self.record.left_over = (self.requests.len() + self.attempts.len() + self.jobs.len()) as u64;
        for provider in &self.providers {
            self.record.violations += provider.violations;
            self.record.limited += provider.limited;
            self.record.billed += provider.billed;
        }
    }

    fn gather(&mut self, count: u32, from: Micros, until: Micros) {
        for _ in 0..count {
            let agent = self.agents.len() as u32;
            self.agents.push(Agent::new(until));
            let late = self.asking.between(0, self.scenario.agents.think * 2);
            self.queue.push(from + late, Event::Asks { agent });
        }
    }

    fn moment(&self) -> Moment {
        let unix_ms = self.scenario.starts_at_ms + (self.now / MS) as i64;
        Moment { at: self.now, now: Now { mono: Duration::from_micros(self.now), unix_ms } }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Asks { agent } => self.asks(agent),
            Event::Resumes { request } => self.advance(request),
            Event::Deadline { request } => self.deadline(request),
            Event::Arrives { attempt } => self.arrives(attempt),
            Event::Refused { attempt } => self.refused(attempt),
            Event::Begins { attempt } => self.begins(attempt),
            Event::Commits { attempt } => self.commits(attempt),
            Event::Hedges { attempt } => self.hedges(attempt),
            Event::Late { attempt } => self.late(attempt),
            Event::Ends { attempt } => self.ends(attempt),
            Event::Stops { job } => self.stops(job),
        }
    }

    // === Requests ===

    fn asks(&mut self, number: u32) {
        let agent = &mut self.agents[number as usize];
        if self.now >= agent.until {
            return;
        }
        let question = agent.ask(&self.scenario.agents, &mut self.asking);
        let asked = Asked {
            agent: number,
            conversation: agent.conversation,
            messages: agent.messages + 1,
            input: question.input,
            likely_output: u64::from(self.scenario.agents.answer),
            most_output: u64::from(self.scenario.agents.max_answer),
            deadline: self.now + self.scenario.route.total,
        };
        let moment = self.moment();
        let run = self.pilot.begin(&asked, moment, &mut self.routing);
        let request = self.requests.insert(Request {
            run,
            agent: number,
            question,
            asked,
            started: self.now,
            live: [None, None],
            first_content: None,
            delivered: 0,
            useful: 0,
            is_committed: false,
        });
        self.record.requests += 1;
        self.queue.push(asked.deadline, Event::Deadline { request });
        self.advance(request);
    }

    /// Asks the pilot what comes next, and does it.
    fn advance(&mut self, key: Key) {
        let moment = self.moment();
        let Some(request) = self.requests.get_mut(key) else { return };
        match self.pilot.next(&mut request.run, moment, &mut self.routing) {
            Step::Ask(ticket) => self.send(key, ticket, false),
            Step::Wait { until } => {
                self.record.waits += 1;
                self.queue.push(until.max(self.now + SHORTEST_WAIT), Event::Resumes { request: key });
            }
            Step::GiveUp => {
                let fate = if request.is_committed { Fate::Broken } else { Fate::Failed };
                self.conclude(key, fate, None);
            }
        }
    }

    fn deadline(&mut self, key: Key) {
        let Some(request) = self.requests.get_mut(key) else { return };
        let fate = if request.is_committed { Fate::Broken } else { Fate::Failed };
        let live = request.live;
        let error = Error::new(ErrorKind::Timeout, Origin::Gateway, "the deadline has passed");
        for attempt in live.into_iter().flatten() {
            self.drop_attempt(attempt, Err(&error));
        }
        self.conclude(key, fate, None);
    }

    fn conclude(&mut self, key: Key, fate: Fate, winner: Option<(usize, Micros)>) {
        let Some(request) = self.requests.remove(key) else { return };
        let agent = &mut self.agents[request.agent as usize];
        if let Some((target, sent)) = winner {
            let moved = agent.last_target.is_some_and(|last| last != target);
            agent.was_answered(request.question);
            agent.last_target = Some(target);
            let first = request.first_content.unwrap_or(self.now) - request.started;
            self.record.answered(self.now, first, sent - request.started, moved);
            self.record.useful += request.useful;
        }
        self.record.concluded(fate, self.now);
        let think = self.asking.exponential(self.scenario.agents.think as f64) as Micros;
        self.queue.push(self.now + think.max(MS), Event::Asks { agent: request.agent });
    }

    // === Attempts, as we see them ===

    fn send(&mut self, key: Key, ticket: Ticket<P::Permit>, is_hedge: bool) {
        let Some(request) = self.requests.get_mut(key) else { return };
        let Ticket { permit, target, hedge_after, goes_on } = ticket;
        if request.is_committed && !goes_on {
            // The client is told to begin anew; what it has read so far is void.
            self.record.restarts += 1;
            request.delivered = 0;
            request.useful = 0;
        }
        let load = Load {
            input: request.asked.input + request.delivered,
            output: request.question.output - request.delivered.min(request.question.output - 1),
            most_output: request.asked.most_output,
        };
        let attempt = self.attempts.insert(Attempt {
            request: key,
            target,
            permit,
            sent: self.now,
            load,
            job: None,
            error: None,
            told: self.spare.pop().unwrap_or_default(),
            first_content: None,
            is_committed: false,
            goes_on,
            is_hedge,
        });
        let place = usize::from(request.live[0].is_some());
        request.live[place] = Some(attempt);
        self.record.sent(target, self.now, is_hedge, goes_on);
        let distance = self.providers[target].spec.distance;
        let way = distance + self.answering.between(0, distance / 2);
        self.queue.push(self.now + way, Event::Arrives { attempt });
        self.queue.push(self.now + self.scenario.route.first_content, Event::Late { attempt });
        if let Some(after) = hedge_after {
            self.queue.push(self.now + after, Event::Hedges { attempt });
        }
    }

    fn hedges(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let request_key = attempt.request;
        if attempt.first_content.is_some() {
            return;
        }
        let moment = self.moment();
        let Some(request) = self.requests.get_mut(request_key) else { return };
        if request.is_committed || request.live[1].is_some() {
            return;
        }
        if let Some(ticket) = self.pilot.hedge(&mut request.run, moment, &mut self.routing) {
            self.send(request_key, ticket, true);
        }
    }

    fn refused(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let request = attempt.request;
        self.tell(key);
        let Some(error) = self.attempts.get_mut(key).and_then(|attempt| attempt.error.take()) else { return };
        self.drop_attempt(key, Err(&error));
        self.advance_unless_live(request);
    }

    fn late(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if attempt.first_content.is_some() {
            return;
        }
        let request = attempt.request;
        let error = Error::new(ErrorKind::Timeout, Origin::Provider, "no content in time");
        self.drop_attempt(key, Err(&error));
        self.advance_unless_live(request);
    }

    fn begins(&mut self, key: Key) {
        self.tell(key);
        let now = self.now;
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        attempt.first_content = Some(now);
        let held = self.scenario.route.commit_chars as u64 / CHARS_PER_TOKEN;
        let Some((_, job)) = attempt.job else { return };
        if held == 0 || attempt.goes_on {
            return self.commits(key);
        }
        let whole = job.end - job.first;
        let at = now + whole * held.min(job.load.output) / job.load.output.max(1);
        self.queue.push(at, Event::Commits { attempt: key });
    }

    /// The answer is the client's from here on; another one beside it is cancelled.
    fn commits(&mut self, key: Key) {
        let now = self.now;
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        attempt.is_committed = true;
        let (request_key, goes_on) = (attempt.request, attempt.goes_on);
        let Some(request) = self.requests.get_mut(request_key) else { return };
        if request.is_committed && !goes_on && self.scenario.route.on_break != OnBreak::Restart {
            self.record.second_commits += 1;
        }
        request.is_committed = true;
        request.first_content.get_or_insert(now);
        let loser = request.live.into_iter().flatten().find(|live| *live != key);
        if let Some(loser) = loser {
            let error = Error::new(ErrorKind::Cancelled, Origin::Gateway, "the other one was faster");
            self.drop_attempt(loser, Err(&error));
        }
    }

    fn ends(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let Some((_, job)) = attempt.job else { return };
        if let Some(at) = job.breaks {
            return self.breaks(key, &job, at);
        }
        if !attempt.is_committed {
            self.commits(key);
        }
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let (request_key, target, sent) = (attempt.request, attempt.target, attempt.sent);
        self.record.hedges_won += u64::from(attempt.is_hedge);
        let cost = self.providers[target].cost(job.load.input, job.load.output);
        self.drop_attempt(key, Ok(()));
        if let Some(request) = self.requests.get_mut(request_key) {
            request.useful += cost;
        }
        self.conclude(request_key, Fate::Answered, Some((target, sent)));
    }

    fn breaks(&mut self, key: Key, job: &Job, at: Micros) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let (request_key, target, is_committed) = (attempt.request, attempt.target, attempt.is_committed);
        let error = if attempt.first_content.is_some() {
            Error::new(ErrorKind::Truncated, Origin::Provider, "the answer broke off")
        } else {
            Error::new(ErrorKind::Network, Origin::Network, "the connection was cut")
        };
        let cost = self.providers[target].cost(job.load.input, job.written(at));
        if let Some(request) = self.requests.get_mut(request_key)
            && is_committed
        {
            request.delivered += job.written(at);
            request.useful += cost;
            self.record.breaks += 1;
        }
        self.drop_attempt(key, Err(&error));
        self.advance_unless_live(request_key);
    }

    /// The pilot hears what the headers said.
    fn tell(&mut self, key: Key) {
        let moment = self.moment();
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if !attempt.told.is_empty() {
            self.pilot.told(&attempt.permit, &attempt.told, moment);
        }
    }

    fn advance_unless_live(&mut self, key: Key) {
        let Some(request) = self.requests.get_mut(key) else { return };
        if request.live.iter().all(Option::is_none) {
            self.advance(key);
        }
    }

    /// An attempt is over for us: the pilot hears how, and the provider that nobody listens.
    fn drop_attempt(&mut self, key: Key, result: Result<(), &Error>) {
        let moment = self.moment();
        let Some(mut attempt) = self.attempts.remove(key) else { return };
        let provider = &self.providers[attempt.target];
        let (used, cost) = match (&attempt.job, attempt.first_content) {
            (Some((_, job)), Some(_)) => {
                let seen = self.now.saturating_sub(provider.spec.distance).min(job.breaks.unwrap_or(job.end));
                let written = job.written(seen);
                (Some((job.load.input, written)), Some(provider.cost(job.load.input, written)))
            }
            _ => (None, None),
        };
        if let Some((job, _)) = attempt.job {
            self.queue.push(self.now + provider.spec.distance, Event::Stops { job });
        }
        let ending = Ending {
            target: attempt.target,
            result,
            is_committed: attempt.is_committed,
            was_sent: result.err().is_none_or(|error| error.code.as_deref() != Some(NEVER_SENT)),
            has_lost: result.err().is_some_and(|error| error.kind == ErrorKind::Cancelled),
            first_content: attempt.first_content.map(|at| at - attempt.sent),
            duration: self.now - attempt.sent,
            used,
            cost,
        };
        attempt.told.clear();
        self.spare.push(std::mem::take(&mut attempt.told));
        let Some(request) = self.requests.get_mut(attempt.request) else { return };
        request.live = match request.live {
            [first, second] if first == Some(key) => [second, None],
            [first, _] => [first, None],
        };
        self.pilot.ended(&mut request.run, attempt.permit, &ending, moment, &mut self.routing);
    }

    // === Attempts, at their providers ===

    fn arrives(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let (target, now) = (attempt.target, self.now);
        let provider = &mut self.providers[target];
        let back = provider.spec.distance;
        match provider.receive(target, attempt.load, now, &mut self.answering) {
            Reception::Silent => {}
            Reception::Refused { after, error } => {
                if error.origin == Origin::Provider {
                    provider.headers(now, &mut attempt.told);
                }
                attempt.error = Some(error);
                self.queue.push(now + after + back, Event::Refused { attempt: key });
            }
            Reception::Accepted(job) => {
                provider.headers(now, &mut attempt.told);
                let number = self.jobs.insert(job);
                attempt.job = Some((number, job));
                let end = job.breaks.unwrap_or(job.end);
                self.queue.push(end, Event::Stops { job: number });
                if job.first <= end {
                    self.queue.push(job.first + back, Event::Begins { attempt: key });
                }
                self.queue.push(end + back, Event::Ends { attempt: key });
            }
        }
    }

    fn stops(&mut self, key: Key) {
        if let Some(job) = self.jobs.remove(key) {
            self.providers[job.provider].finish(&job, self.now);
        }
    }
}
