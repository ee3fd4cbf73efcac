//! From what is wanted and what is seen to a [`Snapshot`]: takes configurations, targets, verdicts and resolved
//! addresses in any order, and gives a new snapshot when something changed, at most twenty times a second. Sans-IO: it is
//! told the time and asks to be called again for ramps. What did not change is shared with the snapshot before, service
//! by service. It never accepts a revision older than the one it has, and never lets what is off have a share.
//!
//! Feed it everything at hand before asking for the first snapshot: it is built from what there is by then, and a person's
//! *off* that comes later comes too late for the requests between.
//!
//! Next: [`known`] answers questions about the inputs, [`records`] makes endpoints of SRV records, [`returns`] remembers who
//! came back when and [`levels`] which priority serves, [`service`] says what is made
//! anew, [`supply`] how much fits where services share machines, [`build`] makes one service.

mod build;
mod known;
mod levels;
mod records;
mod returns;
mod service;
mod supply;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    AdminState, BasisPoints, EndpointId, Instant, ObservedState, ProviderName, Revision,
    ServiceName, SrvRecord, Targets,
};

use crate::capacity::Demand;
use crate::route::Table;
use crate::snapshot::Snapshot;
use crate::spec::ServiceSpec;
use known::Known;
use service::{ServiceState, rebuild};
use supply::Sites;

/// The least time between two snapshots: at most twenty a second, and a change is out within 50 ms.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);

/// What an assembler is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The services of a configuration: all of them.
    Services(Vec<Arc<ServiceSpec>>),
    /// What the control plane wants.
    Targets(Targets),
    /// What is seen of all endpoints. One that is not named has not been seen yet and counts as the service's
    /// `initial` says.
    Health(BTreeMap<EndpointId, EndpointHealth>),
    /// The addresses of a host name. None at all changes nothing: the last ones are kept.
    Resolved {
        /// The name, in lower case.
        host: Arc<str>,
        /// Its addresses, in any order.
        addresses: Vec<IpAddr>,
    },
    /// The records of an SRV name, their targets resolved. None at all, or none with an address, changes nothing.
    Records {
        /// The name, in lower case.
        name: Arc<str>,
        /// Its records, in any order.
        records: Vec<SrvRecord>,
    },
    /// What a service brings, as [`demand`](crate::demand) measures it. Of one without a capacity it changes nothing.
    Demand {
        /// The service.
        service: ServiceName,
        /// What clients ask of it.
        demand: Demand,
    },
}

/// What is seen of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointHealth {
    /// The state.
    pub state: ObservedState,
    /// When it came back up after having been down; `None` when it never was down.
    pub returned_at: Option<Instant>,
    /// What the agent beside it wants; `ready` where there is none. It can take an endpoint out, and not bring back what a
    /// person took out.
    pub agent: AdminState,
    /// How much of its part inside the backend it can take, as its agent says.
    pub weight: BasisPoints,
}

impl EndpointHealth {
    /// What is seen of an endpoint without an agent.
    #[must_use]
    pub const fn new(state: ObservedState, returned_at: Option<Instant>) -> Self {
        Self {
            state,
            returned_at,
            agent: AdminState::Ready,
            weight: BasisPoints::FULL,
        }
    }
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
    /// What people want of it: the strictest of its own state, its backend's and its provider's. What its agent wants is not
    /// in it, as the agent must be asked on to take it back.
    pub admin: AdminState,
    /// Its backend is off: it gets nothing, whatever else fails.
    pub off: bool,
}

/// Builds snapshots.
#[derive(Debug, Default)]
pub struct Assembler {
    now: Instant,
    known: Known,
    /// In the order of the configuration; `None` before there is one.
    services: Option<Vec<ServiceState>>,
    routes: Arc<Table>,
    sites: Sites,
    /// Something changed since the last snapshot.
    changed: bool,
    published: Option<(Instant, Arc<Snapshot>)>,
}

