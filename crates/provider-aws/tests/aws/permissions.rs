//! A moto that verifies every signature and asks IAM who may what: what is allowed works, what is not is told by the exact
//! name of the permission, and a wrong secret is told as one.

use std::sync::Arc;

use bascule_provider::port::{Extent, Setting};
use bascule_provider::{Apply, Discover, Kind};
use bascule_provider_aws::autoscaling::Group;
use bascule_provider_aws::machines::Address;
use bascule_provider_aws::route53::{RecordType, Spec, WeightedRecords};
use bascule_provider_aws::{Account, cloudwatch};
use bascule_testkit::aws::{Moto, Outsider};
use bascule_testkit::contract::PATIENCE;
use serde_json::json;

use crate::common::{account_of, backend, profiles};

fn account(moto: &Moto, name: &str, key: &str, secret: &str) -> Arc<Account> {
    let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
    account_of(profiles(name, &text), moto.url(), PATIENCE)
}

fn records(account: Arc<Account>, zone: &str) -> WeightedRecords {
    let spec = Spec {
        zone: zone.to_owned(),
        name: "meet.example.org".to_owned(),
        kind: RecordType::A,
        ttl_seconds: 30,
        members: [(backend("aws"), vec!["192.0.2.1".to_owned()])].into(),
    };
    WeightedRecords::new(account, spec).unwrap()
}

#[tokio::test]
async fn every_signature_holds_and_the_exact_permission_that_is_missing_is_named() {
    let moto = Moto::start().unwrap();
    let mut outsider = Outsider::start(moto.url()).unwrap();
    let zone = json!({ "Name": "example.org", "CallerReference": "1" });
    let zone = outsider
        .call("route53", "create_hosted_zone", &zone)
        .unwrap();
    let zone = zone["HostedZone"]["Id"].as_str().unwrap();
    let all = ["route53:*", "autoscaling:*", "ec2:*", "cloudwatch:*"];
    let (key, secret) = outsider.user("all", &all).unwrap();
    let some = ["route53:ListResourceRecordSets"];
    let (reader, reader_secret) = outsider.user("some", &some).unwrap();
    moto.be_strict().unwrap();

    let wanted = [(backend("aws"), Setting::Weight(1))].into();
    let can_all = account(&moto, "all", &key, &secret);
    let actuator = records(Arc::clone(&can_all), zone);
    let over = actuator.read().await.unwrap();
    actuator.write(&over, &wanted).await.unwrap();
    let over = actuator.read().await.unwrap();
    assert_eq!(
        over.members[&backend("aws")].setting,
        Some(Setting::Weight(1))
    );
    // It is asked who may, and then what there is: nothing.
    let group = Group::new(can_all, "none", Address::Private);
    let error = group.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");

    let can_some = account(&moto, "some", &reader, &reader_secret);
    let actuator = records(Arc::clone(&can_some), zone);
    let over = actuator.read().await.unwrap();
    let wanted = [(backend("aws"), Setting::Weight(2))].into();
    let error = actuator.write(&over, &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    let fix = error.about.fix.unwrap_or_default();
    assert!(
        fix.contains("allow route53:ChangeResourceRecordSets on arn:aws:route53:::hostedzone/"),
        "{fix}"
    );
    let group = Group::new(Arc::clone(&can_some), "none", Address::Private);
    let error = group.discover().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("allow autoscaling:DescribeAutoScalingGroups on * in"),
        "{error}"
    );
    let load = cloudwatch::GroupLoad::new(can_some, "none", Extent::All);
    let error = bascule_provider::Observe::observe(&load).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);

    let wrong = account(&moto, "wrong", &key, &reader_secret);
    let error = records(wrong, zone).read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error.to_string().contains("AWS_SECRET_ACCESS_KEY"),
        "{error}"
    );
    let stranger = account(&moto, "stranger", "AKIDNOBODY", &secret);
    let error = records(stranger, zone).read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error.to_string().contains("does not know this access key"),
        "{error}"
    );
}
