//! Seeded randomness for pure crates: the same seed gives the same numbers on every machine and in every version. A
//! generator is forked by name, so that a new consumer does not change the numbers of the others. Not for secrets.

use crate::hash::{Fnv, STEP, mix};

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and every seed is a good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator that always gives the same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for `name`; does not advance this one.
    #[must_use]
    pub fn fork(&self, name: &str) -> Self {
        // Fixed for ever, so that a recorded seed can be replayed by a later version.
        let hash = Fnv::new().write(name.as_bytes()).value();
        let mut fork = Self::new(self.state ^ hash);
        fork.state = fork.next_u64();
        fork
    }

    /// The next number, uniform over all of `u64`.
    pub fn next_u64(&mut self) -> u64 {
        let drawn = mix(self.state);
        self.state = self.state.wrapping_add(STEP);
        drawn
    }

    /// A number below `bound`; 0 when the bound is 0. The bias is below 2⁻³² for bounds that occur here.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in 0 to 1, 1 excluded.
    pub fn ratio(&mut self) -> f64 {
        let bits = u32::try_from(self.next_u64() >> 32).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        let mut rng = Rng::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn forks_differ_by_name_and_leave_the_parent_alone() {
        let parent = Rng::new(7);
        assert_eq!(parent.fork("a"), parent.fork("a"));
        assert_ne!(parent.fork("a").next_u64(), parent.fork("b").next_u64());
        assert_eq!(parent, Rng::new(7));
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut rng = Rng::new(3);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&rng.ratio())));
        assert_eq!(rng.below(0), 0);
    }
}
