//! Numbers with units: how they are read, and how they are written so that reading gives the same. A number without a
//! unit is never guessed.

use std::time::Duration;

use bascule_health::policy::StatusRange;
use bascule_model::BasisPoints;
use bascule_plan::Bounds;

use super::{Problem, advice};

const DURATION_UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
const SIZE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Splits `1h30m` into `1 h`, `30 m`.
fn parts(text: &str) -> Option<Vec<(u64, &str)>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        parts.push((number.parse().ok()?, unit));
        rest = tail;
    }
    (!parts.is_empty()).then_some(parts)
}

fn factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
}

/// What people write instead of the unit.
fn spelled(unit: &str) -> Option<&'static str> {
    Some(match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "msec" | "millis" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "b" | "byte" | "bytes" => "B",
        "kib" => "KiB",
        "mib" => "MiB",
        "gib" => "GiB",
        "tib" => "TiB",
        _ => return None,
    })
}

/// One number with a spelled-out or spaced unit, as it should be written.
fn respelled(text: &str, units: &[(&str, u64)]) -> Option<String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = spelled(unit)?;
    factor(units, unit).map(|_| format!("{number}{unit}"))
}

fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

pub(super) fn missing(text: &str, what: &str, units: &str, example: &str) -> Problem {
    let problem = if is_bare(text) {
        let example = example.trim_start_matches(|c: char| c.is_ascii_digit());
        let help = match (example, text.parse::<f64>()) {
            // Other tools take bare numbers for milliseconds; a large one probably is.
            ("s", Ok(number)) if number >= 100.0 => {
                format!("with a unit: `{text}ms` or `{text}s`, whichever is meant")
            }
            ("%", Ok(number)) if number > 0.0 && number < 1.0 => {
                format!("`{}%` for a part of {text}; or `{text}%`", number * 100.0)
            }
            _ => format!("with a unit: `{text}{example}`, if that is meant"),
        };
        Problem::new(
            "E0202",
            format!("`{text}` has no unit"),
            format!("{what} needs a unit"),
        )
        .help(help)
    } else {
        let message = format!("`{text}` is not {what}");
        Problem::new("E0202", message, format!("not {what}, such as {example}"))
    };
    problem.note(format!("units: {units}"))
}

pub(super) fn sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    let mut above = u64::MAX;
    for (number, unit) in parts(text)? {
        let factor = factor(units, unit).filter(|factor| *factor < above)?;
        above = factor;
        total = total.checked_add(number.checked_mul(factor)?)?;
    }
    Some(total)
}

/// `500ms`, `3s`, `1h30m`.
pub(crate) fn duration(text: &str, min: Duration, max: Duration) -> Result<Duration, Problem> {
    let Some(millis) = sum(text, DURATION_UNITS) else {
        let problem = missing(text, "a duration", "ms, s, m, h, d", "3s");
        let right = respelled(text, DURATION_UNITS).or_else(|| advice::whole(text, DURATION_UNITS));
        return Err(match (right, advice::duration(text)) {
            (Some(right), _) => problem.fix(right),
            (None, Some(help)) => problem.help(help),
            (None, None) => problem,
        });
    };
    let value = Duration::from_millis(millis);
    if value.is_zero() && !min.is_zero() {
        let label = format!("must be at least {}", show_duration(min));
        return Err(Problem::new("E0211", "the time is zero", label));
    }
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    let label = format!("not from {} to {}", show_duration(min), show_duration(max));
    Err(Problem::new(
        "E0203",
        format!("`{text}` is out of range"),
        label,
    ))
}

/// As [`duration`] reads it: the largest unit that needs no second.
pub(crate) fn show_duration(value: Duration) -> String {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    show(millis, DURATION_UNITS)
}

/// `64KiB`, `10MiB`, `512B`.
pub(crate) fn size(text: &str, min: u64, max: u64) -> Result<u64, Problem> {
    let Some(value) = sum(text, SIZE_UNITS) else {
        let problem = missing(
            text,
            "a size",
            "B, KiB, MiB, GiB, TiB (powers of 1024)",
            "64KiB",
        );
        let right = respelled(text, SIZE_UNITS).or_else(|| advice::whole(text, SIZE_UNITS));
        return Err(match (right, advice::size(text)) {
            (Some(right), _) => problem.fix(right),
            (None, Some(help)) => problem.help(help),
            (None, None) if is_bare(text) => problem.help(advice::bare_size(text, show_size)),
            (None, None) => problem,
        });
    };
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    let label = format!("not from {} to {}", show_size(min), show_size(max));
    Err(Problem::new(
        "E0203",
        format!("`{text}` is out of range"),
        label,
    ))
}

