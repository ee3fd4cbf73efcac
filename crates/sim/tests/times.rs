//! How soon an edge leaves what is broken, and how it comes back, in virtual time: one fault, two providers of two
//! endpoints, half and half, 200 requests a second. What is measured on real sockets is in `docs/resilience.md`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is not as it must be"
)]

use std::time::Duration;

use bascule_health::Transition;
use bascule_health::passive::Action;
use bascule_model::{Instant, ObservedState};
use bascule_sim::layout::Size;
use bascule_sim::ledger::Ending;
use bascule_sim::{Fault, Layout, Ledger, Script, World};

const FALL: Instant = Instant::from_millis(4_000);
const RECOVERY: Instant = Instant::from_millis(10_000);
const END: Instant = Instant::from_millis(20_000);

/// Checks as the measurement beside other proxies has them.
const QUICK: &str = "{ path: /healthz, interval: 500ms, timeout: 300ms, fall: 2, rise: 2 }";
/// Checks as they are when nobody says.
const BUILT_IN: &str = "{ path: /healthz }";

/// A history with one fault of the first provider.
struct Played {
    world: World,
    ill: Vec<usize>,
}

fn play(fault: Fault, check: &str, endpoints: usize) -> Played {
    play_at(200, fault, check, endpoints)
}

fn play_at(rate: u32, fault: Fault, check: &str, endpoints: usize) -> Played {
    let list = |n: usize| {
        let endpoints = (1..=endpoints).map(|e| format!("\"http://10.{n}.0.{e}:80\""));
        endpoints.collect::<Vec<_>>().join(", ")
    };
    let text = format!(
        "listen: {{ web: {{ address: \":8080\" }} }}\nservices:\n  meet:\n    check: {check}\n    \
         timeouts: {{ connect: 300ms, response_headers: 1s }}\n    retry: {{ attempts: 3 }}\n    backends:\n      \
         aws: {{ weight: 50, endpoints: [{}] }}\n      oci: {{ weight: 50, endpoints: [{}] }}\n",
        list(1),
        list(2)
    );
    let size = Size {
        edges: 1,
        workers: 2,
        rate,
        posts: 0,
    };
    let layout = Layout::read(&text, size).unwrap();
    let ill = layout.of_provider("aws");
    let script = Script::one(fault, ill.clone(), FALL, RECOVERY);
    let mut world = World::new(layout, &script, 7).unwrap();
    world.run(END).unwrap();
    Played { world, ill }
}

impl Played {
    fn ledger(&self) -> &Ledger {
        self.world.ledger()
    }

    /// Requests that did not end well, from the fall on.
    fn failed(&self) -> usize {
        let endings = [Ending::Error, Ending::Failed, Ending::Refused];
        endings
            .map(|e| self.ledger().count(FALL, END, e))
            .iter()
            .sum()
    }

    fn left(&self) -> Duration {
        let left = self.ledger().left(&self.ill, FALL, RECOVERY);
        left.expect("it is left before the recovery")
    }

    /// Requests that waited for more than 400 ms while the fault lasted.
    fn waited(&self) -> usize {
        let ended = self.ledger().ended.iter();
        let late = |e: &&bascule_sim::ledger::Ended| {
            FALL <= e.began && e.began < RECOVERY && e.took > Duration::from_millis(400)
        };
        ended.filter(late).count()
    }

    /// The most that the ill got in any second after they were left.
    fn trials(&self) -> usize {
        let from = FALL + self.left();
        let second = Duration::from_secs(1);
        let starts = self.ledger().tries.iter().map(|t| t.at);
        let starts = starts.filter(|at| *at > from && *at + second <= RECOVERY);
        let trials = starts.map(|at| self.ledger().tries_at(&self.ill, at, at + second));
        trials.max().unwrap_or(0)
    }

    /// Their part of what all got in this time, as a multiple of their share.
    fn part(&self, from: Instant, length: Duration) -> f64 {
        let all: Vec<usize> = (0..self.world.layout().places.len()).collect();
        let count = |places: &[usize]| self.ledger().tries_at(places, from, from + length) as f64;
        count(&self.ill) / count(&all).max(1.0) * 2.0
    }

    /// After the recovery: the first request, and until they had nine tenths of their share in half a second.
    fn back(&self) -> (Duration, Duration) {
        let tries = self.ledger().tries.iter();
        let mut after = tries.filter(|t| t.at >= RECOVERY && self.ill.contains(&t.place));
        let first = after.next().expect("they come back").at;
        let looks = (0..500).map(|n| RECOVERY + Duration::from_millis(20) * n);
        let half = Duration::from_millis(500);
        let most = looks.into_iter().find(|at| self.part(*at, half) >= 0.9);
        let most = most.expect("they get their share again") + half;
        (first.since(RECOVERY), most.since(RECOVERY))
    }
}

