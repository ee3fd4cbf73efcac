//! A provider that is taken in by one command while traffic runs, and what keeps the command from it: each refusal names the
//! fix, and leaves file and traffic as they were.

use std::net::IpAddr;
use std::process::Output;

use bascule_testkit::crowd::Crowd;
use bascule_testkit::faulty::{Ailment, Faulty};
use bascule_testkit::oci::{Fault, Machine, Oci};
use bascule_testkit::steady::{Clients, Outcome};
use bascule_testkit::{Daemon, Origin};
use http::Method;
use serde_json::Value;

use crate::support::{row, start};

const POOL: &str = "ocid1.instancepool.oc1.eu-frankfurt-1.media";
/// Requests a second.
const RATE: u32 = 200;

/// One provider; and a remark that must stay.
fn config(aws: &str) -> String {
    format!(
        "# Kept by hand.
runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 500ms, timeout: 400ms, fall: 2, rise: 2 }}
services:
  meet:
    backends:
      aws: {{ weight: 80, endpoints: [\"{aws}\"] }} # the first
"
    )
}

/// A pool in a pretended OCI, and its key.
struct Cloud {
    oci: Oci,
    folder: tempfile::TempDir,
}

impl Cloud {
    fn with(addresses: &[IpAddr]) -> Self {
        let oci = Oci::start().unwrap();
        let numbered = addresses.iter().enumerate();
        let machine = |(n, address): (usize, &IpAddr)| {
            Machine::running(&format!("ocid1.instance.{n}"), *address)
        };
        oci.set_pool(POOL, numbered.map(machine).collect());
        let folder = tempfile::tempdir().unwrap();
        oci.write_config(folder.path()).unwrap();
        Self { oci, folder }
    }

    /// `provider add` of the pool, with what differs.
    fn add(&self, daemon: &Daemon, port: u16, more: &[&str]) -> Output {
        let file = self.folder.path().join("config").display().to_string();
        let (url, port) = (self.oci.url(), port.to_string());
        let from = format!("instance-pool/{POOL}");
        let words = [
            &[
                "provider", "add", "oci", "--from", &from, "--share", "20", "--port", &port,
            ][..],
            &[
                "--config-file",
                &file,
                "--endpoint-url",
                &url,
                "--yes",
                "--reason",
                "CHG-7",
            ],
            more,
        ];
        daemon.cli(&words.concat()).unwrap()
    }
}

/// What was said, on both outputs.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

fn file(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.path("bascule.yaml")).unwrap()
}

/// A port where nobody listens: it was free a moment ago, and is kept by a socket that never accepts.
fn closed() -> (std::net::TcpListener, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_provider_is_taken_in_live_from_nothing_to_a_fifth_and_no_request_fails() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 3).unwrap();
    let cloud = Cloud::with(&crowd.addresses());
    let daemon = start(&config(&aws.url()));
    let before = file(&daemon);
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, RATE).unwrap();

    let dry = cloud.add(&daemon, crowd.port(), &["--dry-run"]);
    let told = said(&dry);
    assert_eq!(dry.status.code(), Some(0), "{told}");
    for line in [
        "+ accounts.oci",
        "+ services.meet.backends.oci",
        "oci ok 2",
        "dry run",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!(
        (file(&daemon), crowd.requests()),
        (before.clone(), vec![0; 3])
    );

    let document = |output: &Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let dry = cloud.add(&daemon, crowd.port(), &["--dry-run", "-o", "json"]);
    let told = document(&dry);
    assert_eq!(told["kind"], "ProviderChecked");
    assert_eq!(told["data"]["fit"], true, "{told}");

    let pace = ["--canary", "2", "--step", "9", "--bake", "1s"];
    let added = cloud.add(&daemon, crowd.port(), &pace);
    let told = said(&added);
    assert_eq!(added.status.code(), Some(0), "{told}\n{}", daemon.log());
    assert!(told.contains("oci: 3 of 3 endpoints up"), "{told}");
    assert!(
        told.contains("oci carries 20 % of meet, and the configuration says so"),
        "{told}"
    );
    let shares = [("aws".to_owned(), 80.0), ("oci".to_owned(), 20.0)];
    assert_eq!(
        (row(&daemon, "declared"), row(&daemon, "effective")),
        (shares.to_vec(), shares.to_vec())
    );
    let status = daemon.get("/v1/services/meet").unwrap();
    assert!(
        status["override"].is_null() && status["shift"].is_null(),
        "{status}"
    );
    let after = file(&daemon);
    assert!(
        after.contains("# Kept by hand.") && after.contains("# the first"),
        "{after}"
    );
    assert!(
        after.contains("oci: { weight: 20, discover: { account: oci,"),
        "{after}"
    );
    assert!(
        !after.contains(cloud.folder.path().join("key.pem").to_str().unwrap()),
        "{after}"
    );

    let samples = clients.finish();
    let failed: Vec<_> = samples
        .iter()
        .filter(|s| s.outcome != Outcome::Status(200))
        .collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", daemon.log());
    assert!(
        crowd.requests().iter().all(|count| *count > 0),
        "{:?}",
        crowd.requests()
    );
}

