//! HTTP/1: the cases of `tests/corpus/http1`, one after the other on each lane; a lane is a daemon and a strict origin of
//! its own. `BASCULE_CASE=words` plays only the cases whose topic or name has these words, and shows all that happened.

pub(crate) mod case;
pub(crate) mod drive;
#[allow(dead_code, reason = "peers are judged by a part of it")]
pub(crate) mod judge;
pub(crate) mod text;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_testkit::StrictOrigin;

use crate::support;
use case::{Answered, Case, Forwarded};
use drive::Seen;

/// Daemons beside each other: cases wait more than they work.
const LANES: usize = 4;
/// How long an answer or an end may take.
const PATIENCE: Duration = Duration::from_secs(10);

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

#[test]
fn every_case_of_http1_is_as_the_rfc_requires() {
    let filter = std::env::var("BASCULE_CASE").unwrap_or_default();
    let is_asked = |case: &Case| format!("{} {}", case.topic, case.name).contains(&filter);
    let cases: Vec<Case> = corpus().into_iter().filter(is_asked).collect();
    assert!(!cases.is_empty(), "no case has {filter:?} in its name");
    let next = AtomicUsize::new(0);
    let lane = || -> Vec<(usize, String)> {
        let origin = StrictOrigin::start().unwrap();
        let edge = support::edge("http", origin.address());
        let address = edge.listener("web").unwrap();
        let mut failed = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else {
                return failed;
            };
            let seen = drive::play(case, address, &origin, PATIENCE);
            let wrong = judge::strictly(case, &seen);
            if !wrong.is_empty() {
                failed.push((number, report(case, &seen, &wrong)));
            } else if !filter.is_empty() {
                println!("{}", report(case, &seen, &[]));
            }
        }
    };
    let mut failed: Vec<(usize, String)> = std::thread::scope(|scope| {
        let lanes = LANES.min(cases.len());
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        running
            .into_iter()
            .flat_map(|lane| lane.join().unwrap())
            .collect()
    });
    failed.sort();
    let all = cases.len();
    let texts: String = failed.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        failed.is_empty(),
        "{texts}\n{} of {all} cases are not as required",
        failed.len()
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

/// A case with what was required and what happened, for a reader.
fn report(case: &Case, seen: &Seen, wrong: &[String]) -> String {
    let mut out = format!("\n{}: {}\n  {}\n", case.topic, case.name, case.rfc);
    let mut line = |label: &str, text: &str| writeln!(out, "  {label:<9} {text}").unwrap();
    for problem in wrong {
        line("WRONG", problem);
    }
    for action in &case.client {
        match action {
            case::Action::Send(bytes) => line("sent", &text::shown(bytes)),
            other => line("client", &format!("{other:?}")),
        }
    }
    for message in &case.forwarded {
        line("required", &required_request(message));
    }
    for answer in case.answers() {
        line("required", &required_answer(&answer));
    }
    line("required", &format!("connection: {:?}", case.then()));
    for connection in &seen.origin {
        for message in &connection.messages {
            let whole = if message.is_whole { "" } else { " (a part)" };
            line(
                "forwarded",
                &format!("{}{whole}", text::shown(&message.raw)),
            );
        }
    }
    for response in &seen.responses {
        let whole = if response.is_whole { "" } else { " (cut)" };
        line(
            "answered",
            &format!("{}{whole}", text::shown(&response.raw)),
        );
    }
    if !seen.rest.is_empty() {
        line("and then", &text::shown(&seen.rest));
    }
    line("connection", &format!("{:?}", seen.end));
    out
}

fn required_request(message: &Forwarded) -> String {
    let start = text::shown(&message.shape.start);
    let cut = if message.is_cut { " never whole" } else { "" };
    format!("forwarded{cut} {start}")
}

fn required_answer(answer: &Answered) -> String {
    let cut = if answer.is_cut { " cut" } else { "" };
    let reason = answer.reason.as_deref().unwrap_or_default();
    format!("answered {}{cut} {reason}", answer.status)
}
