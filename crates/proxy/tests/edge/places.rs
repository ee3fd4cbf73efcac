//! Places that free otherwise than by the end of a request, and those that wait for them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::Scheme;
use bascule_telemetry::spawn::Task;
use bascule_traffic::spec::ServiceLimits;
use http::Response;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::again::{mostly, silent};
use crate::client::ask;
use crate::origin::{SendExecutor, accepting, full};
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
            let never = service_fn(move |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                async { Ok::<Response<crate::origin::Body>, Infallible>(never().await) }
            });
            let io = TokioIo::new(secured.stream);
            drop(
                http2::Builder::new(SendExecutor)
                    .serve_connection(io, never)
                    .await,
            );
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

async fn never() -> Response<crate::origin::Body> {
    std::future::pending::<()>().await;
    Response::new(full(""))
}
