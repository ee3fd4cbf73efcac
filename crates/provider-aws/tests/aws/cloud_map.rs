//! Services of Cloud Map as a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::{Discover, Kind};
use bascule_provider_aws::cloud_map::CloudMap;
use bascule_testkit::contract::{PATIENCE, Wire, source};
use bascule_testkit::meddler::{Answer, Meddle, Meddler};
use serde_json::{Value, json};

use crate::common::{Json, account, boto3, meddler};

const NAMES: [&str; 2] = ["one", "two"];

struct Rig {
    meddler: Meddler,
    namespace: String,
    service: String,
}

async fn start() -> Rig {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let namespace = format!("ns{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let made = boto3(
        "servicediscovery",
        "create_http_namespace",
        &json!({ "Name": namespace }),
    );
    let operation = json!({ "OperationId": made["OperationId"] });
    let made = boto3("servicediscovery", "get_operation", &operation);
    let id = &made["Operation"]["Targets"]["NAMESPACE"];
    let service = json!({ "Name": "media", "NamespaceId": id });
    let service = boto3("servicediscovery", "create_service", &service);
    let service = service["Service"]["Id"].as_str().unwrap().to_owned();
    for (number, name) in NAMES.iter().enumerate() {
        let attributes = json!({ "AWS_INSTANCE_IPV4": format!("10.0.0.{number}"), "AWS_INSTANCE_PORT": "8080", "AVAILABILITY_ZONE": "us-east-1a" });
        let instance =
            json!({ "ServiceId": service, "InstanceId": name, "Attributes": attributes });
        boto3("servicediscovery", "register_instance", &instance);
    }
    Rig {
        meddler: meddler(),
        namespace,
        service,
    }
}

impl source::Rig for Rig {
    fn source(&self, patience: Duration) -> Arc<dyn Discover> {
        let account = account(&self.meddler.url(), patience);
        Arc::new(CloudMap::new(account, &self.namespace, "media"))
    }
    fn meddler(&self) -> &Meddler {
        &self.meddler
    }
    fn wire(&self) -> &dyn Wire {
        &Json
    }
    fn all(&self) -> Set {
        let instances = NAMES.iter().enumerate().map(|(number, name)| {
            let instance = Instance {
                address: format!("10.0.0.{number}").parse().unwrap(),
                port: Some(8080),
                zone: Some("us-east-1a".into()),
                lifecycle: Lifecycle::Running,
            };
            (Arc::from(*name), instance)
        });
        Set {
            instances: instances.collect(),
        }
    }
    fn empty(&self) {
        for name in NAMES {
            let instance = json!({ "ServiceId": self.service, "InstanceId": name });
            boto3("servicediscovery", "deregister_instance", &instance);
        }
    }
}

bascule_testkit::source_contract!(contract, super::start);

fn answer(instances: Vec<Value>) -> Meddle {
    Meddle::Answer(Answer {
        status: 200,
        headers: Vec::new(),
        body: json!({ "Instances": instances }).to_string(),
    })
}

#[tokio::test]
async fn a_name_without_an_address_and_an_answer_that_may_be_a_part_are_refused() {
    let rig = start().await;
    let name =
        json!({ "InstanceId": "x", "Attributes": { "AWS_INSTANCE_CNAME": "x.example.net" } });
    let full = |number| json!({ "InstanceId": format!("{number}"), "Attributes": { "AWS_INSTANCE_IPV4": "10.0.0.1" } });
    let full: Vec<Value> = (0..1000).map(full).collect();
    let source = source::Rig::source(&rig, PATIENCE);
    for (instances, says) in [
        (vec![name], "AWS_INSTANCE_IPV4"),
        (full, "there may be more"),
    ] {
        rig.meddler.next([answer(instances)]);
        let error = source.discover().await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.to_string().contains(says), "{error}");
    }
}
