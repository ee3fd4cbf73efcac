//! The shell with a fake edge, a real state directory and paused time.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule_model::{
    BackendName, BackendSignal, BasisPoints, Histogram, Instant, ServiceName, Shares, Targets,
};
use bascule_plan::policy::{BackendFacts, ServicePolicy};
use bascule_plan::steer::{Facts, Health, Record};
use bascule_plan::view::{EvacuationPhase, ShiftPhase};
use bascule_plan::{Command, Pace, Persisted, Refusal, Request, ServiceFacts, State};
use bascule_telemetry::events::Bus;
use bascule_telemetry::{Registry, clock, names};
use tokio::task::LocalSet;

use crate::store::{Disk, Memory};
use crate::*;

fn name(text: &str) -> BackendName {
    text.parse().unwrap()
}

fn meet() -> ServiceName {
    "meet".parse().unwrap()
}

fn facts() -> Facts {
    let backend = |n: &str| {
        let facts = BackendFacts {
            provider: n.parse().unwrap(),
            off: false,
            standby: false,
        };
        (name(n), facts)
    };
    let facts = ServiceFacts {
        declared: Shares::from_weights([(name("aws"), 70), (name("oci"), 30)]).unwrap(),
        backends: BTreeMap::from([backend("aws"), backend("oci")]),
        policy: ServicePolicy {
            bake: Duration::from_secs(2),
            ..ServicePolicy::default()
        },
    };
    BTreeMap::from([(meet(), facts)])
}

/// An edge that takes targets at once and serves 1000 requests a second by them.
#[derive(Default)]
struct FakeEdge(Mutex<Served>);

#[derive(Default)]
struct Served {
    targets: Targets,
    revisions: Vec<u64>,
    totals: BTreeMap<BackendName, u64>,
    at: Option<Instant>,
}

impl FakeEdge {
    fn shares(&self) -> String {
        let served = self.0.lock().unwrap();
        let row = served.targets.services.get("meet");
        row.map_or_else(|| "declared".to_owned(), |row| row.shares.to_string())
    }
}

impl EdgeLink for FakeEdge {
    fn publish(&self, targets: Targets) {
        let mut served = self.0.lock().unwrap();
        served.revisions.push(targets.revision.0);
        served.targets = targets;
    }

    fn confirmed(&self) -> Confirmed {
        Confirmed {
            revision: self.0.lock().unwrap().targets.revision,
            workers: 2,
        }
    }

    fn signals(&self) -> Vec<BackendSignal> {
        let mut served = self.0.lock().unwrap();
        let now = clock::now();
        let time = now.since(served.at.unwrap_or(now)).as_millis();
        let time = u64::try_from(time).unwrap();
        served.at = Some(now);
        let declared = &facts()[&meet()].declared;
        let row = served.targets.services.get("meet");
        let row = row.map_or(declared, |row| &row.shares).clone();
        let count = |share: BasisPoints| time * u64::from(share.get()) / 10_000;
        let mut signal = |(backend, share): (&BackendName, BasisPoints)| {
            let total = served.totals.entry(backend.clone()).or_default();
            *total += count(share);
            let mut latency = Histogram::default();
            latency.add_bucket(100, *total);
            BackendSignal {
                at: now,
                service: meet(),
                backend: backend.clone(),
                requests: *total,
                errors: 0,
                picks: *total,
                in_flight: 0,
                latency,
            }
        };
        row.iter().map(&mut signal).collect()
    }

    fn health(&self) -> Health {
        Health::new()
    }
}

/// Probes are answered by the backend with the largest share.
struct FakeProve(Arc<FakeEdge>);

impl Prove for FakeProve {
    fn probe(
        &self,
        _service: ServiceName,
    ) -> Pin<Box<dyn Future<Output = Result<BackendName, String>> + Send>> {
        let served = self.0.0.lock().unwrap();
        let row = &served.targets.services["meet"].shares;
        let backend = row
            .iter()
            .max_by_key(|(_, share)| *share)
            .unwrap()
            .0
            .clone();
        Box::pin(std::future::ready(Ok(backend)))
    }
}

