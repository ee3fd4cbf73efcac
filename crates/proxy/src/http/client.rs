//! One client connection as its requests see it: where it comes from, what its listener allows, and how busy it is. The
//! watch over its time lives here: how long it may be idle, take for a head, or stand still in the middle of a request.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bascule_config::Listener;
use bascule_guard::Violation;
use bascule_model::Instant;
use bascule_net::tls::Named;
use bascule_telemetry::{clock, names};
use http::HeaderValue;
use tokio::sync::Notify;

use crate::http::frames::FrameWatch;
use crate::http::hsts;
use crate::http::intake::{Intake, Target, Verdict};
use crate::http::origin::{Origin, Peer};
use crate::http::outflow::Outflow;
use crate::http::progress::{Progress, Stall};
use crate::http::refuse::Refused;
use crate::worker::Worker;

/// How often a busy connection is looked at. What is found is late by at most this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who is at the other end of a connection, and what waits for it.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Its address.
    pub(crate) peer: SocketAddr,
    /// Its way out.
    pub(crate) outflow: Rc<Outflow>,
    /// The name it asked for with SNI, if it did.
    pub(crate) named: Option<Named>,
}

/// One client connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// The worker it belongs to.
    pub(crate) worker: Rc<Worker>,
    /// The listener as it was when the connection came.
    pub(crate) listener: Rc<Listener>,
    /// Where its requests come from.
    pub(crate) origin: Origin,
    /// What every response of its listener says of HTTPS, if anything.
    pub(crate) hsts: Option<HeaderValue>,
    /// The name it asked for with SNI, if it did.
    named: Option<Named>,
    /// What it has said as the guard understands it; HTTP/1 only.
    pub(crate) intake: Option<Rc<Intake>>,
    /// The frames it sends; HTTP/2 only.
    frames: Option<Rc<FrameWatch>>,
    /// What waits for it.
    outflow: Rc<Outflow>,
    /// Requests it has made, and the word that they are too many.
    requests: Cell<u32>,
    too_many: Notify,
    /// Requests running on it.
    running: Cell<u32>,
    /// When the last one ended, or the connection came.
    since: Cell<Instant>,
    /// The exchange that began last; for HTTP/1 the only one.
    latest: RefCell<Weak<Progress>>,
}

/// How a connection stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Well; look again then.
    Well(Instant),
    /// It has had no request for too long: it is asked to go.
    Idle,
    /// It takes too long for a head: that is answered, and then it is closed.
    LateHead,
    /// It takes too long, as the reason says: it is cut.
    Overdue(&'static str),
}

/// Why a connection ends whose head does not come.
pub(crate) const HEAD_TIMEOUT: &str = "head_timeout";
/// Why one is cut that was asked to go and goes on.
pub(crate) const REQUESTS: &str = "requests";

impl Client {
    /// A connection that has just come.
    pub(crate) fn new(
        worker: Rc<Worker>,
        listener: Rc<Listener>,
        caller: Caller,
        intake: Option<Rc<Intake>>,
        frames: Option<Rc<FrameWatch>>,
    ) -> Self {
        let Caller {
            peer,
            outflow,
            named,
        } = caller;
        let hsts = listener.tls.as_ref().and_then(|tls| tls.hsts);
        let origin = Origin::new(peer, listener.tls.is_some(), &listener.trusted);
        Self {
            worker,
            listener,
            origin,
            hsts: hsts.and_then(hsts::value),
            named,
            intake,
            frames,
            outflow,
            requests: Cell::new(0),
            too_many: Notify::new(),
            running: Cell::new(0),
            since: Cell::new(clock::now()),
            latest: RefCell::new(Weak::new()),
        }
    }

    /// Whether a request for this host belongs on this connection. One without SNI carries all.
    pub(crate) fn carries(&self, host: Option<&str>) -> bool {
        match (&self.named, host) {
            (Some(named), Some(host)) => named.is_for(host),
            _ => true,
        }
    }

    /// Who it is to those that look for keys.
    pub(crate) fn peer(&self) -> Peer<'_> {
        Peer {
            origin: &self.origin,
            trusted: &self.listener.trusted,
            server_name: self.named.as_ref().map(Named::name),
        }
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> Rc<Progress> {
        self.running.set(self.running.get().saturating_add(1));
        self.count_request();
        if let Some(frames) = &self.frames {
            frames.heard();
        }
        let stall_max = self.listener.timeouts.client_stall;
        let progress = Progress::begin(clock::now(), stall_max, Rc::clone(&self.outflow));
        let progress = Rc::new(progress);
        *self.latest.borrow_mut() = Rc::downgrade(&progress);
        progress
    }

    /// One more; says so when they are enough.
    fn count_request(&self) {
        let requests = self.requests.get().saturating_add(1);
        self.requests.set(requests);
        let enough = requests == self.listener.limits.requests_per_connection;
        // Whoever comes to an edge that rests is served once.
        let once = requests == 1 && self.worker.is_resting();
        if enough || once || self.has_overrun() {
            self.too_many.notify_one();
        }
    }

    /// Returns when it has made as many requests as it may, and again when it goes on all the same.
    pub(crate) async fn too_many(&self) {
        self.too_many.notified().await;
    }

