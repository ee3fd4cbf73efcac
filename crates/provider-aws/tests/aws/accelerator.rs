//! Endpoints of Global Accelerator: the laws of all actuators, and what this one has of its own.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Apply, Kind};
use bascule_provider_aws::accelerator::Endpoints;
use bascule_testkit::aws::Accelerator;
use bascule_testkit::aws::accelerator::GROUP;
use bascule_testkit::contract::{PATIENCE, Wire, actuator};
use bascule_testkit::meddler::{Meddler, Which};
use serde_json::json;

use crate::common::{Json, account, backend};

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
        Endpoints::new(account, GROUP, members.into())
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
    let body: serde_json::Value = serde_json::from_slice(&asked[1].body).unwrap();
    assert_eq!(body, golden);
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
