//! Target groups as a source and as what is observed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_provider::port::{CloudHealth, Instance, Lifecycle, Seen, Set};
use bascule_provider::{Discover, Kind, Observe};
use bascule_provider_aws::machines::Address;
use bascule_provider_aws::targets::TargetGroup;
use bascule_testkit::contract::{PATIENCE, Wire, source};
use bascule_testkit::meddler::{Answer, Meddle, Meddler};
use serde_json::{Value, json};

use crate::common::{Xml, account, boto3, meddler};

struct Rig {
    meddler: Meddler,
    arn: String,
}

/// A group of addresses with two in it.
async fn start() -> Rig {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let vpcs = boto3("ec2", "describe_vpcs", &json!({}));
    let group = json!({ "Name": format!("ips{number}"), "Protocol": "HTTP", "Port": 80, "TargetType": "ip",
                        "VpcId": vpcs["Vpcs"][0]["VpcId"] });
    let group = boto3("elbv2", "create_target_group", &group);
    let arn = group["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap();
    let targets = json!({ "TargetGroupArn": arn, "Targets": targets() });
    boto3("elbv2", "register_targets", &targets);
    Rig {
        meddler: meddler(),
        arn: arn.to_owned(),
    }
}

fn targets() -> Value {
    json!([{ "Id": "10.0.0.1", "Port": 8080 }, { "Id": "10.0.0.2", "Port": 8080 }])
}

impl Rig {
    fn group(&self, patience: Duration) -> TargetGroup {
        let account = account(&self.meddler.url(), patience);
        TargetGroup::new(account, &self.arn, Address::Private)
    }
}

impl source::Rig for Rig {
    fn source(&self, patience: Duration) -> Arc<dyn Discover> {
        Arc::new(self.group(patience))
    }
    fn meddler(&self) -> &Meddler {
        &self.meddler
    }
    fn wire(&self) -> &dyn Wire {
        &Xml
    }
    fn all(&self) -> Set {
        let instances = ["10.0.0.1", "10.0.0.2"].map(|address| {
            let instance = Instance {
                address: address.parse().unwrap(),
                port: Some(8080),
                zone: None,
                lifecycle: Lifecycle::Running,
            };
            (Arc::from(format!("{address}:8080")), instance)
        });
        Set {
            instances: instances.into(),
        }
    }
    fn empty(&self) {
        let targets = json!({ "TargetGroupArn": self.arn, "Targets": targets() });
        boto3("elbv2", "deregister_targets", &targets);
    }
}

bascule_testkit::source_contract!(contract, super::start);

fn described(targets: &[(&str, &str)]) -> Meddle {
    let targets = targets.iter().map(|(id, state)| {
        format!(
            "<member><Target><Id>{id}</Id><Port>80</Port></Target><TargetHealth><State>{state}</State></TargetHealth></member>"
        )
    });
    listed(&targets.collect::<String>())
}

fn listed(targets: &str) -> Meddle {
    answer(format!(
        "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>{targets}\
         </TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
    ))
}

fn answer(body: String) -> Meddle {
    Meddle::Answer(Answer {
        status: 200,
        headers: Vec::new(),
        body,
    })
}

#[tokio::test]
async fn the_balancers_verdict_is_observed_and_does_not_end_a_life() {
    let rig = start().await;
    let states = [
        ("10.0.0.1", "healthy"),
        ("10.0.0.2", "unhealthy"),
        ("10.0.0.3", "draining"),
        ("10.0.0.4", "initial"),
    ];
    rig.meddler.next([described(&states), described(&states)]);
    let group = rig.group(PATIENCE);
    let seen = group.observe().await.unwrap();
    let seen: Vec<Seen> = seen.into_iter().map(|seen| seen.what).collect();
    let health = [
        CloudHealth::Healthy,
        CloudHealth::Unhealthy,
        CloudHealth::Draining,
        CloudHealth::Unknown,
    ];
    assert_eq!(seen, health.map(Seen::Health));
    let set = group.discover().await.unwrap();
    let lives: Vec<Lifecycle> = set
        .instances
        .values()
        .map(|found| found.lifecycle)
        .collect();
    let expected = [
        Lifecycle::Running,
        Lifecycle::Running,
        Lifecycle::Stopping,
        Lifecycle::Starting,
    ];
    assert_eq!(lives, expected);
}

#[tokio::test]
async fn targets_that_are_machines_get_their_addresses_from_ec2() {
    let rig = start().await;
    let run = json!({ "ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1 });
    let machine = boto3("ec2", "run_instances", &run)["Instances"][0].clone();
    let id = machine["InstanceId"].as_str().unwrap();
    rig.meddler.next([described(&[(id, "healthy")])]);
    let set = rig.group(PATIENCE).discover().await.unwrap();
    let found = &set.instances[format!("{id}:80").as_str()];
    let address = machine["PrivateIpAddress"].as_str().unwrap();
    assert_eq!(found.address, address.parse::<std::net::IpAddr>().unwrap());
}

#[tokio::test]
async fn a_machine_with_several_ports_is_asked_for_once() {
    let rig = start().await;
    let target = |port: u16| {
        format!(
            "<member><Target><Id>i-1</Id><Port>{port}</Port></Target><TargetHealth><State>healthy</State></TargetHealth></member>"
        )
    };
    let targets = [target(80), target(81)].concat();
    let machine = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
                   <instanceState><name>running</name></instanceState><privateIpAddress>10.0.0.1</privateIpAddress>\
                   </item></instancesSet></item></reservationSet></DescribeInstancesResponse>";
    rig.meddler
        .next([listed(&targets), answer(machine.to_owned())]);
    let set = rig.group(PATIENCE).discover().await.unwrap();
    let names: Vec<&str> = set.instances.keys().map(|name| &**name).collect();
    assert_eq!(names, ["i-1:80", "i-1:81"]);
    let asked = rig.meddler.take_asked();
    let body = String::from_utf8_lossy(&asked[1].body);
    assert_eq!(body.matches("i-1").count(), 1, "{body}");
}

#[tokio::test]
async fn a_target_without_an_address_is_refused_by_name() {
    let rig = start().await;
    let function = "arn:aws:lambda:us-east-1:1:function:f";
    rig.meddler.next([described(&[(function, "healthy")])]);
    let error = rig.group(PATIENCE).discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains(function), "{error}");
}
