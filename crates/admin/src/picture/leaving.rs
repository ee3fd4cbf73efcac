//! What still runs where nothing new goes: of an endpoint, a backend, a provider, and of this edge.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{AdminState, ProviderName, ServiceName};
use bascule_traffic::snapshot::{Backend, Endpoint};

use super::Picture;
use crate::api;
use crate::leaving::Whose;
use crate::ports::Clients;

impl Picture<'_> {
    /// Of one endpoint; `None` while it takes its part.
    pub(super) fn leaving_of_endpoint(&self, endpoint: &Endpoint) -> Option<api::Leaving> {
        if endpoint.admin == AdminState::Ready {
            return None;
        }
        let running = self.loads.of_endpoint(&endpoint.id).requests;
        Some(self.leaving(u64::from(running), std::iter::once(whose(endpoint))))
    }

    /// Of one backend, with those that wait for it; `None` while it takes its part.
    pub(super) fn leaving_of_backend(
        &self,
        service: &ServiceName,
        backend: &Backend,
    ) -> Option<api::Leaving> {
        if !backend.off {
            return None;
        }
        let running = self.running_at(service, backend);
        let ids = backend.endpoints.iter().map(whose);
        Some(self.leaving(running, ids))
    }

    /// Of all backends of a provider; `None` while one of them takes its part.
    pub(super) fn leaving_of_provider(&self, provider: &ProviderName) -> Option<api::Leaving> {
        let services = self.snapshot.services.iter();
        let all = services.flat_map(|s| s.backends.iter().map(move |b| (s.name(), b)));
        let own: Vec<(&ServiceName, &Backend)> =
            all.filter(|(_, b)| b.provider == *provider).collect();
        if own.iter().any(|(_, backend)| !backend.off) {
            return None;
        }
        let running = own.iter().map(|(s, b)| self.running_at(s, b)).sum();
        let ids = own.iter().flat_map(|(_, b)| b.endpoints.iter().map(whose));
        Some(self.leaving(running, ids))
    }

    fn running_at(&self, service: &ServiceName, backend: &Backend) -> u64 {
        let counts = self.loads.of_backend(service, &backend.name);
        u64::from(counts.requests) + u64::from(counts.waiting)
    }

    /// Of this edge; `None` while it takes its part.
    pub(super) fn leaving_of_edge(&self, clients: Clients) -> Option<api::Leaving> {
        let edge = || self.leaving(clients.connections, std::iter::once(Whose::Edge));
        clients.asked_to_go.then(edge)
    }

    fn leaving(&self, running: u64, of: impl Iterator<Item = Whose>) -> api::Leaving {
        let left = match running {
            0 => Some(Duration::ZERO),
            _ => self.app.leaving().time_left(of),
        };
        api::Leaving {
            running,
            eta_seconds: left.map(|left| left.as_secs_f64().ceil()),
        }
    }
}

fn whose(endpoint: &Endpoint) -> Whose {
    Whose::Endpoint(Arc::clone(&endpoint.id))
}
