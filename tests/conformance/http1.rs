//! HTTP/1: the cases of `tests/corpus/http1`, one after the other on each lane; a lane is a daemon and a strict origin of
//! its own. `BASCULE_CASE=words` plays only the cases whose topic or name has these words, and shows all that happened.

pub(crate) mod case;
pub(crate) mod drive;
pub(crate) mod judge;
pub(crate) mod text;
pub(crate) mod words;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_testkit::{Daemon, StrictOrigin};

use crate::support;
use case::Case;
use drive::Seen;

/// Daemons beside each other: cases wait more than they work.
const LANES: usize = 4;
/// How long an answer or an end may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Every case, in the order of the files' names.
pub(crate) fn corpus() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/http1");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let topic = path.file_stem().unwrap().to_string_lossy();
        case::read(&topic, &std::fs::read_to_string(path).unwrap()).unwrap()
    };
    files.iter().flat_map(read).collect()
}

/// Plays the cases, several at a time, each lane before an origin of its own; `start` gives what is asked and its address.
/// What `judge` says of each comes in the order of the cases.
pub(crate) fn play_all<E, T: Send>(
    cases: &[Case],
    patience: Duration,
    start: impl Fn(SocketAddr) -> (SocketAddr, E) + Sync,
    judge: impl Fn(&Case, &Seen) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let lane = || -> Vec<(usize, T)> {
        let origin = StrictOrigin::start().unwrap();
        let (edge, _running) = start(origin.address());
        // What the start asked for is no case.
        origin.finish().unwrap();
        let take = || next.fetch_add(1, Ordering::Relaxed);
        let taken =
            std::iter::repeat_with(take).map_while(|number| Some((number, cases.get(number)?)));
        let judged = taken.map(|(number, case)| {
            let seen = drive::play(case, edge, &origin, patience);
            (number, judge(case, &seen))
        });
        judged.collect()
    };
    let mut judged: Vec<(usize, T)> = std::thread::scope(|scope| {
        let lanes = LANES.min(cases.len());
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let lanes = running.into_iter().map(|lane| lane.join().unwrap());
        lanes.flatten().collect()
    });
    judged.sort_by_key(|(number, _)| *number);
    judged.into_iter().map(|(_, judgement)| judgement).collect()
}

/// The binary under test, before an origin.
pub(crate) fn bascule(origin: SocketAddr) -> (SocketAddr, Daemon) {
    let edge = support::edge("http", origin);
    (edge.listener("web").unwrap(), edge)
}

#[test]
fn every_case_of_http1_is_as_the_rfc_requires() {
    let filter = std::env::var("BASCULE_CASE").unwrap_or_default();
    let is_asked = |case: &Case| format!("{} {}", case.topic, case.name).contains(&filter);
    let cases: Vec<Case> = corpus().into_iter().filter(is_asked).collect();
    assert!(!cases.is_empty(), "no case has {filter:?} in its name");
    let failed = play_all(&cases, PATIENCE, bascule, |case, seen| {
        let wrong = judge::strictly(case, seen);
        if wrong.is_empty() && !filter.is_empty() {
            println!("{}", words::report(case, seen, &[]));
        }
        (!wrong.is_empty()).then(|| words::report(case, seen, &wrong))
    });
    let failed: Vec<String> = failed.into_iter().flatten().collect();
    let (texts, count, all) = (failed.concat(), failed.len(), cases.len());
    assert!(
        failed.is_empty(),
        "{texts}\n{count} of {all} cases are not as required"
    );
}

#[test]
fn names_are_sentences_of_their_own() {
    let mut names: Vec<String> = corpus().into_iter().map(|case| case.name).collect();
    names.sort();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(twice, None);
    let no_sentence = names.iter().find(|name| name.split(' ').count() < 4);
    assert_eq!(no_sentence, None);
}
