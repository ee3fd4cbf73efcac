//! The task against real sockets on loopback. Everything is awaited by condition; nothing depends on how fast.

mod traffic;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use bascule_health::{CheckKind, Reason, StatusRange, Verdict};
use bascule_model::{BasisPoints, FailureClass, ObservedState, Scheme};
use bascule_telemetry::events::Event;
use bascule_telemetry::names;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const SERVICE: (&str, &str) = ("service", "meet");

/// An endpoint whose answers can be changed.
#[derive(Clone)]
struct Endpoint {
    address: SocketAddr,
    status: Rc<Cell<u16>>,
    /// Connections there were.
    seen: Rc<Cell<usize>>,
}

/// A status that means: never answer.
const SILENCE: u16 = 0;

impl Endpoint {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self {
            address: listener.local_addr().unwrap(),
            status: Rc::new(Cell::new(status)),
            seen: Rc::default(),
        };
        let accepting = endpoint.clone();
        let accept = async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                spawn::local("connection", accepting.clone().serve(stream)).detach();
            }
        };
        spawn::local("listener", accept).detach();
        endpoint
    }

    async fn serve(self, mut stream: TcpStream) {
        self.seen.set(self.seen.get() + 1);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => break,
            }
        }
        if self.status.get() != SILENCE {
            let status = self.status.get();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
            drop(stream.write_all(answer.as_bytes()).await);
            drop(stream.shutdown().await);
        }
        drop(stream.read_to_end(&mut Vec::new()).await);
    }

    fn id(&self) -> EndpointId {
        EndpointId {
            service: "meet".parse().unwrap(),
            backend: "aws-use1".parse().unwrap(),
            scheme: Scheme::Http,
            host: None,
            address: self.address,
        }
    }

    fn target(&self, interval: Duration) -> ProbeTarget {
        let kind = CheckKind::Http {
            path: "/healthz".to_owned(),
            host: None,
            expect: vec![StatusRange {
                first: 200,
                last: 299,
            }],
            text: None,
        };
        ProbeTarget {
            id: self.id(),
            provider: "aws".parse().unwrap(),
            admin: AdminState::Ready,
            off: false,
            outlier: Arc::default(),
            policy: Arc::new(CheckPolicy {
                kind,
                interval,
                interval_fast: Duration::from_millis(10),
                timeout: PATIENCE,
                jitter: BasisPoints::ZERO,
                ..CheckPolicy::default()
            }),
            tls: None,
        }
    }
}

/// The task and all that surrounds it.
struct Bench {
    handle: ProberHandle,
    failures: mpsc::Sender<TrafficFailure>,
    registry: Registry,
    bus: Bus,
}

impl Bench {
    fn start(checks_max: usize) -> Self {
        Self::with_traffic(checks_max, traffic::Seen::default())
    }

    fn with_traffic(checks_max: usize, seen: traffic::Seen) -> Self {
        let (failures, failed) = mpsc::channel(16);
        let (registry, bus) = (Registry::new(), Bus::new());
        let settings = Settings {
            seed: 7,
            failures: failed,
            traffic: Box::new(seen),
            bus: bus.clone(),
            registry: registry.clone(),
        };
        Self {
            handle: start(settings, checks_max),
            failures,
            registry,
            bus,
        }
    }

