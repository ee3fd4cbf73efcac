//! The machine in virtual time: faults as they happen, and what must come of them.

mod laws;
mod world;

use std::time::Duration;

use bascule_model::{BasisPoints, FailureClass, ObservedState};

use super::*;
use ObservedState::{Down, Up};
use world::{Answers, WELL, World, failing, watched};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const TWO_BY_TWO: [(&str, u16); 4] = [("aws", 1), ("aws", 2), ("oci", 1), ("oci", 2)];
/// The places of the second provider in it.
const OCI: [usize; 2] = [2, 3];

fn after_a_minute(endpoints: &[(&str, u16)]) -> World {
    let mut world = World::of(endpoints);
    world.run(MINUTE);
    assert_eq!(world.out(), [0; 0], "all is well");
    world
}

fn told(world: &World, which: impl Fn(&Action) -> bool) -> usize {
    world
        .told
        .iter()
        .filter(|(_, action)| which(action))
        .count()
}

#[test]
fn a_provider_whose_answers_are_503_leaves_in_a_tenth_of_a_second_and_gets_one_trial_a_second() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&OCI, failing(10_000));
    let left = world.until(|world| world.out() == OCI);
    assert!(left <= Duration::from_millis(100), "{left:?}");
    let from = world.now;
    world.run(MINUTE);
    assert_eq!(world.out(), OCI);
    assert_eq!(world.peak(&OCI, from), 1);
}

#[test]
fn endpoints_of_one_provider_that_fail_together_are_one_thing_to_say() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&OCI, failing(10_000));
    world.run(SECOND);
    let said: Vec<&ProviderFails> = world
        .told
        .iter()
        .filter_map(|(_, action)| match action {
            Action::ProviderFails(fails) => Some(fails),
            _ => None,
        })
        .collect();
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].provider.as_str(), "oci");
    assert_eq!((said[0].endpoints.len(), said[0].of), (2, 2));
    let Offence::Failing {
        class,
        failed,
        tries,
    } = said[0].offence
    else {
        panic!("not slow");
    };
    assert_eq!((class, failed), (FailureClass::Unavailable, tries));
}

#[test]
fn endpoints_of_one_provider_that_go_one_after_the_other_are_one_thing_to_say_too() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[2], failing(10_000));
    world.until(|world| world.is_out(2));
    let said = |world: &World| told(world, |a| matches!(a, Action::ProviderFails(_)));
    assert_eq!(said(&world), 0, "one of two is an accident of its own");
    world.run(SECOND);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    world.run(MINUTE);
    assert_eq!(said(&world), 1);
    let with_provider = |index| world.sight(index).ejection.unwrap().with_provider;
    assert!(with_provider(2) && with_provider(3));
}

#[test]
fn one_that_is_out_for_being_slow_is_not_said_to_fail_with_those_of_its_provider_that_do() {
    let one_and_three = [("aws", 1), ("oci", 1), ("oci", 2), ("oci", 3)];
    for slow in 1..=3 {
        let mut world = after_a_minute(&one_and_three);
        let answers = Answers {
            latency: Duration::from_millis(800),
            ..WELL
        };
        world.answer(&[slow], answers);
        world.until(|world| world.is_out(slow));
        let failing_ones: Vec<usize> = (1..=3).filter(|index| *index != slow).collect();
        for index in &failing_ones {
            world.answer(&[*index], failing(10_000));
            world.until(|world| world.is_out(*index));
        }
        let said = told(&world, |a| matches!(a, Action::ProviderFails(_)));
        assert_eq!(said, 1, "{slow} is slow");
        let with_provider = |index: usize| world.sight(index).ejection.unwrap().with_provider;
        let together: Vec<usize> = (1..=3).filter(|index| with_provider(*index)).collect();
        assert_eq!(together, failing_ones, "{slow} is slow");
    }
}

