//! What traffic saw of one endpoint, in exact buckets: over the last second, ten seconds and minute. A bucket holds what
//! ended in its span and leaves as a whole; there is no average that a burst of long ago still bends.

use std::time::Duration;

use bascule_model::signal::LATENCY_BUCKETS;
use bascule_model::{FailureClass, Instant};

/// What was counted in some span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Tries answered, and not with a failure.
    pub(super) answers: u64,
    /// Tries that failed, by class.
    pub(super) failures: [u64; FailureClass::ALL.len()],
    /// Times to the head of those answers, by class of length.
    pub(super) latency: [u64; LATENCY_BUCKETS],
    /// Moments in which something failed. A connection that breaks fails all of its requests in one.
    pub(super) moments: u64,
}

impl Seen {
    /// Tries that failed.
    pub(super) fn failed(&self) -> u64 {
        self.failures.iter().sum()
    }

    /// All tries.
    pub(super) fn tries(&self) -> u64 {
        self.answers.saturating_add(self.failed())
    }

    /// The class that failures had most often; of equals the first.
    pub(super) fn worst_class(&self) -> FailureClass {
        let most = self.failures.iter().max().copied().unwrap_or(0);
        let with_counts = FailureClass::ALL.into_iter().zip(self.failures);
        let mut those = with_counts.filter(|(_, count)| *count == most);
        those
            .next()
            .map_or(FailureClass::Connect, |(class, _)| class)
    }

    /// The class of length that half of the answers do not exceed; `None` without answers.
    pub(super) fn median(&self) -> Option<usize> {
        let total: u64 = self.latency.iter().sum();
        let mut below = 0_u64;
        let reaches_half = |count: &u64| {
            below = below.saturating_add(*count);
            total > 0 && below.saturating_mul(2) >= total
        };
        self.latency.iter().position(reaches_half)
    }

    /// Adds what another span saw.
    pub(super) fn add(&mut self, other: &Self) {
        self.answers = self.answers.saturating_add(other.answers);
        self.moments = self.moments.saturating_add(other.moments);
        let failures = self.failures.iter_mut().zip(&other.failures);
        let latency = self.latency.iter_mut().zip(&other.latency);
        for (sum, more) in failures.chain(latency) {
            *sum = sum.saturating_add(*more);
        }
    }

    /// What is left of it without another span that is part of it.
    pub(super) fn without(&self, part: &Self) -> Self {
        let mut rest = *self;
        rest.answers = rest.answers.saturating_sub(part.answers);
        rest.moments = rest.moments.saturating_sub(part.moments);
        let failures = rest.failures.iter_mut().zip(&part.failures);
        let latency = rest.latency.iter_mut().zip(&part.latency);
        for (left, taken) in failures.chain(latency) {
            *left = left.saturating_sub(*taken);
        }
        rest
    }
}

/// The lengths of time over which an endpoint is looked at. Shorter ones are quick, longer ones see what is rare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Horizon {
    /// A second, in tenths.
    Second,
    /// Ten seconds, in seconds.
    Ten,
    /// A minute, in tens of seconds.
    Minute,
}

impl Horizon {
    pub(super) const ALL: [Self; 3] = [Self::Second, Self::Ten, Self::Minute];
}

/// Buckets of one width; the newest is still being filled.
#[derive(Debug, Clone, PartialEq)]
struct Ring<const COUNT: usize> {
    width: Duration,
    /// The number of the newest bucket since the epoch.
    newest: u64,
    /// By number, modulo their count.
    buckets: [Seen; COUNT],
    /// All of them together.
    sum: Seen,
}

impl<const COUNT: usize> Ring<COUNT> {
    fn new(width: Duration) -> Self {
        Self {
            width,
            newest: 0,
            buckets: [Seen::default(); COUNT],
            sum: Seen::default(),
        }
    }

