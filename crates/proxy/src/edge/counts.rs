//! What the workers have counted, summed for those who ask: the controller, and whoever measures what services bring.

use std::sync::Arc;

use bascule_model::{BackendName, BackendSignal, Instant, ServiceName};
use bascule_telemetry::names;
use bascule_traffic::demand::Totals;
use bascule_traffic::snapshot::Service;

use super::Edge;
use crate::shared::{BackendTotals, Cell};

impl Edge {
    /// What the controller is told: totals of every backend of the current snapshot, over all workers.
    #[must_use]
    pub fn signals(&self, now: Instant) -> Vec<BackendSignal> {
        let snapshot = self.snapshot();
        let services = snapshot.services.iter();
        let backends = services.flat_map(|s| s.backends.iter().map(move |b| (s.name(), &b.name)));
        let signal = |(service, backend): (&ServiceName, &BackendName)| {
            let cells = self.0.shared.backend(&(service.clone(), backend.clone()));
            let sum = |cell: fn(&BackendTotals) -> &Cell| cells.all().map(|t| cell(t).get()).sum();
            let labels = [
                ("service", service.as_str()),
                ("backend", backend.as_str()),
                ("phase", "ttfb"),
            ];
            BackendSignal {
                at: now,
                service: service.clone(),
                backend: backend.clone(),
                requests: sum(|totals| &totals.requests),
                errors: sum(|totals| &totals.errors),
                picks: sum(|totals| &totals.picks),
                in_flight: sum(|totals| &totals.in_flight),
                latency: self.0.registry.histogram(names::UPSTREAM_DURATION, &labels),
            }
        };
        backends.map(signal).collect()
    }

    /// What is counted of the services that have a capacity to keep, over all workers.
    #[must_use]
    pub fn totals(&self) -> Vec<(Arc<Service>, Totals)> {
        let snapshot = self.snapshot();
        let limited = snapshot.services.iter().filter(|s| s.has_capacity());
        let of = |service: &Arc<Service>| (Arc::clone(service), self.totals_of(service));
        limited.map(of).collect()
    }

    fn totals_of(&self, service: &Service) -> Totals {
        let shared = &self.0.shared;
        let cells = shared.service(service.name());
        let mut totals = Totals::default();
        for own in cells.all() {
            totals.offered = totals.offered.saturating_add(own.offered.get());
            totals.shed = totals.shed.saturating_add(own.shed.get());
            totals.bytes = totals.bytes.saturating_add(own.bytes.get());
        }
        for backend in &service.backends {
            let cells = shared.backend(&(service.name().clone(), backend.name.clone()));
            for own in cells.all() {
                totals.finished = totals.finished.saturating_add(own.requests.get());
                totals.in_flight = totals.in_flight.saturating_add(own.in_flight.get());
            }
        }
        totals
    }
}
