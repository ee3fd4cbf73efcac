//! Who gets a request that the backend with its turn cannot take: the others by their shares, counted exactly. A spill is
//! counted here alone. The [`schedule`](crate::schedule) has charged the backend whose turn it was, so when that one opens
//! it has its share at once, and neither makes up for what it missed nor owes anything; and what the others take for it is
//! never taken off their own turns.
//!
//! It is smooth weighted round robin over whoever is open at that moment: every open backend is owed its part of the
//! spill, and the one that is owed most gets it. Who is open may be others with every spill; what one is owed stays.

use bascule_model::BackendName;

/// A whole spill. Parts of it are rounded down to whole numbers, and this is large enough that it never shows.
const WHOLE: i64 = 1 << 32;

/// What each backend is owed of the spills so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spills {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    name: BackendName,
    /// The quota so far − the spills so far; all sum to zero while nobody leaves.
    owed: i64,
    /// Its share, if it is open to the spill that is being picked for; 0 if not.
    part: i64,
}

impl Spills {
    /// Takes the backends of a newer state, in its order; what they are owed stays with their names.
    pub(super) fn rebind<'a>(&mut self, names: impl Iterator<Item = &'a BackendName>) {
        let before = std::mem::take(&mut self.slots);
        let slot = |name: &BackendName| {
            let known = before.iter().find(|slot| slot.name == *name);
            Slot {
                name: name.clone(),
                owed: known.map_or(0, |slot| slot.owed),
                part: 0,
            }
        };
        self.slots = names.map(slot).collect();
    }

    /// The backend that gets the next spill. `share` gives the share of a backend that is open to it, and 0 for others.
    pub(super) fn pick(&mut self, share: impl Fn(usize) -> u16) -> Option<usize> {
        let mut sum = 0;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.part = i64::from(share(at));
            sum += slot.part;
        }
        let mut left = WHOLE;
        let mut most: Option<(usize, i64)> = None;
        let open = self.slots.iter_mut().enumerate();
        for (at, slot) in open.filter(|(_, slot)| slot.part > 0) {
            let quota = WHOLE * slot.part / sum;
            slot.owed += quota;
            left -= quota;
            if most.is_none_or(|(_, owed)| slot.owed > owed) {
                most = Some((at, slot.owed));
            }
        }
        let (picked, _) = most?;
        let slot = self.slots.get_mut(picked)?;
        // With what rounding left, so that the sum stays zero.
        slot.owed += left - WHOLE;
        Some(picked)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spills(backends: usize) -> Spills {
        let names: Vec<BackendName> = (0..backends)
            .map(|at| format!("b{at:02}").parse().unwrap())
            .collect();
        let mut spills = Spills::default();
        spills.rebind(names.iter());
        spills
    }

    #[test]
    fn spills_follow_the_shares_of_those_that_are_open() {
        let mut spills = spills(4);
        let mut counts = [0; 4];
        for _ in 0..1000 {
            let part = |at| {
                [5_000, 3_000, 1_500, 500]
                    .get(at)
                    .copied()
                    .filter(|_| at > 0)
            };
            counts[spills.pick(|at| part(at).unwrap_or(0)).unwrap()] += 1;
        }
        assert_eq!(counts, [0, 600, 300, 100]);
    }

    #[test]
    fn where_nobody_is_open_there_is_no_spill() {
        assert_eq!(spills(3).pick(|_| 0), None);
        assert_eq!(Spills::default().pick(|_| 1), None);
    }

    #[test]
    fn what_is_owed_stays_with_the_name() {
        let mut spills = spills(3);
        assert_eq!(spills.pick(|_| 1), Some(0));
        let names: Vec<BackendName> = ["b00", "b02"].map(|n| n.parse().unwrap()).into();
        spills.rebind(names.iter());
        assert_eq!(spills.pick(|_| 1), Some(1));
    }

    proptest! {
        /// The model keeps the quotas as fractions and never forgets; nobody is ever two spills away from its own.
        #[test]
        fn nobody_is_two_spills_from_its_quota_whoever_is_open(
            shares in prop::collection::vec(1_u16..5_000, 2..=8),
            open in prop::collection::vec(any::<u8>(), 1..400),
        ) {
            let mut spills = spills(shares.len());
            let mut quota = vec![0.0_f64; shares.len()];
            let mut counts = vec![0.0_f64; shares.len()];
            for open in open {
                let part = |at: usize| if open >> at & 1 == 1 { shares[at] } else { 0 };
                let sum: f64 = (0..shares.len()).map(|at| f64::from(part(at))).sum();
                let picked = spills.pick(part);
                prop_assert_eq!(picked.is_some(), sum > 0.0);
                let Some(picked) = picked else { continue };
                prop_assert!(part(picked) > 0);
                counts[picked] += 1.0;
                for at in 0..shares.len() {
                    quota[at] += f64::from(part(at)) / sum;
                    prop_assert!((quota[at] - counts[at]).abs() < 2.0, "{:?} {:?}", quota, counts);
                }
                prop_assert_eq!(spills.slots.iter().map(|slot| slot.owed).sum::<i64>(), 0);
            }
        }
    }
}
