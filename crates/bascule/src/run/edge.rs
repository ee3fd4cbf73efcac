//! What keeps the edge's snapshot true: a task on the control thread that gives `traffic::assemble` every change (of the
//! configuration, the targets, the verdicts, the resolved names, what clouds have, the measured demand) and publishes what comes out. It
//! decides nothing: which share follows from what is the assembler's.

mod news;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_config::Config;
use bascule_health::Report;
use bascule_model::{EndpointId, EndpointTotals, Instant, ServiceName, Targets};
use bascule_net::resolve::{Resolved, Resolver, Watched};
use bascule_probe::{ProbeTarget, ProberHandle, Traffic};
use bascule_proxy::Edge;
use bascule_telemetry::clock;
use bascule_telemetry::events::Bus;
use bascule_traffic::Snapshot;
use bascule_traffic::assemble::{Assembler, CheckTarget, EndpointHealth, Input};
use bascule_traffic::demand::Meter;
use tokio::sync::mpsc;

use super::clouds::Asking;
use super::trust::Trust;
use crate::names;

/// How often what services bring is measured: a loss must find a figure that is not old.
const MEASURE_EVERY: Duration = Duration::from_millis(100);

/// How long the start waits for name servers.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(3);

/// Watches host names, and what comes of it.
pub(super) type Names = (Resolver, mpsc::Receiver<Resolved>);

/// What the edge task is told from outside.
#[derive(Debug)]
pub(super) enum Change {
    /// A new configuration.
    Config(Arc<Config>, Trust),
    /// New targets.
    Targets(Targets),
}

/// The assembler with what it needs around it.
#[derive(Debug)]
pub(super) struct EdgeState {
    assembler: Assembler,
    config: Arc<Config>,
    trust: Trust,
    meters: BTreeMap<ServiceName, Meter>,
    measure_at: Option<Instant>,
}

impl EdgeState {
    /// The state before anything runs, and the snapshot to start with. Host names are resolved first, so that a backend
    /// written by name has endpoints before the first request; a name server that does not answer holds up the start for
    /// [`RESOLVE_PATIENCE`] and no longer, and so does a cloud.
    pub(super) async fn begin(
        config: &Arc<Config>,
        targets: Targets,
        trust: Trust,
        (resolving, asking): (&mut Names, &mut Asking),
    ) -> (Self, Option<Arc<Snapshot>>) {
        let assembler = Assembler::new();
        let mut state = Self {
            assembler,
            config: Arc::clone(config),
            trust,
            meters: BTreeMap::new(),
            measure_at: None,
        };
        state.feed(Input::Services(config.services.clone()));
        state.feed(Input::Targets(targets));
        asking.aim(config);
        let mut missing = names::watched(config);
        resolving.0.watch(&missing);
        let deadline = clock::now() + RESOLVE_PATIENCE;
        while !missing.is_empty() || asking.is_awaited() {
            // Cancellation: the receiver keeps what was not taken.
            tokio::select! {
                found = resolving.1.recv() => {
                    let Some(resolved) = found else { break };
                    missing.remove(&resolved.watched());
                    state.feed(names::input(resolved));
                }
                Some(found) = asking.recv() => {
                    asking.take(found);
                    state.feed(Input::Services(asking.services(config)));
                }
                () = clock::sleep_until(deadline) => {
                    let hosts: Vec<&str> = missing.iter().map(Watched::name).collect();
                    tracing::warn!(event = "start_unresolved", ?hosts);
                    break;
                }
            }
        }
        let snapshot = state.assembler.poll_snapshot();
        (state, snapshot)
    }

    fn feed(&mut self, input: Input) {
        if let Err(stale) = self.assembler.handle(clock::now(), input) {
            // The controller publishes in order; whoever sent this is behind.
            tracing::warn!(event = "targets_refused", current = %stale.current, offered = %stale.offered);
        }
    }

