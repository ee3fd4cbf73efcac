//! Rates of bits, as links are measured: how they are read, how they are written, and what people write instead. Bytes are
//! never taken for bits.

use super::unit::{missing, show, sum};
use super::{Problem, advice};

const UNITS: &[(&str, u64)] = &[
    ("Tbit/s", 1_000_000_000_000),
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
];

/// `25Gbit/s`.
pub(crate) fn bit_rate(text: &str, min: u64, max: u64) -> Result<u64, Problem> {
    let one = |text: &str| sum(text, UNITS).filter(|_| text.matches("bit/s").count() == 1);
    match one(text) {
        Some(value) if (min..=max).contains(&value) => Ok(value),
        Some(_) => {
            let label = format!("not from {} to {}", show_bit_rate(min), show_bit_rate(max));
            let message = format!("`{text}` is out of range");
            Err(Problem::new("E0203", message, label))
        }
        None => {
            let units = "bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s (powers of 1000)";
            let problem = missing(text, "a rate of bits", units, "25Gbit/s");
            let right = respelled(text)
                .or_else(|| advice::whole(text, UNITS))
                .filter(|right| one(right).is_some());
            Err(match (right, of_bytes(text)) {
                (Some(right), _) => problem.fix(right),
                (None, Some(help)) => problem.help(help),
                (None, None) => problem,
            })
        }
    }
}

/// As [`bit_rate`] reads it.
pub(crate) fn show_bit_rate(value: u64) -> String {
    show(value, UNITS)
}

/// A rate of bits in another spelling, as it should be written: `25 Gbps`, `25gbit/s`, `25Gb/s`.
fn respelled(text: &str) -> Option<String> {
    let (number, unit) = number_and_unit(text)?;
    // Only a small `b` is a bit.
    let is_bits = !unit.contains("B");
    let unit = unit.to_ascii_lowercase().replace(' ', "");
    let unit = ["bits/s", "bit/sec", "bit/s", "bps", "b/s", "bits", "bit"]
        .iter()
        .find_map(|spelled| unit.strip_suffix(spelled))?;
    let prefix = prefix(unit)?;
    is_bits.then(|| format!("{number}{prefix}bit/s"))
}

/// What to do about a rate of bytes.
fn of_bytes(text: &str) -> Option<String> {
    let (number, unit) = number_and_unit(text)?;
    let unit = unit
        .trim()
        .strip_suffix("B/s")
        .or_else(|| unit.trim().strip_suffix("Bps"))?;
    let bits = number.parse::<u64>().ok()?.checked_mul(8)?;
    let prefix = prefix(&unit.to_ascii_lowercase())?;
    Some(format!("links are measured in bits: `{bits}{prefix}bit/s`"))
}

fn number_and_unit(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    text.split_at_checked(end)
}

fn prefix(written: &str) -> Option<&'static str> {
    Some(match written {
        "" => "",
        "k" => "k",
        "m" => "M",
        "g" => "G",
        "t" => "T",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_of_bits_need_their_unit_and_bytes_are_not_taken_for_bits() {
        let read = |t: &str| bit_rate(t, 1, u64::MAX);
        assert_eq!(read("25Gbit/s"), Ok(25_000_000_000));
        assert_eq!(read("512kbit/s"), Ok(512_000));
        let fix = |t: &str| read(t).unwrap_err().advice.fix;
        let right = |t: &str| Some(crate::form::Replacement::Text(t.to_owned()));
        for wrong in ["25 Gbit/s", "25Gbps", "25gbit/s", "25Gb/s", "25Gbit"] {
            assert_eq!(fix(wrong), right("25Gbit/s"), "{wrong:?}");
        }
        assert_eq!(fix("2.5Gbit/s"), right("2500Mbit/s"));
        let bytes = read("3GB/s").unwrap_err();
        assert_eq!(bytes.advice.fix, None);
        assert!(bytes.advice.help.unwrap().contains("24Gbit/s"));
        for bad in ["25", "", "Gbit/s", "1Gbit/s500Mbit/s", "0bit/s", "25Gbit/h"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again_and_no_text_fails(bits in 1_u64..1 << 60, text in "\\PC{0,12}") {
            prop_assert_eq!(bit_rate(&show_bit_rate(bits), 1, u64::MAX), Ok(bits));
            prop_assert!(bit_rate(&text, 0, u64::MAX).is_err() || text.contains("bit/s"));
        }
    }
}
