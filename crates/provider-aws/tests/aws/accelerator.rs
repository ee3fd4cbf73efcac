//! Endpoints of Global Accelerator: the laws of all actuators, and what this one has of its own.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Apply, Kind};
use bascule_provider_aws::accelerator::Endpoints;
use bascule_testkit::aws::Accelerator;
use bascule_testkit::aws::accelerator::{ACCELERATOR, GROUP};
use bascule_testkit::contract::{PATIENCE, Wire, actuator};
use bascule_testkit::meddler::{Meddle, Meddler, Which};
use serde_json::json;

use crate::common::{Json, LOOKS, account, backend, json as refusal};

struct Rig {
    cloud: Accelerator,
    meddler: Meddler,
}

async fn start() -> Rig {
    start_with(&[("arn:alb", 128)])
}

/// One with an endpoint that is not ours.
fn start_beside_old() -> Rig {
    start_with(&[("arn:alb", 128), ("arn:old", 7)])
}

fn start_with(endpoints: &[(&str, u32)]) -> Rig {
    let cloud = Accelerator::start(endpoints).unwrap();
    let meddler = Meddler::start(cloud.address()).unwrap();
    Rig { cloud, meddler }
}

impl Rig {
    fn endpoints(&self, patience: Duration) -> Endpoints {
        let members = [("aws", "arn:alb"), ("oci", "eip-1")];
        let members = members.map(|(name, id)| (backend(name), id.to_owned()));
        let account = account(&self.meddler.url(), patience);
        Endpoints::new(account, GROUP, members.into()).with_patience(LOOKS)
    }
}

impl actuator::Rig for Rig {
    fn actuator(&self, patience: Duration) -> Arc<dyn Apply> {
        Arc::new(self.endpoints(patience))
    }
    fn meddler(&self) -> &Meddler {
        &self.meddler
    }
    fn wire(&self) -> &dyn Wire {
        &Json
    }
    fn members(&self) -> [BackendName; 2] {
        [backend("aws"), backend("oci")]
    }
    fn changes(&self) -> Which {
        |asked| String::from_utf8_lossy(&asked.body).contains("EndpointConfigurations")
    }
    fn other_tool(&self) -> Box<dyn FnOnce() + Send> {
        self.cloud.weight_setter("eip-1", 77)
    }
}

bascule_testkit::actuator_contract!(contract, super::start);

#[tokio::test]
async fn the_whole_list_is_written_back_and_neither_the_dial_nor_other_endpoints_change() {
    let rig = start_beside_old();
    let endpoints = rig.endpoints(PATIENCE);
    let over = endpoints.read().await.unwrap();
    assert_eq!(over.foreign, [("arn:old".to_owned(), 7)].into());
    drop(rig.meddler.take_asked());
    let wanted: Numbers = [
        (backend("aws"), Setting::Off),
        (backend("oci"), Setting::Weight(200)),
    ]
    .into();
    endpoints.write(&over, &wanted).await.unwrap();
    let asked = rig.meddler.take_asked();
    let golden = json!({
        "EndpointGroupArn": GROUP,
        "EndpointConfigurations": [
            { "EndpointId": "arn:alb", "Weight": 0, "ClientIPPreservationEnabled": true },
            { "EndpointId": "arn:old", "Weight": 7, "ClientIPPreservationEnabled": true },
            { "EndpointId": "eip-1", "Weight": 200 },
        ],
    });
    let bodies: Vec<serde_json::Value> = asked
        .iter()
        .map(|asked| serde_json::from_slice(&asked.body).unwrap())
        .collect();
    let group = json!({ "EndpointGroupArn": GROUP });
    let whole = json!({ "AcceleratorArn": ACCELERATOR });
    assert_eq!(bodies, [group, golden, whole.clone(), whole]);
    let group = rig.cloud.group();
    // Failover ignores the dial: off must not rest on it.
    assert_eq!(group["TrafficDialPercentage"], 100.0);
    assert_eq!(group["EndpointDescriptions"][0]["Weight"], 0);
}

