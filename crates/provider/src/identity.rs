//! Who a cloud takes the caller for, by credentials that it has taken, and how far the clocks are apart: a signature counts only
//! while they agree, so a clock that drifts is told before it ends everything. Pure.

use std::fmt;
use std::time::Duration;

use bascule_model::Timestamp;

use crate::fields;

/// Clocks that are further apart are told: a fifth of what AWS and OCI bear.
pub const SKEW_TOLD: Duration = Duration::from_mins(1);

/// Who a cloud takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As people name it, and in which region; nothing secret.
    pub name: String,
    /// How far this machine's clock is from the cloud's, where that is more than [`SKEW_TOLD`].
    pub skew: Option<Skew>,
}

/// How far this machine's clock is from a cloud's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skew {
    apart: Duration,
    side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Ahead,
    Behind,
}

impl Skew {
    /// By the `Date` of an answer that came at `now`, where they are further apart than this.
    #[must_use]
    pub fn of(date: Option<&str>, now: Timestamp, above: Duration) -> Option<Self> {
        let theirs = fields::date(date?)?;
        let skew = if theirs > now {
            Self {
                apart: theirs.since(now),
                side: Side::Behind,
            }
        } else {
            Self {
                apart: now.since(theirs),
                side: Side::Ahead,
            }
        };
        (skew.apart > above).then_some(skew)
    }

    /// In words, of this cloud: `this machine's clock is 400 s behind OCI's`.
    #[must_use]
    pub const fn from<'a>(&'a self, cloud: &'a str) -> impl fmt::Display + 'a {
        Told { skew: self, cloud }
    }
}

struct Told<'a> {
    skew: &'a Skew,
    cloud: &'a str,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.skew.side {
            Side::Ahead => "ahead of",
            Side::Behind => "behind",
        };
        let seconds = self.skew.apart.as_secs();
        write!(
            f,
            "this machine's clock is {seconds} s {side} {}'s",
            self.cloud
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_with_the_seconds_and_the_side() {
        let now = Timestamp::from_millis(784_111_777_000);
        let of = |date| {
            let skew = Skew::of(Some(date), now, SKEW_TOLD);
            skew.map(|skew| skew.from("OCI").to_string())
        };
        for (date, told) in [
            ("Sun, 06 Nov 1994 08:50:37 GMT", None),
            (
                "Sun, 06 Nov 1994 08:50:38 GMT",
                Some("this machine's clock is 61 s behind OCI's"),
            ),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None),
            (
                "Sun, 06 Nov 1994 08:48:36 GMT",
                Some("this machine's clock is 61 s ahead of OCI's"),
            ),
            ("yesterday", None),
        ] {
            assert_eq!(of(date).as_deref(), told, "{date}");
        }
        assert_eq!(Skew::of(None, now, SKEW_TOLD), None);
    }
}
