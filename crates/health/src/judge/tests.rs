//! How the judge behaves, by example; its laws are in `laws`, over the `world` both play in.

mod agent;
mod laws;
mod world;

use std::collections::BTreeSet;

use super::*;
use crate::{CheckFailure, Initial};
use world::{PASSED, REFUSED, SECOND, World, id, policy, target};

#[test]
fn the_first_pass_makes_an_endpoint_up() {
    let mut world = World::with_one(&policy());
    assert_eq!(world.state(), ObservedState::Unknown);
    world.round(PASSED);
    let verdict = world.verdict(1);
    assert_eq!(verdict.state, ObservedState::Up);
    assert_eq!(verdict.reasons, [Reason::CheckPassed]);
    assert_eq!(verdict.returned_at, None, "it was never down: no ramp");
    assert_eq!(world.moved.len(), 1);
}

#[test]
fn failures_from_the_start_make_it_down_only_after_the_whole_fall() {
    let mut world = World::with_one(&policy());
    world.round(REFUSED);
    world.round(REFUSED);
    assert_eq!(world.state(), ObservedState::Unknown);
    world.round(REFUSED);
    assert_eq!(world.state(), ObservedState::Down);
    assert_eq!(world.verdict(1).reasons, [Reason::Connect]);
}

#[test]
fn checks_come_fast_while_results_speak_against_the_state_and_slow_again_after() {
    let mut world = World::with_one(&policy());
    let results = [
        PASSED, REFUSED, REFUSED, REFUSED, REFUSED, PASSED, PASSED, REFUSED, PASSED, PASSED,
    ];
    let starts: Vec<Instant> = results.map(|result| world.round(result)).to_vec();
    let waits: Vec<u128> = starts
        .windows(2)
        .map(|pair| pair[1].since(pair[0]).as_millis())
        .collect();
    let (slow, fast) = (3000, 500);
    assert_eq!(
        waits,
        [slow, fast, fast, slow, slow, fast, slow, fast, slow]
    );
}

#[test]
fn an_endpoint_returns_after_the_whole_rise_and_says_when() {
    let mut world = World::with_one(&policy());
    for _ in 0..3 {
        world.round(REFUSED);
    }
    world.round(PASSED);
    world.round(REFUSED);
    world.round(PASSED);
    assert_eq!(
        world.state(),
        ObservedState::Down,
        "passes must be in a row"
    );
    world.round(PASSED);
    let verdict = world.verdict(1);
    assert_eq!(verdict.state, ObservedState::Up);
    assert_eq!(verdict.returned_at, Some(world.now));
    assert_eq!(verdict.since, world.now);
}

#[test]
fn a_transition_says_why_and_how_long_the_old_state_lasted() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    let up_at = world.now;
    for result in [REFUSED, CheckResult::Failed(CheckFailure::Timeout), REFUSED] {
        world.round(result);
    }
    let transition = world.moved.last().unwrap();
    assert_eq!(
        (transition.from, transition.to),
        (ObservedState::Up, ObservedState::Down)
    );
    assert_eq!(transition.reason, Reason::Connect);
    assert_eq!(transition.after, world.now.since(up_at));
    assert_eq!(
        world.verdict(1).reasons,
        [Reason::Connect, Reason::Timeout],
        "latest first"
    );
}

#[test]
fn a_slow_check_is_followed_at_once_if_its_interval_has_passed() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.pass_time(3 * SECOND);
    world.pass_time(SECOND); // The check takes a second, twice the fast interval.
    world.answer(1, CheckResult::Failed(CheckFailure::Timeout));
    assert_eq!(world.asked.len(), 3, "no idle time while it is in doubt");
}

#[test]
fn failing_traffic_causes_a_check_at_once_and_then_at_most_one_per_fast_interval() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.pass_time(SECOND);
    let mut started = Vec::new();
    for _ in 0..20 {
        let before = world.asked.len();
        world.traffic_failed(1);
        if world.asked.len() > before {
            started.push(world.now.since(Instant::ZERO).as_millis());
            world.answer(1, PASSED);
        }
        world.pass_time(Duration::from_millis(50));
        if world.is_under_way(1) {
            started.push(
                world
                    .asked
                    .last()
                    .unwrap()
                    .0
                    .since(Instant::ZERO)
                    .as_millis(),
            );
            world.answer(1, PASSED);
        }
    }
    assert_eq!(started, [1_001_000, 1_001_500, 1_002_000]);
    assert_eq!(
        world.state(),
        ObservedState::Up,
        "traffic alone changes no verdict"
    );
}

