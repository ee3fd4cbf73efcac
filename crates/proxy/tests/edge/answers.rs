//! What the guard does to the answers of HTTP/1 origins, seen from the client: what can be read in two ways is never
//! passed on, a cut stays a cut, and a connection on which something came that nobody asked for carries no other request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Raw, ask, ask_raw, get2, http2};
use crate::origin::accepting;
use crate::world::{World, backend, plan, until};

/// Reads one head; whether there was one.
async fn head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

/// An origin that answers each head with these bytes, and closes after it where told; it counts its connections.
async fn says(answer: &'static [u8], closes: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&connections);
    let address = accepting(move |stream| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        say(stream, answer, closes)
    })
    .await;
    (address, connections)
}

async fn say(mut stream: TcpStream, answer: &[u8], closes: bool) {
    while head(&mut stream).await {
        let written = stream.write_all(answer).await;
        if closes || written.is_err() {
            return;
        }
    }
}

async fn world_of(answer: &'static [u8], closes: bool) -> (World, Arc<AtomicUsize>) {
    let (address, connections) = says(answer, closes).await;
    (plan(vec![backend("aws", 1, address)]).start(), connections)
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_refused_and_its_connection_closed() {
    for (answer, reason) in [
        (&b"HTTP/1.1  200 OK\r\n\r\n"[..], "malformed_status_line"),
        (b"HTTP/2 200 OK\r\n\r\n", "malformed_status_line"),
        (b"HTTP/1.1 999 X\r\n\r\n", "malformed_status_line"),
        (b"<html>hello</html>\r\n\r\n", "malformed_status_line"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "bare_line_end"),
        (b"HTTP/1.1 200 OK\r\nx: 1\r\n 2\r\n\r\n", "obs_fold"),
        (b"HTTP/1.1 200 OK\r\nx : 1\r\n\r\n", "malformed_field_name"),
        (
            b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n",
            "malformed_field_value",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            "malformed_framing",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "malformed_framing",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "transfer_coding",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "unasked_upgrade",
        ),
    ] {
        let (world, connections) = world_of(answer, false).await;
        for asked in 1..=2 {
            let heard = ask_raw(world.address, ASK).await;
            assert!(heard.starts_with("HTTP/1.1 502 "), "{reason}: {heard}");
            assert!(heard.contains("details=\"response_malformed\""), "{heard}");
            assert_eq!(connections.load(Ordering::SeqCst), asked, "{reason}");
        }
        let labels = [("reason", reason), ("backend", "aws")];
        let counted = world
            .registry
            .counter("bascule_responses_refused_total", &labels);
        assert_eq!(counted, 2, "{reason}");
    }
}

#[tokio::test]
async fn a_head_of_a_megabyte_is_refused_in_little_memory() {
    let text: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1 << 20)).into());
    let (world, _) = world_of(text.as_bytes(), false).await;
    assert_eq!(ask(world.address, "/").await.0, 502);
    let labels = [("reason", "head_too_long")];
    let counted = world
        .registry
        .counter("bascule_responses_refused_total", &labels);
    assert_eq!(counted, 1);
}