/// As [`size`] reads it.
pub(crate) fn show_size(value: u64) -> String {
    show(value, SIZE_UNITS)
}

pub(super) fn show(value: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    let (unit, factor) = units
        .iter()
        .find(fits)
        .or(units.last())
        .copied()
        .unwrap_or(("", 1));
    format!("{}{unit}", value / factor)
}

/// `12.34` as hundredths; at most two decimals.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return None;
    }
    let fraction: u32 = format!("{decimals:0<2}").parse().ok()?;
    whole
        .parse::<u32>()
        .ok()?
        .checked_mul(100)?
        .checked_add(fraction)
}

fn points(text: &str) -> Option<BasisPoints> {
    let value = hundredths(text.strip_suffix('%')?)?;
    BasisPoints::new(u16::try_from(value).ok()?)
}

/// `10%`, `0.5%`.
pub(crate) fn percent(
    text: &str,
    min: BasisPoints,
    max: BasisPoints,
) -> Result<BasisPoints, Problem> {
    let in_range = |value: BasisPoints| (min..=max).contains(&value);
    if let Some(value) = points(text).filter(|value| in_range(*value)) {
        return Ok(value);
    }
    if text.strip_suffix('%').and_then(hundredths).is_some() {
        let label = format!("not from {min}% to {max}%");
        return Err(Problem::new(
            "E0203",
            format!("`{text}` is out of range"),
            label,
        ));
    }
    let spaced: String = text.split_whitespace().collect();
    let spaced = spaced.replace("percent", "%").replace("pct", "%");
    let problem = missing(text, "a percentage", "%, with at most two decimals", "10%");
    Err(match points(&spaced).filter(|value| in_range(*value)) {
        Some(_) => problem.fix(spaced),
        None => problem,
    })
}

/// `+30%`: a rise, as a ratio.
pub(crate) fn rise(text: &str) -> Result<f64, Problem> {
    let bare = text.strip_prefix('+').and_then(|t| t.strip_suffix('%'));
    match bare.and_then(hundredths) {
        Some(value) if (1..=100_000).contains(&value) => Ok(f64::from(value) / 10_000.0),
        Some(_) => {
            let label = "not from +0.01% to +1000%";
            Err(Problem::new(
                "E0203",
                format!("`{text}` is out of range"),
                label,
            ))
        }
        None => {
            let problem = Problem::new(
                "E0202",
                format!("`{text}` is not a rise"),
                "not a rise, such as +30%",
            );
            Err(match points(text).filter(|p| !p.is_zero()) {
                Some(_) => problem.fix(format!("+{text}")),
                None => problem.note("a rise is written with sign and unit: +30%"),
            })
        }
    }
}

/// As [`rise`] reads it.
pub(crate) fn show_rise(ratio: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rises are read from 1 to 100 000 hundredths; the clamp holds that"
    )]
    let value = (ratio * 10_000.0).round().clamp(1.0, 100_000.0) as u32;
    match value % 100 {
        0 => format!("+{}%", value / 100),
        rest => format!("+{}.{rest:02}%", value / 100),
    }
}

/// `20%..80%`.
pub(crate) fn percent_range(text: &str) -> Result<Bounds, Problem> {
    let ends = text
        .split_once("..")
        .and_then(|(a, b)| Some((points(a.trim())?, points(b.trim())?)));
    match ends {
        Some((min, max)) if min <= max => Ok(Bounds { min, max }),
        Some((min, max)) => {
            let problem = Problem::new(
                "E0210",
                "the lower bound is above the upper",
                format!("{min}% is above {max}%"),
            );
            Err(problem.help(format!("turned round: `{max}%..{min}%`, if that is meant")))
        }
        None => {
            let problem = Problem::new(
                "E0210",
                format!("`{text}` is not a range of shares"),
                "not a range, such as 20%..80%",
            );
            let problem = problem.note("both ends are from 0% to 100%, with at most two decimals");
            Err(match (advice::bounds(text), points(text)) {
                (Some(right), _) => problem.fix(right),
                (None, Some(one)) => {
                    problem.help(format!("at least: `{one}%..100%`; at most: `0%..{one}%`"))
                }
                (None, None) => problem,
            })
        }
    }
}

