//! The state an edge decides by: plain immutable data, structurally shared. A change of one service's shares or verdicts
//! rebuilds that service and shares the rest. Built by [`assemble`](crate::assemble) and published as a whole; workers
//! derive what they need from it (`proxy::WorkerView`) and carry over by id.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    AdminState, BackendName, BasisPoints, EndpointId, ObservedState, ProviderName, Revision,
    ServiceName, Shares,
};

use crate::capacity::{Capacity, Demand};
use crate::keys::Placement;
use crate::loss::LossRow;
use crate::maglev::Table;
use crate::spec::{FailOpen, HostPolicy, ServiceSpec};

/// What an edge serves, at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The revision of the targets it was built from.
    pub revision: Revision,
    /// Counts publications, from 1; a worker rebuilds its view when it changes.
    pub generation: u64,
    /// Which request belongs to which service.
    pub routes: Arc<crate::route::Table>,
    /// The services; routes name them by index.
    pub services: Vec<Arc<Service>>,
}

/// One service, ready to pick from.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its policies.
    pub spec: Arc<ServiceSpec>,
    /// Where the ramp stands.
    pub target: Shares,
    /// Its backends, ordered by name.
    pub backends: Vec<Backend>,
    /// What happens to a request now.
    pub mode: Mode,
    /// When a refused client should come back, where the mode refuses.
    pub retry_after: Duration,
    /// Where keys belong; `None` where requests have none that is mapped.
    pub placement: Option<Arc<Placement>>,
    /// The part of requests that is refused as it fits nowhere; the rest is divided by the effective shares.
    pub shed: BasisPoints,
    /// The least that any of its backends can take, unit by unit, by what is declared of the machines they are on, here or
    /// by a service that shares them. Where something is, what the service brings is measured.
    pub capacity_least: Capacity,
    /// What it brings, as measured; `None` where no capacity is declared, or before something has been measured.
    pub demand: Option<Demand>,
    /// What becomes of it when one provider is lost: one for each that its backends name, ordered by name.
    pub losses: Vec<Loss>,
}

/// What becomes of a service when a provider is lost, on top of what is lost already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Who.
    pub provider: ProviderName,
    /// The row then, over the service's backends. Ramps of backends are over in it; an endpoint that returns counts for as
    /// much as it does now. Where nobody is left all is shed in it, also where the service would fail open.
    pub row: LossRow,
}

impl Service {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ServiceName {
        &self.spec.name
    }

    /// Whether some of its backends have a capacity to keep.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.capacity_least.is_declared()
    }
}

/// What happens to a service's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are divided by the effective shares.
    Serve,
    /// No backend is up, and the service is configured to try all the same: divided by the target row.
    FailOpen,
    /// No backend may be used: 503.
    Refuse(Refusal),
}

/// Why a service refuses everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No backend that is not off has an endpoint that is up.
    NoBackendUp,
    /// Every backend is off or taken out by an admin state.
    AllOff,
}

impl Refusal {
    /// The reason as clients, logs and metrics get it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoBackendUp => "no_backend_up",
            Self::AllOff => "all_off",
        }
    }
}

/// One backend of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    /// Its name.
    pub name: BackendName,
    /// Who runs it.
    pub provider: ProviderName,
    /// The `Host` sent upstream.
    pub host: HostPolicy,
    /// A person set it to off, or an admin state takes it out: it gets nothing, whatever else fails.
    pub off: bool,
    /// Its part of new requests. The backends of a service that serves sum to exactly 10 000.
    pub effective: BasisPoints,
    /// From target to effective, factor by factor.
    pub factors: Factors,
    /// Its endpoints, ordered by id; all of them, also those that are not usable.
    pub endpoints: Vec<Endpoint>,
    /// The part of its picks that goes to the endpoints that are near.
    pub near: BasisPoints,
    /// From key to endpoint, where the service chooses by one.
    pub table: Option<Arc<Table>>,
}

/// How a backend's target share became its effective share. `explain` and the metrics read the same numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// Target share.
    pub target: BasisPoints,
    /// min(1, 1.4 × up/total); where a capacity is declared min(1, capacity × up/total ÷ what the target share brings). 0
    /// without an endpoint that is up. In fail-open mode what it would be, not used.
    pub health: f64,
    /// 0 to 1: where the ramps of a returning backend, and of endpoints returning to it, stand.
    pub slow_start: f64,
    /// 0 to 1: what is left of its part where the others may take more, as it is full.
    pub capacity: f64,
    /// target × health × slow_start × capacity, before normalising; a ratio. 0 for a backend that is off.
    pub product: f64,
    /// Endpoints that are up and that no admin state takes out.
    pub up: usize,
    /// Endpoints that the row counts on.
    pub total: usize,
    /// What all of its endpoints together can take of what the service brings, in basis points; it can be above 10 000.
    /// `None`: no limit is declared or known.
    pub room: Option<u64>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Its identity.
    pub id: Arc<EndpointId>,
    /// What people and its agent want of it: the strictest of its own state, its backend's, its provider's and the agent's.
    pub admin: AdminState,
    /// What is seen of it.
    pub observed: ObservedState,
    /// Whether new work may go there; in fail-open mode what is observed does not count.
    pub usable: bool,
    /// Whether what is there already may go on there: as `usable`, and while it is drained. Nothing stays with a backend
    /// that is off by its share.
    pub keeps: bool,
    /// Where its ramp stands, 1 to 10 000: below full while it returns, and where its agent says so.
    pub weight: BasisPoints,
    /// Its weight by configuration relative to the others of its backend, above zero; 10 000 where nothing is written.
    pub declared: u32,
    /// Its priority among the endpoints of its SRV name, the lowest first; `None` for one that is written otherwise.
    pub priority: Option<u16>,
    /// Whether another priority of its SRV name serves, or takes over. It is usable then only while that one returns.
    pub is_reserve: bool,
    /// Whether it is in the edge's own zone; also where the edge has none, or no endpoint of the backend is in it.
    pub is_near: bool,
}

impl Endpoint {
    /// Whether it stands in reserve and could serve: for who has found all others of its backend failing.
    #[must_use]
    pub fn may_step_in(&self) -> bool {
        self.is_reserve && !self.usable && self.admin.takes_new() && self.observed.is_usable()
    }
}

impl Snapshot {
    /// The service with this name.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&Arc<Service>> {
        self.services.iter().find(|service| service.name() == name)
    }
}

impl Service {
    /// The backend with this name.
    #[must_use]
    pub fn backend(&self, name: &BackendName) -> Option<&Backend> {
        self.backends.iter().find(|backend| &backend.name == name)
    }

    /// What a backend can take with all of its endpoints, as declared.
    #[must_use]
    pub fn capacity(&self, backend: &BackendName) -> Capacity {
        let spec = self.spec.backends.get(backend);
        spec.map(|spec| spec.capacity).unwrap_or_default()
    }

    /// Whether it is configured to fail open.
    #[must_use]
    pub fn may_fail_open(&self) -> bool {
        self.spec.fail_open == FailOpen::WhenNoBackendUp
    }
}
