//! Snapshots that change under load, what is off, and how HTTP/2 clients are asked to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bascule_telemetry::clock;
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::client::{ask, get, http1, text};
use crate::origin::{Speaks, counting, full, named, nobody, origin};
use crate::world::{PATIENCE, World, backend, plan, until};

#[tokio::test]
async fn two_hundred_changes_under_load_fail_no_request() {
    let mut plan = plan(vec![
        backend("aws", 50, named("aws").await),
        backend("oci", 50, named("oci").await),
    ]);
    plan.workers = 2;
    let mut world = plan.start();
    let (address, done, answered) = (world.address, AtomicBool::new(false), AtomicU64::new(0));
    let run = |_| async {
        let mut sender = http1(address).await;
        while !done.load(Ordering::SeqCst) {
            sender.ready().await.unwrap();
            let response = sender.send_request(get("/")).await.unwrap();
            assert_eq!(response.status(), 200);
            let answer = text(response).await;
            assert!(answer == "aws" || answer == "oci");
            answered.fetch_add(1, Ordering::SeqCst);
        }
    };
    let publishing = async {
        for revision in 1..=200 {
            let before = answered.load(Ordering::SeqCst);
            let has_passed = || answered.load(Ordering::SeqCst) > before;
            let row = [("aws", revision % 100), ("oci", 50)];
            world.change(World::targets(revision, &row, &[]));
            world.confirmed().await;
            until("a request passes", has_passed).await;
        }
        done.store(true, Ordering::SeqCst);
    };
    futures_util::future::join(publishing, futures_util::future::join_all((0..4).map(run))).await;
    assert_eq!(world.edge.confirmed().revision.0, 200);
    let answered = answered.load(Ordering::SeqCst);
    assert!(answered >= 200);
    let labels = [("code_class", "2xx")];
    assert_eq!(
        world.registry.counter("bascule_requests_total", &labels),
        answered
    );
    assert_eq!(
        world.registry.counter("bascule_requests_total", &[]),
        answered
    );
}

#[tokio::test]
async fn what_is_off_gets_nothing_even_when_all_others_fail() {
    let (off, reached) = counting("off").await;
    let mut world = plan(vec![
        backend("aws", 50, off),
        backend("oci", 50, nobody().await),
    ])
    .start();
    world.change(World::targets(1, &[("aws", 0), ("oci", 1)], &["aws"]));
    world.confirmed().await;
    for _ in 0..20 {
        assert_eq!(ask(world.address, "/").await.0, 502);
    }
    world.change(world.seen_of("oci", bascule_model::ObservedState::Down));
    world.confirmed().await;
    for _ in 0..20 {
        assert_eq!(ask(world.address, "/").await.0, 503);
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

/// One frame: its type, flags, stream and payload.
async fn frame(stream: &mut TcpStream) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, d, e, f, g] = head;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
    stream.read_exact(&mut payload).await.ok()?;
    Some((kind, flags, u32::from_be_bytes([d, e, f, g]), payload))
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

#[tokio::test]
async fn an_http2_client_is_told_to_go_and_its_running_request_ends() {
    let go = Arc::new(Semaphore::new(0));
    let of_origin = Arc::clone(&go);
    let address = origin(Speaks::Http1, move |_| {
        let go = Arc::clone(&of_origin);
        async move {
            go.acquire().await.unwrap().forget();
            Response::new(full("late"))
        }
    })
    .await;
    let world = plan(vec![backend("aws", 1, address)]).start();
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    // GET http://a/ on stream 1, by the static table of HPACK.
    stream
        .write_all(&[
            0, 0, 6, HEADERS, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 1, b'a',
        ])
        .await
        .unwrap();
    until("it runs", || world.edge.in_flight() == 1).await;
    world.edge.drain();
    let mut last_allowed = Vec::new();
    let mut body = Vec::new();
    while let Some((kind, flags, number, payload)) = frame(&mut stream).await {
        match kind {
            GOAWAY => {
                assert_eq!(payload[4..8], [0; 4], "an error");
                // The answer is only given once the client has been told.
                let is_first = last_allowed.is_empty();
                assert!(!is_first || body.is_empty());
                go.add_permits(usize::from(is_first));
                last_allowed.push(u32::from_be_bytes(payload[..4].try_into().unwrap()));
            }
            PING if flags & 1 == 0 => {
                stream
                    .write_all(&[0, 0, 8, PING, 1, 0, 0, 0, 0])
                    .await
                    .unwrap();
                stream.write_all(&payload).await.unwrap();
            }
            DATA => {
                assert_eq!(number, 1);
                body.extend(payload);
            }
            _ => {}
        }
    }
    assert_eq!(body, b"late");
    assert_eq!(last_allowed.last(), Some(&1));
    assert_eq!(world.edge.stopped(clock::now() + PATIENCE).await, 0);
}
