//! How much of an answer is held back before it is the caller's. Until then another target can take
//! over, and nobody sees that one had begun.

use canonical::StreamEvent;
use routing::policy::Commit;
use tokio::time::Instant;

/// The beginning of one answer, as it gathers.
#[derive(Debug)]
pub(super) struct Hold {
    commit: Commit,
    chars: usize,
    has_content: bool,
    /// When it is over however little came; `None` before the first content, or where only its
    /// length counts.
    pub until: Option<Instant>,
}

impl Hold {
    pub(super) const fn new(commit: Commit) -> Self {
        Self { commit, chars: 0, has_content: false, until: None }
    }

    pub(super) fn note(&mut self, events: &[StreamEvent], now: Instant) {
        for event in events.iter().filter(|event| event.is_content()) {
            self.has_content = true;
            // What has no letters is content all the same: an image, a call's name.
            self.chars += match event {
                StreamEvent::PartDelta { delta, .. } => delta.text().chars().count(),
                _ => 1,
            };
        }
        if self.has_content && self.until.is_none() {
            self.until = self.commit.within.map(|within| now + within);
        }
    }

    /// Whether the answer is the caller's.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.has_content && (self.chars >= self.commit.chars || self.until.is_some_and(|until| now >= until))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use canonical::PartDelta;

    use super::*;

    fn text(text: &str) -> StreamEvent {
        StreamEvent::PartDelta { index: 0, delta: PartDelta::Text(text.into()) }
    }

    #[test]
    fn an_answer_is_held_until_it_is_long_enough_or_the_time_is_over() {
        let now = crate::Clock.now();
        let later = now + Duration::from_millis(500);
        let held = |commit, events: &[StreamEvent]| {
            let mut hold = Hold::new(commit);
            hold.note(events, now);
            hold
        };
        let first = Commit::default();
        assert!(!held(first, &[text("")]).is_over(now));
        assert!(held(first, &[text("a")]).is_over(now));

        let mut hold = held(Commit { chars: 5, within: None }, &[text("ab")]);
        assert!(!hold.is_over(later));
        hold.note(&[text("cde")], later);
        assert!(hold.is_over(later));

        let short = Commit { chars: 5, within: Some(Duration::from_millis(500)) };
        let mut hold = held(short, &[text("")]);
        assert!(!hold.is_over(later), "the time counts from the first content");
        hold.note(&[text("a")], now);
        assert!(!hold.is_over(now) && hold.is_over(later));
    }
}
