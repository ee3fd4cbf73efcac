//! Days of the calendar: how they are read, and what people write instead. Where day and month could be taken for each other
//! nothing is guessed.

use bascule_model::Date;

use super::Problem;

/// `2026-11-01`.
pub(crate) fn date(text: &str) -> Result<Date, Problem> {
    if let Some(date) = Date::parse(text) {
        return Ok(date);
    }
    let problem = Problem::new(
        "E0219",
        format!("`{text}` is not a date"),
        "not a day, such as 2026-11-01",
    );
    let parts: Option<Vec<u16>> = text
        .split(['-', '/', '.'])
        .map(|part| part.trim().parse().ok())
        .collect();
    let right = match parts.as_deref() {
        Some([year, month, day]) if *year > 31 => format!("{year:04}-{month:02}-{day:02}"),
        _ => return Err(problem.note("year, month, day, from 1970-01-01 on")),
    };
    Err(match Date::parse(&right) {
        Some(_) => problem.fix(right),
        None => problem.note("the calendar has no such day"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Replacement;

    #[test]
    fn a_day_is_year_month_and_day_and_their_order_is_never_guessed() {
        assert_eq!(
            date("2026-11-01").map(|d| d.to_string()),
            Ok("2026-11-01".to_owned())
        );
        for wrong in ["2026/11/01", "2026-11-1", "2026.11.01"] {
            let fix = date(wrong).unwrap_err().advice.fix;
            assert_eq!(
                fix,
                Some(Replacement::Text("2026-11-01".to_owned())),
                "{wrong:?}"
            );
        }
        for wrong in [
            "01.11.2026",
            "11/01/2026",
            "2026-02-30",
            "1 Nov 2026",
            "",
            "26-11-01",
        ] {
            let problem = date(wrong).unwrap_err();
            assert_eq!(
                (problem.code, &problem.advice.fix),
                ("E0219", &None),
                "{wrong:?}"
            );
        }
    }
}
