//! One edge: the real assembler and the real judge, connected as the program connects them, and its workers. It performs
//! nothing: which checks are to be made it hands to the world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bascule_health::judge::Transition;
use bascule_health::passive::{self, LOOK_AGAIN, LOOK_EVERY};
use bascule_health::verdicts::{self, Action, Verdicts};
use bascule_health::{CheckNumber, CheckResult, Target, Watched};
use bascule_model::signal::latency_bucket;
use bascule_model::{
    EndpointId, EndpointTotals, FailureClass, Instant, ObservedState, Targets, TrafficFailure,
};
use bascule_traffic::assemble::EndpointHealth;
use bascule_traffic::suspect::{Repeatable, Standing, TRIAL_OF_ANY_AFTER};
use bascule_traffic::{Assembler, Input, Snapshot, retry};

use crate::law::{Broken, Held, Laws, hold};
use crate::layout::Layout;
use crate::worker::Worker;

/// A check that is to be made.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: Arc<EndpointId>,
    pub(crate) check: CheckNumber,
    /// How long it waits for an answer.
    pub(crate) timeout: Duration,
}

/// An edge.
#[derive(Debug)]
pub(crate) struct Edge {
    layout: Layout,
    assembler: Assembler,
    verdicts: Verdicts,
    /// What all workers have counted of each endpoint, by place.
    totals: Vec<EndpointTotals>,
    /// When a trial of an endpoint was granted that nobody has taken, by place.
    tickets: Vec<Option<Instant>>,
    /// When the totals are looked at next, and when they were last.
    look_at: Instant,
    looked: Instant,
    /// What was told beside transitions, in order.
    pub(crate) told: Vec<(Instant, passive::Action)>,
    /// What its workers go by.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) workers: Vec<Worker>,
    /// Requests in flight of all workers, by place.
    pub(crate) in_flight: Vec<u32>,
    /// What all workers hold of each endpoint, by place.
    pub(crate) standings: Vec<Arc<Standing>>,
    /// When each endpoint last answered anybody, by place.
    pub(crate) answered: Vec<Instant>,
    /// Every change of a verdict, in order.
    pub(crate) transitions: Vec<Transition>,
    /// When the world has been asked to wake it.
    pub(crate) wake_at: Option<Instant>,
    under_way: BTreeSet<Arc<EndpointId>>,
}

impl Edge {
    /// An edge that is told its configuration.
    pub(crate) fn new(layout: &Layout, seed: u64) -> Result<Self, Broken> {
        let standings: Vec<Arc<Standing>> = layout.places.iter().map(|_| Arc::default()).collect();
        let ledger = Arc::new(retry::Ledger::new(layout.size.workers));
        let workers = 0..layout.size.workers;
        let workers = workers.map(|n| Worker::new(layout, n, &standings, &ledger));
        let mut edge = Self {
            assembler: Assembler::new(),
            verdicts: Verdicts::new(seed),
            totals: vec![EndpointTotals::default(); layout.places.len()],
            tickets: vec![None; layout.places.len()],
            look_at: Instant::ZERO,
            looked: Instant::ZERO,
            told: Vec::new(),
            snapshot: None,
            workers: workers.collect(),
            in_flight: vec![0; layout.places.len()],
            answered: vec![Instant::ZERO; layout.places.len()],
            standings: standings.clone(),
            transitions: Vec::new(),
            wake_at: None,
            under_way: BTreeSet::new(),
            layout: layout.clone(),
        };
        edge.configure(Instant::ZERO, layout)?;
        Ok(edge)
    }

    /// A new configuration.
    pub(crate) fn configure(&mut self, now: Instant, layout: &Layout) -> Held {
        self.layout = layout.clone();
        let services = Input::Services(vec![Arc::clone(&layout.spec)]);
        let taken = self.assembler.handle(now, services);
        hold(now, "services are always taken", taken.is_ok(), String::new)?;
        self.aim(now);
        Ok(())
    }

    /// New targets; whether they were taken.
    pub(crate) fn targets(&mut self, now: Instant, targets: &Targets) -> bool {
        let taken = self.assembler.handle(now, Input::Targets(targets.clone()));
        self.aim(now);
        taken.is_ok()
    }

    /// A check ended.
    pub(crate) fn checked(&mut self, now: Instant, asked: Asked, result: CheckResult) {
        self.under_way.remove(&asked.id);
        let check = asked.check;
        let input = bascule_health::Input::Checked { check, result };
        self.verdicts.handle(now, verdicts::Input::Check(input));
    }

    /// Traffic failed at an endpoint: looked at soon, and told to the judge.
    pub(crate) fn traffic_failed(&mut self, now: Instant, failure: TrafficFailure) {
        self.look_at = self.look_at.min(now.max(self.looked + LOOK_AGAIN));
        let failed = verdicts::Input::Failed(vec![failure]);
        self.verdicts.handle(now, failed);
    }

    /// A trial was sent.
    pub(crate) fn trial_begun(&mut self, place: usize) {
        if let Some(totals) = self.totals.get_mut(place) {
            totals.trials.begun += 1;
        }
    }

