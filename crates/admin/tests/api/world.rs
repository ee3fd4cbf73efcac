//! A small invented world behind the ports: two services, three providers, one endpoint down, a shift on its way. The
//! control plane records what it is asked and answers as it is told; it decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bascule_admin::{
    BoundListener, By, Clients, ConfigOutcome, ConfigPort, ControlPort, EdgeView, Later, Ports,
    RefusedConfig, RunningConfig, Supposed,
};
use bascule_config::{Config, Diagnostic, Diagnostics, Dns, Severity, Span};
use bascule_control::discover::Board;
use bascule_control::{Confirmed, Recorded, StoreError, observe};
use bascule_health::{AgentState, CheckPolicy, Ejection, Offence, Reason, Report, Verdict};
use bascule_model::{
    AdminState, AdminTarget, BackendName, BackendSignal, Currency, Date, EgressPrice, EndpointId,
    FailureClass, Histogram, ListenerName, ObservedState, Price, ProviderName, Revision, Scheme,
    ServiceName, Shares, TargetRow, Targets, Tiers, Timestamp,
};
use bascule_plan::view::{
    Accepted, AdminEntry, EvacuationPhase, EvacuationView, HistoryEntry, OverrideView, Proof,
    ReceiverView, RowChange, ServiceView, ShiftCause, ShiftPhase, ShiftView,
};
use bascule_plan::{Refusal, Request, State};
use bascule_telemetry::events::Bus;
use bascule_telemetry::{Registry, clock};
use bascule_traffic::Snapshot;
use bascule_traffic::assemble::{Assembler, EndpointHealth, Input};
use bascule_traffic::breaker::{BackendCounts, EndpointCounts, Loads};
use bascule_traffic::explain::Sight;
use bascule_traffic::keys::Ignored;
use bascule_traffic::snapshot::Service;
use bascule_traffic::spec::{
    BackendSpec, Balance, Capacity, Class, EndpointHost, EndpointSpec, EndpointUrl, FailOpen,
    HostPolicy, RetryPolicy, Role, ServiceLimits, ServiceSpec, Timeouts,
};

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(crate) fn backend(name: &str) -> BackendName {
    BackendName::parse(name).unwrap()
}

pub(crate) fn row(weights: &[(&str, u64)]) -> Shares {
    Shares::from_weights(
        weights
            .iter()
            .map(|(name, weight)| (backend(name), *weight)),
    )
    .unwrap()
}

/// Everything behind the ports.
pub(crate) struct World {
    pub(crate) control: Arc<FakeControl>,
    pub(crate) edge: Arc<FakeEdge>,
    pub(crate) config: Arc<FakeConfig>,
    pub(crate) health: Arc<ArcSwap<Report>>,
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    pub(crate) sources: Board,
    pub(crate) observed: observe::Board,
    pub(crate) not_ready: Arc<Mutex<Option<String>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let specs = vec![
            Arc::new(spec(
                "meet",
                &[("aws", Some(70), 4), ("gcp", None, 1), ("oci", Some(30), 4)],
            )),
            Arc::new(spec("turn", &[("aws", Some(1), 2), ("oci", Some(1), 2)])),
        ];
        let health = Arc::new(ArcSwap::from_pointee(Report::default()));
        let control = Arc::new(FakeControl::new());
        let edge = Arc::new(FakeEdge::new(specs.clone(), &control, &health));
        Self {
            edge,
            control,
            config: Arc::new(FakeConfig::new(specs)),
            health,
            bus: Bus::new(),
            registry: Registry::new(),
            sources: Board::default(),
            observed: observe::Board::default(),
            not_ready: Arc::default(),
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        let not_ready = Arc::clone(&self.not_ready);
        Ports {
            control: Arc::clone(&self.control) as Arc<dyn ControlPort>,
            edge: Arc::clone(&self.edge) as Arc<dyn EdgeView>,
            health: Arc::clone(&self.health),
            bus: self.bus.clone(),
            registry: self.registry.clone(),
            config: Arc::clone(&self.config) as Arc<dyn ConfigPort>,
            sources: self.sources.clone(),
            observed: self.observed.clone(),
            actuators: bascule_control::apply::Board::default(),
            ready: Arc::new(move || not_ready.lock().unwrap().clone().map_or(Ok(()), Err)),
        }
    }

