//! An operator moves traffic with the command line: shares follow, clients notice nothing, and what was asked for
//! survives a crash.

use bascule_testkit::{Origin, wait};
use serde_json::Value;

use crate::support::{Load, cli, clouds, row, start, two_clouds, until_row};

/// Guardrails that a test machine's noise does not trip, and a quick pace.
const CALM: &str = "    guardrails: { receiver_p95: +1000%, receiver_errors: 50%, hold: 10s }
    controller: { step: { max: 50%, every: 300ms } }\n";

#[test]
fn a_shift_moves_the_split_under_load_and_fails_nothing() {
    let (aws, oci) = clouds();
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), CALM));
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    let load = Load::start(&url, "--h1", 3_200, 400);
    wait::until("traffic", || (aws.requests() > 100).then_some(())).unwrap();
    let told = cli(
        &daemon,
        &[
            "shift", "meet", "aws=50", "oci=50", "--step", "10", "--bake", "500ms", "--yes",
        ],
    );
    assert!(told.contains("aws"), "{told}");
    assert_eq!(
        row(&daemon, "effective"),
        [("aws".to_owned(), 50.0), ("oci".to_owned(), 50.0)]
    );
    assert_eq!(
        row(&daemon, "declared"),
        [("aws".to_owned(), 70.0), ("oci".to_owned(), 30.0)]
    );
    load.result().assert_nothing_failed();
    let (aws_before, oci_before) = (aws.requests(), oci.requests());
    Load::start(&url, "--h1", 2_000, 2_000)
        .result()
        .assert_nothing_failed();
    let (aws_got, oci_got) = (aws.requests() - aws_before, oci.requests() - oci_before);
    assert!(
        aws_got.abs_diff(oci_got) < 8,
        "{aws_got} and {oci_got} at 50/50"
    );
    let explained = cli(&daemon, &["explain", "meet", "oci"]);
    assert!(explained.contains("override"), "{explained}");
    let load = Load::start(&url, "--h1", 2_000, 200);
    cli(&daemon, &["undo", "--yes", "--detach"]);
    until_row(&daemon, "target", 70.0, 30.0);
    load.result().assert_nothing_failed();
}

#[test]
fn a_provider_is_evacuated_with_proof_and_restored() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), CALM));
    cli(
        &daemon,
        &["evacuate", "aws", "--fast", "--yes", "--reason", "test"],
    );
    until_row(&daemon, "effective", 0.0, 100.0);
    let evacuation = wait::until("the proof", || {
        let list = daemon.get("/v1/evacuations").unwrap();
        let one = list.pointer("/evacuations/0").cloned()?;
        one.pointer("/proof/holds")
            .and_then(Value::as_bool)
            .map(|holds| (holds, one))
    })
    .unwrap();
    assert!(evacuation.0, "{}", evacuation.1);
    let picks = evacuation
        .1
        .pointer("/proof/picks_on_evacuated")
        .and_then(Value::as_u64);
    assert_eq!(picks, Some(0), "{}", evacuation.1);
    cli(&daemon, &["restore", "aws", "--yes", "--detach"]);
    // The way back is slower than the way out: eight watched steps, of which the first is at once.
    wait::until("the first step back", || {
        let share = row(&daemon, "target").first()?.1;
        (0.0 < share && share < 70.0).then_some(())
    })
    .unwrap();
    let status = cli(&daemon, &["status"]);
    assert!(status.contains("restor"), "{status}");
}

#[test]
fn a_shift_goes_on_after_a_crash_in_its_middle() {
    let (aws, oci) = clouds();
    let config = two_clouds(&aws.url(), &oci.url(), CALM);
    let mut daemon = start(&config);
    let args = [
        "shift", "meet", "aws=50", "--step", "5", "--bake", "1s", "--yes", "--detach",
    ];
    cli(&daemon, &args);
    let load = Load::start(
        &format!("http://{}/", daemon.listener("web").unwrap()),
        "--h1",
        10_000,
        200,
    );
    wait::until("the second step", || {
        (row(&daemon, "target").first()?.1 <= 60.0).then_some(())
    })
    .unwrap();
    let reached = row(&daemon, "target").first().unwrap().1;
    daemon.crash_and_restart(&config).unwrap();
    drop(load);
    let target = row(&daemon, "target").first().unwrap().1;
    assert!(
        (50.0..=reached).contains(&target),
        "it stood at {reached}, and is at {target} after the crash"
    );
    let url = format!("http://{}/", daemon.listener("web").unwrap());
    let load = Load::start(&url, "--h1", 2_000, 200);
    until_row(&daemon, "target", 50.0, 50.0);
    drop(load);
    let history = cli(&daemon, &["history", "-o", "json"]);
    assert!(history.contains("shift"), "{history}");
}
