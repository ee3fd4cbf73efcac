//! Numbers, times and rows as people read them. Pure; every table and sentence of the commands uses these, so that one
//! quantity never looks two ways.

use std::collections::BTreeMap;

use bascule_telemetry::clock;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What stands where nothing is known.
pub(crate) const NONE: &str = "–";

/// What time it is, and where.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now: Timestamp,
    zone: TimeZone,
}

impl Clock {
    /// The system's time and zone.
    pub(crate) fn system() -> Self {
        let millis = i64::try_from(clock::wall().as_millis()).unwrap_or(i64::MAX);
        Self {
            now: Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX),
            zone: TimeZone::system(),
        }
    }

    /// A time in UTC, for tests.
    #[cfg(test)]
    pub(crate) fn at(now: &str) -> Self {
        Self {
            now: now.parse().unwrap(),
            zone: TimeZone::UTC,
        }
    }

    /// `18:41` today, `2026-11-20 18:41` on another day.
    pub(crate) fn short(&self, at: Timestamp) -> String {
        let (at, now) = (
            at.to_zoned(self.zone.clone()),
            self.now.to_zoned(self.zone.clone()),
        );
        let format = if at.date() == now.date() {
            "%H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        at.strftime(format).to_string()
    }

    /// `2026-11-20 18:41:03`.
    pub(crate) fn long(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    }

    /// `23h left`, or `over`.
    pub(crate) fn left(&self, until: Timestamp) -> String {
        let seconds = until.as_second().saturating_sub(self.now.as_second());
        match u64::try_from(seconds) {
            Ok(seconds @ 1..) => format!("{} left", coarse(seconds)),
            _ => "over".to_owned(),
        }
    }

    /// How long ago, in whole seconds.
    pub(crate) fn ago(&self, at: Timestamp) -> u64 {
        u64::try_from(self.now.as_second().saturating_sub(at.as_second())).unwrap_or(0)
    }
}

/// The largest unit alone: `45s`, `12m`, `23h`, `6d`.
pub(crate) fn coarse(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `45s`, `3m00s`, `1h34m`.
pub(crate) fn duration(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, and maps what is not a number to 0"
    )]
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A share with as many decimals as needed, at most two: `50`, `33.33`.
pub(crate) fn share(percent: f64) -> String {
    let text = format!("{percent:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// A measured share: `50.2 %`.
pub(crate) fn measured(percent: Option<f64>) -> String {
    percent.map_or_else(|| NONE.to_owned(), |percent| format!("{percent:.1} %"))
}

/// Errors per request: `0.021 %`, `0 %`, `12.5 %`.
pub(crate) fn errors(ratio: Option<f64>) -> String {
    match ratio.map(|ratio| ratio * 100.0) {
        None => NONE.to_owned(),
        Some(percent) if percent <= 0.0 => "0 %".to_owned(),
        Some(percent) if percent < 1.0 => format!("{percent:.3} %"),
        Some(percent) => format!("{percent:.1} %"),
    }
}

/// A latency: `6.1 ms`, `143 ms`, `1.25 s`.
pub(crate) fn latency(seconds: Option<f64>) -> String {
    match seconds.map(|seconds| seconds * 1000.0) {
        None => NONE.to_owned(),
        Some(millis) if millis < 10.0 => format!("{millis:.1} ms"),
        Some(millis) if millis < 1000.0 => format!("{millis:.0} ms"),
        Some(millis) => format!("{:.2} s", millis / 1000.0),
    }
}

/// A rate: `0`, `7.2/s`, `8400/s`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 10.0 => format!("{rate:.1}/s"),
        rate => format!("{rate:.0}/s"),
    }
}

/// A count in groups of three: `11,934`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A row for people: `aws 65  oci 35`.
pub(crate) fn row(shares: &BTreeMap<String, f64>) -> String {
    let parts: Vec<String> = shares
        .iter()
        .map(|(name, percent)| format!("{name} {}", share(*percent)))
        .collect();
    parts.join("  ")
}

/// A row as the command line takes it: `aws=65 oci=35`.
pub(crate) fn assignments(shares: &BTreeMap<String, f64>) -> String {
    let parts: Vec<String> = shares
        .iter()
        .map(|(name, percent)| format!("{name}={}", share(*percent)))
        .collect();
    parts.join(" ")
}

/// One thing or several: `1 step`, `4 steps`.
pub(crate) fn plural(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// The one of `known` that was probably meant: at most a third of the letters differ.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let ranked = known.into_iter().map(|name| (distance(wrong, name), name));
    let (steps, name) = ranked.min()?;
    (steps <= wrong.chars().count().max(3) / 3).then_some(name)
}

/// How many letters must be put in, taken out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in a.chars().enumerate() {
        let mut diagonal = row;
        let mut left = row + 1;
        let mut next = vec![left];
        for (up, y) in before.iter().skip(1).zip(&b) {
            let here = (diagonal + usize::from(x != *y)).min(up + 1).min(left + 1);
            diagonal = *up;
            left = here;
            next.push(here);
        }
        before = next;
    }
    before.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_documented() {
        assert_eq!(
            [
                share(50.0),
                share(33.33),
                share(0.5),
                share(100.0),
                share(-0.0)
            ],
            ["50", "33.33", "0.5", "100", "0"]
        );
        assert_eq!(
            [duration(45.0), duration(180.0), duration(5640.0)],
            ["45s", "3m00s", "1h34m"]
        );
        assert_eq!(
            [
                latency(Some(0.0061)),
                latency(Some(0.143)),
                latency(Some(1.25))
            ],
            ["6.1 ms", "143 ms", "1.25 s"]
        );
        assert_eq!(
            [
                errors(Some(0.000_21)),
                errors(Some(0.0)),
                errors(Some(0.125))
            ],
            ["0.021 %", "0 %", "12.5 %"]
        );
        assert_eq!(
            [count(0), count(999), count(11_934), count(1_234_567)],
            ["0", "999", "11,934", "1,234,567"]
        );
    }

    #[test]
    fn times_are_short_today_and_long_otherwise() {
        let clock = Clock::at("2026-11-20T19:40:00Z");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(clock.short(at("2026-11-20T18:41:00Z")), "18:41");
        assert_eq!(clock.short(at("2026-11-19T18:41:00Z")), "2026-11-19 18:41");
        assert_eq!(clock.left(at("2026-11-21T18:40:00Z")), "23h left");
        assert_eq!(clock.left(at("2026-11-20T19:39:00Z")), "over");
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("ocl", ["aws", "oci"]), Some("oci"));
        assert_eq!(nearest("meat", ["meet", "api"]), Some("meet"));
        assert_eq!(nearest("frankfurt", ["aws", "oci"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
    }
}
