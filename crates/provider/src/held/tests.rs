//! Sets that are held: what is believed at once, and what only when it was said three times.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Kind;
use crate::port::Instance;

fn at(second: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(second)
}

/// Machines of these numbers, all running.
fn set(numbers: impl IntoIterator<Item = u8>) -> Set {
    let instance = |number: u8| Instance {
        address: [10, 0, 0, number].into(),
        port: None,
        zone: None,
        lifecycle: Lifecycle::Running,
    };
    let instances = numbers.into_iter();
    Set {
        instances: instances
            .map(|number| (format!("i-{number}").into(), instance(number)))
            .collect(),
    }
}

fn failure() -> Result<Set, Error> {
    Err(Error::new(Kind::Transient, "List", "pool"))
}

fn held(numbers: std::ops::Range<u8>) -> Held {
    let mut held = Held::default();
    assert_eq!(held.handle(at(0), Ok(set(numbers))), Learned::Changed);
    held
}

#[test]
fn the_first_answer_counts_whatever_it_says() {
    let mut empty = Held::default();
    assert_eq!(empty.handle(at(1), Ok(set([]))), Learned::Changed);
    assert_eq!((empty.revision(), empty.good_at()), (1, Some(at(1))));
}

#[test]
fn a_failure_takes_nothing_away_and_is_told_with_its_age() {
    let mut held = held(0..4);
    for second in 1..=3 {
        assert_eq!(held.handle(at(second), failure()), Learned::Failed);
    }
    assert_eq!(**held.set().unwrap(), set(0..4));
    let failed = held.failed().unwrap();
    assert_eq!((failed.since, failed.count), (at(1), 3));
    assert_eq!(held.good_at(), Some(at(0)));
    assert_eq!(held.handle(at(4), Ok(set(0..4))), Learned::Same);
    assert!(held.failed().is_none());
    assert_eq!((held.revision(), held.good_at()), (1, Some(at(4))));
}

#[test]
fn up_to_half_may_go_at_once() {
    let mut held = held(0..10);
    assert_eq!(held.handle(at(1), Ok(set(0..5))), Learned::Changed);
    assert_eq!(held.revision(), 2);
}

#[test]
fn an_empty_answer_and_one_with_most_gone_count_when_two_more_say_so() {
    for left in [0_u8, 4] {
        let mut held = held(0..10);
        let gone = usize::from(10 - left);
        for missing in [2, 1] {
            let learned = held.handle(at(1), Ok(set(0..left)));
            let expected = Learned::Doubted {
                gone,
                of: 10,
                missing,
            };
            assert_eq!(learned, expected);
            assert_eq!(**held.set().unwrap(), set(0..10));
            assert_eq!(held.doubted_since(), Some(at(1)));
            // A failure in between neither confirms nor clears it.
            held.handle(at(2), failure());
        }
        assert_eq!(held.handle(at(3), Ok(set(0..left))), Learned::Changed);
        assert_eq!(**held.set().unwrap(), set(0..left));
        assert_eq!(held.doubted_since(), None);
    }
}

#[test]
fn a_set_in_which_something_returns_is_doubted_anew() {
    let mut held = held(0..10);
    let missing = |learned| match learned {
        Learned::Doubted { missing, .. } => missing,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(held.handle(at(1), Ok(set(0..2)))), 2);
    assert_eq!(missing(held.handle(at(2), Ok(set(0..2)))), 1);
    assert_eq!(missing(held.handle(at(3), Ok(set(0..4)))), 2);
    // Fewer still says of each that was gone that it is.
    assert_eq!(missing(held.handle(at(4), Ok(set(0..3)))), 1);
    assert_eq!(held.handle(at(5), Ok(set(0..3))), Learned::Changed);
}

#[test]
fn what_stops_is_gone() {
    let mut held = held(0..3);
    let mut stopping = set(0..3);
    for instance in stopping.instances.values_mut() {
        instance.lifecycle = Lifecycle::Stopping;
    }
    let learned = held.handle(at(1), Ok(stopping));
    assert!(matches!(learned, Learned::Doubted { gone: 3, of: 3, .. }));
}

proptest! {
    /// Whatever comes, in any order: what is held is one of the answers, and never less than half of what was held before
    /// unless three answers in a row that did not fail agreed that it is gone.
    #[test]
    fn nothing_is_lost_by_less_than_three_answers(
        answers in prop::collection::vec(prop::option::weighted(0.8, prop::collection::btree_set(0_u8..8, 0..8)), 1..40),
    ) {
        let mut held = Held::default();
        let mut good: Vec<Set> = Vec::new();
        for (second, answer) in answers.into_iter().enumerate() {
            let before = held.set().cloned();
            let answer = answer.map(set);
            let learned = held.handle(at(second as u64), answer.clone().map_or_else(failure, Ok));
            good.extend(answer);
            prop_assert_eq!(learned == Learned::Changed, held.set() != before.as_ref());
            let Some(before) = before.filter(|_| learned == Learned::Changed) else {
                continue;
            };
            let gone: Vec<_> = before.serving().filter(|id| !held.set().unwrap().serves(id)).collect();
            if gone.len() * 2 > before.serving().count() {
                let last = good.iter().rev().take(3);
                prop_assert_eq!(last.len(), 3);
                let lost = |set: &Set| before.serving().filter(|id| !set.serves(id)).count() * 2 > before.serving().count();
                prop_assert!(good.iter().rev().take(3).all(lost));
            }
        }
    }
}
