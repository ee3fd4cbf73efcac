//! 256 histories. A failure prints its seed; `SIM_SEED=… cargo test -p bascule-sim seeds` plays that one alone, and
//! `SIM_SEEDS=…` plays so many. A seed that failed becomes a named test below.

#![expect(
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_sim::{Fault, play};

/// Played by every run of the tests.
const SEEDS: u64 = 256;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What some histories came to.
#[derive(Default)]
struct Seen {
    /// Faults, acts of people and what the edges did about them, and how often.
    met: BTreeMap<&'static str, u64>,
    requests: u64,
    /// The longest time to rest, and the seed it belongs to.
    slowest: Option<(Duration, u64)>,
}

impl Seen {
    fn of(seeds: impl Iterator<Item = u64>) -> Self {
        let mut seen = Self::default();
        for seed in seeds {
            let (world, calm) = play(seed).unwrap_or_else(|failed| {
                panic!("{failed}\nagain: SIM_SEED={seed} cargo test -p bascule-sim --test seeds")
            });
            let faults = world.weather().met().iter();
            let faults = faults.map(|(fault, count)| (fault.name(), *count));
            let acts = world.acted().iter().map(|(act, count)| (*act, *count));
            let own = [("suspicion", world.suspicions()), ("trial", world.trials())];
            let own = own.into_iter().filter(|(_, count)| *count > 0);
            for (name, count) in faults.chain(acts).chain(own) {
                *seen.met.entry(name).or_default() += count;
            }
            seen.requests += world.ledger().began;
            seen.slowest = seen.slowest.max(Some((calm.after, seed)));
        }
        seen
    }
}

#[test]
fn seeds() {
    let one = asked("SIM_SEED");
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..asked("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let halves = [0, 1].map(|half| seeds.clone().filter(move |seed| seed % 2 == half));
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let playing = halves.map(|half| scope.spawn(|| Seen::of(half)));
        let ended = playing.into_iter().map(|half| half.join());
        ended
            .map(|seen| seen.unwrap_or_else(|_| panic!("a history did not end well")))
            .collect()
    });
    let mut met: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in seen.iter().flat_map(|seen| &seen.met) {
        *met.entry(name).or_default() += count;
    }
    let requests: u64 = seen.iter().map(|seen| seen.requests).sum();
    let slowest = seen.iter().filter_map(|seen| seen.slowest).max();
    println!("{requests} requests; at rest after at most {slowest:?}; met: {met:?}");
    if one.is_none() {
        assert!(requests > 0);
        let named = Fault::ALL.map(Fault::name).into_iter();
        let acts = [
            "shift",
            "off",
            "drain",
            "maint",
            "offline",
            "stale revision",
            "reload",
            "suspicion",
            "trial",
        ];
        for name in named.chain(acts) {
            assert!(met.contains_key(name), "no seed met `{name}`");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed| {
        let (world, _) = play(seed).unwrap();
        (world.ledger().ended.clone(), world.ledger().tries.clone())
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8));
}

/// All others were still returning when a backend came back: it had all of its share at once, and lost it again when they
/// were done.
#[test]
fn seed_441_who_returns_among_those_that_return_is_ramped_too() {
    play(441).unwrap();
}
