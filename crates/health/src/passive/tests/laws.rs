//! Laws over random histories of five endpoints of three providers, and the rules beside a naive reading of them.

use std::time::Duration;

use bascule_model::{FailureClass, ObservedState};
use proptest::prelude::*;

use super::super::offence::{Case, Leniency};
use super::super::window::{Horizon, Seen, Window};
use super::world::{Answers, World, count};
use super::*;

const ENDPOINTS: [(&str, u16); 5] = [("aws", 1), ("aws", 2), ("oci", 1), ("oci", 2), ("own", 1)];

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    Run(u64),
    Answer(usize, u64, FailureClass, u64),
    Checks(usize, bool),
    Gap(u64),
    Person(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let class = prop::sample::select(FailureClass::ALL.to_vec());
    let part = prop_oneof![Just(0_u64), Just(10_000), 0_u64..10_000];
    prop_oneof![
        4 => (1_u64..3_000).prop_map(Step::Run),
        3 => (0_usize..5, part, class, 1_u64..1_000)
            .prop_map(|(server, part, class, millis)| Step::Answer(server, part, class, millis)),
        2 => (0_usize..5, any::<bool>()).prop_map(|(server, up)| Step::Checks(server, up)),
        1 => (1_u64..100).prop_map(Step::Gap),
        1 => (0_usize..5).prop_map(Step::Person),
    ]
}

fn apply(world: &mut World, step: &Step) {
    match step {
        Step::Run(millis) => world.run(Duration::from_millis(*millis)),
        Step::Answer(server, failing, class, millis) => {
            let answers = Answers {
                failing: *failing,
                class: *class,
                latency: Duration::from_millis(*millis),
            };
            world.answer(&[*server], answers);
        }
        Step::Checks(server, true) => world.checks(*server, ObservedState::Up),
        Step::Checks(server, false) => world.checks(*server, ObservedState::Down),
        Step::Gap(millis) => world.gap = Duration::from_millis(*millis),
        Step::Person(server) => {
            let targets = world.servers.iter().enumerate().map(|(index, s)| Watched {
                takes_new: index != *server,
                ..watched(&s.id, world.policy)
            });
            let targets = targets.collect();
            world.passive.set_targets(world.now, targets);
        }
    }
}