/// The time-outs of the checks of an endpoint that were made after traffic got no answer from it, the first after this
/// many milliseconds; `None`: no check has passed before.
fn timeouts_after_a_silence(passes_in: Option<u64>) -> [Duration; 2] {
    let mut world = World::with_one(&policy());
    if let Some(millis) = passes_in {
        world.pass_time(Duration::from_millis(millis));
        world.answer(1, PASSED);
    } else {
        world.answer(1, REFUSED);
    }
    world.pass_time(SECOND / 10);
    let silent = Input::TrafficSilent { id: id(1) };
    world.judge.handle(world.now, silent);
    [(); 2].map(|()| {
        world.now = world
            .now
            .max(world.judge.poll_timeout().unwrap_or(world.now));
        world.judge.handle_timeout(world.now);
        let asked = std::iter::from_fn(|| world.judge.poll_action());
        let checks = asked.filter_map(|action| match action {
            Action::Check { check, policy, .. } => Some((check, policy)),
            _ => None,
        });
        let (check, policy) = checks.last().expect("a check is asked for");
        let result = PASSED;
        let passed = Input::Checked { check, result };
        world.judge.handle(world.now, passed);
        policy.timeout
    })
}

#[test]
fn a_silence_of_traffic_is_looked_into_by_a_check_in_a_hurry_unless_checks_take_long_and_no_other_is()
 {
    let usual = policy().timeout;
    let table = [
        (Some(0), Duration::from_millis(300)),
        (Some(100), Duration::from_millis(300)),
        (Some(200), Duration::from_millis(600)),
        (Some(400), usual),
        (None, usual),
    ];
    for (passes_in, hurried) in table {
        let timeouts = timeouts_after_a_silence(passes_in);
        assert_eq!(timeouts, [hurried, usual], "{passes_in:?}");
    }
}

#[test]
fn traffic_that_fails_during_a_check_is_looked_into_after_it() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.pass_time(3 * SECOND);
    assert!(world.is_under_way(1));
    world.traffic_failed(1);
    assert_eq!(world.asked.len(), 2, "not two at once");
    world.answer(1, PASSED);
    world.judge.handle_timeout(world.now);
    world.collect();
    assert_eq!(
        world.asked.len(),
        3,
        "that check may have looked before the failure"
    );
}

#[test]
fn failing_traffic_is_named_when_the_endpoint_goes_down_and_forgotten_when_it_passes() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.traffic_failed(1);
    world.round(PASSED);
    for _ in 0..3 {
        world.round(REFUSED);
    }
    assert_eq!(world.verdict(1).reasons, [Reason::Connect]);
    world.round(PASSED);
    world.round(PASSED);
    world.traffic_failed(1);
    for _ in 0..3 {
        world.round(REFUSED);
    }
    assert_eq!(world.verdict(1).reasons, [Reason::Connect, Reason::Traffic]);
}

#[test]
fn failing_traffic_on_an_endpoint_that_is_down_is_no_news() {
    let mut world = World::with_one(&policy());
    for _ in 0..3 {
        world.round(REFUSED);
    }
    let before = world.clone();
    world.traffic_failed(1);
    assert_eq!(world, before);
}

#[test]
fn many_new_endpoints_are_not_checked_at_once_but_within_one_interval() {
    let mut world = World::new((1..=300).map(|n| target(n, &policy())).collect());
    world.pass_time(3 * SECOND);
    assert_eq!(world.asked.len(), 300);
    let widest = (world.asked.windows(2))
        .map(|pair| pair[1].0.since(pair[0].0))
        .min();
    assert_eq!(widest, Some(Duration::from_millis(10)), "3 s shared by 300");
}

#[test]
fn a_few_new_endpoints_are_known_at_once() {
    let mut world = World::new((1..=4).map(|n| target(n, &policy())).collect());
    world.pass_time(Duration::from_millis(30));
    assert_eq!(world.asked.len(), 4);
}

#[test]
fn jitter_keeps_waits_within_its_part_and_moves_them() {
    let jittered = CheckPolicy::default();
    let mut world = World::with_one(&jittered);
    let starts: Vec<Instant> = (0..200).map(|_| world.round(PASSED)).collect();
    let waits: BTreeSet<Duration> = starts
        .windows(2)
        .map(|pair| pair[1].since(pair[0]))
        .collect();
    let (least, most) = (waits.first().unwrap(), waits.last().unwrap());
    assert!(*least >= Duration::from_millis(2700) && *most <= Duration::from_millis(3300));
    assert!(*most > Duration::from_millis(3200) && *least < Duration::from_millis(2800));
}

