//! How traffic judges an endpoint: what a configuration says under `outlier`, defaults filled in. The numbers and their
//! reasons: `docs/decisions/0012-ejection.md`.

use std::time::Duration;

use bascule_model::BasisPoints;

/// How the endpoints of a service are judged by traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlierPolicy {
    /// Whether traffic takes endpoints out at all. Default true.
    pub enabled: bool,
    /// Failures in a row that can take an endpoint out: so few where it hardly ever fails, more where failures are
    /// usual; 2 to 100. Default 3.
    pub consecutive: u32,
    /// Below this part of failed tries the rate of failures takes nobody out. Default 20 %.
    pub error_ratio: BasisPoints,
    /// Answers below it are never slow. Default 250 ms.
    pub slow_min: Duration,
    /// How long an endpoint that was taken out gets nothing, times how often that was. Default 1 s.
    pub hold: Duration,
    /// The longest of these times. Default 30 s.
    pub hold_max: Duration,
    /// From one trial of a provider that failed to the next; from one that passed, half of it. Default 1 s.
    pub trial_every: Duration,
    /// After so long without being taken out, one time is forgotten. Default 60 s.
    pub forget: Duration,
    /// The largest part of a service's endpoints that may be out at once: rounded down, but at least one and never all.
    /// Default 90 %.
    pub share_max: BasisPoints,
}

impl OutlierPolicy {
    /// How many of so many endpoints may be out at once: of two, one; of one, none.
    #[must_use]
    pub fn allowed(&self, endpoints: usize) -> usize {
        let part = usize::from(self.share_max.get());
        let most = endpoints.saturating_sub(1);
        (endpoints.saturating_mul(part) / 10_000).max(1).min(most)
    }

    /// How long an endpoint gets nothing after it was taken out for the n-th time.
    #[must_use]
    pub fn hold_of(&self, times: u32) -> Duration {
        self.hold.saturating_mul(times.max(1)).min(self.hold_max)
    }
}

impl Default for OutlierPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            consecutive: 3,
            error_ratio: BasisPoints::saturating(2_000),
            slow_min: Duration::from_millis(250),
            hold: Duration::from_secs(1),
            hold_max: Duration::from_secs(30),
            trial_every: Duration::from_secs(1),
            forget: Duration::from_secs(60),
            share_max: BasisPoints::saturating(9_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_endpoints_one_may_be_out_and_never_all() {
        let policy = OutlierPolicy::default();
        let allowed = [0, 1, 2, 3, 4, 5, 10, 20].map(|count| policy.allowed(count));
        assert_eq!(allowed, [0, 0, 1, 2, 3, 4, 9, 18]);
        for part in [0, 1, 10_000] {
            let share_max = BasisPoints::saturating(part);
            let policy = OutlierPolicy {
                share_max,
                ..policy
            };
            assert_eq!([1, 2].map(|count| policy.allowed(count)), [0, 1], "{part}");
        }
    }

    #[test]
    fn the_hold_grows_with_each_time_up_to_its_longest() {
        let policy = OutlierPolicy::default();
        let seconds = [0, 1, 2, 30, 31, u32::MAX].map(|times| policy.hold_of(times).as_secs());
        assert_eq!(seconds, [1, 1, 2, 30, 30, 30]);
    }
}