impl Assembler {
    /// One that knows nothing; it gives no snapshot before it is told the services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an input.
    ///
    /// # Errors
    /// [`Stale`] for targets older than those in effect. The same revision again is taken.
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), Stale> {
        self.now = self.now.max(now);
        match input {
            Input::Services(specs) => self.set_services(specs),
            Input::Targets(targets) => self.set_targets(targets)?,
            Input::Health(health) => {
                let touched = self.known.set_health(health);
                self.touch(|spec| touched.contains(&spec.name));
            }
            Input::Resolved { host, addresses } => {
                if self.known.set_addresses(&host, addresses) {
                    self.touch(|spec| known::uses_host(spec, &host));
                }
            }
            Input::Records { name, records } => {
                if self.known.set_records(&name, records) {
                    self.touch(|spec| known::uses_srv(spec, &name));
                }
            }
            Input::Demand { service, demand } => {
                if self.known.set_demand(&service, demand) {
                    self.weigh(&service);
                }
            }
        }
        self.check_invariants();
        Ok(())
    }

    /// Time has passed; of no effect before [`poll_timeout`](Self::poll_timeout)'s instant.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let now = self.now;
        for service in self.services.iter_mut().flatten() {
            if service.step_at.is_some_and(|step_at| step_at <= now) {
                service.dirty = true;
                service.step_at = None;
                self.changed = true;
            }
        }
        self.check_invariants();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let services = self.services.iter().flatten();
        let steps = services.filter_map(|service| service.step_at);
        let publish = self.changed.then_some(()).and(self.publish_at());
        steps.chain(publish).min()
    }

    /// The next snapshot, if there is one. Ask after every call of the other two.
    pub fn poll_snapshot(&mut self) -> Option<Arc<Snapshot>> {
        let too_early = self.publish_at().is_some_and(|at| self.now < at);
        if !self.changed || too_early {
            return None;
        }
        let services = self.services.as_mut()?;
        rebuild(services, &self.sites, &self.known, self.now);
        self.changed = false;
        let snapshot = Snapshot {
            revision: self.known.targets.revision,
            generation: self.published.as_ref().map_or(0, |(_, s)| s.generation) + 1,
            routes: Arc::clone(&self.routes),
            services: services.iter().filter_map(|s| s.built.clone()).collect(),
        };
        if self
            .published
            .as_ref()
            .is_some_and(|(_, last)| is_same(last, &snapshot))
        {
            return None;
        }
        let snapshot = Arc::new(snapshot);
        self.published = Some((self.now, Arc::clone(&snapshot)));
        self.check_invariants();
        Some(snapshot)
    }

    /// Every endpoint there is, ordered by service, then by id.
    #[must_use]
    pub fn check_targets(&self) -> Vec<CheckTarget> {
        let mut targets = Vec::new();
        for service in self.services.iter().flatten() {
            let target = self.known.target(&service.spec);
            for (backend, (name, spec)) in service.backends.iter().zip(&service.spec.backends) {
                let share = target.get(name).unwrap_or_default();
                let off = build::is_off(&service.spec, name, spec, share, &self.known);
                targets.extend(backend.endpoints().map(|(id, endpoint)| CheckTarget {
                    id: EndpointId::clone(id),
                    provider: spec.provider.clone(),
                    admin: endpoint.by_people,
                    off,
                }));
            }
        }
        targets
    }

    /// When the next snapshot may be given; `None`: at once.
    fn publish_at(&self) -> Option<Instant> {
        self.published.as_ref().map(|(at, _)| *at + PUBLISH_EVERY)
    }

    fn set_services(&mut self, specs: Vec<Arc<ServiceSpec>>) {
        let same = |old: &Vec<ServiceState>| old.iter().map(|s| &s.spec).eq(&specs);
        if self.services.as_ref().is_some_and(same) {
            return;
        }
        let routes = Table::build(&specs);
        if *self.routes != routes {
            self.routes = Arc::new(routes);
        }
        let before = self.services.take().unwrap_or_default();
        let mut before: BTreeMap<ServiceName, ServiceState> = before
            .into_iter()
            .map(|s| (s.spec.name.clone(), s))
            .collect();
        let mut services = Vec::with_capacity(specs.len());
        for spec in specs {
            let mut service = match before.remove(&spec.name) {
                Some(old) if old.spec == spec => old,
                old => ServiceState::new(spec, old),
            };
            if service.dirty {
                service.observe(self.now, &self.known);
            }
            services.push(service);
        }
        let specs: Vec<&ServiceSpec> = services.iter().map(|s| &*s.spec).collect();
        self.sites = Sites::of(&specs);
        // Whom a service shares machines with may be another than before, and a capacity that went away holds no more.
        let mut limited = BTreeSet::new();
        for (index, service) in services.iter_mut().enumerate() {
            let had_capacity = service.built.as_ref().is_some_and(|s| s.has_capacity());
            let has_capacity = self.sites.has_capacity(index);
            service.dirty |= has_capacity || had_capacity;
            if has_capacity {
                limited.insert(service.spec.name.clone());
            }
        }
        self.known.forget_demands_but(&limited);
        self.services = Some(services);
        self.changed = true;
    }

    /// A service brings another load: it is made anew where it has a capacity to keep.
    fn weigh(&mut self, name: &ServiceName) {
        for (index, service) in self.services.iter_mut().flatten().enumerate() {
            if service.spec.name == *name && self.sites.has_capacity(index) {
                service.dirty = true;
                self.changed = true;
            }
        }
    }

    fn set_targets(&mut self, targets: Targets) -> Result<(), Stale> {
        let current = self.known.targets.revision;
        if targets.revision < current {
            let offered = targets.revision;
            return Err(Stale { current, offered });
        }
        // A new revision is published even when it changes nothing: whoever made it waits to see it in effect.
        self.changed |= targets.revision > current;
        let before = std::mem::replace(&mut self.known.targets, targets);
        let after = self.known.targets.clone();
        self.touch(|spec| known::differs(&before, &after, spec));
        Ok(())
    }

    /// Looks again at the services that an input concerns.
    fn touch(&mut self, concerns: impl Fn(&ServiceSpec) -> bool) {
        let services = self.services.iter_mut().flatten();
        for service in services.filter(|service| concerns(&service.spec)) {
            service.dirty = true;
            service.observe(self.now, &self.known);
            self.changed = true;
        }
    }

    fn check_invariants(&self) {
        let services = || self.services.iter().flatten();
        let names: BTreeSet<&ServiceName> = services().map(|s| &s.spec.name).collect();
        debug_assert_eq!(
            names.len(),
            services().count(),
            "service names are distinct"
        );
        debug_assert!(
            self.changed || services().all(|s| !s.dirty),
            "a service that changed waits to be published"
        );
        debug_assert!(
            services()
                .filter_map(|s| s.built.as_ref())
                .all(|s| build::is_exact(s)),
            "effective shares sum to 10 000, and what is off has none"
        );
    }
}

/// Whether a snapshot would tell nothing new.
fn is_same(last: &Snapshot, next: &Snapshot) -> bool {
    let pairs = last.services.iter().zip(&next.services);
    last.revision == next.revision
        && Arc::ptr_eq(&last.routes, &next.routes)
        && last.services.len() == next.services.len()
        && pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
}

#[cfg(test)]
mod tests;
