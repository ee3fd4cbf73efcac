//! Whole percent, also above a hundred: how they are read. They are written as they are read.

use super::Problem;
use super::unit::missing;

/// `125%`.
pub(crate) fn whole_percent(text: &str, min: u16, max: u16) -> Result<u64, Problem> {
    let value = text
        .strip_suffix('%')
        .and_then(|bare| bare.parse::<u64>().ok());
    match value {
        Some(value) if (u64::from(min)..=u64::from(max)).contains(&value) => Ok(value),
        Some(_) => {
            let label = format!("not from {min}% to {max}%");
            let message = format!("`{text}` is out of range");
            Err(Problem::new("E0203", message, label))
        }
        None => {
            let problem = missing(text, "a percentage", "%, without decimals", "125%");
            // As a factor, which is how some write it.
            let factor = text.parse::<f64>().ok().filter(|f| (1.0..10.0).contains(f));
            Err(match factor {
                Some(factor) => problem.help(format!("`{:.0}%`, if that is meant", factor * 100.0)),
                None => problem,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_none_is_refused_with_what_was_meant_where_that_is_clear() {
        assert_eq!(whole_percent("125%", 105, 1000), Ok(125));
        for (text, code, help) in [
            ("104%", "E0203", None),
            ("1001%", "E0203", None),
            ("1.25", "E0202", Some("`125%`, if that is meant")),
            (
                "125",
                "E0202",
                Some("with a unit: `125%`, if that is meant"),
            ),
            ("much", "E0202", None),
        ] {
            let problem = whole_percent(text, 105, 1000).unwrap_err();
            assert_eq!(
                (problem.code, problem.advice.help.as_deref()),
                (code, help),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "\\PC{0,12}") {
            let ok = whole_percent(&text, 0, u16::MAX).is_ok();
            prop_assert!(!ok || text.contains(|c: char| c.is_ascii_digit()));
        }
    }
}
