//! Limits at endpoints and backends: what is full spills, waits where it may, and is refused at once where it may not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule_telemetry::spawn::Task;
use bascule_traffic::spec::ServiceLimits;
use http::{Response, StatusCode};
use tokio::sync::Semaphore;

use crate::client::{ask, get, http1, text};
use crate::origin::{Speaks, full, origin};
use crate::world::{Plan, World, backend, beside, plan, until};

/// An origin that answers when it may, and knows what runs there.
#[derive(Clone)]
struct Held {
    go: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// The paths, as they came.
    came: Arc<Mutex<Vec<String>>>,
    name: &'static str,
}

impl Held {
    async fn start(name: &'static str, speaks: Speaks) -> (SocketAddr, Self) {
        let held = Self {
            go: Arc::new(Semaphore::new(0)),
            running: Arc::default(),
            most: Arc::default(),
            came: Arc::default(),
            name,
        };
        let of_origin = held.clone();
        let address = origin(speaks, move |request| {
            let held = of_origin.clone();
            let path = request.uri().path().to_owned();
            async move { held.answer(path).await }
        })
        .await;
        (address, held)
    }

    async fn answer(self, path: String) -> Response<crate::origin::Body> {
        self.came.lock().unwrap().push(path);
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.go.acquire().await.unwrap().forget();
        self.running.fetch_sub(1, Ordering::SeqCst);
        Response::new(full(self.name))
    }

    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    fn came(&self) -> Vec<String> {
        self.came.lock().unwrap().clone()
    }
}

fn limited(mut plan: Plan, limits: ServiceLimits) -> World {
    plan.limits = limits;
    plan.start()
}

fn requests(max: u32) -> ServiceLimits {
    ServiceLimits {
        endpoint_requests: Some(max),
        ..ServiceLimits::default()
    }
}

/// With a line of so many, and patience without end.
fn pending(max: u32, line: u32) -> ServiceLimits {
    ServiceLimits {
        endpoint_pending: line,
        pending_timeout: Duration::from_secs(3_600),
        ..requests(max)
    }
}

fn asking(world: &World, path: &'static str) -> Task<(u16, String)> {
    let address = world.address;
    beside(async move { ask(address, path).await })
}

fn waiting(world: &World) -> f64 {
    world.registry.gauge("bascule_pending_requests", &[])
}

async fn waiting_are(world: &World, count: f64) {
    until("they wait", || (waiting(world) - count).abs() < 0.5).await;
}

/// What a refused client hears.
async fn refused(world: &World) {
    let mut sender = http1(world.address).await;
    let response = sender.send_request(get("/refused")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    let expected = "bascule; error=destination_unavailable; details=\"overloaded\"";
    assert_eq!(response.headers()["proxy-status"], expected);
    assert_eq!(text(response).await, "Service Unavailable: overloaded\n");
}

#[tokio::test]
async fn what_is_full_spills_to_the_next_backend_and_only_then_is_refused() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let (oci, at_oci) = Held::start("oci", Speaks::Http1).await;
    let backends = vec![backend("aws", 99, aws), backend("oci", 1, oci)];
    let world = limited(plan(backends), requests(1));
    let first = asking(&world, "/1");
    until("aws has one", || at_aws.running() == 1).await;
    let second = asking(&world, "/2");
    until("oci has one", || at_oci.running() == 1).await;
    refused(&world).await;

    at_aws.go.add_permits(1);
    assert_eq!(first.await.unwrap(), (200, "aws".to_owned()));
    until("its place is free", || world.edge.in_flight() == 1).await;
    let third = asking(&world, "/3");
    until("aws has one again", || at_aws.running() == 1).await;
    at_aws.go.add_permits(1);
    at_oci.go.add_permits(1);
    assert_eq!(second.await.unwrap(), (200, "oci".to_owned()));
    assert_eq!(third.await.unwrap(), (200, "aws".to_owned()));
    let spilled = [("from", "aws"), ("to", "oci"), ("reason", "full")];
    assert_eq!(world.registry.counter("bascule_spills_total", &spilled), 1);
    let overloaded = [("service", "meet"), ("reason", "overloaded")];
    assert_eq!(
        world
            .registry
            .counter("bascule_requests_refused_total", &overloaded),
        1
    );
}

