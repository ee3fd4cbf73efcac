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
    /// What its try has said of the endpoint.
    settled: Cell<Settled>,
    /// Its try has ended, and that is counted.
    ended: Cell<bool>,
}

/// What a try has said of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Nothing yet.
    No,
    /// It was answered.
    Well,
    /// It was held against the endpoint, once: how often ever the same try is found wanting.
    Badly,
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
            settled: Cell::new(Settled::No),
            ended: Cell::new(false),
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

    /// The endpoint answered, and not with a failure. A late answer is one too, but no trial that went well.
    pub(crate) fn succeeded(&self, took: Duration) {
        let before = self.settled.get();
        if before == Settled::No {
            self.settled.set(Settled::Well);
        }
        match self.tally() {
            Some(tally) if !self.is_trial() => tally.answered(took),
            Some(tally) if before == Settled::No => tally.trial_passed(took),
            Some(_) | None => {}
        }
    }

    /// The endpoint failed: at once, by its answer, or in the middle of one that had begun well. Whether that is counted: one
    /// try speaks against its endpoint once.
    pub(crate) fn failed(&self, class: FailureClass) -> bool {
        let before = self.settled.replace(Settled::Badly);
        match self.tally() {
            _ if before == Settled::Badly => return false,
            Some(tally) if self.is_trial() && before == Settled::No => tally.trial_failed(),
            Some(tally) => tally.failed(class),
            None => {}
        }
        true
    }

    /// Whether its try has been held against the endpoint.
    pub(crate) fn has_failed(&self) -> bool {
        self.settled.get() == Settled::Badly
    }

    /// The try has ended, after so long; `failed`: for the backend's fault. Whether that is new: it ends once.
    pub(crate) fn end(&self, took: Duration, failed: bool) -> bool {
        if self.ended.replace(true) {
            return false;
        }
        self.backend.meters.tried(took);
        if let Some(totals) = self.totals() {
            totals.requests.increment();
            if failed {
                totals.errors.increment();
                self.backend.meters.error();
            }
        }
        true
    }

    /// Whether its try has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.backend.meters.release();
        if let Some(tally) = self.tally() {
            tally.in_flight.decrement();
            if self.is_trial() && self.settled.get() == Settled::No {
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
