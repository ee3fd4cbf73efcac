//! One split, true in several places: the edge's own, weighted records of Route 53 and a steering policy of OCI, each in a
//! pretended cloud. What is set there is read by outsiders: boto3, and the policy as DNS would answer by it.

use std::path::Path;
use std::sync::Arc;

use bascule_testkit::aws::{Moto, Outsider};
use bascule_testkit::oci::Oci;
use bascule_testkit::steady::{Clients, Outcome};
use bascule_testkit::{Daemon, Origin, wait};
use http::Method;
use serde_json::{Value, json};

use crate::support::{cli, make_private, start, until_row};

mod heard;

const POLICY: &str = "ocid1.dnspolicy.oc1..meet";

/// Both clouds, with a zone in the one and a policy in the other.
struct Clouds {
    moto: Moto,
    outsider: Outsider,
    zone: String,
    oci: Arc<Oci>,
}

impl Clouds {
    fn start() -> Self {
        let moto = Moto::start().unwrap();
        let mut outsider = Outsider::start(moto.url()).unwrap();
        let zone = json!({ "Name": "example.org", "CallerReference": "one" });
        let made = outsider.call("route53", "create_hosted_zone", &zone);
        let zone = made.unwrap();
        let zone = zone.pointer("/HostedZone/Id").and_then(Value::as_str);
        let zone = zone.and_then(|id| id.rsplit('/').next()).unwrap();
        let oci = Arc::new(Oci::start().unwrap());
        let answers = [("a", "192.0.2.1", 50), ("o", "192.0.2.2", 50)];
        oci.add_steering_policy(POLICY, 30, &answers);
        Self {
            zone: zone.to_owned(),
            moto,
            outsider,
            oci,
        }
    }

