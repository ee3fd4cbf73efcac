//! Bodies: both ways, with trailers, with an expectation in front, and large ones in little memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bascule_model::Scheme;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;

use crate::client::{Raw, ask, ask_raw, boxed, get, get2, http1, http2, text};
use crate::origin::{Body, Speaks, answer, full, origin};
use crate::world::{Backend, backend, plan, until};

fn post(uri: &str, body: Body) -> Request<Body> {
    Request::post(uri)
        .header("host", "meet.example")
        .body(body)
        .unwrap()
}

/// A body in chunks with a trailer.
fn with_trailer(chunks: &'static [&'static str]) -> Body {
    let data = chunks
        .iter()
        .map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))));
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "42".parse().unwrap())]);
    let frames = data.chain([Ok(Frame::trailers(trailers))]);
    StreamBody::new(futures_util::stream::iter(frames)).boxed()
}

#[tokio::test]
async fn trailers_pass_both_ways_over_http2() {
    let address = origin(Speaks::H2c, |request| async move {
        let collected = request.into_body().collect().await.unwrap();
        let sum = collected.trailers().unwrap()["x-sum"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            (sum.as_str(), collected.to_bytes().as_ref()),
            ("42", &b"onetwo"[..])
        );
        Response::new(with_trailer(&["three"]))
    })
    .await;
    let h2c = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![h2c]).start();
    let mut sender = http2(world.address).await;
    let request = post("http://meet.example/", with_trailer(&["one", "two"]));
    let response = sender.send_request(request).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "42");
    assert_eq!(collected.to_bytes(), "three");
}

#[tokio::test]
async fn announced_trailers_pass_to_an_http1_client_that_takes_them() {
    let address = origin(Speaks::Http1, |_| async {
        let mut response = Response::new(with_trailer(&["three"]));
        response
            .headers_mut()
            .insert("trailer", "x-sum".parse().unwrap());
        response
    })
    .await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te, close\r\n\r\n";
    let heard = ask_raw(world.address, request).await;
    assert!(
        heard.ends_with("5\r\nthree\r\n0\r\nx-sum: 42\r\n\r\n"),
        "{heard}"
    );
}

/// Echoes what it is given, and refuses `/refuse` without reading.
async fn choosy(request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() == "/refuse" {
        return answer(403, "no");
    }
    let body = request.into_body().collect().await.unwrap();
    Response::new(full(body.to_bytes()))
}

