//! The suite that every cloud keeps, run against all sources and actuators of OCI: with a meddler between them and the fake.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::{Apply, Discover};
use bascule_provider_oci::{
    Addresses, Auth, Client, InstancePool, Layer, Machines, SetActuator, SetSource, Settings,
    SteeringPolicy, System, Way,
};
use bascule_testkit::contract::{Wire, actuator, source};
use bascule_testkit::meddler::{Answer, Asked, Meddler, Which};
use bascule_testkit::oci::Balancer;
use bascule_testkit::{Oci, actuator_contract, source_contract};
use serde_json::{Value, json};

use crate::world::{BALANCER, NETWORK_BALANCER, POLICY, POOL, endpoints, machines};

/// How errors of OCI look.
struct Errors;

fn refusal(status: u16, code: &str, headers: Vec<(&'static str, String)>) -> Answer {
    let mut headers = headers;
    headers.push(("content-type", "application/json".to_owned()));
    headers.push(("opc-request-id", "request".to_owned()));
    Answer {
        status,
        headers,
        body: json!({ "code": code, "message": "by the suite" }).to_string(),
    }
}

impl Wire for Errors {
    fn throttled(&self, retry_after: u32) -> Answer {
        let after = vec![("retry-after", retry_after.to_string())];
        refusal(429, "TooManyRequests", after)
    }

    fn broken(&self, status: u16) -> Answer {
        refusal(status, "InternalServerError", vec![])
    }

    fn denied(&self) -> Answer {
        refusal(404, "NotAuthorizedOrNotFound", vec![])
    }

    fn expired(&self) -> Answer {
        refusal(401, "NotAuthenticated", vec![])
    }

    fn skewed(&self) -> Answer {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT".to_owned();
        refusal(401, "NotAuthenticated", vec![("date", date)])
    }
}

/// What is tried.
#[derive(Clone, Copy)]
enum Thing {
    Pool,
    Set(Balancer),
    Policy,
}

/// A cloud behind a meddler.
struct Rig {
    oci: Arc<Oci>,
    meddler: Meddler,
    directory: tempfile::TempDir,
    thing: Thing,
}

/// The machines of both members.
const BACKENDS: [(&str, u32); 4] = [
    ("10.1.0.1:80", 50),
    ("10.1.0.2:80", 50),
    ("10.2.0.1:80", 50),
    ("10.2.0.2:80", 50),
];

impl Rig {
    fn start(thing: Thing) -> Self {
        let oci = Arc::new(Oci::start().unwrap());
        let directory = tempfile::tempdir().unwrap();
        oci.write_config(directory.path()).unwrap();
        // Several pages, of a pool too large to ask each card.
        oci.set_page(7);
        oci.set_pool(POOL, machines(10));
        for (kind, id) in [
            (Balancer::Load, BALANCER),
            (Balancer::Network, NETWORK_BALANCER),
        ] {
            oci.add_backend_set(kind, id, "web", &BACKENDS);
        }
        let answers = [("one", "192.0.2.1", 50), ("two", "192.0.2.2", 50)];
        oci.add_steering_policy(POLICY, 30, &answers);
        let address: SocketAddr = oci.url().trim_start_matches("http://").parse().unwrap();
        let meddler = Meddler::start(address).unwrap();
        Self {
            oci,
            meddler,
            directory,
            thing,
        }
    }

    fn client(&self, timeout: Duration) -> Arc<Client> {
        let config = self.directory.path().join("config");
        let way = Way::ConfigFile {
            path: Some(config.display().to_string()),
            profile: None,
        };
        let settings = Settings {
            endpoints: endpoints(&format!("http://{}", self.meddler.address())),
            pause: Duration::from_millis(1),
            timeout,
            pace: None,
            ..Settings::default()
        };
        Arc::new(Client::new(settings, Auth::new(way, Arc::new(System))).unwrap())
    }

    /// Where the thing is in the API.
    fn path(&self) -> String {
        match self.thing {
            Thing::Pool => String::new(),
            Thing::Set(kind) => kind.path(id(kind), "web"),
            Thing::Policy => format!("/20180115/steeringPolicies/{POLICY}"),
        }
    }
}

const fn id(kind: Balancer) -> &'static str {
    match kind {
        Balancer::Load => BALANCER,
        Balancer::Network => NETWORK_BALANCER,
    }
}

const fn layer(kind: Balancer) -> Layer {
    match kind {
        Balancer::Load => Layer::Seven,
        Balancer::Network => Layer::Four,
    }
}

