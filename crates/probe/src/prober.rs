//! The task on the control thread that turns the judge's actions into checks and the checks' results into its input,
//! and publishes what it says. It must never wait for one endpoint while another is due, hold more than
//! [`CHECKS_MAX`] connections, or let a check go without a result: the judge would wait for ever.

mod job;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bascule_health::passive;
use bascule_health::verdicts::{self, Action};
use bascule_health::{
    AgentState, CheckFailure, CheckPolicy, CheckResult, Input, OutlierPolicy, Report, Target,
    Transition, Verdicts, Watched,
};
use bascule_model::{AdminState, EndpointId, Instant, ProviderName, ServiceName, TrafficFailure};
use bascule_telemetry::{Registry, clock, events::Bus, spawn};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};

use crate::line::{Line, Pace, Places};
use crate::looks::{Looks, Traffic};
use crate::meter::Meter;
use job::{Done, Job, Seen, Waiting, perform};

/// Checks on the wire at once; each is one socket, and half of the descriptors that a process gets by default. What is due
/// beyond waits in [`line`](crate::line). At the default interval they are enough for 1 500 targets that all hang for the
/// whole time-out, and for many thousands that answer.
pub const CHECKS_MAX: usize = 512;

/// Failures of traffic taken in one go, so that a flood of them does not keep the task from its checks.
const FAILURES_MAX: usize = 256;

/// The longest time the report may lag behind a result that changed no state (its `checked_at` and `against`), and the
/// gauges behind any. To write them all for each result would cost more than the checks, most of all when a provider dies.
const REPORT_EVERY: Duration = Duration::from_millis(250);

/// An endpoint to watch.
#[derive(Debug, Clone)]
pub struct ProbeTarget {
    /// Which.
    pub id: EndpointId,
    /// Who runs it; for metrics and events.
    pub provider: ProviderName,
    /// What people want of it: the strictest of its own state, its backend's and its provider's. Decides whether it is
    /// checked.
    pub admin: AdminState,
    /// Its backend is off: it gets no traffic, whatever else fails.
    pub off: bool,
    /// How it is checked.
    pub policy: Arc<CheckPolicy>,
    /// How traffic judges it.
    pub outlier: Arc<OutlierPolicy>,
    /// How TLS is spoken, where the check is over TLS: the configuration that traffic uses, so that a check sees what it
    /// sees. Endpoints that are the same but for this are checked apart.
    pub tls: Option<Arc<ClientConfig>>,
}

/// What the task needs.
#[derive(Debug)]
pub struct Settings {
    /// Decides the jitter.
    pub seed: u64,
    /// Failures of endpoints that traffic saw. Senders should drop what does not fit: one is enough.
    pub failures: mpsc::Receiver<TrafficFailure>,
    /// The data plane.
    pub traffic: Box<dyn Traffic>,
    /// Where transitions are told.
    pub bus: Bus,
    /// Where they are counted.
    pub registry: Registry,
}

/// Starts the task.
#[derive(Debug)]
pub struct Prober;

/// What others have of the task. It ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct ProberHandle {
    /// The verdicts. A transition is in it before `changed` says so; that a check passed again, within a quarter second.
    pub report: Arc<ArcSwap<Report>>,
    /// Counts publications that changed a state or the set of endpoints; fires at once on each.
    pub changed: watch::Receiver<u64>,
    targets: watch::Sender<Vec<ProbeTarget>>,
}

impl ProberHandle {
    /// Watches these endpoints and no others. What is known of an endpoint stays with its id. The same endpoints again
    /// change nothing and do not fire `changed`, so that this may be called from what listens to it.
    pub fn set_targets(&self, targets: Vec<ProbeTarget>) {
        self.targets.send_replace(targets);
    }
}

impl Prober {
    /// Starts the task on this thread's `LocalSet`. It watches nothing until it is given targets.
    ///
    /// # Panics
    /// Outside a `LocalSet`: that is a mistake of the program's composition, found by its first run.
    #[must_use]
    pub fn start(settings: Settings) -> ProberHandle {
        start(settings, CHECKS_MAX)
    }
}

