//! The inputs of an assembler as they came last, and the questions they answer: which row, which admin state, which
//! endpoints with which health. Remembers nothing of before; that is [`returns`](super::returns)'s.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bascule_model::{
    AdminState, AdminTarget, BackendName, BucketMap, EndpointId, ServiceName, Shares, SrvRecord,
    Targets,
};

use super::EndpointHealth;
use super::records::{self, Placed};
use crate::capacity::Demand;
use crate::spec::{BackendSpec, EndpointHost, EndpointSpec, ServiceSpec};

/// Where an endpoint is, its weight by configuration, and its priority where it has one.
type Socket = (SocketAddr, u32, Option<u16>);

/// The inputs.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) targets: Targets,
    health: BTreeMap<EndpointId, EndpointHealth>,
    addresses: BTreeMap<Arc<str>, BTreeSet<IpAddr>>,
    records: BTreeMap<Arc<str>, Vec<SrvRecord>>,
    demands: BTreeMap<ServiceName, Demand>,
}

/// What is wanted and seen of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) id: EndpointId,
    /// Its weight by configuration; 10 000 where nothing is written.
    pub(super) declared: u32,
    /// Its priority among the endpoints of its SRV name; `None` for one that is written otherwise.
    pub(super) priority: Option<u16>,
    /// Whether it is in the edge's own zone, or zones do not count.
    pub(super) is_near: bool,
    pub(super) admin: AdminState,
    pub(super) health: EndpointHealth,
}

/// What is written of one endpoint.
#[derive(Debug, Clone, Copy)]
struct Written {
    declared: u32,
    priority: Option<u16>,
    is_near: bool,
}

impl Known {
    /// Takes the health of all endpoints; the services of those that changed.
    pub(super) fn set_health(
        &mut self,
        health: BTreeMap<EndpointId, EndpointHealth>,
    ) -> BTreeSet<ServiceName> {
        let before = std::mem::replace(&mut self.health, health);
        let changed = |id: &&EndpointId| before.get(*id) != self.health.get(*id);
        let ids = before.keys().chain(self.health.keys());
        ids.filter(changed).map(|id| id.service.clone()).collect()
    }

    /// Takes the addresses of a host name; whether they changed. An answer without any is none: the last ones stay.
    pub(super) fn set_addresses(&mut self, host: &Arc<str>, addresses: Vec<IpAddr>) -> bool {
        let addresses: BTreeSet<IpAddr> = addresses.into_iter().collect();
        if addresses.is_empty() || self.addresses.get(host) == Some(&addresses) {
            return false;
        }
        self.addresses.insert(Arc::clone(host), addresses);
        true
    }

    /// Takes the records of an SRV name; whether they changed. An answer without an address is none: the last ones stay.
    pub(super) fn set_records(&mut self, name: &Arc<str>, mut records: Vec<SrvRecord>) -> bool {
        records.retain(|record| !record.addresses.is_empty());
        records.sort_unstable();
        if records.is_empty() || self.records.get(name) == Some(&records) {
            return false;
        }
        self.records.insert(Arc::clone(name), records);
        true
    }

    /// Takes what a service brings; whether that is another than before.
    pub(super) fn set_demand(&mut self, service: &ServiceName, demand: Demand) -> bool {
        if self.demands.get(service) == Some(&demand) {
            return false;
        }
        self.demands.insert(service.clone(), demand);
        true
    }

    /// Forgets what all other services bring.
    pub(super) fn forget_demands_but(&mut self, services: &BTreeSet<ServiceName>) {
        self.demands.retain(|service, _| services.contains(service));
    }

    /// What a service brings, as it was last told.
    pub(super) fn demand(&self, service: &ServiceName) -> Option<Demand> {
        self.demands.get(service).copied()
    }

    /// The endpoints of a backend, ordered by id.
    pub(super) fn endpoints(
        &self,
        spec: &ServiceSpec,
        name: &BackendName,
        backend: &BackendSpec,
    ) -> Vec<Sight> {
        let service = &spec.name;
        let in_zone =
            |endpoint: &EndpointSpec| endpoint.zone.is_some() && endpoint.zone == spec.zone;
        let zones_count = backend.endpoints.iter().any(in_zone);
        let mut written: BTreeMap<EndpointId, Written> = BTreeMap::new();
        for endpoint in &backend.endpoints {
            let (host, sockets) = self.sockets(endpoint);
            for (address, declared, priority) in sockets {
                let id = EndpointId {
                    service: service.clone(),
                    backend: name.clone(),
                    scheme: endpoint.url.scheme,
                    host: host.cloned(),
                    address,
                };
                written.entry(id).or_insert(Written {
                    declared,
                    priority,
                    is_near: !zones_count || in_zone(endpoint),
                });
            }
        }
        let of_backend = self.admin_of_backend(service, name, backend);
        let named = self.admin_of_endpoints(service, name);
        let sight = |(id, written): (EndpointId, Written)| {
            let own = named.iter().filter(|(text, _)| id.is_named(text));
            Sight {
                declared: written.declared,
                priority: written.priority,
                is_near: written.is_near,
                admin: own
                    .map(|(_, state)| *state)
                    .fold(of_backend, AdminState::max),
                health: self
                    .health
                    .get(&id)
                    .copied()
                    .unwrap_or(EndpointHealth::new(spec.initial, None)),
                id,
            }
        };
        written.into_iter().map(sight).collect()
    }

