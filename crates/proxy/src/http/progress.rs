//! How far the exchange of one request has come, both directions: bytes, when the last one moved, how each direction
//! ended, and who is to blame where nothing moves. Shared by the two body pumps, the chunks they hand on, the stream's
//! watch and the record; single-threaded, so plain cells. It decides only whether a time limit is over; cutting is for
//! `serve`. What of a response still waits for its client is counted here and in [`Outflow`].

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;

use crate::http::limits;
use crate::http::outflow::Outflow;
use crate::view::Load;

/// A client that is late with its body hears a 408 first; the watch is for where that cannot be said.
const AFTER_THE_ANSWER: Duration = Duration::from_secs(2);

/// Which way bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the client to the backend.
    Request,
    /// From the backend to the client.
    Response,
}

/// How one direction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Flow {
    /// More may come.
    #[default]
    Open,
    /// The body ended as its framing says.
    Done,
    /// The side it comes from broke off, or sent what is no body.
    Broken,
    /// It is longer than the listener allows.
    TooLarge,
}

/// A standstill that lasted for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stall {
    /// `timeouts.stream_idle`: nothing moved in either direction, whoever is to blame.
    Idle,
    /// `timeouts.client_stall`: the client does not send what it promised, or does not take what it asked for.
    Client,
}

impl Stall {
    /// The reason in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "stream_idle",
            Self::Client => "client_stall",
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: Cell<u64>,
    flow: Cell<Flow>,
    /// The pump was asked for more and its source had nothing, since then: a stall is the source's.
    starved: Cell<Option<Instant>>,
}

/// How far an exchange has come.
#[derive(Debug)]
pub(crate) struct Progress {
    request: Way,
    response: Way,
    moved: Cell<Instant>,
    idle_max: Cell<Option<Duration>>,
    stall_max: Duration,
    stalled: Cell<Option<Stall>>,
    /// The client may take its time with the body: the response has begun, or it is a stream of messages (gRPC).
    unhurried: Cell<bool>,
    /// Bytes of the response that the engine holds, and when the socket last took some.
    waiting: Cell<usize>,
    taken: Cell<Instant>,
    /// What of the response may be unread on the backend's side while the client takes nothing.
    behind: Cell<usize>,
    /// The pump that waits for the socket to take more.
    pump: RefCell<Option<Waker>>,
    outflow: Rc<Outflow>,
    /// Where bytes to the client are counted as they go, for a service that has a capacity to keep.
    load: OnceCell<Rc<Load>>,
}

impl Progress {
    /// Of a request whose head has just been read. Its client may stand still for `stall_max`.
    pub(crate) fn begin(now: Instant, stall_max: Duration, outflow: Rc<Outflow>) -> Self {
        Self {
            request: Way::default(),
            response: Way::default(),
            moved: Cell::new(now),
            idle_max: Cell::new(None),
            stall_max,
            stalled: Cell::new(None),
            unhurried: Cell::new(false),
            waiting: Cell::new(0),
            taken: Cell::new(now),
            behind: Cell::new(limits::BUFFER_BYTES),
            pump: RefCell::new(None),
            outflow,
            load: OnceCell::new(),
        }
    }

    const fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    /// Bytes of body moved.
    pub(crate) fn bytes(&self, direction: Direction) -> u64 {
        self.way(direction).bytes.get()
    }

    /// How a direction stands.
    pub(crate) fn flow(&self, direction: Direction) -> Flow {
        self.way(direction).flow.get()
    }

    /// A direction ended.
    pub(crate) fn end(&self, direction: Direction, flow: Flow) {
        self.way(direction).flow.set(flow);
    }

    /// Bytes moved.
    pub(crate) fn advance(&self, direction: Direction, bytes: u64) {
        let way = self.way(direction);
        way.bytes.set(way.bytes.get().saturating_add(bytes));
        way.starved.set(None);
        self.touch();
        if direction == Direction::Response
            && let Some(load) = self.load.get()
        {
            load.sent(bytes);
        }
    }

    /// Counts the bytes that go to the client from now on. The first meter stays.
    pub(crate) fn count_by(&self, load: Rc<Load>) {
        self.load.get_or_init(|| load);
    }

    /// Something other than body bytes moved.
    pub(crate) fn touch(&self) {
        self.moved.set(clock::now());
    }

    /// A pump's source had nothing to give.
    pub(crate) fn starve(&self, direction: Direction) {
        let starved = &self.way(direction).starved;
        if starved.get().is_none() {
            starved.set(Some(clock::now()));
        }
    }

    /// When something last moved.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether the side a direction comes from has been asked for more and has not given it: a stall is that side's.
    pub(crate) fn is_starved(&self, direction: Direction) -> bool {
        self.flow(direction) == Flow::Open && self.way(direction).starved.get().is_some()
    }

    /// The client may take its time with the rest of its body.
    pub(crate) fn unhurry(&self) {
        self.unhurried.set(true);
    }

    /// The response comes over HTTP/2: a whole window of it may be unread.
    pub(crate) fn comes_by_window(&self) {
        let window = usize::try_from(limits::ENDPOINT_STREAM_WINDOW);
        self.behind.set(window.unwrap_or(usize::MAX));
    }

    /// The engine was given bytes of the response.
    pub(crate) fn hand(&self, bytes: usize) {
        if self.waiting.get() == 0 {
            self.taken.set(clock::now());
            self.outflow.charge(self.behind.get());
        }
        self.waiting.set(self.waiting.get().saturating_add(bytes));
        self.outflow.hand(bytes);
    }