    /// A person drains a backend of `meet`.
    pub(crate) fn drain_backend(&self, service_name: &str, backend_name: &str) {
        let target = AdminTarget::Backend(service(service_name), backend(backend_name));
        let entry = AdminEntry {
            state: AdminState::Drain,
            actor: "uid:0".to_owned(),
            reason: String::new(),
            set_at: clock::wall(),
        };
        self.control.change(|state| {
            state.admin.insert(target, entry);
        });
        self.edge.assemble();
    }

    /// So many requests run at the first endpoint of a backend, and wait for it.
    pub(crate) fn run(&self, service_name: &str, backend_name: &str, requests: u32, waiting: u32) {
        let snapshot = self.edge.snapshot();
        let of = snapshot.service(&service(service_name)).unwrap();
        let first = &of.backend(&backend(backend_name)).unwrap().endpoints[0];
        let mut loads = self.edge.loads.lock().unwrap();
        let at_backend = BackendCounts { requests, waiting };
        let at_endpoint = EndpointCounts {
            requests,
            ..EndpointCounts::default()
        };
        let key = (service(service_name), backend(backend_name));
        loads.backends.insert(key, at_backend);
        loads.endpoints.insert(Arc::clone(&first.id), at_endpoint);
    }

    /// So many endpoints of a backend have failed their checks.
    pub(crate) fn break_endpoints(&self, backend_name: &str, count: usize) {
        self.take_down(backend_name, count, None);
    }

    /// Traffic has taken so many endpoints of a backend out, together.
    pub(crate) fn eject_endpoints(&self, backend_name: &str, count: usize) {
        let class = FailureClass::Unavailable;
        let ejection = Ejection {
            offence: Offence::Failing {
                class,
                failed: 5,
                tries: 6,
            },
            with_provider: true,
            since: clock::now(),
            times: 2,
            trials_passed: 1,
        };
        self.take_down(backend_name, count, Some(ejection));
    }

    /// The agent of the first endpoint of each of these backends says this.
    pub(crate) fn agents_say(&self, says: &[(&str, AgentState)]) {
        self.take_down("", 0, None);
        let mut report = Report::clone(&self.health.load());
        for (backend_name, agent) in says {
            let of = |id: &EndpointId| {
                id.service.as_str() == "meet" && id.backend.as_str() == *backend_name
            };
            let first = report.endpoints.iter_mut().find(|(id, _)| of(id));
            let (_, verdict) = first.unwrap();
            if agent.down.is_some() {
                (verdict.state, verdict.reasons) = (ObservedState::Down, vec![Reason::Agent]);
            }
            verdict.agent = Some(agent.clone());
        }
        self.health.store(Arc::new(report));
        self.edge.assemble();
    }

    fn take_down(&self, backend_name: &str, count: usize, ejection: Option<Ejection>) {
        let snapshot = self.edge.snapshot();
        let endpoints = snapshot.services.iter().flat_map(|s| &s.backends);
        let endpoints = endpoints
            .flat_map(|b| &b.endpoints)
            .map(|e| (*e.id).clone());
        let mut broken = 0;
        let verdict = |id: EndpointId| {
            let of = id.backend.as_str() == backend_name && id.service.as_str() == "meet";
            let down = of && broken < count;
            broken += usize::from(down);
            let verdict = Verdict {
                state: if down {
                    ObservedState::Down
                } else {
                    ObservedState::Up
                },
                by_checks: if down && ejection.is_none() {
                    ObservedState::Down
                } else {
                    ObservedState::Up
                },
                ejection: ejection.filter(|_| down),
                held: false,
                since: clock::now(),
                reasons: vec![match ejection {
                    Some(ejection) if down => ejection.offence.reason(),
                    None if down => Reason::Status { status: 503 },
                    _ => Reason::CheckPassed,
                }],
                last: None,
                agent: None,
                checked: true,
                returned_at: None,
                against: 0,
                checked_at: Some(clock::now()),
            };
            (id, verdict)
        };
        let endpoints = endpoints.map(verdict).collect();
        self.health.store(Arc::new(Report { endpoints }));
        self.edge.assemble();
    }
}

