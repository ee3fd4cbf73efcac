//! Auto Scaling groups as a source: the laws of all sources, and what a group has of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::{Discover, Kind};
use bascule_provider_aws::autoscaling::Group;
use bascule_provider_aws::machines::Address;
use bascule_testkit::contract::{PATIENCE, Wire, source};
use bascule_testkit::meddler::{Answer, Meddle, Meddler};
use serde_json::{Value, json};

use crate::common::{Xml, account, boto3, meddler, xml};

struct Rig {
    meddler: Meddler,
    name: String,
}

async fn start() -> Rig {
    start_with(3)
}

/// A group of so many machines.
fn start_with(size: usize) -> Rig {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("media-{number}");
    let launch = json!({ "LaunchConfigurationName": name, "ImageId": "ami-12c6146b", "InstanceType": "t2.micro" });
    boto3("autoscaling", "create_launch_configuration", &launch);
    let group = json!({
        "AutoScalingGroupName": name, "LaunchConfigurationName": name, "MinSize": 0, "MaxSize": 600,
        "DesiredCapacity": size, "AvailabilityZones": ["us-east-1a", "us-east-1b"],
    });
    boto3("autoscaling", "create_auto_scaling_group", &group);
    Rig {
        meddler: meddler(),
        name,
    }
}

impl Rig {
    fn group(&self, patience: Duration) -> Group {
        let account = account(&self.meddler.url(), patience);
        Group::new(account, &self.name, Address::Private)
    }

    /// The group as boto3 sees it.
    fn seen(&self) -> Vec<Value> {
        let asked = json!({ "AutoScalingGroupNames": [self.name] });
        let seen = boto3("autoscaling", "describe_auto_scaling_groups", &asked);
        let group = &seen["AutoScalingGroups"][0];
        group["Instances"].as_array().unwrap().clone()
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
        let instances = self.seen().into_iter().map(|listed| {
            let id = listed["InstanceId"].as_str().unwrap().to_owned();
            let machine = boto3("ec2", "describe_instances", &json!({ "InstanceIds": [id] }));
            let machine = &machine["Reservations"][0]["Instances"][0];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let instance = Instance {
                address: text(&machine["PrivateIpAddress"]).parse().unwrap(),
                port: None,
                zone: Some(text(&machine["Placement"]["AvailabilityZone"]).into()),
                lifecycle: Lifecycle::Running,
            };
            (Arc::from(id), instance)
        });
        Set {
            instances: instances.collect(),
        }
    }
    fn empty(&self) {
        let asked = json!({ "AutoScalingGroupName": self.name, "DesiredCapacity": 0 });
        boto3("autoscaling", "set_desired_capacity", &asked);
    }
}

bascule_testkit::source_contract!(contract, super::start);

#[tokio::test]
async fn a_group_that_is_not_there_is_told_with_its_region() {
    let account = account(crate::common::moto().url(), PATIENCE);
    let group = Group::new(account, "no-such-group", Address::Private);
    let error = group.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("`region`"), "{error}");
}

/// An answer of EC2's or of the group's.
fn answer(body: String) -> Meddle {
    Meddle::Answer(Answer {
        status: 200,
        headers: Vec::new(),
        body,
    })
}

fn listed(members: &[(&str, &str)]) -> Meddle {
    let members = members.iter().map(|(id, state)| {
        format!("<member><InstanceId>{id}</InstanceId><AvailabilityZone>us-east-1a</AvailabilityZone><LifecycleState>{state}</LifecycleState></member>")
    });
    let members: String = members.collect();
    answer(format!(
        "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
         <AutoScalingGroupName>g</AutoScalingGroupName><Instances>{members}</Instances></member></AutoScalingGroups>\
         </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
    ))
}

fn machines(members: &[(&str, &str, &str)]) -> Meddle {
    let members = members.iter().map(|(id, state, address)| {
        let address = match *address {
            "" => String::new(),
            address => format!("<privateIpAddress>{address}</privateIpAddress>"),
        };
        format!("<item><instanceId>{id}</instanceId><instanceState><name>{state}</name></instanceState>{address}</item>")
    });
    let members: String = members.collect();
    answer(format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet>{members}</instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ))
}

async fn discovered(rig: &Rig, answers: [Meddle; 2]) -> Result<Set, bascule_provider::Error> {
    let account = account(&rig.meddler.url(), PATIENCE);
    rig.meddler.next(answers);
    Group::new(account, "g", Address::Private).discover().await
}

#[tokio::test]
async fn of_two_states_the_later_counts_and_who_has_no_address_yet_is_no_endpoint() {
    let rig = start_with(0);
    let answers = [
        listed(&[
            ("i-1", "InService"),
            ("i-2", "InService"),
            ("i-3", "Pending"),
            ("i-4", "Terminating"),
        ]),
        machines(&[
            ("i-1", "running", "10.0.0.1"),
            ("i-2", "shutting-down", "10.0.0.2"),
            ("i-3", "pending", ""),
            ("i-4", "running", "10.0.0.4"),
        ]),
    ];
    let set = discovered(&rig, answers).await.unwrap();
    let found: Vec<(&str, IpAddr, Lifecycle)> = set
        .instances
        .iter()
        .map(|(id, instance)| (&**id, instance.address, instance.lifecycle))
        .collect();
    assert_eq!(
        found,
        [
            ("i-1", "10.0.0.1".parse().unwrap(), Lifecycle::Running),
            ("i-2", "10.0.0.2".parse().unwrap(), Lifecycle::Stopping),
            ("i-4", "10.0.0.4".parse().unwrap(), Lifecycle::Stopping),
        ]
    );
}

#[tokio::test]
async fn a_machine_that_ec2_does_not_tell_of_or_that_runs_without_an_address_fails_the_whole() {
    let rig = start_with(0);
    for ec2 in [
        machines(&[("i-1", "running", "10.0.0.1")]),
        machines(&[("i-1", "running", "10.0.0.1"), ("i-2", "running", "")]),
        Meddle::Answer(xml(400, "InvalidInstanceID.NotFound")),
    ] {
        let answers = [listed(&[("i-1", "InService"), ("i-2", "InService")]), ec2];
        let error = discovered(&rig, answers).await.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn two_thousand_machines_are_found_by_ten_calls_to_ec2() {
    let rig = start_with(0);
    let ids: Vec<String> = (0..2000).map(|number| format!("i-{number:04}")).collect();
    let members: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "InService")).collect();
    let pages = ids.chunks(200).map(|ids| {
        let addresses = ids.iter().map(|id| id.replace("i-", "fd00::"));
        let addresses: Vec<String> = addresses.collect();
        let of = ids.iter().zip(&addresses);
        let of: Vec<_> = of
            .map(|(id, at)| (id.as_str(), "running", at.as_str()))
            .collect();
        machines(&of)
    });
    let answers: Vec<Meddle> = std::iter::once(listed(&members)).chain(pages).collect();
    rig.meddler.next(answers);
    let account = account(&rig.meddler.url(), PATIENCE);
    let group = Group::new(account, "g", Address::Private);
    assert_eq!(group.discover().await.unwrap().instances.len(), 2000);
    assert_eq!(rig.meddler.take_asked().len(), 11);
}
