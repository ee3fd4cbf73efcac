//! What CloudWatch knows of a group.

use bascule_model::Timestamp;
use bascule_provider::port::{Extent, Observation, Seen};
use bascule_provider::{Kind, Observe};
use bascule_provider_aws::cloudwatch::GroupLoad;
use bascule_telemetry::clock;
use bascule_testkit::contract::PATIENCE;
use bascule_testkit::meddler::{Answer, Meddle};
use serde_json::json;

use crate::common::{account, boto3, meddler, xml};

fn group(name: &str) {
    let launch = json!({ "LaunchConfigurationName": name, "ImageId": "ami-12c6146b", "InstanceType": "t2.micro" });
    boto3("autoscaling", "create_launch_configuration", &launch);
    let group = json!({
        "AutoScalingGroupName": name, "LaunchConfigurationName": name, "MinSize": 0, "MaxSize": 9,
        "DesiredCapacity": 0, "AvailabilityZones": ["us-east-1a"],
    });
    boto3("autoscaling", "create_auto_scaling_group", &group);
}

#[tokio::test]
async fn the_newest_value_comes_with_the_minute_it_is_of_and_the_sizes_with_now() {
    group("load-1");
    let now = clock::wall().as_millis() / 60_000 * 60_000;
    let minute = |ago: u64| Timestamp::from_millis(now - ago * 60_000);
    for (ago, value) in [(3, 25.0), (4, 75.0)] {
        let data = json!({ "Namespace": "AWS/EC2", "MetricData": [{
            "MetricName": "CPUUtilization", "Value": value, "Timestamp": clock::rfc3339(minute(ago)),
            "Dimensions": [{ "Name": "AutoScalingGroupName", "Value": "load-1" }],
        }] });
        boto3("cloudwatch", "put_metric_data", &data);
    }
    let meddler = meddler();
    let load = GroupLoad::new(account(&meddler.url(), PATIENCE), "load-1", Extent::All);
    let seen = load.observe().await.unwrap();
    let whats: Vec<&Seen> = seen.iter().map(|seen| &seen.what).collect();
    assert_eq!(
        whats,
        [&Seen::SizeMax(9), &Seen::SizeWanted(0), &Seen::Cpu(0.25)]
    );
    assert_eq!(seen[2].at, minute(3));
    assert_eq!(&*seen[2].of, "asg/load-1");
    // Nothing is asked that is charged for, unless somebody wants it.
    drop(meddler.take_asked());
    let free = GroupLoad::new(account(&meddler.url(), PATIENCE), "load-1", Extent::Free);
    let seen = free.observe().await.unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(meddler.take_asked().len(), 1);
}

/// An answer with this one value.
fn data(at: &str, value: &str) -> Meddle {
    Meddle::Answer(Answer {
        status: 200,
        headers: Vec::new(),
        body: format!(
            "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults><member><Id>cpu</Id>\
             <Timestamps><member>{at}</member></Timestamps><Values><member>{value}</member></Values>\
             </member></MetricDataResults></GetMetricDataResult></GetMetricDataResponse>"
        ),
    })
}

#[tokio::test]
async fn a_value_beyond_all_or_nothing_is_all_or_nothing() {
    group("load-3");
    let meddler = meddler();
    let load = GroupLoad::new(account(&meddler.url(), PATIENCE), "load-3", Extent::All);
    for (value, cpu) in [("130.5", 1.0), ("-0.1", 0.0), ("99.5", 0.995)] {
        meddler.next([Meddle::Pass, data("2026-11-24T12:00:00Z", value)]);
        let seen = load.observe().await.unwrap();
        assert_eq!(seen[2].what, Seen::Cpu(cpu), "{value}");
    }
}

#[tokio::test]
async fn no_value_is_none_and_a_value_that_is_none_is_an_error() {
    group("load-2");
    let meddler = meddler();
    let load = GroupLoad::new(account(&meddler.url(), PATIENCE), "load-2", Extent::All);
    let seen: Vec<Observation> = load.observe().await.unwrap();
    assert_eq!(seen.len(), 2);
    for (meddle, kind) in [
        (data("yesterday", "1"), Kind::Invalid),
        (data("2026-11-24T12:00:00Z", "NaN"), Kind::Invalid),
        (data("2026-11-24T12:00:00Z", "inf"), Kind::Invalid),
        (Meddle::Answer(xml(403, "AccessDenied")), Kind::Denied),
    ] {
        meddler.next([Meddle::Pass, meddle]);
        let error = load.observe().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
}
