//! Endpoints that are found in clouds: a provider that is added while traffic runs, pools that grow and shrink under it, a
//! cloud that fails or says what cannot be. What clients see is counted by clients; what a cloud has is set in a pretended one.

use std::net::IpAddr;
use std::path::Path;

use bascule_model::Timestamp;
use bascule_telemetry::clock;
use bascule_testkit::aws::{Moto, Outsider};
use bascule_testkit::crowd::Crowd;
use bascule_testkit::oci::{Fault, Machine, Oci};
use bascule_testkit::steady::{Clients, Outcome, Sample};
use bascule_testkit::{Daemon, Origin, wait};
use http::Method;
use serde_json::{Value, json};

use crate::support::{cli, make_private, reload, start, until_row};

const POOL: &str = "ocid1.instancepool.oc1.eu-frankfurt-1.media";
/// Requests a second.
const RATE: u32 = 200;

fn machines(addresses: &[IpAddr]) -> Vec<Machine> {
    let numbered = addresses.iter().enumerate();
    numbered
        .map(|(n, address)| Machine::running(&format!("ocid1.instance.{n}"), *address))
        .collect()
}

/// Two providers: aws, which is written, and what `oci` says.
fn config(aws: &str, accounts: &str, oci: &str) -> String {
    format!(
        "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
defaults:
  check: {{ interval: 500ms, timeout: 400ms, fall: 2, rise: 2 }}
  ramp: {{ duration: 1s }}
{accounts}
services:
  meet:
    backends:
      aws: {{ weight: 80, endpoints: [\"{aws}\"] }}
{oci}"
    )
}

fn account(oci: &Oci, folder: &Path) -> String {
    let file = oci.write_config(folder).unwrap();
    let (url, file) = (oci.url(), file.display());
    format!(
        "accounts: {{ main: {{ cloud: oci, endpoint_url: \"{url}\", config_file: \"{file}\" }} }}"
    )
}

fn pool(port: u16) -> String {
    format!(
        "      oci: {{ weight: 20, discover: {{ account: main, from: instance-pool/{POOL}, port: {port}, refresh: 1s }} }}\n"
    )
}

fn source(daemon: &Daemon) -> Value {
    let status = daemon.get("/v1/status").unwrap();
    status.pointer("/sources/0").cloned().unwrap_or_default()
}

fn until_source(daemon: &Daemon, what: &str, is: impl Fn(&Value) -> bool) {
    let reached = wait::until_long(what, || is(&source(daemon)).then_some(()));
    if let Err(error) = reached {
        panic!("{error}: {}\n{}", source(daemon), daemon.log());
    }
}

/// Lets so many more requests end.
fn let_pass(clients: &Clients, more: usize) {
    let ended = clients.ended();
    wait::until("more requests", || {
        (clients.ended() > ended + more).then_some(())
    })
    .unwrap();
}

fn until_all_asked(crowd: &Crowd, count: usize) {
    wait::until_long("a request at each", || {
        let requests = crowd.requests();
        requests.iter().take(count).all(|n| *n > 0).then_some(())
    })
    .unwrap();
}

fn assert_nothing_failed(samples: &[Sample], daemon: &Daemon) {
    let failed: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.outcome != Outcome::Status(200))
        .collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", daemon.log());
}

#[test]
fn a_provider_is_added_live_and_its_pool_grows_and_shrinks_under_load() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 6).unwrap();
    let all = crowd.addresses();
    let oci = Oci::start().unwrap();
    oci.set_pool(POOL, machines(&all[..3]));
    let folder = tempfile::tempdir().unwrap();
    let account = account(&oci, folder.path());
    let daemon = start(&config(&aws.url(), "", ""));
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, RATE).unwrap();
    let_pass(&clients, 100);

    reload(&daemon, &config(&aws.url(), &account, &pool(crowd.port())));
    until_row(&daemon, "effective", 80.0, 20.0);
    until_all_asked(&crowd, 3);
    until_source(&daemon, "three", |source| {
        source["running"] == 3 && source["backends"] == json!(["meet/oci"])
    });

    oci.set_pool(POOL, machines(&all));
    until_source(&daemon, "six", |source| source["running"] == 6);
    until_all_asked(&crowd, 6);

    // Half of it may go at once; what has left gets nothing more, as soon as all workers know.
    oci.set_pool(POOL, machines(&all[..3]));
    until_source(&daemon, "three again", |source| source["running"] == 3);
    let_pass(&clients, 100);
    let left: Vec<u64> = crowd.requests().split_off(3);
    let_pass(&clients, 200);
    // Checks are requests too: those end with the endpoint.
    assert_eq!(crowd.requests().split_off(3), left);

    // Nobody believes at once that all are gone; in the end it is so, and the others serve.
    oci.set_pool(POOL, vec![]);
    until_source(&daemon, "a doubt", |source| {
        !source["doubted_since"].is_null() && source["running"] == 3
    });
    until_row(&daemon, "effective", 100.0, 0.0);
    let events = cli(&daemon, &["events"]);
    assert!(
        events.contains("held back until 2 more answers say so"),
        "{events}"
    );
    let_pass(&clients, 100);
    assert_nothing_failed(&clients.finish(), &daemon);
}

