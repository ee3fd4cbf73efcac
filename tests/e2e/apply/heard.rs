//! What DNS answers, held against what is set: a name server serves the records of both pretended clouds by their weights, as
//! boto3 and the policy say them at that moment, and later an old zone in their place.

use bascule_testkit::NameServer;
use bascule_testkit::name_server::Weighted;

use super::*;

const NAME: &str = "meet.example.org";
const STEERED: &str = "steered.example.org";

/// A name server that serves what both clouds have.
fn serve(clouds: &Clouds) -> NameServer {
    let server = NameServer::start().unwrap();
    let mut outsider = Outsider::start(clouds.moto.url()).unwrap();
    let zone = clouds.zone.clone();
    server.set_drawn(NAME, 1, move || records(&mut outsider, &zone));
    serve_policy(&server, &clouds.oci);
    server
}

fn serve_policy(server: &NameServer, oci: &Arc<Oci>) {
    let oci = Arc::clone(oci);
    server.set_drawn(STEERED, 2, move || {
        let answers = oci.answers(POLICY).into_iter();
        let record = answers
            .map(|answer| Weighted::new(u32::try_from(answer.weight).unwrap(), &[&answer.rdata]));
        record.collect()
    });
}

/// The weighted records of the name, as boto3 lists them.
fn records(outsider: &mut Outsider, zone: &str) -> Vec<Weighted> {
    let arguments = json!({ "HostedZoneId": zone });
    let all = outsider.call("route53", "list_resource_record_sets", &arguments);
    let all = all.unwrap();
    let sets = all.get("ResourceRecordSets").and_then(Value::as_array);
    let weighted = sets.unwrap().iter().filter_map(|set| {
        let weight = set.get("Weight")?.as_u64()?;
        let values = set.get("ResourceRecords")?.as_array()?.iter();
        Some(Weighted {
            weight: u32::try_from(weight).ok()?,
            values: values
                .filter_map(|value| Some(value.get("Value")?.as_str()?.to_owned()))
                .collect(),
        })
    });
    weighted.collect()
}

fn asked(clouds: &Clouds, folder: &Path, origins: [&Origin; 2], server: &NameServer) -> String {
    let at = server.address();
    let aws = format!(", dns: {{ servers: [\"{at}\"], questions: 60 }}");
    let oci = format!(", dns: {{ servers: [\"{at}\"], name: {STEERED}, questions: 60 }}");
    config_with(clouds, folder, origins, [&aws, &oci])
}

/// What is said of the answers for each actuator: whether they agree.
fn verdicts(daemon: &Daemon) -> Vec<Value> {
    let all = actuators(daemon).into_iter();
    all.map(|actuator| {
        actuator
            .pointer("/dns/verdict")
            .cloned()
            .unwrap_or_default()
    })
    .collect()
}

fn until_heard(daemon: &Daemon, aws: u64) {
    let reached = wait::until_long("DNS answers so", || {
        let is_heard = |actuator: &Value| {
            actuator.pointer("/members/aws").and_then(Value::as_u64) == Some(aws)
                && actuator.pointer("/dns/verdict") == Some(&json!("agrees"))
        };
        let all = actuators(daemon);
        (all.len() == 2 && all.iter().all(is_heard)).then_some(())
    });
    if let Err(error) = reached {
        panic!("{error}: {:#?}\n{}", actuators(daemon), daemon.log());
    }
}

fn until_status_says(daemon: &Daemon, what: &str) {
    let reached = wait::until_long(what, || {
        cli(daemon, &["status"]).contains(what).then_some(())
    });
    if let Err(error) = reached {
        panic!("{error}: {}\n{}", cli(daemon, &["status"]), daemon.log());
    }
}