    fn accounts(&self, folder: &Path) -> String {
        let file = self.oci.write_config(folder).unwrap();
        let keys = folder.join("profiles");
        let text =
            "[profile media]\naws_access_key_id = testing\naws_secret_access_key = testing\n";
        std::fs::write(&keys, text).unwrap();
        make_private(&keys);
        format!(
            "accounts:
  amazon: {{ cloud: aws, region: us-east-1, profile: media, config_file: \"{}\", endpoint_url: \"{}\" }}
  oracle: {{ cloud: oci, config_file: \"{}\", endpoint_url: \"{}\" }}",
            keys.display(),
            self.moto.url(),
            file.display(),
            self.oci.url()
        )
    }

    /// The weights of the records of the zone, as boto3 reads them.
    fn records(&mut self) -> Vec<(String, u64)> {
        let arguments = json!({ "HostedZoneId": self.zone });
        let answer = self
            .outsider
            .call("route53", "list_resource_record_sets", &arguments)
            .unwrap();
        let records = answer.get("ResourceRecordSets").and_then(Value::as_array);
        let weighted = records.unwrap().iter().filter_map(|record| {
            let name = record.get("SetIdentifier")?.as_str()?.to_owned();
            Some((name, record.get("Weight")?.as_u64()?))
        });
        weighted.collect()
    }

    /// The weights of the policy's answers.
    fn answers(&self) -> Vec<(String, u64)> {
        let answers = self.oci.answers(POLICY).into_iter();
        answers.map(|answer| (answer.name, answer.weight)).collect()
    }
}

fn config(clouds: &Clouds, folder: &Path, origins: [&Origin; 2]) -> String {
    config_with(clouds, folder, origins, ["", ""])
}

/// With more in each of the two actuators.
fn config_with(
    clouds: &Clouds,
    folder: &Path,
    [aws, oci]: [&Origin; 2],
    [at_aws, at_oci]: [&str; 2],
) -> String {
    format!(
        "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 500ms, timeout: 400ms, fall: 2, rise: 2 }}
{}
services:
  meet:
    backends:
      aws: {{ weight: 80, endpoints: [\"{}\"] }}
      oci: {{ weight: 20, endpoints: [\"{}\"] }}
    controller: {{ step: {{ max: 10%, every: 1s }} }}
    guardrails: {{ hold: 1s }}
    apply:
      - {{ account: amazon, to: route53/{}/meet.example.org/A, members: {{ aws: [192.0.2.1], oci: [192.0.2.2] }}, verify: 2s{at_aws} }}
      - {{ account: oracle, to: steering-policy/{POLICY}, members: {{ aws: [a], oci: [o] }}, verify: 2s{at_oci} }}
",
        clouds.accounts(folder),
        aws.url(),
        oci.url(),
        clouds.zone
    )
}

fn actuators(daemon: &Daemon) -> Vec<Value> {
    let status = daemon.get("/v1/status").unwrap();
    let all = status.get("actuators").and_then(Value::as_array);
    all.cloned().unwrap_or_default()
}

/// Waits until both actuators have been read back with what the edges use.
fn until_applied(daemon: &Daemon, aws: u64) {
    let reached = wait::until_long("both applied", || {
        let all = actuators(daemon);
        let is_there = |actuator: &Value| {
            let weight = actuator.pointer("/members/aws").and_then(Value::as_u64);
            weight == Some(aws) && actuator.get("confirmed") == actuator.get("wanted")
        };
        (all.len() == 2 && all.iter().all(is_there)).then_some(())
    });
    if let Err(error) = reached {
        panic!("{error}: {:?}\n{}", actuators(daemon), daemon.log());
    }
}

fn row(names: [&str; 2], weights: [u64; 2]) -> Vec<(String, u64)> {
    let named = names.map(str::to_owned).into_iter().zip(weights);
    named.collect()
}

#[test]
fn one_shift_becomes_true_at_the_edge_in_route_53_and_in_oci_dns() {
    let origins = ["aws", "oci"].map(|name| Origin::start(name).unwrap());
    let mut clouds = Clouds::start();
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(&config(&clouds, folder.path(), origins.each_ref()));
    until_applied(&daemon, 80);
    assert_eq!(clouds.records(), row(["aws", "oci"], [80, 20]));

    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, 100).unwrap();
    cli(
        &daemon,
        &["shift", "meet", "aws=60", "--yes", "--reason", "test"],
    );
    until_row(&daemon, "effective", 60.0, 40.0);
    until_applied(&daemon, 60);
    assert_eq!(clouds.records(), row(["aws", "oci"], [60, 40]));
    assert_eq!(clouds.answers(), row(["a", "o"], [60, 40]));
    let samples = clients.finish();
    let well = |outcome: Outcome| outcome == Outcome::Status(200);
    assert!(
        samples.iter().all(|sample| well(sample.outcome)),
        "{}",
        daemon.log()
    );

    // Off is a state there too.
    cli(
        &daemon,
        &[
            "shift", "meet", "oci=0", "--now", "--yes", "--reason", "test",
        ],
    );
    until_applied(&daemon, 100);
    assert_eq!(clouds.records(), row(["aws", "oci"], [100, 0]));
    assert_eq!(clouds.answers(), row(["a", "o"], [100, 0]));
}

#[test]
fn what_another_tool_changes_is_seen_and_set_back_and_a_cloud_that_refuses_holds_nobody_up() {
    let origins = ["aws", "oci"].map(|name| Origin::start(name).unwrap());
    let mut clouds = Clouds::start();
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(&config(&clouds, folder.path(), origins.each_ref()));
    until_applied(&daemon, 80);
    let answers = [("a", "192.0.2.1", 10), ("o", "192.0.2.2", 90)];
    clouds.oci.add_steering_policy(POLICY, 30, &answers);
    wait::until_long("set again", || {
        let events = cli(&daemon, &["events"]);
        events
            .contains("was changed by another tool, and set again")
            .then_some(())
    })
    .unwrap();
    assert_eq!(clouds.answers(), row(["a", "o"], [80, 20]));

    // The key is revoked: the edge and the other cloud go on.
    let oci = Arc::get_mut(&mut clouds.oci).unwrap();
    oci.rotate_key().unwrap();
    cli(
        &daemon,
        &[
            "shift", "meet", "aws=50", "--now", "--yes", "--reason", "test",
        ],
    );
    wait::until_long("a refusal", || {
        let told = cli(&daemon, &["status"]);
        (told.contains("! behind") && told.contains("NotAuthenticated")).then_some(())
    })
    .unwrap();
    wait::until_long("the other", || {
        (clouds.records() == row(["aws", "oci"], [50, 50])).then_some(())
    })
    .unwrap();
    until_row(&daemon, "effective", 50.0, 50.0);
    assert_eq!(clouds.answers(), row(["a", "o"], [80, 20]));
}
