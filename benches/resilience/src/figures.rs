//! What clients and origins saw, as figures. The definitions are those of `docs/resilience.md`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bascule_testkit::faulty;
use bascule_testkit::steady::{Outcome, Sample};

use crate::scenario::{Scenario, Victims};

/// Longer than this a client has noticed.
const NOTICED: Duration = Duration::from_millis(400);
const SECOND: Duration = Duration::from_secs(1);
const HALF_SECOND: Duration = Duration::from_millis(500);
/// A part of the load that is none: one in a hundred.
const NONE_OF: usize = 100;

/// All that was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// By the clients, in order of their beginning.
    pub samples: Vec<Sample>,
    /// By each of the origins that fell ill.
    pub ill: Vec<Vec<faulty::Seen>>,
    /// By the others.
    pub well: Vec<faulty::Seen>,
    /// When they fell ill.
    pub fell_ill: Instant,
    /// When they were well again.
    pub recovered: Instant,
    /// When it was over.
    pub ended: Instant,
}

/// The figures of one scenario against one proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Requests that began after the fall.
    pub requests: usize,
    /// Of these, those that did not end with 200.
    pub failed: usize,
    /// Of these, those that waited for more than 400 ms.
    pub waited: usize,
    /// From the fall to the last request that failed before the recovery; `None`: none failed.
    pub last_failed: Option<Duration>,
    /// From the fall until no second brings the ill more than one in a hundred; `None`: not before the recovery.
    pub left: Option<Duration>,
    /// The most requests that the ill got in one second, from a second after they were left until the recovery: in the
    /// first, one in a hundred of the load may be what was sent before anybody could know.
    pub trials: usize,
    /// Tries at the origins for each request, while they were ill.
    pub factor: f64,
    /// Requests that reached origins more than once, and must not have.
    pub twice: usize,
    /// How the refused ones were refused while all were down; `None` where that is not the question.
    pub refusal: Option<Refusal>,
    /// The return; `None` when nothing came back.
    pub back: Option<Return>,
}

/// How an answer of the proxy's own came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refusal {
    /// 99 of 100 came within.
    pub p99: Duration,
    /// The part that said when to come back.
    pub retry_after: f64,
}

/// How the recovered came back, from the recovery on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Return {
    /// The first request of a client.
    pub first: Duration,
    /// From the second check that passed to that; `None` without checks, and 0 where it came before.
    pub after_checks: Option<Duration>,
    /// Of their share, what they got in the half second after the second check that passed, or, where it came before, after
    /// the first request.
    pub at_first: f64,
    /// Until they had nine tenths of their share in half a second; `None`: never.
    pub most: Option<Duration>,
    /// The most that they got in a second, as a multiple of their share.
    pub peak: f64,
    /// From the recovery to the first request that began then and succeeded, and none failed after.
    pub healed: Option<Duration>,
}

impl Figures {
    /// Of what was seen.
    #[must_use]
    pub fn of(scenario: &Scenario, seen: &Seen) -> Self {
        let after = |sample: &&Sample| sample.began >= seen.fell_ill;
        let samples: Vec<&Sample> = seen.samples.iter().filter(after).collect();
        let ill: Vec<Instant> = data(seen.ill.iter().flatten());
        let well: Vec<Instant> = data(seen.well.iter());
        let left = left(&ill, &well, seen);
        let is_failed = |sample: &&&Sample| sample.outcome != Outcome::Status(200);
        let failed = || samples.iter().filter(is_failed);
        let last = failed()
            .filter(|s| s.began < seen.recovered)
            .map(|s| s.began + s.took);
        let while_ill = |at: &&Instant| seen.fell_ill <= **at && **at < seen.recovered;
        let tries = ill.iter().chain(&well).filter(while_ill).count();
        let asked = samples.iter().filter(|s| s.began < seen.recovered).count();
        let all = scenario.victims == Victims::All;
        Self {
            requests: samples.len(),
            failed: failed().count(),
            waited: samples.iter().filter(|s| s.took > NOTICED).count(),
            last_failed: last
                .max()
                .map(|at| at.saturating_duration_since(seen.fell_ill)),
            left,
            trials: trials(&ill, left, seen),
            factor: ratio(tries, asked),
            twice: if scenario.posts { twice(seen) } else { 0 },
            refusal: all.then(|| refusal(&samples, seen)).flatten(),
            back: back(scenario, &samples, &ill, &well, seen),
        }
    }
}

fn data<'a>(seen: impl Iterator<Item = &'a faulty::Seen>) -> Vec<Instant> {
    let data = seen.filter(|s| s.number.is_some());
    let mut at: Vec<Instant> = data.map(|s| s.at).collect();
    at.sort_unstable();
    at
}

fn within(at: &[Instant], from: Instant, until: Instant) -> usize {
    let start = at.partition_point(|at| *at < from);
    at.partition_point(|at| *at < until).saturating_sub(start)
}