#[test]
fn what_was_found_stays_while_the_cloud_refuses_and_the_reason_and_the_way_out_are_told() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 2).unwrap();
    let mut oci = Oci::start().unwrap();
    oci.set_pool(POOL, machines(&crowd.addresses()));
    let folder = tempfile::tempdir().unwrap();
    let account = account(&oci, folder.path());
    let daemon = start(&config(&aws.url(), &account, &pool(crowd.port())));
    until_row(&daemon, "effective", 80.0, 20.0);

    // Somebody revokes the key: nothing that is signed with it counts any more.
    oci.rotate_key().unwrap();
    until_source(&daemon, "a refusal", |source| {
        source["failing"]["kind"] == "denied"
    });
    let told = cli(&daemon, &["status"]);
    assert!(
        told.contains("! failing for") && told.contains("NotAuthenticated"),
        "{told}"
    );
    until_row(&daemon, "effective", 80.0, 20.0);
    assert_eq!(source(&daemon)["running"], 2);

    // The new key is taken without a reload.
    oci.write_config(folder.path()).unwrap();
    until_source(&daemon, "an answer", |source| source["failing"].is_null());
}

/// The value of this name that the cloud says.
fn value(source: &Value, what: &str) -> Option<Value> {
    let values = source.pointer("/observed/values")?.as_array()?;
    values.iter().find(|value| value["what"] == what).cloned()
}

#[test]
fn what_the_cloud_measures_is_seen_with_its_age_and_grows_old_while_it_refuses() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 2).unwrap();
    let mut oci = Oci::start().unwrap();
    oci.set_pool(POOL, machines(&crowd.addresses()));
    oci.set_cpu(POOL, 42.0);
    let folder = tempfile::tempdir().unwrap();
    let account = account(&oci, folder.path());
    let observed = pool(crowd.port()).replace(
        "refresh: 1s",
        "refresh: 1s, observe: all, observe_every: 1s",
    );
    let daemon = start(&config(&aws.url(), &account, &observed));
    until_source(&daemon, "a measured value", |source| {
        value(source, "cpu_ratio").is_some_and(|cpu| cpu["value"] == 0.42)
    });
    assert_eq!(
        value(&source(&daemon), "instances_wanted").unwrap()["value"],
        2.0
    );
    let told = cli(&daemon, &["status", "-o", "wide"]);
    assert!(told.contains("processors 42 % ("), "{told}");

    // Somebody revokes the key. What was said last stays, and is seen to grow old.
    oci.rotate_key().unwrap();
    until_source(&daemon, "a refusal", |source| {
        source["observed"]["failing"]["kind"] == "denied"
    });
    let last = value(&source(&daemon), "cpu_ratio").unwrap();
    until_source(&daemon, "an older value", |source| {
        let cpu = value(source, "cpu_ratio").unwrap();
        assert_eq!((&cpu["value"], &cpu["at"]), (&json!(0.42), &last["at"]));
        cpu["age_seconds"].as_f64() > last["age_seconds"].as_f64()
    });
    let told = cli(&daemon, &["status", "-o", "wide"]);
    assert!(told.contains("! not observed for"), "{told}");
    let events = cli(&daemon, &["events"]);
    assert!(events.contains("cannot be observed"), "{events}");
    until_row(&daemon, "effective", 80.0, 20.0);

    // The new key is taken, and what the cloud says now with it.
    oci.write_config(folder.path()).unwrap();
    oci.set_cpu(POOL, 77.0);
    until_source(&daemon, "a new value", |source| {
        value(source, "cpu_ratio").is_some_and(|cpu| cpu["value"] == 0.77)
    });
    until_source(&daemon, "no failure", |source| {
        source["observed"]["failing"].is_null()
    });
}

