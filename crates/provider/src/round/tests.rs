//! Rows in an actuator's numbers, and the error that is told.

use bascule_model::Shares;
use proptest::prelude::*;

use super::*;

fn row(weights: &[(&str, u64)], off: &[&str]) -> TargetRow {
    let weights = weights.iter().map(|(name, w)| (name.parse().unwrap(), *w));
    TargetRow {
        shares: Shares::from_weights(weights).unwrap(),
        off: off.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

fn sizes(sizes: &[(&str, u32)]) -> BTreeMap<BackendName, u32> {
    let sizes = sizes
        .iter()
        .map(|(name, size)| (name.parse().unwrap(), *size));
    sizes.collect()
}

/// The numbers as text, and the error.
fn said(rounded: Result<Rounded, RoundError>) -> (String, u16) {
    let rounded = rounded.unwrap();
    let number = |(name, setting): (&BackendName, &Setting)| match setting {
        Setting::Off => format!("{name} off"),
        Setting::Weight(weight) => format!("{name} {weight}"),
    };
    let numbers: Vec<_> = rounded.numbers.iter().map(number).collect();
    (numbers.join(", "), rounded.error.get())
}

#[test]
fn a_row_is_said_as_well_as_the_numbers_can() {
    let ones = sizes(&[("aws", 1), ("oci", 1)]);
    let of = |aws, oci, max| said(round(&row(&[("aws", aws), ("oci", oci)], &[]), &ones, max));
    assert_eq!(of(70, 30, 255), ("aws 70, oci 30".to_owned(), 0));
    assert_eq!(of(1, 2, 255).1, 1);
    assert_eq!(of(9975, 25, 255), ("aws 255, oci 1".to_owned(), 15));
    // A share that is not zero stays one, and the error is told.
    assert_eq!(of(9999, 1, 255), ("aws 255, oci 1".to_owned(), 39));
    assert_eq!(of(70, 30, 10), ("aws 7, oci 3".to_owned(), 0));
    assert_eq!(of(5, 95, 1), ("aws 1, oci 1".to_owned(), 4500));
}

#[test]
fn what_is_off_is_off_and_what_is_zero_too() {
    let three = sizes(&[("aws", 1), ("gcp", 1), ("oci", 1)]);
    let row = row(&[("aws", 60), ("gcp", 0), ("oci", 40)], &["oci"]);
    let expected = ("aws 100, gcp off, oci off".to_owned(), 0);
    assert_eq!(said(round(&row, &three, 255)), expected);
}

#[test]
fn only_the_members_divide_what_the_actuator_gives() {
    let row = row(&[("aws", 50), ("aws2", 25), ("oci", 25)], &[]);
    let expected = ("aws2 50, oci 50".to_owned(), 0);
    assert_eq!(
        said(round(&row, &sizes(&[("aws2", 1), ("oci", 1)]), 255)),
        expected
    );
}

#[test]
fn machines_share_what_their_backend_gets() {
    let row = row(&[("aws", 70), ("oci", 30)], &[]);
    let (numbers, error) = said(round(&row, &sizes(&[("aws", 10), ("oci", 3)]), 100));
    assert_eq!((numbers.as_str(), error), ("aws 7, oci 10", 0));
}

#[test]
fn nobody_is_an_error_and_so_is_a_backend_without_machines() {
    let of = |off: &[&str], sizes_of: &[(&str, u32)]| {
        let row = row(&[("aws", 50), ("oci", 50)], off);
        round(&row, &sizes(sizes_of), 255).unwrap_err()
    };
    let both = [("aws", 1), ("oci", 1)];
    assert_eq!(of(&["aws", "oci"], &both), RoundError::AllOff);
    assert_eq!(of(&["aws"], &[("aws", 1)]), RoundError::AllOff);
    let empty = RoundError::Empty("oci".parse().unwrap());
    assert_eq!(of(&[], &[("aws", 1), ("oci", 0)]), empty);
}

proptest! {
    /// Every share that is not zero gets a number from 1 to the largest, nobody else one, and the error is the true one; with
    /// one machine each it is what half a unit of the largest total allows, or what the smallest number costs.
    #[test]
    fn the_error_is_true_and_small(
        weights in prop::collection::vec(0_u64..1000, 2..8), max in 50_u32..1000,
        counts in prop::option::of(prop::collection::vec(1_u32..20, 8)),
    ) {
        prop_assume!(weights.iter().sum::<u64>() > 0);
        let names: Vec<String> = (0..weights.len()).map(|n| format!("b{n}")).collect();
        let of: Vec<(&str, u64)> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        let row = row(&of, &[]);
        let counts = counts.clone().unwrap_or_else(|| vec![1; 8]);
        let of: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(counts.iter().copied()).collect();
        let rounded = round(&row, &sizes(&of), max).unwrap();
        let number = |name: &BackendName| match rounded.numbers[name] {
            Setting::Off => 0,
            Setting::Weight(weight) => weight,
        };
        let counted = |name: &BackendName| f64::from(number(name) * sizes(&of)[name]);
        let sum: f64 = row.shares.iter().map(|(name, _)| counted(name)).sum();
        let mut worst = 0.0_f64;
        for (name, share) in row.shares.iter() {
            prop_assert_eq!(share.is_zero(), number(name) == 0);
            prop_assert!(number(name) <= max);
            worst = worst.max((counted(name) / sum - share.ratio()).abs());
        }
        let told = rounded.error.ratio();
        prop_assert!(worst <= told + 1e-6 && told <= worst + 1.1e-4, "{worst} told as {told}");
        if counts.iter().all(|count| *count == 1) {
            let allowed = f64::from(u32::try_from(weights.len()).unwrap()) / f64::from(max);
            prop_assert!(worst <= allowed, "{worst} of {allowed}");
        }
    }
}
