//! A changed configuration takes effect without a lost request; a bad one changes nothing and says why.

use bascule_testkit::{Origin, wait};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Load, clouds, hash, reload, start, two_clouds, until_row};

#[test]
fn fifty_reloads_under_load_fail_nothing() {
    let (aws, oci) = clouds();
    let config = |n: u32| {
        two_clouds(
            &aws.url(),
            &oci.url(),
            &format!("    ramp: {{ duration: {}ms }}\n", 1000 + n),
        )
    };
    let daemon = start(&config(0));
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    let http1 = Load::start(&url, "--h1", 4_000, 400);
    let http2 = Load::start(&url, "--no-tls-proto=h2c", 4_000, 400);
    for n in 1..=50 {
        reload(&daemon, &config(n));
    }
    http1.result().assert_nothing_failed();
    http2.result().assert_nothing_failed();
}

#[test]
fn a_changed_weight_takes_effect_and_a_listener_can_be_added() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let config = two_clouds(&aws.url(), &oci.url(), "");
    let daemon = start(&config);
    let web = daemon.listener("web").unwrap();
    let changed = config
        .replace("weight: 70", "weight: 20")
        .replace("weight: 30", "weight: 80")
        .replace("  web:", "  more: { address: \"127.0.0.1:0\" }\n  web:")
        .replace("  meet:\n", "  meet:\n    listen: [web, more]\n");
    reload(&daemon, &changed);
    until_row(&daemon, "effective", 20.0, 80.0);
    assert_eq!(
        daemon.listener("web").unwrap(),
        web,
        "an unchanged listener keeps its socket"
    );
    let more = daemon.listener("more").unwrap();
    assert_eq!(
        bascule_testkit::client::get(more, "/").unwrap().status(),
        200
    );
}

#[test]
fn a_bad_file_is_refused_with_all_its_errors_and_the_old_one_keeps_running() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let config = two_clouds(&aws.url(), &oci.url(), "");
    let daemon = start(&config);
    let before = hash(&daemon);
    let bad = config
        .replace("weight: 70", "wieght: 70")
        .replace("interval: 500ms", "interval: 500");
    daemon.write_config(&bad).unwrap();
    daemon.signal(Signal::HUP).unwrap();
    let failure = wait::until("the refusal", || {
        let status = daemon.get("/v1/status").unwrap();
        status
            .pointer("/config/last_error")
            .filter(|f| !f.is_null())
            .cloned()
    })
    .unwrap();
    let told = failure.to_string();
    assert!(
        told.contains("wieght") && told.contains("interval"),
        "all errors at once: {told}"
    );
    let diagnostics = failure
        .get("diagnostics")
        .and_then(Value::as_array)
        .unwrap();
    assert!(
        diagnostics
            .iter()
            .all(|d| d.get("line").and_then(Value::as_u64) > Some(0)),
        "{told}"
    );
    assert_eq!(hash(&daemon), before);
    let metrics = daemon.api(http::Method::GET, "/metrics", "").unwrap();
    let metrics = String::from_utf8_lossy(metrics.body()).into_owned();
    assert!(
        metrics.contains("bascule_config_last_reload_successful 0"),
        "{metrics}"
    );
    assert_eq!(
        bascule_testkit::client::get(daemon.listener("web").unwrap(), "/")
            .unwrap()
            .status(),
        200
    );
}
