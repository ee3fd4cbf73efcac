//! What one worker derived from a snapshot: pickers, pools, metric handles. Rebuilt when the snapshot changes, from it and
//! the view before; whatever keeps its id keeps its credits, connections and numbers. A request holds the view it began
//! with for its whole life, by an `Rc` of this thread.

mod lease;
mod load;
mod look;
mod room;
mod trial;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{AdminState, EndpointId, Instant, ListenerName, ObservedState, ServiceName};
use bascule_telemetry::recorder::CellRecorder;
use bascule_traffic::admit::Shedder;
use bascule_traffic::breaker::ServiceLimits;
use bascule_traffic::hash::Key;
use bascule_traffic::retry::Budget;
use bascule_traffic::snapshot::{self, Backend, Service};
use bascule_traffic::suspect::{Repeatable, Times};
use bascule_traffic::{Choice, PickReason, PickRefused, Picker, Snapshot, Way};

use crate::affinity::{Affinity, Bond, CookieSecrets};
use crate::http::key::Keys;
use crate::line::PlaceLine;
use crate::meters::Meters;
use crate::places::Places;
use crate::shared::{BackendCells, Shared, Trials};
use crate::spills::Spills;
use crate::upstream::{Endpoint, UpstreamTls, Watch, tls_of};
pub(crate) use load::Load;
pub(crate) use room::NoPlace;
use room::{Asker, WaitMeters};

pub(crate) use lease::Lease;

/// What a view is made with, the same for all views of a worker.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The worker's number, from 0.
    pub(crate) worker: usize,
    /// What all of them see.
    pub(crate) shared: Arc<Shared>,
    /// Makes this worker's metric handles.
    pub(crate) recorder: CellRecorder,
}

/// One worker's view of a snapshot.
#[derive(Debug)]
pub(crate) struct WorkerView {
    /// The snapshot.
    pub(crate) snapshot: Arc<Snapshot>,
    services: Vec<Rc<ServiceView>>,
    /// Of requests that belong to no service.
    pub(crate) unrouted: Rc<Meters>,
}

/// One service.
#[derive(Debug)]
pub(crate) struct ServiceView {
    /// Its state in the snapshot.
    pub(crate) service: Arc<Service>,
    /// Of requests that reached no backend.
    pub(crate) unserved: Rc<Meters>,
    picker: RefCell<Picker>,
    shedder: Rc<RefCell<Shedder>>,
    load: Option<Rc<Load>>,
    budget: Rc<RefCell<Budget>>,
    spills: Spills,
    /// What keeps its requests together.
    affinity: Option<Affinity>,
    /// Finds the keys that endpoints are chosen by.
    pub(crate) keys: Option<Keys>,
    /// The limits, where there are any.
    limits: Option<ServiceLimits>,
    backends: Vec<Rc<BackendView>>,
    trials: Arc<Trials>,
    worker: usize,
}

/// One backend.
#[derive(Debug)]
pub(crate) struct BackendView {
    /// Its state in the snapshot.
    service: Arc<Service>,
    index: usize,
    /// Its metric handles.
    pub(crate) meters: Rc<Meters>,
    cells: Arc<BackendCells>,
    /// Those that wait for it, at all workers.
    line: Arc<PlaceLine>,
    waits: Option<Rc<WaitMeters>>,
    endpoints: Vec<Rc<Endpoint>>,
}

impl WorkerView {
    /// The view of a snapshot, carrying over from the one before.
    pub(crate) fn build(
        ground: &Ground,
        snapshot: Arc<Snapshot>,
        tls: &UpstreamTls,
        secrets: &CookieSecrets,
        previous: Option<&Self>,
    ) -> Self {
        let known: BTreeMap<&ServiceName, &Rc<ServiceView>> = previous
            .map(|view| {
                view.services
                    .iter()
                    .map(|s| (s.service.name(), s))
                    .collect()
            })
            .unwrap_or_default();
        let services = snapshot.services.iter().map(|service| {
            let before = known.get(service.name()).copied();
            ServiceView::build(ground, service, tls, secrets, before)
        });
        let unrouted = previous.map_or_else(
            || Rc::new(Meters::new(&ground.recorder, "", "", "")),
            |view| Rc::clone(&view.unrouted),
        );
        let view = Self {
            services: services.collect(),
            unrouted,
            snapshot,
        };
        if let Some(previous) = previous {
            view.withdraw_trials(previous);
        }
        view
    }

    /// **route**: the service of a request.
    pub(crate) fn route(
        &self,
        listener: &ListenerName,
        host: Option<&str>,
        path: &str,
    ) -> Option<&Rc<ServiceView>> {
        let route = self.snapshot.routes.listener(listener)?.find(host, path)?;
        self.services.get(route.service)
    }

