//! A token bucket: so many a second, ten times that at once.

use std::time::Duration;

use bascule_model::Instant;

/// How many seconds' worth may be spent at once.
const BURST_SECONDS: u64 = 10;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A budget that refills with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Nanoseconds that one token takes to come back; `None`: nothing may be spent, ever.
    refill: Option<u64>,
    /// What has been spent, in nanoseconds until it is back.
    debt: Duration,
    since: Instant,
}

impl Bucket {
    /// A full one of `per_second`.
    #[must_use]
    pub const fn full(per_second: u32, now: Instant) -> Self {
        Self {
            // Widening cannot fail.
            refill: NANOS_PER_SECOND.checked_div(per_second as u64),
            debt: Duration::ZERO,
            since: now,
        }
    }

    /// Spends one; `false`: it is empty.
    #[must_use]
    pub fn spend(&mut self, now: Instant) -> bool {
        let Some(refill) = self.refill else {
            return false;
        };
        self.debt = self.debt.saturating_sub(now.since(self.since));
        self.since = self.since.max(now);
        let debt = self.debt + Duration::from_nanos(refill);
        if debt > Duration::from_secs(BURST_SECONDS) {
            return false;
        }
        self.debt = debt;
        true
    }
}
