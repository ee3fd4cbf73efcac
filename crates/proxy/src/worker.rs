//! One worker: a thread with its own runtime, sockets, view and connections. Its main task takes orders from the edge and
//! renews the view; each listener has a task that accepts, each client connection one that serves. Nothing here waits for
//! another worker.

mod listener;

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bascule_config::Listener;
use bascule_guard::http2::Unheard;
use bascule_model::TrafficFailure;
use bascule_net::tcp::Connections;
use bascule_telemetry::recorder::CellRecorder;
use bascule_telemetry::{access, clock, names, spawn};
use http::{HeaderValue, StatusCode, Uri};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::edge::{Going, Hub};
use crate::http::body::Kept;
use crate::http::outflow::Backlog;
use crate::view::{Ground, WorkerView};
use listener::Listeners;

pub(crate) use listener::WorkerListener;

/// How often connections that have been idle for too long are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// For waits that another thing ends.
const FAR: Duration = Duration::from_secs(365 * 86_400);

/// The names of the tasks that a drain waits for.
const ACCEPT: &str = "accept";
const CLIENT: &str = "client";

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// The listeners as they should be.
    Listeners(Vec<WorkerListener>),
    /// Accept no more.
    CloseListeners,
    /// End now; what runs is cut.
    Stop,
}

/// What a worker's thread is started with.
#[derive(Debug)]
pub(crate) struct Start {
    /// Its number, and what all share.
    pub(crate) ground: Ground,
    /// The edge's state.
    pub(crate) hub: Arc<Hub>,
    /// Orders.
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    /// Rises with each publication.
    pub(crate) published: watch::Receiver<u64>,
    /// Whether clients are asked to go.
    pub(crate) going: watch::Receiver<Going>,
    /// Its listeners.
    pub(crate) listeners: Vec<WorkerListener>,
    /// Its part of the access log.
    pub(crate) access: Option<access::Worker>,
    /// The limit on connections.
    pub(crate) connections: Connections,
    /// Where failures of endpoints are told.
    pub(crate) failures: mpsc::Sender<TrafficFailure>,
    /// See [`Settings`](crate::Settings).
    pub(crate) redact_query: bool,
    /// See [`Settings`](crate::Settings).
    pub(crate) probe_token: Option<HeaderValue>,
}

/// What the tasks of a worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    ground: Ground,
    hub: Arc<Hub>,
    view: RefCell<Rc<WorkerView>>,
    going: watch::Receiver<Going>,
    connections: Connections,
    failures: mpsc::Sender<TrafficFailure>,
    overhead: metrics::Histogram,
    backlog: Rc<Backlog>,
    kept: Rc<Kept>,
    redact_query: bool,
    /// Its part of the access log.
    pub(crate) access: Option<access::Worker>,
    /// The token that asks which backend answered.
    pub(crate) probe_token: Option<HeaderValue>,
}

/// Runs a worker on this thread until it is told to stop or has drained. `started` is called once it accepts.
pub(crate) fn run(
    runtime: &tokio::runtime::Runtime,
    start: Start,
    started: impl FnOnce(io::Result<()>),
) {
    let recorder = start.ground.recorder.clone();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    tokio::task::LocalSet::new().block_on(runtime, main(start, started));
}

async fn main(start: Start, started: impl FnOnce(io::Result<()>)) {
    let (mut orders, mut published) = (start.orders, start.published);
    // What is published from here on is noticed below; what was before is seen now.
    published.mark_unchanged();
    let tls = start.hub.upstream_tls.load_full();
    let snapshot = start.hub.snapshot.load_full();
    let secrets = start.hub.secrets.load_full();
    let view = WorkerView::build(&start.ground, snapshot, &tls, &secrets, None);
    let worker = Rc::new(Worker {
        view: RefCell::new(Rc::new(view)),
        ground: start.ground,
        hub: start.hub,
        going: start.going,
        connections: start.connections,
        failures: start.failures,
        overhead: metrics::histogram!(names::PROXY_OVERHEAD),
        backlog: Rc::default(),
        kept: Rc::default(),
        redact_query: start.redact_query,
        access: start.access,
        probe_token: start.probe_token,
    });
    worker.confirm();
    let mut listeners = Listeners::default();
    started(listeners.set(&worker, start.listeners));
    let mut going = worker.going.clone();
    let mut draining = false;
    let mut sweep_at = clock::now() + SWEEP_EVERY;
    loop {
        // Orders and publications stay where they are until they are taken; the others only wait.
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Listeners(wanted)) => {
                    if let Err(error) = listeners.set(&worker, wanted) {
                        tracing::error!(event = "listen_failed", %error, "a listener could not be taken over");
                    }
                }
                Some(Order::CloseListeners) => listeners.close(),
                Some(Order::Stop) | None => return,
            },
            Ok(()) = published.changed() => worker.renew(),
            Ok(_) = going.wait_for(|going| *going == Going::End), if !draining => {
                draining = true;
                listeners.close();
            }
            _ = spawn::ended(&[ACCEPT, CLIENT], clock::now() + FAR), if draining => return,
            () = clock::sleep_until(sweep_at) => {
                let now = clock::now();
                worker.view().sweep(now);
                sweep_at = now + SWEEP_EVERY;
            }
        }
    }
}

