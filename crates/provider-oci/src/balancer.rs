//! A backend set of a load balancer, of layer 7 or of layer 4: how it is read, and which keys the two kinds of API have for
//! the same things. What is done with it is in `discover`, `observe` and `apply`.

use std::net::IpAddr;
use std::sync::Arc;

use bascule_provider::text::encoded;
use bascule_provider::{Error, Kind};
use serde_json::Value;

use crate::client::operation as call;
use crate::client::{Ask, Client, Operation, Reply};

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
}

/// One backend of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
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

    /// All of it, as OCI says it.
    pub(crate) async fn read(&self) -> Result<Reply<Value>, Error> {
        self.client.read(&self.ask(self.dialect.get, "")).await
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
        let address = backend.get("ipAddress").and_then(Value::as_str);
        let address = address.and_then(|text| text.parse::<IpAddr>().ok());
        let address = address.ok_or_else(|| self.foreign("a backend without an address"))?;
        let port = number("port").and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| self.foreign("a backend without a port"))?;
        let name = backend.get("name").and_then(Value::as_str);
        Ok(Backend {
            name: name.map_or_else(|| format!("{address}:{port}"), str::to_owned),
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
