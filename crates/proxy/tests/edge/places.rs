//! Places that free otherwise than by the end of a request, and those that wait for them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::Scheme;
use bascule_telemetry::spawn::Task;
use bascule_traffic::spec::{EndpointHost, EndpointUrl, KeySource, ServiceLimits};
use http::Response;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::again::{mostly, silent};
use crate::client::ask;
use crate::origin::{Body, SendExecutor, Speaks, accepting, full, origin};
use crate::world::{World, authority, backend, beside, plan, until};

/// One connection to each endpoint, and a line in which one may wait for ever.
fn one_connection() -> ServiceLimits {
    ServiceLimits {
        endpoint_connections: Some(1),
        endpoint_pending: 1,
        pending_timeout: Duration::from_secs(3_600),
        ..ServiceLimits::default()
    }
}

fn asking(world: &World, path: &'static str) -> Task<(u16, String)> {
    let address = world.address;
    beside(async move { ask(address, path).await })
}

async fn waiting(world: &World, count: f64) {
    until("as many wait", || {
        let waiting = world.registry.gauge("bascule_pending_requests", &[]);
        (waiting - count).abs() < 0.5
    })
    .await;
}

async fn head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

/// Answers 503 first, of which half comes later, and then over the same connection well.
async fn slow_to_refuse(go: watch::Receiver<bool>) -> SocketAddr {
    accepting(move |mut stream| {
        let mut go = go.clone();
        async move {
            head(&mut stream).await;
            let begun = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nno";
            stream.write_all(begun).await.unwrap();
            go.wait_for(|go| *go).await.unwrap();
            stream.write_all(b"no").await.unwrap();
            head(&mut stream).await;
            let well = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\naws";
            stream.write_all(well).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_that_is_free_once_an_answer_is_thrown_away_is_for_who_waits() {
    let (go, gone) = watch::channel(false);
    let asked = Arc::default();
    let mut plan = plan(mostly(slow_to_refuse(gone).await, silent(&asked).await));
    plan.limits = one_connection();
    let world = plan.start();
    let first = asking(&world, "/first");
    until("the first is asked elsewhere", || {
        asked.load(Ordering::SeqCst) == 1
    })
    .await;
    let second = asking(&world, "/second");
    waiting(&world, 1.0).await;
    go.send_replace(true);
    waiting(&world, 0.0).await;
    assert_eq!(second.await.unwrap(), (200, "aws".into()));
    first.abort();
}

#[tokio::test]
async fn a_connection_that_turns_out_to_be_shared_has_room_for_who_waits() {
    let authority = authority(&["localhost"]);
    let tls = authority.server();
    let (go, gone) = watch::channel(false);
    let (begun, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = (Arc::clone(&begun), Arc::clone(&asked));
    let address = accepting(move |stream| {
        let (tls, mut gone, (begun, asked)) = (tls.clone(), gone.clone(), count.clone());
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            gone.wait_for(|gone| *gone).await.unwrap();
            let secured = tls.accept(stream).await.unwrap();
            never_answering(secured.stream, &asked).await;
        }
    })
    .await;
    let mut secure = backend("aws", 1, address);
    secure.scheme = Scheme::Https;
    secure.named = Some("localhost");
    let mut plan = plan(vec![secure]);
    plan.upstream = Some(authority.client());
    plan.limits = one_connection();
    let world = plan.start();
    let first = asking(&world, "/first");
    until("one is being made", || begun.load(Ordering::SeqCst) == 1).await;
    let second = asking(&world, "/second");
    waiting(&world, 1.0).await;
    go.send_replace(true);
    until("both run", || asked.load(Ordering::SeqCst) == 2).await;
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    for request in [first, second] {
        request.abort();
    }
}

/// Gives a permit to each request; what it answers is its name.
async fn held(name: &'static str, go: Arc<Semaphore>) -> SocketAddr {
    origin(Speaks::Http1, move |_| {
        let go = Arc::clone(&go);
        async move {
            go.acquire().await.unwrap().forget();
            Response::new(full(name))
        }
    })
    .await
}

fn one_request() -> ServiceLimits {
    ServiceLimits {
        backend_requests: Some(1),
        endpoint_connections: None,
        ..one_connection()
    }
}

#[tokio::test]
async fn the_wait_for_a_place_is_part_of_the_time_that_a_request_has() {
    let go = Arc::new(Semaphore::new(0));
    let mut plan = plan(vec![backend("aws", 1, held("aws", Arc::clone(&go)).await)]);
    plan.timeouts.request = Some(Duration::from_secs(1));
    plan.limits = one_request();
    // Shorter than anybody waits, so that this fails where the other limit is not heard of.
    plan.limits.pending_timeout = Duration::from_secs(20);
    let world = plan.start();
    let first = asking(&world, "/first");
    until("one runs", || world.edge.in_flight() == 1).await;
    let deadline = (504, "Gateway Timeout: deadline\n".to_owned());
    assert_eq!(ask(world.address, "/second").await, deadline);
    assert_eq!(first.await.unwrap(), deadline);
}

#[tokio::test]
async fn who_waits_with_a_key_goes_where_others_with_it_go() {
    let go = Arc::new(Semaphore::new(0));
    let mut plan = plan(vec![backend("aws", 1, held("a", Arc::clone(&go)).await)]);
    for name in ["b", "c", "d"] {
        let address = held(name, Arc::clone(&go)).await;
        let endpoint = EndpointUrl {
            scheme: Scheme::Http,
            host: EndpointHost::Address(address),
            port: address.port(),
        };
        plan.beside.push(endpoint.into());
    }
    plan.by = Some(KeySource::PathSegment(1));
    plan.limits = one_request();
    let world = plan.start();
    for path in ["/1", "/2", "/3", "/4", "/5", "/6"] {
        let first = asking(&world, path);
        until("one runs", || world.edge.in_flight() == 1).await;
        let second = asking(&world, path);
        waiting(&world, 1.0).await;
        go.add_permits(2);
        assert_eq!(first.await.unwrap(), second.await.unwrap(), "{path}");
        until("none runs", || world.edge.in_flight() == 0).await;
    }
}

/// HTTP/2: counts what it is asked.
async fn never_answering<S>(stream: S, asked: &Arc<AtomicUsize>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let never = service_fn(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    let server = http2::Builder::new(SendExecutor);
    drop(server.serve_connection(TokioIo::new(stream), never).await);
}
