//! Figures of histories that are made up, where the right answer is plain.

use super::*;

const FALL: u64 = 4_000;
const RECOVERY: u64 = 10_000;

fn at(millis: u64) -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(bascule_testkit::wait::now) + Duration::from_millis(millis)
}

fn scenario(name: &str) -> Scenario {
    Scenario::ALL.into_iter().find(|s| s.name == name).unwrap()
}

/// 200 requests a second for 19 s, of which `is_ill` says which go to the ill.
fn history(is_ill: impl Fn(u64) -> bool) -> Seen {
    let mut seen = Seen {
        samples: Vec::new(),
        ill: vec![Vec::new()],
        well: Vec::new(),
        fell_ill: at(FALL),
        recovered: at(RECOVERY),
        ended: at(19_000),
    };
    for number in 0..3800 {
        let millis = number * 5;
        let one = faulty::Seen {
            at: at(millis),
            number: Some(number),
            well: true,
        };
        if is_ill(millis) {
            seen.ill[0].push(one);
        } else {
            seen.well.push(one);
        }
        seen.samples.push(Sample {
            number,
            began: at(millis),
            took: Duration::from_millis(2),
            outcome: Outcome::Status(200),
            provider: None,
            retry_after: false,
        });
    }
    seen
}

fn provider() -> Scenario {
    scenario("503")
}

/// Every second request, but none from `left` to `back`.
fn but(left: u64, back: u64) -> Seen {
    history(|millis| millis % 10 == 0 && !(left..back).contains(&millis))
}

#[test]
fn left_is_when_the_last_busy_second_begins() {
    let figures = Figures::of(&provider(), &but(4_300, RECOVERY));
    // Two or fewer in a second are none; so the last three of the busy time may be in the quiet second.
    assert_eq!(figures.left, Some(Duration::from_millis(270)));
    assert_eq!((figures.failed, figures.waited, figures.trials), (0, 0, 0));
    assert!((figures.factor - 1.0).abs() < 1e-9);
}

#[test]
fn trials_are_counted_and_are_no_reason_not_to_have_left() {
    let quiet = 4_300..RECOVERY;
    let seen = history(|ms| {
        ms % 10 == 0 && !quiet.contains(&ms) || ms % 1000 == 500 && quiet.contains(&ms)
    });
    let figures = Figures::of(&provider(), &seen);
    assert!(figures.left.unwrap() < Duration::from_millis(300));
    assert_eq!(figures.trials, 1);
}

#[test]
fn who_is_never_left_is_said_so() {
    let figures = Figures::of(&provider(), &but(RECOVERY, RECOVERY));
    assert_eq!(figures.left, None);
    assert_eq!(figures.trials, 0);
}

#[test]
fn what_clients_felt_is_counted() {
    let mut seen = but(4_100, RECOVERY);
    for sample in &mut seen.samples[820..830] {
        sample.outcome = Outcome::Status(503);
        sample.took = Duration::from_millis(500);
    }
    let figures = Figures::of(&provider(), &seen);
    assert_eq!((figures.failed, figures.waited), (10, 10));
    let last = figures.last_failed.unwrap();
    assert_eq!(last, Duration::from_millis(829 * 5 - FALL + 500));
}

#[test]
fn a_return_is_measured_from_the_recovery() {
    // All of its share from 11 s on, a tenth of it in the second before.
    let seen = history(|ms| match ms {
        RECOVERY..11_000 => ms % 100 == 0,
        _ => ms % 10 == 0 && !(4_100..RECOVERY).contains(&ms),
    });
    let back = Figures::of(&provider(), &seen).back.unwrap();
    assert_eq!(back.first, Duration::ZERO);
    assert!((back.at_first - 0.1).abs() < 0.01, "{back:?}");
    let most = back.most.unwrap();
    assert!((1_440..=1_520).contains(&most.as_millis()), "{most:?}");
    assert!((back.peak - 1.0).abs() < 0.02, "{back:?}");
    assert_eq!(back.after_checks, None);
}

#[test]
fn what_comes_at_first_is_measured_from_the_second_check_that_passed() {
    // A tenth of its share in the half second after the check, a fifth in the one after the first request.
    let mut seen = history(|ms| match ms {
        RECOVERY..10_900 => false,
        10_900..11_000 => ms % 20 == 0,
        11_000..11_400 => ms % 40 == 0,
        _ => ms % 10 == 0 && !(4_100..RECOVERY).contains(&ms),
    });
    for millis in [10_100, 10_500] {
        let at = at(millis);
        let check = faulty::Seen {
            at,
            number: None,
            well: true,
        };
        seen.ill[0].push(check);
    }
    seen.ill[0].sort_by_key(|seen| seen.at);
    let back = Figures::of(&provider(), &seen).back.unwrap();
    assert_eq!(back.first, Duration::from_millis(900));
    assert_eq!(back.after_checks, Some(Duration::from_millis(400)));
    assert!((back.at_first - 0.1).abs() < 0.01, "{back:?}");
}

#[test]
fn a_post_that_two_origins_saw_is_found() {
    let mut seen = but(4_100, RECOVERY);
    let again = seen.ill[0][0];
    seen.well.push(again);
    assert_eq!(Figures::of(&scenario("posts"), &seen).twice, 1);
}
