//! What an endpoint answered and is asked of another all the same: by status, with the body again, in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::{ObservedState, Scheme};
use bascule_traffic::spec::{GrpcStatuses, RetryPolicy, RetryWhen, Statuses};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::client::{ask, http1, text};
use crate::origin::{Body, Speaks, accepting, answer, full, named, origin};
use crate::world::{Backend, World, backend, plan};

/// Answers so, and counts what it was asked.
pub(crate) async fn answering(
    status: u16,
    length: usize,
    asked: &Arc<AtomicUsize>,
) -> std::net::SocketAddr {
    let asked = Arc::clone(asked);
    origin(Speaks::Http1, move |request| {
        let asked = Arc::clone(&asked);
        async move {
            drop(request.into_body().collect().await);
            asked.fetch_add(1, Ordering::SeqCst);
            let mut answer = answer(status, Bytes::from(vec![b'x'; length]));
            let headers = answer.headers_mut();
            headers.insert("retry-after", "7".parse().unwrap());
            headers.insert("x-secret", "of the first".parse().unwrap());
            answer
        }
    })
    .await
}

/// Answers with what it is sent.
async fn echo() -> std::net::SocketAddr {
    origin(Speaks::Http1, |request| async move {
        let body = request.into_body().collect().await.unwrap();
        Response::new(full(body.to_bytes()))
    })
    .await
}

pub(crate) async fn send(
    world: &World,
    method: Method,
    body: impl Into<Bytes>,
) -> Response<hyper::body::Incoming> {
    let mut sender = http1(world.address).await;
    let request: Request<Body> = Request::builder()
        .method(method)
        .uri("/")
        .header("host", "a")
        .body(full(body))
        .unwrap();
    sender.send_request(request).await.unwrap()
}

/// Almost everything is asked of the first.
pub(crate) fn mostly(first: std::net::SocketAddr, second: std::net::SocketAddr) -> Vec<Backend> {
    vec![backend("aws", 9999, first), backend("oci", 1, second)]
}

#[tokio::test]
async fn a_get_that_is_answered_with_503_is_asked_of_the_other_provider() {
    // Of the longest answer no byte is kept, of the others the connection is.
    for length in [0, 20, 1 << 20] {
        let asked = Arc::default();
        let failing = answering(503, length, &asked).await;
        let world = plan(mostly(failing, named("oci").await)).start();
        let response = send(&world, Method::GET, "").await;
        assert_eq!(response.status(), 200, "{length}");
        assert!(!response.headers().contains_key("x-secret"));
        assert!(!response.headers().contains_key("retry-after"));
        assert_eq!(text(response).await, "oci");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let labels = [("from", "aws"), ("to", "oci"), ("reason", "status")];
        assert_eq!(world.registry.counter("bascule_retries_total", &labels), 1);
        let lines = world.logged(1).await;
        assert_eq!(
            (&lines[0]["attempts"], &lines[0]["backend"]),
            (&2.into(), &"oci".into())
        );
        let signals = world.edge.signals(bascule_telemetry::clock::now());
        let errors: Vec<_> = signals
            .iter()
            .map(|s| (s.requests, s.errors, s.in_flight))
            .collect();
        assert_eq!(errors, [(1, 1, 0), (1, 0, 0)]);
    }
}

#[tokio::test]
async fn a_post_that_is_answered_with_503_gets_that_answer() {
    let asked = Arc::default();
    let failing = answering(503, 20, &asked).await;
    let world = plan(mostly(failing, named("oci").await)).start();
    let response = send(&world, Method::POST, "hello").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(response.headers()["x-secret"], "of the first");
    assert_eq!(text(response).await.len(), 20);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn where_everybody_answers_with_503_the_client_gets_the_last_one() {
    let (first, second) = (Arc::default(), Arc::default());
    let backends = mostly(
        answering(503, 20, &first).await,
        answering(503, 30, &second).await,
    );
    let world = plan(backends).start();
    let response = send(&world, Method::GET, "").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(text(response).await.len(), 30);
    assert_eq!(
        (first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)),
        (1, 1)
    );
}

