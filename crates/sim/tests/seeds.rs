//! 256 histories. A failure prints its seed; `SIM_SEED=… cargo test -p bascule-sim seeds` plays that one alone, and
//! `SIM_SEEDS=…` plays so many. A seed that failed becomes a named test below.

use std::collections::BTreeMap;

use bascule_sim::{Fault, play};

/// Played by every run of the tests.
const SEEDS: u64 = 256;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn seeds() {
    let one = asked("SIM_SEED");
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..asked("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut met: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut requests, mut slowest) = (0, None);
    for seed in seeds {
        let (world, calm) = play(seed).unwrap_or_else(|failed| {
            panic!("{failed}\nagain: SIM_SEED={seed} cargo test -p bascule-sim --test seeds")
        });
        for (fault, count) in world.weather().met() {
            *met.entry(fault.name()).or_default() += count;
        }
        for (act, count) in world.acted() {
            *met.entry(act).or_default() += count;
        }
        requests += world.ledger().began;
        slowest = slowest.max(Some((calm.after, seed)));
    }
    println!("{requests} requests; at rest after at most {slowest:?}; met: {met:?}");
    if one.is_none() {
        let named = Fault::ALL.map(Fault::name).into_iter();
        let acts = [
            "shift",
            "off",
            "drain",
            "maint",
            "offline",
            "stale revision",
            "reload",
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