    /// Closes connections that have been idle for too long, and works out what silence is strange.
    pub(crate) fn sweep(&self, now: Instant) {
        for service in &self.services {
            let idle_max = service.service.spec.timeouts.upstream_idle;
            let backends = service.backends.iter();
            backends.for_each(|backend| backend.sweep(now, idle_max));
        }
    }
}

impl ServiceView {
    fn build(
        ground: &Ground,
        service: &Arc<Service>,
        tls: &UpstreamTls,
        secrets: &CookieSecrets,
        previous: Option<&Rc<Self>>,
    ) -> Rc<Self> {
        let unchanged = |view: &Rc<Self>| {
            Arc::ptr_eq(&view.service, service)
                && view.has_tls(tls)
                && view
                    .affinity
                    .as_ref()
                    .is_none_or(|a| a.has_secrets(secrets))
        };
        if let Some(same) = previous.filter(|view| unchanged(view)) {
            return Rc::clone(same);
        }
        let policy = &service.spec.retry;
        let worker = ground.worker;
        let new_budget = || {
            let ledger = ground.shared.ledger(service.name());
            Rc::new(RefCell::new(Budget::join(policy, worker, ledger)))
        };
        let budget = previous.map_or_else(new_budget, |view| Rc::clone(&view.budget));
        budget.borrow_mut().set_policy(policy);
        let picker = previous.map_or_else(
            || Picker::new(worker, service),
            |view| Picker::carry(view.picker.borrow().clone(), service),
        );
        let new_meters = || {
            Rc::new(Meters::new(
                &ground.recorder,
                service.name().as_str(),
                "",
                "",
            ))
        };
        let unserved = previous.map_or_else(new_meters, |view| Rc::clone(&view.unserved));
        let backends = service.backends.iter().enumerate().map(|(index, backend)| {
            let same = |b: &&Rc<BackendView>| b.backend().is_some_and(|b| b.name == backend.name);
            let before = previous.and_then(|view| view.backends.iter().find(same));
            BackendView::build(ground, service, index, backend, tls, before)
        });
        let affinity = Affinity::build(
            service,
            secrets,
            |ttl| ground.shared.live(service.name(), ttl),
            previous.and_then(|view| view.affinity.as_ref()),
        );
        let new_shedder = || Rc::new(RefCell::new(Shedder::new(worker)));
        let load = || Load::new(ground, service.name());
        Rc::new(Self {
            affinity,
            keys: Keys::of_balance(&service.spec),
            backends: backends.collect(),
            shedder: previous.map_or_else(new_shedder, |view| Rc::clone(&view.shedder)),
            load: service.has_capacity().then(|| Rc::new(load())),
            service: Arc::clone(service),
            unserved,
            picker: RefCell::new(picker),
            budget,
            spills: Spills::new(&ground.recorder),
            trials: ground.shared.trials(service.name()),
            limits: Some(service.spec.limits).filter(ServiceLimits::is_limited),
            worker,
        })
    }

    /// Whether every endpoint would get the TLS side it has.
    fn has_tls(&self, tls: &UpstreamTls) -> bool {
        self.backends.iter().all(|backend| {
            let spec = backend
                .backend()
                .and_then(|b| self.service.spec.backends.get(&b.name));
            let same = |e: &Rc<Endpoint>| {
                spec.is_none_or(|spec| e.has_tls(tls_of(e.id_ref(), spec, tls).as_ref()))
            };
            backend.endpoints.iter().all(same)
        })
    }

    fn endpoints(&self) -> impl Iterator<Item = &Rc<Endpoint>> {
        self.backends.iter().flat_map(|backend| &backend.endpoints)
    }

    /// What keeps its requests together.
    pub(crate) const fn affinity(&self) -> Option<&Affinity> {
        self.affinity.as_ref()
    }

    /// **pick**: for the first try.
    pub(crate) fn first(
        &self,
        bond: Option<&Bond>,
        key: Option<Key>,
        request: Repeatable,
    ) -> Result<Lease, PickRefused> {
        let mut picker = self.picker.borrow_mut();
        let now = self.now_for_latency();
        let look = |backend, endpoint| self.look(backend, endpoint, now, request, Asker::Comes);
        let place = bond.and_then(|bond| bond.place);
        let choice = picker.first_of(&self.service, Way { place, key }, look)?;
        if let PickReason::Spill { from, cause } = choice.why {
            self.spills
                .count(&self.service, from, choice.backend, cause);
        }
        let lease = self.lease(choice).ok_or(PickRefused::Nothing)?;
        lease.endpoint.watch.is_tried();
        Ok(lease)
    }

