//! The circuit breakers of a service: how much may run at one endpoint and at one backend, and how much may wait. Says
//! from counts whether one more has a place; counts nothing itself and never looks at health, which is another question.
//! What is full is passed over by [`pick`](crate::pick), whatever the share: the request spills to another backend, and
//! where nothing has a place it waits in the backend's [`line`](crate::line), or is refused
//! by [`admit`](crate::admit). Why it is built so: docs/decisions/0016-breakers.md.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BackendName, EndpointId, ServiceName};

use crate::snapshot::Service;

/// `services.S.limits`. Without any nothing is ever full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Requests at one endpoint, of all workers; on HTTP/2 a request is a stream. Default none.
    pub endpoint_requests: Option<u32>,
    /// Connections to one endpoint, of all workers: in use, idle and being made. Default none.
    pub endpoint_connections: Option<u32>,
    /// Requests at one backend, all its endpoints together. Default none.
    pub backend_requests: Option<u32>,
    /// Requests that may wait for a place, for each usable endpoint of the backend they wait for. Default 0: none waits.
    pub endpoint_pending: u32,
    /// How long one may wait. Default 1 s: as long as a connect may take.
    pub pending_timeout: Duration,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            endpoint_requests: None,
            endpoint_connections: None,
            backend_requests: None,
            endpoint_pending: 0,
            pending_timeout: Duration::from_secs(1),
        }
    }
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// [`ServiceLimits::endpoint_requests`].
    EndpointRequests,
    /// [`ServiceLimits::endpoint_connections`], and no connection that could take one more request.
    EndpointConnections,
    /// [`ServiceLimits::backend_requests`].
    BackendRequests,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::EndpointRequests,
        Self::EndpointConnections,
        Self::BackendRequests,
    ];

    /// The key of the configuration; the word in metrics and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointRequests => "endpoint_requests",
            Self::EndpointConnections => "endpoint_connections",
            Self::BackendRequests => "backend_requests",
        }
    }
}

/// What one endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointCounts {
    /// Requests, with those that a connection is being made for.
    pub requests: u32,
    /// Connections, with those being made.
    pub connections: u32,
    /// Whether one of them, at the worker that asks, can take a request now.
    pub at_hand: bool,
}

/// What one backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackendCounts {
    /// Requests at all its endpoints.
    pub requests: u32,
    /// Requests that wait for a place.
    pub waiting: u32,
}

/// What all endpoints and backends have at one moment, for people to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loads {
    /// By endpoint.
    pub endpoints: BTreeMap<Arc<EndpointId>, EndpointCounts>,
    /// By service and backend.
    pub backends: BTreeMap<(ServiceName, BackendName), BackendCounts>,
}

impl Loads {
    /// Of one endpoint; nothing where it is not known.
    #[must_use]
    pub fn of_endpoint(&self, id: &EndpointId) -> EndpointCounts {
        self.endpoints.get(id).copied().unwrap_or_default()
    }

    /// Of one backend; nothing where it is not known.
    #[must_use]
    pub fn of_backend(&self, service: &ServiceName, backend: &BackendName) -> BackendCounts {
        let key = (service.clone(), backend.clone());
        self.backends.get(&key).copied().unwrap_or_default()
    }
}

impl ServiceLimits {
    /// Whether anything can ever be full. Where not, nothing needs to be counted for it.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.endpoint_requests.is_some()
            || self.endpoint_connections.is_some()
            || self.backend_requests.is_some()
    }

    /// Whether a request may wait at all.
    #[must_use]
    pub const fn has_line(&self) -> bool {
        self.endpoint_pending > 0 && self.is_limited()
    }

    /// How many may wait for a backend that has so many usable endpoints.
    #[must_use]
    pub fn line_max(&self, endpoints: usize) -> usize {
        let each = usize::try_from(self.endpoint_pending).unwrap_or(usize::MAX);
        each.saturating_mul(endpoints)
    }

    /// The limit of an endpoint that one more request would break.
    #[must_use]
    pub fn endpoint_full(&self, counts: EndpointCounts) -> Option<Limit> {
        let reached = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count >= limit);
        if reached(self.endpoint_requests, counts.requests) {
            return Some(Limit::EndpointRequests);
        }
        let connections = !counts.at_hand && reached(self.endpoint_connections, counts.connections);
        connections.then_some(Limit::EndpointConnections)
    }

    /// The limit of a backend that one more request would break.
    #[must_use]
    pub fn backend_full(&self, requests: u32) -> Option<Limit> {
        let reached = self.backend_requests.is_some_and(|limit| requests >= limit);
        reached.then_some(Limit::BackendRequests)
    }

    /// Whether a request that has just come finds no place at a backend. Behind those that wait there is none, though one
    /// may have become free in this moment: it is theirs.
    #[must_use]
    pub fn is_closed(&self, counts: BackendCounts) -> bool {
        counts.waiting > 0 || self.backend_full(counts.requests).is_some()
    }
}

