//! A provider falls ill in each of the ways that there are, under requests that come whatever becomes of the others, and is
//! well again: no client notices, the share goes and comes back, and the journal says why. How soon is measured by
//! `cargo xtask resilience`; here it counts that it happens, and what it costs.

use std::time::Duration;

use bascule_testkit::faulty::{Ailment, Faulty};
use bascule_testkit::steady::{Clients, Outcome, Sample};
use bascule_testkit::wait;
use http::Method;

use crate::support::{cli, start, two_clouds, until_row};

/// Requests a second.
const RATE: u32 = 100;

/// Plays one illness of the first provider; all that GETs came to.
fn survive(ailment: Ailment, reason: &str) {
    let [aws, oci] = ["aws", "oci"].map(|provider| Faulty::start(provider, 7).unwrap());
    let [first, second] = [&aws, &oci].map(|origin| format!("http://{}", origin.address()));
    let retry = "    retry: { attempts: 3 }\n    timeouts: { response_headers: 10s }\n";
    let config = two_clouds(&first, &second, retry).replace("timeout: 400ms", "timeout: 5s");
    let daemon = start(&config);
    until_row(&daemon, "effective", 70.0, 30.0);
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, RATE).unwrap();
    let more = |than: usize| {
        let ended = clients.ended();
        wait::until("more requests", || {
            (clients.ended() > ended + than).then_some(())
        })
        .unwrap();
    };
    more(300);

    aws.suffer(ailment);
    until_row(&daemon, "effective", 0.0, 100.0);
    // What is left gets a trial a second, of one request; else nothing.
    let before = requests(&aws);
    more(300);
    let trials = requests(&aws) - before;
    assert!(trials <= 30, "{trials} of 300 requests were trials");

    aws.suffer(Ailment::Well);
    until_row(&daemon, "effective", 70.0, 30.0);
    more(100);
    let samples = clients.finish();
    let failed: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.outcome != Outcome::Status(200))
        .collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", daemon.log());
    let events = cli(&daemon, &["events"]);
    assert!(events.contains(reason), "{reason} in {events}");
}

/// Requests of clients, not checks.
fn requests(origin: &Faulty) -> usize {
    let seen = origin.seen();
    seen.iter().filter(|seen| seen.number.is_some()).count()
}

#[test]
fn connections_that_are_refused() {
    survive(Ailment::Refuses, "connect");
}

#[test]
fn connections_that_are_reset() {
    survive(Ailment::Resets, "reset");
}

#[test]
fn answers_503() {
    survive(Ailment::Unavailable, "unavailable");
}

#[test]
fn half_of_the_answers_503_while_checks_pass() {
    survive(Ailment::Half, "unavailable");
}

#[test]
fn silence() {
    survive(Ailment::Silent, "timeout");
}

#[test]
fn silence_while_checks_pass() {
    survive(Ailment::DataSilent, "timeout");
}

#[test]
fn answers_that_come_late_while_checks_pass() {
    survive(Ailment::Slow(Duration::from_millis(600)), "ejected");
}
