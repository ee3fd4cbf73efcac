//! A panic in the middle of a request: provoked by a subscriber to the edge's own log, on the line that says that one certain
//! endpoint is suspected. It ends its connection or its stream, is counted, and nothing else.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Mutex, Once};

use http::Request;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::client::{Raw, ask, boxed, http2};
use crate::origin::{named, nobody};
use crate::world::{World, backend, plan, until};

/// The endpoints on whose mention to panic; other tests of this process have others.
static EXPLOSIVE: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());

struct Explosive;

impl Subscriber for Explosive {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Detonator);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Detonator;

impl Visit for Detonator {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "endpoint" {
            return;
        }
        let named = format!("{value:?}");
        let explosive = EXPLOSIVE.lock().unwrap().clone();
        let hit = explosive.iter().any(|a| named.contains(&a.to_string()));
        assert!(!hit, "as the test wants it");
    }
}

/// An edge where the first try at one of two endpoints panics; after that it is suspected, and gets nothing for a second.
async fn explosive() -> (World, SocketAddr) {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| tracing::subscriber::set_global_default(Explosive).unwrap());
    let address = nobody().await;
    EXPLOSIVE.lock().unwrap().insert(address);
    let backends = vec![
        backend("aws", 50, address),
        backend("oci", 50, named("oci").await),
    ];
    (plan(backends).start(), address)
}

fn panics(world: &World, task: &str) -> u64 {
    let labels = [("task", task)];
    world.registry.counter("bascule_panics_total", &labels)
}

fn counted(world: &World) -> u64 {
    world.registry.counter("bascule_requests_total", &[])
}

#[tokio::test]
async fn a_panic_closes_its_connection_and_is_counted_and_others_go_on() {
    let (world, address) = explosive().await;
    let mut kept = Raw::connect(world.address).await;
    let mut answers = 0;
    for _ in 0..4 {
        let heard = crate::client::ask_raw(
            world.address,
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await;
        answers += usize::from(heard.ends_with("oci"));
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 200 "),
            "{heard}"
        );
    }
    assert_eq!((answers, panics(&world, "client")), (3, 1));
    until("all are counted", || counted(&world) == 4).await;
    assert_eq!(world.edge.in_flight(), 0);
    // A connection from before the panics is as good as ever, where no panic waits for it.
    EXPLOSIVE.lock().unwrap().remove(&address);
    kept.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(kept.hear("oci").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_panic_over_http2_resets_its_stream_alone() {
    let (world, address) = explosive().await;
    let mut sender = http2(world.address).await;
    let mut answers = 0;
    for _ in 0..4 {
        let request = Request::get("http://a/").body(boxed("")).unwrap();
        if let Ok(response) = sender.send_request(request).await {
            assert_eq!(response.status(), 200);
            answers += 1;
        }
    }
    assert_eq!((answers, panics(&world, "stream")), (3, 1));
    until("all are counted", || counted(&world) == 4).await;
    assert_eq!((world.edge.in_flight(), world.edge.connections()), (0, 1));
    EXPLOSIVE.lock().unwrap().remove(&address);
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
}