fn spec(name: &str, backends: &[(&str, Option<u32>, u8)]) -> ServiceSpec {
    let weights = backends
        .iter()
        .map(|(b, w, _)| (backend(b), u64::from(w.unwrap_or(0))));
    let number = u8::try_from(name.len()).unwrap();
    let one = |(at, (b, weight, count)): (usize, &(&str, Option<u32>, u8))| {
        let endpoint = |last: u8| {
            let at = u8::try_from(at).unwrap();
            let address = SocketAddr::from(([10, at, number, 10 + last], 8080));
            EndpointSpec::from(EndpointUrl {
                scheme: Scheme::Http,
                host: EndpointHost::Address(address),
                port: 8080,
            })
        };
        let spec = BackendSpec {
            provider: ProviderName::parse(b).unwrap(),
            region: Some(format!("{b}-east")),
            role: weight.map_or(Role::Standby, Role::Weighted),
            host: HostPolicy::Preserve,
            capacity: Capacity::default(),
            endpoints: (0..*count).map(endpoint).collect(),
            ca_file: None,
        };
        (backend(b), spec)
    };
    ServiceSpec {
        name: service(name),
        listeners: vec![ListenerName::parse("web").unwrap()],
        matches: Vec::new(),
        backends: backends.iter().enumerate().map(one).collect(),
        declared: Shares::from_weights(weights).unwrap(),
        class: Class::default(),
        balance: Balance::default(),
        zone: None,
        timeouts: Timeouts::default(),
        retry: RetryPolicy::default(),
        limits: ServiceLimits::default(),
        ramp: Duration::from_secs(5),
        fail_open: FailOpen::Never,
        retry_after: Duration::from_secs(1),
        affinity: None,
        initial: bascule_model::ObservedState::Unknown,
    }
}

/// Answers as it is told, and remembers what it was asked.
pub(crate) struct FakeControl {
    pub(crate) state: ArcSwap<State>,
    pub(crate) asked: Mutex<Vec<Request>>,
    pub(crate) refusal: Mutex<Option<Refusal>>,
    pub(crate) history: Mutex<Vec<Recorded>>,
}

impl FakeControl {
    fn new() -> Self {
        let view = |row: Shares| ServiceView {
            declared: row.clone(),
            override_row: None,
            target: row,
            off: BTreeSet::new(),
            shift: None,
        };
        let meet = row(&[("aws", 70), ("gcp", 0), ("oci", 30)]);
        let services = BTreeMap::from([
            (service("meet"), view(meet)),
            (service("turn"), view(row(&[("aws", 1), ("oci", 1)]))),
        ]);
        let state = State {
            revision: Revision(41),
            services,
            ..State::default()
        };
        Self {
            state: ArcSwap::from_pointee(state),
            asked: Mutex::default(),
            refusal: Mutex::default(),
            history: Mutex::default(),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = State::clone(&self.state.load());
        change(&mut state);
        self.state.store(Arc::new(state));
    }

    pub(crate) fn last_asked(&self) -> Request {
        self.asked.lock().unwrap().last().cloned().unwrap()
    }

    pub(crate) fn record(&self, action: &str, object: &str, revision: u64, reason: &str) {
        let mut history = self.history.lock().unwrap();
        let sequence = u64::try_from(history.len()).unwrap() + 1;
        let change = RowChange {
            before: Some(row(&[("aws", 70), ("gcp", 0), ("oci", 30)])),
            after: row(&[("aws", 60), ("gcp", 0), ("oci", 40)]),
        };
        history.push(Recorded {
            sequence,
            hash: format!("{sequence:064x}"),
            entry: HistoryEntry {
                revision: Revision(revision),
                at: clock::wall(),
                actor: "uid:0".to_owned(),
                action: action.to_owned(),
                object: object.to_owned(),
                reason: reason.to_owned(),
                refused: None,
                rows: BTreeMap::from([(service("meet"), change)]),
            },
        });
    }
}

impl ControlPort for FakeControl {
    fn request(&self, request: Request) -> Later<'_, Result<Accepted, Refusal>> {
        let current = self.state.load().revision;
        let stale = request.if_match.filter(|seen| *seen != current);
        let dry_run = request.dry_run;
        self.asked.lock().unwrap().push(request);
        let answer = match (stale, self.refusal.lock().unwrap().clone()) {
            (Some(seen), _) => Err(Refusal::Stale { seen, current }),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => {
                let revision = if dry_run { current } else { current.next() };
                self.change(|state| state.revision = revision);
                Ok(Accepted {
                    revision,
                    shifts: vec!["s-0007".to_owned()],
                    evacuation: None,
                    rows: BTreeMap::new(),
                    warnings: vec!["gcp has no endpoint that is up".to_owned()],
                })
            }
        };
        Box::pin(std::future::ready(answer))
    }

    fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        let history = self.history.lock().unwrap();
        let below = history
            .iter()
            .rev()
            .filter(|r| before.is_none_or(|b| r.sequence < b));
        Ok(below.take(limit).cloned().collect())
    }
}

/// An edge that serves what the real assembler makes of the specifications.
pub(crate) struct FakeEdge {
    specs: Vec<Arc<ServiceSpec>>,
    control: Arc<FakeControl>,
    health: Arc<ArcSwap<Report>>,
    snapshot: ArcSwap<Snapshot>,
    pub(crate) signals: Mutex<Vec<BackendSignal>>,
    pub(crate) loads: Mutex<Loads>,
    pub(crate) sight: Mutex<Sight>,
    pub(crate) rests: AtomicBool,
}

impl FakeEdge {
    fn new(
        specs: Vec<Arc<ServiceSpec>>,
        control: &Arc<FakeControl>,
        health: &Arc<ArcSwap<Report>>,
    ) -> Self {
        let snapshot = assembled(&specs, &control.state.load(), &health.load());
        Self {
            specs,
            control: Arc::clone(control),
            health: Arc::clone(health),
            snapshot: ArcSwap::new(snapshot),
            signals: Mutex::default(),
            loads: Mutex::default(),
            sight: Mutex::default(),
            rests: AtomicBool::new(false),
        }
    }

    /// Takes up what control and health say now.
    pub(crate) fn assemble(&self) {
        let state = self.control.state.load();
        self.snapshot
            .store(assembled(&self.specs, &state, &self.health.load()));
    }

    /// Adds finished requests to a backend's totals.
    pub(crate) fn serve(&self, service_name: &str, backend_name: &str, requests: u64, errors: u64) {
        let mut signals = self.signals.lock().unwrap();
        let found = signals
            .iter()
            .position(|s| s.service.as_str() == service_name && s.backend.as_str() == backend_name);
        let at = found.unwrap_or_else(|| {
            signals.push(BackendSignal {
                at: clock::now(),
                service: service(service_name),
                backend: backend(backend_name),
                requests: 0,
                errors: 0,
                picks: 0,
                in_flight: 3,
                latency: Histogram::default(),
            });
            signals.len() - 1
        });
        let signal = &mut signals[at];
        signal.requests += requests;
        signal.picks += requests;
        signal.errors += errors;
        for n in 0..requests {
            signal
                .latency
                .record(Duration::from_micros(90_000 + n % 60 * 1000));
        }
    }
}

fn assembled(specs: &[Arc<ServiceSpec>], state: &State, report: &Report) -> Arc<Snapshot> {
    let rows = state.services.iter().map(|(name, view)| {
        let row = TargetRow {
            shares: view.target.clone(),
            off: view.off.clone(),
        };
        (name.clone(), row)
    });
    let admin = state
        .admin
        .iter()
        .map(|(target, entry)| (target.clone(), entry.state));
    let targets = Targets {
        revision: state.revision,
        services: rows.collect(),
        admin: admin.collect(),
        buckets: BTreeMap::new(),
    };
    let seen = report.endpoints.iter().map(|(id, verdict)| {
        let mut health = EndpointHealth::new(verdict.state, verdict.returned_at);
        if let Some(agent) = &verdict.agent {
            (health.agent, health.weight) = (agent.wanted(), agent.weight);
        }
        (id.clone(), health)
    });
    let mut assembler = Assembler::new();
    let now = clock::now();
    for input in [
        Input::Services(specs.to_vec()),
        Input::Targets(targets),
        Input::Health(seen.collect()),
    ] {
        assembler.handle(now, input).unwrap();
    }
    let mut latest = None;
    while let Some(snapshot) = assembler.poll_snapshot() {
        latest = Some(snapshot);
    }
    latest.unwrap()
}

impl EdgeView for FakeEdge {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    fn confirmed(&self) -> Confirmed {
        Confirmed {
            revision: self.control.state.load().revision,
            workers: 4,
        }
    }

    fn signals(&self) -> Vec<BackendSignal> {
        self.signals.lock().unwrap().clone()
    }

