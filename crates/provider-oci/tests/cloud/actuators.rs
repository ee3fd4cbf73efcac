//! What actuators of OCI do beyond what every cloud keeps: what is not theirs stays, what they do not know they leave alone,
//! and the official SDK sees what they wrote.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BackendName, RecordType};
use bascule_provider::port::{Answers, Member, Numbers, Setting};
use bascule_provider::{Apply, Error, Kind};
use bascule_provider_oci::{Layer, Machines, SetActuator, SteeringPolicy};
use bascule_testkit::oci::{Balancer, Fault};
use serde_json::{Value, json};

use crate::outsider::{furnish, sees};
use crate::world::{BALANCER, NETWORK_BALANCER, POLICY, POOL, World, machines};

fn name(text: &str) -> BackendName {
    BackendName::parse(text).unwrap()
}

fn balancer(world: &World, layer: Layer, members: &[(&str, &[&str])]) -> SetActuator {
    let members = members
        .iter()
        .map(|(member, places)| (name(member), Machines::of(*places).unwrap()))
        .collect();
    let id = match layer {
        Layer::Seven => BALANCER,
        Layer::Four => NETWORK_BALANCER,
    };
    SetActuator::new(world.client(), layer, id, "web", members)
}

fn policy(world: &World, members: &[(&str, &[&str])]) -> SteeringPolicy {
    let members = members
        .iter()
        .map(|(member, names)| {
            (
                name(member),
                names.iter().map(|n| (*n).to_owned()).collect(),
            )
        })
        .collect();
    SteeringPolicy::new(world.client(), POLICY, members)
}

async fn write(actuator: &dyn Apply, wanted: &[(&str, Setting)]) -> Result<(), Error> {
    let over = actuator.read().await?;
    let wanted: Numbers = wanted
        .iter()
        .map(|(member, setting)| (name(member), *setting))
        .collect();
    actuator.write(&over, &wanted).await
}

