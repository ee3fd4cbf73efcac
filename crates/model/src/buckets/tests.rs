//! The laws of bucket maps, and a naive map that knows each bucket's owner by name.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn name(index: usize) -> BackendName {
    BackendName::parse(&format!("b{index:02}")).unwrap()
}

/// A row over as many backends as there are weights.
fn row(weights: &[u64]) -> Shares {
    Shares::from_weights((0..).zip(weights).map(|(i, w)| (name(i), *w))).unwrap()
}

/// Owners by name, moved one by one: of the highest number first, to the first backend that lacks one.
fn naive(owners: &[BackendName], row: &Shares) -> Vec<BackendName> {
    let mut owners = owners.to_vec();
    let mut lacks: BTreeMap<BackendName, i32> = row
        .iter()
        .map(|(name, share)| (name.clone(), i32::from(share.get())))
        .collect();
    for owner in &owners {
        *lacks.entry(owner.clone()).or_default() -= 1;
    }
    for owner in owners.iter_mut().rev() {
        if lacks[owner] < 0 {
            *lacks.get_mut(owner).unwrap() += 1;
            let to = lacks.iter().find(|(_, lack)| **lack > 0).unwrap();
            *owner = to.0.clone();
            *lacks.get_mut(owner).unwrap() -= 1;
        }
    }
    owners
}

fn counts(map: &BucketMap, backends: usize) -> Vec<usize> {
    (0..backends)
        .map(|index| map.iter().filter(|owner| **owner == name(index)).count())
        .collect()
}

/// How many buckets have another owner.
fn moves(before: &BucketMap, after: &BucketMap) -> u16 {
    let pairs = before.iter().zip(after.iter());
    u16::try_from(pairs.filter(|(a, b)| a != b).count()).unwrap()
}

fn weights() -> impl Strategy<Value = Vec<u64>> {
    let weight = prop_oneof![1 => Just(0_u64), 4 => 1_u64..1000];
    prop::collection::vec(weight, 6).prop_filter("someone", |w| w.iter().any(|w| *w > 0))
}

#[test]
fn a_row_alone_gives_backends_their_buckets_in_the_order_of_names() {
    let map = BucketMap::canonical(&row(&[1, 0, 3]));
    let owner = |bucket| map.iter().nth(bucket);
    assert_eq!(owner(0), Some(&name(0)));
    assert_eq!(owner(2_499), Some(&name(0)));
    assert_eq!(owner(2_500), Some(&name(2)));
    assert_eq!(owner(9_999), Some(&name(2)));
    assert_eq!(owner(10_000), None);
}

#[test]
fn hashes_are_fixed_for_ever() {
    let map = BucketMap::canonical(&row(&[50, 50]));
    assert_eq!(format!("{:012x}", map.hash()), HASH_50_50);
    let moved = map.follow(&row(&[70, 30]));
    assert_eq!(format!("{:012x}", moved.hash()), HASH_70_30);
}

/// Computed apart: FNV-1a of `b00\0` 5000 `b01\0` 5000, lengths as 16 bits with the low byte first, without its low 16
/// bits; and of 7000 and 3000.
const HASH_50_50: &str = "bf8662d0866c";
const HASH_70_30: &str = "aef2179563d8";

#[test]
fn a_backend_that_left_gives_all_it_had() {
    let before = BucketMap::canonical(&row(&[1, 1]));
    let after = before.follow(&Shares::from_weights([(name(7), 1)]).unwrap());
    assert_eq!(moves(&before, &after), 10_000);
    assert!(after.iter().all(|owner| *owner == name(7)));
}

#[test]
fn what_is_down_is_spread_over_those_that_are_up() {
    let map = BucketMap::canonical(&row(&[1, 1, 1]));
    let overlaid = map.overlaid(&row(&[0, 1, 1]));
    // The first tenth of what the first backend had is divided as all of it is.
    let tenth = overlaid.iter().take(334).filter(|owner| **owner == name(1));
    assert!((162..=172).contains(&tenth.count()));
}

