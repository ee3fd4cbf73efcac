//! Every call as it is sent: method, target, for whom it is signed, fields, body. A difference is a change of what AWS is asked,
//! and to be read. The answers are said beforehand, so that the calls are the same each time.

use std::fmt::Write as _;
use std::sync::Arc;

use bascule_provider::port::{Extent, Numbers, Setting};
use bascule_provider::{Apply, Discover, Observe};
use bascule_provider_aws::Account;
use bascule_provider_aws::accelerator::Endpoints;
use bascule_provider_aws::autoscaling::Group;
use bascule_provider_aws::cloud_map::CloudMap;
use bascule_provider_aws::cloudwatch::GroupLoad;
use bascule_provider_aws::elb::WeightedGroups;
use bascule_provider_aws::machines::Address;
use bascule_provider_aws::route53::{RecordType, Spec, WeightedRecords};
use bascule_provider_aws::targets::TargetGroup;
use bascule_testkit::aws::accelerator::GROUP;
use bascule_testkit::contract::PATIENCE;
use bascule_testkit::meddler::{Answer, Asked, Meddle, Meddler};

use crate::common::{LOOKS, account, backend, meddler};

const TARGETS: &str = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/media/1";
const LISTENER: &str = "arn:aws:elasticloadbalancing:us-east-1:1:listener/app/edge/1/2";
const RULE: &str = "arn:aws:elasticloadbalancing:us-east-1:1:listener-rule/app/edge/1/2/3";

/// The calls as text; what is by the clock is named instead.
fn text(calls: &[Asked]) -> String {
    let mut text = String::new();
    for call in calls {
        let field = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
        let scope = field("authorization").unwrap_or_default();
        let scope: Vec<&str> = scope.split('/').skip(2).take(2).collect();
        writeln!(text, "{} {}", call.method, call.path).unwrap();
        writeln!(text, "signed for: {}", scope.join("/")).unwrap();
        for name in ["content-type", "x-amz-target"] {
            if let Some(value) = field(name) {
                writeln!(text, "{name}: {value}").unwrap();
            }
        }
        for part in String::from_utf8_lossy(&call.body).split('&') {
            let is_time = part.starts_with("StartTime=") || part.starts_with("EndTime=");
            let part = match part.split_once('=').filter(|_| is_time) {
                Some((name, _)) => format!("{name}=…"),
                None => part.to_owned(),
            };
            writeln!(text, "{part}").unwrap();
        }
        writeln!(text).unwrap();
    }
    text
}

struct World {
    meddler: Meddler,
    account: Arc<Account>,
    calls: Vec<Asked>,
}

impl World {
    /// With what is answered to the next calls; those that are made are kept.
    fn answers(&mut self, bodies: &[&str]) {
        self.calls.extend(self.meddler.take_asked());
        assert_eq!(self.meddler.left(), 0, "{}", text(&self.calls));
        let answers = bodies.iter().map(|body| {
            Meddle::Answer(Answer {
                status: 200,
                headers: Vec::new(),
                body: (*body).to_owned(),
            })
        });
        self.meddler.next(answers);
    }

    /// Sets aws to this number at an actuator that answers so when it is read, changed, and asked how far it is.
    async fn set(&mut self, actuator: &dyn Apply, read: &str, written: &[&str]) {
        self.answers(&[&[read, read], written].concat());
        let over = actuator.read().await.unwrap();
        let wanted: Numbers = [(backend("aws"), Setting::Weight(42))].into();
        actuator.write(&over, &wanted).await.unwrap();
    }
}

const WHO: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account><Arn>arn:aws:iam::1:user/u</Arn>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>";
const GROUPS: &str = "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
                      <AutoScalingGroupName>media</AutoScalingGroupName><MaxSize>9</MaxSize><DesiredCapacity>2</DesiredCapacity>\
                      <Instances><member><InstanceId>i-1</InstanceId><LifecycleState>InService</LifecycleState></member><member>\
                      <InstanceId>i-2</InstanceId><LifecycleState>Pending</LifecycleState></member></Instances></member>\
                      </AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>";
const MACHINES: &str = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
                        <instanceState><name>running</name></instanceState><privateIpAddress>10.0.0.1</privateIpAddress></item>\
                        <item><instanceId>i-2</instanceId><instanceState><name>pending</name></instanceState></item>\
                        </instancesSet></item></reservationSet></DescribeInstancesResponse>";
