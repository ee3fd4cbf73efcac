//! From what is wanted and what is seen to a [`Snapshot`]: takes configurations, targets, verdicts and resolved
//! addresses in any order, and gives a new snapshot when something changed, at most twenty times a second. Sans-IO: it is
//! told the time and asks to be called again for ramps. What did not change is shared with the snapshot before, service
//! by service. It never accepts a revision older than the one it has, and never lets what is off have a share.
//!
//! Feed it everything at hand before asking for a snapshot: the first one is built from what it has by then.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bascule_model::{
    AdminState, EndpointId, Instant, ObservedState, ProviderName, Revision, Targets,
};

use crate::snapshot::Snapshot;
use crate::spec::ServiceSpec;

/// What an assembler is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The services of a configuration: all of them.
    Services(Vec<Arc<ServiceSpec>>),
    /// What the control plane wants.
    Targets(Targets),
    /// What is seen of all endpoints. One that is not named has not been seen yet and counts as up.
    Health(BTreeMap<EndpointId, EndpointHealth>),
    /// The addresses of a host name. None at all changes nothing: the last ones are kept.
    Resolved {
        /// The name, in lower case.
        host: Arc<str>,
        /// Its addresses, in any order.
        addresses: Vec<IpAddr>,
    },
}

/// What is seen of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndpointHealth {
    /// The state.
    pub state: ObservedState,
    /// When it came back up after having been down; `None` when it never was down.
    pub returned_at: Option<Instant>,
}

/// Targets that are older than those in effect; they are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("revision {offered} is older than revision {current}, which is in effect")]
pub struct Stale {
    /// The one in effect.
    pub current: Revision,
    /// The one offered.
    pub offered: Revision,
}

/// An endpoint to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckTarget {
    /// Its identity.
    pub id: EndpointId,
    /// Who runs it.
    pub provider: ProviderName,
    /// What people want of it: the strictest of its own state, its backend's and its provider's.
    pub admin: AdminState,
}

/// Builds snapshots.
#[derive(Debug, Default)]
pub struct Assembler {}

impl Assembler {
    /// One that knows nothing; it gives no snapshot before it is told the services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an input.
    ///
    /// # Errors
    /// [`Stale`] for targets older than those in effect.
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), Stale> {
        let _later = (now, input);
        Ok(())
    }

    /// Time has passed; of no effect before [`poll_timeout`](Self::poll_timeout)'s instant.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _later = now;
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next snapshot, if there is one. Ask after every call of the other two.
    pub fn poll_snapshot(&mut self) -> Option<Arc<Snapshot>> {
        None
    }

    /// Every endpoint there is, ordered by id.
    #[must_use]
    pub fn check_targets(&self) -> Vec<CheckTarget> {
        Vec::new()
    }
}