    /// Waits until the report is as wanted; looks again at each change.
    async fn until(&self, wanted: impl Fn(&Report) -> bool) {
        let mut changed = self.handle.changed.clone();
        let waiting = async {
            while !wanted(&self.handle.report.load()) {
                changed.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{:?}", self.handle.report.load());
    }

    async fn until_state(&self, id: &EndpointId, state: ObservedState) -> Verdict {
        self.until(|report| report.endpoints.get(id).is_some_and(|v| v.state == state))
            .await;
        self.handle.report.load().endpoints[id].clone()
    }

    /// The next transition of this state, from events.
    async fn event(&self, to: &str) -> Event {
        let (page, mut receiver) = self.bus.follow(0);
        let wanted = |event: &Event| event.data["to"] == to;
        if let Some(event) = page.events.into_iter().rev().find(wanted) {
            return event;
        }
        loop {
            let event = receiver.recv().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    }

    fn up(&self) -> f64 {
        self.registry.gauge(names::ENDPOINT_UP, &[SERVICE])
    }

    fn endpoints(&self, state: &str) -> f64 {
        let labels = [SERVICE, ("provider", "aws"), ("state", state)];
        self.registry.gauge(names::PROVIDER_ENDPOINTS, &labels)
    }
}

/// Twelve names of one endpoint.
fn many(endpoint: &Endpoint, interval: Duration) -> Vec<ProbeTarget> {
    let one = |number| {
        let mut target = endpoint.target(interval);
        target.id.host = Some(Arc::from(format!("host{number}.example.org")));
        target
    };
    (0..12).map(one).collect()
}

/// Waits until something is so, letting all other tasks go on meanwhile.
async fn eventually(mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok());
}

async fn on_local_set(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn an_endpoint_goes_up_down_and_up_again_and_everybody_is_told() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        let id = endpoint.id();
        bench
            .handle
            .set_targets(vec![endpoint.target(Duration::from_millis(10))]);
        let first = bench.until_state(&id, ObservedState::Up).await;
        assert_eq!(first.returned_at, None);
        assert_eq!(bench.event("up").await.data["from"], "unknown");

        endpoint.status.set(503);
        let down = bench.until_state(&id, ObservedState::Down).await;
        assert_eq!(down.reasons, [Reason::Status { status: 503 }]);
        let event = bench.event("down").await;
        assert_eq!(event.kind, "health_changed");
        assert_eq!(event.backend, Some(id.backend.clone()));
        assert_eq!(event.data["from"], "up");
        assert_eq!(
            (&event.data["reason"], &event.data["status"]),
            (&"status".into(), &503.into())
        );
        assert!(event.data["after_seconds"].as_f64().unwrap() > 0.0);
        let told = format!(
            "endpoint {} of aws-use1 is down (status 503); it was up",
            id.label()
        );
        assert!(event.message.starts_with(&told), "{}", event.message);
        eventually(|| (bench.up(), bench.endpoints("down")) == (0.0, 1.0)).await;

        endpoint.status.set(204);
        let back = bench.until_state(&id, ObservedState::Up).await;
        assert_eq!(back.returned_at, Some(back.since));
        bench.event("up").await;
        let count = |name, label| bench.registry.counter(name, &[SERVICE, label]);
        assert!(count(names::HEALTH_CHECKS, ("reason", "status")) >= 3);
        assert!(count(names::HEALTH_CHECKS, ("result", "pass")) >= 3);
        assert_eq!(count(names::HEALTH_TRANSITIONS, ("to", "down")), 1);
        assert_eq!(count(names::HEALTH_TRANSITIONS, ("to", "up")), 2);
        eventually(|| (bench.up(), bench.endpoints("up")) == (1.0, 1.0)).await;
    })
    .await;
}

#[tokio::test]
async fn failing_traffic_finds_a_dead_endpoint_long_before_its_next_check() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        bench.handle.set_targets(vec![endpoint.target(HOUR)]);
        bench.until_state(&endpoint.id(), ObservedState::Up).await;
        endpoint.status.set(500);
        let refused = TrafficFailure {
            endpoint: Arc::new(endpoint.id()),
            class: FailureClass::Connect,
        };
        bench.failures.send(refused).await.unwrap();
        let down = bench.until_state(&endpoint.id(), ObservedState::Down).await;
        assert_eq!(
            down.reasons,
            [Reason::Status { status: 500 }, Reason::Traffic]
        );
    })
    .await;
}

#[tokio::test]
async fn one_endpoint_that_hangs_delays_no_other() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let (hanging, well) = (Endpoint::start(SILENCE).await, Endpoint::start(200).await);
        let targets = [&hanging, &well].map(|e| e.target(Duration::from_millis(10)));
        bench.handle.set_targets(targets.to_vec());
        eventually(|| hanging.seen.get() == 1 && well.seen.get() > 20).await;
        let report = bench.handle.report.load();
        assert_eq!(
            report.endpoints[&hanging.id()].state,
            ObservedState::Unknown
        );
        assert_eq!(hanging.seen.get(), 1, "never two checks at once");
    })
    .await;
}

#[tokio::test]
async fn checks_beyond_the_limit_wait_their_turn() {
    on_local_set(async {
        let bench = Bench::start(3);
        let endpoint = Endpoint::start(SILENCE).await;
        bench
            .handle
            .set_targets(many(&endpoint, Duration::from_millis(10)));
        eventually(|| endpoint.seen.get() == 3).await;
        // All twelve are due within one interval; time enough for that passes while another task checks twenty times.
        let (other, well) = (Bench::start(1), Endpoint::start(200).await);
        other
            .handle
            .set_targets(vec![well.target(Duration::from_millis(10))]);
        eventually(|| well.seen.get() >= 20).await;
        assert_eq!(endpoint.seen.get(), 3, "those that hang keep their places");
    })
    .await;
}

