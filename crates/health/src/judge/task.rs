//! What a probe does, what makes the probes of several endpoints one, and who shares it. It must never call two the same
//! that would see different things. What is asked when is in [`probes`](super::probes).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BasisPoints, EndpointId, Scheme};

use super::Target;
use crate::CheckPolicy;

/// What makes two probes one: they would ask the same place the same in the same way, as often.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProbeKey {
    /// A health check.
    Check {
        address: SocketAddr,
        scheme: Scheme,
        host: Option<Arc<str>>,
        trust: usize,
        policy: Arc<CheckPolicy>,
    },
    /// A question to an agent.
    Agent(AgentTask),
}

impl ProbeKey {
    /// The probes that an endpoint is a member of: one, or two where it has an agent.
    pub(super) fn of(target: &Target) -> impl Iterator<Item = Self> + use<> {
        let check = Self::Check {
            address: target.id.address,
            scheme: target.id.scheme,
            host: target.id.host.clone(),
            trust: target.trust,
            policy: Arc::clone(&target.policy),
        };
        let agent = target.policy.agent.map(|agent| {
            let mut address = target.id.address;
            address.set_port(agent.port);
            Self::Agent(AgentTask {
                address,
                interval: agent.interval,
                timeout: target.policy.timeout,
                jitter: target.policy.jitter,
            })
        });
        std::iter::once(check).chain(agent)
    }

    pub(super) fn task(&self) -> Task {
        match self {
            Self::Check { policy, .. } => Task::Check(Arc::clone(policy)),
            Self::Agent(task) => Task::Agent(*task),
        }
    }
}

/// How an agent is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AgentTask {
    pub(super) address: SocketAddr,
    interval: Duration,
    pub(super) timeout: Duration,
    jitter: BasisPoints,
}

/// What a probe does again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Check(Arc<CheckPolicy>),
    Agent(AgentTask),
}

impl Task {
    pub(super) fn interval(&self) -> Duration {
        match self {
            Self::Check(policy) => policy.interval,
            Self::Agent(task) => task.interval,
        }
    }

    /// Nobody is in a hurry about what an agent says.
    pub(super) fn interval_fast(&self) -> Duration {
        match self {
            Self::Check(policy) => policy.interval_fast.min(policy.interval),
            Self::Agent(task) => task.interval,
        }
    }

    pub(super) fn jitter(&self) -> BasisPoints {
        match self {
            Self::Check(policy) => policy.jitter,
            Self::Agent(task) => task.jitter,
        }
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