#[tokio::test]
async fn a_limit_of_the_backend_holds_over_its_endpoints() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let limits = ServiceLimits {
        backend_requests: Some(2),
        ..ServiceLimits::default()
    };
    let world = limited(plan(vec![backend("aws", 1, aws)]), limits);
    let running = [asking(&world, "/1"), asking(&world, "/2")];
    until("both run", || at_aws.running() == 2).await;
    refused(&world).await;
    at_aws.go.add_permits(2);
    for request in running {
        assert_eq!(request.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn those_that_wait_are_served_in_the_order_they_came() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let world = limited(plan(vec![backend("aws", 1, aws)]), pending(1, 2));
    let first = asking(&world, "/first");
    until("one runs", || at_aws.running() == 1).await;
    let second = asking(&world, "/second");
    waiting_are(&world, 1.0).await;
    let third = asking(&world, "/third");
    waiting_are(&world, 2.0).await;
    refused(&world).await;
    at_aws.go.add_permits(3);
    for request in [first, second, third] {
        assert_eq!(request.await.unwrap().0, 200);
    }
    assert_eq!(at_aws.came(), ["/first", "/second", "/third"]);
    assert_eq!(at_aws.most.load(Ordering::SeqCst), 1);
    waiting_are(&world, 0.0).await;
    let served = [("end", "served")];
    assert_eq!(
        world
            .registry
            .counter("bascule_pending_ended_total", &served),
        2
    );
    let picks: Vec<String> = world
        .logged(4)
        .await
        .iter()
        .map(|line| line["pick"].to_string())
        .collect();
    let waited = picks.iter().filter(|pick| *pick == "\"waited\"").count();
    assert_eq!(waited, 2, "{picks:?}");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_line_and_holds_up_nobody() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let world = limited(plan(vec![backend("aws", 1, aws)]), pending(1, 2));
    let first = asking(&world, "/first");
    until("one runs", || at_aws.running() == 1).await;
    let mut gone = crate::client::Raw::connect(world.address).await;
    gone.say("GET /gone HTTP/1.1\r\nhost: meet.example\r\n\r\n")
        .await;
    waiting_are(&world, 1.0).await;
    let third = asking(&world, "/third");
    waiting_are(&world, 2.0).await;
    drop(gone);
    waiting_are(&world, 1.0).await;
    at_aws.go.add_permits(2);
    assert_eq!(first.await.unwrap().0, 200);
    assert_eq!(third.await.unwrap().0, 200);
    assert_eq!(at_aws.came(), ["/first", "/third"]);
    let left = [("end", "client_gone")];
    assert_eq!(
        world.registry.counter("bascule_pending_ended_total", &left),
        1
    );
}

#[tokio::test]
async fn whoever_finds_no_place_in_time_is_refused() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let mut limits = pending(1, 2);
    limits.pending_timeout = Duration::from_millis(20);
    let world = limited(plan(vec![backend("aws", 1, aws)]), limits);
    let first = asking(&world, "/first");
    until("one runs", || at_aws.running() == 1).await;
    refused(&world).await;
    at_aws.go.add_permits(1);
    assert_eq!(first.await.unwrap().0, 200);
    assert_eq!(at_aws.came(), ["/first"]);
    let late = [("end", "timeout")];
    assert_eq!(
        world.registry.counter("bascule_pending_ended_total", &late),
        1
    );
}

#[tokio::test]
async fn on_http2_streams_are_counted_and_not_connections() {
    let (aws, at_aws) = Held::start("aws", Speaks::H2c).await;
    let mut aws = backend("aws", 1, aws);
    aws.scheme = bascule_model::Scheme::H2c;
    let limits = ServiceLimits {
        endpoint_connections: Some(1),
        ..requests(3)
    };
    let world = limited(plan(vec![aws]), limits);
    let running = ["/1", "/2", "/3"].map(|path| asking(&world, path));
    until("three streams run", || at_aws.running() == 3).await;
    refused(&world).await;
    at_aws.go.add_permits(3);
    for request in running {
        assert_eq!(request.await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_serves_the_next_though_no_other_may_be_made() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let limits = ServiceLimits {
        endpoint_connections: Some(1),
        ..ServiceLimits::default()
    };
    let world = limited(plan(vec![backend("aws", 1, aws)]), limits);
    let first = asking(&world, "/first");
    until("one runs", || at_aws.running() == 1).await;
    refused(&world).await;
    at_aws.go.add_permits(2);
    assert_eq!(first.await.unwrap().0, 200);
    until("its place is free", || world.edge.in_flight() == 0).await;
    assert_eq!(ask(world.address, "/second").await.0, 200);
    let connects = [("phase", "connect")];
    let made = world
        .registry
        .histogram("bascule_upstream_duration_seconds", &connects);
    assert_eq!(made.count(), 1);
}

#[tokio::test]
async fn over_all_workers_a_limit_is_exceeded_by_less_than_one_each() {
    const WORKERS: usize = 3;
    const LIMIT: u32 = 4;
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let mut plan = plan(vec![backend("aws", 1, aws)]);
    plan.workers = WORKERS;
    let world = limited(plan, pending(LIMIT, 1_000));
    at_aws.go.add_permits(1_000);
    let asked: Vec<_> = (0..200).map(|_| asking(&world, "/")).collect();
    for request in asked {
        assert_eq!(request.await.unwrap().0, 200);
    }
    let most = at_aws.most.load(Ordering::SeqCst);
    assert!(most < LIMIT as usize + WORKERS, "{most} at once");
    waiting_are(&world, 0.0).await;
}

#[tokio::test]
async fn a_place_that_one_worker_frees_wakes_who_waits_at_another() {
    let (aws, at_aws) = Held::start("aws", Speaks::Http1).await;
    let mut plan = plan(vec![backend("aws", 1, aws)]);
    plan.workers = 4;
    let mut limits = pending(1, 100);
    // What one worker keeps idle is of no use to the next: it is closed for it.
    limits.endpoint_connections = Some(1);
    let world = limited(plan, limits);
    // So many connections that every worker has some of them.
    let asked: Vec<_> = (0..60).map(|_| asking(&world, "/")).collect();
    // Workers that look in the same moment may each find the place free.
    until("all but a few wait", || {
        let running = u32::try_from(at_aws.running()).unwrap();
        running >= 1 && (waiting(&world) + f64::from(running) - 60.0).abs() < 0.5
    })
    .await;
    at_aws.go.add_permits(60);
    for request in asked {
        assert_eq!(request.await.unwrap().0, 200);
    }
}