/// The start of the first second from which on no second brings the ill more than one in a hundred of the load. Looked at
/// are the seconds that lie before the recovery.
fn left(ill: &[Instant], well: &[Instant], seen: &Seen) -> Option<Duration> {
    let busy = |at: &&Instant| {
        let bad = within(ill, **at, **at + SECOND);
        let all = bad + within(well, **at, **at + SECOND);
        bad * NONE_OF > all
    };
    let starts = ill
        .iter()
        .filter(|at| seen.fell_ill <= **at && **at + SECOND <= seen.recovered);
    match starts.rev().find(busy) {
        None => Some(Duration::ZERO),
        // Busy in the last two seconds: whether they would have been left is not known.
        Some(last) if *last + 2 * SECOND > seen.recovered => None,
        Some(last) => Some(last.saturating_duration_since(seen.fell_ill)),
    }
}

/// The most in any second that begins a second after the ill were left, or later.
fn trials(ill: &[Instant], left: Option<Duration>, seen: &Seen) -> usize {
    let Some(left) = left else {
        return 0;
    };
    let from = seen.fell_ill + left + SECOND;
    let starts = ill
        .iter()
        .filter(|at| from <= **at && **at + SECOND <= seen.recovered);
    let in_second = |at: &Instant| within(ill, *at, *at + SECOND);
    starts.map(in_second).max().unwrap_or(0)
}

fn twice(seen: &Seen) -> usize {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for number in seen
        .ill
        .iter()
        .flatten()
        .chain(&seen.well)
        .filter_map(|s| s.number)
    {
        *counts.entry(number).or_default() += 1;
    }
    counts.values().filter(|count| **count > 1).count()
}

fn refusal(samples: &[&Sample], seen: &Seen) -> Option<Refusal> {
    // The first second is the time in which it is found out.
    let settled = |s: &&&Sample| seen.fell_ill + SECOND <= s.began && s.began < seen.recovered;
    let refused: Vec<&&Sample> = samples.iter().filter(settled).collect();
    let mut times: Vec<Duration> = refused.iter().map(|s| s.took).collect();
    times.sort_unstable();
    let p99 = times.get(times.len().checked_sub(1)? * 99 / 100)?;
    let said = refused.iter().filter(|s| s.retry_after).count();
    Some(Refusal {
        p99: *p99,
        retry_after: ratio(said, refused.len()),
    })
}

fn back(
    scenario: &Scenario,
    samples: &[&Sample],
    ill: &[Instant],
    well: &[Instant],
    seen: &Seen,
) -> Option<Return> {
    let start = ill.partition_point(|at| *at < seen.recovered);
    let first = *ill.get(start)?;
    let share = match scenario.victims {
        Victims::Endpoint => 0.5 / f64::from(u8::try_from(scenario.endpoints).unwrap_or(1)),
        Victims::Provider => 0.5,
        Victims::All => 1.0,
    };
    let part = |from: Instant, length: Duration| {
        let mine = within(ill, from, from + length);
        let all = mine + within(well, from, from + length);
        ratio(mine, all) / share
    };
    let looks = || {
        (0..)
            .map(|n| seen.recovered + Duration::from_millis(20) * n)
            .take_while(|at| *at + SECOND < seen.ended)
    };
    let most = looks().find(|at| part(*at, HALF_SECOND) >= 0.9);
    let most = most.map(|at| (at + HALF_SECOND).saturating_duration_since(seen.recovered));
    let later = samples.iter().filter(|s| s.began >= seen.recovered);
    let last_bad = later
        .clone()
        .filter(|s| s.outcome != Outcome::Status(200))
        .map(|s| s.began)
        .max();
    let mut good = later
        .filter(|s| last_bad.is_none_or(|bad| s.began > bad))
        .map(|s| s.began);
    let checked = second_check(seen);
    Some(Return {
        first: first.saturating_duration_since(seen.recovered),
        after_checks: checked.map(|at| first.saturating_duration_since(at)),
        at_first: part(checked.map_or(first, |at| at.min(first)), HALF_SECOND),
        most,
        peak: looks().map(|at| part(at, SECOND)).fold(0.0, f64::max),
        healed: good
            .next()
            .map(|at| at.saturating_duration_since(seen.recovered)),
    })
}

/// When the second check after the recovery came to one of the recovered.
fn second_check(seen: &Seen) -> Option<Instant> {
    let second = |origin: &Vec<faulty::Seen>| {
        let is_check = |s: &&faulty::Seen| s.number.is_none() && s.at >= seen.recovered;
        origin.iter().filter(is_check).map(|s| s.at).nth(1)
    };
    seen.ill.iter().filter_map(second).min()
}

fn ratio(part: usize, whole: usize) -> f64 {
    let float = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    float(part) / float(whole.max(1))
}

#[cfg(test)]
mod tests;
