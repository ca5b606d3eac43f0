//! Chance with a seed: the same seed gives the same numbers, whatever else changes.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): one word of state, no crate, and no version of a crate that
//! would change every picture in the documentation.

/// A source of numbers.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self { state: seed ^ 0x5157_4e41_4c42_4f58 }
    }

    /// A source of its own, so that what one part draws does not shift what another one gets.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self { state: self.word() }
    }

    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// In `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.unit() < share
    }

    /// Around zero, with a deviation of one.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Half of the values lie below `median`; `spread` is the deviation of the logarithm.
    pub fn lognormal(&mut self, median: f64, spread: f64) -> f64 {
        median * (spread * self.normal()).exp()
    }

    /// Waiting for something that happens at any moment alike, `mean` on average.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// In `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + (self.unit() * (high.saturating_sub(low) + 1) as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_one_others() {
        let words = |seed| {
            let mut chance = Chance::new(seed);
            (0..8).map(|_| chance.word()).collect::<Vec<_>>()
        };
        assert_eq!(words(7), words(7));
        assert_ne!(words(7), words(8));
    }

    #[test]
    fn distributions_have_the_middle_they_claim() {
        let mut chance = Chance::new(1);
        let below = (0..20_000).filter(|_| chance.lognormal(600.0, 0.5) < 600.0).count();
        assert!((9_600..10_400).contains(&below), "{below}");
        let sum: f64 = (0..20_000).map(|_| chance.exponential(3.0)).sum();
        assert!((2.8..3.2).contains(&(sum / 20_000.0)), "{sum}");
    }
}
