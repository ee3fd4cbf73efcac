//! What traffic says of endpoints: which are taken out for it, when a trial shows whether one works again, and when its
//! checks are not to be believed. Beside the checks' [`Judge`](crate::Judge), and stricter: an endpoint whose checks pass
//! stays out while its data path fails. Told the time and the totals of all workers; says what to do through
//! [`poll_action`](Passive::poll_action).
//!
//! It works with two endpoints as with fifty, and at any rate of requests: failures are weighed against what is usual for
//! the endpoint and against what its peers do now ([`chance`]), not counted against a fixed number. It must never take out
//! more than the policy allows, never all, nor any where no other endpoint does better: where everything fails alike,
//! moving requests about helps nobody. Worse counts never give an endpoint a better verdict.
//!
//! Read next: [`offence`] (the rules, pure), [`service`] (one service's endpoints together), [`course`] (trials).
//! Reasons for the numbers: `docs/decisions/0012-ejection.md`.

mod chance;
mod course;
mod doubt;
mod eject;
mod offence;
mod policy;
mod service;
mod subject;
mod window;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    EndpointId, EndpointTotals, Instant, ObservedState, ProviderName, ServiceName,
};

pub use offence::Offence;
pub use policy::OutlierPolicy;
use service::ServiceWatch;

/// How often totals are looked at while nothing fails.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How soon they are looked at again when something does.
pub const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// An endpoint to judge by its traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub id: Arc<EndpointId>,
    /// Who runs it.
    pub provider: ProviderName,
    /// Whether it may get requests for all that people want: neither it nor its backend is off or taken out.
    pub takes_new: bool,
    /// How it is judged.
    pub policy: Arc<OutlierPolicy>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// What all workers have counted by now, of all endpoints.
    Traffic(Vec<(Arc<EndpointId>, EndpointTotals)>),
    /// What an endpoint's checks say has changed.
    Checks {
        /// Of which endpoint.
        id: Arc<EndpointId>,
        /// To what.
        state: ObservedState,
        /// When the results began that led there.
        began: Instant,
    },
    /// What an endpoint's agent wants of it has changed.
    Agent {
        /// Of which endpoint.
        id: Arc<EndpointId>,
        /// Whether it takes the endpoint out.
        out: bool,
    },
}

/// What is to be done, or told.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Let one request go to an endpoint that is out.
    Trial {
        /// To which.
        id: Arc<EndpointId>,
    },
    /// An endpoint was taken out.
    Ejected {
        /// Which.
        id: Arc<EndpointId>,
        /// Why, and how often by now.
        ejection: Ejection,
    },
    /// An endpoint was put back.
    Returned {
        /// Which.
        id: Arc<EndpointId>,
        /// How long it was out.
        after: Duration,
        /// Trials in a row that passed; none when it was put back without.
        trials: u32,
    },
    /// A trial ended.
    Tried {
        /// Of which endpoint.
        id: Arc<EndpointId>,
        /// How.
        passed: bool,
    },
    /// Endpoints of one provider fail together: one thing to say, about the provider.
    ProviderFails(ProviderFails),
    /// The checks of an endpoint are not believed any more, or believed again.
    Held {
        /// Which.
        id: Arc<EndpointId>,
        /// Whether it counts as up against its checks.
        held: bool,
    },
    /// The checks of all of a service's endpoints fail while its traffic succeeds: that says more about the checks. Or it is
    /// over.
    ChecksDoubted {
        /// Of which service.
        service: ServiceName,
        /// Whether it begins.
        doubted: bool,
    },
}

/// Why an endpoint is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// What traffic holds against it.
    pub offence: Offence,
    /// Together with others of its provider.
    pub with_provider: bool,
    /// Since when.
    pub since: Instant,
    /// How often it was taken out, this time included, as far as that is not forgotten.
    pub times: u32,
    /// Trials in a row that passed.
    pub trials_passed: u32,
}

/// Endpoints of one provider fail together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFails {
    /// At which service.
    pub service: ServiceName,
    /// Whose.
    pub provider: ProviderName,
    /// What traffic holds against them together.
    pub offence: Offence,
    /// Those that were taken out for it.
    pub endpoints: Vec<Arc<EndpointId>>,
    /// How many of the provider's there are in the service.
    pub of: usize,
}

/// What traffic says of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sight {
    /// It is out.
    pub ejection: Option<Ejection>,
    /// It counts as up against its checks.
    pub held: bool,
    /// When it last came back from being out: its ramp begins there.
    pub returned_at: Option<Instant>,
}

/// The state machine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Passive {
    services: BTreeMap<ServiceName, ServiceWatch>,
    actions: VecDeque<Action>,
}

impl Passive {
    /// One that watches nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches these endpoints and no others. What is known of an endpoint stays with its id.
    pub fn set_targets(&mut self, now: Instant, targets: Vec<Watched>) {
        let mut by_service: BTreeMap<ServiceName, Vec<Watched>> = BTreeMap::new();
        for target in targets {
            let of_service = by_service.entry(target.id.service.clone()).or_default();
            of_service.push(target);
        }
        self.services
            .retain(|name, _| by_service.contains_key(name));
        for (name, targets) in by_service {
            let service = self.services.entry(name).or_default();
            service.set_targets(now, targets, &mut self.actions);
        }
        self.check_invariants();
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Traffic(totals) => self.look(now, totals),
            Input::Checks { id, state, began } => {
                if let Some(service) = self.services.get_mut(&id.service) {
                    service.checked(now, &id, state, began, &mut self.actions);
                }
            }
            Input::Agent { id, out } => {
                if let Some(service) = self.services.get_mut(&id.service) {
                    service.agent_takes_out(now, &id, out, &mut self.actions);
                }
            }
        }
        self.check_invariants();
    }

    /// Grants the trials that are due, and gives up those that hang. Nothing happens when there is none.
    pub fn handle_timeout(&mut self, now: Instant) {
        for service in self.services.values_mut() {
            service.run_trials(now, &mut self.actions);
        }
        self.check_invariants();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.services.values().filter_map(ServiceWatch::due).min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What traffic says of an endpoint.
    #[must_use]
    pub fn sight(&self, id: &EndpointId) -> Sight {
        let service = self.services.get(&id.service);
        service.map_or_else(Sight::default, |service| service.sight(id))
    }

    /// Whether it judges any endpoint.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.services.values().any(ServiceWatch::watches)
    }

    fn look(&mut self, now: Instant, totals: Vec<(Arc<EndpointId>, EndpointTotals)>) {
        for service in self.services.values_mut() {
            service.advance(now);
        }
        for (id, totals) in &totals {
            if let Some(service) = self.services.get_mut(&id.service) {
                service.take(now, id, totals, &mut self.actions);
            }
        }
        for service in self.services.values_mut() {
            service.decide(now, &mut self.actions);
        }
    }

    /// Fails in debug builds when the machine contradicts itself.
    pub fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            self.services
                .values()
                .for_each(ServiceWatch::check_invariants);
        }
    }
}

#[cfg(test)]
mod tests;
