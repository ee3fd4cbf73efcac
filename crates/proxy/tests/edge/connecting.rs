//! Connections that are not made: nothing comes back from where an endpoint was.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::{FailureClass, ObservedState};
use bascule_telemetry::{clock, spawn};
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};

use crate::again::{mostly, send, silent};
use crate::client::{ask, text};
use crate::judged::totals;
use crate::origin::named;
use crate::world::{World, plan, until};

/// An origin that answers each request on a connection of its own until it is told to vanish: from then on whoever connects
/// hears nothing.
struct Vanishing {
    address: SocketAddr,
    vanish: Arc<AtomicBool>,
    vanished: watch::Receiver<bool>,
    back: Arc<Notify>,
}

impl Vanishing {
    fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let (gone, vanished) = watch::channel(false);
        let vanish = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&vanish);
        let back = Arc::new(Notify::new());
        let returns = Arc::clone(&back);
        spawn::send("origin", async move {
            while !told.load(Ordering::SeqCst) {
                serve_one(&listener).await;
            }
            // A backlog of one holds two; what comes beyond it is not answered.
            let waiting = TcpStream::connect(address).await.unwrap();
            let another = TcpStream::connect(address).await.unwrap();
            gone.send_replace(true);
            returns.notified().await;
            drop((waiting, another));
            loop {
                serve_one(&listener).await;
            }
        })
        .detach();
        Self {
            address,
            vanish,
            vanished,
            back,
        }
    }

    /// After this it is no more.
    async fn vanish(&mut self, world: &World) {
        self.vanish.store(true, Ordering::SeqCst);
        // It waits for one more.
        assert_eq!(ask(world.address, "/").await, (200, "aws".into()));
        self.vanished.wait_for(|gone| *gone).await.unwrap();
    }
}

async fn serve_one(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 4096];
    if stream.read(&mut buffer).await.unwrap_or(0) > 0 {
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\naws";
        stream.write_all(said).await.unwrap();
    }
}

/// A world in which it is known what is usual for the first, before that vanishes; only silence is found in the time of a
/// test.
async fn vanished(second: SocketAddr) -> (World, Arc<Notify>) {
    let (world, mut first) = vanishing(second);
    // It is worked out once a second.
    let begun = clock::now();
    let known = Duration::from_millis(2_100);
    while clock::now().since(begun) < known {
        assert_eq!(ask(world.address, "/").await, (200, "aws".into()));
    }
    first.vanish(&world).await;
    (world, first.back)
}

fn vanishing(second: SocketAddr) -> (World, Vanishing) {
    let first = Vanishing::start();
    let mut plan = plan(mostly(first.address, second));
    plan.timeouts.connect = Duration::from_secs(3_600);
    (plan.start(), first)
}

#[tokio::test]
async fn a_connect_that_hangs_is_silence_and_who_waits_for_it_is_asked_elsewhere() {
    let (mut world, _back) = vanished(named("oci").await).await;
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    let counter = |name, labels: &[_]| world.registry.counter(name, labels);
    let labels = [("from", "aws"), ("to", "oci"), ("reason", "silent")];
    assert_eq!(counter("bascule_retries_total", &labels), 1);
    let labels = [("backend", "aws"), ("reason", "silent")];
    assert_eq!(counter("bascule_suspicions_total", &labels), 1);
    let told = world.failures.recv().await.unwrap();
    assert_eq!(told.endpoint.backend.as_str(), "aws");
    assert_eq!(told.class, FailureClass::Timeout);
    // Who comes later does not go there.
    assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    until("all are over", || world.edge.in_flight() == 0).await;
    assert_eq!(totals(&world, "aws").failures.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_request_that_may_not_be_made_twice_waits_for_its_connection() {
    let (world, _back) = vanished(named("oci").await).await;
    let address = world.address;
    let posting = crate::world::beside(async move {
        let mut sender = crate::client::http1(address).await;
        let request = http::Request::post("/").header("host", "a");
        let request = request.body(crate::origin::full("once")).unwrap();
        sender.send_request(request).await.map(drop)
    });
    let suspected = [("backend", "aws"), ("reason", "silent")];
    until("it is suspected", || {
        world
            .registry
            .counter("bascule_suspicions_total", &suspected)
            == 1
    })
    .await;
    assert_eq!(world.edge.in_flight(), 1);
    assert_eq!(world.registry.counter("bascule_retries_total", &[]), 0);
    // The next is not sent there.
    let next = send(&world, Method::POST, "next").await;
    assert_eq!(text(next).await, "oci");
    posting.abort();
}

#[tokio::test]
async fn who_waits_for_a_connection_to_what_goes_down_is_asked_elsewhere() {
    let (mut world, mut first) = vanishing(named("oci").await);
    assert_eq!(ask(world.address, "/").await, (200, "aws".into()));
    first.vanish(&world).await;
    let address = world.address;
    let asking = crate::world::beside(async move { ask(address, "/").await });
    until("it is waited for", || world.edge.in_flight() == 1).await;
    world.change(world.seen_of("aws", ObservedState::Down));
    assert_eq!(asking.await.unwrap(), (200, "oci".into()));
    let labels = [("from", "aws"), ("to", "oci"), ("reason", "went_down")];
    let counted = world.registry.counter("bascule_retries_total", &labels);
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn once_there_is_a_connection_the_first_try_goes_on_alone() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (world, back) = vanished(silent(&asked).await).await;
    let address = world.address;
    let asking = crate::world::beside(async move { ask(address, "/").await });
    until("another is asked", || asked.load(Ordering::SeqCst) > 0).await;
    back.notify_one();
    assert_eq!(asking.await.unwrap(), (200, "aws".into()));
    until("all are over", || world.edge.in_flight() == 0).await;
    let signals = world.edge.signals(clock::now());
    let of_second: Vec<_> = signals
        .iter()
        .map(|s| (s.requests, s.errors))
        .skip(1)
        .collect();
    assert_eq!(of_second, [(1, 0)]);
    assert_eq!(totals(&world, "oci").failures.iter().sum::<u64>(), 0);
}
