//! The differential fuzzer: made-up HTTP/1 goes through the real binary to the strict origin, and what the origin saw must
//! be what the client's bytes mean to a strict reading, request by request; else somebody can smuggle. [`bytes`] makes them
//! up, [`meaning`] reads them, [`play`] sends them, [`judge`] compares.
//!
//! `BASCULE_DIFFERENTIAL_SEED=N` plays the one case of that seed. `BASCULE_DIFFERENTIAL_SECONDS=N` plays for so long, from
//! a seed that is printed; else a fixed number from a fixed seed.

mod bytes;
mod judge;
mod meaning;
mod over_http2;
mod play;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bascule_testkit::StrictOrigin;
use fastrand::Rng;

use crate::support;

/// Cases of the short run.
const CASES: u64 = 300;
/// And of that over HTTP/2.
const CASES_OF_HTTP2: u64 = 150;
/// Daemons beside each other: cases wait more than they work.
const LANES: u64 = 3;

/// Which cases are played.
struct Wanted {
    first: u64,
    cases: u64,
    /// Stop then, however many have been played.
    until: Option<Instant>,
}

fn wanted(cases: u64) -> Wanted {
    let number = |name: &str| -> Option<u64> { Some(std::env::var(name).ok()?.parse().unwrap()) };
    let seconds = number("BASCULE_DIFFERENTIAL_SECONDS").map(Duration::from_secs);
    match (number("BASCULE_DIFFERENTIAL_SEED"), seconds) {
        (Some(first), None) => Wanted {
            first,
            cases: 1,
            until: None,
        },
        (first, Some(length)) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "how long to look; nothing else depends on it"
            )]
            let until = Some(Instant::now() + length);
            // Small enough that sums stay numbers.
            let first = first.unwrap_or_else(|| fastrand::u64(..1 << 48));
            Wanted {
                first,
                cases: u64::MAX >> 1,
                until,
            }
        }
        (None, None) => Wanted {
            first: 1,
            cases,
            until: None,
        },
    }
}

impl Wanted {
    fn is_over(&self) -> bool {
        #[expect(
            clippy::disallowed_methods,
            reason = "how long to look; nothing else depends on it"
        )]
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// Plays the case of a seed; what is wrong, with all that is needed to see it again.
fn failure(seed: u64, edge: SocketAddr, origin: &StrictOrigin) -> Option<String> {
    let mut rng = Rng::with_seed(seed);
    let pieces = bytes::pieces(&mut rng);
    let meaning = meaning::of(&pieces.concat());
    let (wrong, came) = match play::play(&mut rng, &pieces, &meaning, edge, origin) {
        Ok(came) => (judge::judge(&meaning, &came), Some(came)),
        Err(error) => (vec![format!("{error:#}")], None),
    };
    if wrong.is_empty() {
        return None;
    }
    let mut text = format!("BASCULE_DIFFERENTIAL_SEED={seed}: {}\n", wrong.join("; "));
    for piece in &pieces {
        writeln!(text, "  sent      {}", piece.escape_ascii()).unwrap();
    }
    writeln!(
        text,
        "  they mean {} requests, then {:?}",
        meaning.requests.len(),
        meaning.end
    )
    .unwrap();
    for came in came.iter() {
        for seen in came
            .origin
            .iter()
            .flat_map(|connection| &connection.messages)
        {
            writeln!(text, "  origin    {}", seen.raw.escape_ascii()).unwrap();
        }
        for answer in &came.answers {
            writeln!(text, "  client    {}", answer.raw.escape_ascii()).unwrap();
        }
    }
    Some(text)
}

#[test]
fn the_origin_sees_the_requests_that_a_strict_reading_yields_and_no_other() {
    play_all(CASES, failure);
}

#[test]
fn what_comes_over_http2_is_forwarded_as_it_was_said_or_not_at_all() {
    play_all(CASES_OF_HTTP2, |seed, edge, origin| {
        over_http2::failure(seed, edge, origin)
            .unwrap_or_else(|error| Some(format!("BASCULE_DIFFERENTIAL_SEED={seed}: {error:#}")))
    });
}

/// Plays what is wanted, several lanes beside each other, up to the first failure of each.
fn play_all(cases: u64, failure: impl Fn(u64, SocketAddr, &StrictOrigin) -> Option<String> + Sync) {
    let wanted = wanted(cases);
    let (next, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let lane = || -> Option<String> {
        let origin = StrictOrigin::start().unwrap();
        let daemon = support::edge("http", origin.address());
        let edge = daemon.listener("web").unwrap();
        let is_over = || wanted.is_over() || has_failed.load(Ordering::Relaxed);
        let take = || {
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < wanted.cases && !is_over())
        };
        let mut numbers = std::iter::from_fn(take);
        let failed = numbers.find_map(|number| failure(wanted.first + number, edge, &origin));
        has_failed.fetch_or(failed.is_some(), Ordering::Relaxed);
        failed
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let lanes = LANES.min(wanted.cases);
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let lanes = running.into_iter().map(|lane| lane.join().unwrap());
        lanes.flatten().collect()
    });
    let played = next.into_inner();
    #[expect(
        clippy::print_stdout,
        reason = "the seed, for whoever asks with --nocapture"
    )]
    {
        println!("{played} cases from seed {}", wanted.first);
    }
    assert!(
        failed.is_empty(),
        "after {played} cases from seed {}:\n{}",
        wanted.first,
        failed.join("\n")
    );
}