fn name(text: &str) -> BackendName {
    BackendName::parse(text).unwrap()
}

impl actuator::Rig for Rig {
    fn actuator(&self, patience: Duration) -> Arc<dyn Apply> {
        let client = self.client(patience);
        match self.thing {
            Thing::Set(kind) => {
                let of = |range: &str| Machines::of([range]).unwrap();
                let members = BTreeMap::from([
                    (name("one"), of("10.1.0.0/16")),
                    (name("two"), of("10.2.0.0/16")),
                ]);
                Arc::new(SetActuator::new(
                    client,
                    layer(kind),
                    id(kind),
                    "web",
                    members,
                ))
            }
            _ => {
                let of = |answer: &str| [answer.to_owned()].into();
                let members = BTreeMap::from([(name("one"), of("one")), (name("two"), of("two"))]);
                Arc::new(SteeringPolicy::new(client, POLICY, members))
            }
        }
    }

    fn meddler(&self) -> &Meddler {
        &self.meddler
    }

    fn wire(&self) -> &dyn Wire {
        &Errors
    }

    fn members(&self) -> [BackendName; 2] {
        [name("one"), name("two")]
    }

    fn changes(&self) -> Which {
        |asked: &Asked| asked.method == http::Method::PUT
    }

    fn other_tool(&self) -> Box<dyn FnOnce() + Send> {
        let (oci, path) = (Arc::clone(&self.oci), self.path());
        Box::new(move || {
            let mut there = oci.document(&path).unwrap();
            let (weights, key) = match there.get_mut("rules") {
                Some(rules) => (&mut rules[1]["defaultAnswerData"], "value"),
                None => (&mut there["backends"], "weight"),
            };
            let weights = weights.as_array_mut().unwrap();
            let half = weights.len() / 2;
            for weight in &mut weights[half..] {
                weight[key] = Value::from(7);
            }
            oci.put_document(&path, there);
        })
    }
}

impl source::Rig for Rig {
    fn source(&self, patience: Duration) -> Arc<dyn Discover> {
        let client = self.client(patience);
        match self.thing {
            Thing::Set(kind) => Arc::new(SetSource::new(client, layer(kind), id(kind), "web")),
            _ => Arc::new(InstancePool::new(client, POOL, Addresses::Private)),
        }
    }

    fn meddler(&self) -> &Meddler {
        &self.meddler
    }

    fn wire(&self) -> &dyn Wire {
        &Errors
    }

    fn all(&self) -> Set {
        let instances = match self.thing {
            Thing::Set(_) => BACKENDS
                .iter()
                .map(|(name, _)| {
                    let address: SocketAddr = name.parse().unwrap();
                    ((*name).into(), instance(address.ip(), Some(80), None))
                })
                .collect(),
            _ => machines(10)
                .into_iter()
                .map(|machine| {
                    let address = machine.address.unwrap();
                    (
                        machine.id.into(),
                        instance(address, None, Some(machine.zone)),
                    )
                })
                .collect(),
        };
        Set { instances }
    }

    fn empty(&self) {
        self.oci.set_pool(POOL, vec![]);
        if let Thing::Set(kind) = self.thing {
            self.oci.add_backend_set(kind, id(kind), "web", &[]);
        }
    }
}

fn instance(address: std::net::IpAddr, port: Option<u16>, zone: Option<String>) -> Instance {
    Instance {
        address,
        port,
        zone: zone.map(Into::into),
        lifecycle: Lifecycle::Running,
    }
}

async fn pool() -> Rig {
    Rig::start(Thing::Pool)
}

async fn load_balancer() -> Rig {
    Rig::start(Thing::Set(Balancer::Load))
}

async fn load_balancer_without_tags() -> Rig {
    let rig = Rig::start(Thing::Set(Balancer::Load));
    rig.oci.set_tags(false);
    rig
}

async fn network_load_balancer() -> Rig {
    Rig::start(Thing::Set(Balancer::Network))
}

async fn steering_policy() -> Rig {
    Rig::start(Thing::Policy)
}

source_contract!(pools, super::pool);
source_contract!(backends_of_layer_seven, super::load_balancer);
source_contract!(backends_of_layer_four, super::network_load_balancer);
actuator_contract!(load_balancers, super::load_balancer);
actuator_contract!(
    load_balancers_without_tags,
    super::load_balancer_without_tags
);
actuator_contract!(network_load_balancers, super::network_load_balancer);
actuator_contract!(steering_policies, super::steering_policy);