#[track_caller]
fn at_most(what: &str, value: Duration, limit: u64) {
    assert!(
        value <= Duration::from_millis(limit),
        "{what}: {value:?}, at most {limit} ms"
    );
}

#[test]
fn what_refuses_resets_or_answers_503_is_left_at_once_and_no_get_fails() {
    for check in [QUICK, BUILT_IN] {
        for fault in [Fault::Refuse, Fault::Reset, Fault::Unavailable] {
            let played = play(fault, check, 2);
            assert_eq!(played.failed(), 0, "{fault}");
            at_most(fault.name(), played.left(), 150);
            assert!(
                played.trials() <= 2,
                "{fault}: {} trials a second at two endpoints",
                played.trials()
            );
        }
    }
}

#[test]
fn a_silence_is_left_soon_and_no_get_fails() {
    for (fault, waited) in [(Fault::Blackhole, 60), (Fault::DataPathLoss, 100)] {
        let played = play(fault, QUICK, 2);
        assert_eq!(played.failed(), 0, "{fault}");
        at_most(fault.name(), played.left(), 700);
        assert!(
            played.waited() <= waited,
            "{fault}: {} waited",
            played.waited()
        );
        let played = play(fault, BUILT_IN, 2);
        assert_eq!(played.failed(), 0, "{fault}");
        at_most(fault.name(), played.left(), 1_500);
    }
}

#[test]
fn half_errors_are_left_and_the_repaired_come_back() {
    for endpoints in [1, 2] {
        let played = play(Fault::HalfErrors, QUICK, endpoints);
        assert_eq!(played.failed(), 0);
        at_most("half errors", played.left(), 1_200);
        assert!(
            played.trials() <= 2 * endpoints,
            "{} trials",
            played.trials()
        );
        let (_, most) = played.back();
        at_most("nine tenths of the share", most, 5_000);
    }
}

#[test]
fn what_returns_is_let_in_soon_and_slowly() {
    let played = play(Fault::Refuse, QUICK, 2);
    let (first, most) = played.back();
    // Two checks that pass: the interval, then the fast one; then a second.
    at_most("the first request", first, 2_000);
    let up = |moved: &&Transition| moved.at > RECOVERY && moved.to == ObservedState::Up;
    let up = played.world.moved(0).find(up).unwrap().at;
    let at_first = played.part(up, Duration::from_millis(500));
    assert!(at_first <= 0.1, "{at_first} of the share at first");
    at_most(
        "nine tenths of the share",
        (RECOVERY + most).since(up),
        5_000,
    );
    let second = Duration::from_secs(1);
    let peak = (0..400).map(|n| played.part(RECOVERY + Duration::from_millis(20) * n, second));
    assert!(peak.fold(0.0, f64::max) <= 1.03, "an overshoot");
}

#[test]
fn without_traffic_it_takes_as_many_checks_as_fail() {
    for (check, interval, timeout, fall) in [(QUICK, 500, 300, 2), (BUILT_IN, 3_000, 1_000, 3)] {
        for (fault, waits) in [
            (Fault::Refuse, 0),
            (Fault::Unavailable, 0),
            (Fault::Blackhole, timeout),
        ] {
            let played = play_at(0, fault, check, 2);
            assert_eq!(played.ledger().tries.len(), 0);
            let down = |moved: &&Transition| moved.to == ObservedState::Down;
            let left: Vec<_> = played.world.moved(0).filter(down).collect();
            assert_eq!(left.len(), 2, "{fault}: both are down, once");
            for moved in left {
                // Their time varies by a tenth.
                let limit = interval * fall * 11 / 10 + waits;
                at_most(fault.name(), moved.at.since(FALL), limit);
            }
        }
    }
}

#[test]
fn nobody_is_taken_out_once_all_is_well() {
    for fault in Fault::ALL {
        let played = play(fault, QUICK, 2);
        let known = RECOVERY + Duration::from_millis(1_500);
        let taken_out = |(at, what): &&(Instant, Action)| {
            *at > known && matches!(what, Action::Ejected { .. } | Action::ProviderFails(_))
        };
        let taken_out: Vec<_> = played.world.told(0).filter(taken_out).collect();
        assert!(taken_out.is_empty(), "{fault}: {taken_out:?}");
    }
}
