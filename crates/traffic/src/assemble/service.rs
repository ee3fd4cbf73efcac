//! What an assembler remembers of each service, and how those that changed are made anew: the most important class first,
//! and with each the services that share machines with it, whose rows depend on its.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bascule_model::Instant;

use super::build::{self, Parts, Supplies};
use super::known::Known;
use super::returns::BackendState;
use super::supply::Sites;
use crate::snapshot::Service;
use crate::spec::ServiceSpec;

/// What is remembered of a service.
#[derive(Debug)]
pub(super) struct ServiceState {
    pub(super) spec: Arc<ServiceSpec>,
    /// By index of the spec's backends.
    pub(super) backends: Vec<BackendState>,
    /// As it is in the last snapshot.
    pub(super) built: Option<Arc<Service>>,
    /// What it was built from changed.
    pub(super) dirty: bool,
    /// When its next ramp step is.
    pub(super) step_at: Option<Instant>,
}

impl ServiceState {
    /// A service as a configuration says; what is remembered of its backends stays, by name.
    pub(super) fn new(spec: Arc<ServiceSpec>, old: Option<Self>) -> Self {
        let (old_spec, old_backends, built) = match old {
            Some(old) => (Some(old.spec), old.backends, old.built),
            None => (None, Vec::new(), None),
        };
        let old_names = old_spec.iter().flat_map(|spec| spec.backends.keys());
        let mut remembered: BTreeMap<_, _> = old_names.zip(old_backends).collect();
        let backends = spec
            .backends
            .keys()
            .map(|name| remembered.remove(name).unwrap_or_default());
        Self {
            backends: backends.collect(),
            spec: Arc::clone(&spec),
            built,
            dirty: true,
            step_at: None,
        }
    }

    /// Takes what is wanted and seen of its endpoints now.
    pub(super) fn observe(&mut self, now: Instant, known: &Known) {
        for (state, (name, backend)) in self.backends.iter_mut().zip(&self.spec.backends) {
            state.observe(now, known.endpoints(&self.spec, name, backend));
        }
    }

    fn parts<'a>(
        &'a self,
        index: usize,
        (sites, known): (&'a Sites, &'a Known),
        now: Instant,
    ) -> Parts<'a> {
        Parts {
            index,
            spec: &self.spec,
            states: &self.backends,
            known,
            sites,
            now,
        }
    }

    /// Builds it anew, and keeps what it was if that is the same.
    fn rebuild(
        &mut self,
        index: usize,
        given: (&Sites, &Known),
        now: Instant,
        supplies: &mut Supplies,
    ) {
        let before = self.built.as_deref();
        let parts = self.parts(index, given, now);
        let (service, step_at) = build::service(&parts, before, supplies);
        self.step_at = step_at;
        self.dirty = false;
        if self.built.as_deref() != Some(&service) {
            self.built = Some(Arc::new(service));
        }
    }
}

/// Makes the services anew that changed, and those whose rows depend on theirs, the most important class first.
pub(super) fn rebuild(services: &mut [ServiceState], sites: &Sites, known: &Known, now: Instant) {
    let dirty = services.iter().enumerate().filter(|(_, s)| s.dirty);
    let changed: BTreeSet<usize> = dirty.map(|(index, _)| sites.group_of(index)).collect();
    for (index, service) in services.iter_mut().enumerate() {
        service.dirty |= changed.contains(&sites.group_of(index));
    }
    let mut supplies: BTreeMap<usize, Supplies> = BTreeMap::new();
    for index in sites.order() {
        if !services.get(index).is_some_and(|service| service.dirty) {
            continue;
        }
        let group = sites.group_of(index);
        let supplies = supplies
            .entry(group)
            .or_insert_with(|| supplies_of(index, services, sites, known, now));
        if let Some(service) = services.get_mut(index) {
            service.rebuild(index, (sites, known), now, supplies);
        }
    }
}

/// What there is for the services that share sites with this one.
fn supplies_of(
    index: usize,
    services: &[ServiceState],
    sites: &Sites,
    known: &Known,
    now: Instant,
) -> Supplies {
    let wants = |(service, state): (usize, &ServiceState)| {
        let joined = sites.are_joined(index, service) && sites.has_capacity(service);
        if !joined {
            return Vec::new();
        }
        state.parts(service, (sites, known), now).wants()
    };
    let wants: Vec<_> = services.iter().enumerate().map(wants).collect();
    let supply = sites.supply(|(service, backend)| wants.get(service)?.get(backend).copied());
    let lost = sites.providers(index).into_iter();
    Supplies {
        when_lost: lost.map(|provider| (provider, supply.clone())).collect(),
        now: supply,
    }
}
