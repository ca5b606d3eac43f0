//! What happens next: events by time, and by the order of their making where the time is the same.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::slab::Key;
use crate::span::Micros;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// An agent has thought enough.
    Asks { agent: u32 },
    /// A request has waited enough.
    Resumes { request: Key },
    /// A request's time is over.
    Deadline { request: Key },
    /// An attempt reaches its provider.
    Arrives { attempt: Key },
    /// Its refusal reaches us.
    Refused { attempt: Key },
    /// Its first content reaches us.
    Begins { attempt: Key },
    /// So much of it has reached us that it is the client's.
    Commits { attempt: Key },
    /// It should have a second one beside it by now.
    Hedges { attempt: Key },
    /// It should have begun by now.
    Late { attempt: Key },
    /// Its end, or where it breaks off, reaches us.
    Ends { attempt: Key },
    /// The provider is done with an answer, or hears that nobody wants it.
    Stops { job: Key },
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    at: Micros,
    number: u64,
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives its greatest first.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Micros, event: Event) {
        self.number += 1;
        self.heap.push(Entry { at, number: self.number, event });
    }

    pub(crate) fn pop(&mut self) -> Option<(Micros, Event)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }

    /// Events so far: what the speed of the simulator is measured in.
    pub(crate) fn events(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_they_were_made() {
        let mut queue = Queue::default();
        for (at, agent) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            queue.push(at, Event::Asks { agent });
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let agents = [(3, 2), (3, 4), (5, 1), (5, 3)];
        assert_eq!(order, agents.map(|(at, agent)| (at, Event::Asks { agent })));
    }
}
