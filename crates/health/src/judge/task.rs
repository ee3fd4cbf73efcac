//! What makes checks of several endpoints one, and who shares it. It must never call two the same that would see different
//! things. What is asked when is in [`probes`](super::probes).

use std::net::SocketAddr;
use std::sync::Arc;

use bascule_model::{EndpointId, Scheme};

use super::Target;
use crate::CheckPolicy;

/// What makes two checks one: they would ask the same place the same in the same way, as often.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProbeKey {
    address: SocketAddr,
    scheme: Scheme,
    host: Option<Arc<str>>,
    trust: usize,
    policy: Arc<CheckPolicy>,
}

impl ProbeKey {
    pub(super) fn of(target: &Target) -> Self {
        Self {
            address: target.id.address,
            scheme: target.id.scheme,
            host: target.id.host.clone(),
            trust: target.trust,
            policy: Arc::clone(&target.policy),
        }
    }

    pub(super) fn policy(&self) -> Arc<CheckPolicy> {
        Arc::clone(&self.policy)
    }
}

/// Endpoints that are one target.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sharers {
    /// Those that are checked.
    pub(super) members: Vec<Arc<EndpointId>>,
    /// The others.
    pub(super) resting: Vec<Arc<EndpointId>>,
}

impl Sharers {
    pub(super) fn add(&mut self, id: &Arc<EndpointId>, checked: bool) {
        let side = if checked {
            &mut self.members
        } else {
            &mut self.resting
        };
        side.push(Arc::clone(id));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<EndpointId>> {
        self.members.iter().chain(&self.resting)
    }
}
