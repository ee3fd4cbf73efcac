//! What fields of an answer say, alike in all clouds: when it was given (`Date`), and how long to stay away (`Retry-After`).
//! Pure.

use std::time::{Duration, UNIX_EPOCH};

use bascule_model::Timestamp;

/// A date of HTTP (RFC 9110, 5.6.7).
#[must_use]
pub fn date(value: &str) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(value.trim()).ok()?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    let millis = u64::try_from(since.as_millis()).ok()?;
    Some(Timestamp::from_millis(millis))
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    match value.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => date(value).map(|at| at.since(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shall_stay_away_is_told_by_seconds_or_by_a_date() {
        let now = Timestamp::from_millis(784_111_777_000);
        let after = |value| retry_after(value, now);
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        let soon = "Sun, 06 Nov 1994 08:50:37 GMT";
        assert_eq!(after(soon), Some(Duration::from_secs(60)));
        let past = "Sun, 06 Nov 1994 08:48:37 GMT";
        assert_eq!(after(past), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }
}
