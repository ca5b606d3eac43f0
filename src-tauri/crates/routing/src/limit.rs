//! The limits of one target, or of one provider: what may leave now, and what has to wait.
//!
//! - [`hand`]: limits set by hand, in windows that slide. In no stretch of a window's length more
//!   leaves us than the rule says, as long as no request uses more than it reserved.
//! - [`learned`]: limits that answers' headers tell. Each answer corrects the count.
//! - [`ring`]: the window.
//!
//! A request reserves in every dimension or in none, and settles with what it used. A [`Reservation`]
//! that never comes back counts as under way for ever.

mod hand;
mod learned;
mod ring;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::{Counted, LimitRule, Window};
use crate::time::Now;
use hand::{Hand, Room};
use learned::Learned;
pub use learned::SavedLearned;

/// Where our clock begins, so that what happened before this run has a place on it.
const BEGINNING_MS: u64 = 40 * 24 * 3_600_000;

/// Dimensions that one provider may teach us; the eleven vendors that we have seen name six at most.
const MOST_LEARNED: usize = 16;

/// What a request takes of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Need {
    pub input_tokens: u64,
    /// The most that it may be.
    pub output_tokens: u64,
}

impl Need {
    fn of(&self, counted: Counted) -> u64 {
        match counted {
            Counted::Requests | Counted::Concurrency => 1,
            Counted::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            Counted::InputTokens => self.input_tokens,
            Counted::OutputTokens => self.output_tokens,
        }
    }
}

/// Whether there is room for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    Now,
    /// On the clock of [`Now::mono`]: not before. Where requests under way are in the way, an
    /// estimate of when the next of them ends.
    At {
        at: Duration,
        counted: Counted,
        /// `None` for what is counted at one moment, and where the provider does not say.
        window: Option<Duration>,
    },
    /// It is larger than the whole limit.
    Never(Counted),
}

/// A place in every limit. Goes back through [`Limits::settle`].
#[derive(Debug)]
#[must_use = "what is not settled counts as under way for ever"]
pub struct Reservation {
    need: Need,
    at_ms: u64,
    /// Counts up from 1.
    serial: u64,
    /// What was sent up to here, this one included.
    sent: Totals,
}

#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    requests: u64,
    input: u64,
    output: u64,
}

impl Totals {
    fn add(&mut self, need: &Need) {
        self.requests = self.requests.wrapping_add(1);
        self.input = self.input.wrapping_add(need.input_tokens);
        self.output = self.output.wrapping_add(need.output_tokens);
    }

    fn take(&mut self, need: &Need) {
        self.requests = self.requests.wrapping_sub(1);
        self.input = self.input.wrapping_sub(need.input_tokens);
        self.output = self.output.wrapping_sub(need.output_tokens);
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            requests: self.requests.wrapping_sub(earlier.requests),
            input: self.input.wrapping_sub(earlier.input),
            output: self.output.wrapping_sub(earlier.output),
        }
    }

    fn of(&self, counted: Counted) -> u64 {
        match counted {
            Counted::Requests | Counted::Concurrency => self.requests,
            Counted::Tokens => self.input.saturating_add(self.output),
            Counted::InputTokens => self.input,
            Counted::OutputTokens => self.output,
        }
    }
}

/// What one answer's headers say of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSeen {
    pub counted: Counted,
    pub window: Option<Duration>,
    pub limit: Option<u64>,
    pub remaining: Option<u64>,
    /// How long until it is whole again.
    pub reset: Option<Duration>,
}

impl LimitSeen {
    /// A header whose value nobody could read: counted as ignored, and nothing else.
    pub const UNREADABLE: Self =
        Self { counted: Counted::Requests, window: None, limit: None, remaining: None, reset: None };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    Set,
    Learned,
}

/// One limit, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    pub counted: Counted,
    /// `None` for what is counted at one moment, and where the provider does not say.
    pub window_ms: Option<u64>,
    /// `None` where the provider does not say.
    pub most: Option<u64>,
    pub left: u64,
    /// How long until it is whole again if nothing more is asked.
    pub resets_in_ms: Option<u64>,
    pub source: LimitSource,
}

/// Every limit of one target or one provider.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    hand: Vec<Hand>,
    learned: Vec<Learned>,
    /// Of the last reservation.
    serial: u64,
    sent: Totals,
    in_flight: Totals,
    /// The latest moment that was named; a clock that jumps back stands still here.
    clock_ms: u64,
    /// How long requests take, smoothed.
    usual_ms: f64,
    ignored: u64,
}

