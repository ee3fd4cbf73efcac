//! A provider is lost under load, and the other one cannot take all of it.

use bascule_telemetry::clock;
use bascule_testkit::{Daemon, Origin, wait};
use serde_json::Value;

use crate::support::{Load, cli, curl, refusals, start, until_row};

/// What each of the two can take, in requests a second.
const CAPACITY: u32 = 240;
/// What clients ask for.
const RATE: u32 = 400;

fn config(aws: &Origin, oci: &Origin) -> String {
    let backend = |origin: &Origin| {
        let (capacity, url) = (CAPACITY, origin.url());
        format!("{{ weight: 1, capacity: {{ requests: {capacity}/s }}, endpoints: [\"{url}\"] }}")
    };
    format!(
        "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen: {{ web: {{ address: \"127.0.0.1:0\" }} }}
services:
  meet:
    class: bulk
    check: {{ interval: 500ms, timeout: 400ms, fall: 2, rise: 2 }}
    ramp: {{ duration: 2s }}
    backends:
      aws: {}
      oci: {}
",
        backend(aws),
        backend(oci)
    )
}

fn service(daemon: &Daemon, key: &str) -> Value {
    let service = daemon.get("/v1/services/meet").unwrap();
    service.get(key).cloned().unwrap()
}

fn shed(daemon: &Daemon) -> f64 {
    service(daemon, "shed").as_f64().unwrap()
}

#[test]
fn a_survivor_stays_below_its_capacity_and_only_what_does_not_fit_is_refused() {
    let (mut aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&config(&aws, &oci));
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    let load = Load::start(&url, "--h1", 30 * RATE, RATE);

    // What a loss would do is said before it happens, once the load is known.
    let foreseen = wait::until("the load is known", || {
        let losses = service(&daemon, "losses");
        let aws = losses.pointer("/0/shed").and_then(Value::as_f64).unwrap();
        (30.0..45.0).contains(&aws).then_some(losses)
    })
    .unwrap();
    assert_eq!(foreseen.pointer("/0/provider").unwrap(), "aws");
    assert!(shed(&daemon) <= 0.0);
    let said = cli(&daemon, &["status"]);
    assert!(said.contains("If aws is lost   oci "), "{said}");

    // Until checks have seen the loss, requests are saved by retries: their budget is that of ten seconds of traffic.
    wait::until("ten seconds of traffic", || {
        (aws.requests() > u64::from(5 * RATE)).then_some(())
    })
    .unwrap();
    aws.die();
    wait::until("the rest is shed", || (shed(&daemon) > 0.0).then_some(())).unwrap();
    until_row(&daemon, "effective", 0.0, 100.0);
    let (began, before) = (clock::now(), oci.requests());
    let served = wait::until("more at oci", || {
        let served = oci.requests() - before;
        (served > u64::from(5 * CAPACITY)).then_some(served)
    })
    .unwrap();
    // A slow machine can only make it less.
    let rate = served as f64 / clock::now().since(began).as_secs_f64();
    assert!(rate <= f64::from(CAPACITY) * 1.02, "{rate} a second at oci");
    let refused = wait::until("a refusal", || {
        let answer = curl(&["-i", &url]);
        answer.starts_with("HTTP/1.1 503").then_some(answer)
    })
    .unwrap();
    let refused = refused.to_ascii_lowercase();
    assert!(refused.contains("details=\"shed\""), "{refused}");
    // The soonest return, rounded up to a second, ten times: bulk can wait.
    assert!(refused.contains("\r\nretry-after: 10\r\n"), "{refused}");

    aws.revive().unwrap();
    until_row(&daemon, "effective", 50.0, 50.0);
    assert!(shed(&daemon) <= 0.0);
    let result = load.result();
    assert_eq!(result.errored, 0, "{}", result.report);
    // Nothing else was answered with an error.
    let events = cli(&daemon, &["events", "--kind", "shed_started"]);
    assert!(events.contains("fit nowhere"), "{events}");
    // All that was not served was shed; curl has been refused as well.
    let (by_reason, not_served) = (refusals(&daemon), result.done - result.ok);
    assert!(not_served > 0, "{}", result.report);
    match by_reason.as_slice() {
        [(reason, count)] => assert!(reason == "shed" && *count > not_served, "{by_reason:?}"),
        others => panic!("{others:?}"),
    }
}