#[tokio::test]
async fn every_endpoint_is_checked_with_one_place_for_all() {
    on_local_set(async {
        let bench = Bench::start(1);
        let endpoint = Endpoint::start(200).await;
        bench.handle.set_targets(many(&endpoint, HOUR));
        let all_up = |report: &Report| {
            let mut states = report.endpoints.values().map(|verdict| verdict.state);
            report.endpoints.len() == 12 && states.all(|state| state == ObservedState::Up)
        };
        bench.until(all_up).await;
        assert_eq!(endpoint.seen.get(), 12);
    })
    .await;
}

#[tokio::test]
async fn one_check_on_the_wire_serves_all_services_of_a_target() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        let of_service = |number: u16| {
            let mut target = endpoint.target(HOUR);
            target.id.service = format!("service{number}").parse().unwrap();
            target
        };
        bench.handle.set_targets((0..30).map(of_service).collect());
        let all_up = |report: &Report| {
            let mut states = report.endpoints.values().map(|verdict| verdict.state);
            report.endpoints.len() == 30 && states.all(|state| state == ObservedState::Up)
        };
        bench.until(all_up).await;
        assert_eq!(endpoint.seen.get(), 1);
        let count = |name, labels: &[_]| bench.registry.counter(name, labels);
        assert_eq!(count(names::HEALTH_PROBES, &[("result", "pass")]), 1);
        let one = [("service", "service7"), ("result", "pass")];
        assert_eq!(count(names::HEALTH_CHECKS, &one), 1);
    })
    .await;
}

#[tokio::test]
async fn what_timed_out_leaves_half_of_the_places_to_others() {
    on_local_set(async {
        let bench = Bench::start(4);
        let (hanging, well) = (Endpoint::start(SILENCE).await, Endpoint::start(200).await);
        let mut targets = many(&hanging, Duration::from_millis(10));
        for target in &mut targets {
            let policy = Arc::make_mut(&mut target.policy);
            policy.timeout = Duration::from_millis(50);
            policy.fall = 1;
        }
        bench.handle.set_targets(targets.clone());
        let all_down = |report: &Report| {
            let mut states = report.endpoints.values().map(|verdict| verdict.state);
            states.all(|state| state == ObservedState::Down)
        };
        bench
            .until(|report| report.endpoints.len() == 12 && all_down(report))
            .await;
        // From here on they hang for as long as anybody waits: they must not take the places of what answers.
        for target in &mut targets {
            Arc::make_mut(&mut target.policy).timeout = PATIENCE;
        }
        targets.push(well.target(Duration::from_millis(10)));
        bench.handle.set_targets(targets);
        eventually(|| well.seen.get() > 20).await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_in_maintenance_keeps_its_verdict_and_is_left_alone() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        let mut target = endpoint.target(HOUR);
        bench.handle.set_targets(vec![target.clone()]);
        bench.until_state(&endpoint.id(), ObservedState::Up).await;
        target.admin = AdminState::Maint;
        bench.handle.set_targets(vec![target.clone()]);
        bench
            .until(|report| report.endpoints.values().all(|verdict| !verdict.checked))
            .await;
        let verdict = bench.handle.report.load().endpoints[&endpoint.id()].clone();
        assert_eq!(verdict.state, ObservedState::Up);
        eventually(|| (bench.endpoints("maint"), bench.endpoints("up")) == (1.0, 0.0)).await;
        let before = endpoint.seen.get();
        target.admin = AdminState::Ready;
        bench.handle.set_targets(vec![target]);
        eventually(|| endpoint.seen.get() > before).await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_leaves_no_verdict_and_no_series() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        bench.handle.set_targets(vec![endpoint.target(HOUR)]);
        bench.until_state(&endpoint.id(), ObservedState::Up).await;
        eventually(|| (bench.up(), bench.endpoints("up")) == (1.0, 1.0)).await;
        bench.handle.set_targets(Vec::new());
        bench.until(|report| report.endpoints.is_empty()).await;
        let text = bench.registry.render();
        assert!(!text.contains(names::ENDPOINT_UP), "{text}");
        assert!(!text.contains(names::PROVIDER_ENDPOINTS), "{text}");
    })
    .await;
}

#[tokio::test]
async fn the_report_tells_the_time_of_the_last_check_without_a_transition() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        bench
            .handle
            .set_targets(vec![endpoint.target(Duration::from_millis(10))]);
        let first = bench.until_state(&endpoint.id(), ObservedState::Up).await;
        let count = *bench.handle.changed.borrow();
        let report = Arc::clone(&bench.handle.report);
        eventually(|| report.load().endpoints[&endpoint.id()].checked_at > first.checked_at).await;
        assert_eq!(*bench.handle.changed.borrow(), count);
    })
    .await;
}

