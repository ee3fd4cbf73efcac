//! What is tried once more, and what never is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::{FailureClass, Scheme};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{ask, boxed, http1, text};
use crate::frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, PREFACE, SETTINGS, frame};
use crate::origin::{Speaks, accepting, full, named, nobody, origin, reader_that_hangs_up};
use crate::world::{Backend, backend, plan};

#[tokio::test]
async fn a_refused_connection_is_tried_at_the_other_provider_and_reported() {
    let mut world = plan(vec![
        backend("aws", 50, nobody().await),
        backend("oci", 50, named("oci").await),
    ])
    .start();
    for _ in 0..10 {
        assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    }
    let told = world.failures.recv().await.unwrap();
    assert_eq!(told.endpoint.backend.as_str(), "aws");
    assert_eq!(told.class, FailureClass::Connect);
    let lines = world.logged(10).await;
    assert!(lines.iter().all(|line| line["backend"] == "oci"));
    let picked = |why: &str| lines.iter().filter(|line| line["pick"] == why).count() as u64;
    // The first refusal makes it suspected; from then on its turns spill, but for a trial a second.
    let retried = picked("retry");
    assert!(retried >= 1, "{lines:?}");
    assert_eq!((picked("weight"), picked("spill")), (5, 5 - retried));
    let again = lines.iter().filter(|line| line["attempts"] == 2).count() as u64;
    assert_eq!(again, retried);
    let counter = |name, labels: &[_]| world.registry.counter(name, labels);
    let labels = [("from", "aws"), ("to", "oci"), ("reason", "connect")];
    assert_eq!(counter("bascule_retries_total", &labels), retried);
    let labels = [("backend", "aws"), ("reason", "connect")];
    assert_eq!(counter("bascule_suspicions_total", &labels), 1);
    let signals = world.edge.signals(bascule_telemetry::clock::now());
    let numbers: Vec<_> = signals
        .iter()
        .map(|s| (s.requests, s.errors, s.in_flight))
        .collect();
    assert_eq!(numbers, [(retried, retried, 0), (10, 0, 0)]);
}

#[tokio::test]
async fn a_body_that_was_not_sent_goes_to_the_other_provider() {
    let echo = origin(Speaks::Http1, |request| async move {
        Response::new(full(
            request.into_body().collect().await.unwrap().to_bytes(),
        ))
    })
    .await;
    let world = plan(vec![
        backend("aws", 9999, nobody().await),
        backend("oci", 1, echo),
    ])
    .start();
    let mut sender = http1(world.address).await;
    let request = Request::post("/")
        .header("host", "a")
        .body(boxed("hello"))
        .unwrap();
    assert_eq!(
        text(sender.send_request(request).await.unwrap()).await,
        "hello"
    );
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_only_repeated_where_that_is_harmless() {
    let read = Arc::new(AtomicUsize::new(0));
    let hangs_up = reader_that_hangs_up(Arc::clone(&read)).await;
    let world = plan(vec![
        backend("aws", 9999, hangs_up),
        backend("oci", 1, named("oci").await),
    ])
    .start();
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    let mut sender = http1(world.address).await;
    let request = Request::post("/")
        .header("host", "a")
        .body(boxed("hello"))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(
        response.headers()["proxy-status"],
        "bascule; error=connection_terminated; details=\"died\""
    );
    assert_eq!(
        (response.status().as_u16(), text(response).await),
        (502, "Bad Gateway: died\n".into())
    );
    assert_eq!(read.load(Ordering::SeqCst), 2);
}

/// Answers once on each connection and closes it without saying so.
async fn answers_once(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    if stream.read(&mut buffer).await.unwrap_or(0) > 0 {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
    }
}

/// Whether the next request finds the connection closed, or dies on it: a GET is answered, by whichever backend.
#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_fails_no_request_that_may_be_repeated() {
    let backends = vec![
        backend("aws", 50, accepting(answers_once).await),
        backend("oci", 50, named("ok").await),
    ];
    let world = plan(backends).start();
    let mut sender = http1(world.address).await;
    for _ in 0..100 {
        sender.ready().await.unwrap();
        let request = Request::get("/").header("host", "a");
        let response = sender.send_request(request.body(boxed("")).unwrap()).await;
        assert_eq!(text(response.unwrap()).await, "ok");
    }
}

#[tokio::test]
async fn where_everything_fails_all_retries_together_stay_within_the_budget() {
    let mut plan = plan(vec![
        backend("aws", 9999, nobody().await),
        backend("oci", 1, nobody().await),
    ]);
    plan.retry.budget_min_per_second = 1;
    let world = plan.start();
    for _ in 0..100 {
        assert_eq!(ask(world.address, "/").await.0, 502);
    }
    // Twenty of a hundred; the first ones when there had been few.
    let retries = world.registry.counter("bascule_retries_total", &[]);
    assert!((10..=20).contains(&retries), "{retries}");
}