/// With `--nocapture` it says how long that took.
#[test]
fn two_thousand_machines_are_found_and_half_of_them_swapped_under_load_and_no_request_fails() {
    const MACHINES: usize = 2000;
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 3000).unwrap();
    let all = crowd.addresses();
    let oci = Oci::start().unwrap();
    oci.set_pool(POOL, vec![]);
    let folder = tempfile::tempdir().unwrap();
    let account = account(&oci, folder.path());
    let text = config(&aws.url(), &account, &pool(crowd.port()));
    let daemon = start(&text.replace("interval: 500ms", "interval: 10s"));
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, RATE).unwrap();
    let_pass(&clients, 100);

    let mut machines = machines(&all);
    let late = machines.split_off(MACHINES);
    let changed = |machines: Vec<Machine>| {
        let revision = |source: &Value| source["revision"].as_u64();
        let (before, began) = (revision(&source(&daemon)), wait::now());
        oci.set_pool(POOL, machines);
        until_source(&daemon, "other machines", |source| {
            source["running"] == MACHINES && revision(source) > before
        });
        began.elapsed()
    };
    let found = changed(machines.clone());
    until_row(&daemon, "effective", 80.0, 20.0);
    let_pass(&clients, 300);
    // Half of them, and no more, may go at once.
    let half = machines.split_off(MACHINES / 2);
    let swapped = changed([half, late].concat());
    let_pass(&clients, 300);

    let samples = clients.finish();
    assert_nothing_failed(&samples, &daemon);
    let reached = crowd
        .requests()
        .iter()
        .skip(MACHINES)
        .any(|count| *count > 0);
    assert!(reached);
    let longest = samples.iter().map(|sample| sample.took).max();
    eprintln!("found after {found:?}, swapped after {swapped:?}, the longest request {longest:?}");
}

#[test]
fn a_restart_while_the_cloud_does_not_answer_has_the_endpoints_that_were_known() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 2).unwrap();
    let oci = Oci::start().unwrap();
    oci.set_pool(POOL, machines(&crowd.addresses()));
    let folder = tempfile::tempdir().unwrap();
    let account = account(&oci, folder.path());
    let text = config(&aws.url(), &account, &pool(crowd.port()));
    let mut daemon = start(&text);
    until_row(&daemon, "effective", 80.0, 20.0);
    let (state, kept) = (
        daemon.path("state/bascule.redb"),
        format!("\"source\":\"instance-pool/{POOL}"),
    );
    wait::until_long("the set on disk", || {
        let bytes = std::fs::read(&state).unwrap();
        bytes
            .windows(kept.len())
            .any(|part| part == kept.as_bytes())
            .then_some(())
    })
    .unwrap();

    oci.fail(
        "",
        Fault::refused(500, "InternalServerError"),
        0,
        usize::MAX,
    );
    daemon.crash_and_restart(&text).unwrap();
    until_row(&daemon, "effective", 80.0, 20.0);
    until_source(&daemon, "a failure beside what was kept", |source| {
        source["running"] == 2 && source["failing"]["kind"] == "transient"
    });
    let told = cli(&daemon, &["status"]);
    assert!(told.contains("2 instances, as of"), "{told}");
}

#[test]
fn an_account_that_cannot_be_used_holds_nobody_else_up() {
    let aws = Origin::start("aws").unwrap();
    let accounts = "accounts: { main: { cloud: oci, config_file: /nowhere/config } }";
    let daemon = start(&config(&aws.url(), accounts, &pool(8080)));
    until_row(&daemon, "effective", 100.0, 0.0);
    until_source(&daemon, "a refusal", |source| {
        source["failing"]["kind"] == "invalid"
    });
    let message = source(&daemon)["failing"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("/nowhere/config"), "{message}");
}

/// Makes the service `media/join` of Cloud Map, with all of these.
pub(crate) fn register(outsider: &mut Outsider, crowd: &Crowd) {
    let mut call = |method: &str, arguments: Value| {
        outsider
            .call("servicediscovery", method, &arguments)
            .unwrap()
    };
    let made = call("create_http_namespace", json!({ "Name": "media" }));
    let made = call(
        "get_operation",
        json!({ "OperationId": made.get("OperationId") }),
    );
    let id = made.pointer("/Operation/Targets/NAMESPACE");
    let service = call(
        "create_service",
        json!({ "Name": "join", "NamespaceId": id }),
    );
    let service = service.pointer("/Service/Id");
    for address in crowd.addresses() {
        let port = crowd.port().to_string();
        let attributes = json!({ "AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": port });
        let name = format!("i-{address}");
        let instance =
            json!({ "ServiceId": service, "InstanceId": name, "Attributes": attributes });
        call("register_instance", instance);
    }
}

/// An account in moto, whose keys are in this folder.
fn moto_account(moto: &Moto, folder: &Path) -> String {
    let file = folder.join("profiles");
    let keys = "[profile media]\naws_access_key_id = testing\naws_secret_access_key = testing\n";
    std::fs::write(&file, keys).unwrap();
    make_private(&file);
    format!(
        "accounts: {{ main: {{ cloud: aws, region: us-east-1, profile: media, config_file: \"{}\", endpoint_url: \"{}\" }} }}",
        file.display(),
        moto.url()
    )
}

