//! The handle on the data plane: starts the workers, publishes snapshots to them, knows what they have confirmed, and stops
//! them. Any thread may hold it; nothing here is on a request's path.

mod counts;
mod judged;
mod loads;
mod rest;
mod sight;
mod thread;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;
use std::{fmt, io};

use arc_swap::ArcSwap;
use bascule_model::{Instant, Revision, TrafficFailure};
use bascule_net::tcp::Connections;
use bascule_telemetry::access::AccessLog;
use bascule_telemetry::{Registry, clock};
use bascule_traffic::Snapshot;
use http::HeaderValue;
use tokio::sync::{mpsc, watch};

pub(crate) use rest::Going;
pub use sight::{Supposed, sight};

use crate::affinity::CookieSecrets;
use crate::settings::{ListenerSetup, Settings, UpstreamTls};
use crate::shared::{PerWorker, Shared};
use crate::view::Ground;
use crate::worker::{Order, Start, WorkerListener};

/// How long a worker that was told to stop may take for it.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Why an edge did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No worker is asked for.
    #[error("an edge needs at least one worker")]
    NoWorker,
    /// A listener comes without a socket for each worker.
    #[error("listener `{0}` has no socket for each worker")]
    NoSocket(bascule_model::ListenerName),
    /// The probe token cannot be the value of a header.
    #[error("the probe token is not a header value")]
    ProbeToken,
    /// The operating system gives no thread, or cannot watch a socket.
    #[error("worker {worker} cannot start")]
    Worker {
        /// Its number.
        worker: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What all workers use by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// The oldest generation that a worker still uses for new requests.
    pub generation: u64,
    /// The oldest revision.
    pub revision: Revision,
    /// How many workers there are.
    pub workers: usize,
}

/// What a worker has confirmed.
#[derive(Debug, Default)]
struct Seen {
    generation: AtomicU64,
    revision: AtomicU64,
}

/// What the edge and its workers share.
#[derive(Debug)]
pub(crate) struct Hub {
    /// What is wanted.
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// How `https` endpoints are spoken to.
    pub(crate) upstream_tls: ArcSwap<UpstreamTls>,
    /// What cookies are sealed with.
    pub(crate) secrets: ArcSwap<CookieSecrets>,
    seen: PerWorker<Seen>,
    live: watch::Sender<usize>,
}

impl Hub {
    /// A worker uses this snapshot for every request from now on.
    pub(crate) fn confirm(&self, worker: usize, snapshot: &Snapshot) {
        if let Some(seen) = self.seen.of(worker) {
            seen.revision.store(snapshot.revision.0, Ordering::Relaxed);
            seen.generation
                .store(snapshot.generation, Ordering::Release);
        }
    }
}

/// The data plane of this process. Cheap to clone; all clones are one. When the last one goes, the workers stop at once.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    shared: Arc<Shared>,
    registry: Registry,
    connections: Connections,
    published: watch::Sender<u64>,
    going: watch::Sender<Going>,
    orders: Vec<mpsc::UnboundedSender<Order>>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("confirmed", &self.confirmed())
            .finish_non_exhaustive()
    }
}

