//! What all workers must see, keyed by stable ids and never rebuilt with a snapshot: by endpoint what is in flight, which
//! picks sum, and how tries ended, which the judge sums; totals by backend, which signals sum; totals by service, of which
//! its demand is measured. Each number has one padded cell a worker, written by that worker alone, so that no cache line
//! moves between cores for a request. What is no longer used by any view goes with it. Next: [`endpoint`], then [`trials`].

mod endpoint;
mod trials;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bascule_model::{BackendName, EndpointId, EndpointTotals, Instant, ServiceName};
use bascule_traffic::retry::Ledger;
use crossbeam_utils::CachePadded;

use crate::affinity::Live;
use crate::line::PlaceLine;
use crate::upstream::Trust;
pub(crate) use endpoint::{EndpointCells, EndpointTally};
pub(crate) use trials::Trials;

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// Its value.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// One more. Only by the thread that owns the cell: this is no atomic addition.
    pub(crate) fn increment(&self) {
        self.0.store(self.get().saturating_add(1), Relaxed);
    }

    /// Becomes this; only by the thread that owns the cell.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// So much more; as [`increment`](Self::increment).
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.get().saturating_add(amount), Relaxed);
    }

    /// One less; as [`increment`](Self::increment).
    pub(crate) fn decrement(&self) {
        self.0.store(self.get().saturating_sub(1), Relaxed);
    }
}

/// One cell of some kind for each worker.
#[derive(Debug)]
pub(crate) struct PerWorker<T>(Box<[CachePadded<T>]>);

impl<T: Default> PerWorker<T> {
    /// Empty cells for so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| CachePadded::default()).collect())
    }

    /// The cell of one worker.
    pub(crate) fn of(&self, worker: usize) -> Option<&T> {
        self.0.get(worker).map(|cell| &**cell)
    }

    /// The cells of all workers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|cell| &**cell)
    }
}

/// Connections to one endpoint, with those being made.
pub(crate) type ConnectionCells = PerWorker<Cell>;

/// A count, of all workers.
pub(crate) fn sum_of<T: Default>(cells: &PerWorker<T>, of: fn(&T) -> &Cell) -> u32 {
    let sum: u64 = cells.all().map(|cell| of(cell).get()).sum();
    u32::try_from(sum).unwrap_or(u32::MAX)
}

/// What one worker counts of one backend.
#[derive(Debug, Default)]
pub(crate) struct BackendTotals {
    /// Tries that ended, well or not.
    pub(crate) requests: Cell,
    /// Of these, those that failed for the backend's fault.
    pub(crate) errors: Cell,
    /// Picks by share.
    pub(crate) picks: Cell,
    /// Requests running now.
    pub(crate) in_flight: Cell,
}

/// What one worker counts of one service that has a capacity to keep.
#[derive(Debug, Default)]
pub(crate) struct ServiceTotals {
    /// Requests that asked for it.
    pub(crate) offered: Cell,
    /// Of these, those that were shed.
    pub(crate) shed: Cell,
    /// Bytes of bodies sent to clients.
    pub(crate) bytes: Cell,
}

/// Totals of one service.
pub(crate) type ServiceCells = PerWorker<ServiceTotals>;

/// Totals of one backend.
pub(crate) type BackendCells = PerWorker<BackendTotals>;

/// A backend within its service.
pub(crate) type BackendKey = (ServiceName, BackendName);

/// The cells of everything that some view uses.
#[derive(Debug)]
pub(crate) struct Shared {
    workers: usize,
    endpoints: Mutex<BTreeMap<Arc<EndpointId>, Weak<EndpointCells>>>,
    trials: Mutex<BTreeMap<ServiceName, Weak<Trials>>>,
    trust: Mutex<BTreeMap<EndpointId, Weak<Trust>>>,
    ledgers: Mutex<BTreeMap<ServiceName, Weak<Ledger>>>,
    /// Totals only grow while the process lives, also of a backend that is away for a while: kept for ever.
    backends: Mutex<BTreeMap<BackendKey, Arc<BackendCells>>>,
    /// Keys in use, of services that remember them.
    live: Mutex<BTreeMap<ServiceName, Weak<Live>>>,
    services: Mutex<BTreeMap<ServiceName, Arc<ServiceCells>>>,
    /// As long as the totals of their backends: one may wait though the backend is away for a moment.
    lines: Mutex<BTreeMap<BackendKey, Arc<PlaceLine>>>,
    connections: Mutex<BTreeMap<EndpointId, Weak<ConnectionCells>>>,
}

