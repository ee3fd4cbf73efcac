//! Limits of connections on a running edge: of a listener, of a client's address, who is exempt, and what a reload changes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bascule_config::Listener;
use bascule_net::listen::{self, Bound, ListenAddress};
use bascule_proxy::ListenerSetup;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::origin::named;
use crate::world::{World, backend, plan, until};

/// A connection from this address of the loopback network.
async fn from(client: u8, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let ip = Ipv4Addr::new(127, 0, 0, client);
    socket.bind(SocketAddr::new(ip.into(), 0)).unwrap();
    socket.connect(address).await.unwrap()
}

/// Whether a connection is served, which a request on it shows. A refused one ends without a word.
async fn is_served(stream: &mut TcpStream) -> bool {
    let request = b"GET / HTTP/1.1\r\nhost: meet.example\r\n\r\n";
    let mut first = [0];
    stream.write_all(request).await.is_ok() && stream.read_exact(&mut first).await.is_ok()
}

async fn world(edit: fn(&mut Listener)) -> World {
    let mut plan = plan(vec![backend("aws", 1, named("aws").await)]);
    plan.workers = 2;
    plan.edit = edit;
    plan.start()
}

/// Gives the listener other terms, as a reload does, and new sockets where it moves.
fn reload(world: &World, edit: impl FnOnce(&mut Listener), bound: Option<Bound>) {
    let mut listener = Listener::clone(&world.listener);
    edit(&mut listener);
    world.edge.set_listeners(vec![ListenerSetup {
        listener: Arc::new(listener),
        bound,
        tls: None,
    }]);
}

fn refused(world: &World, reason: &str) -> u64 {
    let labels = [("listener", "web"), ("reason", reason)];
    let counter = "bascule_connections_refused_total";
    world.registry.counter(counter, &labels)
}

#[tokio::test]
async fn one_address_gets_its_part_over_all_workers_and_another_gets_its_own() {
    let world = world(|listener| listener.limits.connections_per_client = 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = from(2, world.address).await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    assert!(!is_served(&mut from(2, world.address).await).await);
    assert!(is_served(&mut from(3, world.address).await).await);
    assert_eq!(refused(&world, "client_limit"), 1);
    assert_eq!(refused(&world, "limit"), 0);
    open.clear();
    until("what was open is given back", || {
        world.edge.connections() == 0
    })
    .await;
    assert!(is_served(&mut from(2, world.address).await).await);
}

#[tokio::test]
async fn a_trusted_peer_comes_for_many() {
    let world = world(|listener| {
        listener.limits.connections_per_client = 1;
        listener.trusted = vec!["127.0.0.2/32".parse().unwrap()];
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut stream = from(2, world.address).await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    let mut other = from(3, world.address).await;
    assert!(is_served(&mut other).await);
    assert!(!is_served(&mut from(3, world.address).await).await);
}

#[tokio::test]
async fn a_reload_changes_the_limits_for_new_connections_and_keeps_the_count() {
    let world = world(|_| {}).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = from(2, world.address).await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    reload(&world, |listener| listener.connections = Some(3), None);
    assert!(!is_served(&mut from(2, world.address).await).await);
    assert_eq!(refused(&world, "listener_limit"), 1);
    assert!(is_served(&mut open[0]).await, "what is open is not touched");

    let loopback = ListenAddress {
        ip: Some(Ipv4Addr::LOCALHOST.into()),
        port: 0,
    };
    let bound = listen::bind(loopback, 2).unwrap();
    let moved = bound.address;
    reload(
        &world,
        |listener| listener.connections = Some(3),
        Some(bound),
    );
    assert!(
        !is_served(&mut from(2, moved).await).await,
        "it has moved, its count has not"
    );
    reload(&world, |listener| listener.connections = Some(4), None);
    assert!(is_served(&mut from(2, moved).await).await);
}
