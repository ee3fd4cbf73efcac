//! Prices, volumes that are billed, and what is left of a commitment: how they are read, how they are written, and what
//! people write instead. A currency is never guessed, nor how many bytes somebody's gigabyte has.

use bascule_model::price::{DECIMALS, micros};
use bascule_model::{Cost, Currency, Price, Remaining, Volume};

use super::unit::{missing, sum};
use super::{Problem, advice};

const PRICE: &str = "a price";
const PRICE_UNITS: &str = "three letters of a currency and `/GB` (10⁹ bytes): USD/GB, EUR/GB";
const VOLUME_UNITS: &str = "B, kB, MB, GB, TB, PB (powers of 1000, as bills have them)";

/// `0.0085 USD/GB`.
pub(crate) fn price(text: &str) -> Result<(Price, Currency), Problem> {
    match exact(text) {
        Some((price, currency)) if price <= Price::MAX => Ok((price, currency)),
        Some(_) => {
            let label = format!("not from 0 to {}", Price::MAX);
            Err(Problem::new(
                "E0203",
                format!("`{text}` is out of range"),
                label,
            ))
        }
        None => Err(no_price(text)),
    }
}

fn exact(text: &str) -> Option<(Price, Currency)> {
    let (number, unit) = parts(text)?;
    let currency = Currency::parse(unit.strip_suffix("/GB")?)?;
    Some((Price::from_micros(micros(number)?), currency))
}

/// As [`price`] reads it.
pub(crate) fn show_price(price: Price, currency: Currency) -> String {
    format!("{price} {currency}/GB")
}

/// `10TB`; both ends included.
pub(crate) fn volume(text: &str, min: Volume, max: Volume) -> Result<Volume, Problem> {
    match sum(text, Volume::UNITS).map(Volume::from_bytes) {
        Some(volume) if (min..=max).contains(&volume) => Ok(volume),
        Some(_) => {
            let label = format!("not from {min} to {max}");
            Err(Problem::new(
                "E0203",
                format!("`{text}` is out of range"),
                label,
            ))
        }
        None => Err(no_volume(text)),
    }
}

/// `2PB`, or `250000 USD`.
pub(crate) fn remaining(text: &str) -> Result<Remaining, Problem> {
    let amount = |(number, unit): (&str, &str)| Some((micros(number)?, Currency::parse(unit)?));
    if let Some((amount, currency)) = parts(text).and_then(amount) {
        return Ok(Remaining::Money(Cost::from_micros(amount), currency));
    }
    if let Some(bytes) = sum(text, Volume::UNITS) {
        return Ok(Remaining::Volume(Volume::from_bytes(bytes)));
    }
    let units = "GB, TB, PB (powers of 1000), or three letters of a currency: `250000 USD`";
    let problem = missing(text, "a volume or an amount", units, "2PB");
    let right = advice::whole(text, Volume::UNITS).or_else(|| respelled_volume(text));
    Err(problem.advised(right.map(advice::Advised::Fix)))
}

/// A number and what stands behind one space.
fn parts(text: &str) -> Option<(&str, &str)> {
    text.split_once(' ')
}

fn no_price(text: &str) -> Problem {
    let problem = missing(text, PRICE, PRICE_UNITS, "0.05 USD/GB");
    let (number, unit) = number_and_rest(text);
    let decimals = number
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    if text.trim_start().starts_with('-') {
        return problem.help("a price is not below 0");
    }
    if decimals > DECIMALS {
        return problem.help(format!("at most {DECIMALS} digits behind the point"));
    }
    if let Some(right) = respelled_price(&number, &unit) {
        return problem.fix(right);
    }
    if text.contains(['$', '€', '£', '¥']) {
        let number = if number.is_empty() { "0.05" } else { &number };
        return problem.help(format!(
            "a sign is of more than one currency: `{number} USD/GB`, if US dollars are meant"
        ));
    }
    match unit
        .to_ascii_uppercase()
        .rsplit_once('/')
        .map(|(_, per)| per.to_owned())
    {
        Some(per) if per == "GIB" => problem.help("a GiB has 1.073741824 GB: divide by that"),
        Some(per) if per == "TB" => problem.help("prices are by the GB: divide by 1000"),
        _ if micros(text).is_some() => problem.help(format!("with currency: `{text} USD/GB`")),
        _ => problem,
    }
}

/// The first run of digits and points, and all else without spaces.
fn number_and_rest(text: &str) -> (String, String) {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let number: String = text
        .chars()
        .skip_while(|c| !is_number(*c))
        .take_while(|c| is_number(*c))
        .collect();
    let rest = text.replacen(&number, "", 1);
    (number, rest.split_whitespace().collect())
}

/// Currency and `/GB` in another case, order or spacing: `0.05usd/gb`, `USD 0.05 / GB`, `0.05 USD per GB`.
fn respelled_price(number: &str, unit: &str) -> Option<String> {
    let unit = unit.to_ascii_uppercase().replacen("PER", "/", 1);
    let right = format!("{number} {unit}");
    exact(&right).map(|_| right)
}

