//! How much left us within a window that slides.

/// A sum over the last window, in slots of equal width.
///
/// What was added at a moment counts until its slot's last moment has left the window, and for some
/// slots of slack: what leaves us evenly may arrive at the provider closer together.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    width_ms: u64,
    /// By the number of the slot since the clock's zero, modulo the length.
    slots: Box<[u64]>,
    /// The number of the newest slot.
    newest: u64,
    total: u64,
}

impl Ring {
    /// For a window of `width_ms` times `slots`, and `slack` slots more.
    pub(super) fn new(width_ms: u64, slots: usize, slack: usize) -> Self {
        // One for the slot that has begun.
        Self { width_ms, slots: vec![0; slots + 1 + slack].into_boxed_slice(), newest: 0, total: 0 }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Forgets what has left the window. An earlier moment than the last changes nothing.
    pub(super) fn advance(&mut self, now_ms: u64) {
        let slot = now_ms / self.width_ms;
        if slot <= self.newest {
            return;
        }
        let steps = (slot - self.newest).min(self.len());
        for number in slot - steps + 1..=slot {
            let at = self.index(number);
            self.total -= self.slots[at];
            self.slots[at] = 0;
        }
        self.newest = slot;
    }

    /// Adds to the newest slot.
    pub(super) fn add(&mut self, amount: u64) {
        let at = self.index(self.newest);
        self.slots[at] = self.slots[at].saturating_add(amount);
        self.total = self.total.saturating_add(amount);
    }

    /// Puts `now` in the place of `before` in the slot of `at_ms`, where that still counts.
    pub(super) fn correct(&mut self, at_ms: u64, before: u64, now: u64) {
        let number = at_ms / self.width_ms;
        if number > self.newest || self.newest - number >= self.len() {
            return;
        }
        let at = self.index(number);
        let corrected = self.slots[at].saturating_sub(before).saturating_add(now);
        self.total = (self.total - self.slots[at]).saturating_add(corrected);
        self.slots[at] = corrected;
    }

    /// When the sum will have fallen to `most`, if nothing is added; `None` where it has.
    pub(super) fn falls_to(&self, most: u64) -> Option<u64> {
        let mut total = self.total;
        for number in self.oldest()..=self.newest {
            if total <= most {
                break;
            }
            total -= self.slots[self.index(number)];
            if total <= most {
                return Some((number + self.len()) * self.width_ms);
            }
        }
        None
    }

    /// What counts, by the beginning of its slot.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u64, u64)> {
        (self.oldest()..=self.newest)
            .map(|number| (number * self.width_ms, self.slots[self.index(number)]))
            .filter(|(_, amount)| *amount > 0)
    }

    fn oldest(&self) -> u64 {
        (self.newest + 1).saturating_sub(self.len())
    }

    fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    fn index(&self, number: u64) -> usize {
        (number % self.len()) as usize
    }
}