impl Limits {
    /// Sets the limits by hand. What is counted already stays counted where a rule of the same kind
    /// was there before; of two rules of one kind the smaller counts.
    pub fn set(&mut self, rules: &[&LimitRule]) {
        let mut before = std::mem::take(&mut self.hand);
        for rule in rules {
            let window = if rule.counted == Counted::Concurrency { Window::Now } else { rule.window };
            let is_same = |hand: &Hand| (hand.counted, hand.window) == (rule.counted, window);
            if let Some(twin) = self.hand.iter_mut().find(|hand| is_same(hand)) {
                twin.most = twin.most.min(rule.most);
                continue;
            }
            let hand = match before.iter().position(is_same) {
                Some(at) => Some(before.swap_remove(at).with_most(rule.most)),
                None => Hand::new(rule.counted, window, rule.most, self.serial + 1),
            };
            self.hand.extend(hand);
        }
        for hand in &mut self.hand {
            hand.advance(self.clock_ms);
        }
    }

    /// Whether `need` has room, and if not, when.
    pub fn free_at(&mut self, need: &Need, now: Now) -> Free {
        let now_ms = self.advance(now);
        let mut free = Free::Now;
        for hand in &self.hand {
            let at_ms = match hand.room(need) {
                Room::Now => continue,
                Room::Never => return Free::Never(hand.counted),
                Room::At(at_ms) => at_ms,
                Room::AfterOthers => now_ms + self.next_end_ms(),
            };
            free = free.or_later(at_ms, hand.counted, span(hand.window));
        }
        for learned in &self.learned {
            if let Some(at_ms) = learned.room(need, &self.in_flight, now_ms) {
                free = free.or_later(at_ms, learned.counted, learned.window);
            }
        }
        free
    }

    /// A place for `need` in every limit, or in none.
    ///
    /// # Errors
    /// When there will be room.
    pub fn reserve(&mut self, need: &Need, now: Now) -> Result<Reservation, Free> {
        match self.free_at(need, now) {
            Free::Now => Ok(self.take(need)),
            other => Err(other),
        }
    }

    fn take(&mut self, need: &Need) -> Reservation {
        for hand in &mut self.hand {
            hand.take(need);
        }
        for learned in &mut self.learned {
            learned.take(need);
        }
        self.serial += 1;
        self.sent.add(need);
        self.in_flight.add(need);
        Reservation { need: *need, at_ms: self.clock_ms, serial: self.serial, sent: self.sent }
    }

    /// The request is over. `used` is what it took (`None`: not known, so what was reserved counts);
    /// what never left us (`was_sent` false) is given back whole.
    #[expect(clippy::needless_pass_by_value, reason = "Whoever gave it back cannot do so twice.")]
    pub fn settle(&mut self, reservation: Reservation, used: Option<Need>, was_sent: bool, now: Now) {
        let now_ms = self.advance(now);
        let used = used.unwrap_or(reservation.need);
        let used = was_sent.then_some(&used);
        for hand in &mut self.hand {
            hand.settle(&reservation, used);
        }
        for learned in &mut self.learned {
            learned.settle(&reservation, used);
        }
        self.in_flight.take(&reservation.need);
        if was_sent {
            let took = now_ms.saturating_sub(reservation.at_ms) as f64;
            self.usual_ms = if self.usual_ms > 0.0 { self.usual_ms * 0.8 + took * 0.2 } else { took };
        }
    }

    /// Takes the provider's word for its limits. `told_by` is the request whose answer it stands in,
    /// where that is known: what was sent after it may be missing in the provider's count.
    ///
    /// What cannot be meant (a limit of nothing, more left than there is, a reset in years) is
    /// ignored and counted.
    pub fn learn(&mut self, seen: &LimitSeen, told_by: Option<&Reservation>, now: Now) {
        let now_ms = self.advance(now);
        if !learned::is_sane(seen) {
            self.ignored += 1;
            return;
        }
        let is_same = |learned: &Learned| (learned.counted, learned.window) == (seen.counted, seen.window);
        if let Some(learned) = self.learned.iter_mut().find(|learned| is_same(learned)) {
            learned.learn(seen, told_by, &self.sent, &self.in_flight, now_ms);
        } else if self.learned.len() == MOST_LEARNED {
            self.ignored += 1;
        } else if let Some(mut learned) = Learned::new(seen) {
            learned.learn(seen, told_by, &self.sent, &self.in_flight, now_ms);
            self.learned.push(learned);
        }
    }

    /// Headers that could not be meant.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// How much is left of the scarcest limit, from 0 to 1; 1 where there is none.
    pub fn left(&mut self, now: Now) -> f64 {
        self.advance(now);
        let hand = self.hand.iter().map(|hand| hand.left() as f64 / hand.most.max(1) as f64);
        let learned = self.learned.iter().filter_map(|learned| learned.share(&self.in_flight));
        hand.chain(learned).fold(1.0, f64::min)
    }