#[tokio::test]
async fn what_changed_since_it_was_read_is_a_conflict_and_weights_end_at_255() {
    let rig = start_beside_old();
    let endpoints = rig.endpoints(PATIENCE);
    let over = endpoints.read().await.unwrap();
    rig.cloud.set_weight("arn:old", 8);
    let wanted: Numbers = [(backend("aws"), Setting::Weight(1))].into();
    let error = endpoints.write(&over, &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    let over = endpoints.read().await.unwrap();
    let wanted: Numbers = [(backend("aws"), Setting::Weight(256))].into();
    let error = endpoints.write(&over, &wanted).await.unwrap_err();
    assert!(error.to_string().contains("1 to 255"), "{error}");
}

#[tokio::test]
async fn a_group_whose_dial_is_0_is_refused_as_weights_say_nothing_in_it() {
    let rig = start_beside_old();
    rig.cloud.set_dial(0.0);
    let error = rig.endpoints(PATIENCE).read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("dial"), "{error}");
}

/// A request for how far the accelerator is.
const IS_LOOK: Which = |asked| {
    let body = String::from_utf8_lossy(&asked.body).into_owned();
    body.contains("AcceleratorArn")
};

#[tokio::test]
async fn a_write_ends_once_the_accelerator_is_deployed_and_is_not_done_before() {
    let rig = start_beside_old();
    rig.cloud.set_looks(3);
    let endpoints = rig.endpoints(PATIENCE);
    let looks = || {
        let asked = rig.meddler.take_asked();
        asked.iter().filter(|asked| IS_LOOK(asked)).count()
    };
    // What a process before this one did may be under way: it is looked at once.
    endpoints.settle().await.unwrap();
    endpoints.settle().await.unwrap();
    assert_eq!(looks(), 1);
    let wanted: Numbers = [(backend("aws"), Setting::Weight(9))].into();
    let over = endpoints.read().await.unwrap();
    endpoints.write(&over, &wanted).await.unwrap();
    assert_eq!(looks(), 4);
    let wanted: Numbers = [(backend("aws"), Setting::Weight(8))].into();
    let over = endpoints.read().await.unwrap();
    let denied = Meddle::Answer(refusal(400, "AccessDeniedException"));
    rig.meddler.next_of(IS_LOOK, denied);
    let error = endpoints.write(&over, &wanted).await.unwrap_err();
    assert!(
        error.to_string().contains(&format!(
            "allow globalaccelerator:DescribeAccelerator on {ACCELERATOR} in"
        )),
        "{error}"
    );
    assert_eq!(looks(), 1);
    endpoints.settle().await.unwrap();
    assert_eq!(looks(), 4);
}

#[tokio::test]
async fn more_endpoints_than_a_group_takes_are_refused_before_any_change() {
    for (id, is_refused) in [("loadbalancer/app/", true), ("loadbalancer/net/", false)] {
        let of = |number: u32| format!("arn:aws:elasticloadbalancing:us-east-1:1:{id}{number}/x");
        let there: Vec<String> = (0..10).map(of).collect();
        let there: Vec<(&str, u32)> = there.iter().map(|id| (id.as_str(), 1)).collect();
        let rig = start_with(&there);
        let members = [(backend("aws"), of(10))].into();
        let account = account(&rig.meddler.url(), PATIENCE);
        let endpoints = Endpoints::new(account, GROUP, members);
        let over = endpoints.read().await.unwrap();
        let wanted: Numbers = [(backend("aws"), Setting::Weight(9))].into();
        let error = endpoints.write(&over, &wanted).await.unwrap_err();
        let error = error.to_string();
        assert_eq!(
            error.contains("11 endpoints, and AWS takes 10"),
            is_refused,
            "{error}"
        );
        let change = actuator::Rig::changes(&rig);
        let asked = rig.meddler.take_asked();
        // A quota that AWS raises is AWS's to know.
        assert_eq!(asked.iter().any(change), !is_refused);
    }
}