/// An Auto Scaling group `media` that may have nine machines and has none, and a target group with one address; gives its ARN.
fn groups(outsider: &mut Outsider) -> String {
    let mut call = |service: &str, method: &str, arguments: Value| {
        outsider.call(service, method, &arguments).unwrap()
    };
    let launch = json!({ "LaunchConfigurationName": "media", "ImageId": "ami-12c6146b", "InstanceType": "t2.micro" });
    call("autoscaling", "create_launch_configuration", launch);
    let group = json!({
        "AutoScalingGroupName": "media", "LaunchConfigurationName": "media", "MinSize": 0, "MaxSize": 9,
        "DesiredCapacity": 0, "AvailabilityZones": ["us-east-1a"],
    });
    call("autoscaling", "create_auto_scaling_group", group);
    let ago = clock::wall().as_millis().saturating_sub(180_000);
    let data = json!({ "Namespace": "AWS/EC2", "MetricData": [{
        "MetricName": "CPUUtilization", "Value": 25.0, "Timestamp": clock::rfc3339(Timestamp::from_millis(ago)),
        "Dimensions": [{ "Name": "AutoScalingGroupName", "Value": "media" }],
    }] });
    call("cloudwatch", "put_metric_data", data);
    let vpcs = call("ec2", "describe_vpcs", json!({}));
    let group = json!({
        "Name": "ips", "Protocol": "HTTP", "Port": 80, "TargetType": "ip", "VpcId": vpcs.pointer("/Vpcs/0/VpcId"),
    });
    let group = call("elbv2", "create_target_group", group);
    let arn = group.pointer("/TargetGroups/0/TargetGroupArn").unwrap();
    let targets = json!({ "TargetGroupArn": arn, "Targets": [{ "Id": "127.0.0.1", "Port": 9 }] });
    call("elbv2", "register_targets", targets);
    arn.as_str().unwrap().to_owned()
}

#[test]
fn sizes_and_health_in_aws_are_seen_and_what_costs_only_where_it_is_wanted() {
    let aws = Origin::start("aws").unwrap();
    let moto = Moto::start().unwrap();
    let arn = groups(&mut Outsider::start(moto.url()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let accounts = moto_account(&moto, folder.path());
    let found = format!(
        "      oci: {{ weight: 20, discover: {{ account: main, from: auto-scaling-group/media, port: 9 }} }}
      elb: {{ weight: 0, discover: {{ account: main, from: \"target-group/{arn}\" }} }}\n"
    );
    let daemon = start(&config(&aws.url(), &accounts, &found));
    until_source(&daemon, "sizes", |group| {
        value(group, "instances_max").is_some_and(|most| most["value"] == 9.0)
    });
    assert_eq!(value(&source(&daemon), "cpu_ratio"), None);
    wait::until_long("health", || {
        let status = daemon.get("/v1/status").unwrap();
        let seen = status.pointer("/sources/1/observed/health/instances/unknown");
        let more = status.pointer("/sources/1/observed/health/instances/healthy");
        seen.or(more).filter(|count| **count == 1).map(|_| ())
    })
    .unwrap();

    let all = found.replace("port: 9", "port: 9, observe: all");
    reload(&daemon, &config(&aws.url(), &accounts, &all));
    until_source(&daemon, "processors", |group| {
        value(group, "cpu_ratio").is_some_and(|cpu| {
            // It is of three minutes ago, and was so when it came.
            cpu["value"] == 0.25 && cpu["lag_seconds"].as_f64() > Some(120.0)
        })
    });
}

#[test]
fn a_service_of_cloud_map_is_found_with_its_ports() {
    let aws = Origin::start("aws").unwrap();
    let crowd = Crowd::start("oci", 2).unwrap();
    let moto = Moto::start().unwrap();
    let mut outsider = Outsider::start(moto.url()).unwrap();
    register(&mut outsider, &crowd);
    let folder = tempfile::tempdir().unwrap();
    let accounts = moto_account(&moto, folder.path());
    let found = "      oci: { weight: 20, discover: { account: main, from: cloud-map/media/join, refresh: 1s } }\n";
    let daemon = start(&config(&aws.url(), &accounts, found));
    until_row(&daemon, "effective", 80.0, 20.0);
    until_source(&daemon, "two", |source| source["running"] == 2);
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, RATE).unwrap();
    until_all_asked(&crowd, 2);
    assert_nothing_failed(&clients.finish(), &daemon);
}