    pub fn view(&mut self, now: Now) -> Vec<LimitView> {
        let now_ms = self.advance(now);
        let wait = |at_ms: Option<u64>| at_ms.map(|at_ms| at_ms.saturating_sub(now_ms));
        let hand = self.hand.iter().map(|hand| LimitView {
            counted: hand.counted,
            window_ms: span(hand.window).map(millis),
            most: Some(hand.most),
            left: hand.left(),
            resets_in_ms: wait(hand.whole_at()),
            source: LimitSource::Set,
        });
        let learned = self.learned.iter().filter(|learned| learned.is_known()).map(|learned| LimitView {
            counted: learned.counted,
            window_ms: learned.window.map(millis),
            most: learned.limit(),
            left: learned.left(&self.in_flight),
            resets_in_ms: wait(learned.whole_at(&self.in_flight)),
            source: LimitSource::Learned,
        });
        hand.chain(learned).collect()
    }

    /// Requests under way.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.requests
    }

    /// Moves everything to `now`, or to the latest moment so far.
    fn advance(&mut self, now: Now) -> u64 {
        let now_ms = (BEGINNING_MS + millis(now.mono)).max(self.clock_ms);
        if now_ms > self.clock_ms {
            self.clock_ms = now_ms;
            for hand in &mut self.hand {
                hand.advance(now_ms);
            }
            for learned in &mut self.learned {
                learned.advance(&self.in_flight, now_ms);
            }
        }
        now_ms
    }

    /// In how long one of the requests under way will probably end.
    fn next_end_ms(&self) -> u64 {
        (self.usual_ms / self.in_flight.requests.max(1) as f64).clamp(20.0, 1_000.0) as u64
    }
}

impl Free {
    /// The later of both.
    fn or_later(self, at_ms: u64, counted: Counted, window: Option<Duration>) -> Self {
        let at = Duration::from_millis(at_ms.saturating_sub(BEGINNING_MS));
        match self {
            Self::At { at: before, .. } if before >= at => self,
            _ => Self::At { at, counted, window },
        }
    }
}

fn span(window: Window) -> Option<Duration> {
    let seconds = match window {
        Window::Now => return None,
        Window::Second => 1,
        Window::Minute => 60,
        Window::Hour => 3_600,
        Window::Day => 86_400,
    };
    Some(Duration::from_secs(seconds))
}

fn millis(span: Duration) -> u64 {
    // Half the range, so that sums fit.
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 2)
}

// === Over a restart ===

/// What of the limits survives a restart: windows of an hour and longer, and learned limits that
/// are not whole within a minute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedLimits {
    pub set: Vec<SavedWindow>,
    pub learned: Vec<SavedLearned>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedWindow {
    counted: Counted,
    window: Window,
    /// Unix time in milliseconds and what left us then.
    slots: Vec<(i64, u64)>,
}

impl Limits {
    /// `None` where nothing is worth it.
    pub fn saved(&mut self, now: Now) -> Option<SavedLimits> {
        let now_ms = self.advance(now);
        let unix_of = |at_ms: u64| now.unix_ms.saturating_add(at_ms as i64 - now_ms as i64);
        let set = self.hand.iter().filter(|hand| hand.window >= Window::Hour).map(|hand| SavedWindow {
            counted: hand.counted,
            window: hand.window,
            slots: hand.slots(now_ms).into_iter().map(|(at_ms, amount)| (unix_of(at_ms), amount)).collect(),
        });
        let saved = SavedLimits {
            set: set.filter(|window| !window.slots.is_empty()).collect(),
            learned: self.learned.iter().filter_map(|it| it.saved(&self.in_flight, unix_of)).collect(),
        };
        (saved != SavedLimits::default()).then_some(saved)
    }

    /// Counts what an earlier run sent, where the rules of now have a place for it. To be called once,
    /// after [`Self::set`] and before the first request. What seems to lie in the future (the wall
    /// clock was set back) counts as sent just now.
    pub fn restore(&mut self, saved: &SavedLimits, now: Now) {
        let now_ms = self.advance(now);
        for window in &saved.set {
            let is_same = |hand: &&mut Hand| (hand.counted, hand.window) == (window.counted, window.window);
            let Some(hand) = self.hand.iter_mut().find(is_same) else { continue };
            hand.advance(now_ms);
            for (at_unix_ms, amount) in &window.slots {
                let age = now.unix_ms.saturating_sub(*at_unix_ms).max(0) as u64;
                hand.put_back(now_ms.saturating_sub(age), *amount);
            }
        }
        for saved in saved.learned.iter().take(MOST_LEARNED) {
            let learned = Learned::restored(saved, now_ms, now.unix_ms);
            self.learned.extend(learned);
        }
    }
}

#[cfg(test)]
mod tests;
