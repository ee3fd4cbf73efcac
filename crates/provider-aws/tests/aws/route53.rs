//! Weighted records: the laws of all actuators, and what Route 53 has of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BackendName, Revision, Shares, TargetRow};
use bascule_provider::drive::{Done, Drive, OnDrift};
use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Apply, Kind};
use bascule_provider_aws::route53::{RecordType, Spec, WeightedRecords};
use bascule_testkit::contract::{PATIENCE, Wire, actuator};
use bascule_testkit::meddler::{Answer, Meddle, Meddler, Which};
use serde_json::{Value, json};

use crate::common::{LOOKS, Xml, account, backend, boto3, meddler, xml};

const NAME: &str = "meet.example.org";
const AWS: &str = "192.0.2.1";
const OCI: &str = "198.51.100.1";

struct Rig {
    meddler: Meddler,
    zone: String,
}

/// A zone of its own.
async fn start() -> Rig {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let asked = json!({ "Name": "example.org", "CallerReference": format!("{number}") });
    let zone = boto3("route53", "create_hosted_zone", &asked);
    let zone = zone["HostedZone"]["Id"].as_str().unwrap().to_owned();
    Rig {
        meddler: meddler(),
        zone,
    }
}

impl Rig {
    fn spec(&self) -> Spec {
        Spec {
            zone: self.zone.clone(),
            name: NAME.to_owned(),
            kind: RecordType::A,
            ttl_seconds: 30,
            members: [
                (backend("aws"), vec![AWS.to_owned()]),
                (backend("oci"), vec![OCI.to_owned()]),
            ]
            .into(),
        }
    }

    fn records_of(&self, spec: Spec, patience: Duration) -> WeightedRecords {
        let account = account(&self.meddler.url(), patience);
        let records = WeightedRecords::new(account, spec).unwrap();
        records.with_patience(LOOKS)
    }

    fn records(&self) -> WeightedRecords {
        self.records_of(self.spec(), PATIENCE)
    }

    /// What another does to the records.
    fn change(&self, action: &str, record: &Value) {
        change(&self.zone, action, record);
    }

    /// What a batch would have made.
    fn set_there(&self, aws: u32, oci: u32) {
        for (id, weight, value) in [("aws", aws, AWS), ("oci", oci, OCI)] {
            self.change("CREATE", &weighted(id, weight, value));
        }
    }

    /// What boto3 sees at the name.
    fn seen(&self) -> Vec<Value> {
        let asked = json!({ "HostedZoneId": self.zone, "StartRecordName": NAME });
        let seen = boto3("route53", "list_resource_record_sets", &asked);
        let name = format!("{NAME}.");
        let sets = seen["ResourceRecordSets"].as_array().unwrap();
        let ours = sets.iter().filter(|set| set["Name"] == name.as_str());
        ours.cloned().collect()
    }
}

fn change(zone: &str, action: &str, record: &Value) {
    let batch = json!({ "Changes": [{ "Action": action, "ResourceRecordSet": record }] });
    let asked = json!({ "HostedZoneId": zone, "ChangeBatch": batch });
    boto3("route53", "change_resource_record_sets", &asked);
}

fn weighted(id: &str, weight: u32, value: &str) -> Value {
    json!({
        "Name": NAME, "Type": "A", "SetIdentifier": id, "Weight": weight, "TTL": 30,
        "ResourceRecords": [{ "Value": value }],
    })
}

fn numbers(aws: Setting, oci: Setting) -> Numbers {
    [(backend("aws"), aws), (backend("oci"), oci)].into()
}

async fn set(records: &WeightedRecords, numbers: &Numbers) -> Result<(), bascule_provider::Error> {
    let over = records.read().await?;
    records.write(&over, numbers).await
}

