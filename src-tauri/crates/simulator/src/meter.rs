//! One limit as a provider counts it. What it holds is what *we* sent: others' use of the same key
//! is taken off what remains, so that a refusal can be told from a fault of our own.

use std::collections::VecDeque;

use routing::policy::{Counted, Window};

use crate::scenario::{LimitSpec, MeterKind};
use crate::span::{MINUTE, Micros, SECOND};

#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) spec: LimitSpec,
    /// Zero where requests at the same time are counted.
    pub(crate) window: Micros,
    state: State,
}

#[derive(Debug)]
enum State {
    Concurrency { now: u64 },
    Bucket { left: f64, at: Micros },
    Fixed { number: u64, used: u64, offset: Micros },
    Sliding { entries: VecDeque<(Micros, u64)>, gone: u64, used: u64 },
}

/// What was taken, so that some of it can be given back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slip {
    amount: u64,
    place: u64,
}

impl Meter {
    /// `starts_at_ms` says where the clock's minutes and days begin.
    pub(crate) fn new(spec: LimitSpec, starts_at_ms: i64) -> Self {
        let window = match spec.per {
            Window::Now => 0,
            Window::Second => SECOND,
            Window::Minute => MINUTE,
            Window::Hour => 60 * MINUTE,
            Window::Day => 24 * 60 * MINUTE,
        };
        let used = (spec.most as f64 * spec.used) as u64;
        let state = if spec.counted == Counted::Concurrency || window == 0 {
            State::Concurrency { now: 0 }
        } else {
            match spec.kind {
                MeterKind::Bucket => State::Bucket { left: (spec.most - used.min(spec.most)) as f64, at: 0 },
                MeterKind::Fixed => {
                    let offset = (starts_at_ms.unsigned_abs() * 1_000) % window;
                    State::Fixed { number: 0, used, offset }
                }
                MeterKind::Sliding => State::Sliding { entries: VecDeque::from([(0, used)]), gone: 0, used },
            }
        };
        Self { spec, window, state }
    }

    /// What we may still use now, as if nobody else did.
    pub(crate) fn left(&mut self, now: Micros) -> u64 {
        let (most, window) = (self.spec.most, self.window);
        match &mut self.state {
            State::Concurrency { now } => most.saturating_sub(*now),
            State::Bucket { left, at } => {
                let filled = *left + most as f64 * now.saturating_sub(*at) as f64 / window as f64;
                (*left, *at) = (filled.min(most as f64), now);
                // A sum of fractions may fall short of a whole by less than anything real.
                (*left + 1e-6).max(0.0) as u64
            }
            State::Fixed { number, used, offset } => {
                let current = (now + *offset) / window;
                if current != *number {
                    (*number, *used) = (current, 0);
                }
                most.saturating_sub(*used)
            }
            State::Sliding { entries, gone, used } => {
                while let Some(&(at, amount)) = entries.front() {
                    if at + window > now {
                        break;
                    }
                    entries.pop_front();
                    *gone += 1;
                    *used -= amount;
                }
                most.saturating_sub(*used)
            }
        }
    }

    /// Takes `amount`, which `left` has just allowed.
    pub(crate) fn take(&mut self, amount: u64, at: Micros) -> Slip {
        let place = match &mut self.state {
            State::Concurrency { now } => {
                *now += 1;
                0
            }
            State::Bucket { left, .. } => {
                *left -= amount as f64;
                0
            }
            State::Fixed { number, used, .. } => {
                *used += amount;
                *number
            }
            State::Sliding { entries, gone, used } => {
                *used += amount;
                entries.push_back((at, amount));
                *gone + entries.len() as u64 - 1
            }
        };
        Slip { amount, place }
    }

    /// It came to `actual` in the end, and to no more than was taken.
    pub(crate) fn settle(&mut self, slip: Slip, actual: u64) {
        let back = slip.amount.saturating_sub(actual);
        match &mut self.state {
            State::Concurrency { now } => *now = now.saturating_sub(1),
            State::Bucket { left, .. } => *left = (*left + back as f64).min(self.spec.most as f64),
            State::Fixed { number, used, .. } => {
                if *number == slip.place {
                    *used = used.saturating_sub(back);
                }
            }
            State::Sliding { entries, gone, used } => {
                if let Some(entry) = slip.place.checked_sub(*gone).and_then(|at| entries.get_mut(at as usize))
                {
                    entry.1 -= back;
                    *used -= back;
                }
            }
        }
    }

    /// Until all of it is there again: what providers call reset.
    pub(crate) fn reset(&mut self, now: Micros) -> Micros {
        self.free_in(self.spec.most, now)
    }

    /// Until `amount` may be used, if nothing else happens.
    pub(crate) fn free_in(&mut self, amount: u64, now: Micros) -> Micros {
        let left = self.left(now);
        if amount <= left {
            return 0;
        }
        let (most, window) = (self.spec.most, self.window);
        match &self.state {
            State::Concurrency { .. } => SECOND,
            State::Bucket { left, .. } => {
                ((amount as f64 - left) * window as f64 / most as f64).ceil().max(1.0) as Micros
            }
            State::Fixed { offset, .. } => window - (now + offset) % window,
            State::Sliding { entries, .. } => {
                let mut short = amount - left;
                for &(at, held) in entries {
                    if held >= short {
                        return (at + window).saturating_sub(now);
                    }
                    short -= held;
                }
                window
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(kind: MeterKind, counted: Counted, per: Window, most: u64) -> Meter {
        Meter::new(LimitSpec { counted, per, most, kind, tells: true, set: false, used: 0.0 }, 0)
    }

    #[test]
    fn a_bucket_fills_up_evenly() {
        let mut meter = meter(MeterKind::Bucket, Counted::Requests, Window::Minute, 60);
        for _ in 0..60 {
            assert!(meter.left(0) > 0);
            meter.take(1, 0);
        }
        assert_eq!(meter.left(0), 0);
        assert_eq!(meter.free_in(1, 0), SECOND);
        assert_eq!(meter.left(SECOND), 1);
        assert_eq!(meter.reset(SECOND), 59 * SECOND);
    }

    #[test]
    fn a_fixed_window_begins_with_the_clocks_minute() {
        let mut meter = meter(MeterKind::Fixed, Counted::Requests, Window::Minute, 2);
        meter.left(30 * SECOND);
        meter.take(2, 30 * SECOND);
        assert_eq!(meter.free_in(1, 30 * SECOND), 30 * SECOND);
        assert_eq!(meter.left(MINUTE), 2);
    }

    #[test]
    fn a_sliding_window_gives_back_what_left_it_and_what_was_not_used() {
        let mut meter = meter(MeterKind::Sliding, Counted::Tokens, Window::Minute, 100);
        meter.left(0);
        let slip = meter.take(80, 0);
        assert_eq!(meter.left(SECOND), 20);
        meter.settle(slip, 30);
        assert_eq!(meter.left(SECOND), 70);
        meter.take(70, SECOND);
        assert_eq!(meter.free_in(10, 2 * SECOND), 58 * SECOND);
        assert_eq!(meter.left(MINUTE), 30);
    }

    #[test]
    fn requests_at_the_same_time_are_counted_until_they_end() {
        let mut meter = meter(MeterKind::Bucket, Counted::Concurrency, Window::Now, 1);
        let slip = meter.take(1, 0);
        assert_eq!(meter.left(0), 0);
        meter.settle(slip, 1);
        assert_eq!(meter.left(0), 1);
    }
}
