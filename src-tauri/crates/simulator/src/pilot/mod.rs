//! What drives requests through the providers: the router of Signalbox, or one of three plain
//! policies to compare it with. All stand behind one trait and are driven alike.

mod fallback;
mod least_latency;
mod round_robin;
pub mod signalbox;

use canonical::Error;
use routing::Now;

use crate::chance::Chance;
use crate::provider::Told;
use crate::span::Micros;

pub use fallback::Fallback;
pub use least_latency::LeastLatency;
pub use round_robin::RoundRobin;
pub use signalbox::Signalbox;

/// A moment of the simulation, on its own clock and on the wall's.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub at: Micros,
    pub now: Now,
}

/// One request, as far as it is known beforehand.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub agent: u32,
    pub conversation: u64,
    pub messages: u32,
    pub input: u64,
    pub likely_output: u64,
    pub most_output: u64,
    pub deadline: Micros,
}

/// What to do next with a request.
#[derive(Debug)]
pub enum Step<Permit> {
    Ask(Ticket<Permit>),
    Wait { until: Micros },
    GiveUp,
}

/// Leave to send one attempt.
#[derive(Debug)]
pub struct Ticket<Permit> {
    /// Comes back in [`Pilot::ended`].
    pub permit: Permit,
    pub target: usize,
    /// Another target is asked beside it after so long.
    pub hedge_after: Option<Micros>,
    /// From the text so far; else from the beginning.
    pub goes_on: bool,
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Ending<'a> {
    pub target: usize,
    pub result: Result<(), &'a Error>,
    pub is_committed: bool,
    /// The provider may have heard it.
    pub was_sent: bool,
    /// The other one of a pair was faster.
    pub has_lost: bool,
    pub first_content: Option<Micros>,
    pub duration: Micros,
    /// Input and output tokens, where they are known.
    pub used: Option<(u64, u64)>,
    /// Pico-dollars, where they are known.
    pub cost: Option<i64>,
}

/// One way to route.
pub trait Pilot {
    /// What it remembers of a request.
    type Run;
    /// What it remembers of an attempt.
    type Permit;

    fn begin(&mut self, asked: &Asked, moment: Moment, chance: &mut Chance) -> Self::Run;
    fn next(&mut self, run: &mut Self::Run, moment: Moment, chance: &mut Chance) -> Step<Self::Permit>;
    /// A second attempt beside the first one.
    fn hedge(
        &mut self,
        run: &mut Self::Run,
        moment: Moment,
        chance: &mut Chance,
    ) -> Option<Ticket<Self::Permit>>;
    /// The headers of an answer.
    fn told(&mut self, permit: &Self::Permit, told: &[Told], moment: Moment);
    fn ended(
        &mut self,
        run: &mut Self::Run,
        permit: Self::Permit,
        ending: &Ending<'_>,
        moment: Moment,
        chance: &mut Chance,
    );
}
