//! Suspicion in virtual time: the laws of one endpoint against a naive model, and a small world of workers, endpoints and
//! faults whose clients count what they see.

mod model;
mod world;

use proptest::prelude::*;

use super::*;
use crate::pick::Gate;

const FAILED: Outcome = Outcome::Failed { retry_after: None };

fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000_000 + millis)
}

/// A suspicion that has seen good answers, one each `every` ms, up to `at(0)`.
fn known_good(every: u64) -> Suspicion {
    let mut suspicion = Suspicion::new(Arc::default());
    for step in (0..1000).rev() {
        let now = Instant::from_millis(1_000_000 - step * every);
        assert!(!suspicion.handle(now, now, Outcome::Good));
    }
    suspicion
}

fn gate(suspicion: &Suspicion, now: Instant) -> Gate {
    suspicion.standing().gate(now, Repeatable::Yes)
}

#[test]
fn one_refused_connection_is_enough_where_no_good_answer_has_just_come() {
    let mut suspicion = known_good(40);
    assert!(suspicion.handle(at(40), at(39), Outcome::Refused));
    assert_eq!(gate(&suspicion, at(41)), Gate::Suspect);
    let mut busy = known_good(1);
    assert!(!busy.handle(at(1), at(0), Outcome::Refused));
    assert!(busy.handle(at(21), at(20), Outcome::Refused));
}

#[test]
fn two_errors_in_a_row_are_enough_and_one_is_not() {
    let mut suspicion = known_good(40);
    assert!(!suspicion.handle(at(40), at(39), FAILED));
    assert_eq!(gate(&suspicion, at(41)), Gate::Open);
    assert!(suspicion.handle(at(80), at(79), FAILED));
    assert_eq!(gate(&suspicion, at(81)), Gate::Suspect);
}

#[test]
fn what_says_nothing_is_suspected_at_once() {
    let mut suspicion = known_good(1);
    assert!(suspicion.handle(at(300), at(0), Outcome::Silent));
}

#[test]
fn a_trial_is_due_after_a_second_and_only_one_request_gets_it() {
    let mut suspicion = known_good(40);
    assert!(suspicion.handle(at(40), at(40), Outcome::Refused));
    let standing = Arc::clone(suspicion.standing());
    assert_eq!(gate(&suspicion, at(1039)), Gate::Suspect);
    assert!(!standing.take_trial(at(1039)));
    assert_eq!(gate(&suspicion, at(1040)), Gate::Trial);
    assert!(standing.take_trial(at(1040)) && !standing.take_trial(at(1040)));
    assert_eq!(gate(&suspicion, at(2039)), Gate::Suspect);
    assert_eq!(gate(&suspicion, at(2040)), Gate::Trial);
}

#[test]
fn a_request_that_cannot_be_made_again_is_a_trial_only_where_no_other_came_for_two_seconds() {
    let mut suspicion = known_good(40);
    assert!(suspicion.handle(at(40), at(40), Outcome::Refused));
    let standing = suspicion.standing();
    for (millis, expected) in [
        (1040, Gate::Suspect),
        (3039, Gate::Suspect),
        (3040, Gate::Trial),
    ] {
        assert_eq!(
            standing.gate(at(millis), Repeatable::No),
            expected,
            "{millis}"
        );
    }
    assert!(standing.take_trial(at(3000)));
    assert_eq!(standing.gate(at(3040), Repeatable::No), Gate::Suspect);
}

#[test]
fn what_is_neither_suspected_nor_eased_is_open_without_a_look_at_the_time() {
    let mut suspicion = known_good(40);
    assert!(suspicion.standing().is_open());
    suspicion.handle(at(40), at(40), Outcome::Refused);
    assert!(!suspicion.standing().is_open());
    suspicion.standing().forget();
    assert!(suspicion.standing().is_open());
    suspicion.standing().ease(at(60));
    assert!(!suspicion.standing().is_open());
}