impl actuator::Rig for Rig {
    fn actuator(&self, patience: Duration) -> Arc<dyn Apply> {
        Arc::new(self.records_of(self.spec(), patience))
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
        |asked| asked.method == http::Method::POST
    }
    fn other_tool(&self) -> Box<dyn FnOnce() + Send> {
        let zone = self.zone.clone();
        Box::new(move || change(&zone, "UPSERT", &weighted("oci", 77, OCI)))
    }
}

bascule_testkit::actuator_contract!(contract, super::start);

#[tokio::test]
async fn boto3_sees_the_weights_that_were_set() {
    let rig = start().await;
    set(&rig.records(), &numbers(Setting::Weight(200), Setting::Off))
        .await
        .unwrap();
    assert_eq!(
        rig.seen(),
        [
            json!({ "Name": "meet.example.org.", "Type": "A", "SetIdentifier": "aws", "Weight": 200, "TTL": 30,
                    "ResourceRecords": [{ "Value": AWS }] }),
            json!({ "Name": "meet.example.org.", "Type": "A", "SetIdentifier": "oci", "Weight": 0, "TTL": 30,
                    "ResourceRecords": [{ "Value": OCI }] }),
        ]
    );
}

#[tokio::test]
async fn a_simple_record_becomes_weighted_ones_in_one_batch_and_its_ttl_stays() {
    let rig = start().await;
    let simple =
        json!({ "Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": AWS }] });
    rig.change("CREATE", &simple);
    let records = rig.records();
    set(&records, &numbers(Setting::Weight(9), Setting::Weight(1)))
        .await
        .unwrap();
    let seen = rig.seen();
    let of = |field: &str| {
        seen.iter()
            .map(|set| set[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("Weight"), [json!(9), json!(1)]);
    assert_eq!(of("TTL"), [json!(60), json!(60)]);
    assert_eq!(records.unit().delay, Duration::from_secs(60));
    let asked = rig.meddler.take_asked();
    let posts = asked
        .iter()
        .filter(|asked| asked.method == http::Method::POST);
    assert_eq!(posts.count(), 1);
}

#[tokio::test]
async fn a_simple_record_with_an_address_of_nobody_is_refused_and_stays() {
    let rig = start().await;
    let values = [json!({ "Value": AWS }), json!({ "Value": "203.0.113.9" })];
    let simple = json!({ "Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": values });
    rig.change("CREATE", &simple);
    let error = rig.records().read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("203.0.113.9"), "{error}");
    assert_eq!(rig.seen().len(), 1);
}

#[tokio::test]
async fn what_is_not_ours_is_told_and_kept() {
    let rig = start().await;
    rig.change("CREATE", &weighted("legacy", 5, "203.0.113.9"));
    let records = rig.records();
    set(&records, &numbers(Setting::Weight(3), Setting::Weight(2)))
        .await
        .unwrap();
    let settings = records.read().await.unwrap();
    assert_eq!(settings.foreign, [("legacy".to_owned(), 5)].into());
    assert_eq!(rig.seen().len(), 3);
}

#[tokio::test]
async fn another_policy_and_another_type_in_the_way_are_refused_by_name() {
    let rig = start().await;
    let region = json!({ "Name": NAME, "Type": "A", "TTL": 60, "SetIdentifier": "x", "Region": "us-east-1",
                         "ResourceRecords": [{ "Value": AWS }] });
    rig.change("CREATE", &region);
    let error = rig.records().read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("policy latency"), "{error}");

    let rig = start().await;
    let name = json!({ "Name": NAME, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{ "Value": "x.example.net" }] });
    rig.change("CREATE", &name);
    let error = rig.records().read().await.unwrap_err();
    assert!(
        error.to_string().contains("CNAME is in the way of A"),
        "{error}"
    );
}