const METRICS: &str =
    "<GetMetricDataResponse><GetMetricDataResult></GetMetricDataResult></GetMetricDataResponse>";
const HEALTH: &str = "<DescribeTargetHealthResponse><DescribeTargetHealthResult></DescribeTargetHealthResult></DescribeTargetHealthResponse>";
const FOUND: &str = r#"{"Instances":[]}"#;

async fn sources(world: &mut World) {
    let account = || Arc::clone(&world.account);
    let group = Group::new(account(), "media", Address::Private);
    let load = GroupLoad::new(account(), "media", Extent::All);
    let targets = TargetGroup::new(account(), TARGETS, Address::Private);
    let map = CloudMap::new(account(), "edge", "media");
    world.answers(&[WHO, GROUPS, MACHINES, GROUPS, METRICS, HEALTH, FOUND]);
    world.account.identity().await.unwrap();
    group.discover().await.unwrap();
    load.observe().await.unwrap();
    targets.discover().await.unwrap();
    map.discover().await.unwrap();
}

async fn balancers(world: &mut World) {
    for (arn, place, actions) in [
        (LISTENER, "Listener", "DefaultActions"),
        (RULE, "Rule", "Actions"),
    ] {
        let read = format!(
            "<Describe{place}sResponse><Describe{place}sResult><{place}s><member><{actions}><member><Type>forward</Type>\
             <ForwardConfig><TargetGroups><member><TargetGroupArn>arn:aws</TargetGroupArn><Weight>1</Weight></member><member>\
             <TargetGroupArn>arn:old</TargetGroupArn><Weight>7</Weight></member></TargetGroups><TargetGroupStickinessConfig>\
             <Enabled>true</Enabled><DurationSeconds>60</DurationSeconds></TargetGroupStickinessConfig></ForwardConfig></member>\
             </{actions}></member></{place}s></Describe{place}sResult></Describe{place}sResponse>"
        );
        let written = format!("<Modify{place}Response/>");
        let members = [(backend("aws"), "arn:aws".to_owned())].into();
        let account = Arc::clone(&world.account);
        let actuator = WeightedGroups::new(account, arn, members).unwrap();
        world.set(&actuator, &read, &[&written]).await;
    }
}

async fn accelerator(world: &mut World) {
    let group = r#"{"EndpointGroup":{"EndpointDescriptions":[{"EndpointId":"eipalloc-1","Weight":1,"ClientIPPreservationEnabled":true}]}}"#;
    let deployed = r#"{"Accelerator":{"Status":"DEPLOYED"}}"#;
    let members = [(backend("aws"), "eipalloc-1".to_owned())].into();
    let actuator = Endpoints::new(Arc::clone(&world.account), GROUP, members);
    world.set(&actuator, group, &[group, deployed]).await;
}

async fn records(world: &mut World) {
    let spec = Spec {
        zone: "Z1".to_owned(),
        name: "meet.example.org".to_owned(),
        kind: RecordType::A,
        ttl_seconds: 30,
        members: [(backend("aws"), vec!["192.0.2.1".to_owned()])].into(),
    };
    let records = WeightedRecords::new(Arc::clone(&world.account), spec).unwrap();
    let read = "<ListResourceRecordSetsResponse><ResourceRecordSets/><IsTruncated>false</IsTruncated></ListResourceRecordSetsResponse>";
    let state = |root: &str, state: &str| {
        format!(
            "<{root}><ChangeInfo><Id>/change/C1</Id><Status>{state}</Status></ChangeInfo></{root}>"
        )
    };
    let taken = state("ChangeResourceRecordSetsResponse", "PENDING");
    let there = state("GetChangeResponse", "INSYNC");
    world
        .set(&records.with_patience(LOOKS), read, &[&taken, &there])
        .await;
}

#[tokio::test]
async fn every_call_is_sent_as_it_is_written_down() {
    let meddler = meddler();
    let mut world = World {
        account: account(&meddler.url(), PATIENCE),
        meddler,
        calls: Vec::new(),
    };
    sources(&mut world).await;
    balancers(&mut world).await;
    accelerator(&mut world).await;
    records(&mut world).await;
    world.answers(&[]);
    insta::assert_snapshot!(text(&world.calls));
}