#[test]
fn half_of_the_answers_failing_while_checks_pass_leaves_stays_away_and_is_back_once_repaired() {
    for seed in 0..8 {
        let mut world = after_a_minute(&TWO_BY_TWO);
        world.run(Duration::from_millis(37 * seed));
        world.answer(&OCI, failing(5_000));
        let left = world.until(|world| world.out() == OCI);
        assert!(left <= Duration::from_millis(800), "seed {seed}: {left:?}");
        let from = world.now;
        world.run(20 * SECOND);
        let trials = world.sent_to(&OCI, world.now.since(from));
        assert!(trials <= 40, "seed {seed}: {trials} in twenty seconds");
        world.answer(&OCI, WELL);
        let back = world.until(|world| world.out().is_empty());
        assert!(back <= 5 * SECOND, "seed {seed}: {back:?}");
    }
}

#[test]
fn a_repaired_provider_is_given_back_from_its_first_good_trial_on() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&OCI, failing(10_000));
    world.run(10 * SECOND);
    world.answer(&OCI, WELL);
    let repaired = world.now;
    world.until(|world| world.out().is_empty());
    for index in OCI {
        let returned = world.sight(index).returned_at.unwrap();
        assert!(returned.since(repaired) <= SECOND + 2 * LOOK_EVERY);
        assert!(world.now.since(returned) >= SECOND);
    }
}

#[test]
fn with_few_requests_it_takes_requests_and_not_seconds() {
    let mut world = World::at_rate(&[("aws", 1), ("oci", 1)], 10 * SECOND);
    world.run(10 * MINUTE);
    world.answer(&[1], failing(10_000));
    world.until(|world| world.out() == [1]);
    let wasted = world.sent_to(&[1], 6 * MINUTE);
    assert!(wasted <= 40, "{wasted}");
    world.run(6 * MINUTE);
    // Trials are a part of the requests, not most of them.
    let trials = world.sent_to(&[1], 5 * MINUTE);
    assert!(trials <= 6, "{trials}");
    world.answer(&[1], WELL);
    world.until(|world| world.out().is_empty());
}

#[test]
fn the_only_endpoint_of_a_service_stays_whatever_it_does() {
    let mut world = after_a_minute(&[("aws", 1)]);
    world.answer(&[0], failing(10_000));
    world.run(MINUTE);
    assert_eq!(world.out(), [0; 0]);
}

#[test]
fn where_all_fail_alike_nobody_is_taken_out() {
    for part in [1_000, 3_000, 5_000, 10_000] {
        let mut world = after_a_minute(&TWO_BY_TWO);
        world.answer(&[0, 1, 2, 3], failing(part));
        world.run(MINUTE);
        let most = told(&world, |action| matches!(action, Action::Ejected { .. }));
        // Those that happened to be first, before the others were seen to fail as well.
        assert!(most <= 4, "{part}: {most}");
        assert!(world.out().len() <= 2, "{part}: {:?}", world.out());
    }
}

#[test]
fn an_endpoint_that_always_fails_now_and_then_is_no_news() {
    let mut world = World::of(&TWO_BY_TWO);
    world.answer(&[0, 1, 2, 3], failing(300));
    world.run(3 * MINUTE);
    let most = told(&world, |action| matches!(action, Action::Ejected { .. }));
    assert_eq!(most, 0);
}

#[test]
fn an_endpoint_that_was_never_better_leaves_for_what_its_peers_do() {
    let mut world = World::of(&TWO_BY_TWO);
    world.answer(&[3], failing(5_000));
    let left = world.until(|world| world.out() == [3]);
    assert!(left <= 2 * SECOND, "{left:?}");
}

#[test]
fn a_connection_that_breaks_under_many_requests_is_one_failure() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.servers[3].totals.failures[FailureClass::Reset.index()] += 100;
    world.run(MINUTE);
    assert_eq!(told(&world, |a| matches!(a, Action::Ejected { .. })), 0);
}

#[test]
fn a_passing_check_brings_nobody_back_whose_data_path_still_fails() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    for _ in 0..10 {
        world.checks(3, Up);
        world.run(3 * SECOND);
        assert!(world.is_out(3));
    }
}

