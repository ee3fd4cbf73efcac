//! How long an endpoint takes to answer, as its picks see it: a peak average that believes a slow answer at once and a fast
//! one slowly, and forgets. What failed, or asked to be left alone, counts as slow for a while, and no longer: an endpoint
//! that is repaired is not punished for its past. Told the time; one for each worker and endpoint.
//!
//! The reasons for the numbers: [decision 0017](../../../docs/decisions/0017-choosing-an-endpoint.md).

use std::time::Duration;

use bascule_model::Instant;

/// A sample has lost two thirds of its say after it.
const DECAY: Duration = Duration::from_secs(10);
/// What an endpoint counts as that has not answered yet, unless others are faster: 30 ms.
pub(crate) const UNSEEN_NANOS: u64 = 30_000_000;
/// How long a failure counts: as long as one that is suspected waits for its trial.
const PENALTY: Duration = Duration::from_secs(1);
/// The longest that `Retry-After` counts. Whoever wants to be left alone for longer is better taken out.
const PENALTY_MAX: Duration = Duration::from_secs(60);

/// The peak average of one endpoint, as one worker sees it. Plain numbers, so that it can be kept in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeakEwma {
    /// The average when it was last told of an answer, in nanoseconds; 0 before the first.
    pub nanos: u64,
    /// When that was, in nanoseconds of the clock.
    pub at: u64,
    /// Until when it counts as slow, in nanoseconds of the clock.
    pub slow_until: u64,
}

impl PeakEwma {
    /// It answered, well or not, after so long.
    #[must_use]
    pub fn answered(self, now: Instant, took: Duration) -> Self {
        let nanos = nanos_of(took).max(1);
        let next = if nanos >= self.nanos {
            nanos
        } else {
            let kept = self.kept(now);
            blend(self.nanos, kept).saturating_add(blend(nanos, 1.0 - kept))
        };
        Self {
            nanos: next.max(1),
            at: now.as_nanos(),
            ..self
        }
    }

    /// It had not answered after so long, and nobody waits any more: it is at least that slow, and may be slower.
    #[must_use]
    pub fn waited(self, now: Instant, took: Duration) -> Self {
        if nanos_of(took) > self.decayed(now) {
            self.answered(now, took)
        } else {
            self
        }
    }

    /// It failed, or said that it has too much to do; `retry_after` is for how long, where it said that.
    #[must_use]
    pub fn penalised(self, now: Instant, retry_after: Option<Duration>) -> Self {
        let wait = retry_after.unwrap_or(PENALTY).min(PENALTY_MAX);
        let until = now.as_nanos().saturating_add(nanos_of(wait));
        Self {
            slow_until: self.slow_until.max(until),
            ..self
        }
    }

    /// What it counts as now, in nanoseconds; `None` where nothing is known of it.
    #[must_use]
    pub fn latency(self, now: Instant) -> Option<u64> {
        let penalty = self.slow_until.saturating_sub(now.as_nanos());
        match (self.nanos, penalty) {
            (0, 0) => None,
            (0, penalty) => Some(UNSEEN_NANOS.saturating_add(penalty)),
            (_, penalty) => Some(self.decayed(now).saturating_add(penalty)),
        }
    }

    /// The part that the average still has of what it was.
    fn kept(self, now: Instant) -> f64 {
        let since = Duration::from_nanos(now.as_nanos().saturating_sub(self.at));
        (-since.as_secs_f64() / DECAY.as_secs_f64()).exp()
    }

    /// The average, with the time since the last answer as if it had been fast: a slow endpoint is tried again.
    fn decayed(self, now: Instant) -> u64 {
        blend(self.nanos, self.kept(now))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a part of a number of nanoseconds, between nothing and the whole of it"
)]
fn blend(nanos: u64, part: f64) -> u64 {
    (nanos as f64 * part) as u64
}

fn nanos_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