fn start(settings: Settings, checks_max: usize) -> ProberHandle {
    let report = Arc::new(ArcSwap::from_pointee(Report::default()));
    let (changed, changed_receiver) = watch::channel(0);
    let (targets, targets_receiver) = watch::channel(Vec::new());
    let task = Task {
        verdicts: Verdicts::new(settings.seed),
        traffic: settings.traffic,
        looks: Looks::default(),
        known: BTreeMap::new(),
        line: Line::new(Places::new(checks_max)),
        slow: BTreeSet::new(),
        running: FuturesUnordered::new(),
        meter: Meter::new(settings.registry, settings.bus),
        report: Arc::clone(&report),
        changed,
        report_due: None,
        gauges_stale: false,
    };
    spawn::local("probe", task.run(targets_receiver, settings.failures)).detach();
    ProberHandle {
        report,
        changed: changed_receiver,
        targets,
    }
}

struct Task {
    verdicts: Verdicts,
    traffic: Box<dyn Traffic>,
    looks: Looks,
    known: BTreeMap<Arc<EndpointId>, ProbeTarget>,
    line: Line<Waiting>,
    /// Those whose check did not end in time last.
    slow: BTreeSet<Arc<EndpointId>>,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Done>>>>,
    meter: Meter,
    report: Arc<ArcSwap<Report>>,
    changed: watch::Sender<u64>,
    /// When the report must be published, for results that changed no state, and the gauges be set.
    report_due: Option<Instant>,
    /// Whether the gauges are older than the report.
    gauges_stale: bool,
}

impl Task {
    async fn run(
        mut self,
        mut targets: watch::Receiver<Vec<ProbeTarget>>,
        mut failures: mpsc::Receiver<TrafficFailure>,
    ) {
        let mut failed = Vec::new();
        let mut failures_open = true;
        loop {
            // Every branch only takes what is there when it wins; losing one loses nothing.
            tokio::select! {
                wanted = targets.changed() => match wanted {
                    Ok(()) => {
                        let wanted = targets.borrow_and_update().clone();
                        self.retarget(wanted);
                    }
                    Err(_) => return, // The last handle is gone.
                },
                count = failures.recv_many(&mut failed, FAILURES_MAX), if failures_open => {
                    failures_open = count > 0;
                    self.take_failures(std::mem::take(&mut failed));
                }
                Some(done) = self.running.next() => self.take(done),
                () = clock::sleep_until_some(self.verdicts.poll_timeout()) => {
                    self.verdicts.handle_timeout(clock::now());
                }
                () = clock::sleep_until_some(self.looks.due()) => self.look(),
                () = clock::sleep_until_some(self.report_due) => self.publish(),
            }
            self.act();
        }
    }

    fn retarget(&mut self, wanted: Vec<ProbeTarget>) {
        let judged = wanted
            .iter()
            .map(|target| (Arc::new(target.id.clone()), target));
        let mut targets = Vec::with_capacity(wanted.len());
        let mut watched = Vec::with_capacity(wanted.len());
        let mut known = BTreeMap::new();
        for (id, target) in judged {
            targets.push(Target {
                id: Arc::clone(&id),
                policy: Arc::clone(&target.policy),
                checked: target.admin.is_checked(),
                // The clients in `known` live as long as the numbers made of their places.
                trust: target.tls.as_ref().map_or(0, |tls| Arc::as_ptr(tls).addr()),
            });
            watched.push(Watched {
                id: Arc::clone(&id),
                provider: target.provider.clone(),
                takes_new: target.admin.takes_new() && !target.off,
                policy: Arc::clone(&target.outlier),
            });
            known.insert(id, target.clone());
        }
        let now = clock::now();
        self.verdicts.set_targets(now, targets, watched);
        self.looks.set(now, self.verdicts.watches_traffic());
        let verdicts = &self.verdicts;
        self.line
            .retain(|waiting| verdicts.is_awaited(waiting.check));
        self.slow.retain(|id| known.contains_key(id));
        self.forget_all_but(&known);
        let placed_as = |target: &ProbeTarget| (target.admin, target.off, target.provider.clone());
        let same = known.len() == self.known.len()
            && known.iter().all(|(id, target)| {
                let before = self.known.get(id).map(placed_as);
                before == Some(placed_as(target))
            });
        self.known = known;
        if !same {
            self.announce();
        }
    }

    /// Forgets what was told of endpoints that are gone, and of services that have none any more.
    fn forget_all_but(&self, known: &BTreeMap<Arc<EndpointId>, ProbeTarget>) {
        for (id, target) in &self.known {
            if !known.contains_key(id) {
                self.meter.forget(target);
            }
        }
        let service = |id: &Arc<EndpointId>| id.service.clone();
        let services: BTreeSet<ServiceName> = known.keys().map(service).collect();
        let before: BTreeSet<ServiceName> = self.known.keys().map(service).collect();
        for gone in before.difference(&services) {
            self.meter.forget_service(gone);
        }
    }

