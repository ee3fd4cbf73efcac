//! Laws over random histories.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BasisPoints, ObservedState};
use proptest::prelude::*;

use super::world::{PASSED, REFUSED, World, target};
use crate::{CheckFailure, CheckPolicy, CheckResult, Initial, Target};

fn any_result() -> impl Strategy<Value = CheckResult> {
    prop_oneof![
        Just(PASSED),
        Just(REFUSED),
        Just(CheckResult::Failed(CheckFailure::Timeout)),
        (500_u16..505).prop_map(|status| CheckResult::Failed(CheckFailure::Status { status })),
    ]
}

fn any_initial() -> impl Strategy<Value = Initial> {
    prop_oneof![
        Just(Initial::Up),
        Just(Initial::Unknown),
        Just(Initial::Down)
    ]
}

fn any_policy() -> impl Strategy<Value = CheckPolicy> {
    let numbers = (1_u32..6, 1_u32..6, 20_u64..4000, 0_u16..3000);
    (numbers, any_initial()).prop_map(|((fall, rise, millis, jitter), initial)| {
        let interval = Duration::from_millis(millis);
        CheckPolicy {
            initial,
            fall,
            rise,
            interval,
            interval_fast: CheckPolicy::fast(interval),
            jitter: BasisPoints::saturating(jitter),
            ..CheckPolicy::default()
        }
    })
}

/// What can happen to a judge of three endpoints.
#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Answer(u16, CheckResult),
    TrafficFailed(u16),
    Targets(Vec<(bool, bool)>, CheckPolicy),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u64..3000).prop_map(Step::Wait),
        4 => (1_u16..4, any_result()).prop_map(|(number, result)| Step::Answer(number, result)),
        2 => (1_u16..4).prop_map(Step::TrafficFailed),
        1 => (prop::collection::vec(any::<(bool, bool)>(), 3), any_policy())
            .prop_map(|(wanted, policy)| Step::Targets(wanted, policy)),
    ]
}

fn apply(world: &mut World, step: &Step) {
    match step {
        Step::Wait(millis) => world.pass_time(Duration::from_millis(*millis)),
        Step::Answer(number, result) if world.is_under_way(*number) => {
            world.answer(*number, *result);
        }
        Step::Answer(..) => {}
        Step::TrafficFailed(number) => world.traffic_failed(*number),
        Step::Targets(wanted, policy) => {
            let targets = (1..).zip(wanted).filter(|(_, (present, _))| *present);
            let targets = targets.map(|(number, (_, checked))| Target {
                checked: *checked,
                ..target(number, policy)
            });
            world.set_targets(targets.collect());
        }
    }
}

/// The state after results in a row, counted the long way: from the whole history each time.
fn naive_state(results: &[CheckResult], policy: &CheckPolicy) -> ObservedState {
    let mut state = policy.initial.state();
    let mut start = 0;
    for end in 1..=results.len() {
        let run = |passes: bool, needed: u32| {
            let needed = needed as usize;
            end - start >= needed
                && results[end - needed..end]
                    .iter()
                    .all(|r| (*r == PASSED) == passes)
        };
        let (passed, next) = (results[end - 1] == PASSED, state);
        state = match next {
            ObservedState::Unknown if passed => ObservedState::Up,
            ObservedState::Down if end == 1 && passed => ObservedState::Up,
            ObservedState::Down if run(true, policy.rise) => ObservedState::Up,
            ObservedState::Down => ObservedState::Down,
            _ if run(false, policy.fall) => ObservedState::Down,
            other => other,
        };
        if state != next {
            start = end;
        }
    }
    state
}