#[test]
fn checks_that_failed_and_pass_again_bring_a_trial_at_once_and_one_is_enough() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    world.checks(3, Down);
    world.run(10 * SECOND);
    assert_eq!(
        world.sent_to(&[3], 9 * SECOND),
        0,
        "no trial while checks fail"
    );
    world.answer(&[3], WELL);
    world.checks(3, Up);
    let back = world.until(|world| !world.is_out(3));
    assert!(back <= LOOK_EVERY + LOOK_AGAIN, "{back:?}");
}

#[test]
fn each_return_in_vain_makes_the_next_hold_longer_until_it_is_forgotten() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    let mut holds = Vec::new();
    for _ in 0..4 {
        world.answer(&[3], failing(10_000));
        world.until(|world| world.is_out(3));
        world.answer(&[3], WELL);
        let times = world.sight(3).ejection.unwrap().times;
        let tried = |world: &World| world.sent.last().is_some_and(|sent| sent.trial);
        holds.push((times, world.until(tried)));
        world.until(|world| !world.is_out(3));
    }
    let times: Vec<u32> = holds.iter().map(|(times, _)| *times).collect();
    assert_eq!(times, [1, 2, 3, 4]);
    for (times, hold) in holds {
        // It is looked at once a hundredth of a second.
        assert!(hold + LOOK_AGAIN >= SECOND * times, "{times}: {hold:?}");
    }
    world.run(3 * MINUTE + SECOND);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    assert_eq!(world.sight(3).ejection.unwrap().times, 2);
}

#[test]
fn trials_that_passed_before_a_return_in_vain_bring_no_other_of_the_provider_back() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&OCI, failing(10_000));
    world.until(|world| world.out() == OCI);
    for times in 1..4 {
        world.answer(&OCI, WELL);
        world.until(|world| world.out().is_empty());
        let returns = world.told.iter().rev();
        let returns = returns.filter_map(|(_, action)| match action {
            Action::Returned { id, trials, .. } => Some((id, trials)),
            _ => None,
        });
        let trials: u32 = returns.take(2).map(|(_, trials)| trials).sum();
        // Each showed that it works, together as often as is needed.
        assert!(trials >= 5, "{times}: {trials}");
        world.answer(&OCI, failing(10_000));
        world.until(|world| world.out() == OCI);
    }
}

#[test]
fn an_endpoint_that_grows_slow_leaves_and_comes_back_when_it_is_fast() {
    let slow = Answers {
        latency: Duration::from_millis(800),
        ..WELL
    };
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[3], slow);
    let left = world.until(|world| world.is_out(3));
    assert!(left <= 3 * SECOND, "{left:?}");
    assert!(matches!(
        world.sight(3).ejection.unwrap().offence,
        Offence::Slow { .. }
    ));
    world.run(MINUTE);
    assert!(world.is_out(3), "slow trials do not pass");
    world.answer(&[3], WELL);
    world.until(|world| !world.is_out(3));
}

/// Whether endpoints that always take so long are back once they are well, after they were out for two minutes.
fn comes_back_that_takes(latency: Duration) -> bool {
    let slow_by_nature = Answers { latency, ..WELL };
    let mut world = World::of(&TWO_BY_TWO);
    world.answer(&[0, 1, 2, 3], slow_by_nature);
    world.run(MINUTE);
    let broken = Answers {
        failing: 10_000,
        ..slow_by_nature
    };
    world.answer(&[3], broken);
    world.until(|world| world.is_out(3));
    world.silence = latency;
    world.run(2 * MINUTE);
    assert!(world.is_out(3));
    world.answer(&[3], slow_by_nature);
    world.run(30 * SECOND);
    !world.is_out(3)
}

#[test]
fn an_endpoint_that_is_slow_by_nature_comes_back_as_slow_as_it_was() {
    for millis in [20, 400, 1_500, 5_000] {
        let latency = Duration::from_millis(millis);
        assert!(comes_back_that_takes(latency), "{latency:?}");
    }
}

