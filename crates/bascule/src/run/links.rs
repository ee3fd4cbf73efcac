//! How the parts see each other: the controller its edge and its prober, the admin side its edge. Thin: each call is one
//! call of another crate.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bascule_admin::{BoundListener, Clients, ConfigPort, EdgeView, Supposed};
use bascule_control::{Confirmed, EdgeLink};
use bascule_model::{AdminState, BackendSignal, Targets};
use bascule_plan::steer::{BackendHealth, Health};
use bascule_proxy::Edge;
use bascule_telemetry::clock;
use bascule_traffic::Snapshot;
use bascule_traffic::breaker::Loads;
use bascule_traffic::explain::Sight;
use bascule_traffic::snapshot::{Endpoint, Service};
use tokio::sync::mpsc;

use super::edge::Change;
use super::reload::Reloader;
use super::stop::Ready;
use crate::supposed::proxied;

/// The controller's edge. It exists before the edge does, since the edge starts with the controller's targets.
#[derive(Debug)]
pub(super) struct Link {
    changes: mpsc::UnboundedSender<Change>,
    edge: OnceLock<Edge>,
}

impl Link {
    /// Without an edge yet.
    pub(super) const fn new(changes: mpsc::UnboundedSender<Change>) -> Self {
        Self {
            changes,
            edge: OnceLock::new(),
        }
    }

    /// Now there is one; a second is ignored.
    pub(super) fn connect(&self, edge: Edge) {
        drop(self.edge.set(edge));
    }
}

impl EdgeLink for Link {
    fn publish(&self, targets: Targets) {
        if self.changes.send(Change::Targets(targets)).is_err() {
            tracing::error!(event = "edge_task_gone");
        }
    }

    fn confirmed(&self) -> Confirmed {
        self.edge.get().map(confirmed).unwrap_or_default()
    }

    fn signals(&self) -> Vec<BackendSignal> {
        self.edge
            .get()
            .map(|edge| edge.signals(clock::now()))
            .unwrap_or_default()
    }

    fn health(&self) -> Health {
        self.edge
            .get()
            .map(|edge| health(&edge.snapshot()))
            .unwrap_or_default()
    }
}

fn confirmed(edge: &Edge) -> Confirmed {
    let confirmed = edge.confirmed();
    Confirmed {
        revision: confirmed.revision,
        workers: confirmed.workers,
    }
}

/// What is seen of each backend, by the snapshot that traffic uses.
fn health(snapshot: &Snapshot) -> Health {
    let mut health = BTreeMap::new();
    for service in &snapshot.services {
        for backend in &service.backends {
            // Those in reserve are no loss while they are not needed, and no gain.
            let counted = || backend.endpoints.iter().filter(|e| !e.is_reserve);
            let takes = |e: &&Endpoint| e.admin == AdminState::Ready && e.observed.is_usable();
            let up = counted().filter(takes).count();
            let endpoints: Vec<_> = backend
                .endpoints
                .iter()
                .map(|e| e.id.as_ref().clone())
                .collect();
            let key = (service.name().clone(), backend.name.clone());
            health.insert(
                key,
                BackendHealth {
                    up,
                    total: counted().count(),
                    endpoints,
                },
            );
        }
    }
    health
}

/// The admin side's edge.
#[derive(Debug)]
pub(super) struct View {
    /// The data plane.
    pub(super) edge: Edge,
    /// Hears that a person takes the edge out.
    pub(super) ready: Ready,
    /// Knows the listeners.
    pub(super) reloader: Arc<Reloader>,
}

impl EdgeView for View {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.edge.snapshot()
    }

    fn confirmed(&self) -> Confirmed {
        confirmed(&self.edge)
    }

    fn signals(&self) -> Vec<BackendSignal> {
        self.edge.signals(clock::now())
    }

    fn loads(&self) -> Loads {
        self.edge.loads()
    }

    fn sight(&self, service: &Arc<Service>, supposed: &Supposed) -> Sight {
        let running = self.reloader.running();
        let listener = running.config.listeners.get(&supposed.listener);
        // One that a reload has just taken away.
        let Some(listener) = listener else {
            return Sight::default();
        };
        self.edge.sight(service, proxied(supposed, listener))
    }

    fn listeners(&self) -> Vec<BoundListener> {
        self.reloader.bound()
    }

    fn clients(&self) -> Clients {
        Clients {
            requests: self.edge.in_flight(),
            connections: u64::try_from(self.edge.connections()).unwrap_or(u64::MAX),
            asked_to_go: self.edge.is_asked_to_go(),
        }
    }

    fn rest(&self, rest: bool) {
        self.ready.rest(rest);
        self.edge.rest(rest);
    }
}