#[tokio::test]
async fn the_same_targets_again_do_not_fire_a_change() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let (one, two) = (Endpoint::start(200).await, Endpoint::start(200).await);
        bench.handle.set_targets(vec![one.target(HOUR)]);
        bench.until_state(&one.id(), ObservedState::Up).await;
        let count = *bench.handle.changed.borrow();
        let quicker = one.target(Duration::from_millis(10));
        bench.handle.set_targets(vec![quicker.clone()]);
        let before = one.seen.get();
        eventually(|| one.seen.get() > before).await; // The new policy has arrived.
        assert_eq!(*bench.handle.changed.borrow(), count);
        bench.handle.set_targets(vec![quicker, two.target(HOUR)]);
        bench.until(|report| report.endpoints.len() == 2).await;
        assert!(*bench.handle.changed.borrow() > count);
    })
    .await;
}

#[tokio::test]
async fn the_task_ends_with_its_last_handle() {
    on_local_set(async {
        let Bench { handle, .. } = Bench::start(CHECKS_MAX);
        let other = handle.clone();
        drop(handle);
        assert_eq!(spawn::running("probe"), 1);
        drop(other);
        let ended = spawn::ended(&["probe"], clock::now() + PATIENCE).await;
        assert_eq!(ended, Ok(()));
    })
    .await;
}

/// An agent whose line can be changed; counts its questions.
async fn agent(line: Rc<std::cell::RefCell<&'static str>>, asked: Rc<Cell<usize>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            asked.set(asked.get() + 1);
            let line = *line.borrow();
            drop(stream.write_all(line.as_bytes()).await);
            drop(stream.shutdown().await);
        }
    };
    spawn::local("agent", serve).detach();
    port
}

#[tokio::test]
async fn what_an_agent_says_is_told_to_everybody_and_stays_when_it_makes_no_sense() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        let id = endpoint.id();
        let line = Rc::new(std::cell::RefCell::new("drain 50% #later\n"));
        let asked = Rc::new(Cell::new(0));
        let port = agent(Rc::clone(&line), Rc::clone(&asked)).await;
        let mut target = endpoint.target(HOUR);
        Arc::make_mut(&mut target.policy).agent = Some(bascule_health::AgentPolicy {
            port,
            interval: Duration::from_millis(10),
        });
        bench.handle.set_targets(vec![target]);
        let says = |report: &Report, words: &str| {
            let agent = report.endpoints.get(&id).and_then(|v| v.agent.as_ref());
            agent.is_some_and(|agent| agent.to_string() == words)
        };
        bench
            .until(|report| says(report, "drain, 50 %, later"))
            .await;
        eventually(|| bench.endpoints("drain") > 0.0).await;
        let (page, _) = bench.bus.follow(0);
        let told = page.events.iter().find(|e| e.kind == "agent_changed");
        assert_eq!(told.unwrap().data["admin"], "drain");

        line.replace("no idea\n");
        let before = asked.get();
        eventually(|| asked.get() > before + 3).await;
        assert!(says(&bench.handle.report.load(), "drain, 50 %, later"));
        line.replace("down ready 100%\n");
        let down = bench.until_state(&id, ObservedState::Down).await;
        assert_eq!(down.reasons.first(), Some(&Reason::Agent));
        line.replace("up\n");
        let back = bench.until_state(&id, ObservedState::Up).await;
        assert_eq!(back.returned_at, Some(back.since));
        let count = |result| {
            bench
                .registry
                .counter(names::HEALTH_AGENTS, &[SERVICE, result])
        };
        assert!(count(("result", "heard")) >= 3 && count(("result", "garbage")) >= 3);
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_refuses_is_no_failure_of_its_endpoint() {
    on_local_set(async {
        let bench = Bench::start(CHECKS_MAX);
        let endpoint = Endpoint::start(200).await;
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut target = endpoint.target(HOUR);
        Arc::make_mut(&mut target.policy).agent = Some(bascule_health::AgentPolicy {
            port: held.local_addr().unwrap().port(),
            interval: Duration::from_millis(10),
        });
        bench.handle.set_targets(vec![target]);
        bench.until_state(&endpoint.id(), ObservedState::Up).await;
        let unreached = [SERVICE, ("result", "unreached")];
        eventually(|| bench.registry.counter(names::HEALTH_AGENTS, &unreached) >= 5).await;
        let verdict = bench.handle.report.load().endpoints[&endpoint.id()].clone();
        assert_eq!(verdict.state, ObservedState::Up);
    })
    .await;
}
