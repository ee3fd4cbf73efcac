//! The laws of tiers: a cost never falls, adds up, and is what a naive loop over gigabytes makes of it.

use proptest::prelude::*;

use super::*;

const GB: u64 = 1_000_000_000;

fn gb(n: u64) -> Volume {
    Volume::from_bytes(n * GB)
}

fn price(micros: u64) -> Price {
    Price::from_micros(micros)
}

/// As AWS's list has had them: 100 GB free, 0.09 to 10 TB, 0.085 to 50, 0.07 to 150, 0.05 from there.
fn list() -> Tiers {
    let steps = [
        (100, 0),
        (10_000, 90_000),
        (50_000, 85_000),
        (150_000, 70_000),
    ];
    let steps = steps.map(|(end, micros)| (gb(end), price(micros)));
    Tiers::new(steps.to_vec(), price(50_000)).unwrap()
}

#[test]
fn the_next_byte_costs_what_its_tier_says_and_an_end_belongs_to_the_next() {
    let tiers = list();
    for (sent, micros) in [
        (0, 0),
        (100 * GB - 1, 0),
        (100 * GB, 90_000),
        (10_000 * GB - 1, 90_000),
        (10_000 * GB, 85_000),
        (u64::MAX, 50_000),
    ] {
        assert_eq!(
            tiers.marginal(Volume::from_bytes(sent)),
            price(micros),
            "{sent}"
        );
    }
}

#[test]
fn a_month_costs_what_the_bill_says() {
    // 9 900 GB at 0.09, 40 000 at 0.085, 100 000 at 0.07, 50 000 at 0.05.
    let bill = Cost::from_micros(13_791 * 1_000_000);
    assert_eq!(list().cost(Volume::default(), gb(200_000)), bill);
    assert_eq!(list().cost(gb(200_000), gb(1)), Cost::from_micros(50_000));
    assert_eq!(list().cost(gb(7), Volume::default()), Cost::ZERO);
}

#[test]
fn ends_must_ascend_from_above_zero() {
    let refused = |ends: &[u64]| {
        let steps = ends.iter().map(|end| (gb(*end), Price::ZERO)).collect();
        Tiers::new(steps, Price::ZERO).err().map(|error| error.at)
    };
    assert_eq!(refused(&[]), None);
    assert_eq!(refused(&[1, 2, 3]), None);
    assert_eq!(refused(&[0]), Some(0));
    assert_eq!(refused(&[1, 2, 2]), Some(2));
    assert_eq!(refused(&[5, 4, 6]), Some(1));
}

#[test]
fn what_is_covered_is_a_provider_or_a_backend_of_a_service() {
    let service = ServiceName::parse("meet").unwrap();
    let backend = BackendName::parse("oci-iad").unwrap();
    let provider = ProviderName::parse("oci").unwrap();
    for (text, is) in [
        ("oci", true),
        ("aws", false),
        ("meet/oci-iad", true),
        ("meet/oci", false),
        ("docs/oci-iad", false),
    ] {
        let covered = Covered::parse(text).unwrap();
        assert_eq!(covered.is(&service, &backend, &provider), is, "{text}");
        assert_eq!(covered.to_string(), text);
    }
    for none in ["", "/", "meet/", "a/b/c", "a b"] {
        assert_eq!(Covered::parse(none), None, "{none:?}");
    }
}

/// Up to four tiers of whole gigabytes, small enough to count one by one.
fn tiers() -> impl Strategy<Value = Tiers> {
    let steps = prop::collection::vec((1_u64..40, 0_u64..200_000), 0..4);
    (steps, 0_u64..200_000).prop_map(|(widths, rest)| {
        let mut end = 0;
        let steps = widths.into_iter().map(|(width, micros)| {
            end += width;
            (gb(end), price(micros))
        });
        Tiers::new(steps.collect(), price(rest)).unwrap()
    })
}

proptest! {
    #[test]
    fn a_cost_is_what_a_loop_over_gigabytes_makes_of_it(tiers in tiers(), sent in 0_u64..200, volume in 0_u64..200) {
        let naive: u64 = (sent..sent + volume)
            .map(|at| {
                let tier = tiers.iter().find(|(end, _)| end.is_none_or(|end| gb(at) < end));
                tier.unwrap().1.as_micros()
            })
            .sum();
        prop_assert_eq!(tiers.cost(gb(sent), gb(volume)), Cost::from_micros(naive));
    }

    #[test]
    fn costs_add_up_and_never_fall(tiers in tiers(), sent in 0_u64..80 * GB, a in 0_u64..80 * GB, b in 0_u64..80 * GB) {
        let [sent, a, b] = [sent, a, b].map(Volume::from_bytes);
        let (first, both) = (tiers.cost(sent, a), tiers.cost(sent, a + b));
        prop_assert_eq!(both, first + tiers.cost(sent + a, b));
        prop_assert!(both >= first);
    }

    #[test]
    fn the_next_byte_costs_its_marginal_price(tiers in tiers(), sent in any::<u64>().prop_map(|n| n % (200 * GB))) {
        let (sent, byte) = (Volume::from_bytes(sent), Volume::from_bytes(1));
        prop_assert_eq!(tiers.cost(sent, byte), tiers.marginal(sent).of(byte));
    }
}
