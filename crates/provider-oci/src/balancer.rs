//! A backend set of a load balancer, of layer 7 or of layer 4: how it is read, and which keys the two kinds of API have for
//! the same things. A backend of layer 4 may be said by the id of a machine or of an address alone; where that is reached is
//! asked for, and kept. What is done with a set is in `discover`, `observe` and `apply`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bascule_provider::text::encoded;
use bascule_provider::{Error, Kind};
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::client::operation as call;
use crate::client::{Ask, Client, Operation, Reply};
use crate::network;

/// Targets that are asked for at once: well below what OCI allows a tenancy.
const ASKED_AT_ONCE: usize = 16;

/// The two kinds of load balancers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// A load balancer: HTTP and TCP.
    Seven,
    /// A network load balancer.
    Four,
}

/// What differs between the two APIs.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// As people name it.
    pub(crate) word: &'static str,
    collection: &'static str,
    pub(crate) get: &'static Operation,
    pub(crate) health: &'static Operation,
    pub(crate) update: &'static Operation,
    pub(crate) work: &'static Operation,
    pub(crate) work_path: &'static str,
    /// The key that says how far a work request is.
    pub(crate) work_state: &'static str,
    pub(crate) drain: &'static str,
    pub(crate) offline: &'static str,
    pub(crate) backup: &'static str,
    /// Whether a backend is written with its name.
    pub(crate) writes_name: bool,
}

const SEVEN: Dialect = Dialect {
    word: "load-balancer",
    collection: "loadBalancers",
    get: &call::GET_BACKEND_SET,
    health: &call::GET_BACKEND_SET_HEALTH,
    update: &call::UPDATE_BACKEND_SET,
    work: &call::GET_WORK_REQUEST,
    work_path: "/loadBalancerWorkRequests",
    work_state: "lifecycleState",
    drain: "drain",
    offline: "offline",
    backup: "backup",
    writes_name: false,
};

const FOUR: Dialect = Dialect {
    word: "network-load-balancer",
    collection: "networkLoadBalancers",
    get: &call::GET_NETWORK_BACKEND_SET,
    health: &call::GET_NETWORK_BACKEND_SET_HEALTH,
    update: &call::UPDATE_NETWORK_BACKEND_SET,
    work: &call::GET_NETWORK_WORK_REQUEST,
    work_path: "/workRequests",
    work_state: "status",
    drain: "isDrain",
    offline: "isOffline",
    backup: "isBackup",
    writes_name: true,
};

impl Layer {
    pub(crate) const fn dialect(self) -> &'static Dialect {
        match self {
            Self::Seven => &SEVEN,
            Self::Four => &FOUR,
        }
    }
}

/// One backend set.
#[derive(Debug)]
pub(crate) struct BackendSet {
    pub(crate) client: Arc<Client>,
    pub(crate) dialect: &'static Dialect,
    /// The load balancer's OCID.
    pub(crate) id: String,
    /// The set's name.
    set: String,
    /// As people name it: `load-balancer/ocid1…/web`.
    pub(crate) name: String,
    /// The addresses of targets, by their ids. They are kept: a machine's primary address and an address by its id stay what
    /// they are.
    targets: Mutex<BTreeMap<String, IpAddr>>,
}

/// A set as it was read.
#[derive(Debug)]
pub(crate) struct There {
    /// As OCI says it.
    pub(crate) data: Value,
    /// What changes with every change of it, where the API has that.
    pub(crate) tag: Option<String>,
    /// Why the addresses of some of its backends are not known.
    pub(crate) unknown: Vec<Error>,
}

/// One backend of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) name: String,
    /// `None` where only a target is said, and its address is not known.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) weight: u32,
    pub(crate) drain: bool,
    pub(crate) offline: bool,
    pub(crate) backup: bool,
}

impl BackendSet {
    pub(crate) fn new(client: Arc<Client>, layer: Layer, id: &str, set: &str) -> Self {
        let dialect = layer.dialect();
        Self {
            client,
            dialect,
            id: id.to_owned(),
            set: set.to_owned(),
            name: format!("{}/{id}/{set}", dialect.word),
            targets: Mutex::default(),
        }
    }