#[test]
fn what_failed_throughout_is_well_after_one_good_trial_and_what_did_by_turns_after_four() {
    let mut refused = known_good(40);
    refused.handle(at(40), at(40), Outcome::Refused);
    refused.handle(at(1050), at(1040), Outcome::Good);
    assert_eq!(gate(&refused, at(1051)), Gate::Open);
    let mut by_turns = known_good(40);
    for step in 1..20 {
        let outcome = if step % 2 == 0 { Outcome::Good } else { FAILED };
        by_turns.handle(at(step * 10), at(step * 10 - 1), outcome);
    }
    assert_ne!(gate(&by_turns, at(200)), Gate::Open);
    for (trial, expected) in [
        (2000, Gate::Trial),
        (3000, Gate::Trial),
        (4000, Gate::Trial),
        (5000, Gate::Open),
    ] {
        by_turns.handle(at(trial + 1), at(trial), Outcome::Good);
        assert_eq!(gate(&by_turns, at(trial + 2)), expected, "{trial}");
    }
}

#[test]
fn a_suspicion_soon_after_another_takes_four_good_trials() {
    let mut suspicion = known_good(40);
    suspicion.handle(at(40), at(40), Outcome::Refused);
    suspicion.handle(at(1050), at(1040), Outcome::Good);
    assert!(suspicion.handle(at(1100), at(1090), Outcome::Refused));
    for trial in [2200, 3300, 4400] {
        suspicion.handle(at(trial + 1), at(trial), Outcome::Good);
        assert_eq!(gate(&suspicion, at(trial + 2)), Gate::Trial);
    }
    suspicion.handle(at(5501), at(5500), Outcome::Good);
    assert_eq!(gate(&suspicion, at(5502)), Gate::Open);
}

#[test]
fn answers_to_what_was_asked_before_prove_nothing() {
    let mut suspicion = known_good(40);
    suspicion.handle(at(40), at(39), Outcome::Refused);
    suspicion.handle(at(50), at(30), Outcome::Good);
    assert_eq!(gate(&suspicion, at(51)), Gate::Suspect);
    suspicion.handle(at(60), at(41), Outcome::Good);
    assert_eq!(gate(&suspicion, at(61)), Gate::Open);
}

#[test]
fn a_pause_that_is_asked_for_is_kept_within_reason() {
    for (asked, kept) in [(0, 1), (5, 5), (3600, 30)] {
        let mut suspicion = known_good(40);
        let retry_after = Some(Duration::from_secs(asked));
        let failed = Outcome::Failed { retry_after };
        suspicion.handle(at(100), at(99), failed);
        assert!(suspicion.handle(at(140), at(139), failed));
        assert_eq!(gate(&suspicion, at(139 + kept * 1000)), Gate::Suspect);
        assert_eq!(gate(&suspicion, at(140 + kept * 1000)), Gate::Trial);
    }
}

/// The part of a second's moments, one each 100 µs, in which it would get a request.
fn open_part(suspicion: &Suspicion, from: u64) -> f64 {
    let moments = (0..10_000).map(|step| at(from) + Duration::from_micros(step * 100));
    let open = moments.filter(|now| gate(suspicion, *now) == Gate::Open);
    f64::from(u32::try_from(open.count()).unwrap()) / 10_000.0
}

