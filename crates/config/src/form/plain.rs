//! Booleans and numbers without a unit: how they are read, and what people write instead.

use super::Problem;
use crate::node::{Core, Scalar};

pub(super) fn boolean(scalar: &Scalar) -> Result<bool, Problem> {
    if let Core::Bool(value) = scalar.core {
        return Ok(value);
    }
    let text = &scalar.text;
    let problem = Problem::new(
        "E0201",
        format!("`{text}` is not true or false"),
        "not true or false",
    );
    Err(match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "true" => problem.fix_plain("true"),
        "no" | "off" | "n" | "false" => problem.fix_plain("false"),
        "1" | "enabled" | "enable" => problem.help("did you mean true?"),
        "0" | "disabled" | "disable" => problem.help("did you mean false?"),
        _ => problem.note("accepted here: true, false"),
    })
}

pub(super) fn version(scalar: &Scalar) -> Result<u64, Problem> {
    let newest = crate::migrate::VERSION;
    match scalar.core {
        Core::Integer(number) if u64::try_from(number).is_ok_and(|n| n > newest) => {
            let message = format!("version {number} is not known to this program");
            let problem = Problem::new("E0121", message, format!("known: 1 to {newest}"));
            Err(problem.help("read it with the bascule it was written for, or a newer one"))
        }
        _ => integer(scalar, 1, newest),
    }
}

pub(super) fn integer(scalar: &Scalar, min: u64, max: u64) -> Result<u64, Problem> {
    let text = &scalar.text;
    let range = format!("a whole number from {min} to {max}");
    match scalar.core {
        Core::Integer(value) => match u64::try_from(value) {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(Problem::new(
                "E0203",
                format!("`{text}` is out of range"),
                format!("not {range}"),
            )),
        },
        _ => Err(not_an_integer(scalar, (min, max), &range)),
    }
}

fn not_an_integer(scalar: &Scalar, (min, max): (u64, u64), range: &str) -> Problem {
    let text = &scalar.text;
    let problem = Problem::new(
        "E0201",
        format!("`{text}` is not a whole number"),
        format!("not {range}"),
    );
    let fits = |t: &str| {
        let digits = !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
        t.parse::<u64>()
            .is_ok_and(|v| digits && (min..=max).contains(&v))
    };
    if fits(text) && scalar.core == Core::Text {
        let bare = text.trim_start_matches('0');
        return problem.fix_plain(if bare.is_empty() { "0" } else { bare });
    }
    if let Some(bare) = text.strip_suffix('%').filter(|bare| fits(bare)) {
        return problem.fix_plain(bare);
    }
    let joined: String = text
        .chars()
        .filter(|c| !matches!(c, '_' | ',' | '\''))
        .collect();
    if joined != *text && fits(&joined) {
        return problem.fix_plain(joined);
    }
    match scalar.core {
        Core::Float(_) if text.chars().all(|c| c.is_ascii_digit()) => {
            problem.help(format!("the most is {max}"))
        }
        Core::Float(value) if value > 0.0 && value < 1.0 => {
            problem.help("whole numbers say the same: 70 and 30 for 0.7 and 0.3")
        }
        _ => problem,
    }
}

pub(super) fn ratio(scalar: &Scalar) -> Result<f64, Problem> {
    let text = &scalar.text;
    let value = match scalar.core {
        Core::Integer(0) => 0.0,
        Core::Integer(1) => 1.0,
        Core::Integer(_) => f64::NAN,
        Core::Float(value) => value,
        _ => {
            let problem = Problem::new(
                "E0201",
                format!("`{text}` is not a number"),
                "not a number from 0 to 1",
            );
            let percent = text
                .strip_suffix('%')
                .and_then(|t| t.trim().parse::<f64>().ok());
            return Err(match percent.filter(|p| (0.0..=100.0).contains(p)) {
                Some(percent) => problem.fix_plain((percent / 100.0).to_string()),
                None => problem,
            });
        }
    };
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(Problem::new(
        "E0203",
        format!("`{text}` is out of range"),
        "not a number from 0 to 1",
    ))
}