    fn loads(&self) -> Loads {
        self.loads.lock().unwrap().clone()
    }

    fn sight(&self, _: &Arc<Service>, supposed: &Supposed) -> Sight {
        let sight = self.sight.lock().unwrap().clone();
        let said = supposed.headers.contains_key("cookie");
        let ignored = said.then_some(Ignored::Forged);
        Sight { ignored, ..sight }
    }

    fn clients(&self) -> Clients {
        Clients {
            requests: 3,
            connections: 5,
            asked_to_go: self.rests.load(Ordering::SeqCst),
        }
    }

    fn rest(&self, rest: bool) {
        self.rests.store(rest, Ordering::SeqCst);
    }

    fn listeners(&self) -> Vec<BoundListener> {
        vec![BoundListener {
            name: ListenerName::parse("web").unwrap(),
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: false,
        }]
    }
}

/// Takes every text that does not say `wieght`.
pub(crate) struct FakeConfig {
    running: ArcSwap<RunningConfig>,
    pub(crate) applied: Mutex<Vec<By>>,
}

impl FakeConfig {
    fn new(services: Vec<Arc<ServiceSpec>>) -> Self {
        let check = Arc::new(CheckPolicy::default());
        let checks = services
            .iter()
            .map(|s| (s.name.clone(), Arc::clone(&check)))
            .collect();
        let outliers = services
            .iter()
            .map(|s| (s.name.clone(), Arc::default()))
            .collect();
        let config = Config {
            accounts: BTreeMap::new(),
            discover: BTreeMap::new(),
            apply: BTreeMap::new(),
            commitments: BTreeMap::new(),
            prices: BTreeMap::from([price_of_aws()]),
            state_dir: None,
            zone: None,
            dns: Dns::default(),
            listeners: BTreeMap::new(),
            services,
            checks,
            outliers,
            facts: BTreeMap::new(),
            roots: BTreeMap::new(),
            secrets: BTreeMap::new(),
            admin: bascule_config::Admin::default(),
            metrics: None,
            log: bascule_config::Log::default(),
            runtime: bascule_config::Runtime::default(),
            shutdown: bascule_config::Shutdown::default(),
            limits: bascule_config::Limits::default(),
            origins: bascule_config::Origins::default(),
        };
        Self {
            running: ArcSwap::from_pointee(RunningConfig {
                text: Arc::from("services: {}\n"),
                config: Arc::new(config),
                origin: "meet.yaml".to_owned(),
                loaded_at: clock::wall(),
                last_error: None,
            }),
            applied: Mutex::default(),
        }
    }

    pub(crate) fn fail(&self) {
        let mut running = RunningConfig::clone(&self.running.load());
        running.last_error = Some(RefusedConfig {
            at: clock::wall(),
            origin: "meet.yaml".to_owned(),
            diagnostics: wrong("meet.yaml", "wieght: 70"),
        });
        self.running.store(Arc::new(running));
    }
}

/// As it was on the second day that there is.
fn price_of_aws() -> ((ServiceName, BackendName), EgressPrice) {
    let price = EgressPrice {
        currency: Currency::parse("USD").unwrap(),
        tiers: Tiers::flat(Price::from_micros(50_000)),
        as_of: Date::new(1970, 1, 2).unwrap(),
        source: None,
    };
    (("meet".parse().unwrap(), "aws".parse().unwrap()), price)
}

fn wrong(file: &str, text: &str) -> Diagnostics {
    let item = Diagnostic {
        code: "E0104",
        severity: Severity::Error,
        span: Span {
            start: 0,
            end: 6,
            line: 14,
            column: 9,
            end_line: 14,
            end_column: 15,
        },
        pointer: "/services/meet/backends/aws/wieght".to_owned(),
        message: "unknown key `wieght`".to_owned(),
        label: "not a key of a backend".to_owned(),
        related: Vec::new(),
        help: Some("did you mean `weight`?".to_owned()),
        notes: Vec::new(),
        fix: None,
    };
    Diagnostics {
        file: Arc::from(file),
        text: Arc::from(text),
        items: vec![item],
    }
}

fn outcome(file: &str, text: &str) -> ConfigOutcome {
    if text.contains("wieght") {
        return ConfigOutcome::Invalid(wrong(file, text));
    }
    ConfigOutcome::Valid(Diagnostics {
        file: Arc::from(file),
        text: Arc::from(text),
        items: Vec::new(),
    })
}