    /// Looks soon at what failed, and lets the judge check it.
    fn take_failures(&mut self, failed: Vec<TrafficFailure>) {
        let now = clock::now();
        self.looks.hurry(now);
        self.verdicts.handle(now, verdicts::Input::Failed(failed));
    }

    fn take(&mut self, done: Done) {
        let Done {
            id,
            check,
            pace,
            seen,
        } = done;
        self.line.leave(pace);
        let members = self.verdicts.members(check).iter();
        let targets = members.filter_map(|id| self.known.get(id));
        let now = clock::now();
        self.report_due.get_or_insert(now + REPORT_EVERY);
        let result = match seen {
            Seen::Result(result) => result,
            Seen::Agent(answer) => {
                self.meter.asked(targets, &answer);
                let said = answer.line();
                let answered = Input::AgentAnswered { check, said };
                self.verdicts.handle(now, verdicts::Input::Check(answered));
                return;
            }
        };
        self.meter.checked(targets, result);
        if result == CheckResult::Failed(CheckFailure::Timeout) {
            self.slow.insert(id);
        } else {
            self.slow.remove(&id);
        }
        let checked = Input::Checked { check, result };
        self.verdicts.handle(now, verdicts::Input::Check(checked));
    }

    /// Shows the judge what traffic saw.
    fn look(&mut self) {
        let now = clock::now();
        let totals = self.traffic.totals();
        self.verdicts.handle(now, verdicts::Input::Traffic(totals));
        self.looks.made(now);
    }

    /// Does what the judge says, and starts checks as far as the limit lets it.
    fn act(&mut self) {
        let (mut said, mut moved, mut told) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(action) = self.verdicts.poll_action() {
            match action {
                Action::Check { id, check, policy } => {
                    let pace = self.pace(&id);
                    let job = Job::Check(policy);
                    self.line.join(Waiting { id, check, job }, pace);
                }
                // Nobody waits for what an agent says, and whoever hangs is known by the check.
                Action::AskAgent {
                    id,
                    check,
                    address,
                    timeout,
                } => {
                    let job = Job::Agent(address, timeout);
                    self.line.join(Waiting { id, check, job }, Pace::Slow);
                }
                Action::Trial { id } => self.traffic.grant_trial(&id, clock::now()),
                Action::Transition(transition) => moved.push(transition),
                Action::AgentChanged { id, state } => said.push((id, state)),
                Action::Told(what) => told.push(what),
            }
        }
        self.tell(&said, &moved, &told);
        while let Some((next, pace)) = self.line.next() {
            let tls = self
                .known
                .get(&next.id)
                .and_then(|target| target.tls.clone());
            self.running.push(Box::pin(perform(next, pace, tls)));
        }
    }

    fn pace(&self, id: &Arc<EndpointId>) -> Pace {
        if self.slow.contains(id) {
            Pace::Slow
        } else {
            Pace::Brisk
        }
    }

    /// Tells edges first, then people.
    fn tell(
        &mut self,
        said: &[(Arc<EndpointId>, AgentState)],
        moved: &[Transition],
        told: &[passive::Action],
    ) {
        let is_trial = |what: &passive::Action| matches!(what, passive::Action::Tried { .. });
        if !said.is_empty() || !moved.is_empty() || !told.iter().all(is_trial) {
            self.announce();
        } else if !told.is_empty() {
            self.report_due.get_or_insert(clock::now() + REPORT_EVERY);
        }
        for (id, state) in said {
            if let Some(target) = self.known.get(id) {
                self.meter.agent_changed(target, state);
            }
        }
        for transition in moved {
            if let Some(target) = self.known.get(&transition.id) {
                self.meter.moved(target, transition);
            }
        }
        for what in told {
            self.meter.told(what, |id| self.known.get(id));
        }
    }

    /// Publishes the report and says that it differs in more than times.
    fn announce(&mut self) {
        self.report.store(Arc::new(self.verdicts.report()));
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        self.gauges_stale = true;
        self.report_due.get_or_insert(clock::now() + REPORT_EVERY);
    }

    /// Publishes what did not need to be known at once.
    fn publish(&mut self) {
        self.report_due = None;
        self.meter.waiting(self.line.waiting());
        let report = Arc::new(self.verdicts.report());
        if std::mem::take(&mut self.gauges_stale) {
            self.meter.states(self.known.values(), &report);
        }
        self.report.store(report);
    }
}

#[cfg(test)]
mod tests;
