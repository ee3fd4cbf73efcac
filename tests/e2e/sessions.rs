//! Long sessions, with bytes both ways, live through whatever an operator does.

use bascule_testkit::sessions::{Protocol, Sessions};
use bascule_testkit::steady::{Clients, Outcome};
use bascule_testkit::{Origin, wait};
use http::Method;

use crate::support::{cli, reload, start, two_clouds};

/// Checks that a test machine's noise does not fail.
const HASTY: &str = "interval: 500ms, timeout: 400ms";
const PATIENT: &str = "interval: 10s, timeout: 10s";

/// Guardrails and time-outs that it does not trip, and a quick pace.
const CALM: &str = "    guardrails: { receiver_p95: +1000%, receiver_errors: 50%, hold: 10s }
    timeouts: { connect: 30s }
    controller: { step: { max: 50%, every: 100ms } }\n";

/// How many sessions; the long run takes a thousand.
fn sessions() -> usize {
    let said = std::env::var("BASCULE_SESSIONS").ok();
    said.map_or(200, |said| said.parse().unwrap())
}

#[test]
fn a_hundred_reloads_and_twenty_shifts_cut_no_session_and_fail_no_request() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let config = |n: u32| {
        let ramp = format!("    ramp: {{ duration: {}ms }}\n{CALM}", 1000 + n);
        two_clouds(&aws.url(), &oci.url(), &ramp).replace(HASTY, PATIENT)
    };
    let daemon = start(&config(0));
    let web = daemon.listener("web").unwrap();
    let half = sessions() / 2;
    let http1 = Sessions::start(web, Protocol::Http1, half).unwrap();
    let http2 = Sessions::start(web, Protocol::Http2, half).unwrap();
    let all = u64::try_from(half).unwrap();
    let begun = wait::until("all sessions", || {
        (http1.running() == all && http2.running() == all).then_some(())
    });
    if let Err(error) = begun {
        let running = (http1.running(), http2.running());
        panic!(
            "{error}: {running:?} of {all} each; {:?}",
            (http1.finish(), http2.finish())
        );
    }
    let clients = Clients::start(web, Method::GET, 100).unwrap();
    for n in 1..=20 {
        for reload_of in 0..5 {
            reload(&daemon, &config(n * 5 + reload_of));
        }
        let aws = format!("aws={}", 50 + n % 2 * 10);
        let oci = format!("oci={}", 50 - n % 2 * 10);
        let shift = [
            "shift", "meet", &aws, &oci, "--step", "50", "--bake", "100ms", "--yes",
        ];
        cli(&daemon, &shift);
    }
    // Every session still beats after all of it.
    let (first, second) = (http1.beats(), http2.beats());
    wait::until_long("heartbeats", || {
        let beat = http1.beats() >= first + 2 * all && http2.beats() >= second + 2 * all;
        beat.then_some(())
    })
    .unwrap();
    assert_eq!(http1.finish(), Vec::<String>::new());
    assert_eq!(http2.finish(), Vec::<String>::new());
    let samples = clients.finish();
    let failed: Vec<_> = samples
        .iter()
        .filter(|sample| sample.outcome != Outcome::Status(200))
        .collect();
    assert!(failed.is_empty() && !samples.is_empty(), "{failed:?}");
}