impl Shared {
    /// Without cells.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            endpoints: Mutex::default(),
            trials: Mutex::default(),
            trust: Mutex::default(),
            ledgers: Mutex::default(),
            backends: Mutex::default(),
            live: Mutex::default(),
            services: Mutex::default(),
            lines: Mutex::default(),
            connections: Mutex::default(),
        }
    }

    /// The cells of an endpoint. Locks: only for building views.
    pub(crate) fn endpoint(&self, id: &Arc<EndpointId>) -> Arc<EndpointCells> {
        find_or_make(&self.endpoints, id, || {
            EndpointCells::new(self.workers, self.trials(&id.service))
        })
    }

    /// What the workers hold of an endpoint. Locks: only for building views.
    pub(crate) fn trust(&self, id: &EndpointId) -> Arc<Trust> {
        find_or_make(&self.trust, id, || Trust::new(self.workers))
    }

    /// What the workers count of a service's retries. Locks: only for building views.
    pub(crate) fn ledger(&self, service: &ServiceName) -> Arc<Ledger> {
        find_or_make(&self.ledgers, service, || Ledger::new(self.workers))
    }

    /// What all workers have counted of every endpoint that a view uses. Locks: only for the judge.
    pub(crate) fn endpoint_totals(&self) -> Vec<(Arc<EndpointId>, EndpointTotals)> {
        let endpoints = lock(&self.endpoints);
        let totals = |(id, cells): (&Arc<EndpointId>, &Weak<EndpointCells>)| {
            Some((Arc::clone(id), cells.upgrade()?.totals()))
        };
        endpoints.iter().filter_map(totals).collect()
    }

    /// The trials of a service. Locks: only for building views.
    pub(crate) fn trials(&self, service: &ServiceName) -> Arc<Trials> {
        find_or_make(&self.trials, service, Trials::default)
    }

    /// Grants a trial of an endpoint, for the next request that fits. Nothing when no view knows the endpoint.
    pub(crate) fn grant_trial(&self, id: &EndpointId, now: Instant) {
        let cells = lock(&self.endpoints).get(id).and_then(Weak::upgrade);
        if let Some(cells) = cells {
            cells.grant_trial(now);
        }
    }

    /// The cells of a backend. Locks: only for building views and reading signals.
    pub(crate) fn backend(&self, key: &BackendKey) -> Arc<BackendCells> {
        let mut backends = lock(&self.backends);
        let new = || Arc::new(BackendCells::new(self.workers));
        Arc::clone(backends.entry(key.clone()).or_insert_with(new))
    }

    /// The keys of a service that are in use, and live so long. Where that is another order of time than before none is
    /// known. Locks: only for building views.
    pub(crate) fn live(&self, service: &ServiceName, ttl: Duration) -> Arc<Live> {
        let suits = |live: &Weak<Live>| live.upgrade().is_some_and(|l| l.keys.suits(ttl));
        lock(&self.live).retain(|name, live| name != service || suits(live));
        find_or_make(&self.live, service, || Live::new(ttl))
    }

    /// The keys of a service that are in use, if any view remembers them. Locks: only for people who ask.
    pub(crate) fn live_now(&self, service: &ServiceName) -> Option<Arc<Live>> {
        lock(&self.live).get(service).and_then(Weak::upgrade)
    }

    /// The cells of a service. Locks: only for building views and measuring.
    pub(crate) fn service(&self, name: &ServiceName) -> Arc<ServiceCells> {
        let mut services = lock(&self.services);
        let new = || Arc::new(ServiceCells::new(self.workers));
        Arc::clone(services.entry(name.clone()).or_insert_with(new))
    }

    /// The line of those that wait for a backend. Locks: only for building views and reading loads.
    pub(crate) fn line(&self, key: &BackendKey) -> Arc<PlaceLine> {
        let mut lines = lock(&self.lines);
        Arc::clone(lines.entry(key.clone()).or_default())
    }

    /// The connections of an endpoint. They may outlast every view of it. Locks: only for building views and reading
    /// loads.
    pub(crate) fn connections(&self, id: &EndpointId) -> Arc<ConnectionCells> {
        find_or_make(&self.connections, id, || ConnectionCells::new(self.workers))
    }

    /// Requests running now, by backend.
    pub(crate) fn in_flight(&self) -> u64 {
        let backends = lock(&self.backends);
        let totals = backends.values().flat_map(|cells| cells.all());
        totals.map(|totals| totals.in_flight.get()).sum()
    }
}

