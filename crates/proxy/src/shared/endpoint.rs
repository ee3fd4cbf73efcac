//! The cells of one endpoint: what each worker counts of it, and the [ticket](super::trials) for a trial. A count is written
//! by one worker and read by all; only the ticket, of which there is at most one a second, is taken by an exchange.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::signal::{LATENCY_BUCKETS, latency_bucket};
use bascule_model::{EndpointTotals, FailureClass, Instant};
use bascule_traffic::suspect::Repeatable;

use super::trials::Ticket;
use super::{Cell, PerWorker, Trials};

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
    ticket: Ticket,
}

impl EndpointCells {
    /// Empty cells for so many workers, of an endpoint of the service that has these trials.
    pub(super) fn new(workers: usize, trials: Arc<Trials>) -> Self {
        Self {
            workers: PerWorker::new(workers),
            ticket: Ticket::new(trials),
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

    /// Grants a trial, for the next request that fits; nothing when it has one.
    pub(super) fn grant_trial(&self, now: Instant) {
        self.ticket.grant(now);
    }

    /// Whether it has a trial that a request may take.
    pub(crate) fn has_trial_for(&self, now: Instant, repeatable: Repeatable) -> bool {
        self.ticket.is_for(now, repeatable)
    }

    /// Takes the trial, for a request or because nobody will; whether there was one.
    pub(crate) fn take_trial(&self) -> bool {
        self.ticket.take()
    }
}
