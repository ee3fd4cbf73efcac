//! The rows of a ramp: on the straight line between two rows, in equal steps, each an exact row. A backend at zero at
//! both ends has zero all the way.

use bascule_model::{BasisPoints, Shares};

/// More steps than any ramp has: one basis point at a time, all the way.
const STEPS_MAX: usize = 10_000;

/// The row after `step` of `steps`; the end itself at the last step and above.
pub(super) fn row(from: &Shares, to: &Shares, step: usize, steps: usize) -> Shares {
    if step >= steps {
        return to.clone();
    }
    let (done, left) = (as_u64(step), as_u64(steps - step));
    let weights = to.iter().map(|(name, end)| {
        let start = from.get(name).unwrap_or_default();
        let weight = u64::from(start.get()) * left + u64::from(end.get()) * done;
        (name.clone(), weight)
    });
    // Weights that sum to zero are impossible here; the end of the ramp is a row in any case.
    Shares::from_weights(weights).unwrap_or_else(|_| to.clone())
}

/// The largest change of a backend's share between two rows.
pub(super) fn change_max(from: &Shares, to: &Shares) -> BasisPoints {
    let change = |(name, end): (_, BasisPoints)| {
        let start = from.get(name).unwrap_or_default();
        end.get().abs_diff(start.get())
    };
    BasisPoints::saturating(to.iter().map(change).max().unwrap_or(0))
}

/// How many steps it takes so that no step changes a share by more than `pace`; 0 when the rows are the same.
pub(super) fn steps(from: &Shares, to: &Shares, pace: BasisPoints) -> usize {
    let change = usize::from(change_max(from, to).get());
    let in_steps_of = |part: u16| change.div_ceil(usize::from(part).max(1));
    let least = in_steps_of(pace.get());
    // Rounding to exact rows can make one step a basis point larger than its part: then one step more.
    let fits = |steps: &usize| {
        (1..=*steps).all(|step| {
            let (before, after) = (row(from, to, step - 1, *steps), row(from, to, step, *steps));
            change_max(&before, &after) <= pace
        })
    };
    let mut tried = (least..STEPS_MAX).take(8);
    // In parts of one less than the pace every step fits, however it is rounded.
    tried
        .find(fits)
        .unwrap_or_else(|| in_steps_of(pace.get().saturating_sub(1)))
}

/// The largest change in one step of a ramp with this many steps; at least one basis point.
pub(super) fn pace_of(from: &Shares, to: &Shares, steps: usize) -> BasisPoints {
    let steps = u16::try_from(steps).unwrap_or(u16::MAX).max(1);
    BasisPoints::saturating(change_max(from, to).get().div_ceil(steps).max(1))
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(weights: &[u64]) -> Shares {
        let named = weights
            .iter()
            .enumerate()
            .map(|(n, w)| (format!("b{n}").parse().unwrap(), *w));
        Shares::from_weights(named).unwrap()
    }

    #[test]
    fn a_ramp_goes_in_equal_steps_of_at_most_the_pace() {
        let (from, to) = (shares(&[70, 30]), shares(&[50, 50]));
        let steps = steps(&from, &to, BasisPoints::saturating(500));
        let rows: Vec<String> = (0..=steps)
            .map(|n| row(&from, &to, n, steps).to_string())
            .collect();
        let wanted = [
            "b0=70 b1=30",
            "b0=65 b1=35",
            "b0=60 b1=40",
            "b0=55 b1=45",
            "b0=50 b1=50",
        ];
        assert_eq!(rows, wanted);
        assert_eq!(super::steps(&to, &to, BasisPoints::saturating(500)), 0);
    }

    #[test]
    fn a_step_that_no_small_number_of_steps_rounds_well_is_made_smaller() {
        let (from, to) = (shares(&[3, 75, 1]), shares(&[65, 0, 67]));
        let pace = BasisPoints::saturating(10);
        let steps = steps(&from, &to, pace);
        assert_eq!(steps, 1055, "9 494 basis points in parts of 9");
        for step in 1..=steps {
            let (before, now) = (
                row(&from, &to, step - 1, steps),
                row(&from, &to, step, steps),
            );
            assert!(change_max(&before, &now) <= pace, "{before} to {now}");
        }
    }

    proptest! {
        #[test]
        fn rows_sum_exactly_and_zero_at_both_ends_stays_zero(
            weights in prop::collection::vec((0_u64..100, 0_u64..100), 2..8), pace in 10_u16..5000,
        ) {
            let (a, b): (Vec<u64>, Vec<u64>) = weights.iter().copied().unzip();
            prop_assume!(a.iter().any(|w| *w > 0) && b.iter().any(|w| *w > 0));
            let (from, to) = (shares(&a), shares(&b));
            let pace = BasisPoints::saturating(pace);
            let count = steps(&from, &to, pace);
            let mut before = from.clone();
            for n in 1..=count {
                let now = row(&from, &to, n, count);
                prop_assert_eq!(now.iter().map(|(_, s)| u32::from(s.get())).sum::<u32>(), 10_000);
                prop_assert!(change_max(&before, &now) <= pace, "{} to {} in one step", before, now);
                for ((name, share), weight) in now.iter().zip(&weights) {
                    prop_assert!(*weight != (0, 0) || share.is_zero(), "{} got {}", name, share);
                }
                before = now;
            }
            prop_assert_eq!(before, to);
        }
    }
}