#[tokio::test]
async fn a_backend_that_says_nothing_ends_in_504_without_a_second_try() {
    let silent = accepting(|stream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut plan = plan(vec![
        backend("aws", 9999, silent),
        backend("oci", 1, named("oci").await),
    ]);
    plan.timeouts.response_headers = Duration::from_millis(100);
    let world = plan.start();
    assert_eq!(
        ask(world.address, "/").await,
        (504, "Gateway Timeout: response_timeout\n".into())
    );
}

#[tokio::test]
async fn a_response_that_is_cut_is_cut_for_the_client_and_counted_against_the_backend() {
    let cuts = accepting(|mut stream| async move {
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            .await
            .unwrap();
    })
    .await;
    let world = plan(vec![backend("aws", 1, cuts)]).start();
    let mut sender = http1(world.address).await;
    let request = Request::get("/")
        .header("host", "a")
        .body(boxed(""))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    let lines = world.logged(1).await;
    assert_eq!(lines[0]["end"], "upstream:respond");
    assert_eq!(
        world.edge.signals(bascule_telemetry::clock::now())[0].errors,
        1
    );
}

/// Refuses every stream unprocessed.
async fn refuses_streams(stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_request, mut respond))) = connection.accept().await {
        respond.send_reset(h2::Reason::REFUSED_STREAM);
    }
}

#[tokio::test]
async fn a_stream_refused_unprocessed_is_tried_elsewhere() {
    let refusing = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 9999, accepting(refuses_streams).await)
    };
    let world = plan(vec![refusing, backend("oci", 1, named("oci").await)]).start();
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    let labels = [("from", "aws"), ("reason", "stream_refused")];
    assert_eq!(world.registry.counter("bascule_retries_total", &labels), 1);
}

#[tokio::test]
async fn a_backend_that_switches_protocols_unasked_is_no_http_server() {
    let switches = accepting(|mut stream| async move {
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nraw";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let world = plan(vec![backend("aws", 1, switches)]).start();
    let expected = (502, "Bad Gateway: response_malformed\n".into());
    assert_eq!(ask(world.address, "/").await, expected);
}

/// Answers the first request of a connection, and dies on the second when it has read it.
async fn dies_on_the_second(mut stream: TcpStream, read: Arc<AtomicUsize>) {
    let mut buffer = [0; 4096];
    if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
        return;
    }
    read.fetch_add(1, Ordering::SeqCst);
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    stream.write_all(answer).await.unwrap();
    if stream.read(&mut buffer).await.unwrap_or(0) > 0 {
        read.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_is_made_anew_where_there_is_no_other_endpoint() {
    let read = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&read);
    let only = accepting(move |stream| dies_on_the_second(stream, Arc::clone(&of_origin))).await;
    let world = plan(vec![backend("aws", 1, only)]).start();
    for _ in 0..5 {
        assert_eq!(ask(world.address, "/").await, (200, "ok".into()));
    }
    let before = read.load(Ordering::SeqCst);
    let request = Request::post("/")
        .header("host", "a")
        .body(boxed("hello"))
        .unwrap();
    let response = http1(world.address)
        .await
        .send_request(request)
        .await
        .unwrap();
    assert_eq!(text(response).await, "Bad Gateway: died\n");
    assert_eq!(
        read.load(Ordering::SeqCst),
        before + 1,
        "what may have arrived was sent twice"
    );
}

#[tokio::test]
async fn a_new_connection_that_dies_is_made_once_more_where_there_is_no_other_endpoint() {
    let read = Arc::new(AtomicUsize::new(0));
    let only = reader_that_hangs_up(Arc::clone(&read)).await;
    let world = plan(vec![backend("aws", 1, only)]).start();
    assert_eq!(
        ask(world.address, "/").await,
        (502, "Bad Gateway: died\n".into())
    );
    assert_eq!(read.load(Ordering::SeqCst), 2);
}

/// `:status: 200`, some content, and trailers with a pseudo-field, which must not be there (RFC 9113 §8.1).
fn answer_with_malformed_trailers(stream: u32) -> Vec<u8> {
    let status = b"\x88";
    [
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS, stream, status),
        frame(DATA, 0, stream, b"abc"),
        frame(HEADERS, END_HEADERS | END_STREAM, stream, status),
    ]
    .concat()
}

/// Answers every request so, and counts them.
async fn answers_malformed(mut frames: Frames, asked: Arc<AtomicUsize>) {
    let mut preface = [0; PREFACE.len()];
    frames.0.read_exact(&mut preface).await.unwrap();
    while let Some(head) = frames.next_of(HEADERS).await {
        asked.fetch_add(1, Ordering::Relaxed);
        let answer = answer_with_malformed_trailers(head.stream);
        frames.say(&answer).await;
    }
}

#[tokio::test]
async fn a_request_whose_http2_answer_was_malformed_is_not_tried_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let read = Arc::clone(&asked);
    let address =
        accepting(move |stream| answers_malformed(Frames(stream), Arc::clone(&read))).await;
    let h2c = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![h2c]).start();
    assert_eq!(ask(world.address, "/").await.0, 502);
    let lines = world.logged(1).await;
    assert_eq!(lines[0]["attempts"], 1);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