#[test]
fn one_that_is_out_again_at_once_is_still_measured_by_what_was_usual_before_the_first_time() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    world.run(2 * MINUTE);
    world.answer(&[3], WELL);
    world.until(|world| !world.is_out(3));
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    let slow = Answers {
        latency: Duration::from_millis(800),
        ..WELL
    };
    world.answer(&[3], slow);
    world.run(MINUTE);
    assert!(world.is_out(3));
}

#[test]
fn a_trial_of_one_that_is_fast_as_a_rule_has_failed_after_a_second_without_an_answer() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    world.answer(&[3], WELL);
    world.silence = Duration::from_millis(1_500);
    world.run(MINUTE);
    assert!(world.is_out(3));
}

#[test]
fn an_endpoint_that_is_far_away_is_not_slow_and_neither_is_one_among_slow_ones() {
    let far = Answers {
        latency: Duration::from_millis(800),
        ..WELL
    };
    let mut world = World::of(&TWO_BY_TWO);
    world.answer(&[3], far);
    world.run(3 * MINUTE);
    assert_eq!(world.out(), [0; 0]);
    world.answer(&[0, 1, 2], far);
    world.run(MINUTE);
    assert_eq!(world.out(), [0; 0]);
}

#[test]
fn one_that_is_out_comes_back_when_no_other_is_left() {
    let mut world = after_a_minute(&[("aws", 1), ("oci", 1)]);
    world.answer(&[1], failing(10_000));
    world.until(|world| world.is_out(1));
    world.answer(&[0], failing(10_000));
    world.checks(0, Down);
    assert_eq!(world.out(), [0; 0]);
    let last = world.told.last().map(|(_, action)| action);
    let spared = |action: &&Action| matches!(action, Action::Returned { trials: 0, .. });
    assert!(last.as_ref().is_some_and(spared), "{last:?}");
}

#[test]
fn what_people_take_out_begins_anew() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[3], failing(10_000));
    world.until(|world| world.is_out(3));
    let targets = world.servers.iter().map(|server| Watched {
        takes_new: server.id != world.servers[3].id,
        ..watched(&server.id, world.policy)
    });
    let targets = targets.collect();
    world.passive.set_targets(world.now, targets);
    assert_eq!(world.out(), [0; 0]);
}

#[test]
fn switched_off_traffic_takes_nobody_out() {
    let mut world = World::of(&TWO_BY_TWO);
    world.policy.enabled = false;
    world.aim();
    world.run(MINUTE);
    world.answer(&OCI, failing(10_000));
    world.run(MINUTE);
    assert!(world.told.is_empty());
}

#[test]
fn the_cap_holds_for_whole_providers_too() {
    let mut world = World::of(&[("aws", 1), ("oci", 1), ("oci", 2), ("oci", 3)]);
    world.policy.share_max = BasisPoints::saturating(5_000);
    world.aim();
    world.run(MINUTE);
    world.answer(&[1, 2, 3], failing(10_000));
    world.run(MINUTE);
    assert_eq!(world.out().len(), 2);
}

#[test]
fn all_checks_failing_while_traffic_succeeds_hold_the_last_good_state() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    for index in 0..4 {
        world.checks(index, Down);
        world.run(Duration::from_millis(300));
    }
    let held = |world: &World| (0..4).filter(|i| world.sight(*i).held).count();
    assert_eq!(held(&world), 4);
    let doubts = |world: &World| told(world, |a| matches!(a, Action::ChecksDoubted { .. }));
    assert_eq!(doubts(&world), 1);
    world.run(3 * MINUTE);
    assert_eq!(held(&world), 4, "for as long as it lasts");
    for index in 0..4 {
        world.checks(index, Up);
    }
    assert_eq!((held(&world), doubts(&world)), (0, 2));
}

