//! The connections of one worker to one endpoint. HTTP/1 connections are lent to one request at a time, the last one
//! given back first, so that what is not needed grows old and is closed; HTTP/2 connections carry many requests up to a
//! cap. Never locked: a pool belongs to one thread.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use bascule_guard::http2::Abuse;
use bascule_model::Instant;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use tokio::sync::Notify;

use crate::http::body::RequestBody;
use crate::http::frames::FrameWatch;
use crate::upstream::guarded::Replies;

/// Idle HTTP/1 connections kept to one endpoint by one worker. More than ever run at once is no use; a burst must not
/// hold descriptors until they are old.
const IDLE_MAX: usize = 512;

/// Requests that share one HTTP/2 connection. Source: the stream limit servers set by default is 100 to 128.
pub(crate) const STREAMS_MAX: u32 = 100;

/// A connection lent for one request.
#[derive(Debug)]
pub(crate) enum Connection {
    /// HTTP/1.1.
    Http1 {
        /// Sends one request at a time.
        single: Single,
        /// It has carried a request before.
        reused: bool,
    },
    /// HTTP/2.
    Http2 {
        /// One place on it.
        stream: StreamLoan,
        /// It has carried a request before.
        reused: bool,
    },
}

/// An HTTP/1 connection: one request at a time.
#[derive(Debug)]
pub(crate) struct Single {
    sender: http1::SendRequest<RequestBody>,
    replies: Rc<Replies>,
}

impl Single {
    /// A connection whose engine is reached by `sender`.
    pub(crate) const fn new(sender: http1::SendRequest<RequestBody>, replies: Rc<Replies>) -> Self {
        Self { sender, replies }
    }

    /// Sends a request; what comes back is read against it.
    pub(crate) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + use<>
    {
        self.replies.ask(request.method());
        self.sender.try_send_request(request)
    }
}

/// An HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Shared {
    sender: http2::SendRequest<RequestBody>,
    streams: Cell<u32>,
    /// What the peer allows, as its engine keeps it up to date.
    streams_max: Rc<Cell<u32>>,
    /// What is read of the peer before its engine reads it.
    frames: Rc<FrameWatch>,
    since: Cell<Instant>,
}

impl Shared {
    fn has_room(&self) -> bool {
        !self.sender.is_closed() && self.streams.get() < self.streams_max.get()
    }
}

/// One place on an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct StreamLoan(Rc<Shared>);

impl StreamLoan {
    fn new(shared: &Rc<Shared>) -> Self {
        shared.streams.set(shared.streams.get().saturating_add(1));
        Self(Rc::clone(shared))
    }

    /// A handle to send with.
    pub(crate) fn sender(&self) -> http2::SendRequest<RequestBody> {
        self.0.sender.clone()
    }

    /// What the connection was ended for, if the peer broke a rule or spent a budget. The engine's error does not tell: it
    /// keeps the words of what its stream gave it, not the thing.
    pub(crate) fn abuse(&self) -> Option<Abuse> {
        self.0.frames.abuse()
    }
}

impl Drop for StreamLoan {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.since.set(bascule_telemetry::clock::now());
    }
}

#[derive(Debug)]
struct Idle {
    single: Single,
    since: Instant,
}

/// The connections to one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Rc<Shared>>>,
    dialing: RefCell<Option<Rc<Notify>>>,
    was_shared: Cell<bool>,
}

impl Pool {
    /// Whether there is a connection that [`take`](Self::take) would give.
    pub(crate) fn has_ready(&self, now: Instant, idle_max: Duration) -> bool {
        let idle = |c: &Idle| c.single.sender.is_ready() && now.since(c.since) < idle_max;
        self.idle.borrow().iter().any(idle) || self.shared.borrow().iter().any(|c| c.has_room())
    }

    /// A connection that can send now and has not been idle for too long.
    pub(crate) fn take(&self, now: Instant, idle_max: Duration) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let usable = |c: &Idle| c.single.sender.is_ready() && now.since(c.since) < idle_max;
        if let Some(found) = idle.iter().rposition(usable) {
            let single = idle.remove(found).single;
            let reused = true;
            return Some(Connection::Http1 { single, reused });
        }
        drop(idle);
        let shared = self.shared.borrow();
        shared
            .iter()
            .find(|c| c.has_room())
            .map(|found| Connection::Http2 {
                stream: StreamLoan::new(found),
                reused: true,
            })
    }

    /// How many HTTP/1 connections wait here.
    pub(crate) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Whether a connection that many will share is being made.
    pub(crate) fn is_dialing(&self) -> bool {
        self.dialing.borrow().is_some()
    }

    /// Closes the connection that has been idle for longest, or one of HTTP/2 that no request uses.
    pub(crate) fn close_one(&self) {
        let mut idle = self.idle.borrow_mut();
        if !idle.is_empty() {
            idle.remove(0);
            return;
        }
        let mut shared = self.shared.borrow_mut();
        if let Some(unused) = shared.iter().position(|c| c.streams.get() == 0) {
            shared.remove(unused);
        }
    }

    /// Takes an HTTP/1 connection back after a request that ended well.
    pub(crate) fn give_back(&self, single: Single, now: Instant) {
        if single.sender.is_closed() || !single.replies.may_be_reused() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push(Idle { single, since: now });
    }

    /// Adds a new HTTP/2 connection, and gives the first place on it.
    pub(crate) fn share(
        &self,
        sender: http2::SendRequest<RequestBody>,
        streams_max: Rc<Cell<u32>>,
        frames: Rc<FrameWatch>,
        now: Instant,
    ) -> StreamLoan {
        self.was_shared.set(true);
        let shared = Rc::new(Shared {
            sender,
            streams: Cell::new(0),
            streams_max,
            frames,
            since: Cell::new(now),
        });
        let loan = StreamLoan::new(&shared);
        self.shared.borrow_mut().push(shared);
        loan
    }

    /// The last connection made is not shared.
    pub(crate) fn note_unshared(&self) {
        self.was_shared.set(false);
    }

    /// Whether the last connection made is shared by many requests.
    pub(crate) fn was_shared(&self) -> bool {
        self.was_shared.get()
    }

    /// Closes what is closed by the other side or has been idle for too long.
    pub(crate) fn sweep(&self, now: Instant, idle_max: Duration) {
        let old = |since: Instant| now.since(since) >= idle_max;
        let mut idle = self.idle.borrow_mut();
        idle.retain(|c| !c.single.sender.is_closed() && !old(c.since));
        drop(idle);
        let unused = |c: &Shared| c.streams.get() == 0 && old(c.since.get());
        let mut shared = self.shared.borrow_mut();
        shared.retain(|c| !c.sender.is_closed() && !unused(c));
    }

    /// Closes every connection that no request uses.
    pub(crate) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.shared.borrow_mut().clear();
    }

    /// The turn to dial a connection that will be shared; or, where someone dials already, the wait for that.
    pub(crate) fn begin_dial(&self) -> Result<DialTurn<'_>, impl Future<Output = ()> + use<>> {
        let mut dialing = self.dialing.borrow_mut();
        if let Some(running) = &*dialing {
            let running = Rc::clone(running);
            return Err(async move { running.notified().await });
        }
        *dialing = Some(Rc::default());
        Ok(DialTurn(self))
    }
}

/// The turn to dial; when it ends, whoever waits looks again.
#[derive(Debug)]
pub(crate) struct DialTurn<'a>(&'a Pool);

impl Drop for DialTurn<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.0.dialing.borrow_mut().take() {
            waiting.notify_waiters();
        }
    }
}
