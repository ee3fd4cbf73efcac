//! What one stream may hold in memory, shown from outside: how much the side that sends can get rid of while the side that
//! takes stands still, without what waits in the kernel's sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bascule_model::Scheme;
use bascule_telemetry::{clock, spawn};
use http::Request;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Raw, ask, boxed};
use crate::frames::{Frames, HEADERS, get, window};
use crate::origin::{SendExecutor, Speaks, full, origin};
use crate::world::{Backend, PATIENCE, World, backend, plan};

/// What the test's own sockets are asked to hold; the kernel doubles it.
const SMALL: u32 = 16 * 1024;
/// What the edge may hold of one body.
const HELD_MAX: u64 = 320 * 1024;

/// What it may hold of a hundred, with what is read ahead: the sum in docs/limits.md is larger, for pieces that are larger.
const HUNDRED_HELD_MAX: u64 = 8 * 1024 * 1024;

/// What waits in sockets that have one of these ports at either end.
fn in_sockets(ports: [u16; 2]) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let is_ours = |end: &str| {
        let port = hex(end.rsplit(':').next().unwrap());
        ports.iter().any(|ours| u64::from(*ours) == port)
    };
    let waiting = table.lines().skip(1).map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let mut field = || fields.next().unwrap();
        let (local, remote, state, queues) = (field(), field(), field(), field());
        let listens = state == "0A";
        if listens || !(is_ours(local) || is_ours(remote)) {
            return 0;
        }
        queues.split(':').map(hex).sum()
    });
    waiting.sum()
}

async fn small_listener() -> (tokio::net::TcpListener, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(SMALL).unwrap();
    socket.set_recv_buffer_size(SMALL).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(128).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn small_client(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(SMALL).unwrap();
    socket.set_recv_buffer_size(SMALL).unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads a head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// An origin whose body never ends, and that takes none: counts what it got rid of.
async fn endless(given: Arc<AtomicU64>) -> SocketAddr {
    let (listener, address) = small_listener().await;
    spawn::send("origin", async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn::send("origin-connection", give(stream, Arc::clone(&given))).detach();
        }
    })
    .detach();
    address
}