    /// Whether it was asked to go and makes more requests than could have been on their way by then.
    pub(crate) fn has_overrun(&self) -> bool {
        let limits = &self.listener.limits;
        let on_their_way = limits.streams_per_connection.saturating_mul(2);
        let most = limits.requests_per_connection.saturating_add(on_their_way);
        self.requests.get() > most
    }

    /// A request has ended.
    pub(crate) fn end(&self) {
        self.running.set(self.running.get().saturating_sub(1));
        self.since.set(clock::now());
        if let Some(intake) = &self.intake {
            intake.expect_next();
        }
    }

    /// Whether a request of it runs.
    pub(crate) const fn is_busy(&self) -> bool {
        self.running.get() > 0
    }

    /// The exchange that began last, if it still runs.
    pub(crate) fn latest(&self) -> Option<Rc<Progress>> {
        self.latest.borrow().upgrade()
    }

    /// What the guard says of the request whose turn it is.
    pub(crate) fn judge(&self) -> Result<Target, Refused> {
        let judged = self.intake.as_ref().map(|intake| intake.judge());
        judged
            .unwrap_or(Ok(Target::Usual))
            .map_err(|verdict| match verdict {
                Verdict::Violated(violation) => violation.into(),
                Verdict::Late => Refused::HeadTimeout,
            })
    }

    /// What is wrong with the body of the request that is being handled.
    pub(crate) fn bad_body(&self) -> Option<Violation> {
        self.intake.as_ref().and_then(|intake| intake.bad_body())
    }

    /// The head that is being sent is too late; it is answered in its turn.
    pub(crate) fn give_up_head(&self) {
        self.count_end(HEAD_TIMEOUT);
        if let Some(intake) = &self.intake {
            intake.give_up();
        }
    }

    /// Whether a head is being sent.
    pub(crate) fn is_in_head(&self) -> bool {
        let begun = self.intake.as_ref().and_then(|intake| intake.begun());
        begun.is_some()
    }

    /// Whether it can be asked to go now: not in the middle of a head, of which the engine has seen nothing and would close
    /// at once; nor before its first request, where the edge only rests and whoever comes is served.
    pub(crate) fn can_be_asked_to_go(&self) -> bool {
        let awaits_first = self.requests.get() == 0 && self.worker.is_resting();
        !self.is_in_head() && !awaits_first
    }

    /// The response was cut in the middle, and the client's version may know its end by the connection's alone.
    pub(crate) fn abort(&self) {
        self.outflow.abort();
    }

    /// Its engine has ended with an error.
    pub(crate) fn note_error(&self, error: &hyper::Error) {
        tracing::debug!(%error, "client connection ended");
        if let Some(abuse) = self.frames.as_ref().and_then(|frames| frames.abuse()) {
            self.count_end(abuse.as_str());
        }
        // The engine is not to find what the guard let through: if it does, that is worth a look, and counted.
        if self.intake.is_some() && error.is_parse() {
            tracing::warn!(%error, "the engine refuses a head that the guard let through");
            self.worker.count_malformed();
        }
    }

    /// It is ended by us, for this reason.
    pub(crate) fn count_end(&self, reason: &'static str) {
        self.worker
            .count_connection_end(&self.listener, self.origin.address, reason);
    }

    /// One of its HTTP/2 streams is reset by us, for this reason.
    pub(crate) fn count_reset(&self, reason: &'static str) {
        let listener = self.listener.name.to_string();
        metrics::with_local_recorder(self.worker.recorder(), || {
            metrics::counter!(names::STREAMS_RESET, "listener" => listener, "reason" => reason)
                .increment(1);
        });
    }

    /// How it stands. On HTTP/2 the streams are watched one by one as well.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let timeouts = &self.listener.timeouts;
        // While requests run each answers for what waits of its own response.
        let is_busy = self.is_busy();
        let waits_since = self.outflow.waits_since().filter(|_| !is_busy);
        let stands_since = self.outflow.blocked_since().or(waits_since);
        let patience = self.outflow.patience(self.listener.timeouts.client_stall);
        if stands_since.is_some_and(|since| since + patience <= now) {
            return Standing::Overdue(Stall::Client.as_str());
        }
        if is_busy {
            let watched = self.intake.is_some();
            let progress = self.latest().filter(|_| watched);
            let stall = progress.and_then(|progress| progress.check_stall(now));
            return match stall {
                Some(stall) => Standing::Overdue(stall.as_str()),
                None => Standing::Well(now + LOOK_EVERY),
            };
        }
        if stands_since.is_some() {
            return Standing::Well(now + LOOK_EVERY);
        }
        if let Some(begun) = self.intake.as_ref().and_then(|intake| intake.begun()) {
            let deadline = begun + timeouts.request_headers;
            return if deadline <= now {
                Standing::LateHead
            } else {
                Standing::Well(deadline)
            };
        }
        let deadline = self.since.get() + timeouts.client_idle;
        if deadline <= now {
            return Standing::Idle;
        }
        // A head may begin meanwhile; its time-out is shorter.
        Standing::Well(deadline.min(now + timeouts.request_headers))
    }
}
