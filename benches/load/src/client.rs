//! The clients: closed loops that ask with prebuilt bytes, check that every answer is whole, and keep a [`Tally`]. A fault
//! ends its connection and is kept, never hidden: a run with faults compares nothing.

pub mod http1;
pub mod http2;
pub mod tls;

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::runtime;

/// Latencies kept in one run; beyond it the percentiles speak of the first so many.
const LATENCIES_MAX: usize = 4 << 20;
/// Faults kept as text; all are counted.
const FAULTS_SHOWN: usize = 3;

/// What is wrong with an answer, or with the connection.
#[derive(Debug)]
pub enum Fault {
    /// The socket failed.
    Io(std::io::Error),
    /// The connection ended where an answer should have been.
    Cut,
    /// A status other than 200.
    Status(String),
    /// The peer said something that a working proxy does not say here.
    Unexpected(&'static str),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "socket: {error}"),
            Self::Cut => f.write_str("the connection ended where an answer should have been"),
            Self::Status(line) => write!(f, "not a 200: {line}"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

/// What all clients of a run did, and when they stop.
#[derive(Debug)]
pub struct Tally {
    /// Requests that may still begin.
    left: Cell<u64>,
    done: Cell<u64>,
    faults: Cell<u64>,
    shown: RefCell<Vec<String>>,
    /// Filled while measuring; microseconds.
    latencies: RefCell<Option<Vec<u32>>>,
}

impl Tally {
    /// For so many requests.
    #[must_use]
    pub fn of(requests: u64) -> Self {
        Self {
            left: Cell::new(requests),
            done: Cell::new(0),
            faults: Cell::new(0),
            shown: RefCell::default(),
            latencies: RefCell::new(None),
        }
    }

    /// Until [`stop`](Self::stop).
    #[must_use]
    pub fn endless() -> Self {
        Self::of(u64::MAX)
    }

    /// Whether one more request may begin; then it has.
    pub fn begin(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// A request that began then has its whole answer.
    pub fn end(&self, began: Instant) {
        self.done.set(self.done.get() + 1);
        if let Some(latencies) = self.latencies.borrow_mut().as_mut()
            && latencies.len() < LATENCIES_MAX
        {
            let micros = runtime::now().saturating_duration_since(began).as_micros();
            latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    /// A connection ended by a fault.
    pub fn note(&self, fault: &Fault) {
        self.faults.set(self.faults.get() + 1);
        let mut shown = self.shown.borrow_mut();
        if shown.len() < FAULTS_SHOWN {
            shown.push(fault.to_string());
        }
    }

    /// Begins to keep latencies, and forgets those before.
    pub fn measure(&self) {
        self.latencies.replace(Some(Vec::new()));
    }

    /// No request begins from now on.
    pub fn stop(&self) {
        self.left.set(0);
    }

    /// Whether no request may begin.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left.get() == 0
    }

    /// Whole answers so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.get()
    }

    /// Connections that ended by a fault.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.get()
    }

    /// The first faults, as text.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        self.shown.borrow().clone()
    }

    /// The latencies since [`measure`](Self::measure), taken out, sorted.
    #[must_use]
    pub fn latencies(&self) -> Vec<Duration> {
        let mut micros = self.latencies.take().unwrap_or_default();
        micros.sort_unstable();
        let duration = |micros: u32| Duration::from_micros(micros.into());
        micros.into_iter().map(duration).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_requests_begin_than_were_asked_for() {
        let tally = Tally::of(2);
        assert_eq!(
            [tally.begin(), tally.begin(), tally.begin()],
            [true, true, false]
        );
        assert!(tally.is_over());
    }

    #[test]
    fn only_what_ends_while_measuring_has_a_latency() {
        let tally = Tally::endless();
        tally.end(runtime::now());
        tally.measure();
        tally.end(runtime::now());
        assert_eq!((tally.done(), tally.latencies().len()), (2, 1));
    }

    #[test]
    fn every_fault_is_counted_and_the_first_are_shown() {
        let tally = Tally::endless();
        (0..10).for_each(|_| tally.note(&Fault::Cut));
        assert_eq!((tally.faults(), tally.shown().len()), (10, FAULTS_SHOWN));
    }
}