#[test]
fn what_is_not_fit_is_told_with_the_fix_and_nothing_is_written() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 1).unwrap();
    let cloud = Cloud::with(&crowd.addresses());
    let daemon = start(&config(&aws.url()));
    let before = file(&daemon);
    let refuses = |what: &str, output: &Output, code: i32, words: &[&str]| {
        let told = said(output);
        assert_eq!(output.status.code(), Some(code), "{what}: {told}");
        for word in words {
            assert!(told.contains(word), "{what}: {word}: {told}");
        }
        assert_eq!(file(&daemon), before, "{what}");
    };

    let (listener, port) = closed();
    drop(listener);
    let wrong = cloud.add(&daemon, port, &[]);
    refuses("a wrong port", &wrong, 7, &["E0702", "nothing changed"]);
    let wrong = cloud.add(&daemon, port, &["-o", "json"]);
    let told: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!(
        (wrong.status.code(), &told["data"]["fit"]),
        (Some(7), &Value::Bool(false))
    );

    let other = cloud.add(&daemon, crowd.port(), &["--scheme", "https"]);
    refuses("no TLS there", &other, 7, &["E0704", "write http://"]);

    let permission = Fault::refused(404, "NotAuthorizedOrNotFound");
    cloud.oci.fail("instancePools", permission, 0, 100);
    let denied = cloud.add(&daemon, crowd.port(), &[]);
    refuses(
        "no permission",
        &denied,
        7,
        &["E0710", "read instance-pools", "nothing changed"],
    );
    cloud.oci.heal();

    let taken = cloud.add(&daemon, crowd.port(), &["--backend", "aws"]);
    refuses(
        "a name that is taken",
        &taken,
        2,
        &["has a backend `aws` already", "bascule shift meet aws=20"],
    );

    let large = cloud.add(&daemon, crowd.port(), &["--canary", "30"]);
    refuses("a canary above the share", &large, 2, &["canary"]);

    let running = daemon.cli(&["shift", "meet", "aws=100", "--yes"]).unwrap();
    assert_eq!(running.status.code(), Some(0), "{}", said(&running));
    let mixed = cloud.add(&daemon, crowd.port(), &[]);
    refuses(
        "an override",
        &mixed,
        5,
        &["has an override", "bascule shift meet --declared"],
    );
}

#[test]
fn a_provider_that_fails_under_its_first_traffic_is_turned_back_and_stays_without_a_share() {
    let aws = Origin::start("aws").unwrap();
    let ill = Faulty::start("oci", 1).unwrap();
    let address = ill.address();
    let cloud = Cloud::with(&[address.ip()]);
    let daemon = start(&config(&aws.url()));
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, RATE).unwrap();
    // Its checks connect, so that they pass; every second answer is an error.
    ill.suffer(Ailment::Half);
    let added = cloud.add(
        &daemon,
        address.port(),
        &["--canary", "10", "--step", "10", "--bake", "5s"],
    );
    let told = said(&added);
    assert_eq!(added.status.code(), Some(8), "{told}\n{}", daemon.log());
    assert!(told.contains("turned back by a guardrail"), "{told}");
    assert!(
        told.contains("oci stays in the configuration with weight 0"),
        "{told}"
    );
    assert!(
        file(&daemon).contains("oci: { weight: 0, discover:"),
        "{}",
        file(&daemon)
    );
    drop(clients.finish());
}
