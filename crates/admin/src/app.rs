//! What every handler shares: the ports, what was measured, and the places for event streams. No locks are held across
//! an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bascule_model::{AdminState, Revision, Timestamp};
use bascule_telemetry::clock;
use bascule_traffic::breaker::Loads;
use tokio::sync::{Semaphore, watch};

use crate::access::Tokens;
use crate::leaving::{Leaving, Whose};
use crate::measured::Window;
use crate::ports::Ports;

/// Event streams open at once: each is a task and a place in the broadcast; dashboards and `events -f` of a team.
pub(crate) const STREAMS_MAX: usize = 64;

/// See the module.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) ports: Ports,
    pub(crate) tokens: Tokens,
    pub(crate) host_names: Vec<String>,
    pub(crate) instance: String,
    pub(crate) version: String,
    pub(crate) started_at: Timestamp,
    pub(crate) streams: Arc<Semaphore>,
    /// Becomes true when the listeners stop: event streams end then.
    pub(crate) stopping: watch::Receiver<bool>,
    window: Mutex<Window>,
    leaving: Mutex<Leaving>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What an [`App`] is made of.
pub(crate) struct Parts {
    pub(crate) ports: Ports,
    pub(crate) tokens: Tokens,
    pub(crate) host_names: Vec<String>,
    pub(crate) instance: String,
    pub(crate) version: String,
    pub(crate) started_at: Timestamp,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            ports: parts.ports,
            tokens: parts.tokens,
            host_names: parts.host_names,
            instance: parts.instance,
            version: parts.version,
            started_at: parts.started_at,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopping: parts.stopping,
            window: Mutex::default(),
            leaving: Mutex::default(),
        }))
    }

    /// What was measured. Held for a copy or a push, never across an await.
    pub(crate) fn window(&self) -> MutexGuard<'_, Window> {
        // A push or a read leaves nothing half done.
        self.0.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How fast drained endpoints become empty. Held as the window is.
    pub(crate) fn leaving(&self) -> MutexGuard<'_, Leaving> {
        self.0
            .leaving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the edge's totals into the window, and what still runs where nothing new goes.
    pub(crate) fn measure(&self) {
        let now = clock::now();
        let signals = self.ports.edge.signals();
        self.window().push(now, signals);
        let snapshot = self.ports.edge.snapshot();
        let backends = snapshot
            .services
            .iter()
            .flat_map(|service| &service.backends);
        let endpoints = backends.flat_map(|b| b.endpoints.iter().map(move |e| (b.off, e)));
        let drained: Vec<_> = endpoints
            .filter(|(off, endpoint)| *off || endpoint.admin != AdminState::Ready)
            .map(|(_, endpoint)| Arc::clone(&endpoint.id))
            .collect();
        // Most of the time nothing is drained, and then nothing needs to be summed.
        let loads = match drained.is_empty() {
            true => Loads::default(),
            false => self.ports.edge.loads(),
        };
        let running = drained.into_iter().map(|id| {
            let running = loads.of_endpoint(&id).requests;
            (Whose::Endpoint(id), running)
        });
        let clients = self.ports.edge.clients();
        let edge = clients.asked_to_go.then(|| {
            let connections = u32::try_from(clients.connections).unwrap_or(u32::MAX);
            (Whose::Edge, connections)
        });
        self.leaving().push(now, running.chain(edge));
    }

    pub(crate) fn revision(&self) -> Revision {
        self.ports.control.state().revision
    }
}
