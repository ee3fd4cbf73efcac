//! What is counted and logged: each request once, whatever became of it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::client::{Raw, ask, ask_raw, boxed, http2};
use crate::origin::{Body, Speaks, full, nobody, origin};
use crate::world::{World, backend, plan, until};

/// A body that begins and never ends.
fn endless() -> Body {
    let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"begun")))]);
    BodyExt::boxed(StreamBody::new(
        first.chain(futures_util::stream::pending()),
    ))
}

/// Answers, never answers, or never ends its answer.
async fn by_path(request: Request<hyper::body::Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/never" => std::future::pending().await,
        "/endless" => Response::new(endless()),
        "/error" => {
            let mut response = Response::new(full("no"));
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
        _ => Response::new(full("ok")),
    }
}

fn counted(world: &World) -> u64 {
    world.registry.counter("bascule_requests_total", &[])
}

/// Says a request, hears so much of the answer, and goes. It is the `number`th.
async fn leave(world: &World, number: u64, request: &str, heard: &str) {
    until("those before are counted", || counted(world) + 1 == number).await;
    let mut raw = Raw::connect(world.address).await;
    raw.say(request).await;
    if heard.is_empty() {
        until("it runs", || world.edge.in_flight() == 1).await;
    } else {
        raw.hear(heard).await;
    }
    drop(raw);
    until("it is counted", || counted(world) == number).await;
}

#[tokio::test]
async fn every_request_is_counted_once_whatever_became_of_it() {
    let mut plan = plan(vec![
        backend("aws", 50, origin(Speaks::Http1, by_path).await),
        backend("oci", 50, origin(Speaks::Http1, by_path).await),
    ]);
    plan.edit = |listener| listener.limits.request_body = Some(10);
    plan.timeouts.response_headers = Duration::from_secs(1);
    let world = plan.start();
    let mut sent = 0;
    // Answered, with an error, and in vain.
    for (path, status) in [("/", 200), ("/", 200), ("/error", 500), ("/never", 504)] {
        assert_eq!(ask(world.address, path).await.0, status);
        sent += 1;
    }
    // Refused by us before a backend was picked, and while its body was sent.
    for (request, status) in [
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
            413,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n",
            413,
        ),
        // What is not HTTP at all, and a head that is too long.
        ("GET / HTTP/1.1\r\nHost: a\r\nx: \0\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        let heard = ask_raw(world.address, request).await;
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {heard}"
        );
        sent += 1;
    }
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n",
        "x".repeat(17 * 1024)
    );
    assert!(
        ask_raw(world.address, &long)
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    sent += 1;
    // Left in the middle of the request, of the wait and of the response.
    for (request, heard) in [
        (
            "POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
            "",
        ),
        ("GET /never HTTP/1.1\r\nHost: a\r\n\r\n", ""),
        ("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n", "begun"),
    ] {
        sent += 1;
        leave(&world, sent, request, heard).await;
    }
    until("all are counted", || counted(&world) >= sent).await;
    assert_eq!(counted(&world), sent);
    assert_eq!(world.edge.in_flight(), 0);
    let active = world.registry.gauge("bascule_active_sessions", &[]);
    assert!(active.abs() < 0.5, "{active}");
    // Every pick is a try that ended.
    let signals = world.edge.signals(bascule_telemetry::clock::now());
    let tries: u64 = signals.iter().map(|signal| signal.requests).sum();
    assert_eq!(tries, world.registry.counter("bascule_picks_total", &[]));
    // And each has a line, what is no HTTP as well.
    let lines = world.logged(usize::try_from(sent).unwrap()).await;
    assert_eq!(u64::try_from(lines.len()).unwrap(), sent);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_response_is_recorded_once() {
    let world = plan(vec![backend(
        "aws",
        1,
        origin(Speaks::Http1, by_path).await,
    )])
    .start();
    leave(
        &world,
        1,
        "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n",
        "begun",
    )
    .await;
    let mut h2 = http2(world.address).await;
    let request = Request::get("http://a/endless").body(boxed("")).unwrap();
    let mut response = h2.send_request(request).await.unwrap();
    assert!(response.body_mut().frame().await.is_some());
    drop(response);
    until("the stream's end is counted", || counted(&world) == 2).await;
    assert_eq!(ask(world.address, "/").await.0, 200);
    let lines = world.logged(3).await;
    let ends: Vec<_> = lines
        .iter()
        .map(|line| line["end"].as_str().unwrap())
        .collect();
    assert_eq!(ends, ["client:respond", "client:respond", "ok"]);
    assert_eq!(lines[0]["bytes_out"], 5);
    let signals = world.edge.signals(bascule_telemetry::clock::now());
    assert_eq!((signals[0].requests, signals[0].errors), (3, 0));
}

#[tokio::test]
async fn an_answer_of_ours_that_a_client_does_not_wait_for_is_counted_once() {
    let world = plan(vec![backend("aws", 1, nobody().await)]).start();
    for number in 1..=10 {
        let mut raw = Raw::connect(world.address).await;
        raw.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        drop(raw);
        until("it is counted", || counted(&world) == number).await;
    }
    assert_eq!(ask(world.address, "/").await.0, 502);
    until("it is counted", || counted(&world) == 11).await;
    assert_eq!(world.edge.in_flight(), 0);
}
