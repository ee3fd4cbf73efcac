//! One edge: the real assembler and the real judge, connected as the program connects them, and its workers. It performs
//! nothing: which checks are to be made it hands to the world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bascule_health::{Action, CheckNumber, CheckResult, Judge, Target, Transition};
use bascule_model::{EndpointId, Instant, ObservedState, Targets};
use bascule_traffic::assemble::EndpointHealth;
use bascule_traffic::suspect::Standing;
use bascule_traffic::{Assembler, Input, Snapshot, retry};

use crate::law::{Broken, Held, Laws, hold};
use crate::layout::Layout;
use crate::worker::Worker;

/// A check that is to be made.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: Arc<EndpointId>,
    pub(crate) check: CheckNumber,
}

/// An edge.
#[derive(Debug)]
pub(crate) struct Edge {
    layout: Layout,
    assembler: Assembler,
    judge: Judge,
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
            judge: Judge::new(seed),
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
        let Asked { id, check } = asked;
        let input = bascule_health::Input::Checked { id, check, result };
        self.judge.handle(now, input);
    }

    /// Traffic could not connect.
    pub(crate) fn traffic_failed(&mut self, now: Instant, id: EndpointId) {
        self.judge
            .handle(now, bascule_health::Input::TrafficFailed { id });
    }

    /// Time has passed.
    pub(crate) fn timeout(&mut self, now: Instant) {
        self.judge.handle_timeout(now);
        self.assembler.handle_timeout(now);
    }

    /// When it must be woken next.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let wakes = [self.judge.poll_timeout(), self.assembler.poll_timeout()];
        wakes.into_iter().flatten().min()
    }

    /// Brings everything that was told to its effect: verdicts to the assembler, snapshots to the workers. The checks that
    /// are to be made.
    pub(crate) fn pump(&mut self, now: Instant) -> Result<Vec<Asked>, Broken> {
        let mut asked = Vec::new();
        let mut moved = false;
        while let Some(action) = self.judge.poll_action() {
            match action {
                Action::Check { id, check, .. } => {
                    let first = self.under_way.insert(Arc::clone(&id));
                    let law = "one check of an endpoint at a time";
                    hold(now, law, first, || id.label())?;
                    asked.push(Asked { id, check });
                }
                Action::Transition(transition) => {
                    moved = true;
                    self.transitions.push(transition);
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
        let report = self.judge.report();
        let states = report.endpoints.into_iter();
        states.map(|(id, verdict)| (id, verdict.state)).collect()
    }

    fn health(&self) -> BTreeMap<EndpointId, EndpointHealth> {
        let report = self.judge.report();
        let seen = report.endpoints.into_iter().map(|(id, verdict)| {
            let health = EndpointHealth {
                state: verdict.state,
                returned_at: verdict.returned_at,
            };
            (id, health)
        });
        seen.collect()
    }

    fn aim(&mut self, now: Instant) {
        let targets = self.assembler.check_targets().into_iter();
        let targets = targets.map(|target| Target {
            id: Arc::new(target.id),
            policy: Arc::clone(&self.layout.check),
            checked: target.admin.is_checked(),
        });
        self.judge.set_targets(now, targets.collect());
    }
}
