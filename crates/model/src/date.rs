//! A day of the calendar, as prices and contracts are dated: `2026-11-01`, in UTC. Knows the Gregorian calendar from 1970 on
//! and no clock: who needs today's day makes it of a [`Timestamp`].

use std::fmt;

use crate::time::Timestamp;

/// A day, from 1970-01-01 to 9999-12-31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const FIRST_YEAR: u16 = 1970;
const LAST_YEAR: u16 = 9999;
const DAY_MILLIS: u64 = 86_400_000;

const fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of_year(year: u16) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Date {
    /// The day; `None`: the calendar has no such day, or it is before 1970 or after 9999.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let in_range = year >= FIRST_YEAR && year <= LAST_YEAR && month >= 1 && month <= 12;
        if !in_range || day == 0 || day > days_of_month(year, month) {
            return None;
        }
        Some(Self { year, month, day })
    }

    /// Reads `2026-11-01`: four digits, two and two.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let part = parts.next()?;
            let is_number = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse::<u16>().ok())?
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        if parts.next().is_some() {
            return None;
        }
        Self::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }

    /// The day in UTC that a time is in; the last there is for times after it.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        let mut left = u32::try_from(at.as_millis() / DAY_MILLIS).unwrap_or(u32::MAX);
        let mut year = FIRST_YEAR;
        while year < LAST_YEAR && left >= days_of_year(year) {
            left -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while month < 12 && left >= u32::from(days_of_month(year, month)) {
            left -= u32::from(days_of_month(year, month));
            month += 1;
        }
        let day = u8::try_from(left).unwrap_or(u8::MAX).saturating_add(1);
        let day = day.min(days_of_month(year, month));
        Self { year, month, day }
    }

    /// When it begins, in UTC.
    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp::from_millis(u64::from(self.days()) * DAY_MILLIS)
    }

    /// Days since 1970-01-01.
    fn days(self) -> u32 {
        let years: u32 = (FIRST_YEAR..self.year).map(days_of_year).sum();
        let months = (1..self.month).map(|month| u32::from(days_of_month(self.year, month)));
        years + months.sum::<u32>() + u32::from(self.day) - 1
    }

    /// Days from `earlier` to this one; zero when it is not earlier.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> u32 {
        self.days().saturating_sub(earlier.days())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2026-11-01", 1_793_491_200),
            ("2100-03-01", 4_107_542_400),
        ] {
            let date = Date::parse(text).unwrap();
            assert_eq!(date.begins(), Timestamp::from_millis(seconds * 1_000));
            assert_eq!(date.to_string(), text);
        }
        for none in [
            "2026-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "1969-12-31",
            "2026-1-1",
            "2026-11-01-",
            "20261101",
            "",
            "2026-11",
            "+026-11-01",
        ] {
            assert_eq!(Date::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_its_last_day() {
        let last = Date::of(Timestamp::from_millis(u64::MAX));
        assert_eq!(last.to_string(), "9999-12-31");
    }

    proptest! {
        #[test]
        fn every_moment_of_a_day_is_in_it(day in 0_u64..2_932_897, within in 0..DAY_MILLIS) {
            let date = Date::of(Timestamp::from_millis(day * DAY_MILLIS + within));
            prop_assert_eq!(date.begins().as_millis(), day * DAY_MILLIS);
            prop_assert_eq!(Date::parse(&date.to_string()), Some(date));
            let next = Date::of(Timestamp::from_millis((day + 1) * DAY_MILLIS));
            prop_assert_eq!(next.days_since(date), u32::from(next > date));
        }
    }
}