#[test]
fn what_has_too_much_to_do_gets_half_for_as_long_as_it_asks() {
    let mut suspicion = known_good(10);
    let retry_after = Some(Duration::from_secs(3));
    for step in 1..=20 {
        assert!(!suspicion.handle(at(step * 10), at(0), Outcome::Pushback { retry_after }));
    }
    let part = open_part(&suspicion, 1000);
    assert!((0.45..0.55).contains(&part), "{part}");
    assert!((open_part(&suspicion, 3300) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn now_and_then_a_client_that_asks_for_too_much_costs_the_endpoint_nothing() {
    let mut suspicion = known_good(10);
    let retry_after = Some(Duration::from_secs(60));
    for step in 1..=1000_u64 {
        let outcome = if step % 6 == 0 {
            Outcome::Pushback { retry_after }
        } else {
            Outcome::Good
        };
        suspicion.handle(at(step * 10), at(step * 10), outcome);
    }
    assert!((open_part(&suspicion, 10_001) - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_was_forgotten_is_open_at_once() {
    let mut suspicion = known_good(40);
    suspicion.handle(at(40), at(40), Outcome::Refused);
    suspicion.standing().forget();
    assert_eq!(gate(&suspicion, at(41)), Gate::Open);
    // And what led there does not count again.
    assert!(!suspicion.handle(at(80), at(79), FAILED));
}

fn answered(answers: &[(u64, u32)]) -> Answers {
    let mut all = Answers::default();
    for (millis, count) in answers {
        (0..*count).for_each(|_| all.record(Duration::from_millis(*millis)));
    }
    all.handle_timeout(at(0), &Times::default());
    all
}

#[test]
fn how_long_a_silence_may_last_follows_the_p99() {
    let millis = |answers: &[(u64, u32)]| answered(answers).silence().map(|s| s.as_millis());
    assert_eq!(millis(&[(1, 19)]), None);
    assert_eq!(millis(&[(1, 20)]), Some(300));
    assert_eq!(millis(&[(1, 990), (5000, 10)]), Some(300));
    assert_eq!(millis(&[(1, 989), (100, 11)]), Some(600));
    assert_eq!(millis(&[(1000, 1000)]), Some(7200));
    assert_eq!(millis(&[(500_000, 1000)]), Some(307_200));
}

/// What is strange at that second, where so many answers came since the second before it, each at once.
fn silence(answers: &mut Answers, second: u64, since: u32) -> Option<u128> {
    (0..since).for_each(|_| answers.record(Duration::ZERO));
    answers.handle_timeout(at(second * 1000), &Times::default());
    answers.silence().map(|silence| silence.as_millis())
}

#[test]
fn answers_count_for_ten_seconds_and_are_forgotten_after_twenty() {
    let mut answers = answered(&[(1, 20)]);
    (0..1000).for_each(|_| answers.record(Duration::from_secs(1)));
    for second in [1, 9, 10, 19, 20] {
        assert_eq!(silence(&mut answers, second, 20), Some(7200), "{second}");
    }
    assert_eq!(silence(&mut answers, 21, 0), Some(300));
}

#[test]
fn what_is_known_is_kept_until_there_are_as_many_newer_answers() {
    let mut answers = answered(&[(1000, 1000)]);
    for second in [10, 20, 3600] {
        assert_eq!(silence(&mut answers, second, 0), Some(7200), "{second}");
    }
    for second in [3601, 3700] {
        assert_eq!(silence(&mut answers, second, 10), Some(7200), "{second}");
    }
    assert_eq!(silence(&mut answers, 3701, 0), Some(300));
}

#[test]
fn an_endpoint_that_has_answered_too_little_is_judged_by_its_backend() {
    let mut backend = answered(&[(100, 20)]).times();
    backend += answered(&[(400, 18)]).times();
    let mut answers = answered(&[(1, 19)]);
    answers.handle_timeout(at(1000), &Times::default());
    assert_eq!(answers.silence(), None);
    answers.handle_timeout(at(2000), &backend);
    assert_eq!(answers.silence(), Some(Duration::from_millis(2400)));
    answers.record(Duration::from_millis(1));
    answers.handle_timeout(at(3000), &backend);
    assert_eq!(answers.silence(), Some(Duration::from_millis(300)));
}

proptest! {
    #[test]
    fn one_error_among_good_answers_never_means_anything(
        // Microseconds between two answers, and how many good ones come before the next error.
        steps in prop::collection::vec((prop_oneof![0_u64..1000, 0_u64..300_000], 5_u32..50), 1..60),
        first in 0_u32..5, refused in any::<bool>(),
    ) {
        let mut suspicion = known_good(10);
        let mut now = at(0);
        for (index, (step, good)) in steps.iter().enumerate() {
            let good = if index == 0 { first.max(4) } else { *good };
            for _ in 0..good {
                now = now + Duration::from_micros(*step);
                prop_assert!(!suspicion.handle(now, now, Outcome::Good));
            }
            // A refusal just after a good answer is one error as any other.
            let outcome = if refused && *step < 1000 { Outcome::Refused } else { FAILED };
            now = now + Duration::from_micros(*step);
            prop_assert!(!suspicion.handle(now, now, outcome), "{}", index);
        }
    }

    #[test]
    fn what_fails_throughout_is_suspected_within_three_tries_and_twenty_milliseconds(
        every in 1_u64..200_000, history in 1_u64..1000,
    ) {
        let mut suspicion = known_good(history);
        let (mut now, mut tries) = (at(0), 0);
        loop {
            now = now + Duration::from_micros(every);
            tries += 1;
            if suspicion.handle(now, now, FAILED) {
                break;
            }
        }
        let within = Duration::from_millis(20) + Duration::from_micros(every * 2);
        prop_assert!(now.since(at(0)) <= within, "{:?} after {} tries", now.since(at(0)), tries);
    }

    #[test]
    fn it_does_what_the_naive_model_does(events in model::events()) {
        model::compare(&events)?;
    }
}