#[tokio::test]
async fn a_health_check_and_changed_values_are_written_with_the_weight() {
    let rig = start().await;
    let mut record = weighted("aws", 7, "192.0.2.77");
    record["HealthCheckId"] = json!("0f0f0f0f-check");
    rig.change("CREATE", &record);
    set(
        &rig.records(),
        &numbers(Setting::Weight(8), Setting::Weight(2)),
    )
    .await
    .unwrap();
    let seen = rig.seen();
    assert_eq!(seen[0]["HealthCheckId"], "0f0f0f0f-check");
    assert_eq!(seen[0]["ResourceRecords"], json!([{ "Value": AWS }]));
    assert_eq!(seen[0]["Weight"], 8);
}

#[tokio::test]
async fn names_and_ipv6_addresses_are_set_too_and_a_last_dot_or_case_is_no_change() {
    for (kind, one, other) in [
        (RecordType::Cname, "LB.example.net.", "lb2.example.net"),
        (RecordType::Aaaa, "2001:db8::1", "2001:db8::2"),
    ] {
        let rig = start().await;
        let mut spec = rig.spec();
        spec.kind = kind;
        spec.members = [(backend("aws"), one), (backend("oci"), other)]
            .map(|(name, value)| (name, vec![value.to_owned()]))
            .into();
        let bare = one.to_lowercase();
        let bare = bare.trim_end_matches('.');
        let simple = json!({ "Name": NAME, "Type": kind.as_str(), "TTL": 60, "ResourceRecords": [{ "Value": bare }] });
        rig.change("CREATE", &simple);
        let records = rig.records_of(spec, PATIENCE);
        let wanted = numbers(Setting::Weight(3), Setting::Weight(1));
        set(&records, &wanted).await.unwrap();
        assert_eq!(rig.seen()[0]["Weight"], 3);
        drop(rig.meddler.take_asked());
        set(&records, &wanted).await.unwrap();
        let asked = rig.meddler.take_asked();
        assert!(asked.iter().all(|asked| asked.method == http::Method::GET));
    }
}

