//! Whether so many failures can be chance. The measure is what is usual for the endpoint, or for its peers now: five
//! failures in a row are news of an endpoint that fails once a day, and none of one that fails every third time. That is
//! what lets one rule serve two endpoints or fifty, at one request a minute or a thousand a second.
//!
//! Of tries that fail independently, λ of them on average, `f` or more fail with a probability of at most (e·λ ÷ f)^f
//! (Chernoff's bound). The table has, for each `f`, the largest λ for which that is a millionth. Integers only, so that
//! every machine judges alike.

use super::window::Seen;

/// Tries of which nothing is known weigh as so many, of which one failed: an endpoint that was never seen is taken for one
/// that fails once in fifty times.
const UNKNOWN_TRIES: u64 = 50;

/// How little chance is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// A millionth: of an endpoint that is looked at ten times a second for weeks.
    Millionth,
    /// A hundredth: of one that has failed a moment ago.
    Hundredth,
}

/// Failures, and the most that may have been expected, in millionths, so that they are no chance: at a millionth, at a
/// hundredth.
const TABLE: [(u64, u64, u64); 22] = [
    (2, 735, 73_575),
    (3, 11_036, 237_771),
    (4, 46_533, 465_334),
    (5, 116_058, 732_277),
    (6, 220_727, 1_024_527),
    (7, 357_816, 1_333_795),
    (8, 523_353, 1_654_990),
    (10, 924_071, 2_321_162),
    (12, 1_396_004, 3_007_600),
    (15, 2_196_831, 4_059_414),
    (20, 3_687_529, 5_844_340),
    (25, 5_292_313, 7_649_719),
    (30, 6_963_487, 9_465_860),
    (40, 10_417_547, 13_114_915),
    (50, 13_953_254, 16_775_501),
    (75, 22_949_159, 25_947_774),
    (100, 32_040_959, 35_132_213),
    (150, 50_326_505, 53_513_510),
    (200, 68_665_014, 71_901_096),
    (300, 105_396_641, 108_682_621),
    (500, 178_926_852, 182_253_351),
    (1_000, 362_831_946, 366_189_188),
];

/// Whether it is no chance that so many of these tries failed, for one that usually does as `usual`.
pub(super) fn is_news(failed: u64, tries: u64, usual: &Seen, level: Level) -> bool {
    let row = TABLE
        .iter()
        .rev()
        .find(|(failures, ..)| *failures <= failed);
    let Some((_, millionth, hundredth)) = row else {
        return false;
    };
    let expected_max = match level {
        Level::Millionth => *millionth,
        Level::Hundredth => *hundredth,
    };
    let failed_usually = u128::from(usual.failed()) + 1;
    let tries_usually = u128::from(usual.tries()) + u128::from(UNKNOWN_TRIES);
    let expected = u128::from(tries) * failed_usually * 1_000_000;
    expected <= u128::from(expected_max) * tries_usually
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usual(failed: u64, tries: u64) -> Seen {
        let mut seen = Seen {
            answers: tries - failed,
            ..Seen::default()
        };
        seen.failures[0] = failed;
        seen
    }

    /// The least number of failures in a row that is news.
    fn run_needed(usual: &Seen) -> Option<u64> {
        (1..=1_000).find(|run| is_news(*run, *run, usual, Level::Millionth))
    }

    #[test]
    fn the_more_usual_failures_are_the_more_of_them_in_a_row_it_takes() {
        let table = [
            (usual(0, 0), Some(5)),
            (usual(0, 1_000), Some(3)),
            (usual(10, 1_000), Some(4)),
            (usual(50, 1_000), Some(7)),
            (usual(200, 1_000), Some(25)),
            (usual(500, 1_000), None),
        ];
        for (usual, needed) in table {
            assert_eq!(run_needed(&usual), needed, "{usual:?}");
        }
    }

    #[test]
    fn half_of_the_answers_failing_is_seen_in_a_handful() {
        assert!(is_news(5, 10, &usual(0, 500), Level::Millionth));
        assert!(!is_news(5, 10, &usual(25, 500), Level::Millionth));
        assert!(is_news(2, 3, &usual(0, 0), Level::Hundredth));
    }

    /// Beside the table the formula it was computed from.
    #[test]
    fn the_table_is_the_bound() {
        for (failed, millionth, hundredth) in TABLE {
            for (expected_max, chance) in [(millionth, 1e-6), (hundredth, 1e-2)] {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let (f, lambda) = (failed as f64, expected_max as f64 / 1e6);
                let bound = (std::f64::consts::E * lambda / f).powf(f);
                assert!(
                    bound <= chance && bound > 0.99 * chance,
                    "{failed}: {bound}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_failure_in_place_of_an_answer_is_never_less_news(
            (tries, failed) in (1_u64..2_000).prop_flat_map(|tries| (Just(tries), 0..tries)),
            (tries_usually, failed_usually) in
                (0_u64..100_000).prop_flat_map(|tries| (Just(tries), 0..=tries)),
        ) {
            let usual = usual(failed_usually, tries_usually);
            for level in [Level::Millionth, Level::Hundredth] {
                let better = is_news(failed, tries, &usual, level);
                prop_assert!(!better || is_news(failed + 1, tries, &usual, level));
            }
        }
    }
}