    /// A try ended: after this long well, or by this failure.
    pub(crate) fn count(
        &mut self,
        place: usize,
        trial: bool,
        ended: Result<Duration, FailureClass>,
    ) {
        let Some(totals) = self.totals.get_mut(place) else {
            return;
        };
        match (ended, trial) {
            (Ok(took), true) => {
                totals.trials.passed += 1;
                let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                totals.trials.latency_nanos = totals.trials.latency_nanos.saturating_add(nanos);
            }
            (Err(_), true) => totals.trials.failed += 1,
            (Ok(took), false) => {
                totals.answers += 1;
                if let Some(class) = totals.latency.get_mut(latency_bucket(took)) {
                    *class += 1;
                }
            }
            (Err(class), false) => {
                if let Some(class) = totals.failures.get_mut(class.index()) {
                    *class += 1;
                }
            }
        }
    }

    /// Takes the trial of an endpoint that is granted, where this request may be it: one that cannot be repeated only when no
    /// other came for long.
    pub(crate) fn take_trial(
        &mut self,
        now: Instant,
        place: usize,
        repeatable: Repeatable,
    ) -> bool {
        let fits = |granted: Instant| {
            repeatable == Repeatable::Yes || now.since(granted) >= TRIAL_OF_ANY_AFTER
        };
        let ticket = self.tickets.get_mut(place);
        ticket.is_some_and(|ticket| ticket.is_some_and(fits) && ticket.take().is_some())
    }

    /// Time has passed.
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.verdicts.handle_timeout(now);
        if self.look_at <= now {
            let places = self.layout.places.iter().zip(&self.totals);
            let totals = places.map(|(place, totals)| (Arc::clone(&place.id), *totals));
            let totals = totals.collect();
            self.verdicts.handle(now, verdicts::Input::Traffic(totals));
            self.looked = now;
            self.look_at = now + LOOK_EVERY;
        }
        self.assembler.handle_timeout(now);
    }

    /// When it must be woken next.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let wakes = [
            self.verdicts.poll_timeout(),
            self.assembler.poll_timeout(),
            Some(self.look_at),
        ];
        wakes.into_iter().flatten().min()
    }

    /// Brings everything that was told to its effect: verdicts to the assembler, snapshots to the workers. The checks that
    /// are to be made.
    pub(crate) fn pump(&mut self, now: Instant) -> Result<Vec<Asked>, Broken> {
        let mut asked = Vec::new();
        let mut moved = false;
        while let Some(action) = self.verdicts.poll_action() {
            match action {
                Action::Check { id, check, policy } => {
                    let first = self.under_way.insert(Arc::clone(&id));
                    let law = "one check of an endpoint at a time";
                    hold(now, law, first, || id.label())?;
                    let timeout = policy.timeout;
                    asked.push(Asked { id, check, timeout });
                }
                Action::Transition(transition) => {
                    moved = true;
                    self.transitions.push(transition);
                }
                Action::Trial { id } => {
                    let place = self.layout.place(&id);
                    let ticket = place.and_then(|place| self.tickets.get_mut(place));
                    ticket.into_iter().for_each(|ticket| *ticket = Some(now));
                }
                // No endpoint of this world has an agent.
                Action::AskAgent { .. } | Action::AgentChanged { .. } => {}
                Action::Told(what) => {
                    moved = true;
                    self.told.push((now, what));
                }
            }
        }
        if moved {
            let taken = self.assembler.handle(now, Input::Health(self.health()));
            hold(now, "verdicts are always taken", taken.is_ok(), String::new)?;
        }
        while let Some(snapshot) = self.assembler.poll_snapshot() {
            Laws::published(now, self.snapshot.as_deref(), &snapshot)?;
            self.snapshot = Some(snapshot);
        }
        Ok(asked)
    }

    /// The worker that takes a request, with the newest view.
    pub(crate) fn worker(&mut self, number: usize) -> Option<&mut Worker> {
        let worker = self.workers.get_mut(number)?;
        let snapshot = self.snapshot.as_deref()?;
        let known = worker.view.as_ref().map(|view| view.generation);
        if known != Some(snapshot.generation) {
            worker.adopt(&self.layout, snapshot);
        }
        Some(worker)
    }

    /// The state of every endpoint, by the judge.
    pub(crate) fn states(&self) -> BTreeMap<EndpointId, ObservedState> {
        let report = self.verdicts.report();
        let states = report.endpoints.into_iter();
        states.map(|(id, verdict)| (id, verdict.state)).collect()
    }

    fn health(&self) -> BTreeMap<EndpointId, EndpointHealth> {
        let report = self.verdicts.report();
        let seen = report.endpoints.into_iter().map(|(id, verdict)| {
            let health = EndpointHealth::new(verdict.state, verdict.returned_at);
            (id, health)
        });
        seen.collect()
    }

    fn aim(&mut self, now: Instant) {
        let wanted = self.assembler.check_targets();
        let targets = wanted.iter().map(|target| Target {
            id: Arc::new(target.id.clone()),
            policy: Arc::clone(&self.layout.check),
            checked: target.admin.is_checked(),
            trust: 0,
        });
        let watched = wanted.iter().map(|target| Watched {
            id: Arc::new(target.id.clone()),
            provider: target.provider.clone(),
            takes_new: target.admin.takes_new() && !target.off,
            policy: Arc::clone(&self.layout.outlier),
        });
        self.verdicts
            .set_targets(now, targets.collect(), watched.collect());
    }
}
