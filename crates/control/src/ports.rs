//! What the controller needs from outside: an edge to publish to and to hear from, somebody who sends probes, and a lease
//! that says who leads. Small object-safe traits; the composition gives the implementations, tests give fakes.

use std::future::Future;
use std::pin::Pin;

use bascule_model::{BackendName, BackendSignal, Revision, ServiceName, Targets};
use bascule_plan::steer::Health;

/// The edge of this process, or later the edges of a fleet. Calls are quick and never block.
pub trait EdgeLink: Send + Sync {
    /// Makes the edge use these targets; an older revision than it has is refused by the edge.
    fn publish(&self, targets: Targets);
    /// What all workers use by now.
    fn confirmed(&self) -> Confirmed;
    /// The totals of every backend.
    fn signals(&self) -> Vec<BackendSignal>;
    /// What is seen of every backend. Backends that are not in it count as up.
    fn health(&self) -> Health;
}

/// What all workers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Confirmed {
    /// The lowest revision in use by any worker.
    pub revision: Revision,
    /// How many workers there are.
    pub workers: usize,
}

/// Sends probes as a client would, through the edge's own listeners.
pub trait Prove: Send + Sync {
    /// Sends one request to the service and says which backend answered, or why none did. Ends within a few seconds.
    fn probe(
        &self,
        service: ServiceName,
    ) -> Pin<Box<dyn Future<Output = Result<BackendName, String>> + Send>>;
}

/// Says whether this process leads. Only the leader decides; others keep what they have.
pub trait Lease: Send + Sync {
    /// Whether it leads now.
    fn leads(&self) -> bool;
}

/// The lease of a process that is alone: it always leads.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Lease for InProcess {
    fn leads(&self) -> bool {
        true
    }
}