/// What a client hears of an answer that ends too early: over HTTP/1 the connection closes before the body's end, over
/// HTTP/2 the stream is reset.
async fn is_cut(answer: &'static [u8], last: &str) {
    let (world, _) = world_of(answer, true).await;
    let heard = ask_raw(world.address, ASK).await;
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
    assert!(heard.ends_with(last), "{heard}");
    assert!(!heard.ends_with("0\r\n\r\n"), "{heard}");
    let mut sender = http2(world.address).await;
    let response = sender.send_request(get2("http://a/")).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    assert!(body.is_err());
    let ends = world.logged(2).await;
    for line in ends {
        let end = line.get("end").unwrap();
        assert_eq!(end, "upstream:respond", "{line}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_is_cut_at_the_client() {
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
    is_cut(length, "hello").await;
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    is_cut(chunked, "5\r\nhello\r\n").await;
    let in_the_last = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
    is_cut(in_the_last, "5\r\nhello\r\n").await;
    let bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n";
    is_cut(bad, "5\r\nhello\r\n").await;
}

/// To HTTP/1.0 only the connection's end says that a body of unknown length has ended, so a close would be a clean end.
#[tokio::test]
async fn an_answer_to_http_1_0_that_is_cut_ends_with_a_reset() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (address, release) = holding(chunked).await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let mut raw = Raw::connect(world.address).await;
    raw.say("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    raw.hear("hello").await;
    release.send(()).unwrap();
    let ended = raw.0.read(&mut [0]).await.unwrap_err();
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset);
}

/// An origin that answers one request with this, and closes when it is told to.
async fn holding(answer: &'static [u8]) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let (sender, release) = tokio::sync::oneshot::channel();
    let release = Arc::new(std::sync::Mutex::new(Some(release)));
    let address = accepting(move |mut stream| {
        let release = release.lock().unwrap().take();
        async move {
            if head(&mut stream).await {
                stream.write_all(answer).await.unwrap();
                release.unwrap().await.unwrap();
            }
        }
    })
    .await;
    (address, sender)
}

#[tokio::test]
async fn what_comes_behind_an_answer_is_no_answer() {
    let two = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo";
    let (world, connections) = world_of(two, false).await;
    for asked in 1..=5 {
        assert_eq!(ask(world.address, "/").await, (200, "one".into()));
        assert_eq!(connections.load(Ordering::SeqCst), asked);
    }
}

/// Answers, and then says that it waited for too long, as many do on idle connections.
async fn answer_and_time_out(mut stream: TcpStream, spoken: Arc<AtomicUsize>) {
    if !head(&mut stream).await {
        return;
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
    stream.write_all(answer).await.unwrap();
    let late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    // It may be gone by now.
    drop(stream.write_all(late).await);
    spoken.fetch_add(1, Ordering::SeqCst);
    // Open until the edge closes it.
    while stream.read(&mut [0; 64]).await.unwrap_or(0) > 0 {}
}

#[tokio::test]
async fn an_answer_to_nothing_is_not_the_answer_to_the_next_request() {
    let connections = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&connections);
    let spoken = Arc::new(AtomicUsize::new(0));
    let of_idle = Arc::clone(&spoken);
    let address = accepting(move |stream| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        answer_and_time_out(stream, Arc::clone(&of_idle))
    })
    .await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    for asked in 1..=5 {
        assert_eq!(ask(world.address, "/").await, (200, "one".into()));
        until("it has spoken", || spoken.load(Ordering::SeqCst) >= asked).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn interim_answers_are_skipped_and_have_a_limit() {
    let few = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (world, connections) = world_of(few, false).await;
    for _ in 0..3 {
        assert_eq!(ask(world.address, "/").await, (200, "ok".into()));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let many: &'static str = Box::leak("HTTP/1.1 102 Processing\r\n\r\n".repeat(20).into());
    let (world, _) = world_of(many.as_bytes(), false).await;
    assert_eq!(ask(world.address, "/").await.0, 502);
}

#[tokio::test]
async fn a_connection_whose_origin_says_close_is_not_used_again() {
    let close = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let (world, connections) = world_of(close, false).await;
    for _ in 0..3 {
        assert_eq!(ask(world.address, "/").await, (200, "ok".into()));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

/// The origin answers without waiting for the body: the answer is passed on, and the rest of the body is not taken for a
/// request, neither by the edge nor by the origin.
#[tokio::test]
async fn an_early_answer_is_passed_on_and_the_body_is_no_request() {
    let early =
        b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
    let (world, connections) = world_of(early, true).await;
    let mut raw = Raw::connect(world.address).await;
    raw.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhello")
        .await;
    let heard = raw.hear("no").await;
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    raw.say("GET /inner HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(raw.hear_all().await, "");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_says_how_it_came() {
    let old =
        b"HTTP/1.0 200 OK\r\nVia: 1.1 inner\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
        Proxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok";
    let (world, _) = world_of(old, false).await;
    let heard = ask_raw(world.address, ASK).await;
    assert!(
        heard.contains("\r\nvia: 1.1 inner, 1.0 bascule\r\n"),
        "{heard}"
    );
    for gone in ["x-hop", "keep-alive", "proxy-connection", "upgrade"] {
        assert!(!heard.contains(gone), "{gone}: {heard}");
    }
    let mut sender = http2(world.address).await;
    let response = sender.send_request(get2("http://a/")).await.unwrap();
    assert_eq!(response.headers()["via"], "1.1 inner, 1.0 bascule");
}

/// The same from an origin that reads on: the rest of the body goes where the rest of a body goes.
#[tokio::test]
async fn behind_an_early_answer_the_rest_of_the_body_is_read_before_the_next_request() {
    let address = accepting(early_and_on).await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let mut raw = Raw::connect(world.address).await;
    raw.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\n")
        .await;
    raw.hear("early").await;
    let inner = "GET /inner HTTP/1.1\r\nHost: inner\r\n\r\n";
    raw.say(inner).await;
    raw.say("GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await;
    raw.hear("/next").await;
}

/// Answers `early` before it reads the body of a POST, then each GET with its path.
async fn early_and_on(mut stream: TcpStream) {
    if !head(&mut stream).await {
        return;
    }
    let early = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly";
    stream.write_all(early).await.unwrap();
    let mut body = [0; 36];
    stream.read_exact(&mut body).await.unwrap();
    assert!(body.starts_with(b"GET /inner "));
    if head(&mut stream).await {
        let next = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n/next";
        stream.write_all(next).await.unwrap();
    }
}
