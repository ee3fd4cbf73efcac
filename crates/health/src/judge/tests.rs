//! How the judge behaves: examples, then laws over random histories. [`World`] plays the endpoints in virtual time.

use proptest::prelude::*;

use super::*;
use crate::{CheckFailure, Verdict};
use bascule_model::{BasisPoints, Scheme};

const REFUSED: CheckResult = CheckResult::Failed(CheckFailure::Connect);
const PASSED: CheckResult = CheckResult::Passed;
const SECOND: Duration = Duration::from_secs(1);

fn id(number: u16) -> EndpointId {
    EndpointId {
        service: "meet".parse().unwrap(),
        backend: "aws".parse().unwrap(),
        scheme: Scheme::Http,
        host: None,
        address: format!("10.0.0.1:{number}").parse().unwrap(),
    }
}

/// The built-in policy without jitter: 3 s, fast 500 ms, fall 3, rise 2.
fn policy() -> CheckPolicy {
    CheckPolicy {
        jitter: BasisPoints::ZERO,
        ..CheckPolicy::default()
    }
}

fn target(number: u16, policy: &CheckPolicy) -> Target {
    Target {
        id: Arc::new(id(number)),
        policy: Arc::new(policy.clone()),
        checked: true,
    }
}

/// A judge, the time, and what it asked for.
#[derive(Debug, Clone, PartialEq)]
struct World {
    judge: Judge,
    now: Instant,
    asked: Vec<(Instant, Arc<EndpointId>, CheckNumber)>,
    moved: Vec<Transition>,
    /// The checks that are on the wire; by endpoint, as there must never be two.
    open: BTreeMap<Arc<EndpointId>, CheckNumber>,
}

impl World {
    fn new(targets: Vec<Target>) -> Self {
        let mut world = Self {
            judge: Judge::new(7),
            now: Instant::from_millis(1_000_000),
            asked: Vec::new(),
            moved: Vec::new(),
            open: BTreeMap::new(),
        };
        world.set_targets(targets);
        world
    }

    /// An endpoint that leaves takes its check with it: its result will be nobody's.
    fn set_targets(&mut self, targets: Vec<Target>) {
        self.open
            .retain(|id, _| targets.iter().any(|target| target.id == *id));
        self.judge.set_targets(self.now, targets);
        self.collect();
    }

    fn with_one(policy: &CheckPolicy) -> Self {
        Self::new(vec![target(1, policy)])
    }

    fn collect(&mut self) {
        while let Some(action) = self.judge.poll_action() {
            match action {
                Action::Check { id, check, .. } => {
                    let other = self.open.insert(Arc::clone(&id), check);
                    assert_eq!(other, None, "two checks of {id} at once");
                    self.asked.push((self.now, id, check));
                }
                Action::Transition(transition) => self.moved.push(transition),
            }
        }
    }

    fn pass_time(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(due) = self.judge.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.judge.handle_timeout(due);
            self.collect();
        }
        self.now = end;
    }

    /// Answers the check under way of this endpoint.
    fn answer(&mut self, number: u16, result: CheckResult) {
        let (id, check) = (self.open.remove_entry(&id(number))).expect("a check was asked for");
        self.judge
            .handle(self.now, Input::Checked { id, check, result });
        self.collect();
    }

    /// Moves to the next check of the only endpoint and answers it; when it started.
    fn round(&mut self, result: CheckResult) -> Instant {
        let before = self.asked.len();
        if !self.is_under_way(1) {
            let due = self.judge.poll_timeout().expect("a check is due");
            self.pass_time(due.since(self.now));
            assert_eq!(self.asked.len(), before + 1);
        }
        self.answer(1, result);
        self.asked.last().expect("asked").0
    }

    fn is_under_way(&self, number: u16) -> bool {
        self.open.contains_key(&id(number))
    }

    fn traffic_failed(&mut self, number: u16) {
        self.judge
            .handle(self.now, Input::TrafficFailed { id: id(number) });
        self.collect();
    }

    fn verdict(&self, number: u16) -> Verdict {
        self.judge.report().endpoints[&id(number)].clone()
    }

    fn state(&self) -> ObservedState {
        self.verdict(1).state
    }
}

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
    world.answer(1, REFUSED); // The check that was under way; nobody wants it now.
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
    let (_, old_id, old_check) = world.asked[0].clone();
    world.set_targets(Vec::new());
    assert_eq!(world.judge.report(), Report::default());
    world.set_targets(vec![target(1, &policy())]);
    let before = world.clone();
    world.judge.handle(
        world.now,
        Input::Checked {
            id: old_id,
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
            id: Arc::new(id(9)),
            check: CheckNumber(1),
            result: REFUSED,
        },
    );
    assert_eq!(world, before);
}

fn any_result() -> impl Strategy<Value = CheckResult> {
    prop_oneof![
        Just(PASSED),
        Just(REFUSED),
        Just(CheckResult::Failed(CheckFailure::Timeout)),
        (500_u16..505).prop_map(|status| CheckResult::Failed(CheckFailure::Status { status })),
    ]
}

fn any_policy() -> impl Strategy<Value = CheckPolicy> {
    (1_u32..6, 1_u32..6, 20_u64..4000, 0_u16..3000).prop_map(|(fall, rise, millis, jitter)| {
        let interval = Duration::from_millis(millis);
        CheckPolicy {
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
    let mut state = ObservedState::Unknown;
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
        for entry in world.judge.entries.values().filter(|entry| entry.checked) {
            prop_assert!(entry.due.is_some() != entry.under_way.is_some());
            prop_assert!(entry.due.is_none_or(|due| due.since(world.now) <= 2 * entry.policy.interval));
        }
    }
}