    /// **pick**: for a further try.
    pub(crate) fn other(&self, tried: &[Choice]) -> Option<Choice> {
        let mut picker = self.picker.borrow_mut();
        let now = self.now_for_latency();
        picker.other(&self.service, tried, |backend, endpoint| {
            self.look(backend, endpoint, now, Repeatable::No, Asker::Comes)
        })
    }

    /// Takes a place at the endpoint that was chosen.
    pub(crate) fn lease(&self, choice: Choice) -> Option<Lease> {
        let backend = Rc::clone(self.backends.get(choice.backend)?);
        let endpoint = Rc::clone(backend.endpoints.get(choice.endpoint)?);
        Some(Lease::take(choice, backend, endpoint, self.worker))
    }

    /// The service's retry budget at this worker.
    pub(crate) fn budget(&self) -> &RefCell<Budget> {
        &self.budget
    }
}

impl BackendView {
    fn build(
        ground: &Ground,
        service: &Arc<Service>,
        index: usize,
        backend: &Backend,
        tls: &UpstreamTls,
        previous: Option<&Rc<Self>>,
    ) -> Rc<Self> {
        let spec = service.spec.backends.get(&backend.name);
        let key = (service.name().clone(), backend.name.clone());
        let line = ground.shared.line(&key);
        if service.spec.limits.has_line() {
            line.arm();
        }
        let known: BTreeMap<&EndpointId, &Rc<Endpoint>> = previous
            .map(|view| view.endpoints.iter().map(|e| (e.id_ref(), e)).collect())
            .unwrap_or_default();
        let was_usable = |id: &EndpointId| {
            let before = &previous.and_then(|view| view.backend())?.endpoints;
            let at = before.binary_search_by(|known| (*known.id).cmp(id)).ok()?;
            before.get(at).map(|known| known.usable)
        };
        let endpoints = backend.endpoints.iter().map(|endpoint| {
            let tls = spec.and_then(|spec| tls_of(&endpoint.id, spec, tls));
            let before = known.get(&*endpoint.id).filter(|e| e.has_tls(tls.as_ref()));
            let carried = before.map_or_else(
                || {
                    let cells = ground.shared.endpoint(&endpoint.id);
                    let watch = Watch::new(ground.shared.trust(&endpoint.id), ground.worker);
                    let connections = ground.shared.connections(&endpoint.id);
                    let line = Arc::clone(&line);
                    let places = Places::new(connections, line, ground.worker);
                    Rc::new(Endpoint::new(
                        Arc::clone(&endpoint.id),
                        cells,
                        (watch, places),
                        tls,
                    ))
                },
                |known| Rc::clone(known),
            );
            let limits = &service.spec.limits;
            carried
                .places
                .limit_connections(limits.endpoint_connections);
            follow(&carried, endpoint, was_usable(&endpoint.id));
            carried
        });
        let same_provider = |view: &&Rc<Self>| {
            view.backend()
                .is_some_and(|b| b.provider == backend.provider)
        };
        let (name, provider) = (backend.name.as_str(), backend.provider.as_str());
        let new = || {
            Rc::new(Meters::new(
                &ground.recorder,
                service.name().as_str(),
                name,
                provider,
            ))
        };
        let meters = previous.filter(same_provider);
        Rc::new(Self {
            endpoints: endpoints.collect(),
            meters: meters.map_or_else(new, |view| Rc::clone(&view.meters)),
            cells: ground.shared.backend(&key),
            waits: WaitMeters::new(&ground.recorder, service, backend),
            line,
            service: Arc::clone(service),
            index,
        })
    }

    /// Its state in the snapshot.
    pub(crate) fn backend(&self) -> Option<&Backend> {
        self.service.backends.get(self.index)
    }

    fn sweep(&self, now: Instant, idle_max: Duration) {
        let mut times = Times::default();
        let of_each = self.endpoints.iter().map(|e| e.watch.times());
        of_each.for_each(|of_one| times += of_one);
        for endpoint in &self.endpoints {
            endpoint.pool.sweep(now, idle_max);
            endpoint.watch.handle_timeout(now, &times);
            endpoint.yield_connection();
        }
    }
}

/// An endpoint follows what a new snapshot says of it.
fn follow(endpoint: &Endpoint, state: &snapshot::Endpoint, was_usable: Option<bool>) {
    if state.admin == AdminState::Offline {
        endpoint.pool.clear();
    }
    if state.usable && was_usable == Some(false) {
        endpoint.watch.standing().forget();
    }
    let is_down = state.observed == ObservedState::Down;
    endpoint.watch.set_down(is_down);
}