    /// A call about it; `rest` follows its path.
    pub(crate) fn ask(&self, operation: &'static Operation, rest: &str) -> Ask {
        let path = format!(
            "/{}/{}/backendSets/{}{rest}",
            self.dialect.collection,
            encoded(&self.id),
            encoded(&self.set)
        );
        Ask::new(operation, self.name.clone(), path)
    }

    /// All of it, with the addresses of its backends.
    pub(crate) async fn read(&self) -> Result<There, Error> {
        let Reply { data, tag } = self.fetch().await?;
        let unknown = self.find(&data).await?;
        Ok(There { data, tag, unknown })
    }

    /// All of it, as OCI says it.
    pub(crate) async fn fetch(&self) -> Result<Reply<Value>, Error> {
        self.client.read(&self.ask(self.dialect.get, "")).await
    }

    /// Asks for the addresses of targets that are not known yet, and gives why some are not to be had.
    async fn find(&self, set: &Value) -> Result<Vec<Error>, Error> {
        let backends = set.get("backends").and_then(Value::as_array);
        let all: BTreeSet<&str> = backends.into_iter().flatten().filter_map(target).collect();
        let missing: Vec<String> = {
            let mut known = self.targets();
            known.retain(|target, _| all.contains(target.as_str()));
            let missing = all
                .into_iter()
                .filter(|target| !known.contains_key(*target));
            missing.map(str::to_owned).collect()
        };
        let asked = stream::iter(missing)
            .map(|target| self.ask_target(target))
            .buffer_unordered(ASKED_AT_ONCE);
        let found: Vec<(String, Result<IpAddr, Error>)> = asked.collect().await;
        let mut unknown = Vec::new();
        for (target, found) in found {
            match found {
                Ok(address) => drop(self.targets().insert(target, address)),
                // In a moment it may be known whose it is: until then nothing is.
                Err(error) if error.kind.passes() => return Err(error),
                Err(error) => unknown.push(error),
            }
        }
        Ok(unknown)
    }

    async fn ask_target(&self, target: String) -> (String, Result<IpAddr, Error>) {
        let found = network::address(&self.client, &target).await;
        (target, found)
    }

    fn targets(&self) -> MutexGuard<'_, BTreeMap<String, IpAddr>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The backends in it.
    pub(crate) fn backends(&self, set: &Value) -> Result<Vec<Backend>, Error> {
        let list = set.get("backends").and_then(Value::as_array);
        let list = list.ok_or_else(|| self.foreign("it has no backends"))?;
        list.iter().map(|backend| self.backend(backend)).collect()
    }

    /// One of them, as OCI says it.
    pub(crate) fn backend(&self, backend: &Value) -> Result<Backend, Error> {
        let dialect = self.dialect;
        let is = |key: &str| backend.get(key).and_then(Value::as_bool) == Some(true);
        let number = |key: &str| backend.get(key).and_then(Value::as_u64);
        let address = match target(backend) {
            Some(target) => self.targets().get(target).copied(),
            None => {
                Some(address(backend).ok_or_else(|| self.foreign("a backend without an address"))?)
            }
        };
        let port = number("port").and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| self.foreign("a backend without a port"))?;
        let name = backend.get("name").and_then(Value::as_str);
        let place = || {
            let text = |key: &str| backend.get(key).and_then(Value::as_str);
            let place = text("ipAddress").or_else(|| text("targetId"));
            format!("{}:{port}", place.unwrap_or_default())
        };
        Ok(Backend {
            name: name.map_or_else(place, str::to_owned),
            address,
            port,
            // OCI's default where none is written.
            weight: number("weight")
                .and_then(|w| u32::try_from(w).ok())
                .unwrap_or(1),
            drain: is(dialect.drain),
            offline: is(dialect.offline),
            backup: is(dialect.backup),
        })
    }

    /// An answer that is not what the API promises.
    pub(crate) fn foreign(&self, what: &str) -> Error {
        Error::new(Kind::Invalid, self.dialect.get.name, self.name.clone()).detail(what)
    }
}

/// What a backend is said by where it is said by no address.
fn target(backend: &Value) -> Option<&str> {
    if address(backend).is_some() {
        return None;
    }
    backend.get("targetId").and_then(Value::as_str)
}

fn address(backend: &Value) -> Option<IpAddr> {
    let address = backend.get("ipAddress").and_then(Value::as_str);
    address?.parse().ok()
}
