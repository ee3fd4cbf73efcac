//! Examples, the laws of a loss, and a naive model that pours the row basis point by basis point.

use proptest::prelude::*;

use super::*;
use crate::fixtures::points;

const NO_LIMIT: u16 = 10_000;

fn answer(base: &[Base], lost: &[usize], limits: &[u16]) -> (Vec<u16>, u16) {
    let limits: Vec<BasisPoints> = limits.iter().map(|limit| points(*limit)).collect();
    let row = shares(base, |index| lost.contains(&index), &limits);
    let shares = row.shares.iter().map(|share| share.get()).collect();
    (shares, row.shed.get())
}

#[test]
fn without_capacities_the_survivors_take_over_in_proportion() {
    let base = [Base::Part(50), Base::Part(30), Base::Part(20)];
    assert_eq!(
        answer(&base, &[2], &[NO_LIMIT; 3]),
        (vec![6250, 3750, 0], 0)
    );
}

#[test]
fn what_does_not_fit_one_survivor_goes_to_the_others_and_then_is_shed() {
    let base = [Base::Part(50), Base::Part(30), Base::Part(20)];
    let fits = answer(&base, &[2], &[5500, NO_LIMIT, NO_LIMIT]);
    assert_eq!(fits, (vec![5500, 4500, 0], 0));
    let shed = answer(&base, &[2], &[5500, 4000, NO_LIMIT]);
    assert_eq!(shed, (vec![5500, 4000, 0], 500));
}

#[test]
fn those_that_stand_by_take_what_fits_nowhere_else_in_equal_parts() {
    let base = [
        Base::Part(50),
        Base::Part(50),
        Base::Spare,
        Base::Spare,
        Base::Off,
    ];
    let limits = [6000, 6000, 500, NO_LIMIT, NO_LIMIT];
    assert_eq!(answer(&base, &[], &limits), (vec![5000, 5000, 0, 0, 0], 0));
    assert_eq!(
        answer(&base, &[1], &limits),
        (vec![6000, 0, 500, 3500, 0], 0)
    );
    assert_eq!(
        answer(&base, &[0, 1], &[NO_LIMIT; 5]),
        (vec![0, 0, 5000, 5000, 0], 0)
    );
}

#[test]
fn where_nobody_is_left_all_is_shed() {
    let base = [Base::Part(1), Base::Off];
    assert_eq!(answer(&base, &[0], &[NO_LIMIT; 2]), (vec![0, 0], NO_LIMIT));
}

fn base() -> impl Strategy<Value = Base> {
    prop_oneof![
        4 => (1_u64..=10_000).prop_map(Base::Part),
        1 => Just(Base::Spare),
        1 => Just(Base::Off),
    ]
}

/// Backends with base, limit, and whether they are lost.
fn backends() -> impl Strategy<Value = Vec<(Base, u16, bool)>> {
    let limit = prop_oneof![0_u16..=10_000, Just(NO_LIMIT)];
    prop::collection::vec((base(), limit, any::<bool>()), 1..12)
}

fn of(backends: &[(Base, u16, bool)]) -> LossRow {
    let base: Vec<Base> = backends.iter().map(|b| b.0).collect();
    let limits: Vec<BasisPoints> = backends.iter().map(|b| points(b.1)).collect();
    shares(&base, |index| backends[index].2, &limits)
}

/// Drop by drop: each basis point to the one that has least for its weight and is not full.
fn model(backends: &[(Base, u16, bool)]) -> (Vec<u16>, u16) {
    let mut given = vec![0_u16; backends.len()];
    for drop in 0..NO_LIMIT {
        let takes = |index: &usize, spare: bool| {
            let (base, limit, lost) = backends[*index];
            let fits = match base {
                Base::Part(_) => !spare,
                Base::Spare => spare,
                Base::Off => false,
            };
            fits && !lost && given[*index] < limit
        };
        let level = |index: &usize| {
            let weight = match backends[*index].0 {
                Base::Part(weight) => weight,
                Base::Spare | Base::Off => 1,
            };
            (f64::from(given[*index]) + 0.5) / weight as f64
        };
        let least = |spare| {
            let open = (0..backends.len()).filter(|index| takes(index, spare));
            open.min_by(|a, b| level(a).total_cmp(&level(b)))
        };
        match least(false).or_else(|| least(true)) {
            Some(index) => given[index] += 1,
            None => return (given, NO_LIMIT - drop),
        }
    }
    (given, 0)
}