impl Edge {
    /// Starts the workers and gives the edge once all of them accept. Failures of endpoints are sent to `failures`
    /// as they happen, or dropped when nobody takes them fast enough. Blocks for a moment.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        settings: Settings,
        snapshot: Arc<Snapshot>,
        registry: &Registry,
        access: Option<&AccessLog>,
        failures: &mpsc::Sender<TrafficFailure>,
    ) -> Result<Self, StartError> {
        let workers = settings.workers;
        if workers == 0 {
            return Err(StartError::NoWorker);
        }
        let token = settings.probe_token.map(HeaderValue::try_from).transpose();
        let probe_token = token.map_err(|_| StartError::ProbeToken)?;
        let has_sockets = |setup: &&ListenerSetup| {
            setup
                .bound
                .as_ref()
                .is_some_and(|bound| bound.sockets.len() >= workers)
        };
        if let Some(setup) = settings.listeners.iter().find(|setup| !has_sockets(setup)) {
            return Err(StartError::NoSocket(setup.listener.name.clone()));
        }
        let mut edge = Inner::new(
            workers,
            snapshot,
            settings.upstream_tls,
            settings.cookie_secrets,
            registry,
            settings.connections_max,
        );
        let limits = settings.listeners.iter().map(ListenerSetup::limits);
        edge.connections.set_listeners(limits);
        let (started, outcomes) = blocking::channel();
        for (worker, listeners) in spread(settings.listeners, workers).into_iter().enumerate() {
            let (orders, receiver) = mpsc::unbounded_channel();
            edge.orders.push(orders);
            let start = Start {
                ground: Ground {
                    worker,
                    shared: Arc::clone(&edge.shared),
                    recorder: registry.worker(),
                },
                hub: Arc::clone(&edge.hub),
                orders: receiver,
                published: edge.published.subscribe(),
                going: edge.going.subscribe(),
                listeners,
                access: access.map(AccessLog::worker),
                connections: edge.connections.clone(),
                failures: failures.clone(),
                redact_query: settings.redact_query,
                probe_token: probe_token.clone(),
            };
            let failed = |source| StartError::Worker { worker, source };
            thread::start(start, started.clone()).map_err(failed)?;
        }
        drop(started);
        for (worker, outcome) in outcomes {
            outcome.map_err(|source| StartError::Worker { worker, source })?;
        }
        Ok(Self(Arc::new(edge)))
    }

    /// Makes this the state that requests are handled by: those that begin from now on, on each worker as soon as it has
    /// taken it over (see [`confirmed`](Self::confirmed)). Requests that run keep the state they began with.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.0.hub.snapshot.store(snapshot);
        self.0
            .published
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How `https` endpoints are spoken to from now on. Endpoints whose configuration is the same object keep their
    /// connections.
    pub fn set_upstream_tls(&self, tls: UpstreamTls) {
        self.0.hub.upstream_tls.store(Arc::new(tls));
        self.0
            .published
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What cookies are sealed with from now on. To be told before a snapshot that needs them.
    pub fn set_cookie_secrets(&self, secrets: CookieSecrets) {
        self.0.hub.secrets.store(Arc::new(secrets));
        self.0
            .published
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The state that was published last.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.hub.snapshot.load_full()
    }

    /// What all workers use by now.
    #[must_use]
    pub fn confirmed(&self) -> Confirmed {
        let seen = || self.0.hub.seen.all();
        let generation = seen().map(|s| s.generation.load(Ordering::Acquire)).min();
        let revision = seen().map(|s| s.revision.load(Ordering::Relaxed)).min();
        Confirmed {
            generation: generation.unwrap_or(0),
            revision: Revision(revision.unwrap_or(0)),
            workers: seen().count(),
        }
    }

    /// Requests running now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.0.shared.in_flight()
    }

    /// Client connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.connections.open()
    }

    /// Changes the limit on client connections. Open ones stay.
    pub fn set_connections_max(&self, connections_max: usize) {
        self.0.connections.set_limit(connections_max);
    }

    /// Makes the listeners as wanted, for a reload: those not named are closed, those with new sockets take them over, the
    /// others are changed in place. Running connections are not touched; they keep the terms they came under. What had
    /// been accepted by the kernel of a socket that closes is still served.
    pub fn set_listeners(&self, listeners: Vec<ListenerSetup>) {
        let limits = listeners.iter().map(ListenerSetup::limits);
        self.0.connections.set_listeners(limits);
        let spread = spread(listeners, self.0.orders.len());
        for (orders, listeners) in self.0.orders.iter().zip(spread) {
            tell(orders, Order::Listeners(listeners));
        }
    }

    /// Accepts no more connections. Those that are open go on.
    pub fn close_listeners(&self) {
        for orders in &self.0.orders {
            tell(orders, Order::CloseListeners);
        }
    }

    /// Closes the listeners, and asks clients to go: `Connection: close` on HTTP/1, GOAWAY on HTTP/2; idle connections are
    /// closed. Requests that run may end. A worker ends with its last connection; wait with [`stopped`](Self::stopped).
    pub fn drain(&self) {
        self.0.going.send_replace(Going::End);
    }

    /// Waits until all workers have ended, but not beyond the deadline: then they are told to stop, and what still runs is
    /// cut. Gives the number of requests that were cut.
    pub async fn stopped(&self, deadline: Instant) -> u64 {
        let mut live = self.0.hub.live.subscribe();
        let all_ended = |live: &usize| *live == 0;
        // Both branches only wait.
        tokio::select! {
            // The sender lives as long as this handle: it never closes before the last worker ends.
            _ = live.wait_for(all_ended) => return 0,
            () = clock::sleep_until(deadline) => {}
        }
        let cut = self.in_flight();
        for orders in &self.0.orders {
            tell(orders, Order::Stop);
        }
        // As above.
        tokio::select! {
            _ = live.wait_for(all_ended) => {}
            () = clock::sleep_until(clock::now() + STOP_PATIENCE) => {
                tracing::error!(event = "workers_stuck", "workers did not stop when told to");
            }
        }
        cut
    }
}

impl Inner {
    fn new(
        workers: usize,
        snapshot: Arc<Snapshot>,
        upstream_tls: UpstreamTls,
        secrets: CookieSecrets,
        registry: &Registry,
        connections_max: usize,
    ) -> Self {
        Self {
            hub: Arc::new(Hub {
                snapshot: ArcSwap::new(snapshot),
                upstream_tls: ArcSwap::from_pointee(upstream_tls),
                secrets: ArcSwap::from_pointee(secrets),
                seen: PerWorker::new(workers),
                live: watch::Sender::new(0),
            }),
            shared: Arc::new(Shared::new(workers)),
            registry: registry.clone(),
            connections: Connections::new(connections_max),
            published: watch::Sender::new(0),
            going: watch::Sender::new(Going::Stay),
            orders: Vec::with_capacity(workers),
        }
    }
}

/// Gives each worker its socket of each listener.
fn spread(listeners: Vec<ListenerSetup>, workers: usize) -> Vec<Vec<WorkerListener>> {
    let mut spread: Vec<Vec<WorkerListener>> = (0..workers).map(|_| Vec::new()).collect();
    for setup in listeners {
        let mut sockets = setup.bound.map(|bound| bound.sockets.into_iter());
        for worker in &mut spread {
            worker.push(WorkerListener {
                listener: Arc::clone(&setup.listener),
                socket: sockets.as_mut().and_then(Iterator::next),
                tls: setup.tls.clone(),
            });
        }
    }
    spread
}

fn tell(orders: &mpsc::UnboundedSender<Order>, order: Order) {
    if orders.send(order).is_err() {
        tracing::debug!("a worker has ended already");
    }
}