#[tokio::test]
async fn shares_outside_the_unit_and_backends_without_a_record_are_refused_before_any_change() {
    let rig = start().await;
    let records = rig.records();
    for (wanted, says) in [
        (
            numbers(Setting::Weight(256), Setting::Weight(1)),
            "1 to 255",
        ),
        (
            [(backend("gcp"), Setting::Weight(1))].into(),
            "gcp is no backend",
        ),
        (numbers(Setting::Off, Setting::Off), "equal shares"),
    ] {
        let error = set(&records, &wanted).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
    assert!(rig.seen().is_empty());
    let mut spec = rig.spec();
    spec.kind = RecordType::Aaaa;
    let account = account(&rig.meddler.url(), PATIENCE);
    let error = WeightedRecords::new(account, spec).unwrap_err();
    assert!(
        error.to_string().contains("no record of type AAAA"),
        "{error}"
    );
}

#[tokio::test]
async fn a_batch_that_is_refused_is_a_conflict_only_when_the_records_have_changed() {
    let rig = start().await;
    let records = rig.records();
    set(&records, &numbers(Setting::Weight(1), Setting::Weight(1)))
        .await
        .unwrap();
    let zone = rig.zone.clone();
    let meddle = Meddle::First(Box::new(move || {
        change(&zone, "UPSERT", &weighted("oci", 9, OCI))
    }));
    let is_change: Which = |asked| asked.method == http::Method::POST;
    let over = records.read().await.unwrap();
    rig.meddler.next_of(is_change, meddle);
    let wanted = numbers(Setting::Weight(1), Setting::Weight(5));
    let error = records.write(&over, &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict, "{error}");
    let over = records.read().await.unwrap();
    let meddle = Meddle::Answer(xml(400, "InvalidChangeBatch"));
    rig.meddler.next_of(is_change, meddle);
    let error = records.write(&over, &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error}");
}

fn info(root: &str, status: &str) -> Meddle {
    Meddle::Answer(Answer {
        status: 200,
        headers: Vec::new(),
        body: format!(
            "<{root} xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeInfo><Id>/change/C1</Id>\
             <Status>{status}</Status></ChangeInfo></{root}>"
        ),
    })
}

const SENT: &str = "ChangeResourceRecordSetsResponse";
const TOLD: &str = "GetChangeResponse";

#[tokio::test]
async fn a_write_ends_once_route_53_says_that_all_its_servers_have_it() {
    let rig = start().await;
    let records = rig.records();
    let over = records.read().await.unwrap();
    drop(rig.meddler.take_asked());
    rig.meddler.next([
        Meddle::Pass,
        info(SENT, "PENDING"),
        info(TOLD, "PENDING"),
        // What passes is not the end of the change, which was taken.
        Meddle::Answer(xml(503, "ServiceUnavailable")),
        Meddle::Close,
        Meddle::Answer(xml(400, "Throttling")),
        info(TOLD, "INSYNC"),
    ]);
    let wanted = numbers(Setting::Weight(1), Setting::Weight(5));
    records.write(&over, &wanted).await.unwrap();
    let asked = rig.meddler.take_asked();
    let lines: Vec<String> = asked[2..]
        .iter()
        .map(|asked| format!("{} {}", asked.method, asked.path))
        .collect();
    assert_eq!(lines, ["GET /2013-04-01/change/C1"; 5]);
    records.settle().await.unwrap();
    assert!(rig.meddler.take_asked().is_empty());
}

#[tokio::test]
async fn what_was_taken_and_not_seen_at_all_servers_is_not_done_until_it_is() {
    let rig = start().await;
    let mut drive = Drive::new(Arc::new(rig.records()), OnDrift::Revert);
    let row = TargetRow {
        shares: Shares::from_weights([(backend("aws"), 70), (backend("oci"), 30)]).unwrap(),
        off: [].into(),
    };
    let denied = || Meddle::Answer(xml(403, "AccessDenied"));
    rig.meddler
        .next([Meddle::Pass, Meddle::Pass, info(SENT, "PENDING"), denied()]);
    let error = drive.bring(Revision(1), &row).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied, "{error}");
    assert!(error.to_string().contains("route53:GetChange"), "{error}");
    rig.set_there(70, 30);
    rig.meddler.next([Meddle::Pass, denied()]);
    drive.bring(Revision(1), &row).await.unwrap_err();
    rig.meddler
        .next([Meddle::Pass, info(TOLD, "PENDING"), info(TOLD, "INSYNC")]);
    let brought = drive.bring(Revision(1), &row).await.unwrap();
    assert_eq!(brought.done, Done::Nothing);
    assert_eq!(rig.meddler.left(), 0);
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_proven_by_writing_the_same_again() {
    let rig = start().await;
    let records = rig.records();
    let over = records.read().await.unwrap();
    rig.meddler.next_of(
        |asked| asked.method == http::Method::POST,
        Meddle::LoseAnswer,
    );
    let wanted = numbers(Setting::Weight(7), Setting::Off);
    let error = records.write(&over, &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient);
    let written = rig.seen();
    drop(rig.meddler.take_asked());
    rig.meddler
        .next([Meddle::Pass, info(SENT, "PENDING"), info(TOLD, "INSYNC")]);
    records.settle().await.unwrap();
    let asked = rig.meddler.take_asked();
    let body = String::from_utf8(asked[1].body.to_vec()).unwrap();
    for (action, times) in [("DELETE", 2), ("CREATE", 2)] {
        let action = format!("<Action>{action}</Action>");
        assert_eq!(body.matches(&action).count(), times, "{body}");
    }
    assert_eq!(rig.seen(), written);
    records.settle().await.unwrap();
    assert!(rig.meddler.take_asked().is_empty());
}

/// A page of records, and where the next begins.
fn page(records: &str, next: &str) -> Meddle {
    Meddle::Answer(Answer {
        status: 200,
        headers: Vec::new(),
        body: format!(
            "<ListResourceRecordSetsResponse xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <ResourceRecordSets>{records}</ResourceRecordSets>{next}<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        ),
    })
}

fn raw(id: &str, weight: u32, value: &str) -> String {
    format!(
        "<ResourceRecordSet><Name>meet.example.org.</Name><Type>A</Type><SetIdentifier>{id}</SetIdentifier>\
         <Weight>{weight}</Weight><TTL>30</TTL><ResourceRecords><ResourceRecord><Value>{value}</Value>\
         </ResourceRecord></ResourceRecords></ResourceRecordSet>"
    )
}

#[tokio::test]
async fn requests_are_the_golden_ones_and_pages_are_read_to_the_end() {
    let rig = start().await;
    let mut spec = rig.spec();
    spec.zone = "/hostedzone/Z1".to_owned();
    let records = rig.records_of(spec, PATIENCE);
    let next = "<IsTruncated>true</IsTruncated><NextRecordName>meet.example.org.</NextRecordName>\
                <NextRecordType>A</NextRecordType><NextRecordIdentifier>oci</NextRecordIdentifier>";
    let end = "<IsTruncated>false</IsTruncated>";
    let pages = || {
        [
            page(&raw("aws", 1, AWS), next),
            page(&raw("oci", 2, OCI), end),
        ]
    };
    rig.meddler.next(pages());
    let over = records.read().await.unwrap();
    assert_eq!(over.members.len(), 2);
    let done = info("ChangeResourceRecordSetsResponse", "INSYNC");
    rig.meddler.next(pages().into_iter().chain([done]));
    records
        .write(&over, &numbers(Setting::Weight(1), Setting::Weight(5)))
        .await
        .unwrap();
    let asked = rig.meddler.take_asked();
    let lines: Vec<String> = asked[2..]
        .iter()
        .map(|asked| format!("{} {}", asked.method, asked.path))
        .collect();
    assert_eq!(
        lines,
        [
            "GET /2013-04-01/hostedzone/Z1/rrset?maxitems=300&name=meet.example.org",
            "GET /2013-04-01/hostedzone/Z1/rrset?maxitems=300&name=meet.example.org&type=A&identifier=oci",
            "POST /2013-04-01/hostedzone/Z1/rrset/",
        ]
    );
    let body = String::from_utf8(asked[4].body.to_vec()).unwrap();
    assert_eq!(
        body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <ChangeBatch><Comment>shares</Comment><Changes>\
             <Change><Action>DELETE</Action>{}</Change><Change><Action>CREATE</Action>{}</Change>\
             </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
            raw("oci", 2, OCI),
            raw("oci", 5, OCI)
        )
    );
}

#[tokio::test]
async fn what_dns_answers_is_read_with_the_weights_and_an_alias_has_no_values() {
    let rig = start().await;
    rig.change("CREATE", &weighted("old", 5, "203.0.113.1"));
    let records = rig.records();
    let wanted = numbers(Setting::Weight(7), Setting::Weight(3));
    set(&records, &wanted).await.unwrap();
    let dns = records.read().await.unwrap().dns;
    assert_eq!(dns.kind, Some(RecordType::A));
    let values = |value: &str| BTreeSet::from([value.to_owned()]);
    let ours = [(backend("aws"), values(AWS)), (backend("oci"), values(OCI))];
    assert_eq!(dns.members, ours.into());
    assert_eq!(
        dns.foreign,
        [("old".to_owned(), values("203.0.113.1"))].into()
    );
    // What another tool has put there in place of ours counts, not what is configured.
    let target = json!({ "HostedZoneId": "Z2", "DNSName": "lb.example.net.", "EvaluateTargetHealth": false });
    let alias = json!({
        "Name": NAME, "Type": "A", "SetIdentifier": "oci", "Weight": 3, "AliasTarget": target,
    });
    rig.change("UPSERT", &alias);
    rig.change("UPSERT", &weighted("aws", 7, "203.0.113.2"));
    let dns = records.read().await.unwrap().dns;
    assert_eq!(
        dns.members,
        [(backend("aws"), values("203.0.113.2"))].into()
    );
}
