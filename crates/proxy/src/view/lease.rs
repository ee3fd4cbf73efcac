//! A request's place at an endpoint, and what is counted of it there: that it is in flight, and how its try ended. A trial is
//! counted apart. It decides nothing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bascule_model::FailureClass;
use bascule_traffic::{Choice, PickReason};

use super::BackendView;
use crate::shared::{BackendTotals, EndpointTally};
use crate::upstream::Endpoint;

/// A request's place at an endpoint. Counted in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    /// What was chosen.
    pub(crate) choice: Choice,
    /// The backend.
    pub(crate) backend: Rc<BackendView>,
    /// The endpoint.
    pub(crate) endpoint: Rc<Endpoint>,
    worker: usize,
    /// How the try ended is counted.
    settled: Cell<bool>,
}

impl Lease {
    /// Takes a place.
    pub(super) fn take(
        choice: Choice,
        backend: Rc<BackendView>,
        endpoint: Rc<Endpoint>,
        worker: usize,
    ) -> Self {
        let lease = Self {
            choice,
            backend,
            endpoint,
            worker,
            settled: Cell::new(false),
        };
        lease.backend.meters.pick(choice.why);
        if let Some(tally) = lease.tally() {
            tally.in_flight.increment();
            if lease.is_trial() {
                tally.trial_begun();
            }
        }
        if let Some(totals) = lease.totals() {
            totals.in_flight.increment();
            if !matches!(choice.why, PickReason::Retry | PickReason::Trial) {
                totals.picks.increment();
            }
        }
        lease
    }

    fn totals(&self) -> Option<&BackendTotals> {
        self.backend.cells.of(self.worker)
    }

    fn tally(&self) -> Option<&EndpointTally> {
        self.endpoint.cells.of(self.worker)
    }

    fn is_trial(&self) -> bool {
        self.choice.why == PickReason::Trial
    }

    /// The endpoint answered, and not with a failure.
    pub(crate) fn succeeded(&self, took: Duration) {
        self.settled.set(true);
        match self.tally() {
            Some(tally) if self.is_trial() => tally.trial_passed(took),
            Some(tally) => tally.answered(took),
            None => {}
        }
    }

    /// The endpoint failed: at once, by its answer, or in the middle of one that had begun well.
    pub(crate) fn failed(&self, class: FailureClass) {
        let settled = self.settled.replace(true);
        match self.tally() {
            Some(tally) if self.is_trial() && !settled => tally.trial_failed(),
            Some(tally) => tally.failed(class),
            None => {}
        }
    }

    /// The try has ended. `failed`: for the backend's fault.
    pub(crate) fn count(&self, failed: bool) {
        if let Some(totals) = self.totals() {
            totals.requests.increment();
            if failed {
                totals.errors.increment();
                self.backend.meters.error();
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.meters.release();
        if let Some(tally) = self.tally() {
            tally.in_flight.decrement();
            if self.is_trial() && !self.settled.get() {
                // Its client did not wait for the answer: that shows nothing good.
                tally.trial_failed();
            }
        }
        if let Some(totals) = self.totals() {
            totals.in_flight.decrement();
        }
        self.endpoint.places.freed();
    }
}
