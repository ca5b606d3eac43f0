//! A limit that was set by hand: a hard promise.

use super::ring::Ring;
use super::{Need, Reservation};
use crate::policy::{Counted, Window};

#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub counted: Counted,
    pub window: Window,
    pub most: u64,
    /// Reservations before this one were not counted here.
    pub born: u64,
    /// What left us; `None` for what is counted at one moment.
    ring: Option<Ring>,
    /// Reserved for what may still come: output that is being written, requests under way.
    held: u64,
}

/// When there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Now,
    At(u64),
    /// As soon as requests under way have ended.
    AfterOthers,
    Never,
}

impl Hand {
    /// `None` where the pair means nothing: requests per moment.
    pub(super) fn new(counted: Counted, window: Window, most: u64, born: u64) -> Option<Self> {
        let ring = match (counted, window) {
            (Counted::Concurrency, _) => None,
            (_, Window::Now) => return None,
            // On a busy machine a request is under way to its provider for seconds; measured with 300
            // at once on two cores, one second of slack was not enough.
            (_, Window::Second) => Some(Ring::new(50, 20, 4)),
            (_, Window::Minute) => Some(Ring::new(1_000, 60, 4)),
            (_, Window::Hour) => Some(Ring::new(60_000, 60, 1)),
            (_, Window::Day) => Some(Ring::new(600_000, 144, 1)),
        };
        Some(Self { counted, window, most, born, ring, held: 0 })
    }

    pub(super) fn with_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    pub(super) fn advance(&mut self, now_ms: u64) {
        if let Some(ring) = &mut self.ring {
            ring.advance(now_ms);
        }
    }

    fn used(&self) -> u64 {
        self.ring.as_ref().map_or(0, Ring::total).saturating_add(self.held)
    }

    pub(super) fn left(&self) -> u64 {
        self.most.saturating_sub(self.used())
    }

    pub(super) fn room(&self, need: &Need) -> Room {
        let (sent, held) = parts(self.counted, need);
        let amount = sent.saturating_add(held);
        if self.used().saturating_add(amount) <= self.most {
            return Room::Now;
        }
        if amount > self.most {
            return Room::Never;
        }
        let for_others = self.most - amount;
        match (&self.ring, for_others.checked_sub(self.held)) {
            (Some(ring), Some(most)) => ring.falls_to(most).map_or(Room::AfterOthers, Room::At),
            _ => Room::AfterOthers,
        }
    }

    pub(super) fn take(&mut self, need: &Need) {
        let (sent, held) = parts(self.counted, need);
        if let Some(ring) = &mut self.ring {
            ring.add(sent);
        }
        self.held = self.held.saturating_add(held);
    }

    /// Puts what was used in the place of what was reserved; `None`: it never left us.
    pub(super) fn settle(&mut self, reservation: &Reservation, used: Option<&Need>) {
        if reservation.serial < self.born {
            return;
        }
        let (sent, held) = parts(self.counted, &reservation.need);
        self.held = self.held.saturating_sub(held);
        let Some(ring) = &mut self.ring else { return };
        let (sent_really, written) = used.map_or((0, 0), |used| parts(self.counted, used));
        ring.correct(reservation.at_ms, sent, sent_really);
        ring.add(written);
    }

    /// When all of it is there again, if nothing is asked any more and nothing is under way.
    pub(super) fn whole_at(&self) -> Option<u64> {
        self.ring.as_ref().and_then(|ring| ring.falls_to(0))
    }

    /// What left us by the beginning of its slot, and what may still come as of the newest one.
    pub(super) fn slots(&self, now_ms: u64) -> Vec<(u64, u64)> {
        let Some(ring) = &self.ring else { return Vec::new() };
        ring.slots().chain((self.held > 0).then_some((now_ms, self.held))).collect()
    }

    /// Counts what left an earlier run.
    pub(super) fn put_back(&mut self, at_ms: u64, amount: u64) {
        if let Some(ring) = &mut self.ring {
            ring.correct(at_ms, 0, amount);
        }
    }
}

/// What of a need leaves us at once, and what may come while it is answered.
///
/// Some providers count output before they answer, others as they write it. Held until the answer's
/// end and counted from there, it is within the limit for both.
fn parts(counted: Counted, need: &Need) -> (u64, u64) {
    match counted {
        Counted::Requests => (1, 0),
        Counted::Tokens => (need.input_tokens, need.output_tokens),
        Counted::InputTokens => (need.input_tokens, 0),
        Counted::OutputTokens => (0, need.output_tokens),
        Counted::Concurrency => (0, 1),
    }
}
