//! What all workers of the process hold of one endpoint between two verdicts of the judge: whether it is suspected, and
//! when it last answered each of them. `traffic::suspect` decides; this is where it is kept, and where what one worker sees
//! of an endpoint is told to it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;
use bascule_traffic::pick::Gate;
use bascule_traffic::suspect::{Answers, Outcome, Repeatable, Standing, Suspicion, Times};
use tokio::sync::Notify;

use crate::shared::{self, PerWorker};

/// What all workers hold of one endpoint.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Whether it is suspected.
    pub(crate) standing: Arc<Standing>,
    /// When it last answered each worker, in nanoseconds.
    answered: PerWorker<shared::Cell>,
}

impl Trust {
    /// Of an endpoint that nobody has asked yet.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            standing: Arc::default(),
            answered: PerWorker::new(workers),
        }
    }

    /// Whether it has answered anybody since then.
    fn answered_since(&self, since: Instant) -> bool {
        let since = since.as_nanos();
        self.answered.all().any(|at| at.get() > since)
    }
}

/// What one worker sees of one endpoint.
#[derive(Debug)]
pub(crate) struct Watch {
    trust: Arc<Trust>,
    worker: usize,
    suspicion: RefCell<Suspicion>,
    answers: RefCell<Answers>,
    /// Kept beside, as every request asks.
    silence: Cell<Option<Duration>>,
    is_down: Cell<bool>,
    went_down: Notify,
}

impl Watch {
    /// By a worker that has seen nothing yet.
    pub(crate) fn new(trust: Arc<Trust>, worker: usize) -> Self {
        Self {
            suspicion: RefCell::new(Suspicion::new(Arc::clone(&trust.standing))),
            trust,
            worker,
            answers: RefCell::default(),
            silence: Cell::new(None),
            is_down: Cell::new(false),
            went_down: Notify::new(),
        }
    }

    /// Whether it is suspected.
    pub(crate) fn standing(&self) -> &Standing {
        &self.trust.standing
    }

    /// A request goes there by the first pick: where a trial is due it is that.
    pub(crate) fn is_tried(&self) {
        if self.standing().is_suspected() {
            self.standing().take_trial(clock::now());
        }
    }

    /// Whether it may get a request.
    pub(crate) fn gate(&self, request: Repeatable) -> Gate {
        let standing = self.standing();
        if standing.is_open() {
            Gate::Open
        } else {
            standing.gate(clock::now(), request)
        }
    }

    /// How long it may say nothing before that is strange, where that is known.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.silence.get()
    }

    /// Whether it has said nothing to anybody since then.
    pub(crate) fn is_silent_since(&self, since: Instant) -> bool {
        !self.trust.answered_since(since)
    }

    /// It answered a request that was made at `asked`; `outcome`: what that says, where it is not known already. Whether it is
    /// suspected by that, and was not before.
    pub(crate) fn answered(&self, now: Instant, asked: Instant, outcome: Option<Outcome>) -> bool {
        if let Some(answered) = self.trust.answered.of(self.worker) {
            answered.set(now.as_nanos());
        }
        self.answers.borrow_mut().record(now.since(asked));
        outcome.is_some_and(|outcome| self.suspicion.borrow_mut().handle(now, asked, outcome))
    }

    /// A request that was made at `asked` got no answer. Whether it is suspected by that, and was not before.
    pub(crate) fn failed(&self, now: Instant, asked: Instant, outcome: Outcome) -> bool {
        self.suspicion.borrow_mut().handle(now, asked, outcome)
    }

    /// How long its answers took.
    pub(crate) fn times(&self) -> Times {
        self.answers.borrow().times()
    }

    /// Works out anew what is strange; once a second. `backend`: how long the answers of all its endpoints took.
    pub(crate) fn handle_timeout(&self, now: Instant, backend: &Times) {
        let mut answers = self.answers.borrow_mut();
        answers.handle_timeout(now, backend);
        self.silence.set(answers.silence());
    }

    /// The judge says that it is down, or no longer.
    pub(crate) fn set_down(&self, is_down: bool) {
        if is_down && !self.is_down.replace(true) {
            self.went_down.notify_waiters();
        }
        self.is_down.set(is_down);
    }

    /// Whether the judge says that it is down.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.get()
    }

    /// Waits until it goes down; who begins while it is down waits for the next time.
    pub(crate) async fn went_down(&self) {
        self.went_down.notified().await;
    }
}