    /// The name that an endpoint is written with, and all its addresses with weight and priority.
    fn sockets<'a>(&self, endpoint: &'a EndpointSpec) -> (Option<&'a Arc<str>>, Vec<Socket>) {
        let EndpointSpec { url, weight, .. } = endpoint;
        match &url.host {
            EndpointHost::Address(address) => (None, vec![(*address, declared(*weight, 1), None)]),
            EndpointHost::Name(host) => {
                let addresses = self.addresses.get(host);
                let declared = declared(*weight, addresses.map_or(0, BTreeSet::len));
                let addresses = addresses.into_iter().flatten();
                let socket = |ip: &IpAddr| (SocketAddr::new(*ip, url.port), declared, None);
                (Some(host), addresses.map(socket).collect())
            }
            EndpointHost::Srv(name) => {
                let records = self.records.get(name).map(Vec::as_slice);
                let placed = records::place(records.unwrap_or_default(), *weight);
                let socket = |(address, placed): (SocketAddr, Placed)| {
                    (address, placed.declared, Some(placed.priority))
                };
                (Some(name), placed.into_iter().map(socket).collect())
            }
        }
    }

    /// The stricter of a backend's admin state and its provider's.
    pub(super) fn admin_of_backend(
        &self,
        service: &ServiceName,
        name: &BackendName,
        backend: &BackendSpec,
    ) -> AdminState {
        let of_backend = AdminTarget::Backend(service.clone(), name.clone());
        let of_provider = AdminTarget::Provider(backend.provider.clone());
        let state = |target| self.targets.admin.get(target).copied().unwrap_or_default();
        state(&of_backend).max(state(&of_provider))
    }

    fn admin_of_endpoints(
        &self,
        service: &ServiceName,
        backend: &BackendName,
    ) -> Vec<(&str, AdminState)> {
        let named = self
            .targets
            .admin
            .iter()
            .filter_map(|(target, state)| match target {
                AdminTarget::Endpoint(s, b, text) if s == service && b == backend => {
                    Some((text.as_str(), *state))
                }
                _ => None,
            });
        named.collect()
    }

    /// The target row of a service, over exactly the backends that the configuration has: a row that was made for
    /// another configuration keeps what fits, in proportion, and where nothing does the declared row is used.
    pub(super) fn target(&self, spec: &ServiceSpec) -> Shares {
        let fit = |row: &Shares| {
            let share = |name: &BackendName| u64::from(row.get(name).unwrap_or_default().get());
            Shares::from_weights(spec.backends.keys().map(|name| (name.clone(), share(name))))
        };
        let target = self
            .targets
            .services
            .get(&spec.name)
            .map(|row| fit(&row.shares));
        match target {
            Some(Ok(row)) => row,
            Some(Err(_)) | None => fit(&spec.declared).unwrap_or_else(|_| spec.declared.clone()),
        }
    }

    /// The bucket map of a service whose requests have keys that are mapped. It is brought to the target row: the map and
    /// a configuration come apart from each other, and the map that comes next will be this one.
    pub(super) fn map(&self, spec: &ServiceSpec, target: &Shares) -> Option<BucketMap> {
        spec.affinity.as_ref()?.by.key()?;
        Some(match self.targets.buckets.get(&spec.name) {
            Some(map) => map.follow(target),
            None => BucketMap::canonical(target),
        })
    }

    /// Whether a person set the backend to off in what the control plane wants.
    pub(super) fn is_set_off(&self, service: &ServiceName, backend: &BackendName) -> bool {
        let row = self.targets.services.get(service);
        row.is_some_and(|row| row.off.contains(backend))
    }
}

/// The weight of one of the addresses that share what is written, in ten-thousandths; without a weight each has one.
fn declared(weight: Option<u32>, addresses: usize) -> u32 {
    let addresses = u32::try_from(addresses).unwrap_or(u32::MAX).max(1);
    weight.map_or(10_000, |weight| {
        (weight.saturating_mul(10_000) / addresses).max(1)
    })
}

/// Whether one of a service's endpoints is written with this host name.
pub(super) fn uses_host(spec: &ServiceSpec, host: &Arc<str>) -> bool {
    hosts(spec).any(|written| matches!(written, EndpointHost::Name(name) if name == host))
}

/// Whether one of a service's endpoints is written with this SRV name.
pub(super) fn uses_srv(spec: &ServiceSpec, name: &Arc<str>) -> bool {
    hosts(spec).any(|written| matches!(written, EndpointHost::Srv(srv) if srv == name))
}

fn hosts(spec: &ServiceSpec) -> impl Iterator<Item = &EndpointHost> {
    let endpoints = spec.backends.values().flat_map(|b| &b.endpoints);
    endpoints.map(|endpoint| &endpoint.url.host)
}

/// Whether two targets want different things of a service.
pub(super) fn differs(before: &Targets, after: &Targets, spec: &ServiceSpec) -> bool {
    let concerns = |target: &AdminTarget| match target {
        AdminTarget::Provider(p) => spec.backends.values().any(|backend| backend.provider == *p),
        AdminTarget::Backend(service, _) | AdminTarget::Endpoint(service, _, _) => {
            *service == spec.name
        }
    };
    let differs = |target: &&AdminTarget| before.admin.get(*target) != after.admin.get(*target);
    let mut changed = before
        .admin
        .keys()
        .chain(after.admin.keys())
        .filter(differs);
    before.services.get(&spec.name) != after.services.get(&spec.name)
        || before.buckets.get(&spec.name) != after.buckets.get(&spec.name)
        || changed.any(concerns)
}