#[tokio::test]
async fn only_the_statuses_that_are_named_are_asked_again() {
    for (status, expected) in [(429, 200), (500, 500), (502, 200), (503, 503), (504, 504)] {
        let asked = Arc::default();
        let failing = answering(status, 20, &asked).await;
        let mut plan = plan(mostly(failing, named("oci").await));
        plan.retry.when.statuses = Statuses::of(&[429, 502]);
        let world = plan.start();
        let response = send(&world, Method::GET, "").await;
        assert_eq!(response.status(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_body_that_was_sent_is_sent_again_where_it_is_kept() {
    let half = usize::try_from(RetryPolicy::default().replay_body).unwrap();
    for (length, status) in [(0, 200), (5, 200), (half, 200), (half + 1, 503)] {
        let asked = Arc::default();
        let failing = answering(503, 20, &asked).await;
        let world = plan(mostly(failing, echo().await)).start();
        let body: Vec<u8> = (0..length)
            .map(|at| b'a' + u8::try_from(at % 26).unwrap())
            .collect();
        let response = send(&world, Method::PUT, body.clone()).await;
        assert_eq!(response.status(), status, "{length}");
        let heard = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status != 200 || heard == body, "{length}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_kept_as_far_as_it_goes() {
    for (pieces, status) in [(3, 200), (200, 503)] {
        let asked = Arc::default();
        let failing = answering(503, 20, &asked).await;
        let world = plan(mostly(failing, echo().await)).start();
        let mut sender = http1(world.address).await;
        let piece =
            |_| Ok::<_, std::io::Error>(hyper::body::Frame::data(Bytes::from(vec![b'y'; 1000])));
        let stream = futures_util::stream::iter((0..pieces).map(piece));
        let body = http_body_util::StreamBody::new(stream);
        let body = body.map_err(|error| error.into()).boxed();
        let request = Request::put("/").header("host", "a").body(body).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{pieces}");
        let heard = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status != 200 || heard.len() == pieces * 1000);
    }
}

/// Refuses every stream unprocessed, some of its body read.
async fn refuses_streams(stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_request, mut respond))) = connection.accept().await {
        respond.send_reset(h2::Reason::REFUSED_STREAM);
    }
}

#[tokio::test]
async fn a_post_whose_stream_was_refused_is_made_elsewhere_with_its_body() {
    for body in ["", "hello"] {
        let refusing = Backend {
            scheme: Scheme::H2c,
            ..backend("aws", 9999, accepting(refuses_streams).await)
        };
        let world = plan(vec![refusing, backend("oci", 1, echo().await)]).start();
        let response = send(&world, Method::POST, body).await;
        assert_eq!(
            (response.status().as_u16(), text(response).await),
            (200, body.into())
        );
    }
}

/// A gRPC server whose answer is nothing but its status.
async fn unavailable() -> std::net::SocketAddr {
    origin(Speaks::Http1, |request| async move {
        drop(request.into_body().collect().await);
        let mut answer = answer(200, "");
        let headers = answer.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("grpc-status", "14".parse().unwrap());
        answer
    })
    .await
}

#[tokio::test]
async fn a_grpc_call_is_made_again_only_where_its_status_is_named() {
    for (codes, status, body) in [(&[][..], Some("14"), ""), (&[14], None, "call")] {
        let mut plan = plan(mostly(unavailable().await, echo().await));
        plan.retry.when = RetryWhen {
            grpc: GrpcStatuses::of(codes),
            ..RetryWhen::default()
        };
        let world = plan.start();
        let mut sender = http1(world.address).await;
        let request = Request::post("/")
            .header("host", "a")
            .header("content-type", "application/grpc+proto");
        let response = sender
            .send_request(request.body(full("call")).unwrap())
            .await
            .unwrap();
        let heard = response
            .headers()
            .get("grpc-status")
            .map(|s| s.to_str().unwrap());
        assert_eq!(heard, status);
        assert_eq!(text(response).await, body);
    }
}

#[tokio::test]
async fn the_only_endpoint_is_asked_once_more_after_a_moment() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let once = origin(Speaks::Http1, move |_| {
        let said = match count.fetch_add(1, Ordering::SeqCst) {
            0 => answer(503, "not yet"),
            _ => answer(200, "now"),
        };
        async move { said }
    })
    .await;
    let world = plan(vec![backend("aws", 1, once)]).start();
    assert_eq!(ask(world.address, "/").await, (200, "now".into()));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_only_endpoint_that_asks_to_be_left_alone_is() {
    let asked = Arc::default();
    let world = plan(vec![backend("aws", 1, answering(503, 20, &asked).await)]).start();
    let response = send(&world, Method::GET, "").await;
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// Reads and never answers; counts connections.
pub(crate) async fn silent(asked: &Arc<AtomicUsize>) -> std::net::SocketAddr {
    let asked = Arc::clone(asked);
    accepting(move |mut stream| {
        let asked = Arc::clone(&asked);
        async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await.unwrap_or(0) > 0 {
                asked.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await
}

#[tokio::test]
async fn all_tries_together_end_at_the_deadline() {
    let asked = Arc::default();
    let mut plan = plan(mostly(silent(&asked).await, named("oci").await));
    plan.timeouts.request = Some(Duration::from_secs(1));
    let world = plan.start();
    assert_eq!(
        ask(world.address, "/").await,
        (504, "Gateway Timeout: deadline\n".into())
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_try_that_takes_too_long_gets_another_beside_it_and_the_first_answer_wins() {
    for (method, expected) in [(Method::GET, 200), (Method::PUT, 200), (Method::POST, 504)] {
        let asked = Arc::default();
        let mut plan = plan(mostly(silent(&asked).await, named("oci").await));
        plan.retry.try_timeout = Some(Duration::from_millis(50));
        plan.timeouts.response_headers = Duration::from_secs(2);
        let world = plan.start();
        let response = send(
            &world,
            method.clone(),
            if method == Method::GET { "" } else { "hello" },
        )
        .await;
        assert_eq!(response.status(), expected, "{method}");
        assert!(asked.load(Ordering::SeqCst) > 0);
        let labels = [("from", "aws"), ("to", "oci"), ("reason", "try_timeout")];
        let retries = world.registry.counter("bascule_retries_total", &labels);
        assert_eq!(retries, u64::from(expected == 200));
        let lines = world.logged(1).await;
        let backend = if expected == 200 { "oci" } else { "aws" };
        assert_eq!(lines[0]["backend"], backend);
        // Both places are given back.
        let signals = world.edge.signals(bascule_telemetry::clock::now());
        assert!(signals.iter().all(|s| s.in_flight == 0));
    }
}

/// Answers once it is told to.
async fn once(mut gone: tokio::sync::watch::Receiver<bool>) -> Response<Body> {
    gone.wait_for(|gone| *gone).await.unwrap();
    answer(200, "late")
}

#[tokio::test]
async fn a_first_try_that_answers_after_all_wins_against_a_second_that_fails_or_hangs() {
    let asked = Arc::default();
    let hanging = silent(&asked).await;
    for second in [
        crate::origin::nobody().await,
        answering(503, 20, &asked).await,
        hanging,
    ] {
        let (go, gone) = tokio::sync::watch::channel(false);
        let late = origin(Speaks::Http1, move |_| once(gone.clone())).await;
        let mut plan = plan(mostly(late, second));
        plan.retry.try_timeout = Some(Duration::from_millis(50));
        let world = plan.start();
        let asking = crate::world::beside(async move { ask(world.address, "/").await });
        let labels = [("reason", "try_timeout")];
        let registry = world.registry.clone();
        crate::world::until("a second try is made", || {
            registry.counter("bascule_retries_total", &labels) == 1
        })
        .await;
        go.send_replace(true);
        assert_eq!(asking.await.unwrap(), (200, "late".into()));
    }
}

/// Answers until it falls silent: then it goes on reading, and says nothing more.
async fn falling_silent(silent: &Arc<AtomicBool>) -> std::net::SocketAddr {
    let silent = Arc::clone(silent);
    origin(Speaks::Http1, move |_| {
        let silent = Arc::clone(&silent);
        async move {
            if silent.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            answer(200, "aws")
        }
    })
    .await
}

#[tokio::test]
async fn an_endpoint_that_falls_silent_is_suspected_and_who_waits_there_is_asked_elsewhere() {
    let silent = Arc::default();
    let backends = mostly(falling_silent(&silent).await, named("oci").await);
    let mut world = plan(backends).start();
    // What is usual for it is worked out once a second.
    let begun = bascule_telemetry::clock::now();
    let known = Duration::from_millis(2_100);
    while bascule_telemetry::clock::now().since(begun) < known {
        assert_eq!(ask(world.address, "/").await, (200, "aws".into()));
    }
    silent.store(true, Ordering::SeqCst);
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    let counter = |name, labels: &[_]| world.registry.counter(name, labels);
    let labels = [("from", "aws"), ("to", "oci"), ("reason", "silent")];
    assert_eq!(counter("bascule_retries_total", &labels), 1);
    let labels = [("backend", "aws"), ("reason", "silent")];
    assert_eq!(counter("bascule_suspicions_total", &labels), 1);
    assert_eq!(
        world
            .failures
            .recv()
            .await
            .unwrap()
            .endpoint
            .backend
            .as_str(),
        "aws"
    );
    // A request that may not be asked twice goes elsewhere from the first try on.
    let response = send(&world, Method::POST, "hello").await;
    assert_eq!(text(response).await, "oci");
}

#[tokio::test]
async fn an_endpoint_that_returns_to_the_judges_good_opinion_is_suspected_no_more() {
    let dead = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&dead);
    let returning = origin(Speaks::Http1, move |_| {
        let status = if flag.load(Ordering::SeqCst) {
            503
        } else {
            200
        };
        async move { answer(status, "aws") }
    })
    .await;
    let mut world = plan(mostly(returning, named("oci").await)).start();
    let suspicions = |world: &World| {
        let labels = [("backend", "aws"), ("reason", "status")];
        world.registry.counter("bascule_suspicions_total", &labels)
    };
    while suspicions(&world) == 0 {
        assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    }
    dead.store(false, Ordering::SeqCst);
    for state in [ObservedState::Down, ObservedState::Up] {
        world.change(world.seen_of("aws", state));
        world.confirmed().await;
    }
    assert_eq!(ask(world.address, "/").await, (200, "aws".into()));
}
