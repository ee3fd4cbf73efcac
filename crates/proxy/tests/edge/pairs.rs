//! Two tries of one request at once: which answer the client gets, and what is counted of each of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::ObservedState;
use bascule_telemetry::clock;
use http::{Method, Response};
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

use crate::again::{answering, mostly, send, silent};
use crate::client::{Raw, ask, text};
use crate::judged::{grant, totals};
use crate::origin::{Body, Speaks, accepting, answer, named, origin};
use crate::world::{World, backend, beside, plan, until};

/// How soon a try gets another beside it.
const SOON: Duration = Duration::from_millis(50);

/// An origin that is held: `/now` it answers at once, everything else so when it is let go.
struct Held {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    go: watch::Sender<bool>,
}

impl Held {
    async fn start(status: u16, name: &'static str) -> Self {
        let (go, gone) = watch::channel(false);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let address = origin(Speaks::Http1, move |request| {
            let (gone, count) = (gone.clone(), Arc::clone(&count));
            let is_held = request.uri().path() != "/now";
            async move {
                let status = match is_held {
                    true => held(gone, &count, status).await,
                    false => 200,
                };
                said(status, name)
            }
        })
        .await;
        Self { address, asked, go }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Lets it answer, and waits until the edge has had that answer: what was asked later has been answered since.
    async fn let_go(&self, world: &World) {
        self.go.send_replace(true);
        for _ in 0..3 {
            assert_eq!(ask(world.address, "/now").await.0, 200);
        }
    }
}

/// Counts, waits to be let go, and gives the status.
async fn held(mut gone: watch::Receiver<bool>, asked: &AtomicUsize, status: u16) -> u16 {
    asked.fetch_add(1, Ordering::SeqCst);
    gone.wait_for(|gone| *gone).await.unwrap();
    status
}

fn said(status: u16, name: &'static str) -> Response<Body> {
    let mut answer = answer(status, name);
    let headers = answer.headers_mut();
    headers.insert("retry-after", "7".parse().unwrap());
    answer
}

/// Reads, and closes once it is let go.
async fn hanging_up(gone: watch::Receiver<bool>, asked: Arc<AtomicUsize>) -> SocketAddr {
    accepting(move |mut stream| {
        let (mut gone, asked) = (gone.clone(), Arc::clone(&asked));
        async move {
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.unwrap_or(0) > 0 {
                asked.fetch_add(1, Ordering::SeqCst);
                gone.wait_for(|gone| *gone).await.unwrap();
            }
        }
    })
    .await
}

fn pair(first: SocketAddr, second: SocketAddr) -> World {
    let mut plan = plan(mostly(first, second));
    plan.retry.try_timeout = Some(SOON);
    plan.start()
}

/// Tries that ended and those of them that failed, by backend; nothing is in flight.
async fn ended(world: &World) -> Vec<(u64, u64)> {
    until("all are over", || world.edge.in_flight() == 0).await;
    let signals = world.edge.signals(clock::now());
    signals.iter().map(|s| (s.requests, s.errors)).collect()
}

#[tokio::test]
async fn a_first_try_that_answers_that_it_cannot_loses_against_a_second_that_can() {
    let first = Held::start(503, "aws").await;
    let second = Held::start(200, "oci").await;
    let world = pair(first.address, second.address);
    let address = world.address;
    let asking = beside(async move { ask(address, "/").await });
    until("both are asked", || {
        (first.asked(), second.asked()) == (1, 1)
    })
    .await;
    first.go.send_replace(true);
    // Who comes later is answered by either; what was said before is heard by then.
    for _ in 0..3 {
        assert_eq!(ask(world.address, "/now").await.0, 200);
    }
    second.go.send_replace(true);
    assert_eq!(asking.await.unwrap(), (200, "oci".into()));
    let lines = world.logged(4).await;
    let of_pair = lines.iter().find(|line| line["attempts"] == 2).unwrap();
    assert_eq!(of_pair["backend"], "oci");
    let counts = ended(&world).await;
    assert_eq!(counts.iter().map(|(_, errors)| errors).sum::<u64>(), 1);
    assert_eq!(counts.iter().map(|(requests, _)| requests).sum::<u64>(), 5);
}

#[tokio::test]
async fn an_answer_that_says_that_it_cannot_is_better_than_a_second_try_without_one() {
    let first = Held::start(503, "aws").await;
    let (hang_up, gone) = watch::channel(false);
    let asked = Arc::default();
    let second = hanging_up(gone, Arc::clone(&asked)).await;
    let world = pair(first.address, second);
    let address = world.address;
    let asking = beside(async move {
        let mut sender = crate::client::http1(address).await;
        let response = sender.send_request(crate::client::get("/")).await.unwrap();
        let wait = response.headers()["retry-after"].clone();
        (response.status().as_u16(), wait, text(response).await)
    });
    until("both are asked", || {
        (first.asked(), asked.load(Ordering::SeqCst)) == (1, 1)
    })
    .await;
    first.go.send_replace(true);
    hang_up.send_replace(true);
    assert_eq!(
        asking.await.unwrap(),
        (503, "7".parse().unwrap(), "aws".into())
    );
    assert_eq!(ended(&world).await, [(1, 1), (1, 1)]);
    assert_eq!(totals(&world, "aws").failures.iter().sum::<u64>(), 1);
    assert_eq!(totals(&world, "oci").failures.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_second_try_that_answers_that_it_cannot_is_counted_against_its_endpoint() {
    let first = Held::start(200, "aws").await;
    let asked = Arc::default();
    let second = answering(503, 20, &asked).await;
    let mut world = pair(first.address, second);
    let address = world.address;
    let asking = beside(async move { ask(address, "/").await });
    until("the second is over", || {
        totals(&world, "oci").failures.iter().sum::<u64>() == 1
    })
    .await;
    first.go.send_replace(true);
    assert_eq!(asking.await.unwrap(), (200, "aws".into()));
    assert_eq!(ended(&world).await, [(1, 0), (1, 1)]);
    let classes = [
        world.failures.recv().await.unwrap(),
        world.failures.recv().await.unwrap(),
    ];
    let told = classes.map(|told| (told.endpoint.backend.to_string(), told.class.as_str()));
    assert_eq!(
        told,
        [("aws".into(), "timeout"), ("oci".into(), "unavailable")]
    );
}

#[tokio::test]
async fn where_the_first_has_failed_a_time_out_is_the_seconds() {
    let (hang_up, gone) = watch::channel(false);
    let (asked, asked_second) = (Arc::default(), Arc::default());
    let first = hanging_up(gone, Arc::clone(&asked)).await;
    let second = silent(&asked_second).await;
    let mut plan = plan(mostly(first, second));
    plan.retry.try_timeout = Some(SOON);
    plan.timeouts.response_headers = Duration::from_secs(2);
    let world = plan.start();
    let address = world.address;
    let asking = beside(async move { ask(address, "/").await });
    until("both are asked", || {
        asked.load(Ordering::SeqCst) == 1 && asked_second.load(Ordering::SeqCst) > 0
    })
    .await;
    hang_up.send_replace(true);
    assert_eq!(asking.await.unwrap().0, 504);
    assert_eq!(ended(&world).await, [(1, 1), (1, 1)]);
    assert_eq!(totals(&world, "aws").failures.iter().sum::<u64>(), 1);
    assert_eq!(totals(&world, "oci").failures.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_both_tries_leaves_each_of_them_counted() {
    let first = Held::start(200, "aws").await;
    let second = Held::start(200, "oci").await;
    let world = pair(first.address, second.address);
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    until("both are asked", || {
        (first.asked(), second.asked()) == (1, 1)
    })
    .await;
    drop(raw);
    assert_eq!(ended(&world).await, [(1, 0), (1, 0)]);
}

#[tokio::test]
async fn one_try_speaks_once_against_its_endpoint_however_often_it_is_found_strange() {
    let asked = Arc::default();
    let mut plan = plan(vec![backend("aws", 1, silent(&asked).await)]);
    plan.retry.try_timeout = Some(SOON);
    plan.timeouts.response_headers = Duration::from_millis(200);
    let world = plan.start();
    assert_eq!(ask(world.address, "/").await.0, 504);
    assert_eq!(totals(&world, "aws").failures.iter().sum::<u64>(), 1);

    let first = Held::start(200, "aws").await;
    let mut plan = crate::world::plan(vec![backend("aws", 1, first.address)]);
    plan.retry.try_timeout = Some(SOON);
    let world = plan.start();
    let address = world.address;
    let asking = beside(async move { ask(address, "/").await });
    until("it is found strange", || {
        totals(&world, "aws").failures.iter().sum::<u64>() == 1
    })
    .await;
    first.let_go(&world).await;
    assert_eq!(asking.await.unwrap().0, 200);
    // A late answer is an answer all the same.
    assert_eq!(totals(&world, "aws").answers, 4);
}

#[tokio::test]
async fn a_trial_that_is_found_strange_and_then_fails_has_failed_once_and_is_no_ordinary_failure() {
    let asked = Arc::default();
    let mut plan = plan(mostly(silent(&asked).await, named("oci").await));
    plan.retry.try_timeout = Some(SOON);
    plan.retry.attempts = 1;
    plan.timeouts.response_headers = Duration::from_millis(200);
    let mut world = plan.start();
    world.change(world.seen_of("aws", ObservedState::Down));
    world.confirmed().await;
    grant(&world, "aws", clock::now());
    assert_eq!(ask(world.address, "/").await.0, 504);
    until("it is over", || world.edge.in_flight() == 0).await;
    let tried = totals(&world, "aws");
    assert_eq!((tried.trials.begun, tried.trials.failed), (1, 1));
    assert_eq!(tried.failures, [0; 5]);
}

#[tokio::test]
async fn a_client_that_leaves_between_two_tries_is_counted_for_those_that_were_made() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let failing = origin(Speaks::Http1, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { answer(503, "not now") }
    })
    .await;
    let mut plan = plan(vec![backend("aws", 1, failing)]);
    plan.retry.attempts = 5;
    let world = plan.start();
    for number in 1..=20 {
        let before = asked.load(Ordering::SeqCst);
        let mut raw = Raw::connect(world.address).await;
        raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        until("it is tried", || asked.load(Ordering::SeqCst) > before).await;
        drop(raw);
        world.logged(number).await;
    }
    let lines = world.logged(20).await;
    let attempts: u64 = lines
        .iter()
        .map(|line| line["attempts"].as_u64().unwrap())
        .sum();
    let counts = ended(&world).await;
    assert_eq!(counts.iter().map(|(all, _)| *all).sum::<u64>(), attempts);
}

/// A world whose first endpoint takes requests and says nothing, of which it is not known how long that is strange.
async fn unknown(asked: &Arc<AtomicUsize>) -> World {
    plan(mostly(silent(asked).await, named("oci").await)).start()
}

fn retried(world: &World, reason: &str) -> u64 {
    let labels = [("from", "aws"), ("to", "oci"), ("reason", reason)];
    world.registry.counter("bascule_retries_total", &labels)
}

/// Until it is listened whether the endpoint goes down: those that are answered sooner do not.
const LISTENING: Duration = Duration::from_millis(400);

#[tokio::test]
async fn who_waits_at_an_endpoint_that_goes_down_is_asked_elsewhere() {
    for listens in [false, true] {
        let asked = Arc::default();
        let mut world = unknown(&asked).await;
        let address = world.address;
        let asking = beside(async move { ask(address, "/").await });
        until("it is asked", || asked.load(Ordering::SeqCst) > 0).await;
        if listens {
            tokio::time::sleep(LISTENING).await;
        }
        world.change(world.seen_of("aws", ObservedState::Down));
        assert_eq!(asking.await.unwrap(), (200, "oci".into()));
        assert_eq!(retried(&world, "went_down"), 1);
        assert_eq!(ended(&world).await, [(1, 1), (1, 0)]);
        // The judge knows it already: nothing more is held against it.
        assert_eq!(totals(&world, "aws").failures, [0; 5]);
    }
}

#[tokio::test]
async fn who_waits_at_an_endpoint_that_was_down_before_goes_on_waiting() {
    let asked = Arc::default();
    let mut world = unknown(&asked).await;
    world.change(world.seen_of("aws", ObservedState::Down));
    world.confirmed().await;
    grant(&world, "aws", clock::now());
    let address = world.address;
    let asking = beside(async move { ask(address, "/").await });
    until("it is asked", || asked.load(Ordering::SeqCst) > 0).await;
    tokio::time::sleep(LISTENING).await;
    assert_eq!(retried(&world, "went_down"), 0);
    // It comes back meanwhile, and goes down once more: of that nobody is told who began when it was down.
    world.change(world.seen_of("aws", ObservedState::Up));
    world.confirmed().await;
    world.change(world.seen_of("aws", ObservedState::Down));
    world.confirmed().await;
    assert_eq!(retried(&world, "went_down"), 0);
    asking.abort();
}

#[tokio::test]
async fn what_may_have_arrived_goes_nowhere_else_when_its_endpoint_goes_down() {
    let asked = Arc::default();
    let mut world = unknown(&asked).await;
    let address = world.address;
    let posting = beside(async move {
        let mut sender = crate::client::http1(address).await;
        let request = http::Request::post("/").header("host", "a");
        let request = request.body(crate::origin::full("once")).unwrap();
        sender.send_request(request).await.map(drop)
    });
    until("it is asked", || asked.load(Ordering::SeqCst) > 0).await;
    tokio::time::sleep(LISTENING).await;
    world.change(world.seen_of("aws", ObservedState::Down));
    world.confirmed().await;
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    assert_eq!(
        (world.edge.in_flight(), retried(&world, "went_down")),
        (1, 0)
    );
    posting.abort();
}

#[tokio::test]
async fn a_put_is_made_beside_a_first_with_all_of_its_body() {
    let asked = Arc::default();
    let world = pair(silent(&asked).await, named("oci").await);
    let response = send(&world, Method::PUT, vec![b'x'; 60_000]).await;
    assert_eq!(text(response).await, "oci");
}
