//! Four times what fits: limits at endpoints, under clients that do not slow down.

use std::time::Duration;

use bascule_testkit::faulty::{Ailment, Faulty};
use bascule_testkit::steady::{Clients, Outcome};
use bascule_testkit::wait;
use http::Method;

use crate::support::{metric, refusals, start};

/// Requests that an endpoint gets at once.
const LIMIT: usize = 4;
/// How long the slow one takes.
const SLOW: Duration = Duration::from_millis(250);
/// Four times what fits at two of them: 4 × 2 × 4 ÷ 0.25 s.
const RATE: u32 = 128;

/// One worker, with whom a limit is exact. Nobody is asked twice, so that a request is one request at one origin; and
/// nobody is taken out for being slow.
fn config(aws: &Faulty, oci: &Faulty) -> String {
    let (aws, oci) = (aws.address(), oci.address());
    format!(
        "runtime: {{ workers: 1 }}
log: {{ access: {{ sample: 0.0 }} }}
listen: {{ web: {{ address: \"127.0.0.1:0\" }} }}
services:
  meet:
    check: {{ path: /healthz, interval: 10s, timeout: 10s }}
    outlier: {{ enabled: false }}
    retry: {{ attempts: 1 }}
    limits: {{ endpoint_requests: {LIMIT} }}
    backends:
      aws: {{ weight: 99, endpoints: [\"http://{aws}\"] }}
      oci: {{ weight: 1, endpoints: [\"http://{oci}\"] }}
"
    )
}

#[test]
fn what_does_not_fit_spills_or_is_refused_at_once_and_all_that_is_let_in_is_answered() {
    let (aws, oci) = (
        Faulty::start("aws", 1).unwrap(),
        Faulty::start("oci", 2).unwrap(),
    );
    let both = |ailment| {
        aws.suffer(ailment);
        oci.suffer(ailment);
    };
    let daemon = start(&config(&aws, &oci));
    let web = daemon.listener("web").unwrap();
    let clients = Clients::start(web, Method::GET, RATE).unwrap();

    // One is slow: what does not fit there goes to the other.
    aws.suffer(Ailment::Slow(SLOW));
    wait::until("as much at the other", || {
        let seen = [&aws, &oci].map(|origin| origin.seen().len());
        (aws.most_at_once() == LIMIT && seen.iter().all(|seen| *seen >= 50)).then_some(())
    })
    .unwrap();
    let spilled = metric(&daemon, "bascule_spills_total");
    let from_aws = spilled
        .iter()
        .find(|(labels, _)| labels.contains("from=\"aws\""));
    assert!(from_aws.is_some_and(|(_, count)| *count > 0), "{spilled:?}");

    // None answers any more: who is refused then has waited for nobody.
    both(Ailment::Holds);
    wait::until("both to be full", || {
        (aws.running() == LIMIT && oci.running() == LIMIT).then_some(())
    })
    .unwrap();
    let before = clients.ended();
    wait::until("refusals", || {
        (clients.ended() >= before + 100).then_some(())
    })
    .unwrap();
    assert_eq!([aws.running(), oci.running()], [LIMIT, LIMIT]);

    // Both are slow: of four times as much as fits three quarters are refused.
    both(Ailment::Slow(SLOW));
    let before = clients.ended();
    wait::until("more of them", || {
        (clients.ended() >= before + 200).then_some(())
    })
    .unwrap();
    let samples = clients.finish();

    let refused = samples
        .iter()
        .filter(|sample| sample.outcome == Outcome::Status(503));
    assert!(
        refused
            .clone()
            .all(|sample| sample.retry_after && sample.provider.is_none())
    );
    let overloaded = (
        "overloaded".to_owned(),
        u64::try_from(refused.count()).unwrap(),
    );
    assert_eq!(refusals(&daemon), [overloaded]);
    // All others were answered well, by those who got them, and nobody got one that was not answered.
    let served = samples
        .iter()
        .filter(|sample| sample.outcome != Outcome::Status(503));
    let served: Vec<_> = served
        .map(|s| (s.number, s.outcome, s.provider.clone()))
        .collect();
    let mut seen: Vec<_> = [("aws", &aws), ("oci", &oci)]
        .iter()
        .flat_map(|(name, origin)| {
            let numbers = origin.seen().into_iter().filter_map(|seen| seen.number);
            numbers.map(|number| (number, Outcome::Status(200), Some((*name).to_owned())))
        })
        .collect();
    seen.sort_by_key(|(number, ..)| *number);
    assert_eq!(served, seen);
    assert_eq!([aws.most_at_once(), oci.most_at_once()], [LIMIT, LIMIT]);
}