struct Process {
    handle: Handle,
    edge: Arc<FakeEdge>,
    bus: Bus,
}

fn start(store: Arc<dyn Store>) -> Process {
    let edge = Arc::new(FakeEdge::default());
    let bus = Bus::new();
    let prove = Arc::new(FakeProve(Arc::clone(&edge)));
    let link = Arc::clone(&edge) as Arc<dyn EdgeLink>;
    let handle = Controller::start_with(store, facts(), link, prove, bus.clone()).unwrap();
    Process { handle, edge, bus }
}

fn on_disk(directory: &Path) -> Process {
    start(Arc::new(Disk::open(directory).unwrap()))
}

fn request(command: Command) -> Request {
    Request {
        id: 0,
        actor: "ops".to_owned(),
        if_match: None,
        dry_run: false,
        reason: "CHG-1".to_owned(),
        command,
    }
}

fn shift(percent: u16, pace: Pace) -> Request {
    request(Command::Shift {
        service: meet(),
        set: vec![(name("aws"), BasisPoints::saturating(percent * 100))],
        pace,
        expires_in: None,
    })
}

impl Process {
    async fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let mut changed = self.handle.changed();
        let wait = async {
            while !is_so(&self.handle.state()) {
                changed.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(3600), wait).await;
        assert!(waited.is_ok(), "not {what}: {:#?}", self.handle.state());
    }

    fn kinds(&self) -> Vec<&'static str> {
        let page = self.bus.since(0);
        page.events.iter().map(|event| event.kind).collect()
    }
}

fn is_completed(state: &State) -> bool {
    let mut shifts = state.shifts.values();
    shifts.all(|shift| shift.phase == ShiftPhase::Completed)
}

/// Runs one life of a process; afterwards nothing of it is left, as after a crash.
fn live<T>(life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, life)
}

#[test]
fn a_shift_runs_to_its_end_and_everybody_can_follow_it() {
    let registry = Registry::new();
    let recorder = registry.shared();
    let _local = ::metrics::set_default_local_recorder(&recorder);
    let directory = tempfile::tempdir().unwrap();
    live(async {
        let process = on_disk(directory.path());
        let accepted = process
            .handle
            .request(shift(50, Pace::Policy))
            .await
            .unwrap();
        assert_eq!(accepted.shifts, ["s-0001"]);
        assert_eq!(process.edge.shares(), "aws=65 oci=35");
        assert_eq!(process.handle.state().revision, accepted.revision);
        process.until("completed", is_completed).await;
        assert_eq!(process.edge.shares(), "aws=50 oci=50");
        let kinds = process.kinds();
        let steps = kinds.iter().filter(|kind| **kind == "shift_step").count();
        assert_eq!(steps, 4);
        assert!(kinds.contains(&"weight_changed") && kinds.contains(&"shift_completed"));
        let history = process.handle.history(100, None).unwrap();
        assert_eq!(history.last().unwrap().entry.action, "shift");
        let count = u64::try_from(history.len()).unwrap();
        assert_eq!(process.handle.verify_history().unwrap(), count);
        let served = process.edge.0.lock().unwrap();
        assert!(served.revisions.is_sorted());
    });
    let labels = [
        ("service", "meet"),
        ("initiator", "human"),
        ("outcome", "completed"),
    ];
    assert_eq!(registry.counter(names::SHIFTS, &labels), 1);
    let target = [("backend", "aws"), ("kind", "target")];
    assert!((registry.gauge(names::WEIGHT, &target) - 0.5).abs() < 1e-9);
}