/// Answers a GET without end, and a POST never, nor reads its body.
async fn give(mut stream: TcpStream, given: Arc<AtomicU64>) {
    if head(&mut stream).await.starts_with("POST") {
        std::future::pending::<()>().await;
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    write_on(&mut stream, &given).await;
}

/// Writes and counts until the connection breaks.
async fn write_on(stream: &mut TcpStream, given: &AtomicU64) {
    while let Ok(count) = stream.write(&[b'x'; 65536]).await {
        given.fetch_add(u64::try_from(count).unwrap(), Ordering::SeqCst);
    }
}

/// How much has moved when nothing moves any more: a hundred other requests pass and not a byte more has.
async fn at_rest(world: &World, moved: impl Fn() -> u64) -> u64 {
    let deadline = clock::now() + PATIENCE;
    loop {
        let before = moved();
        for _ in 0..100 {
            assert_eq!(ask(world.address, "/").await.1, "small");
        }
        if before > 0 && before == moved() {
            return before;
        }
        assert!(clock::now() < deadline, "{before} bytes and no end");
    }
}

/// An edge before the endless origin, and one that others ask meanwhile.
struct Measured {
    tested: World,
    beside: World,
    origin: SocketAddr,
}

impl Measured {
    async fn start(given: &Arc<AtomicU64>) -> Self {
        let small = origin(Speaks::Http1, |_| async {
            http::Response::new(full("small"))
        })
        .await;
        let origin = endless(Arc::clone(given)).await;
        Self {
            tested: plan(vec![backend("aws", 1, origin)]).start(),
            beside: plan(vec![backend("aws", 1, small)]).start(),
            origin,
        }
    }

    /// What the edge holds of what was given, once nothing moves.
    async fn held(&self, given: &AtomicU64) -> u64 {
        let ports = [self.tested.address.port(), self.origin.port()];
        let now = || given.load(Ordering::SeqCst);
        let deadline = clock::now() + PATIENCE;
        loop {
            assert!(clock::now() < deadline, "no rest");
            let given = at_rest(&self.beside, now).await;
            let held = given.checked_sub(in_sockets(ports));
            // Something moved while sockets were looked at: it was no rest.
            if let Some(held) = held.filter(|held| *held > 0 && given == now()) {
                return held;
            }
        }
    }
}

#[tokio::test]
async fn a_reader_that_stops_leaves_little_in_the_edge_over_http1() {
    let given = Arc::new(AtomicU64::new(0));
    let measured = Measured::start(&given).await;
    let mut client = small_client(measured.tested.address).await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
    let held = measured.held(&given).await;
    assert!(held < HELD_MAX, "{held}");
    // It stood still, it did not break: what is read makes room for more.
    let mut buffer = vec![0; 4 << 20];
    client.read_exact(&mut buffer).await.unwrap();
    drop(client);
}

#[tokio::test]
async fn a_reader_that_stops_leaves_little_in_the_edge_over_http2() {
    let given = Arc::new(AtomicU64::new(0));
    let measured = Measured::start(&given).await;
    let stream = small_client(measured.tested.address).await;
    let (mut sender, connection) = http2::Builder::new(SendExecutor)
        .initial_stream_window_size(SMALL)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    spawn::send("client", async move { drop(connection.await) }).detach();
    let request = Request::get("http://a/").body(boxed("")).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let held = measured.held(&given).await;
    assert!(held < HELD_MAX, "{held}");
    drop(response);
}

#[tokio::test]
async fn a_hundred_streams_that_stand_still_hold_little_together() {
    let given = Arc::new(AtomicU64::new(0));
    let measured = Measured::start(&given).await;
    let mut client = Frames::connect(measured.tested.address, &window(0)).await;
    for n in 0..100 {
        client.say(&get(2 * n + 1)).await;
    }
    for _ in 0..100 {
        assert!(client.next_of(HEADERS).await.is_some());
    }
    let held = measured.held(&given).await;
    assert!(held < HUNDRED_HELD_MAX, "{held}");
}

#[tokio::test]
async fn a_backend_that_does_not_read_leaves_little_in_the_edge() {
    let given = Arc::new(AtomicU64::new(0));
    let measured = Measured::start(&given).await;
    let mut client = small_client(measured.tested.address).await;
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 1099511627776\r\n\r\n")
        .await
        .unwrap();
    let taken = Arc::new(AtomicU64::new(0));
    let of_client = Arc::clone(&taken);
    spawn::send("client", async move {
        write_on(&mut client, &of_client).await;
    })
    .detach();
    let held = measured.held(&taken).await;
    assert!(held < HELD_MAX, "{held}");
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused_over_http2_too() {
    let address = origin(Speaks::H2c, |_| async {
        http::Response::new(full("reached"))
    })
    .await;
    let h2c = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![h2c]).start();
    let mut sender = crate::client::http2(world.address).await;
    let long = "x".repeat(20 * 1024);
    let request = Request::get("http://a/")
        .header("x", long)
        .body(boxed(""))
        .unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 431);
}

/// What was sent of a body that is refused does not cost the client the answer.
#[tokio::test]
async fn a_client_that_is_still_sending_hears_why_it_is_refused() {
    let address = origin(Speaks::Http1, |_| async {
        http::Response::new(full("reached"))
    })
    .await;
    let mut plan = plan(vec![backend("aws", 1, address)]);
    plan.edit = |listener| listener.limits.request_body = Some(10);
    let world = plan.start();
    for _ in 0..20 {
        let mut raw = Raw::connect(world.address).await;
        raw.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n")
            .await;
        raw.say(&"x".repeat(1 << 20)).await;
        assert!(raw.hear_all().await.starts_with("HTTP/1.1 413 "));
    }
}