const OCI: (&str, &[&str]) = ("oci", &["10.0.0.1", "10.0.0.2:8080"]);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_official_sdk_sees_what_was_written_and_that_the_rest_is_as_it_was() {
    let world = World::new();
    furnish(&world);
    for layer in [Layer::Seven, Layer::Four] {
        let actuator = balancer(&world, layer, &[OCI]);
        let settings = actuator.read().await.unwrap();
        assert_eq!(
            settings.foreign,
            BTreeMap::from([("10.9.0.1:80".to_owned(), 5)])
        );
        let member = Member {
            setting: Some(Setting::Weight(10)),
            size: 2,
        };
        assert_eq!(settings.members, BTreeMap::from([(name("oci"), member)]));
        write(&actuator, &[("oci", Setting::Weight(33))])
            .await
            .unwrap();
    }
    let steering = policy(&world, &[("oci", &["oci"]), ("aws", &["aws"])]);
    let wanted = [("oci", Setting::Weight(200)), ("aws", Setting::Off)];
    write(&steering, &wanted).await.unwrap();
    let seen = sees(&world);
    let backends = json!({
        "10.0.0.1:8080": [33, false], "10.0.0.2:8080": [33, false], "10.9.0.1:80": [5, false],
    });
    assert_eq!((&seen["web"], &seen["tcp"]), (&backends, &backends));
    assert_eq!(seen["policy"], "ROUND_ROBIN");
    assert_eq!(
        seen["answers"],
        json!({ "answer.name == 'oci'": 200, "answer.name == 'aws'": 0, "answer.name == 'old'": 1 })
    );
    assert_eq!(seen["ttl"], 30);
    let answers = world.oci.answers(POLICY);
    let weights: Vec<(&str, u64)> = answers
        .iter()
        .map(|each| (&*each.name, each.weight))
        .collect();
    assert_eq!(weights, [("oci", 200), ("aws", 0), ("old", 1)]);
    assert_eq!(answers[0].rdata, "192.0.2.1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_dns_answers_is_read_with_the_weights_of_a_policy() {
    let world = World::new();
    furnish(&world);
    let steering = policy(&world, &[("oci", &["oci"]), ("aws", &["aws"])]);
    let values = |value: &str| BTreeSet::from([value.to_owned()]);
    let wanted = Answers {
        kind: Some(RecordType::A),
        members: [
            (name("oci"), values("192.0.2.1")),
            (name("aws"), values("192.0.2.2")),
        ]
        .into(),
        foreign: [("old".to_owned(), values("192.0.2.3"))].into(),
    };
    assert_eq!(steering.read().await.unwrap().dns, wanted);
    // One type is asked for: of answers of two there is none that all can give.
    let path = format!("/20180115/steeringPolicies/{POLICY}");
    edit(&world, &path, |policy| {
        policy["answers"][0]["rtype"] = "CNAME".into();
        policy["answers"][0]["rdata"] = "LB.Example.net.".into();
    });
    let dns = steering.read().await.unwrap().dns;
    assert_eq!(dns.kind, None);
    assert_eq!(dns.members["oci"], values("lb.example.net"));
}

/// Changes what is there, as a person would.
fn edit(world: &World, path: &str, change: impl FnOnce(&mut Value)) {
    let mut there = world.oci.document(path).unwrap();
    change(&mut there);
    world.oci.put_document(path, there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_person_took_offline_stays_so_and_counts_for_nothing() {
    let world = World::new();
    furnish(&world);
    let path = Balancer::Load.path(BALANCER, "web");
    edit(&world, &path, |set| {
        set["backends"][0]["offline"] = true.into()
    });
    let actuator = balancer(&world, Layer::Seven, &[OCI]);
    let settings = actuator.read().await.unwrap();
    assert_eq!(settings.members[&name("oci")].size, 1);
    write(&actuator, &[("oci", Setting::Weight(7))])
        .await
        .unwrap();
    let set = world.oci.document(&path).unwrap();
    let [first, second] = [&set["backends"][0], &set["backends"][1]];
    assert_eq!(
        (&first["offline"], &first["weight"]),
        (&json!(true), &json!(10))
    );
    assert_eq!(second["weight"], 7);
    edit(&world, &path, |set| {
        set["backends"][1]["offline"] = true.into()
    });
    let error = write(&actuator, &[("oci", Setting::Weight(8))])
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("all machines of oci are offline there"),
        "{error}"
    );
    assert_eq!(
        actuator.read().await.unwrap().members[&name("oci")].setting,
        Some(Setting::Off)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_an_actuator_cannot_say_is_refused_before_anything_is_written() {
    let world = World::new();
    furnish(&world);
    let actuator = balancer(&world, Layer::Seven, &[OCI, ("aws", &["10.7.0.0/16"])]);
    let both = balancer(&world, Layer::Seven, &[OCI, ("all", &["10.0.0.0/8"])]);
    let backup = balancer(&world, Layer::Seven, &[("old", &["10.9.0.1"])]);
    edit(&world, &Balancer::Load.path(BALANCER, "web"), |set| {
        set["backends"][2]["backup"] = true.into();
    });
    let steering = policy(&world, &[("oci", &["oci"]), ("gone", &["nobody"])]);
    let cases: [(&dyn Apply, &str, Setting, &str); 7] = [
        (
            &actuator,
            "oci",
            Setting::Weight(101),
            "101 is wanted for oci, and weights are 1 to 100",
        ),
        (&actuator, "oci", Setting::Weight(0), "0 is wanted for oci"),
        (
            &actuator,
            "aws",
            Setting::Weight(1),
            "no backend there is a machine of aws",
        ),
        (
            &both,
            "oci",
            Setting::Weight(1),
            "is a machine of all and of oci",
        ),
        (
            &backup,
            "old",
            Setting::Weight(1),
            "10.9.0.1:80 of old is a backup",
        ),
        (
            &steering,
            "oci",
            Setting::Weight(256),
            "256 is wanted for oci, and weights are 1 to 255",
        ),
        (
            &steering,
            "gone",
            Setting::Weight(1),
            "no answer is named nobody",
        ),
    ];
    for (actuator, member, setting, expected) in cases {
        let error = write(actuator, &[(member, setting)]).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(world.oci.calls().iter().all(|call| call.method == "GET"));
}

type Edit = fn(&mut Value);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_policy_of_another_shape_is_refused_by_name() {
    let world = World::new();
    let path = format!("/20180115/steeringPolicies/{POLICY}");
    let cases: [(&str, Edit); 7] = [
        (
            "it has no WEIGHTED rule; its template is FAILOVER",
            |policy| {
                policy["template"] = "FAILOVER".into();
                policy["rules"][1]["ruleType"] = "PRIORITY".into();
            },
        ),
        ("it has a PRIORITY rule", |policy| {
            policy["rules"][2] = json!({ "ruleType": "PRIORITY", "defaultAnswerData": [] });
        }),
        ("it has more than one WEIGHTED rule", |policy| {
            policy["rules"][2] = policy["rules"][1].clone();
        }),
        ("its WEIGHTED rule has cases", |policy| {
            policy["rules"][1]["cases"] = json!([{ "caseCondition": "query.client.asn == 1" }]);
        }),
        ("the condition `answer.pool == 'oci'`", |policy| {
            policy["rules"][1]["defaultAnswerData"][0]["answerCondition"] =
                "answer.pool == 'oci'".into();
        }),
        ("it has no rules", |policy| policy["rules"] = Value::Null),
        ("an answer has no name", |policy| {
            policy["answers"][0] = json!({ "rtype": "A" })
        }),
    ];
    for (expected, change) in cases {
        furnish(&world);
        edit(&world, &path, change);
        let error = policy(&world, &[("oci", &["oci"])])
            .read()
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("use a policy of the template LOAD_BALANCE"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn changes_of_one_balancer_go_one_after_the_other() {
    let world = World::new();
    furnish(&world);
    world.oci.set_work(5);
    world
        .oci
        .add_backend_set(Balancer::Load, BALANCER, "api", &[("10.0.0.1:80", 1)]);
    let client = world.client();
    let members = || BTreeMap::from([(name("oci"), Machines::of(["10.0.0.1"]).unwrap())]);
    let actuators = ["web", "api"]
        .map(|set| SetActuator::new(client.clone(), Layer::Seven, BALANCER, set, members()));
    let [web, api] = &actuators;
    let wanted = [("oci", Setting::Weight(9))];
    let (one, other) = tokio::join!(write(web, &wanted), write(api, &wanted));
    // The cloud refuses the second of two changes at once, with 409.
    one.unwrap();
    other.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_elsewhere_in_the_balancer_is_no_conflict_and_one_in_the_set_is() {
    let world = World::new();
    furnish(&world);
    let actuator = balancer(&world, Layer::Seven, &[OCI]);
    let over = actuator.read().await.unwrap();
    let wanted = |weight| Numbers::from([(name("oci"), Setting::Weight(weight))]);
    world
        .oci
        .add_backend_set(Balancer::Load, BALANCER, "api", &[("10.0.0.1:80", 1)]);
    actuator.write(&over, &wanted(9)).await.unwrap();
    let over = actuator.read().await.unwrap();
    let path = Balancer::Load.path(BALANCER, "web");
    edit(&world, &path, |set| set["policy"] = "IP_HASH".into());
    let error = actuator.write(&over, &wanted(8)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_change_under_way_is_a_conflict_and_work_that_fails_is_told() {
    let world = World::new();
    furnish(&world);
    world.oci.fail("PUT ", Fault::WorkFails, 0, 1);
    let actuator = balancer(&world, Layer::Seven, &[OCI]);
    let error = write(&actuator, &[("oci", Setting::Weight(9))])
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    let text = error.to_string();
    assert!(
        text.contains("accepted and failed BAD_INPUT: failed by a test"),
        "{text}"
    );
    assert!(text.chars().count() < 1_000 && !text.contains(char::is_control));
    world
        .oci
        .fail("PUT ", Fault::refused(409, "IncorrectState"), 0, 1);
    let error = write(&actuator, &[("oci", Setting::Weight(9))])
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    world
        .oci
        .fail("PUT ", Fault::refused(412, "NoEtagMatch"), 0, 1);
    let error = write(&actuator, &[("oci", Setting::Weight(9))])
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    let error = {
        world
            .oci
            .fail("PUT ", Fault::refused(404, "NotAuthorizedOrNotFound"), 0, 1);
        write(&actuator, &[("oci", Setting::Weight(9))])
            .await
            .unwrap_err()
            .to_string()
    };
    assert!(
        error.contains("Allow group GROUP to use load-balancers in compartment"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_look_at_a_change_that_fails_in_passing_is_not_its_end() {
    let world = World::new();
    furnish(&world);
    world.oci.set_work(3);
    world.oci.fail(
        "WorkRequests",
        Fault::refused(500, "InternalServerError"),
        1,
        2,
    );
    let actuator = balancer(&world, Layer::Seven, &[OCI]);
    write(&actuator, &[("oci", Setting::Weight(9))])
        .await
        .unwrap();
    let settings = actuator.read().await.unwrap();
    let setting = settings.members[&name("oci")].setting;
    assert_eq!(setting, Some(Setting::Weight(9)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_backend_by_its_target_is_its_members_and_one_that_is_not_to_be_found_is_foreign() {
    let world = World::new();
    furnish(&world);
    world.oci.set_pool(POOL, machines(1));
    let gone = "ocid1.instance.oc1..gone";
    let targets = ["ocid1.instance.oc1..00000", gone];
    world.oci.set_targets(NETWORK_BALANCER, "web", &targets);
    let actuator = balancer(&world, Layer::Four, &[("oci", &["10.0.0.0"])]);
    write(&actuator, &[("oci", Setting::Weight(33))])
        .await
        .unwrap();
    let settings = actuator.read().await.unwrap();
    let setting = Some(Setting::Weight(33));
    let member = Member { setting, size: 1 };
    assert_eq!(settings.members, BTreeMap::from([(name("oci"), member)]));
    assert_eq!(settings.foreign[&format!("{gone}:8080")], 10);
    let path = Balancer::Network.path(NETWORK_BALANCER, "web");
    let backend = &world.oci.document(&path).unwrap()["backends"][0];
    assert_eq!(
        (
            &backend["targetId"],
            &backend["ipAddress"],
            &backend["weight"]
        ),
        (&json!(targets[0]), &Value::Null, &json!(33))
    );
    // While it cannot be known for a moment whose a backend is, nothing is decided.
    let away = Fault::refused(503, "ServiceUnavailable");
    world.oci.fail("/20160918/instances/", away, 0, 1);
    let error = actuator.read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_delay_of_a_policy_is_its_ttl() {
    let world = World::new();
    world
        .oci
        .add_steering_policy(POLICY, 77, &[("oci", "192.0.2.1", 1)]);
    let steering = policy(&world, &[("oci", &["oci"])]);
    steering.read().await.unwrap();
    assert_eq!(
        (steering.unit().max, steering.unit().delay.as_secs()),
        (255, 77)
    );
}