impl Worker {
    /// The view to handle a request by.
    pub(crate) fn view(&self) -> Rc<WorkerView> {
        Rc::clone(&self.view.borrow())
    }

    /// Waits until clients are asked to go. Cancelling it loses nothing.
    pub(crate) async fn asked_to_go(&self) {
        let mut going = self.going.clone();
        // The edge outlives its workers; were it gone, going would be right too.
        drop(going.wait_for(|going| *going != Going::Stay).await);
    }

    /// Whether clients are asked to go, and new ones served.
    pub(crate) fn is_resting(&self) -> bool {
        *self.going.borrow() == Going::Rest
    }

    /// Waits until the edge goes. Cancelling it loses nothing.
    pub(crate) async fn ending(&self) {
        let mut going = self.going.clone();
        // As above.
        drop(going.wait_for(|going| *going == Going::End).await);
    }

    /// What waits for clients.
    pub(crate) fn backlog(&self) -> Rc<Backlog> {
        Rc::clone(&self.backlog)
    }

    /// What is kept of request bodies.
    pub(crate) const fn kept(&self) -> &Rc<Kept> {
        &self.kept
    }

    /// Makes metric handles of this worker.
    pub(crate) const fn recorder(&self) -> &CellRecorder {
        &self.ground.recorder
    }

    /// Uses the newest snapshot from now on, and says so.
    fn renew(&self) {
        let tls = self.hub.upstream_tls.load_full();
        let snapshot = self.hub.snapshot.load_full();
        let before = self.view();
        let secrets = self.hub.secrets.load_full();
        let view = WorkerView::build(&self.ground, snapshot, &tls, &secrets, Some(&before));
        self.view.replace(Rc::new(view));
        self.confirm();
    }

    fn confirm(&self) {
        self.hub
            .confirm(self.ground.worker, &self.view.borrow().snapshot);
    }

    /// An endpoint failed: it is judged at once. Where that cannot be said, the judge's next look at the totals sees it.
    pub(crate) fn report_failure(&self, failure: TrafficFailure) {
        if let Err(error) = self.failures.try_send(failure) {
            let (TrySendError::Full(lost) | TrySendError::Closed(lost)) = &error;
            tracing::debug!(%error, endpoint = %lost.endpoint, "a failure is not told");
        }
    }

    /// The time we added to a request.
    pub(crate) fn record_overhead(&self, overhead: Duration) {
        self.overhead.record(overhead);
    }

    /// The engine made no request of what came, and has answered it.
    pub(crate) fn count_malformed(&self) {
        let unrouted = Rc::clone(&self.view().unrouted);
        unrouted.request(Some(StatusCode::BAD_REQUEST), Duration::ZERO);
        let labels = [("service", ""), ("reason", "malformed_head")];
        metrics::with_local_recorder(self.recorder(), || {
            metrics::counter!(names::REQUESTS_REFUSED, &labels).increment(1);
        });
    }

    /// The engine refused a request of HTTP/2 by itself, as soon as it had come.
    pub(crate) fn count_unheard(&self, unheard: Unheard) {
        let unrouted = Rc::clone(&self.view().unrouted);
        unrouted.request(Some(StatusCode::BAD_REQUEST), Duration::ZERO);
        let labels = [("service", ""), ("reason", unheard.as_str())];
        metrics::with_local_recorder(self.recorder(), || {
            metrics::counter!(names::REQUESTS_REFUSED, &labels).increment(1);
        });
    }

    /// A client's connection is ended by us, for this reason.
    pub(crate) fn count_connection_end(
        &self,
        listener: &Listener,
        peer: SocketAddr,
        reason: &'static str,
    ) {
        tracing::debug!(reason, %peer, "client connection ended by us");
        let listener = listener.name.to_string();
        metrics::with_local_recorder(self.recorder(), || {
            metrics::counter!(names::CONNECTIONS_ENDED, "listener" => listener, "reason" => reason)
                .increment(1);
        });
    }

    /// A handshake with a client ended.
    pub(crate) fn count_handshake(&self, listener: &Listener, result: &'static str) {
        let name = listener.name.to_string();
        metrics::with_local_recorder(self.recorder(), || {
            metrics::counter!(names::TLS_HANDSHAKES, "listener" => name, "result" => result)
                .increment(1);
        });
    }

    /// A request's target as the access log shows it.
    pub(crate) fn logged_path<'a>(&self, target: &'a Uri) -> Cow<'a, str> {
        match target.query() {
            None => Cow::Borrowed(target.path()),
            Some(_) if self.redact_query => Cow::Owned(format!("{}?…", target.path())),
            Some(query) => Cow::Owned(format!("{}?{query}", target.path())),
        }
    }
}
