//! Weighted target groups: the laws of all actuators, and what a load balancer has of its own.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Apply, Kind};
use bascule_provider_aws::elb::WeightedGroups;
use bascule_testkit::contract::{PATIENCE, Wire, actuator};
use bascule_testkit::meddler::{Meddler, Which};
use serde_json::{Value, json};

use crate::common::{Xml, account, backend, boto3, meddler};

struct Rig {
    meddler: Meddler,
    /// A listener.
    arn: String,
    /// Target groups: of the backends aws and oci, and of nobody.
    groups: [String; 3],
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn start() -> Rig {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let subnets = boto3("ec2", "describe_subnets", &json!({}));
    let subnets: Vec<&Value> = subnets["Subnets"]
        .as_array()
        .unwrap()
        .iter()
        .take(2)
        .collect();
    let vpc = subnets[0]["VpcId"].clone();
    let ids: Vec<&Value> = subnets.iter().map(|subnet| &subnet["SubnetId"]).collect();
    let balancer = json!({ "Name": format!("lb{number}"), "Subnets": ids });
    let balancer = boto3("elbv2", "create_load_balancer", &balancer);
    let balancer = &balancer["LoadBalancers"][0]["LoadBalancerArn"];
    let groups = ["aws", "oci", "old"].map(|name| {
        let asked = json!({ "Name": format!("{name}{number}"), "Protocol": "HTTP", "Port": 80, "VpcId": vpc });
        text(&boto3("elbv2", "create_target_group", &asked)["TargetGroups"][0]["TargetGroupArn"])
    });
    let listener = json!({
        "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 80,
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": groups[0] }],
    });
    let arn = text(&boto3("elbv2", "create_listener", &listener)["Listeners"][0]["ListenerArn"]);
    Rig {
        meddler: meddler(),
        arn,
        groups,
    }
}

impl Rig {
    fn weighted(&self, arn: &str, patience: Duration) -> WeightedGroups {
        let account = account(&self.meddler.url(), patience);
        let [aws, oci, _] = self.groups.clone();
        let members = [(backend("aws"), aws), (backend("oci"), oci)].into();
        WeightedGroups::new(account, arn, members).unwrap()
    }

    /// Another tool sets the action.
    fn forward(&self, groups: &Value) -> Value {
        json!({ "ListenerArn": self.arn, "DefaultActions": [{ "Type": "forward", "ForwardConfig": groups }] })
    }

    /// What boto3 sees of the listener's action.
    fn seen(&self) -> Value {
        let asked = json!({ "ListenerArns": [self.arn] });
        let seen = boto3("elbv2", "describe_listeners", &asked);
        seen["Listeners"][0]["DefaultActions"][0]["ForwardConfig"].clone()
    }
}

fn numbers(aws: u32, oci: u32) -> Numbers {
    [
        (backend("aws"), Setting::Weight(aws)),
        (backend("oci"), Setting::Weight(oci)),
    ]
    .into()
}

async fn set(groups: &WeightedGroups, numbers: &Numbers) -> Result<(), bascule_provider::Error> {
    let over = groups.read().await?;
    groups.write(&over, numbers).await
}

impl actuator::Rig for Rig {
    fn actuator(&self, patience: Duration) -> Arc<dyn Apply> {
        Arc::new(self.weighted(&self.arn, patience))
    }
    fn meddler(&self) -> &Meddler {
        &self.meddler
    }
    fn wire(&self) -> &dyn Wire {
        &Xml
    }
    fn members(&self) -> [BackendName; 2] {
        [backend("aws"), backend("oci")]
    }
    fn changes(&self) -> Which {
        |asked| asked.body.starts_with(b"Action=Modify")
    }
    fn other_tool(&self) -> Box<dyn FnOnce() + Send> {
        let groups = json!({ "TargetGroups": [
            { "TargetGroupArn": self.groups[0], "Weight": 500 },
            { "TargetGroupArn": self.groups[1], "Weight": 7 },
        ] });
        let asked = self.forward(&groups);
        Box::new(move || drop(boto3("elbv2", "modify_listener", &asked)))
    }
}

bascule_testkit::actuator_contract!(contract, super::start);

#[tokio::test]
async fn foreign_groups_and_stickiness_are_kept_and_boto3_sees_the_weights() {
    let rig = start().await;
    let sticky = json!({ "Enabled": true, "DurationSeconds": 90 });
    let before = json!({
        "TargetGroups": [
            { "TargetGroupArn": rig.groups[0], "Weight": 1 },
            { "TargetGroupArn": rig.groups[2], "Weight": 3 },
        ],
        "TargetGroupStickinessConfig": sticky,
    });
    boto3("elbv2", "modify_listener", &rig.forward(&before));
    let groups = rig.weighted(&rig.arn, PATIENCE);
    set(&groups, &numbers(700, 299)).await.unwrap();
    let settings = groups.read().await.unwrap();
    assert_eq!(settings.foreign, [(rig.groups[2].clone(), 3)].into());
    let seen = rig.seen();
    let mut weights: Vec<(String, u64)> = seen["TargetGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            (
                text(&group["TargetGroupArn"]),
                group["Weight"].as_u64().unwrap(),
            )
        })
        .collect();
    weights.sort();
    let mut wanted: Vec<(String, u64)> =
        rig.groups.clone().into_iter().zip([700, 299, 3]).collect();
    wanted.sort();
    assert_eq!(weights, wanted);
    assert_eq!(seen["TargetGroupStickinessConfig"], sticky);
}

#[tokio::test]
async fn a_rule_is_set_as_a_listener_is() {
    let rig = start().await;
    let rule = json!({
        "ListenerArn": rig.arn, "Priority": 1,
        "Conditions": [{ "Field": "path-pattern", "Values": ["/x*"] }],
        "Actions": [{ "Type": "forward", "TargetGroupArn": rig.groups[1] }],
    });
    let rule = boto3("elbv2", "create_rule", &rule)["Rules"][0].clone();
    let arn = text(&rule["RuleArn"]);
    let groups = rig.weighted(&arn, PATIENCE);
    set(&groups, &numbers(1, 999)).await.unwrap();
    let settings = groups.read().await.unwrap();
    let oci = settings.members[&backend("oci")].setting;
    assert_eq!(oci, Some(Setting::Weight(999)));
    let seen = boto3("elbv2", "describe_rules", &json!({ "RuleArns": [arn] }));
    assert_eq!(seen["Rules"][0]["Conditions"][0]["Field"], "path-pattern");
}

#[tokio::test]
async fn what_does_more_than_forward_and_weights_outside_the_unit_are_refused() {
    let rig = start().await;
    let groups = rig.weighted(&rig.arn, PATIENCE);
    let error = set(&groups, &numbers(1000, 1)).await.unwrap_err();
    assert!(error.to_string().contains("1 to 999"), "{error}");
    let fixed = json!({ "ListenerArn": rig.arn, "DefaultActions": [
        { "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "503" } },
    ] });
    boto3("elbv2", "modify_listener", &fixed);
    let error = groups.read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("fixed-response"), "{error}");
    let nowhere = account(&rig.meddler.url(), PATIENCE);
    let error = WeightedGroups::new(nowhere, "arn:aws:x", [].into()).unwrap_err();
    assert!(error.to_string().contains("listener"), "{error}");
}
