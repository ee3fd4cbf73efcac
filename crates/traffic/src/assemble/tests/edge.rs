//! An edge's assembler in virtual time, and short words for its inputs.

use bascule_model::{Scheme, Shares, TargetRow};

use super::super::*;
use crate::fixtures::{address, backend_name, spec};
use crate::snapshot::Service;
use crate::spec::Role;

pub(super) const RAMP: Duration = Duration::from_secs(5);

pub(super) fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// aws 70 with two endpoints, oci 30 with two.
pub(super) fn meet() -> ServiceSpec {
    spec(
        "meet",
        &[
            ("aws", "aws", Role::Weighted(70), 2),
            ("oci", "oci", Role::Weighted(30), 2),
        ],
    )
}

pub(super) fn id(service: &str, backend: &str, address: std::net::SocketAddr) -> EndpointId {
    EndpointId {
        service: service.parse().unwrap(),
        backend: backend_name(backend),
        scheme: Scheme::Http,
        host: None,
        address,
    }
}

pub(super) fn aws(endpoint: usize) -> EndpointId {
    id("meet", "aws", address(0, endpoint))
}

pub(super) fn oci(endpoint: usize) -> EndpointId {
    id("meet", "oci", address(1, endpoint))
}

pub(super) fn down(ids: &[EndpointId]) -> Input {
    let health = EndpointHealth::new(ObservedState::Down, None);
    Input::Health(ids.iter().map(|id| (id.clone(), health)).collect())
}

pub(super) fn back(ids: &[EndpointId], returned_at: Instant) -> Input {
    let health = EndpointHealth::new(ObservedState::Up, Some(returned_at));
    Input::Health(ids.iter().map(|id| (id.clone(), health)).collect())
}

pub(super) fn row(weights: &[(&str, u64)]) -> Shares {
    Shares::from_weights(weights.iter().map(|(name, w)| (backend_name(name), *w))).unwrap()
}

pub(super) fn targets(revision: u64, weights: &[(&str, u64)], off: &[&str]) -> Targets {
    let row = TargetRow {
        shares: row(weights),
        off: off.iter().map(|name| backend_name(name)).collect(),
    };
    Targets {
        revision: Revision(revision),
        services: [("meet".parse().unwrap(), row)].into(),
        admin: BTreeMap::new(),
        buckets: BTreeMap::new(),
    }
}

/// An assembler that keeps its last snapshot.
pub(super) struct Edge {
    pub(super) assembler: Assembler,
    pub(super) now: Instant,
    pub(super) last: Option<Arc<Snapshot>>,
}

impl Edge {
    pub(super) fn new(specs: Vec<ServiceSpec>) -> Self {
        let mut edge = Self {
            assembler: Assembler::new(),
            now: at(0),
            last: None,
        };
        edge.tell(Input::Services(specs.into_iter().map(Arc::new).collect()));
        edge
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.assembler.handle(self.now, input).unwrap();
        self.poll();
    }

    pub(super) fn poll(&mut self) {
        if let Some(snapshot) = self.assembler.poll_snapshot() {
            self.last = Some(snapshot);
        }
    }

    /// Lets time pass until `now`, at every instant the assembler asked for.
    pub(super) fn pass(&mut self, now: Instant) {
        while let Some(timeout) = self.assembler.poll_timeout().filter(|at| *at <= now) {
            self.assembler.handle_timeout(timeout);
            self.poll();
        }
        self.now = now;
        self.assembler.handle_timeout(now);
        self.poll();
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        self.last.as_ref().unwrap().services.first().unwrap()
    }

    pub(super) fn shares(&self) -> Vec<u16> {
        let backends = self.service().backends.iter();
        backends.map(|backend| backend.effective.get()).collect()
    }

    pub(super) fn weights(&self, backend: usize) -> Vec<u16> {
        let endpoints = self.service().backends[backend].endpoints.iter();
        endpoints.map(|endpoint| endpoint.weight.get()).collect()
    }
}