/// What is kept under a key as long as anybody uses it.
fn find_or_make<K: Ord + Clone, V>(
    known: &Mutex<BTreeMap<K, Weak<V>>>,
    key: &K,
    make: impl FnOnce() -> V,
) -> Arc<V> {
    let mut known = lock(known);
    if let Some(found) = known.get(key).and_then(Weak::upgrade) {
        return found;
    }
    known.retain(|_, value| value.strong_count() > 0);
    let made = Arc::new(make());
    known.insert(key.clone(), Arc::downgrade(&made));
    made
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic between lock and unlock leaves a map that is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use bascule_model::{FailureClass, Scheme};
    use bascule_traffic::suspect::Repeatable;

    use super::*;

    fn id(port: u16) -> Arc<EndpointId> {
        Arc::new(EndpointId {
            service: "s".parse().unwrap(),
            backend: "b".parse().unwrap(),
            scheme: Scheme::Http,
            host: None,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        })
    }

    #[test]
    fn keys_in_use_stay_when_they_live_twice_as_long_and_are_forgotten_with_another_order_of_time()
    {
        let shared = Shared::new(1);
        let service: ServiceName = "meet".parse().unwrap();
        let hour = Duration::from_secs(3600);
        let live = shared.live(&service, hour);
        assert!(Arc::ptr_eq(&live, &shared.live(&service, hour * 2)));
        assert!(!Arc::ptr_eq(&live, &shared.live(&service, hour / 1000)));
    }

    #[test]
    fn the_load_of_an_endpoint_is_the_sum_over_workers() {
        let shared = Shared::new(3);
        let cells = shared.endpoint(&id(1));
        for worker in [0, 1, 1, 2] {
            let tally = shared.endpoint(&id(1));
            tally.of(worker).unwrap().in_flight.increment();
        }
        assert_eq!(cells.load(), 4);
        cells.of(1).unwrap().in_flight.decrement();
        assert_eq!((cells.load(), shared.endpoint(&id(2)).load()), (3, 0));
    }

    #[test]
    fn totals_are_the_sum_over_workers_of_how_tries_ended() {
        let shared = Shared::new(2);
        let cells = shared.endpoint(&id(1));
        for worker in [0, 1] {
            let tally = cells.of(worker).unwrap();
            tally.answered(Duration::from_micros(1));
            tally.failed(FailureClass::Reset);
            tally.trial_begun();
            tally.trial_passed(Duration::from_nanos(5));
        }
        cells.of(1).unwrap().failed(FailureClass::Connect);
        let totals = shared.endpoint_totals();
        let (known, totals) = totals.first().unwrap();
        assert_eq!((known, totals.answers), (&id(1), 2));
        assert_eq!(totals.failures, [1, 2, 0, 0, 0]);
        assert_eq!(totals.latency.first(), Some(&2));
        assert_eq!((totals.trials.begun, totals.trials.passed), (2, 2));
        assert_eq!(totals.trials.latency_nanos, 10);
    }

    #[test]
    fn a_trial_is_granted_to_an_endpoint_that_a_view_knows() {
        let shared = Shared::new(1);
        let (cells, trials) = (shared.endpoint(&id(1)), shared.trials(&id(1).service));
        shared.grant_trial(&id(2), Instant::ZERO);
        assert!(!trials.any());
        shared.grant_trial(&id(1), Instant::ZERO);
        assert!(cells.has_trial_for(Instant::ZERO, Repeatable::Yes) && trials.any());
    }

    #[test]
    fn cells_that_no_view_uses_go() {
        let shared = Shared::new(1);
        let cells = shared.endpoint(&id(1));
        cells.of(0).unwrap().in_flight.increment();
        drop(cells);
        assert_eq!(shared.endpoint(&id(1)).load(), 0);
    }
}