#[test]
fn a_crash_in_the_middle_of_a_shift_goes_on_there() {
    let directory = tempfile::tempdir().unwrap();
    live(async {
        let process = on_disk(directory.path());
        process
            .handle
            .request(shift(50, Pace::Policy))
            .await
            .unwrap();
        let second = |state: &State| {
            state.services["meet"]
                .target
                .get(&name("aws"))
                .unwrap()
                .get()
                <= 6000
        };
        process.until("at its second step", second).await;
    });
    live(async {
        let process = on_disk(directory.path());
        let targets = process.handle.targets();
        assert_eq!(targets.services["meet"].shares.to_string(), "aws=60 oci=40");
        assert_eq!(process.edge.shares(), "aws=60 oci=40");
        process.until("completed", is_completed).await;
        assert_eq!(process.edge.shares(), "aws=50 oci=50");
        let accepted = process.handle.request(shift(55, Pace::Now)).await.unwrap();
        assert_eq!(accepted.shifts, ["s-0002"]);
    });
}

#[test]
fn an_evacuation_is_proven_by_probes() {
    live(async {
        let process = start(Arc::new(Memory::default()));
        let command = Command::Evacuate {
            provider: "aws".parse().unwrap(),
            fast: true,
            expires_in: None,
        };
        let accepted = process.handle.request(request(command)).await.unwrap();
        let id = accepted.evacuation.unwrap();
        let is_out = |state: &State| state.evacuations[&id].phase == EvacuationPhase::Evacuated;
        process.until("evacuated", is_out).await;
        let proof = process.handle.state().evacuations[&id]
            .proof
            .clone()
            .unwrap();
        assert!(proof.holds);
        assert_eq!(
            (proof.probes, proof.answered[&name("oci")], proof.workers),
            (20, 20, 2)
        );
        assert!(process.kinds().contains(&"evacuation"));
    });
}

/// A disk that refuses while told to.
#[derive(Default)]
struct Full(Memory, AtomicBool);

impl Store for Full {
    fn load(&self) -> Result<Option<Persisted>, StoreError> {
        self.0.load()
    }

    fn write(&self, record: &Record) -> Result<(), StoreError> {
        if self.1.load(Ordering::Relaxed) {
            return Err(StoreError::Io {
                doing: "write",
                path: "x".into(),
                source: "no space left".into(),
            });
        }
        self.0.write(record)
    }

    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        self.0.history(limit, before)
    }

    fn verify(&self) -> Result<u64, StoreError> {
        self.0.verify()
    }

    fn save_config(&self, at: bascule_model::Timestamp, text: &str) -> Result<(), StoreError> {
        self.0.save_config(at, text)
    }

    fn last_good_config(&self) -> Result<Option<String>, StoreError> {
        self.0.last_good_config()
    }

    fn save_sets(&self, sets: &[crate::discover::Kept]) -> Result<(), StoreError> {
        self.0.save_sets(sets)
    }

    fn sets(&self) -> Result<Vec<crate::discover::Kept>, StoreError> {
        self.0.sets()
    }
}

#[test]
fn what_cannot_be_stored_is_refused_and_the_edge_never_sees_it() {
    live(async {
        let store = Arc::new(Full::default());
        let process = start(Arc::clone(&store) as Arc<dyn Store>);
        store.1.store(true, Ordering::Relaxed);
        let refused = process.handle.request(shift(50, Pace::Now)).await;
        let why = "cannot write x: no space left".to_owned();
        assert_eq!(refused, Err(Refusal::Store(why)));
        assert_eq!(process.edge.shares(), "declared");
        store.1.store(false, Ordering::Relaxed);
        process.handle.request(shift(50, Pace::Now)).await.unwrap();
        assert_eq!(process.edge.shares(), "aws=50 oci=50");
    });
}

#[test]
fn a_new_configuration_is_known_when_the_call_returns() {
    live(async {
        let process = start(Arc::new(Memory::default()));
        let mut changed = facts();
        changed.get_mut("meet").unwrap().declared =
            Shares::from_weights([(name("aws"), 10), (name("oci"), 90)]).unwrap();
        process.handle.set_facts(changed).await;
        let state = process.handle.state();
        assert_eq!(state.services["meet"].target.to_string(), "aws=10 oci=90");
        process.handle.save_config("x: 1".to_owned()).await.unwrap();
        assert_eq!(
            process.handle.last_good_config().unwrap().as_deref(),
            Some("x: 1")
        );
    });
}