#[test]
fn a_reload_keeps_what_is_known_and_changes_the_policy_in_place() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.round(REFUSED);
    world.round(REFUSED);
    let before = world.verdict(1);
    let strict = CheckPolicy {
        fall: 1,
        ..policy()
    };
    world.set_targets(vec![target(1, &strict), target(2, &strict)]);
    let after = world.verdict(1);
    assert_eq!((after.state, after.since), (before.state, before.since));
    assert_eq!(
        after.state,
        ObservedState::Up,
        "a reload alone takes nothing down"
    );
    assert_eq!(world.verdict(2).state, ObservedState::Unknown);
}

#[test]
fn a_shorter_interval_applies_at_once() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    let quick = CheckPolicy {
        interval: Duration::from_millis(100),
        ..policy()
    };
    world.set_targets(vec![target(1, &quick)]);
    let due = world.judge.poll_timeout().unwrap();
    assert_eq!(due.since(world.now), Duration::from_millis(100));
}

#[test]
fn an_endpoint_in_maintenance_is_not_checked_and_keeps_its_last_verdict_marked() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.pass_time(3 * SECOND);
    let mut paused = target(1, &policy());
    paused.checked = false;
    world.set_targets(vec![paused.clone()]);
    let check = world.asked.last().unwrap().2;
    let late = Input::Checked {
        check,
        result: REFUSED,
    };
    world.judge.handle(world.now, late); // The check that was under way; nobody wants it now.
    world.traffic_failed(1);
    world.pass_time(60 * SECOND);
    assert_eq!(world.asked.len(), 2);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.checked), (ObservedState::Up, false));
    assert_eq!(verdict.against, 0);
    paused.checked = true;
    world.set_targets(vec![paused]);
    assert_eq!(world.asked.len(), 3, "checked at once when it is back");
}

#[test]
fn the_late_result_of_an_endpoint_that_left_and_came_back_does_not_count() {
    let mut world = World::with_one(&CheckPolicy {
        fall: 1,
        ..policy()
    });
    let (_, _, old_check) = world.asked[0].clone();
    world.set_targets(Vec::new());
    assert_eq!(world.judge.report(), Report::default());
    world.set_targets(vec![target(1, &policy())]);
    let before = world.clone();
    world.judge.handle(
        world.now,
        Input::Checked {
            check: old_check,
            result: REFUSED,
        },
    );
    assert_eq!(world, before);
    world.answer(1, PASSED);
    assert_eq!(world.state(), ObservedState::Up);
}

#[test]
fn a_result_or_a_failure_of_an_unknown_endpoint_changes_nothing() {
    let mut world = World::with_one(&policy());
    let before = world.clone();
    world.traffic_failed(9);
    world.judge.handle(
        world.now,
        Input::Checked {
            check: CheckNumber(99),
            result: REFUSED,
        },
    );
    assert_eq!(world, before);
}

/// The same address as a member of another service.
fn of_service(name: &str, policy: &CheckPolicy) -> Target {
    let mut target = target(1, policy);
    Arc::make_mut(&mut target.id).service = name.parse().unwrap();
    target
}

fn state_of(world: &World, target: &Target) -> ObservedState {
    world.judge.report().endpoints[&*target.id].state
}

#[test]
fn one_check_serves_every_service_that_uses_the_target() {
    let services = ["api", "meet", "chat"].map(|name| of_service(name, &policy()));
    let mut world = World::new(services.to_vec());
    world.pass_time(SECOND);
    assert_eq!(world.asked.len(), 1);
    for _ in 0..3 {
        world.round(REFUSED);
    }
    assert_eq!(world.asked.len(), 3);
    assert!(
        services
            .iter()
            .all(|t| state_of(&world, t) == ObservedState::Down)
    );
    assert_eq!(world.moved.len(), 3, "each is told of its own");
}

#[test]
fn what_would_be_asked_otherwise_is_asked_apart() {
    let plain = of_service("api", &policy());
    let slower = CheckPolicy {
        interval: 5 * SECOND,
        ..policy()
    };
    let mut named = of_service("named", &policy());
    Arc::make_mut(&mut named.id).host = Some("media.example.org".into());
    let mut secure = of_service("secure", &policy());
    Arc::make_mut(&mut secure.id).scheme = bascule_model::Scheme::Https;
    let mut trusting = of_service("trusting", &policy());
    trusting.trust = 1;
    let mut world = World::new(vec![
        plain,
        of_service("slow", &slower),
        named,
        secure,
        trusting,
    ]);
    world.pass_time(SECOND);
    assert_eq!(world.asked.len(), 5);
}

