//! A histogram whose buckets grow by a fixed ratio, so that quantiles have a bounded relative error and two of them
//! merge by adding. Records microseconds: 16 buckets an octave, so a value is known to within 6.25 %, from 1 µs to
//! 1.2 hours; what is outside is counted in the first or the last bucket. `telemetry` keeps the same buckets as atomics.

use std::time::Duration;

/// Buckets an octave, as a power of two.
const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// Octaves above the linear part.
const OCTAVES: u32 = 28;
/// How many buckets there are.
pub const BUCKETS: usize = ((OCTAVES + 1) << SUB_BITS) as usize;

/// The bucket of a duration.
#[must_use]
pub fn bucket_of(value: Duration) -> usize {
    let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    if micros < SUB {
        return usize::try_from(micros).unwrap_or(0);
    }
    let octave = micros.ilog2() - SUB_BITS;
    let within = (micros >> octave) - SUB;
    let index = (u64::from(octave + 1) << SUB_BITS) + within;
    usize::try_from(index)
        .unwrap_or(usize::MAX)
        .min(BUCKETS - 1)
}

/// The lowest duration of a bucket; of `BUCKETS` and above, the upper end of the last.
#[must_use]
fn bucket_start(bucket: usize) -> Duration {
    let bucket = u64::try_from(bucket.min(BUCKETS)).unwrap_or(0);
    let octave = bucket >> SUB_BITS;
    let within = bucket & (SUB - 1);
    let micros = if octave == 0 {
        within
    } else {
        (SUB + within) << (octave - 1)
    };
    Duration::from_micros(micros)
}

/// Counts by duration. Empty it takes no memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    sum_micros: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: Duration) {
        self.add_bucket(bucket_of(value), 1);
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// Adds `count` values to a bucket, without adding to the sum; see [`add_sum`](Self::add_sum).
    pub fn add_bucket(&mut self, bucket: usize, count: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; BUCKETS];
        }
        if let Some(cell) = self.counts.get_mut(bucket) {
            *cell = cell.saturating_add(count);
        }
    }

    /// Adds to the sum of the values.
    pub const fn add_sum(&mut self, sum: Duration) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "584 thousand years in microseconds"
        )]
        let micros = sum.as_micros() as u64;
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in other
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            self.add_bucket(bucket, *count);
        }
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }

    /// What came since `earlier`, which must be an earlier state of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bucket: usize| earlier.counts.get(bucket).copied().unwrap_or(0);
        let difference = |(bucket, count): (usize, &u64)| count.saturating_sub(before(bucket));
        Self {
            counts: self.counts.iter().enumerate().map(difference).collect(),
            sum_micros: self.sum_micros.saturating_sub(earlier.sum_micros),
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of the values.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    /// How many values were below `limit`, counting a bucket that `limit` cuts as below when more than half of it is.
    #[must_use]
    pub fn count_below(&self, limit: Duration) -> u64 {
        let middle = |bucket: usize| (bucket_start(bucket) + bucket_start(bucket + 1)) / 2;
        self.counts
            .iter()
            .enumerate()
            .filter(|(bucket, _)| middle(*bucket) <= limit)
            .map(|(_, c)| c)
            .sum()
    }

    /// The value that a ratio `q` of the values does not exceed, to within a bucket (its upper end); `None` when empty.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let total = self.count();
        if total == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank needs no more precision than a float has"
        )]
        let rank = ((total as f64 * q.clamp(0.0, 1.0)).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(bucket_start(bucket + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.95), None);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(micros in 0_u64..4_000_000_000) {
            let value = Duration::from_micros(micros);
            let bucket = bucket_of(value);
            prop_assert!(bucket_start(bucket) <= value);
            prop_assert!(value < bucket_start(bucket + 1));
        }

        #[test]
        fn quantiles_are_within_a_bucket_of_the_sorted_values(
            mut values in prop::collection::vec(16_u64..100_000_000, 1..200), q in 0.0_f64..1.0
        ) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|v| histogram.record(Duration::from_micros(*v)));
            values.sort_unstable();
            // The lowest value that a ratio q of the values does not exceed, found by counting.
            let reaches = |n: usize| (n + 1) as f64 >= values.len() as f64 * q;
            let at = (0..values.len()).find(|n| reaches(*n)).unwrap();
            let exact = values[at] as f64;
            let found = histogram.quantile(q).unwrap().as_micros() as f64;
            prop_assert!(found >= exact && found <= exact * 1.0626 + 1.0, "{} {}", found, exact);
        }

        #[test]
        fn merging_then_subtracting_gives_the_part_back(a in prop::collection::vec(0_u64..9_999_999, 0..50), b in prop::collection::vec(0_u64..9_999_999, 1..50)) {
            let build = |v: &[u64]| {
                let mut h = Histogram::default();
                v.iter().for_each(|x| h.record(Duration::from_micros(*x)));
                h
            };
            let mut all = build(&a);
            all.merge(&build(&b));
            prop_assert_eq!(all.since(&build(&a)), build(&b));
        }
    }
}
