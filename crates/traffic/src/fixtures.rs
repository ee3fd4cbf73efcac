//! Builders for the tests of this crate: specs and services with what a test names, and defaults for the rest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    AdminState, BackendName, BasisPoints, EndpointId, ObservedState, Scheme, ServiceName, Shares,
};

use crate::snapshot::{Backend, Endpoint, Factors, Mode, Service};
use crate::spec::{
    Algorithm, BackendSpec, Balance, Capacity, Class, EndpointHost, EndpointUrl, FailOpen,
    HostPolicy, RetryPolicy, Role, ServiceLimits, ServiceSpec, Timeouts,
};

pub(crate) fn points(value: u16) -> BasisPoints {
    BasisPoints::new(value).unwrap()
}

pub(crate) fn backend_name(text: &str) -> BackendName {
    BackendName::parse(text).unwrap()
}

/// An address that belongs to endpoint `endpoint` of backend `backend`.
pub(crate) fn address(backend: usize, endpoint: usize) -> SocketAddr {
    let (backend, endpoint) = (
        u8::try_from(backend).unwrap(),
        u8::try_from(endpoint).unwrap(),
    );
    SocketAddr::from(([10, backend, 0, endpoint], 80))
}

pub(crate) fn url(address: SocketAddr) -> EndpointUrl {
    EndpointUrl {
        scheme: Scheme::Http,
        host: EndpointHost::Address(address),
        port: address.port(),
    }
}

/// A service of these backends, in the order of their names: name, provider, role, endpoints.
pub(crate) fn spec(name: &str, backends: &[(&str, &str, Role, usize)]) -> ServiceSpec {
    let weight = |role| match role {
        Role::Weighted(weight) => u64::from(weight),
        Role::Standby => 0,
    };
    let declared = backends
        .iter()
        .map(|(name, _, role, _)| (backend_name(name), weight(*role)));
    let backend =
        |(index, (name, provider, role, endpoints)): (usize, &(&str, &str, Role, usize))| {
            let backend = BackendSpec {
                provider: provider.parse().unwrap(),
                region: None,
                role: *role,
                host: HostPolicy::Preserve,
                capacity: Capacity::default(),
                endpoints: (0..*endpoints)
                    .map(|endpoint| url(address(index, endpoint)).into())
                    .collect(),
                ca_file: None,
            };
            (backend_name(name), backend)
        };
    ServiceSpec {
        name: ServiceName::parse(name).unwrap(),
        listeners: vec!["web".parse().unwrap()],
        matches: Vec::new(),
        backends: backends
            .iter()
            .enumerate()
            .map(backend)
            .collect::<BTreeMap<_, _>>(),
        declared: Shares::from_weights(declared).unwrap(),
        class: Class::default(),
        balance: Balance::default(),
        zone: None,
        timeouts: Timeouts::default(),
        retry: RetryPolicy::default(),
        limits: ServiceLimits::default(),
        ramp: Duration::from_secs(5),
        fail_open: FailOpen::Never,
        retry_after: Duration::from_secs(1),
        affinity: None,
        initial: bascule_model::ObservedState::Unknown,
    }
}

/// A backend of a service that is ready to pick from.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) provider: String,
    pub(crate) effective: u16,
    pub(crate) off: bool,
    /// The weight of each endpoint; `None` for one that is not usable.
    pub(crate) endpoints: Vec<Option<u16>>,
}

/// A backend that is not off, of its own provider, with all endpoints usable.
pub(crate) fn member(provider: &str, effective: u16, endpoints: usize) -> Member {
    Member {
        provider: provider.to_owned(),
        effective,
        off: false,
        endpoints: vec![Some(10_000); endpoints],
    }
}

/// A service that serves with these backends, named `b00`, `b01`, ….
pub(crate) fn service(algorithm: Algorithm, members: &[Member]) -> Service {
    let name = |index: usize| format!("b{index:02}");
    let names: Vec<String> = (0..members.len()).map(name).collect();
    let described: Vec<_> = names
        .iter()
        .zip(members)
        .map(|(name, m)| {
            (
                name.as_str(),
                m.provider.as_str(),
                Role::Weighted(1),
                m.endpoints.len(),
            )
        })
        .collect();
    let mut spec = spec("meet", &described);
    spec.balance.algorithm = algorithm;
    let backend = |(index, member): (usize, &Member)| Backend {
        name: backend_name(&name(index)),
        provider: member.provider.parse().unwrap(),
        host: HostPolicy::Preserve,
        off: member.off,
        effective: points(member.effective),
        factors: Factors {
            target: points(member.effective),
            health: 1.0,
            slow_start: 1.0,
            capacity: 1.0,
            product: f64::from(member.effective) / 10_000.0,
            up: member.endpoints.iter().flatten().count(),
            total: member.endpoints.len(),
            room: None,
        },
        endpoints: (0..)
            .zip(&member.endpoints)
            .map(|(n, w)| endpoint(index, n, *w))
            .collect(),
        near: points(10_000),
        table: None,
    };
    Service {
        target: spec.declared.clone(),
        backends: members.iter().enumerate().map(backend).collect(),
        mode: Mode::Serve,
        retry_after: spec.retry_after,
        shed: BasisPoints::ZERO,
        capacity_least: Capacity::default(),
        demand: None,
        losses: Vec::new(),
        spec: Arc::new(spec),
        placement: None,
    }
}

fn endpoint(backend: usize, endpoint: usize, weight: Option<u16>) -> Endpoint {
    Endpoint {
        id: Arc::new(EndpointId {
            service: ServiceName::parse("meet").unwrap(),
            backend: backend_name(&format!("b{backend:02}")),
            scheme: Scheme::Http,
            host: None,
            address: address(backend, endpoint),
        }),
        admin: AdminState::Ready,
        observed: ObservedState::Up,
        usable: weight.is_some(),
        keeps: weight.is_some(),
        weight: points(weight.unwrap_or(10_000)),
        declared: 10_000,
        priority: None,
        is_reserve: false,
        is_near: true,
    }
}
