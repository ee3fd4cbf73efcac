//! How a backend's picks are divided between the endpoints of the edge's own zone and the others: all to its own while
//! enough of them are up, and less as they fall, by the curve that also moves shares between backends. It decides within a
//! backend only: no zone changes a share. Integers only.
//!
//! Why so: [decision 0017](../../../docs/decisions/0017-choosing-an-endpoint.md).

use bascule_model::BasisPoints;

/// The endpoints of one side: the edge's own zone, or all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    /// The weights of those that are usable; one that is returning counts by its ramp.
    pub usable: u64,
    /// The weights of all.
    pub total: u64,
}

impl Side {
    /// min(1, 1.4 × usable/total), in basis points: what it may carry of a load that all of it is made for.
    fn capacity(self) -> u64 {
        let scaled = u128::from(self.usable) * 14_000;
        let capacity = scaled.checked_div(u128::from(self.total)).unwrap_or(0);
        u64::try_from(capacity.min(10_000)).unwrap_or(10_000)
    }
}

/// The part of the picks that goes to the near side. Where both together cannot carry all, in proportion to what they can.
#[must_use]
pub fn near_part(near: Side, far: Side) -> BasisPoints {
    let (near, far) = (near.capacity(), far.capacity());
    let carried = (near + far).min(10_000);
    let part = (near * 10_000).checked_div(carried).unwrap_or(0);
    BasisPoints::saturating(u16::try_from(part).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(near: (u64, u64), far: (u64, u64)) -> u16 {
        let side = |(usable, total)| Side { usable, total };
        near_part(side(near), side(far)).get()
    }

    #[test]
    fn the_near_side_has_all_until_it_is_too_weak() {
        for (near, far, expected) in [
            ((10, 10), (10, 10), 10_000),
            ((8, 10), (10, 10), 10_000),
            ((5, 10), (10, 10), 7_000),
            ((1, 10), (10, 10), 1_400),
            ((0, 10), (10, 10), 0),
            // Too little on both sides: each by what it has.
            ((25, 100), (25, 100), 5_000),
            ((50, 100), (1, 100), 9_803),
            // Nobody else: all that is left here.
            ((1, 10), (0, 10), 10_000),
            ((1, 10), (0, 0), 10_000),
            ((0, 0), (3, 3), 0),
            ((0, 3), (0, 3), 0),
        ] {
            assert_eq!(part(near, far), expected, "{near:?} {far:?}");
        }
    }

    proptest! {
        #[test]
        fn more_that_is_usable_here_never_gives_less_and_there_never_more(
            total in (1_u64..100, 1_u64..100), near in 0_u64..100, far in 0_u64..100
        ) {
            let (near, far) = (near.min(total.0), far.min(total.1));
            let here = part((near, total.0), (far, total.1));
            prop_assert!(here <= 10_000);
            prop_assert!(part(((near + 1).min(total.0), total.0), (far, total.1)) >= here);
            prop_assert!(part((near, total.0), ((far + 1).min(total.1), total.1)) <= here);
            prop_assert_eq!(here == 0, near == 0);
            prop_assert!(far > 0 || near == 0 || here == 10_000);
        }
    }
}