/// Four endpoints that are up against their checks.
fn with_all_held() -> World {
    let mut world = after_a_minute(&TWO_BY_TWO);
    (0..4).for_each(|index| world.checks(index, Down));
    world.run(SECOND);
    assert!((0..4).all(|index| world.sight(index).held));
    world
}

#[test]
fn what_is_held_stays_held_while_no_requests_come() {
    let mut world = with_all_held();
    world.gap = 10 * MINUTE;
    world.run(5 * MINUTE);
    assert!((0..4).all(|index| world.sight(index).held));
    let doubts = told(&world, |a| matches!(a, Action::ChecksDoubted { .. }));
    assert_eq!(doubts, 1);
}

#[test]
fn a_failure_now_and_then_says_nothing_against_what_is_held() {
    let mut world = with_all_held();
    world.answer(&[0, 1, 2, 3], failing(100));
    world.run(3 * MINUTE);
    assert!((0..4).all(|index| world.sight(index).held));
}

#[test]
fn the_first_check_that_passes_again_leaves_the_others_the_time_for_theirs() {
    let mut world = with_all_held();
    world.checks(0, Up);
    world.run(8 * SECOND);
    let held = |world: &World| (0..4).filter(|i| world.sight(*i).held).collect::<Vec<_>>();
    assert_eq!(held(&world), [1, 2, 3]);
    world.checks(1, Up);
    assert_eq!(held(&world), [2, 3]);
    // What fails again meanwhile is not held, as it is not with all others.
    world.checks(0, Down);
    assert_eq!(held(&world), [2, 3]);
    world.run(4 * SECOND);
    assert_eq!(held(&world), [0; 0], "their checks are right after all");
    let doubts = told(&world, |a| matches!(a, Action::ChecksDoubted { .. }));
    assert_eq!(doubts, 2);
}

#[test]
fn who_waits_for_its_check_to_pass_again_is_let_go_when_its_traffic_fails() {
    let mut world = with_all_held();
    world.checks(0, Up);
    world.answer(&[1], failing(10_000));
    world.run(3 * SECOND);
    assert!(!world.sight(1).held);
    assert!(world.sight(2).held);
}

#[test]
fn all_checks_failing_with_traffic_failing_too_are_believed() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.answer(&[0, 1, 2, 3], failing(10_000));
    world.run(SECOND);
    for index in 0..4 {
        world.checks(index, Down);
    }
    assert!((0..4).all(|index| !world.sight(index).held));
}

#[test]
fn what_is_held_is_let_go_when_its_traffic_fails() {
    let mut world = after_a_minute(&[("aws", 1), ("oci", 1)]);
    for index in 0..2 {
        world.checks(index, Down);
        world.run(SECOND);
    }
    assert!(world.sight(1).held);
    world.answer(&[0, 1], failing(10_000));
    world.run(3 * SECOND);
    assert!((0..2).all(|index| !world.sight(index).held));
}

#[test]
fn one_endpoint_whose_checks_fail_is_believed_though_its_traffic_succeeds() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.checks(3, Down);
    world.run(MINUTE);
    assert!(!world.sight(3).held);
    assert_eq!(world.sent_to(&[3], MINUTE), 0);
}

#[test]
fn one_that_was_down_long_before_is_not_held() {
    let mut world = after_a_minute(&[("aws", 1), ("aws", 2), ("oci", 1)]);
    world.checks(0, Down);
    world.run(MINUTE);
    world.checks(1, Down);
    world.run(SECOND);
    world.checks(2, Down);
    world.run(SECOND);
    let held: Vec<usize> = (0..3).filter(|i| world.sight(*i).held).collect();
    assert_eq!(held, [1, 2], "only those that were lost just now");
}

#[test]
fn totals_that_begin_anew_are_no_failures() {
    let mut world = after_a_minute(&TWO_BY_TWO);
    world.servers[3].totals = EndpointTotals::default();
    world.run(MINUTE);
    assert_eq!(world.out(), [0; 0]);
}