    /// Lets go what has left the ring by now.
    fn advance(&mut self, now: Instant) {
        let width = u64::try_from(self.width.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let number = (now.as_nanos() / width).max(self.newest);
        let size = u64::try_from(COUNT).unwrap_or(u64::MAX);
        let first_new = (self.newest + 1).max((number + 1).saturating_sub(size));
        for gone in first_new..=number {
            let left = self.at(gone).map(std::mem::take).unwrap_or_default();
            self.sum = self.sum.without(&left);
        }
        self.newest = number;
    }

    fn at(&mut self, number: u64) -> Option<&mut Seen> {
        let size = u64::try_from(COUNT).ok()?;
        let place = usize::try_from(number.checked_rem(size)?).ok()?;
        self.buckets.get_mut(place)
    }

    fn add(&mut self, seen: &Seen) {
        if let Some(bucket) = self.at(self.newest) {
            bucket.add(seen);
            self.sum.add(seen);
        }
    }

    fn clear(&mut self) {
        self.buckets = [Seen::default(); COUNT];
        self.sum = Seen::default();
    }

    /// Takes what another ring holds out of this one: from the newest bucket what it has of that, the rest from those before.
    fn take_out(&mut self, part: &Seen) {
        let mut left = *part;
        for age in 0..u64::try_from(COUNT).unwrap_or(u64::MAX) {
            let number = self.newest.checked_sub(age);
            let Some(bucket) = number.and_then(|number| self.at(number)) else {
                break;
            };
            let before = *bucket;
            *bucket = before.without(&left);
            left = left.without(&before);
        }
        self.sum = Seen::default();
        for bucket in &self.buckets {
            self.sum.add(bucket);
        }
    }
}

/// The buckets of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    second: Ring<10>,
    ten: Ring<10>,
    minute: Ring<6>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            second: Ring::new(Duration::from_millis(100)),
            ten: Ring::new(Duration::from_secs(1)),
            minute: Ring::new(Duration::from_secs(10)),
        }
    }
}

impl Window {
    /// Lets go what is too old by now.
    pub(super) fn advance(&mut self, now: Instant) {
        self.second.advance(now);
        self.ten.advance(now);
        self.minute.advance(now);
    }

    /// Counts what was seen since the last time.
    pub(super) fn add(&mut self, seen: &Seen) {
        self.second.add(seen);
        self.ten.add(seen);
        self.minute.add(seen);
    }

    /// What was seen over a horizon. Its oldest bucket may be gone in part, never beyond.
    pub(super) fn over(&self, horizon: Horizon) -> Seen {
        match horizon {
            Horizon::Second => self.second.sum,
            Horizon::Ten => self.ten.sum,
            Horizon::Minute => self.minute.sum,
        }
    }

    /// What is usual: the last minute without what the horizon holds. Nothing for the minute itself.
    pub(super) fn before(&self, horizon: Horizon) -> Seen {
        self.minute.sum.without(&self.over(horizon))
    }

    /// Forgets the last ten seconds: what an endpoint did before it was taken out says nothing once it is back, and is not
    /// what is usual.
    pub(super) fn forget_recent(&mut self) {
        let recent = self.ten.sum;
        self.minute.take_out(&recent);
        self.ten.clear();
        self.second.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers(count: u64) -> Seen {
        Seen {
            answers: count,
            ..Seen::default()
        }
    }

    proptest! {
        /// Beside it the long way: every addition kept with its time, and those of the right buckets summed.
        #[test]
        fn a_horizon_holds_exactly_the_buckets_of_its_span(
            steps in prop::collection::vec((0_u64..4_000, 0_u64..50), 1..60),
        ) {
            let mut window = Window::default();
            let mut all: Vec<(u64, u64)> = Vec::new();
            let mut now = 1_000_000_u64;
            for (wait, count) in steps {
                now += wait;
                window.advance(Instant::from_millis(now));
                window.add(&answers(count));
                all.push((now, count));
                for (horizon, width, buckets) in [
                    (Horizon::Second, 100, 10),
                    (Horizon::Ten, 1_000, 10),
                    (Horizon::Minute, 10_000, 6),
                ] {
                    let inside = |at: u64| now / width - at / width < buckets;
                    let naive: u64 = all.iter().filter(|(at, _)| inside(*at)).map(|(_, c)| c).sum();
                    prop_assert_eq!(window.over(horizon).answers, naive);
                }
            }
        }
    }

    #[test]
    fn what_was_recent_is_forgotten_and_what_was_usual_stays() {
        let mut window = Window::default();
        window.advance(Instant::from_millis(100_000));
        window.add(&answers(7));
        window.advance(Instant::from_millis(115_000));
        window.add(&answers(5));
        window.forget_recent();
        assert_eq!(window.over(Horizon::Second).answers, 0);
        assert_eq!(window.over(Horizon::Minute).answers, 7);
    }

    #[test]
    fn what_is_recent_is_forgotten_where_it_is_in_two_buckets_too() {
        let mut window = Window::default();
        for (at, count) in [(95, 7), (103, 2), (108, 3), (111, 5)] {
            window.advance(Instant::from_millis(at * 1_000));
            window.add(&answers(count));
        }
        window.forget_recent();
        assert_eq!(window.over(Horizon::Minute).answers, 7);
    }

    #[test]
    fn the_median_is_where_half_of_the_answers_are() {
        let mut seen = Seen::default();
        assert_eq!(seen.median(), None);
        seen.latency[3] = 2;
        seen.latency[9] = 2;
        assert_eq!(seen.median(), Some(3));
        seen.latency[9] = 3;
        assert_eq!(seen.median(), Some(9));
    }
}