/// `10/s`.
pub(crate) fn rate(text: &str, min: u32, max: u32) -> Result<u32, Problem> {
    let number = text.strip_suffix("/s").and_then(|n| n.parse::<u32>().ok());
    match number.filter(|_| !text.starts_with('+')) {
        Some(value) if (min..=max).contains(&value) => Ok(value),
        Some(_) => {
            let label = format!("not from {min}/s to {max}/s");
            Err(Problem::new(
                "E0203",
                format!("`{text}` is out of range"),
                label,
            ))
        }
        None => {
            let problem = missing(text, "a rate", "/s", "10/s");
            let number = text
                .split(['/', ' '])
                .next()
                .filter(|n| n.parse::<u32>().is_ok());
            let number = number.or_else(|| {
                let end = text.find(|c: char| !c.is_ascii_digit())?;
                text.get(..end).filter(|n| n.parse::<u32>().is_ok())
            });
            let tail = text
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .replace(' ', "");
            Err(match (number, tail.as_str()) {
                (Some(number), "/sec" | "/second" | "persecond" | "/s" | "rps" | "req/s") => {
                    problem.fix(format!("{number}/s"))
                }
                (Some(number), "/m" | "/min" | "/minute") => {
                    let per_second = number.parse::<u32>().unwrap_or_default().div_ceil(60);
                    problem.help(format!("rates are by the second: `{per_second}/s`"))
                }
                _ => problem,
            })
        }
    }
}

/// `200`, or `200-299`.
pub(crate) fn status(text: &str) -> Result<StatusRange, Problem> {
    let number = |t: &str| {
        t.parse::<u16>()
            .ok()
            .filter(|s| t.len() == 3 && (100..=599).contains(s))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ends = number(first)
        .zip(number(last))
        .filter(|(first, last)| first <= last);
    if let Some((first, last)) = ends {
        return Ok(StatusRange { first, last });
    }
    let problem = Problem::new(
        "E0213",
        format!("`{text}` is not a status"),
        "not a status, such as 200 or 200-299",
    );
    let class = text.strip_suffix("xx").and_then(|c| c.parse::<u16>().ok());
    Err(match class.filter(|c| (1..=5).contains(c)) {
        Some(class) => problem.fix(format!("{class}00-{class}99")),
        None => match text
            .split_once("..")
            .map(|(a, b)| (number(a), number(b.trim_matches('.'))))
        {
            Some((Some(first), Some(last))) if first <= last => {
                problem.fix(format!("{first}-{last}"))
            }
            _ => problem.note("statuses are from 100 to 599"),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_secs(1 << 40);

    #[test]
    fn durations_need_a_unit() {
        let ok = |t: &str| {
            duration(t, Duration::ZERO, LONG)
                .map(|d| d.as_millis())
                .ok()
        };
        assert_eq!(ok("3s"), Some(3_000));
        assert_eq!(ok("500ms"), Some(500));
        assert_eq!(ok("1h30m"), Some(5_400_000));
        assert_eq!(ok("0s"), Some(0));
        for bad in [
            "3",
            "3S",
            "",
            "s",
            "-3s",
            "1.5s",
            "30m1h",
            "1s1s",
            "3 s",
            "99999999999999999999s",
            "3µs",
        ] {
            assert_eq!(ok(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn spelled_out_units_are_mended() {
        let fix = |t: &str| {
            duration(t, Duration::ZERO, LONG)
                .unwrap_err()
                .advice
                .fix
                .is_some()
        };
        for mended in ["3 s", "3sec", "5 minutes", "3S"] {
            assert!(fix(mended), "{mended:?}");
        }
        assert!(!fix("3"), "a missing unit is never guessed");
    }

    #[test]
    fn percentages_have_two_decimals_at_most() {
        let ok = |t: &str| {
            percent(t, BasisPoints::ZERO, BasisPoints::FULL)
                .map(BasisPoints::get)
                .ok()
        };
        assert_eq!(ok("10%"), Some(1_000));
        assert_eq!(ok("0.5%"), Some(50));
        assert_eq!(ok("33.33%"), Some(3_333));
        for bad in ["10", "100.01%", "1.234%", "%", "-1%", ".5%", "5.%"] {
            assert_eq!(ok(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(millis in 0_u64..1 << 40, bytes in 1_u64..1 << 50, hundredths in 1_u32..=100_000) {
            let time = Duration::from_millis(millis);
            prop_assert_eq!(duration(&show_duration(time), Duration::ZERO, LONG), Ok(time));
            prop_assert_eq!(size(&show_size(bytes), 0, u64::MAX), Ok(bytes));
            let ratio = f64::from(hundredths) / 10_000.0;
            prop_assert_eq!(rise(&show_rise(ratio)), Ok(ratio));
        }

        #[test]
        fn no_text_makes_a_unit_fail(text in "\\PC{0,12}") {
            for ok in [
                duration(&text, Duration::ZERO, LONG).is_ok(),
                size(&text, 0, u64::MAX).is_ok(),
                rate(&text, 0, u32::MAX).is_ok(),
                rise(&text).is_ok(),
                percent_range(&text).is_ok(),
                status(&text).is_ok(),
            ] {
                prop_assert!(!ok || text.contains(|c: char| c.is_ascii_digit()));
            }
        }
    }
}