    /// Keeps the snapshot true until the process ends.
    pub(super) async fn run(
        mut self,
        edge: Edge,
        prober: ProberHandle,
        ((mut resolver, mut resolved), mut asking): (Names, Asking),
        mut changes: mpsc::UnboundedReceiver<Change>,
        bus: Bus,
    ) {
        let mut verdicts = prober.changed.clone();
        self.aim(&prober, &mut resolver);
        self.measure(&edge);
        loop {
            // Cancellation: a receiver that is not chosen keeps its message, a watch its mark, a sleep nothing.
            let aims = tokio::select! {
                change = changes.recv() => match change {
                    Some(change) => { self.take(change, &mut asking); true }
                    None => return,
                },
                Some(found) = asking.recv() => {
                    asking.take(found);
                    self.feed(Input::Services(asking.services(&self.config)));
                    true
                }
                changed = verdicts.changed() => match changed {
                    Ok(()) => { self.feed(Input::Health(health(&prober.report.load()))); false }
                    Err(_) => return,
                },
                found = resolved.recv() => match found {
                    Some(resolved) => { self.feed(names::input(resolved)); true }
                    None => return,
                },
                () = clock::sleep_until_some(self.measure_at) => {
                    self.measure(&edge);
                    false
                }
                () = clock::sleep_until_some(self.assembler.poll_timeout()) => {
                    self.assembler.handle_timeout(clock::now());
                    false
                }
            };
            while let Some(snapshot) = self.assembler.poll_snapshot() {
                publish(&edge, snapshot, &bus);
            }
            if aims {
                self.aim(&prober, &mut resolver);
                self.measure(&edge);
            }
        }
    }

    /// Measures what services bring, where that matters, and when it is time for the next measure.
    fn measure(&mut self, edge: &Edge) {
        let now = clock::now();
        if self.measure_at.is_some_and(|at| now < at) {
            return;
        }
        let totals = edge.totals();
        self.measure_at = (!totals.is_empty()).then(|| now + MEASURE_EVERY);
        self.meters
            .retain(|name, _| totals.iter().any(|(limited, _)| limited.name() == name));
        for (service, totals) in totals {
            let (name, least) = (service.name(), &service.capacity_least);
            let meter = self.meters.entry(name.clone()).or_default();
            if let Some(demand) = meter.handle(now, totals, least) {
                let service = name.clone();
                self.feed(Input::Demand { service, demand });
            }
        }
    }

    fn take(&mut self, change: Change, asking: &mut Asking) {
        match change {
            Change::Config(config, trust) => {
                asking.aim(&config);
                self.feed(Input::Services(asking.services(&config)));
                (self.config, self.trust) = (config, trust);
            }
            Change::Targets(targets) => self.feed(Input::Targets(targets)),
        }
    }

    /// Tells prober and resolver what there is to check and to resolve.
    fn aim(&self, prober: &ProberHandle, resolver: &mut Resolver) {
        let targets = self.assembler.check_targets();
        prober.set_targets(
            targets
                .into_iter()
                .filter_map(|t| self.probe_target(t))
                .collect(),
        );
        resolver.set(names::settings(&self.config.dns));
        resolver.watch(&names::watched(&self.config));
    }

    fn probe_target(&self, target: CheckTarget) -> Option<ProbeTarget> {
        let CheckTarget {
            id,
            provider,
            admin,
            off,
        } = target;
        let policy = Arc::clone(self.config.checks.get(&id.service)?);
        let outlier = Arc::clone(self.config.outliers.get(&id.service)?);
        let tls = self.trust.of(&id, &policy);
        Some(ProbeTarget {
            id,
            provider,
            admin,
            off,
            policy,
            outlier,
            tls,
        })
    }
}

/// What the judge sees of the edge, and grants it.
#[derive(Debug)]
pub(super) struct Seen(pub(super) Edge);

impl Traffic for Seen {
    fn totals(&self) -> Vec<(Arc<EndpointId>, EndpointTotals)> {
        self.0.endpoint_totals()
    }

    fn grant_trial(&self, endpoint: &EndpointId, now: Instant) {
        self.0.grant_trial(endpoint, now);
    }
}

/// Publishes, and tells what that changes for requests.
fn publish(edge: &Edge, snapshot: Arc<Snapshot>, bus: &Bus) {
    let news = news::between(&edge.snapshot(), &snapshot);
    edge.publish(snapshot);
    for event in news {
        bus.publish(event);
    }
}

fn health(report: &Report) -> BTreeMap<EndpointId, EndpointHealth> {
    let seen = |(id, verdict): (&EndpointId, &bascule_health::Verdict)| {
        let mut health = EndpointHealth::new(verdict.state, verdict.returned_at);
        if let Some(agent) = &verdict.agent {
            (health.agent, health.weight) = (agent.wanted(), agent.weight);
        }
        (id.clone(), health)
    };
    report.endpoints.iter().map(seen).collect()
}