proptest! {
    #[test]
    fn states_are_those_of_a_naive_count(
        policy in any_policy(),
        results in prop::collection::vec(any_result(), 0..40),
    ) {
        let mut world = World::with_one(&policy);
        for result in &results {
            world.round(*result);
        }
        prop_assert_eq!(world.state(), naive_state(&results, &policy));
    }

    /// Worse input never gives a better verdict, not at the end and not on the way, over reloads too.
    #[test]
    fn a_failure_in_place_of_a_pass_never_gives_a_better_state(
        policies in prop::collection::vec(any_policy(), 1..4),
        results in prop::collection::vec((any_result(), any::<bool>()), 0..40),
    ) {
        let mut better = World::with_one(&policies[0]);
        let mut worse = better.clone();
        for (place, (result, worsen)) in results.iter().enumerate() {
            if place % 7 == 6 {
                let policy = &policies[place % policies.len()];
                for world in [&mut better, &mut worse] {
                    world.set_targets(vec![target(1, policy)]);
                }
            }
            better.round(*result);
            worse.round(if *worsen { REFUSED } else { *result });
            prop_assert!(better.state() <= worse.state());
        }
    }

    /// The world fails when a check starts while one of the same endpoint is under way; here it is only kept busy.
    #[test]
    fn no_check_starts_while_one_is_under_way(
        policy in any_policy(),
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let mut world = World::new((1..4).map(|n| target(n, &policy)).collect());
        steps.iter().for_each(|step| apply(&mut world, step));
    }

    /// One check for all that use a target gives each what a check of its own would have: the same verdicts in the same
    /// order, from as many checks as one of them would need.
    #[test]
    fn sharing_a_check_changes_no_verdict(
        policy in any_policy(),
        results in prop::collection::vec(any_result(), 1..30),
        services in 2_u16..6,
    ) {
        let mut alone = World::with_one(&policy);
        let member = |number: u16| {
            let mut target = target(1, &policy);
            Arc::make_mut(&mut target.id).service = format!("s{number}").parse().unwrap();
            target
        };
        let mut members: Vec<Target> = (1..services).map(member).collect();
        members.push(target(1, &policy));
        let mut shared = World::new(members);
        for result in &results {
            alone.round(*result);
            shared.round(*result);
            let wanted = alone.state();
            let report = shared.judge.report();
            prop_assert_eq!(report.endpoints.len(), usize::from(services));
            prop_assert!(report.endpoints.values().all(|verdict| verdict.state == wanted));
        }
        prop_assert_eq!(shared.asked.len(), results.len());
    }

    #[test]
    fn a_timeout_before_its_time_changes_nothing(
        policy in any_policy(),
        steps in prop::collection::vec(any_step(), 1..40),
    ) {
        let mut world = World::new((1..4).map(|n| target(n, &policy)).collect());
        for step in &steps {
            apply(&mut world, step);
            if world.judge.poll_timeout().is_none_or(|due| due > world.now) {
                let before = world.clone();
                world.judge.handle_timeout(world.now);
                world.collect();
                prop_assert_eq!(&world, &before);
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_actions(
        policy in any_policy(),
        steps in prop::collection::vec(any_step(), 1..40),
    ) {
        let run = || {
            let mut world = World::new((1..4).map(|n| target(n, &policy)).collect());
            steps.iter().for_each(|step| apply(&mut world, step));
            world
        };
        prop_assert_eq!(run(), run());
    }

    /// A check that nobody answers stops only its own endpoint; all others go on being checked.
    #[test]
    fn every_checked_endpoint_is_due_or_under_way(
        policy in any_policy(),
        steps in prop::collection::vec(any_step(), 1..40),
    ) {
        let mut world = World::new((1..4).map(|n| target(n, &policy)).collect());
        steps.iter().for_each(|step| apply(&mut world, step));
        for probe in world.judge.probes.probes.values() {
            let is_resting = probe.members.is_empty();
            prop_assert!(is_resting || probe.due.is_some() != probe.under_way.is_some());
            prop_assert!(probe.due.is_none_or(|due| due.since(world.now) <= 2 * probe.task.interval()));
        }
        let checked = world.judge.entries.values().filter(|entry| entry.checked);
        let probes = world.judge.probes.probes.values();
        prop_assert_eq!(checked.count(), probes.map(|probe| probe.members.len()).sum::<usize>());
    }
}
