//! How far the exchange of one request has come, both directions: bytes, when the last one moved, and how each direction
//! ended. Shared by the two body pumps, the stream's watch and the record; single-threaded, so plain cells.

use std::cell::Cell;
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;

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

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: Cell<u64>,
    flow: Cell<Flow>,
    /// The pump was asked for more and its source had nothing: a stall is the source's.
    starved: Cell<bool>,
}

/// How far an exchange has come.
#[derive(Debug)]
pub(crate) struct Progress {
    request: Way,
    response: Way,
    moved: Cell<Instant>,
    idle_max: Cell<Option<Duration>>,
    stalled: Cell<bool>,
}

impl Progress {
    /// Of a request whose head has just been read.
    pub(crate) fn begin(now: Instant) -> Self {
        Self {
            request: Way::default(),
            response: Way::default(),
            moved: Cell::new(now),
            idle_max: Cell::new(None),
            stalled: Cell::new(false),
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
        way.starved.set(false);
        self.touch();
    }

    /// Something other than body bytes moved.
    pub(crate) fn touch(&self) {
        self.moved.set(clock::now());
    }

    /// A pump's source had nothing to give.
    pub(crate) fn starve(&self, direction: Direction) {
        self.way(direction).starved.set(true);
    }

    /// When something last moved.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether the side a direction comes from has been asked for more and has not given it: a stall is that side's.
    pub(crate) fn is_starved(&self, direction: Direction) -> bool {
        self.flow(direction) == Flow::Open && self.way(direction).starved.get()
    }

    /// From now on nothing may stand still for longer than this.
    pub(crate) fn limit_idle(&self, idle_max: Duration) {
        self.idle_max.set(Some(idle_max));
    }

    /// When it will have stood still for too long, if nothing moves until then.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.idle_max.get().map(|idle| self.moved.get() + idle)
    }

    /// Whether it has stood still for too long; if so, that is noted.
    pub(crate) fn check_stall(&self, now: Instant) -> bool {
        let stalled = self.deadline().is_some_and(|deadline| deadline <= now);
        if stalled {
            self.stalled.set(true);
        }
        stalled
    }

    /// Whether it was cut because it stood still.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.get()
    }
}