    /// The socket took bytes of the response, or the engine let go of them.
    pub(crate) fn take(&self, bytes: usize) {
        let now = clock::now();
        self.taken.set(now);
        self.moved.set(now);
        self.waiting.set(self.waiting.get().saturating_sub(bytes));
        self.outflow.take(bytes, now);
        if self.waiting.get() > 0 {
            return;
        }
        self.outflow.discharge(self.behind.get());
        if let Some(pump) = self.pump.borrow_mut().take() {
            pump.wake();
        }
    }

    /// Ready when the response's pump may read more from the backend: always while little waits for this connection's
    /// client, else once all that it has read is taken. So each stream moves, however many others stand still.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if self.waiting.get() == 0 || self.outflow.has_room() {
            return Poll::Ready(());
        }
        self.pump.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Whether more of the response waits for its client than may be left when it ends.
    pub(crate) fn is_much_untaken(&self) -> bool {
        self.waiting.get() > limits::UNTAKEN_END_BYTES
    }

    /// Ready when nothing of the response waits for its client any more.
    pub(crate) fn poll_taken(&self, cx: &Context<'_>) -> Poll<()> {
        if self.waiting.get() == 0 {
            return Poll::Ready(());
        }
        self.pump.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// From now on nothing may stand still for longer than this.
    pub(crate) fn limit_idle(&self, idle_max: Duration) {
        self.idle_max.set(Some(idle_max));
    }

    /// When the client will be late with its body: it is awaited, and no response has begun.
    pub(crate) fn body_deadline(&self) -> Option<Instant> {
        let starved = self.request.starved.get();
        let starved = starved.filter(|_| self.is_starved(Direction::Request));
        let since = starved.filter(|_| !self.unhurried.get())?;
        Some(since + self.stall_max)
    }

    /// When the client will have stood still for too long.
    fn client_deadline(&self) -> Option<Instant> {
        if self.waiting.get() > 0 {
            return Some(self.taken.get() + self.outflow.patience(self.stall_max));
        }
        self.body_deadline().map(|at| at + AFTER_THE_ANSWER)
    }

    /// When it will have stood still for too long, if nothing moves until then, and what that will be.
    pub(crate) fn deadline(&self) -> Option<(Instant, Stall)> {
        let idle = self.idle_max.get();
        let idle = idle.map(|idle| (self.moved.get() + idle, Stall::Idle));
        let client = self.client_deadline().map(|at| (at, Stall::Client));
        match (idle, client) {
            (Some(idle), Some(client)) => Some(if client.0 < idle.0 { client } else { idle }),
            (one, other) => one.or(other),
        }
    }

    /// Whether it has stood still for too long; if so, that is noted.
    pub(crate) fn check_stall(&self, now: Instant) -> Option<Stall> {
        let (_, stall) = self.deadline().filter(|(at, _)| *at <= now)?;
        self.stalled.set(Some(stall));
        Some(stall)
    }

    /// Whether it was cut because it stood still.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::outflow::Backlog;

    const STALL: Duration = Duration::from_secs(60);

    fn exchange(backlog: &Rc<Backlog>) -> Progress {
        let outflow = Rc::new(Outflow::new(Rc::clone(backlog)));
        Progress::begin(clock::now(), STALL, outflow)
    }

    fn later(seconds: u64) -> Instant {
        clock::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_client_that_does_not_send_its_body_stalls_until_it_has_an_answer() {
        let progress = exchange(&Rc::default());
        assert_eq!(progress.check_stall(later(1000)), None);
        progress.starve(Direction::Request);
        assert_eq!(progress.check_stall(later(50)), None);
        assert_eq!(progress.check_stall(later(70)), Some(Stall::Client));
        assert!(progress.is_stalled());
        progress.advance(Direction::Request, 1);
        assert_eq!(progress.body_deadline(), None);
        progress.starve(Direction::Request);
        progress.unhurry();
        assert_eq!(progress.check_stall(later(70)), None);
    }

    #[test]
    fn a_client_that_takes_nothing_stalls_and_one_that_takes_a_little_does_not() {
        let progress = exchange(&Rc::default());
        progress.hand(100_000);
        assert_eq!(progress.check_stall(later(70)), Some(Stall::Client));
        let before = clock::now();
        progress.take(1);
        let (deadline, stall) = progress.deadline().unwrap();
        assert!(deadline >= before + STALL);
        assert_eq!(stall, Stall::Client);
        progress.take(99_999);
        assert_eq!(progress.deadline(), None);
    }

    #[test]
    fn a_backend_that_gives_nothing_is_no_stall_of_the_client() {
        let progress = exchange(&Rc::default());
        progress.limit_idle(Duration::from_secs(300));
        progress.starve(Direction::Response);
        assert_eq!(progress.check_stall(later(299)), None);
        assert_eq!(progress.check_stall(later(301)), Some(Stall::Idle));
    }

    #[test]
    fn clients_that_stand_still_are_cut_early_where_much_waits() {
        let backlog = Rc::default();
        let progress = exchange(&backlog);
        progress.hand(1000);
        assert_eq!(progress.check_stall(later(10)), None);
        let others = exchange(&backlog);
        others.hand(limits::BACKLOG_BYTES);
        assert_eq!(progress.check_stall(later(10)), Some(Stall::Client));
        others.take(limits::BACKLOG_BYTES);
        assert_eq!(progress.check_stall(later(10)), None);
    }

    #[test]
    fn every_response_may_hold_one_piece_however_much_waits() {
        let progress = exchange(&Rc::default());
        let cx = Context::from_waker(Waker::noop());
        progress.hand(limits::WAITING_BYTES);
        assert!(progress.poll_room(&cx).is_pending() && progress.poll_taken(&cx).is_pending());
        progress.take(limits::WAITING_BYTES);
        assert!(progress.poll_room(&cx).is_ready() && progress.poll_taken(&cx).is_ready());
    }
}
