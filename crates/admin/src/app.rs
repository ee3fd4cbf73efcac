//! What every handler shares: the ports, what was measured, and the places for event streams. No locks are held across
//! an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bascule_model::{Revision, Timestamp};
use bascule_telemetry::clock;
use tokio::sync::{Semaphore, watch};

use crate::access::Tokens;
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
        }))
    }

    /// What was measured. Held for a copy or a push, never across an await.
    pub(crate) fn window(&self) -> MutexGuard<'_, Window> {
        // A push or a read leaves nothing half done.
        self.0.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the edge's totals into the window.
    pub(crate) fn measure(&self) {
        let signals = self.ports.edge.signals();
        self.window().push(clock::now(), signals);
    }

    pub(crate) fn revision(&self) -> Revision {
        self.ports.control.state().revision
    }
}
