//! The cases of HTTP/2 (`tests/corpus/http2`, see its README): a client that can say wrong things, the real binary, and two
//! origins that read strictly. [`case`] reads the files, [`payload`] makes frames of their lines, [`play`] plays a case,
//! [`judge`] compares what came of it with what is required.

mod case;
mod judge;
mod payload;
mod play;
mod text;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bascule_testkit::Daemon;
use bascule_testkit::frames::origin::Origin;
use bascule_testkit::strict::StrictOrigin;

use case::Case;
use play::Stage;

/// Daemons beside each other: cases wait more than they work.
const LANES: usize = 4;

/// The binary before an HTTP/1 origin, and for one host before an HTTP/2 origin. One worker, so that what it does has an
/// order; an endpoint that fails stays in use, since cases make it fail on purpose.
fn edge(http1: &StrictOrigin, http2: &Origin) -> Daemon {
    let config = format!(
        "runtime: {{ workers: 1 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 1h }}
services:
  one:
    safety: {{ fail_open: when_no_backend_up }}
    backends:
      aws: {{ weight: 1, endpoints: [\"http://{}\"] }}
  two:
    match: [{{ hosts: [b.example] }}]
    safety: {{ fail_open: when_no_backend_up }}
    backends:
      aws: {{ weight: 1, endpoints: [\"h2c://{}\"] }}
",
        http1.address(),
        http2.address()
    );
    Daemon::start(Path::new(env!("CARGO_BIN_EXE_bascule")), &config).unwrap()
}

/// Plays a case and tells what is not as required.
fn failure(stage: &Stage<'_>, case: &Case) -> Option<String> {
    let played = play::play(stage, case);
    let judged = played.and_then(|outcome| judge::judge(case, &outcome));
    judged.err().map(|why| format!("{}\n{why:#}", case.name))
}

/// The cases whose name holds `BASCULE_CASE`; without it all that are not held back.
fn chosen() -> Vec<Case> {
    let mut cases = case::load().unwrap();
    match std::env::var("BASCULE_CASE") {
        Ok(wanted) => cases.retain(|case| case.name.contains(&wanted)),
        Err(_) => {
            let held: Vec<&str> = include_str!("../corpus/http2/held.txt").lines().collect();
            cases.retain(|case| !held.contains(&case.name.as_str()));
        }
    }
    cases
}

#[test]
fn every_case_of_http2_comes_out_as_the_rfc_requires() {
    let cases = chosen();
    assert!(!cases.is_empty(), "no case has that name");
    let next = AtomicUsize::new(0);
    let lane = || -> Vec<String> {
        let (http1, http2) = (StrictOrigin::start().unwrap(), Origin::start().unwrap());
        let daemon = edge(&http1, &http2);
        let stage = Stage {
            address: daemon.listener("web").unwrap(),
            http1: &http1,
            http2: &http2,
        };
        let mine = std::iter::from_fn(|| cases.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.filter_map(|case| failure(&stage, case)).collect()
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let joined = lanes.into_iter().map(|lane| lane.join().unwrap());
        joined.flatten().collect()
    });
    assert!(
        failures.is_empty(),
        "{}\n\n{} of {} cases are not as required (BASCULE_CASE=NAME plays some)",
        failures.join("\n\n"),
        failures.len(),
        cases.len()
    );
}
