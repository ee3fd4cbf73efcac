//! The cases of HTTP/2 (`tests/corpus/http2`, see its README): a client that can say wrong things, the real binary, and two
//! origins that read strictly. [`case`] reads the files, [`payload`] makes frames of their lines, [`play`] plays a case,
//! [`judge`] compares what came of it with what is required.

pub(crate) mod case;
pub(crate) mod fair;
mod judge;
mod payload;
pub(crate) mod play;
mod text;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_testkit::Daemon;
use bascule_testkit::frames::origin::Origin;
use bascule_testkit::strict::StrictOrigin;

use case::Case;
use play::{Played, Stage};

/// Daemons beside each other: cases wait more than they work.
const LANES: usize = 4;
/// How long a case may stand still: longer than any answer of a loaded machine takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The binary before an HTTP/1 origin, and for one host before an HTTP/2 origin. One worker, so that what it does has an
/// order; an endpoint that fails stays in use, since cases make it fail on purpose, and no request is tried again.
fn edge(http1: SocketAddr, http2: SocketAddr) -> Daemon {
    let config = format!(
        "runtime: {{ workers: 1 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 1h }}
  retry: {{ attempts: 1 }}
services:
  one:
    safety: {{ fail_open: when_no_backend_up }}
    backends:
      aws: {{ weight: 1, endpoints: [\"http://{http1}\"] }}
  two:
    match: [{{ hosts: [b.example] }}]
    safety: {{ fail_open: when_no_backend_up }}
    backends:
      aws: {{ weight: 1, endpoints: [\"h2c://{http2}\"] }}
"
    );
    Daemon::start(Path::new(env!("CARGO_BIN_EXE_bascule")), &config).unwrap()
}

/// What the binary must do exactly.
pub(crate) fn strictly(case: &Case, played: anyhow::Result<Played>) -> anyhow::Result<()> {
    let mut played = played?;
    std::mem::replace(&mut played.trouble, Ok(()))?;
    judge::judge(case, &played)
}

/// Every case, in the order of the files' names.
pub(crate) fn corpus() -> Vec<Case> {
    case::load().unwrap()
}

/// How whoever is asked is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    patience: Duration,
    is_settled: fn(&Case, &bascule_testkit::frames::seen::Seen) -> bool,
    may_gather: bool,
}

/// All that is wanted, at once.
pub(crate) const STRICT: Manner = Manner {
    patience: PATIENCE,
    is_settled: judge::is_settled,
    may_gather: false,
};

/// What matters to others.
pub(crate) const FAIR: Manner = Manner {
    patience: Duration::from_secs(2),
    is_settled: fair::is_settled,
    may_gather: true,
};

/// Plays the cases, several at a time, each lane before origins of its own; `start` gives what is asked and its address,
/// from the addresses of the origins. What `judge` says of each comes in the order of the cases.
pub(crate) fn play_all<E, T: Send>(
    cases: &[&Case],
    manner: Manner,
    start: impl Fn(SocketAddr, SocketAddr) -> (SocketAddr, E) + Sync,
    judge: impl Fn(&Case, anyhow::Result<Played>) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let lane = || -> Vec<(usize, T)> {
        let (http1, http2) = (StrictOrigin::start().unwrap(), Origin::start().unwrap());
        let (address, _running) = start(http1.address(), http2.address());
        let stage = Stage {
            address,
            http1: &http1,
            http2: &http2,
            patience: manner.patience,
            is_settled: manner.is_settled,
            may_gather: manner.may_gather,
        };
        let take = || next.fetch_add(1, Ordering::Relaxed);
        let taken =
            std::iter::repeat_with(take).map_while(|number| Some((number, *cases.get(number)?)));
        let judged = taken.map(|(number, case)| (number, judge(case, play::play(&stage, case))));
        judged.collect()
    };
    let mut judged: Vec<(usize, T)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let lanes = lanes.into_iter().map(|lane| lane.join().unwrap());
        lanes.flatten().collect()
    });
    judged.sort_by_key(|(number, _)| *number);
    judged.into_iter().map(|(_, judgement)| judgement).collect()
}

/// The binary under test, before both origins.
pub(crate) fn bascule(http1: SocketAddr, http2: SocketAddr) -> (SocketAddr, Daemon) {
    let edge = edge(http1, http2);
    (edge.listener("web").unwrap(), edge)
}

#[test]
fn every_case_of_http2_comes_out_as_the_rfc_requires() {
    let wanted = std::env::var("BASCULE_CASE").unwrap_or_default();
    let all = corpus();
    let cases: Vec<&Case> = all.iter().filter(|it| it.name.contains(&wanted)).collect();
    assert!(!cases.is_empty(), "no case has that name");
    let failures = play_all(&cases, STRICT, bascule, |case, played| {
        let judged = strictly(case, played);
        judged.err().map(|why| format!("{}\n{why:#}", case.name))
    });
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    assert!(
        failures.is_empty(),
        "{}\n\n{} of {} cases are not as required (BASCULE_CASE=NAME plays some)",
        failures.join("\n\n"),
        failures.len(),
        cases.len()
    );
}