/// The backend whose line a request joins when no backend has a place: of those with a share, or of all that may be used
/// where none has one, the one with most room in its line for each request that is waited for there. `None` when all
/// lines are full, or nothing may wait. `waiting(backend)` says how long a line is.
#[must_use]
pub fn line_to_join(service: &Service, waiting: impl Fn(usize) -> usize) -> Option<usize> {
    let limits = &service.spec.limits;
    if !limits.has_line() {
        return None;
    }
    let mut best: Option<(bool, f64, usize)> = None;
    for (index, backend) in service.backends.iter().enumerate() {
        let usable = backend.endpoints.iter().filter(|e| e.usable).count();
        let (max, len) = (limits.line_max(usable), waiting(index));
        if backend.off || len >= max {
            continue;
        }
        let has_share = !backend.effective.is_zero();
        let room = ratio(max - len) / ratio(max);
        let better = |(share, most, _): (bool, f64, usize)| {
            (has_share && !share) || (has_share == share && room > most)
        };
        if best.is_none_or(better) {
            best = Some((has_share, room, index));
        }
    }
    best.map(|(_, _, index)| index)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "lengths of lines are far below 2^52"
)]
const fn ratio(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{member, service};
    use crate::spec::Algorithm;

    fn limits() -> ServiceLimits {
        ServiceLimits {
            endpoint_requests: Some(4),
            endpoint_connections: Some(2),
            backend_requests: Some(6),
            endpoint_pending: 3,
            ..ServiceLimits::default()
        }
    }

    fn endpoint(requests: u32, connections: u32, at_hand: bool) -> EndpointCounts {
        EndpointCounts {
            requests,
            connections,
            at_hand,
        }
    }

    #[test]
    fn without_limits_nothing_is_ever_full() {
        let none = ServiceLimits::default();
        assert_eq!(
            none.endpoint_full(endpoint(u32::MAX, u32::MAX, false)),
            None
        );
        assert_eq!(none.backend_full(u32::MAX), None);
        assert!(!none.is_limited() && !none.has_line());
    }

    #[test]
    fn an_endpoint_is_full_at_its_limit_and_not_one_below() {
        for (counts, full) in [
            (endpoint(3, 1, false), None),
            (endpoint(4, 1, true), Some(Limit::EndpointRequests)),
            (endpoint(3, 2, false), Some(Limit::EndpointConnections)),
            (endpoint(3, 2, true), None),
            (endpoint(3, 9, true), None),
            (endpoint(0, 2, false), Some(Limit::EndpointConnections)),
        ] {
            assert_eq!(limits().endpoint_full(counts), full, "{counts:?}");
        }
    }

    #[test]
    fn whoever_comes_later_finds_a_backend_closed_while_others_wait() {
        let closed = |requests, waiting| limits().is_closed(BackendCounts { requests, waiting });
        assert!(!closed(5, 0));
        assert!(closed(6, 0), "its own limit");
        assert!(closed(0, 1), "the free places belong to the one that waits");
    }

    #[test]
    fn the_line_with_most_room_is_joined_and_no_full_one() {
        let members = [member("aws", 7_000, 2), member("oci", 3_000, 1)];
        let mut service = service(Algorithm::Random, &members);
        let spec = std::sync::Arc::make_mut(&mut service.spec);
        spec.limits = limits();
        let join = |service: &Service, lens: [usize; 2]| line_to_join(service, |b| lens[b]);
        assert_eq!(join(&service, [0, 1]), Some(0));
        assert_eq!(join(&service, [3, 1]), Some(1), "3 of 6 against 1 of 3");
        assert_eq!(join(&service, [5, 3]), Some(0));
        assert_eq!(join(&service, [6, 3]), None);
        service.backends[0].off = true;
        assert_eq!(
            join(&service, [0, 3]),
            None,
            "off is off, for those that wait too"
        );
        let spec = std::sync::Arc::make_mut(&mut service.spec);
        spec.limits.endpoint_pending = 0;
        assert_eq!(join(&service, [0, 0]), None);
    }
}
