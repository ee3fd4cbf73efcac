//! What an edge tells the controller and its own judge: totals since its start, so that a lost report loses nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::{BackendName, EndpointId, Histogram, Instant, ServiceName};

/// Totals of one backend at one edge at one instant. Only grows (but for `in_flight`); the receiver takes differences.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendSignal {
    /// When the totals were read.
    pub at: Instant,
    /// The service.
    pub service: ServiceName,
    /// The backend.
    pub backend: BackendName,
    /// Requests finished with this backend's answer or failure.
    pub requests: u64,
    /// Of these, those that the client or the proxy saw fail for the backend's fault: 5xx, cut, refused, timed out.
    pub errors: u64,
    /// Picks by share: what the share decides about, retries and affinity excluded.
    pub picks: u64,
    /// Requests running now.
    pub in_flight: u64,
    /// Time from request to response head of finished requests, in seconds.
    pub latency: Histogram,
}

/// Why a try at an endpoint failed, as far as judging the endpoint needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No connection was made: refused, unreachable, or its TLS failed.
    Connect,
    /// A connection broke, or carried what is no response.
    Reset,
    /// Nothing came in time: no connection, no answer, or no more of it.
    Timeout,
    /// 502, 503 or 504: the endpoint says itself that it cannot.
    Unavailable,
    /// Another 5xx: the endpoint failed at this request.
    Error,
}

impl FailureClass {
    /// Every class, by [`index`](Self::index).
    pub const ALL: [Self; 5] = [
        Self::Connect,
        Self::Reset,
        Self::Timeout,
        Self::Unavailable,
        Self::Error,
    ];

    /// The class of an answer's status; `None`: it is no failure of the endpoint.
    #[must_use]
    pub const fn of_status(status: u16) -> Option<Self> {
        match status {
            502..=504 => Some(Self::Unavailable),
            500..=599 => Some(Self::Error),
            _ => None,
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Error => "error",
        }
    }
}

/// How many classes of time [`latency_bucket`] knows.
pub const LATENCY_BUCKETS: usize = 16;

/// The class of a time to the response head: each reaches twice as far as the one before, from a quarter millisecond to
/// four seconds; what is longer is in the last. Coarse, as it is counted for every request and compared by factors.
#[must_use]
pub fn latency_bucket(took: Duration) -> usize {
    let units = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) >> 18;
    let bits = usize::try_from(u64::BITS - units.leading_zeros()).unwrap_or(usize::MAX);
    bits.min(LATENCY_BUCKETS - 1)
}

/// The longest time of a class; of the last, where it begins.
#[must_use]
pub fn latency_of_bucket(bucket: usize) -> Duration {
    let bits = u32::try_from(bucket.min(LATENCY_BUCKETS - 2)).unwrap_or(0);
    Duration::from_nanos((1 << 18) << bits)
}

/// What all workers of an edge have seen of one endpoint since the edge knows it. Only grows; the receiver takes differences. It
/// begins anew when an endpoint was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointTotals {
    /// Tries answered, and not with a failure.
    pub answers: u64,
    /// Tries that failed, by [`FailureClass::index`].
    pub failures: [u64; FailureClass::ALL.len()],
    /// Times to the response head of answers that are no failures, by [`latency_bucket`].
    pub latency: [u64; LATENCY_BUCKETS],
    /// Trials: requests sent to find out whether an endpoint that was taken out works again. They are in none of the other
    /// numbers.
    pub trials: TrialTotals,
}

/// Of trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialTotals {
    /// Sent.
    pub begun: u64,
    /// Answered, and not with a failure.
    pub passed: u64,
    /// Failed, or given up by the client before an answer.
    pub failed: u64,
    /// The times to the response head of those that passed, together, in nanoseconds.
    pub latency_nanos: u64,
}

impl EndpointTotals {
    /// Failures of all classes.
    #[must_use]
    pub fn failures_sum(&self) -> u64 {
        self.failures.iter().sum()
    }
}

/// A failure of traffic, told as it happens: whoever judges should look now. Totals say how many there were; this may be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficFailure {
    /// Of which endpoint.
    pub endpoint: Arc<EndpointId>,
    /// How.
    pub class: FailureClass,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fail_by_class_and_what_a_client_does_wrong_is_no_failure() {
        let classes = [200, 302, 404, 429, 499].map(FailureClass::of_status);
        assert_eq!(classes, [None; 5]);
        for status in [502, 503, 504] {
            let class = FailureClass::of_status(status);
            assert_eq!(class, Some(FailureClass::Unavailable), "{status}");
        }
        for status in [500, 501, 505, 599] {
            let class = FailureClass::of_status(status);
            assert_eq!(class, Some(FailureClass::Error), "{status}");
        }
    }

    #[test]
    fn a_class_stands_at_its_index() {
        for (place, class) in FailureClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), place);
        }
    }

    #[test]
    fn each_class_of_latency_reaches_twice_as_far_as_the_one_before() {
        for bucket in 0..LATENCY_BUCKETS - 1 {
            let end = latency_of_bucket(bucket);
            assert_eq!(latency_bucket(end - Duration::from_nanos(1)), bucket);
            assert_eq!(latency_bucket(end), bucket + 1);
        }
        assert_eq!(latency_bucket(Duration::ZERO), 0);
        assert_eq!(latency_bucket(Duration::MAX), LATENCY_BUCKETS - 1);
    }
}
