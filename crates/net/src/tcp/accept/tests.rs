//! Accepting on real sockets of the loopback interface.

use std::net::{IpAddr, Ipv4Addr};

use bascule_telemetry::Registry;

use super::*;
use crate::listen::{ListenAddress, bind};
use crate::tcp::{ConnectError, ListenerLimits, connect};

const LONG: Duration = Duration::from_secs(30);

fn acceptor(connections: &Connections) -> (Acceptor, SocketAddr) {
    let ip = Some(Ipv4Addr::LOCALHOST.into());
    let mut bound = bind(ListenAddress { ip, port: 0 }, 1).unwrap();
    let name = ListenerName::parse("web").unwrap();
    let acceptor = Acceptor::new(bound.sockets.remove(0), &name, connections);
    (acceptor.unwrap(), bound.address)
}

#[tokio::test]
async fn a_connection_above_the_limit_is_closed_and_counted() {
    let registry = Registry::new();
    let recorder = registry.worker();
    let _local = metrics::set_default_local_recorder(&recorder);
    let connections = Connections::new(1);
    let (mut acceptor, address) = acceptor(&connections);
    let _one = connect(address, LONG).await.unwrap();
    let first = acceptor.accept().await;
    let two = connect(address, LONG).await.unwrap();
    let _three = connect(address, LONG).await.unwrap();
    let third = async {
        two.readable().await.unwrap();
        assert_eq!(
            two.try_read(&mut [0; 8]).unwrap(),
            0,
            "the second was closed"
        );
        drop(first);
        connect(address, LONG).await.unwrap()
    };
    let (_four, accepted) = tokio::join!(third, acceptor.accept());
    assert!(accepted.stream.nodelay().unwrap());
    assert_eq!(connections.open(), 1);
    let web = [("listener", "web")];
    let refused = [("listener", "web"), ("reason", "limit")];
    assert!(registry.counter(names::CONNECTIONS_REFUSED, &refused) >= 1);
    assert!((registry.gauge(names::CONNECTIONS, &web) - 1.0).abs() < 0.1);
    drop(accepted);
    assert!(registry.gauge(names::CONNECTIONS, &web).abs() < 0.1);
}

#[tokio::test]
async fn closing_gives_the_connections_that_waited() {
    let connections = Connections::new(10);
    let (acceptor, address) = acceptor(&connections);
    let _clients = [
        connect(address, LONG).await.unwrap(),
        connect(address, LONG).await.unwrap(),
    ];
    let waiting = acceptor.close();
    assert_eq!((waiting.len(), connections.open()), (2, 2));
    let error = connect(address, LONG).await.unwrap_err();
    assert!(matches!(error, ConnectError::Failed { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn without_files_accepting_pauses_longer_each_time_until_it_works_again() {
    let (mut acceptor, address) = acceptor(&Connections::new(10));
    let files = || io::Error::from_raw_os_error(24);
    let pauses: Vec<Duration> = (0..9)
        .map(|_| {
            assert!(acceptor.take(Err(files())).is_none());
            acceptor.resume_at.unwrap().since(clock::now())
        })
        .collect();
    assert_eq!(pauses.first(), Some(&PAUSE_MIN));
    assert_eq!(pauses.last(), Some(&PAUSE_MAX));
    let before = clock::now();
    let _client = std::net::TcpStream::connect(address).unwrap();
    acceptor.accept().await;
    assert!(clock::now().since(before) >= PAUSE_MAX);
    assert_eq!(acceptor.pause, PAUSE_MIN);
}

#[tokio::test]
async fn a_connection_gone_before_it_is_accepted_costs_no_pause() {
    let (mut acceptor, _) = acceptor(&Connections::new(10));
    let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
    assert!(acceptor.take(Err(gone)).is_none());
    assert_eq!(acceptor.resume_at, None);
}

#[tokio::test]
async fn a_client_with_too_many_is_refused_by_name_and_another_is_not() {
    let registry = Registry::new();
    let recorder = registry.worker();
    let _local = metrics::set_default_local_recorder(&recorder);
    let connections = Connections::new(10);
    let web = ListenerName::parse("web").unwrap();
    let limits = ListenerLimits {
        connections_per_client: 1,
        ..ListenerLimits::default()
    };
    connections.set_listeners([(web, limits)]);
    let (mut acceptor, address) = acceptor(&connections);
    let from = |ip: [u8; 4]| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(ip.into(), 0)).unwrap();
        socket.connect(address)
    };
    let _first = from([127, 0, 0, 2]).await.unwrap();
    let _kept = acceptor.accept().await;
    let refused = from([127, 0, 0, 2]).await.unwrap();
    let _other = from([127, 0, 0, 3]).await.unwrap();
    let other = acceptor.accept().await;
    assert_eq!(other.peer.ip(), IpAddr::from([127, 0, 0, 3]));
    refused.readable().await.unwrap();
    assert_eq!(refused.try_read(&mut [0; 8]).unwrap(), 0);
    let labels = [("listener", "web"), ("reason", "client_limit")];
    assert_eq!(registry.counter(names::CONNECTIONS_REFUSED, &labels), 1);
    let labels = [("listener", "web"), ("reason", "limit")];
    assert_eq!(registry.counter(names::CONNECTIONS_REFUSED, &labels), 0);
}
