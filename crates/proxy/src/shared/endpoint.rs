//! The cells of one endpoint: what each worker counts of it, and the ticket for a trial. A count is written by one worker
//! and read by all; only the ticket, of which there is at most one a second, is taken by an exchange.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bascule_model::signal::{LATENCY_BUCKETS, latency_bucket};
use bascule_model::{EndpointTotals, FailureClass, Instant};
use crossbeam_utils::CachePadded;

use super::{Cell, PerWorker};

/// What one worker counts of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct EndpointTally {
    /// Requests in flight; one that waits for its connection is among them.
    pub(crate) in_flight: Cell,
    answers: Cell,
    failures: [Cell; FailureClass::ALL.len()],
    latency: [Cell; LATENCY_BUCKETS],
    trials: TrialTally,
}

/// Of these, what it counts of trials.
#[derive(Debug, Default)]
struct TrialTally {
    begun: Cell,
    passed: Cell,
    failed: Cell,
    latency_nanos: Cell,
}

impl EndpointTally {
    /// A try was answered, and not with a failure.
    pub(crate) fn answered(&self, took: Duration) {
        self.answers.increment();
        if let Some(class) = self.latency.get(latency_bucket(took)) {
            class.increment();
        }
    }

    /// A try failed.
    pub(crate) fn failed(&self, class: FailureClass) {
        if let Some(class) = self.failures.get(class.index()) {
            class.increment();
        }
    }

    /// A trial was sent.
    pub(crate) fn trial_begun(&self) {
        self.trials.begun.increment();
    }

    /// A trial was answered, and not with a failure.
    pub(crate) fn trial_passed(&self, took: Duration) {
        self.trials.passed.increment();
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.trials.latency_nanos.add(nanos);
    }

    /// A trial failed.
    pub(crate) fn trial_failed(&self) {
        self.trials.failed.increment();
    }

    fn add_to(&self, sum: &mut EndpointTotals) {
        sum.answers += self.answers.get();
        let failures = sum.failures.iter_mut().zip(&self.failures);
        let latency = sum.latency.iter_mut().zip(&self.latency);
        for (sum, cell) in failures.chain(latency) {
            *sum += cell.get();
        }
        sum.trials.begun += self.trials.begun.get();
        sum.trials.passed += self.trials.passed.get();
        sum.trials.failed += self.trials.failed.get();
        let nanos = &mut sum.trials.latency_nanos;
        *nanos = nanos.saturating_add(self.trials.latency_nanos.get());
    }
}

/// The cells of one endpoint.
#[derive(Debug)]
pub(crate) struct EndpointCells {
    workers: PerWorker<EndpointTally>,
    /// When a trial was granted, in nanoseconds; 0: none is.
    ticket: CachePadded<AtomicU64>,
}

impl EndpointCells {
    /// Empty cells for so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: PerWorker::new(workers),
            ticket: CachePadded::default(),
        }
    }

    /// The cells of one worker.
    pub(crate) fn of(&self, worker: usize) -> Option<&EndpointTally> {
        self.workers.of(worker)
    }

    /// The requests in flight, of all workers.
    pub(crate) fn load(&self) -> u32 {
        let sum: u64 = self.workers.all().map(|tally| tally.in_flight.get()).sum();
        u32::try_from(sum).unwrap_or(u32::MAX)
    }

    /// What all workers have counted. The parts are read one after the other, so a request that ends just now may be in one
    /// of two numbers that belong together; it is in both the next time.
    pub(crate) fn totals(&self) -> EndpointTotals {
        let mut sum = EndpointTotals::default();
        for tally in self.workers.all() {
            tally.add_to(&mut sum);
        }
        sum
    }

    /// When the trial that nobody has taken yet was granted.
    pub(super) fn ticket(&self) -> Option<Instant> {
        let granted = self.ticket.load(Relaxed);
        (granted > 0).then(|| Instant::from_nanos(granted))
    }

    /// Puts a ticket there; whether there was none.
    pub(super) fn put_ticket(&self, now: Instant) -> bool {
        self.ticket.swap(now.as_nanos().max(1), Relaxed) == 0
    }

    /// Takes the ticket; whether there was one. Of two that try, one gets it.
    pub(super) fn take_ticket(&self) -> bool {
        self.ticket.load(Relaxed) > 0 && self.ticket.swap(0, Relaxed) > 0
    }
}