impl ConfigPort for FakeConfig {
    fn running(&self) -> Arc<RunningConfig> {
        self.running.load_full()
    }

    fn validate<'a>(&'a self, file_name: &'a str, text: &'a str) -> Later<'a, ConfigOutcome> {
        Box::pin(std::future::ready(outcome(file_name, text)))
    }

    fn apply<'a>(&'a self, by: &'a By, text: &'a str) -> Later<'a, ConfigOutcome> {
        let outcome = outcome(&by.file_name, text);
        if matches!(outcome, ConfigOutcome::Valid(_)) {
            self.applied.lock().unwrap().push(by.clone());
        }
        Box::pin(std::future::ready(outcome))
    }
}

/// A shift of meet at its second of four steps, made by a person's override.
pub(crate) fn begin_shift(world: &World) {
    let (from, to) = (
        row(&[("aws", 70), ("gcp", 0), ("oci", 30)]),
        row(&[("aws", 50), ("gcp", 0), ("oci", 50)]),
    );
    let now = row(&[("aws", 60), ("gcp", 0), ("oci", 40)]);
    let wall = clock::wall().as_millis();
    let ago = |seconds: u64| Timestamp::from_millis(wall - seconds * 1000);
    let receiver = ReceiverView {
        requests: 4_120,
        error_ratio: 0.0003,
        p95_seconds: Some(0.153),
        p95_limit_seconds: Some(0.196),
    };
    let shift = ShiftView {
        id: "s-0007".to_owned(),
        service: service("meet"),
        cause: ShiftCause::Override,
        from,
        to: to.clone(),
        now: now.clone(),
        step: 2,
        steps: 4,
        phase: ShiftPhase::Baking,
        bake: Duration::from_secs(180),
        step_at: ago(72),
        receivers: BTreeMap::from([(backend("oci"), receiver)]),
        note: String::new(),
        turned_by: None,
        actor: "token:ops".to_owned(),
        reason: "CHG-4412 cost rebalance".to_owned(),
        started_at: ago(252),
        ended_at: None,
    };
    world.control.change(|state| {
        let view = state.services.get_mut("meet").unwrap();
        view.target = now;
        view.shift = Some(shift.id.clone());
        view.override_row = Some(OverrideView {
            shares: to,
            off: BTreeSet::new(),
            actor: "token:ops".to_owned(),
            reason: "CHG-4412 cost rebalance".to_owned(),
            set_at: ago(252),
            expires_at: Timestamp::from_millis(wall + 23 * 3_600_000),
            evacuation: None,
        });
        state.shifts.insert(shift.id.clone(), shift);
    });
    world.edge.assemble();
}

/// An evacuation of gcp that is proven.
pub(crate) fn evacuated(world: &World) {
    let wall = clock::wall();
    let evacuation = EvacuationView {
        id: "e-0002".to_owned(),
        provider: ProviderName::parse("gcp").unwrap(),
        phase: EvacuationPhase::Evacuated,
        shifts: vec!["s-0007".to_owned()],
        running: 0,
        drain_deadline: wall + Duration::from_secs(1800),
        actor: "uid:0".to_owned(),
        reason: "practice".to_owned(),
        started_at: wall,
        expires_at: wall + Duration::from_secs(86_400),
        proof: Some(Proof {
            at: wall,
            revision: Revision(41),
            workers: 4,
            probes: 300,
            answered: BTreeMap::from([(backend("aws"), 212), (backend("oci"), 88)]),
            failed: 0,
            picks_on_evacuated: 0,
            picks_elsewhere: 1512,
            holds: true,
        }),
        note: String::new(),
    };
    world.control.change(|state| {
        state.evacuations.insert(evacuation.id.clone(), evacuation);
        let view = state.services.get_mut("meet").unwrap();
        view.off.insert(backend("gcp"));
        if let Some(row) = &mut view.override_row {
            row.off.insert(backend("gcp"));
        }
    });
    world.edge.assemble();
}

/// The endpoint that an admin target names, of any kind.
pub(crate) fn endpoint_target() -> AdminTarget {
    AdminTarget::Endpoint(service("meet"), backend("oci"), "10.2.4.11:8080".to_owned())
}
