//! The only place that reads a clock. Monotonic time is tokio's, so that a test with paused time moves everything that
//! asks here; wall time is the system's. Must never be used by pure crates: they are told the time.

use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use bascule_model::{Instant, Timestamp};

/// The first reading, and what [`now`] said of it. Not zero, as a runtime with paused time may stand a little earlier.
static FIRST: OnceLock<tokio::time::Instant> = OnceLock::new();
const FIRST_READING: Duration = Duration::from_secs(3600);

fn first() -> tokio::time::Instant {
    *FIRST.get_or_init(read)
}

fn read() -> tokio::time::Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads it"
    )]
    tokio::time::Instant::now()
}

/// Monotonic time now. Inside a runtime whose time is paused it is that runtime's.
#[must_use]
pub fn now() -> Instant {
    let (first, now) = (first(), read());
    let since = match now.checked_duration_since(first) {
        Some(after) => FIRST_READING + after,
        None => FIRST_READING.saturating_sub(first.duration_since(now)),
    };
    Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// The instant as tokio's timers understand it. Beyond what the platform can represent: 30 years from the first reading.
#[must_use]
pub fn to_tokio(at: Instant) -> tokio::time::Instant {
    let at = Duration::from_nanos(at.as_nanos());
    let far = Duration::from_secs(30 * 365 * 86_400);
    let first = first();
    if at >= FIRST_READING {
        let after = (at - FIRST_READING).min(far);
        first.checked_add(after).unwrap_or(first)
    } else {
        first.checked_sub(FIRST_READING - at).unwrap_or(first)
    }
}

/// Waits until `at`; at once when it has passed.
pub fn sleep_until(at: Instant) -> tokio::time::Sleep {
    tokio::time::sleep_until(to_tokio(at))
}

/// Waits until `at`, or for ever when there is none: for `poll_timeout` of the state machines.
pub async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Wall-clock time now; 1970 when the system's clock stands before it.
#[must_use]
pub fn wall() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads it"
    )]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What wall time it was at an instant that has passed.
#[must_use]
pub fn wall_of(at: Instant) -> Timestamp {
    let age = u64::try_from(now().since(at).as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(wall().as_millis().saturating_sub(age))
}

/// A wall-clock time as RFC 3339 in UTC with milliseconds: `2026-11-20T09:30:00.125Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(at) => format!("{at:.3}"),
        // Beyond the year 9999: the number is still the truth.
        Err(_) => at.as_millis().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_has_milliseconds_and_utc() {
        assert_eq!(
            rfc3339(Timestamp::from_millis(1_000_000_000_120)),
            "2001-09-09T01:46:40.120Z"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_moves_the_clock_exactly() {
        let before = now();
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(now().since(before), Duration::from_millis(1500));
    }

    #[tokio::test(start_paused = true)]
    async fn sleeping_until_an_instant_wakes_at_it() {
        let at = now() + Duration::from_secs(86_400);
        sleep_until(at).await;
        let late = now().since(at);
        assert!(now() >= at && late < Duration::from_millis(2), "{late:?}");
    }

    #[test]
    fn an_instant_far_outside_is_still_a_timer() {
        assert!(to_tokio(Instant::from_nanos(u64::MAX)) > to_tokio(now()));
        assert!(to_tokio(Instant::ZERO) < to_tokio(now()));
    }
}
