//! The soak: one daemon under good and bad traffic at once, for minutes, that must end as it began. Good clients make
//! checked requests over every protocol; beside them all attacks of `testkit::attack` take turns; weights are changed by
//! reload and by command. That happens in [`ROUNDS`] rounds, each with every attack once, in an order of its own.
//!
//! What must hold: memory and descriptors are no higher in the last round than in the first of the second half
//! ([`samples`]); when a round's clients are gone, so are their descriptors; good clients see at least 99.9 % success and
//! not one wrong byte; no task panics. How fast it is, is not asked here: other work on the machine may slow it.
//!
//! `cargo xtask soak` starts it; see `docs/testing.md`. [`ground`] is the daemon and what stands around it, [`rotation`]
//! the attacks, [`tally`] what was seen.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be"
)]

mod ground;
mod rotation;
mod samples;
mod tally;

use std::time::Duration;

use ground::Ground;
use rotation::Bad;
use samples::Samples;
use tally::Tally;

/// How often the whole rotation is played. An even number of which half can be cut in three: the second half is then
/// three rounds, with the same traffic in each, and what differs between them is the daemon.
const ROUNDS: u32 = 6;

/// How long it goes on when nobody says: what the long test run takes.
const MINUTES: u64 = 10;

#[test]
fn a_daemon_is_the_same_after_minutes_of_good_and_bad_traffic() {
    let minutes = number("BASCULE_SOAK_MINUTES").unwrap_or(MINUTES);
    let seed = number("BASCULE_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut random = fastrand::Rng::with_seed(seed);
    tally::say(&format!(
        "soak: {minutes} min, seed {seed} (again: cargo xtask soak --minutes {minutes} --seed {seed})"
    ));
    let ground = Ground::start();
    let mut samples = Samples::start(ROUNDS);
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        let mut attacks = rotation::all(&ground, seed.wrapping_add(round.into()));
        random.shuffle(&mut attacks);
        let each = Duration::from_secs(60 * minutes) / (ROUNDS * count(&attacks));
        for (turn, bad) in attacks.iter().enumerate() {
            ground.change(turn, attacks.len());
            tally.add(ground.play(bad, each, &mut samples));
        }
        ground.calm_down();
        tally.end_round(&samples, ground.resident_kib());
        samples.end_round();
    }
    tally.tell_attacks();
    samples.tell();
    ground.assert_no_panic();
    tally.assert_good_clients_were_served();
    samples.assert_flat();
}

fn count(attacks: &[Bad]) -> u32 {
    u32::try_from(attacks.len()).unwrap()
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: a number, not `{text}`")),
    )
}
