//! Which target a conversation talks to: its tone, its prompt cache and what the provider remembers
//! of it stay where they are.

use std::collections::HashMap;
use std::time::Duration;

use crate::Target;

/// Conversations remembered at most. Two generations of half of them: no list has to be kept in
/// order, and those that were used lately are never dropped.
const MOST: usize = 10_000;

/// Conversations and their targets, the ones longest unused forgotten first.
#[derive(Debug, Default)]
pub struct StickyMap {
    young: HashMap<u64, Kept>,
    old: HashMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    target: Target,
    used: Duration,
}

impl StickyMap {
    /// The conversation's target, where it was used within `idle`; it counts as used now.
    pub fn get(&mut self, conversation: u64, idle: Duration, now: Duration) -> Option<&Target> {
        if !self.young.contains_key(&conversation) {
            let kept = self.old.remove(&conversation)?;
            self.keep(conversation, kept);
        }
        if now.saturating_sub(self.young.get(&conversation)?.used) > idle {
            self.young.remove(&conversation);
            return None;
        }
        let kept = self.young.get_mut(&conversation)?;
        kept.used = kept.used.max(now);
        Some(&kept.target)
    }

    pub fn put(&mut self, conversation: u64, target: Target, now: Duration) {
        self.old.remove(&conversation);
        self.keep(conversation, Kept { target, used: now });
    }

    pub fn forget(&mut self, conversation: u64) {
        self.young.remove(&conversation);
        self.old.remove(&conversation);
    }

    /// Forgets everything that leads to a target which is no more.
    pub fn retain(&mut self, mut is_there: impl FnMut(&Target) -> bool) {
        self.young.retain(|_, kept| is_there(&kept.target));
        self.old.retain(|_, kept| is_there(&kept.target));
    }

    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(&mut self, conversation: u64, kept: Kept) {
        if self.young.len() >= MOST / 2 && !self.young.contains_key(&conversation) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(conversation, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const IDLE: Duration = Duration::from_secs(60);

    const fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn target(name: u64) -> Target {
        Target { provider: format!("p{name}"), model: "m".into() }
    }

    #[test]
    fn a_conversation_keeps_its_target_until_it_was_idle_too_long() {
        let mut map = StickyMap::default();
        map.put(7, target(1), s(0));
        assert_eq!(map.get(7, IDLE, s(60)), Some(&target(1)));
        assert_eq!(map.get(7, IDLE, s(120)), Some(&target(1)), "each use begins anew");
        assert_eq!(map.get(7, IDLE, s(181)), None);
        assert_eq!(map.len(), 0, "and it is gone");
        assert_eq!(map.get(8, IDLE, s(0)), None);
    }

    #[test]
    fn the_latest_target_counts_and_forgetting_forgets() {
        let mut map = StickyMap::default();
        map.put(7, target(1), s(0));
        map.put(7, target(2), s(1));
        assert_eq!(map.get(7, IDLE, s(1)), Some(&target(2)));
        map.put(8, target(3), s(1));
        map.retain(|target| target.provider != "p3");
        assert_eq!(map.get(8, IDLE, s(1)), None);
        map.forget(7);
        assert!(map.is_empty());
    }

    #[test]
    fn among_many_the_one_in_use_stays_and_the_number_is_bounded() {
        let mut map = StickyMap::default();
        map.put(u64::MAX, target(1), s(0));
        for conversation in 0..50_000 {
            map.put(conversation, target(2), s(1));
            assert!(map.len() <= MOST);
            assert_eq!(map.get(u64::MAX, IDLE, s(1)), Some(&target(1)), "after {conversation}");
        }
        assert_eq!(map.get(0, IDLE, s(1)), None, "the longest unused are gone");
        assert!(map.get(49_999, IDLE, s(1)).is_some());
    }

    proptest! {
        /// Like a plain map with a time beside each entry, as long as it is not full.
        #[test]
        fn it_is_a_map_that_forgets_the_idle(
            events in prop::collection::vec((0..3_u8, 0..6_u64, 0..9_u64, 0..40_u64), 1..200),
        ) {
            let (mut map, mut plain, mut now) = (StickyMap::default(), HashMap::new(), 0);
            for (what, conversation, name, wait) in events {
                now += wait;
                match what {
                    0 => {
                        map.put(conversation, target(name), s(now));
                        plain.insert(conversation, (target(name), now));
                    }
                    1 => {
                        map.forget(conversation);
                        plain.remove(&conversation);
                    }
                    _ => {
                        let expected = plain.get_mut(&conversation).filter(|(_, used)| now - *used <= 60);
                        let seen = map.get(conversation, IDLE, s(now));
                        prop_assert_eq!(seen, expected.as_deref().map(|(target, _)| target));
                        if let Some((_, used)) = expected {
                            *used = now;
                        }
                    }
                }
            }
        }
    }
}
