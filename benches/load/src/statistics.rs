//! Medians, their range, and quantiles. Means are not used: one round that somebody disturbed would move them.

/// The middle of some values, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one; of an even number the mean of the middle two.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// The spread of some values; `None` where there is none.
#[must_use]
pub fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(Spread {
        median: f64::midpoint(lower, upper),
        min: *values.first()?,
        max: *values.last()?,
    })
}

/// The value below which a part (in per cent) of the sorted values lies: the nearest rank.
#[must_use]
pub fn quantile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_the_ends_whatever_the_order() {
        let of = |values: &[f64]| spread(values.iter().copied());
        let expected = Spread {
            median: 2.0,
            min: 1.0,
            max: 9.0,
        };
        assert_eq!(of(&[9.0, 1.0, 2.0]), Some(expected));
        let expected = Spread {
            median: 2.5,
            min: 1.0,
            max: 9.0,
        };
        assert_eq!(of(&[9.0, 1.0, 2.0, 3.0]), Some(expected));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 50), Some(50));
        assert_eq!(quantile(&hundred, 99), Some(99));
        assert_eq!(quantile(&[7], 99), Some(7));
        assert_eq!(quantile::<u32>(&[], 50), None);
    }
}
