//! A table from key to endpoint, as Maglev fills it (Eisenbud and others, NSDI 2016, §3.4): every endpoint in turn takes the
//! next free place of a walk of its own. So all have their part of the places to a thousandth, and a change of the members
//! moves little else. It is made of a backend's endpoints and their weights alone, never of their state: one that is down
//! keeps its places, and its keys go on to the place that their next hash names ([`Table::at`]). A failure moves no other
//! key, spreads these over all others, and costs no table.
//!
//! Made where snapshots are, shared by all workers, and kept while the members are the same: 131 KiB a backend
//! ([decision 0017](../../../docs/decisions/0017-choosing-an-endpoint.md)).

use bascule_model::hash::mix;

use crate::hash::Key;

/// Places; a prime, so that every walk comes to each. With 65 endpoints they still differ by a thousandth of their parts.
const PLACES: usize = 65_537;
/// Where an endpoint's walk begins and how wide its steps are come from two hashes of it.
const START: u64 = 0x6f66_6673_6574_0000;
const STEP: u64 = 0x736b_6970_0000_0000;

/// An endpoint, by its hash, and its weight relative to the others.
pub type Member = (u64, u32);

/// The table of one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    members: Vec<Member>,
    /// Indexes into the members.
    places: Box<[u16]>,
}

/// One endpoint's walk through the places.
struct Walk {
    next: usize,
    step: usize,
    weight: u64,
    /// What it has saved for its next turn; a turn costs the greatest weight.
    saved: u64,
}

impl Table {
    /// The table of these endpoints. Of more than 65 535 the others have no place; then there would be none for most anyway.
    #[must_use]
    pub fn new(members: Vec<Member>) -> Self {
        let greatest = members.iter().map(|(_, weight)| *weight).max().unwrap_or(1);
        let cost = u64::from(greatest.max(1));
        let mut walks: Vec<Walk> = members.iter().map(Walk::new).collect();
        walks.truncate(usize::from(u16::MAX));
        let mut free = if walks.is_empty() { 0 } else { PLACES };
        let mut places: Vec<Option<u16>> = vec![None; PLACES];
        while free > 0 {
            free -= round(&mut walks, &mut places, cost, free);
        }
        let places = places.into_iter().map(Option::unwrap_or_default);
        Self {
            places: places.collect(),
            members,
        }
    }

    /// What it was made of.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The `nth` endpoint for a key, from 0; an index into the members. Each is drawn anew, so one may come twice.
    pub(crate) fn at(&self, key: Key, nth: u64) -> Option<usize> {
        let place = key.with(nth) % u64::try_from(PLACES).unwrap_or(1);
        let member = self.places.get(usize::try_from(place).ok()?)?;
        (!self.members.is_empty()).then(|| usize::from(*member))
    }
}

/// Everyone who can pay for it has a turn, as long as something is free; how many had.
fn round(walks: &mut [Walk], places: &mut [Option<u16>], cost: u64, free: usize) -> usize {
    let mut taken = 0;
    for (walk, member) in walks.iter_mut().zip(0..) {
        walk.saved += walk.weight;
        if walk.saved < cost || taken == free {
            continue;
        }
        walk.saved -= cost;
        if let Some(place) = walk.next_free(places) {
            *place = Some(member);
            taken += 1;
        }
    }
    taken
}

impl Walk {
    fn new((hash, weight): &Member) -> Self {
        let below = |salt: u64, bound: usize| {
            let bound = u64::try_from(bound).unwrap_or(1);
            usize::try_from(mix(hash ^ salt) % bound).unwrap_or(0)
        };
        Self {
            next: below(START, PLACES),
            step: below(STEP, PLACES - 1) + 1,
            weight: u64::from(*weight).max(1),
            saved: 0,
        }
    }

    /// The next place of the walk that nobody has; there is one, or this would not be asked.
    fn next_free<'a>(&mut self, places: &'a mut [Option<u16>]) -> Option<&'a mut Option<u16>> {
        let mut at = self.next;
        for _ in 0..PLACES {
            if places.get(at).is_some_and(Option::is_none) {
                break;
            }
            at = (at + self.step) % PLACES;
        }
        self.next = (at + self.step) % PLACES;
        places.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use bascule_model::{EndpointId, Scheme};
    use proptest::prelude::*;

    use super::*;
    use crate::hash;

    fn member(n: u8, weight: u32) -> Member {
        let id = EndpointId {
            service: "s".parse().unwrap(),
            backend: "b".parse().unwrap(),
            scheme: Scheme::Http,
            host: None,
            address: ([10, 0, 0, n], 80).into(),
        };
        (hash::of_endpoint(&id), weight)
    }

    fn table(weights: &[u32]) -> Table {
        Table::new(
            (0..)
                .zip(weights)
                .map(|(n, weight)| member(n, *weight))
                .collect(),
        )
    }

    fn counts(table: &Table) -> Vec<usize> {
        let count = |member| {
            table
                .places
                .iter()
                .filter(|m| usize::from(**m) == member)
                .count()
        };
        (0..table.members.len()).map(count).collect()
    }

    /// From a second program, written from the paper.
    #[test]
    fn the_table_of_three_endpoints_is_fixed_for_ever() {
        let equal = table(&[1, 1, 1]);
        assert_eq!(
            equal.places[..16],
            [0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 1, 1]
        );
        assert_eq!(counts(&equal), [21_846, 21_846, 21_845]);
        assert_eq!(counts(&table(&[3, 2, 1])), [32_769, 21_846, 10_922]);
        for (key, endpoints) in [
            ("", [2, 2, 2, 2]),
            ("a", [1, 0, 1, 0]),
            ("room-42", [1, 2, 2, 1]),
            ("10.0.0.1", [0, 2, 2, 0]),
            ("user=7", [0, 1, 2, 1]),
        ] {
            let key = Key::of(key.as_bytes());
            let got: Vec<usize> = (0..4).filter_map(|nth| equal.at(key, nth)).collect();
            assert_eq!(got, endpoints);
        }
    }

    #[test]
    fn a_table_of_nobody_names_nobody() {
        assert_eq!(Table::new(Vec::new()).at(Key::of(b"a"), 0), None);
        assert_eq!(table(&[5]).at(Key::of(b"a"), 7), Some(0));
    }

    #[test]
    fn an_endpoint_that_is_gone_for_good_moves_few_other_keys() {
        let (before, after) = (table(&[1; 10]), table(&[1; 9]));
        let moved = before.places.iter().zip(&after.places);
        let moved = moved.filter(|(old, new)| **old != 9 && old != new).count();
        // The tenth that was its own must move; of the other nine tenths less than one in thirty does.
        assert!(moved < PLACES / 30, "{moved}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn places_are_in_proportion_to_weights(weights in prop::collection::vec(1_u32..=100, 1..40)) {
            let sum: u32 = weights.iter().sum();
            let greatest = weights.iter().max().copied().unwrap_or(1);
            for (count, weight) in counts(&table(&weights)).iter().zip(&weights) {
                let part = f64::from(*weight) / f64::from(sum) * PLACES as f64;
                // A turn more or less, and the round that is not finished.
                let slack = 2.0 + f64::from(*weight) / f64::from(greatest);
                prop_assert!((*count as f64 - part).abs() < slack, "{count} for {part} of {weights:?}");
            }
        }
    }
}