#[test]
fn damaged_maps_are_refused() {
    let read = |text: &str| serde_json::from_str::<BucketMap>(text);
    assert!(read(r#"{"backends":["a","b"],"runs":[[0,5000],[1,5000]]}"#).is_ok());
    for text in [
        r#"{"backends":["a"],"runs":[[0,9999]]}"#,
        r#"{"backends":["a","a"],"runs":[[0,5000],[1,5000]]}"#,
        r#"{"backends":["b","a"],"runs":[[0,5000],[1,5000]]}"#,
        r#"{"backends":["a","b"],"runs":[[0,10000]]}"#,
        r#"{"backends":["a"],"runs":[[0,5000],[1,5000]]}"#,
        r#"{"backends":[],"runs":[]}"#,
        r#"{"backends":["a","b"],"runs":[[0,10000],[1,0]]}"#,
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_change_moves_exactly_what_the_row_moves(rows in prop::collection::vec(weights(), 1..12)) {
        let mut before = row(&rows[0]);
        let mut map = BucketMap::canonical(&before);
        for weights in &rows {
            let next = row(weights);
            let moved = map.follow(&next);
            prop_assert_eq!(moves(&map, &moved), before.distance(&next).get());
            prop_assert!(moved.is_of(&next));
            prop_assert_eq!(map.is_of(&next), before == next);
            for (name, share) in next.iter() {
                let owned = moved.iter().filter(|owner| *owner == name).count();
                prop_assert_eq!(owned, usize::from(share.get()));
            }
            // Only what loses share loses buckets.
            for (was, is) in map.iter().zip(moved.iter()).filter(|(was, is)| was != is) {
                prop_assert!(next.get(was).unwrap_or_default() < before.get(was).unwrap_or_default());
                prop_assert!(next.get(is).unwrap_or_default() > before.get(is).unwrap_or_default());
            }
            (map, before) = (moved, next);
        }
    }

    #[test]
    fn a_change_and_its_reverse_come_back_to_the_map(a in weights(), b in weights()) {
        let map = BucketMap::canonical(&row(&a));
        prop_assert_eq!(map.follow(&row(&b)).follow(&row(&a)), map);
    }

    #[test]
    fn what_a_backend_gives_is_as_the_naive_map_says(a in weights(), b in weights(), c in weights()) {
        let map = BucketMap::canonical(&row(&a)).follow(&row(&b));
        let owners: Vec<BackendName> = map.iter().cloned().collect();
        let model = naive(&owners, &row(&c));
        let overlaid = map.overlaid(&row(&c));
        prop_assert_eq!(counts(&overlaid, 6), counts_of(&model, 6));
        // Which bucket moves is the same; who of the receivers gets it is spread.
        for ((was, model), is) in owners.iter().zip(&model).zip(overlaid.iter()) {
            prop_assert_eq!(model == was, is == was);
        }
    }

    #[test]
    fn while_one_returns_what_is_home_stays_home_and_others_keep_theirs(
        weights in prop::collection::vec(1_u64..1000, 3..6),
        steps in prop::collection::vec(0_u64..=100, 2..10),
    ) {
        let mut steps = steps;
        steps.push(0);
        steps.sort_unstable();
        let returning = Returning::of(&weights);
        for pair in steps.windows(2) {
            returning.check(pair[0], pair[1]);
        }
        prop_assert_eq!(returning.at(100).1, returning.map);
    }

    #[test]
    fn a_map_survives_the_wire(a in weights(), b in weights(), c in weights()) {
        let map = BucketMap::canonical(&row(&a)).follow(&row(&b)).overlaid(&row(&c));
        let text = serde_json::to_string(&map).unwrap();
        let read: BucketMap = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &map);
        prop_assert_eq!(read.hash(), map.hash());
    }
}

/// A service of which the first backend is returning.
struct Returning<'a> {
    weights: &'a [u64],
    map: BucketMap,
}

impl<'a> Returning<'a> {
    fn of(weights: &'a [u64]) -> Self {
        let map = BucketMap::canonical(&row(weights));
        Self { weights, map }
    }

    /// The row when so much of a hundred has risen, and the map that it is laid over.
    fn at(&self, step: u64) -> (Shares, BucketMap) {
        let numbered = (0..).zip(self.weights);
        let risen = numbered.map(|(i, w)| if i == 0 { w * step } else { w * 100 });
        let row = row(&risen.collect::<Vec<_>>());
        let map = self.map.overlaid(&row);
        (row, map)
    }

    /// From one step to a later one nothing leaves its home, but where the share of that is rounded to less than it was, and
    /// less than at home; and others keep what they have.
    #[track_caller]
    fn check(&self, before: u64, later: u64) {
        let ((row_before, before), (row_later, later)) = (self.at(before), self.at(later));
        let home = row(self.weights);
        let at_home = |row: &Shares, name: &BackendName| {
            let share = |row: &Shares| row.get(name).unwrap_or_default().get();
            share(row).min(share(&home))
        };
        let owners = || self.map.iter().zip(before.iter()).zip(later.iter());
        for (name, _) in home.iter() {
            let left =
                owners().filter(|((home, was), is)| *home == name && was == home && is != home);
            let rounded = at_home(&row_before, name).saturating_sub(at_home(&row_later, name));
            assert_eq!(
                left.count(),
                usize::from(rounded),
                "what was home at {name} left it"
            );
            assert!(rounded <= 1, "rounding is one basis point");
        }
        let astray = owners()
            .filter(|((home, was), is)| was != is && is != home)
            .count();
        // The ends of the ranges move by rounding alone.
        assert!(astray <= 60, "{astray} moved between others");
    }
}

#[test]
fn a_share_that_is_rounded_to_less_than_at_home_gives_that_bucket_alone() {
    // 41 basis points at home and 41.8 while the first is away, but 40.6 shortly before it is back, and others round up.
    let returning = Returning::of(&[47, 509, 6, 355, 565]);
    let shares = |step| returning.at(step).0.get(&name(2)).unwrap().get();
    assert_eq!((shares(0), shares(93), shares(100)), (42, 40, 41));
    returning.check(0, 93);
    returning.check(93, 100);
}

fn counts_of(owners: &[BackendName], backends: usize) -> Vec<usize> {
    (0..backends)
        .map(|index| owners.iter().filter(|owner| **owner == name(index)).count())
        .collect()
}
