//! What runs, waits and is connected at this moment, for people to see: sums of the workers' cells. Reading them moves
//! cache lines that workers write, so it is asked for once a second and by people, never by a request.

use std::sync::Arc;

use bascule_traffic::breaker::{BackendCounts, EndpointCounts, Loads};
use bascule_traffic::snapshot::Endpoint;

use super::Edge;
use crate::shared::{self, BackendKey};

impl Edge {
    /// The counts of every endpoint and backend of the current snapshot, over all workers.
    #[must_use]
    pub fn loads(&self) -> Loads {
        let snapshot = self.snapshot();
        let services = snapshot.services.iter();
        let backends = || {
            services
                .clone()
                .flat_map(|s| s.backends.iter().map(move |b| (s, b)))
        };
        let endpoints = backends().flat_map(|(_, backend)| &backend.endpoints);
        Loads {
            endpoints: endpoints
                .map(|endpoint| (Arc::clone(&endpoint.id), self.endpoint_counts(endpoint)))
                .collect(),
            backends: backends()
                .map(|(service, backend)| (service.name().clone(), backend.name.clone()))
                .map(|key| (key.clone(), self.backend_counts(&key)))
                .collect(),
        }
    }

    fn endpoint_counts(&self, endpoint: &Endpoint) -> EndpointCounts {
        let shared = &self.0.shared;
        let requests = shared.endpoint(&endpoint.id).load();
        let connections = shared::sum_of(&shared.connections(&endpoint.id), |count| count);
        EndpointCounts {
            requests,
            connections,
            // What a worker has at hand it alone knows; where there are more connections than requests, some worker has.
            at_hand: requests < connections,
        }
    }

    fn backend_counts(&self, key: &BackendKey) -> BackendCounts {
        let shared = &self.0.shared;
        let cells = shared.backend(key);
        BackendCounts {
            requests: shared::sum_of(&cells, |totals| &totals.in_flight),
            waiting: u32::try_from(shared.line(key).len()).unwrap_or(u32::MAX),
        }
    }
}