proptest! {
    #[test]
    fn shares_and_shed_sum_exactly_and_nobody_gets_more_than_fits(backends in backends()) {
        let row = of(&backends);
        let sum: u32 = row.shares.iter().map(|share| u32::from(share.get())).sum();
        prop_assert_eq!(sum + u32::from(row.shed.get()), 10_000);
        for (share, (base, limit, lost)) in row.shares.iter().zip(&backends) {
            prop_assert!(share.get() <= *limit);
            prop_assert!(share.is_zero() || (!lost && *base != Base::Off));
        }
    }

    #[test]
    fn something_is_shed_only_where_everybody_left_is_full(backends in backends()) {
        let row = of(&backends);
        let open = |(share, (base, limit, lost)): (&BasisPoints, &(Base, u16, bool))| {
            !lost && *base != Base::Off && share.get() < *limit
        };
        let any_open = row.shares.iter().zip(&backends).any(open);
        prop_assert!(row.shed.is_zero() || !any_open);
    }

    #[test]
    fn it_is_what_pouring_drop_by_drop_gives(backends in backends()) {
        let row = of(&backends);
        let (expected, shed) = model(&backends);
        prop_assert_eq!(row.shed.get(), shed);
        for (share, expected) in row.shares.iter().zip(&expected) {
            // Rounding differs, by less than a basis point for each backend.
            let allowed = u16::try_from(backends.len()).unwrap();
            prop_assert!(share.get().abs_diff(*expected) <= allowed, "{:?} {:?}", row.shares, expected);
        }
    }

    #[test]
    fn losing_one_more_takes_nothing_from_the_others_and_sheds_no_less(
        backends in backends(), lost in any::<prop::sample::Index>()
    ) {
        let lost = lost.index(backends.len());
        let before = of(&backends);
        let mut worse = backends.clone();
        worse[lost].2 = true;
        let after = of(&worse);
        prop_assert!(after.shed >= before.shed);
        let rounding = u16::try_from(backends.len()).unwrap();
        for (index, (before, after)) in before.shares.iter().zip(&after.shares).enumerate() {
            prop_assert!(index == lost || after.get() + rounding >= before.get());
        }
    }

    #[test]
    fn more_capacity_never_sheds_more(backends in backends(), more in any::<prop::sample::Index>(), by in 0_u16..5000) {
        let before = of(&backends);
        let mut better = backends.clone();
        let limit = &mut better[more.index(backends.len())].1;
        *limit = limit.saturating_add(by).min(NO_LIMIT);
        prop_assert!(of(&better).shed <= before.shed);
    }

    #[test]
    fn nothing_lost_and_nothing_full_is_the_base_itself(weights in prop::collection::vec(1_u64..10_000, 1..12)) {
        let backends: Vec<_> = weights.iter().map(|w| (Base::Part(*w), NO_LIMIT, false)).collect();
        let shares: Vec<u16> = of(&backends).shares.iter().map(|share| share.get()).collect();
        prop_assert_eq!(Some(shares), largest_remainder(&weights, 10_000));
    }

    #[test]
    fn any_combination_costs_a_bounded_number_of_divisions(backends in prop::collection::vec((base(), 0_u16..=10_000, any::<bool>()), 1..64)) {
        let limit = |index: usize| backends[index].1;
        let mut row = Pouring::new(backends.len());
        row.pour(limit, |index| match backends[index].0 { Base::Part(w) if !backends[index].2 => w, _ => 0 });
        row.pour(limit, |index| u64::from(backends[index].0 == Base::Spare && !backends[index].2));
        prop_assert!(row.rounds <= 2 * backends.len() + 2, "{} rounds", row.rounds);
    }
}
