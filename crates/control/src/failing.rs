//! A failure that lasts: since when, how often, and when it is tried again: soon at first, then more and more seldom, and
//! never before the cloud wants it. The same for all that is asked of clouds.

use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::{Error, Kind};
use bascule_telemetry::clock;

/// After a first failure; twice as long after each further one, up to the usual pause.
const AGAIN: Duration = Duration::from_secs(2);
/// By how much a pause may be shorter, by chance: what was asked together is not asked together for ever.
const JITTER: f64 = 0.1;

/// Something in a cloud that fails.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Failing {
    /// The kind of the last failure.
    pub kind: &'static str,
    /// What a person wants to know of it.
    pub message: String,
    /// When the first of these failures came.
    pub since: Timestamp,
    /// How many they are.
    pub count: u32,
}

impl Failing {
    /// One failure more.
    pub(crate) fn after(before: Option<&Self>, error: &Error) -> Self {
        Self {
            kind: error.kind.as_str(),
            message: error.to_string(),
            since: before.map_or_else(clock::wall, |before| before.since),
            count: before.map_or(1, |before| before.count.saturating_add(1)),
        }
    }
}

/// How long to wait until it is asked again, after so many failures in a row, the last of this kind.
pub(crate) fn pause(usual: Duration, failures: u32, kind: Option<Kind>) -> Duration {
    let pause = match failures.checked_sub(1) {
        None => usual,
        Some(further) => usual.min(AGAIN.saturating_mul(1 << further.min(16))),
    };
    let pause = pause.mul_f64(1.0 - JITTER * fastrand::f64());
    match kind {
        Some(Kind::Throttled {
            retry_after: Some(at_least),
        }) => pause.max(at_least),
        _ => pause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_usual_one_and_are_never_shorter_than_the_cloud_wants() {
        let usual = Duration::from_secs(15);
        let bounds = |seconds: u64| {
            let most = Duration::from_secs(seconds);
            most.mul_f64(1.0 - JITTER)..=most
        };
        for (failures, seconds) in [(0, 15), (1, 2), (2, 4), (3, 8), (4, 15), (u32::MAX, 15)] {
            let pause = pause(usual, failures, Some(Kind::Transient));
            assert!(bounds(seconds).contains(&pause), "{failures}: {pause:?}");
        }
        let retry_after = Some(Duration::from_secs(60));
        let throttled = Some(Kind::Throttled { retry_after });
        assert_eq!(pause(usual, 1, throttled), Duration::from_secs(60));
    }
}