#[test]
fn a_shift_is_heard_from_the_name_servers_of_both_clouds() {
    let origins = ["aws", "oci"].map(|name| Origin::start(name).unwrap());
    let clouds = Clouds::start();
    let server = serve(&clouds);
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(&asked(&clouds, folder.path(), origins.each_ref(), &server));
    until_heard(&daemon, 80);
    // Without traffic a step has no evidence to go on by.
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, 100).unwrap();
    cli(
        &daemon,
        &["shift", "meet", "aws=60", "--yes", "--reason", "test"],
    );
    until_heard(&daemon, 60);
    drop(clients.finish());
    // Off is heard too: no answer is its.
    cli(
        &daemon,
        &[
            "shift", "meet", "oci=0", "--now", "--yes", "--reason", "test",
        ],
    );
    until_heard(&daemon, 100);
    for actuator in actuators(&daemon) {
        assert_eq!(actuator.pointer("/dns/heard"), Some(&json!({ "aws": 60 })));
        assert_eq!(actuator.pointer("/dns/unknown"), Some(&json!({})));
    }
    let status = cli(&daemon, &["status"]);
    assert_eq!(status.matches("and DNS answers so").count(), 2, "{status}");
    let events = cli(&daemon, &["events"]);
    assert!(!events.contains("DNS answers"), "{events}");
}

#[test]
fn an_old_zone_is_told_and_over_when_it_heals_and_sets_nothing() {
    let origins = ["aws", "oci"].map(|name| Origin::start(name).unwrap());
    let mut clouds = Clouds::start();
    // All is as wanted from the start, so that no write has to be heard of first.
    let records =
        [("aws", 80, "192.0.2.1"), ("oci", 20, "192.0.2.2")].map(|(id, weight, value)| {
            json!({ "Action": "CREATE", "ResourceRecordSet": {
            "Name": NAME, "Type": "A", "SetIdentifier": id, "Weight": weight, "TTL": 30,
            "ResourceRecords": [{ "Value": value }],
        } })
        });
    let batch = json!({ "HostedZoneId": clouds.zone, "ChangeBatch": { "Changes": records } });
    clouds
        .outsider
        .call("route53", "change_resource_record_sets", &batch)
        .unwrap();
    let answers = [("a", "192.0.2.1", 80), ("o", "192.0.2.2", 20)];
    clouds.oci.add_steering_policy(POLICY, 30, &answers);
    let server = serve(&clouds);
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(&asked(&clouds, folder.path(), origins.each_ref(), &server));
    until_heard(&daemon, 80);

    // Another zone answers for the policy's name: other weights. Route 53 is not concerned.
    let old = [(1, "192.0.2.1"), (9, "192.0.2.2")];
    let old = old.map(|(weight, value)| Weighted::new(weight, &[value]));
    server.set_weighted(STEERED, 3, old.to_vec());
    until_status_says(&daemon, " of 60, where 80 % is set   for ");
    assert_eq!(verdicts(&daemon), [json!("agrees"), json!("differs")]);
    let metrics = daemon.api(Method::GET, "/metrics", "").unwrap();
    let metrics = String::from_utf8_lossy(metrics.body()).into_owned();
    let differs = |account: &str| {
        let is_it = |line: &&str| {
            line.starts_with("bascule_apply_dns_differs{")
                && line.contains(&format!("account=\"{account}\""))
        };
        metrics
            .lines()
            .find(is_it)
            .and_then(|line| line.rsplit(' ').next())
    };
    assert_eq!(
        [differs("amazon"), differs("oracle")],
        [Some("0"), Some("1")]
    );
    serve_policy(&server, &clouds.oci);
    until_heard(&daemon, 80);

    // A record in front of those of Route 53 is told by its value.
    server.set_weighted(NAME, 4, vec![Weighted::new(1, &["cdn.example.net"])]);
    until_status_says(
        &daemon,
        "! DNS answers cdn.example.net 60 of 60, which is nobody's there",
    );
    // A name server that fails is no difference, and ends none.
    server.fail(true);
    until_status_says(&daemon, "! DNS not asked: ");
    until_status_says(&daemon, "has not been heard to agree");
    let events = cli(&daemon, &["events"]);
    for (what, times) in [
        ("60, where 80 % is set", 1),
        ("DNS answers as is set", 1),
        ("cdn.example.net", 1),
    ] {
        assert_eq!(events.matches(what).count(), times, "{what}: {events}");
    }
    // It sets nothing.
    assert_eq!(clouds.records(), row(["aws", "oci"], [80, 20]));
    assert_eq!(clouds.answers(), row(["a", "o"], [80, 20]));
    assert!(!events.contains("has revision"), "{events}");
}