fn no_volume(text: &str) -> Problem {
    let problem = missing(text, "a volume", VOLUME_UNITS, "10TB");
    let right = advice::whole(text, Volume::UNITS).or_else(|| respelled_volume(text));
    match right {
        Some(right) => problem.fix(right),
        None if text.ends_with("iB") => problem.help("powers of 1000: a TiB is 1.0995 TB"),
        None => problem,
    }
}

/// One number with its unit in another case or behind a space: `10 TB`, `10tb`.
fn respelled_volume(text: &str) -> Option<String> {
    let (number, unit) = number_and_rest(text);
    let mut known = Volume::UNITS.iter();
    let (unit, _) = known.find(|(name, _)| name.eq_ignore_ascii_case(&unit))?;
    let right = format!("{number}{unit}");
    sum(&right, Volume::UNITS).map(|_| right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::form::Replacement;

    const MOST: Volume = Volume::from_bytes(u64::MAX);

    fn read_volume(text: &str) -> Result<Volume, Problem> {
        volume(text, Volume::from_bytes(1), MOST)
    }

    #[test]
    fn a_price_has_a_currency_and_a_gigabyte() {
        let usd = Currency::parse("USD").unwrap();
        assert_eq!(price("0.0085 USD/GB"), Ok((Price::from_micros(8_500), usd)));
        assert_eq!(price("0 USD/GB"), Ok((Price::ZERO, usd)));
        for (wrong, right) in [
            ("0.05USD/GB", "0.05 USD/GB"),
            ("0.05 usd/gb", "0.05 USD/GB"),
            ("USD 0.05/GB", "0.05 USD/GB"),
            ("0.05 USD / GB", "0.05 USD/GB"),
            ("0.05 EUR per GB", "0.05 EUR/GB"),
        ] {
            let fix = price(wrong).unwrap_err().advice.fix;
            assert_eq!(fix, Some(Replacement::Text(right.to_owned())), "{wrong:?}");
        }
        for (wrong, help) in [
            ("0.05", "`0.05 USD/GB`"),
            ("$0.05/GB", "more than one currency"),
            ("0.05 USD/GiB", "1.073741824"),
            ("50 USD/TB", "divide by 1000"),
            ("-0.05 USD/GB", "not below 0"),
            ("0.0000001 USD/GB", "at most 6"),
        ] {
            let advice = price(wrong).unwrap_err().advice;
            assert_eq!(advice.fix, None, "{wrong:?}");
            assert!(advice.help.as_deref().unwrap().contains(help), "{advice:?}");
        }
        assert_eq!(price("1000.000001 USD/GB").unwrap_err().code, "E0203");
    }

    #[test]
    fn volumes_are_powers_of_1000_and_a_unit_is_never_guessed() {
        assert_eq!(
            read_volume("10TB"),
            Ok(Volume::from_bytes(10_000_000_000_000))
        );
        for (wrong, right) in [("10 TB", "10TB"), ("10tb", "10TB"), ("1.5PB", "1500TB")] {
            let fix = read_volume(wrong).unwrap_err().advice.fix;
            assert_eq!(fix, Some(Replacement::Text(right.to_owned())), "{wrong:?}");
        }
        let binary = read_volume("10TiB").unwrap_err().advice;
        assert_eq!(binary.fix, None);
        assert!(binary.help.unwrap().contains("powers of 1000"));
        assert!(read_volume("10").unwrap_err().advice.fix.is_none());
        assert_eq!(read_volume("0B").unwrap_err().code, "E0203");
    }

    #[test]
    fn what_is_left_is_a_volume_or_money() {
        let usd = Currency::parse("USD").unwrap();
        let money = Remaining::Money(Cost::from_micros(250_000_500_000), usd);
        assert_eq!(remaining("250000.5 USD"), Ok(money));
        let volume = Remaining::Volume(Volume::from_bytes(2_000_000_000_000_000));
        assert_eq!(remaining("2PB"), Ok(volume));
        for bad in ["2", "2 pb", "USD", "250000 USD/GB", "", "-2PB", "lots"] {
            assert!(remaining(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again_and_no_text_fails(micros in 0..=Price::MAX.as_micros(), bytes in any::<u64>(), text in "\\PC{0,12}") {
            let (value, usd) = (Price::from_micros(micros), Currency::parse("USD").unwrap());
            prop_assert_eq!(price(&show_price(value, usd)), Ok((value, usd)));
            let some = Volume::from_bytes(bytes.max(1));
            prop_assert_eq!(read_volume(&some.to_string()), Ok(some));
            for left in [Remaining::Volume(some), Remaining::Money(Cost::from_micros(micros), usd)] {
                prop_assert_eq!(remaining(&left.to_string()), Ok(left));
            }
            let digits = text.contains(|c: char| c.is_ascii_digit());
            prop_assert!(digits || (price(&text).is_err() && read_volume(&text).is_err() && remaining(&text).is_err()));
        }
    }
}
