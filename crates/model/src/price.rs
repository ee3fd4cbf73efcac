//! Money as exact numbers: a currency, a price of a gigabyte, a cost. Nothing here is a float and nothing is rounded: a
//! cost is a sum of whole numbers, so that it is the same in whatever order it is added up. What a volume costs over tiers
//! is decided in [`egress`](crate::egress).

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// Three letters, as ISO 4217 has them: `USD`. Which of them exist is not known here, nor what one is worth in another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads three upper-case letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        let is_upper = letters.iter().all(u8::is_ascii_uppercase);
        is_upper.then_some(Self(letters))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Bytes that were or will be sent. Written in powers of 1000, as bills have them: a GB is 10⁹ bytes, a TB 10¹², a PB 10¹⁵.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Volume(u64);

impl Volume {
    /// The units that it is written in, largest first, and their bytes.
    pub const UNITS: &[(&str, u64)] = &[
        ("PB", 1_000_000_000_000_000),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
        ("B", 1),
    ];

    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl Add for Volume {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, bytes): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*bytes);
        match Self::UNITS.iter().find(fits) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// The price of a gigabyte (10⁹ bytes), in millionths of a unit of some currency: `0.0085` is 8 500.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(u64);

/// Digits behind the point that a price or an amount may have.
pub const DECIMALS: usize = 6;
const MILLION: u64 = 1_000_000;

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that is taken for a price: a thousand a gigabyte, four orders above the dearest.
    pub const MAX: Self = Self(1_000 * MILLION);

    /// From millionths of a unit.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// In millionths of a unit.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// What so much costs at this price.
    #[must_use]
    pub const fn of(self, volume: Volume) -> Cost {
        // A widening cast; `From` is not const. A price has 64 bits and a volume has, so that the product fits.
        Cost(self.0 as u128 * volume.0 as u128)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, u128::from(self.0), DECIMALS)
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An amount of money, exactly: in 10⁻¹⁵ units of some currency, which is a millionth a gigabyte times a byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cost(u128);

impl Cost {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Digits behind the point.
    const DECIMALS: usize = 15;

    /// From millionths of a unit.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros as u128 * 1_000_000_000)
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(f, self.0, Self::DECIMALS)
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Reads `0.0085` as millionths: digits, and behind a point one to six more. No sign, no exponent.
#[must_use]
pub fn micros(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > DECIMALS {
        return None;
    }
    let fraction: u64 = format!("{decimals:0<DECIMALS$}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(MILLION)?.checked_add(fraction)
}

/// A whole number of the smallest parts as a decimal, without zeros at its end.
fn decimal(f: &mut fmt::Formatter<'_>, parts: u128, decimals: usize) -> fmt::Result {
    let digits = format!("{parts:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => f.write_str(whole),
        fraction => write!(f, "{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, value) in [
            ("0.0085", Some(8_500)),
            ("0", Some(0)),
            ("12", Some(12_000_000)),
            ("0.000001", Some(1)),
            ("007.10", Some(7_100_000)),
            ("0.0000001", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1,5", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(micros(text), value, "{text:?}");
        }
    }

    #[test]
    fn a_gigabyte_costs_its_price() {
        let price = Price::from_micros(8_500);
        let gigabyte = Volume::from_bytes(1_000_000_000);
        assert_eq!(price.of(gigabyte), Cost::from_micros(8_500));
        assert_eq!(price.of(gigabyte).to_string(), "0.0085");
        assert_eq!(
            price.of(Volume::from_bytes(1)).to_string(),
            "0.0000000000085"
        );
        assert_eq!(Volume::from_bytes(10_000_000_000_000).to_string(), "10TB");
        assert_eq!(Volume::default().to_string(), "0B");
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!(
            Currency::parse("EUR").map(|c| c.to_string()),
            Some("EUR".to_owned())
        );
        for none in ["usd", "US", "USDT", "U$D", "", "Ä€"] {
            assert_eq!(Currency::parse(none), None, "{none:?}");
        }
    }

    proptest! {
        #[test]
        fn a_price_is_read_as_it_is_shown(value in 0..=Price::MAX.as_micros()) {
            prop_assert_eq!(micros(&Price::from_micros(value).to_string()), Some(value));
            prop_assert_eq!(micros(&Cost::from_micros(value).to_string()), Some(value));
        }
    }
}