fn played(steps: &[Step]) -> World {
    let mut world = World::of(&ENDPOINTS);
    world.run(5 * SECOND);
    steps.iter().for_each(|step| apply(&mut world, step));
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Of those that checks and people let have requests, never more are out than the policy allows, and never all.
    #[test]
    fn never_more_are_out_than_may_be_and_never_all(steps in prop::collection::vec(any_step(), 1..25)) {
        let mut world = World::of(&ENDPOINTS);
        for step in &steps {
            apply(&mut world, step);
            for service in world.passive.services.values() {
                let candidates = service.members.values().filter(|m| m.is_candidate()).count();
                prop_assert!(service.out_now() <= world.policy.allowed(candidates));
                prop_assert!(candidates == 0 || service.out_now() < candidates);
            }
        }
    }

    #[test]
    fn a_timeout_before_its_time_changes_nothing(steps in prop::collection::vec(any_step(), 1..25)) {
        let mut world = World::of(&ENDPOINTS);
        for step in &steps {
            apply(&mut world, step);
            if world.passive.poll_timeout().is_none_or(|due| due > world.now) {
                let before = world.clone();
                world.passive.handle_timeout(world.now);
                prop_assert_eq!(&world, &before);
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_verdicts(steps in prop::collection::vec(any_step(), 1..15)) {
        prop_assert_eq!(played(&steps), played(&steps));
    }

    /// From any state: of two looks that differ in how tries at one endpoint ended, the worse one never leaves it in where the
    /// better one takes it out, and never lets it come back where the better one does not.
    #[test]
    fn a_worse_look_at_an_endpoint_never_gives_it_a_better_verdict(
        steps in prop::collection::vec(any_step(), 1..15),
        server in 0_usize..5,
        (tries, failed, worse) in
            (1_u64..200).prop_flat_map(|t| (Just(t), 0..=t)).prop_flat_map(|(t, f)| (Just(t), Just(f), f..=t)),
    ) {
        let world = played(&steps);
        let look = |failed: u64, trial_fails: bool| {
            let mut world = world.clone();
            let target = &mut world.servers[server];
            for try_number in 0..tries {
                count(target, false, try_number < failed);
            }
            count(target, true, trial_fails);
            let totals = world.servers.iter().map(|s| (s.id.clone(), s.totals)).collect();
            let later = world.now + LOOK_AGAIN;
            world.passive.handle(later, Input::Traffic(totals));
            world.is_out(server)
        };
        prop_assert!(!look(failed, false) || look(worse, false), "more failures");
        prop_assert!(!look(failed, false) || look(failed, true), "a trial that fails");
    }

    /// An endpoint is out only by its own failures: one that answers everything, and fast, never is.
    #[test]
    fn who_answers_everything_is_never_taken_out(steps in prop::collection::vec(any_step(), 1..25)) {
        let mut world = World::of(&ENDPOINTS);
        for step in &steps {
            match step {
                Step::Answer(4, ..) => {}
                other => apply(&mut world, other),
            }
            prop_assert!(!world.is_out(4));
        }
    }

    /// After whatever happened: once everything answers and all checks pass, all are back and stay.
    #[test]
    fn once_all_is_well_all_are_back(steps in prop::collection::vec(any_step(), 1..20)) {
        let mut world = played(&steps);
        world.aim();
        world.gap = Duration::from_millis(5);
        world.answer(&[0, 1, 2, 3, 4], WELL);
        for index in 0..5 {
            world.checks(index, ObservedState::Up);
        }
        world.until(|world| world.out().is_empty());
        world.run(20 * SECOND);
        prop_assert_eq!(world.out(), [0; 0]);
        prop_assert!((0..5).all(|index| !world.sight(index).held));
    }
}

#[test]
fn a_trial_of_what_a_person_takes_out_is_forgotten_at_once() {
    let mut world = World::of(&ENDPOINTS);
    let steps = [
        Step::Answer(3, 4_071, FailureClass::Connect, 1),
        Step::Gap(27),
        Step::Run(1_095),
        Step::Answer(0, 0, FailureClass::Connect, 1),
        Step::Run(769),
        Step::Person(3),
    ];
    steps.iter().for_each(|step| apply(&mut world, step));
    let before = world.clone();
    world.passive.handle_timeout(world.now);
    assert_eq!(world, before);
}

/// A look: after so many milliseconds so many answers and failures.
type Look = (u64, u64, u64);

/// Chernoff's bound as it is written in books.
fn naive_is_news(failed: f64, tries: f64, usual: (f64, f64), chance: f64) -> bool {
    let expected = tries * (usual.1 + 1.0) / (usual.0 + usual.1 + 50.0);
    failed >= 2.0 && (std::f64::consts::E * expected / failed).powf(failed) <= chance
}

/// What the rules say, read off the whole list of looks each time.
fn naive(looks: &[(u64, u64, u64)], peers: (f64, f64), leniency: Leniency) -> (bool, bool) {
    let policy = OutlierPolicy::default();
    let now = looks.last().map_or(0, |look| look.0);
    let over = |width: u64, buckets: u64| {
        let inside = looks
            .iter()
            .filter(|(at, ..)| now / width - at / width < buckets);
        inside.fold((0.0, 0.0, 0_u32), |sum, (_, answers, failed)| {
            (
                sum.0 + *answers as f64,
                sum.1 + *failed as f64,
                sum.2 + u32::from(*failed > 0),
            )
        })
    };
    let (failures_min, moments_min, chance) = match leniency {
        Leniency::Usual => (f64::from(policy.consecutive), 2, 1e-6),
        Leniency::Probation => (2.0, 1, 1e-2),
    };
    let in_a_row: Vec<f64> = looks
        .iter()
        .rev()
        .take_while(|(_, answers, _)| *answers == 0)
        .map(|(_, _, failed)| *failed as f64)
        .collect();
    let run: f64 = in_a_row.iter().sum();
    let moments = in_a_row.iter().filter(|failed| **failed > 0.0).count();
    let minute = over(10_000, 6);
    // What is older than a minute is gone from the window, not from the run.
    let usual = (minute.0, (minute.1 - run).max(0.0));
    let has_peers = peers.0 + peers.1 > 0.0;
    let by_run = run >= failures_min
        && moments >= moments_min
        && naive_is_news(run, run, usual, chance)
        && (!has_peers || naive_is_news(run, run, peers, chance));
    let (answers, failed, moments) = over(100, 10);
    let usual = (minute.0 - answers, minute.1 - failed);
    let tries = answers + failed;
    let by_rate = failed >= failures_min
        && failed / tries >= 0.2
        && moments as usize >= moments_min
        && naive_is_news(failed, tries, if has_peers { peers } else { usual }, chance);
    (by_run, by_rate)
}

proptest! {
    /// The table has a row for some numbers of failures only and rounds down: where it finds something the formula does, and
    /// where it does not, the formula finds nothing that is clear by far.
    #[test]
    fn the_rules_are_those_of_a_naive_reading(
        looks in prop::collection::vec((10_u64..400, 0_u64..6, 0_u64..6), 1..60),
        (peer_answers, peer_failures) in prop_oneof![Just((0_u64, 0_u64)), (0_u64..2_000, 0_u64..50)],
        probation in any::<bool>(),
    ) {
        let leniency = if probation { Leniency::Probation } else { Leniency::Usual };
        let policy = OutlierPolicy::default();
        let (mut window, mut run) = (Window::default(), Seen::default());
        let mut at = 1_000_000;
        let mut all: Vec<Look> = Vec::new();
        let seen = |answers: u64, failed: u64| {
            let mut seen = Seen { answers, moments: u64::from(failed > 0), ..Seen::default() };
            seen.failures[0] = failed;
            seen
        };
        for (wait, answers, failed) in looks {
            at += wait;
            all.push((at, answers, failed));
            window.advance(Instant::from_millis(at));
            window.add(&seen(answers, failed));
            if answers > 0 { run = Seen::default() } else { run.add(&seen(0, failed)) }
            let case = Case { window: &window, run: &run, leniency, policy: &policy };
            let peers = seen(peer_answers, peer_failures);
            let found = (case.run(&peers).is_some(), case.rate(Horizon::Second, &peers).is_some());
            let by_naive = naive(&all, (peer_answers as f64, peer_failures as f64), leniency);
            prop_assert!(!found.0 || by_naive.0, "a run that is none");
            prop_assert!(!found.1 || by_naive.1, "a rate that is none");
            let exact = |failed: u64| [0, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20].contains(&failed);
            prop_assert!(!exact(run.failed()) || found.0 == by_naive.0, "a run that is missed");
            let failed = window.over(Horizon::Second).failed();
            prop_assert!(!exact(failed) || found.1 == by_naive.1, "a rate that is missed");
        }
    }
}