#[test]
fn a_check_goes_on_when_the_endpoint_it_was_started_for_leaves() {
    let (api, meet) = (of_service("api", &policy()), target(1, &policy()));
    let mut world = World::new(vec![api, meet.clone()]);
    assert_eq!(world.asked.len(), 1);
    world.set_targets(vec![meet]);
    assert_eq!(world.asked.len(), 1, "no second one");
    world.answer(1, PASSED);
    assert_eq!(world.state(), ObservedState::Up);
}

#[test]
fn a_service_that_joins_a_target_has_its_own_verdict_from_the_next_check_on() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    let late = of_service("late", &policy());
    world.set_targets(vec![target(1, &policy()), late.clone()]);
    assert_eq!(state_of(&world, &late), ObservedState::Unknown);
    assert_eq!(world.asked.len(), 1, "it waits for the one that is due");
    world.round(PASSED);
    assert_eq!(state_of(&world, &late), ObservedState::Up);
}

#[test]
fn an_endpoint_in_maintenance_leaves_the_check_to_the_others() {
    let (mut api, meet) = (of_service("api", &policy()), target(1, &policy()));
    let mut world = World::new(vec![api.clone(), meet.clone()]);
    world.round(PASSED);
    api.checked = false;
    world.set_targets(vec![api.clone(), meet]);
    for _ in 0..3 {
        world.round(REFUSED);
    }
    assert_eq!(world.state(), ObservedState::Down);
    assert_eq!(state_of(&world, &api), ObservedState::Up);
}

#[test]
fn whoever_comes_back_from_maintenance_finds_its_check_under_way() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.pass_time(3 * SECOND);
    let mut paused = target(1, &policy());
    paused.checked = false;
    world.set_targets(vec![paused]);
    world.set_targets(vec![target(1, &policy())]);
    assert_eq!(world.asked.len(), 2, "never two at once");
    world.answer(1, PASSED);
    world.pass_time(3 * SECOND);
    assert_eq!(world.asked.len(), 3);
}

fn starting(initial: Initial) -> CheckPolicy {
    CheckPolicy {
        initial,
        ..policy()
    }
}

#[test]
fn an_endpoint_starts_as_the_policy_says_with_that_as_the_reason() {
    for (initial, state) in [
        (Initial::Up, ObservedState::Up),
        (Initial::Down, ObservedState::Down),
    ] {
        let world = World::with_one(&starting(initial));
        let verdict = world.verdict(1);
        assert_eq!(verdict.state, state);
        assert_eq!(verdict.reasons, [Reason::Initial]);
        assert!(world.moved.is_empty(), "nothing has changed");
    }
}

#[test]
fn what_starts_down_is_up_with_its_first_pass_and_ramps() {
    let mut world = World::with_one(&starting(Initial::Down));
    world.round(PASSED);
    let verdict = world.verdict(1);
    assert_eq!(verdict.state, ObservedState::Up);
    assert_eq!(verdict.returned_at, Some(world.now));
    assert_eq!(verdict.reasons, [Reason::CheckPassed]);
}

#[test]
fn what_starts_down_and_fails_needs_the_whole_rise() {
    let mut world = World::with_one(&starting(Initial::Down));
    world.round(REFUSED);
    assert_eq!(world.verdict(1).reasons, [Reason::Connect]);
    world.round(PASSED);
    assert_eq!(world.state(), ObservedState::Down);
    world.round(PASSED);
    assert_eq!(world.state(), ObservedState::Up);
}

#[test]
fn what_starts_up_goes_down_after_the_whole_fall_and_is_seen_once_it_passes() {
    let mut world = World::with_one(&starting(Initial::Up));
    world.round(REFUSED);
    world.round(REFUSED);
    assert_eq!(world.state(), ObservedState::Up);
    world.round(PASSED);
    assert_eq!(world.verdict(1).reasons, [Reason::CheckPassed]);
    assert!(world.moved.is_empty());
}

#[test]
fn a_reload_does_not_start_an_endpoint_again() {
    let mut world = World::with_one(&policy());
    world.round(PASSED);
    world.set_targets(vec![target(1, &starting(Initial::Down))]);
    assert_eq!(world.state(), ObservedState::Up);
}