#[tokio::test]
async fn a_body_is_not_asked_for_before_the_backend_wants_it() {
    let address = origin(Speaks::Http1, choosy).await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut raw = Raw::connect(world.address).await;
    raw.say(&head("/take")).await;
    assert_eq!(raw.hear("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.say("hello").await;
    assert!(raw.hear("hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let refused = ask_raw(world.address, &head("/refuse")).await;
    assert!(
        refused.starts_with("HTTP/1.1 403 Forbidden\r\n"),
        "{refused}"
    );
}

/// A body of so many chunks of 64 KiB, made as it is asked for.
fn large(chunks: u64) -> Body {
    static CHUNK: [u8; 65536] = [b'x'; 65536];
    let frames = (0..chunks).map(|_| Ok(Frame::data(Bytes::from_static(&CHUNK))));
    StreamBody::new(futures_util::stream::iter(frames)).boxed()
}

async fn count(mut body: Incoming) -> u64 {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame
            .unwrap()
            .into_data()
            .map_or(0, |data| u64::try_from(data.len()).unwrap());
    }
    bytes
}

const MIB_64: u64 = 64 << 20;

/// Gives 64 MiB to who gets, and counts what it is given by others.
async fn bulk(request: Request<Incoming>) -> Response<Body> {
    if request.method() == Method::GET {
        return Response::new(large(1024));
    }
    Response::new(full(count(request.into_body()).await.to_string()))
}

/// The schemes an origin in clear may have.
const CLEAR: [(Speaks, Scheme); 2] = [(Speaks::Http1, Scheme::Http), (Speaks::H2c, Scheme::H2c)];

#[tokio::test]
async fn large_bodies_stream_both_ways_over_every_version() {
    for (speaks, scheme) in CLEAR {
        let address = origin(speaks, bulk).await;
        let world = plan(vec![Backend {
            scheme,
            ..backend("aws", 1, address)
        }])
        .start();
        let mut h1 = http1(world.address).await;
        let down = h1.send_request(get("/")).await.unwrap();
        assert_eq!(count(down.into_body()).await, MIB_64);
        h1.ready().await.unwrap();
        let up = h1.send_request(post("/", large(1024))).await.unwrap();
        assert_eq!(text(up).await, MIB_64.to_string());
        let mut h2 = http2(world.address).await;
        let down = h2.send_request(get2("http://meet.example/")).await.unwrap();
        assert_eq!(count(down.into_body()).await, MIB_64);
        let up = post("http://meet.example/", large(1024));
        let up = h2.send_request(up).await.unwrap();
        assert_eq!(text(up).await, MIB_64.to_string());
        let bytes = |way| {
            let labels = [("direction", way)];
            world
                .registry
                .counter("bascule_traffic_bytes_total", &labels)
        };
        let both = || bytes("in") >= 2 * MIB_64 && bytes("out") >= 2 * MIB_64;
        until("bytes are counted", both).await;
    }
}

/// What sockets of the loopback interface hold by themselves, at most; the edge's own part is far below.
const BETWEEN_MAX: u64 = 32 << 20;

/// Gives a body without end, and counts the bytes it has given; `/small` gets a small one.
async fn endless(request: Request<Incoming>, given: Arc<AtomicU64>) -> Response<Body> {
    if request.uri().path() == "/small" {
        return answer(200, "small");
    }
    let frames = std::iter::repeat_with(move || {
        given.fetch_add(65536, Ordering::SeqCst);
        Ok(Frame::data(Bytes::from(vec![b'x'; 65536])))
    });
    Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed())
}

async fn ask_small(address: std::net::SocketAddr, times: usize) {
    for _ in 0..times {
        assert_eq!(ask(address, "/small").await.1, "small");
    }
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_writer_of_an_endless_body() {
    for (speaks, scheme) in CLEAR {
        let given = Arc::new(AtomicU64::new(0));
        let of_origin = Arc::clone(&given);
        let handler = move |request| endless(request, Arc::clone(&of_origin));
        let address = origin(speaks, handler).await;
        let world = plan(vec![Backend {
            scheme,
            ..backend("aws", 1, address)
        }])
        .start();
        let mut sender = http2(world.address).await;
        let unread = sender
            .send_request(get2("http://meet.example/"))
            .await
            .unwrap();
        // It stands still when a hundred other requests have passed and not a byte more was given.
        let mut before = 0;
        while before != given.load(Ordering::SeqCst) {
            before = given.load(Ordering::SeqCst);
            assert!(
                before < BETWEEN_MAX,
                "{before} bytes to a client that reads none"
            );
            ask_small(world.address, 100).await;
        }
        drop(unread);
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_by_its_length_or_when_it_gets_there() {
    let address = origin(Speaks::Http1, |request| async move {
        drop(request.into_body().collect().await);
        Response::new(full("all"))
    })
    .await;
    let mut plan = plan(vec![backend("aws", 1, address)]);
    plan.edit = |listener| listener.limits.request_body = Some(10);
    let world = plan.start();
    let mut sender = http2(world.address).await;
    let ask = |body| post("http://meet.example/", body);
    assert_eq!(
        sender
            .send_request(ask(boxed("0123456789")))
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        sender
            .send_request(ask(boxed("0123456789a")))
            .await
            .unwrap()
            .status(),
        413
    );
    let streamed = with_trailer(&["012345678", "9abcdef"]);
    assert_eq!(
        sender.send_request(ask(streamed)).await.unwrap().status(),
        413
    );
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n";
    assert!(
        ask_raw(world.address, head)
            .await
            .starts_with("HTTP/1.1 413 ")
    );
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_body_is_not_the_backends_fault() {
    let address = origin(Speaks::Http1, choosy).await;
    let mut plan = plan(vec![backend("aws", 1, address)]);
    plan.timeouts.response_headers = std::time::Duration::from_millis(100);
    let world = plan.start();
    let started = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe";
    let heard = ask_raw(world.address, started).await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    let signals = world.edge.signals(bascule_telemetry::clock::now());
    assert_eq!((signals[0].requests, signals[0].errors), (1, 0));
}

#[tokio::test]
async fn trailers_of_a_request_pass_from_http1_to_http1() {
    let address = origin(Speaks::Http1, |request| async move {
        let collected = request.into_body().collect().await.unwrap();
        let sum = collected.trailers().map(|trailers| format!("{trailers:?}"));
        Response::new(full(sum.unwrap_or_default()))
    })
    .await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: x-sum\r\n\
                   Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nx-sum: 42\r\n\r\n";
    let heard = ask_raw(world.address, request).await;
    assert!(heard.ends_with("{\"x-sum\": \"42\"}"), "{heard}");
}
