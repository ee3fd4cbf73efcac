//! SRV names and hundreds of addresses, against a name server that speaks UDP and TCP.

use bascule_testkit::name_server::{NameServer, SrvEntry};

use super::*;

const NAME: &str = "_http._tcp.media.test";

fn entry(priority: u16, weight: u16, port: u16, target: &str) -> SrvEntry {
    SrvEntry {
        priority,
        weight,
        port,
        target: target.to_owned(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn record(priority: u16, weight: u16, port: u16, addresses: &[&str]) -> SrvRecord {
    SrvRecord {
        priority,
        weight,
        port,
        addresses: addresses.iter().map(|text| ip(text)).collect(),
    }
}

fn settings(server: &NameServer) -> Settings {
    Settings {
        ttl_min: Duration::from_millis(5),
        pause_min: Duration::from_millis(5),
        pause_max: Duration::from_millis(5),
        name_servers: Some(vec![server.address()]),
        hosts_file: "/dev/null".to_owned(),
        ..Settings::default()
    }
}

fn service() -> BTreeSet<Watched> {
    [Watched::Srv(Arc::from(NAME))].into()
}

async fn told(receiver: &mut mpsc::Receiver<Resolved>) -> Resolved {
    let long = Duration::from_secs(60);
    let resolved = tokio::time::timeout(long, receiver.recv()).await;
    resolved.expect("a set within a minute").unwrap()
}

/// Waits until these records are told; the name and its targets are several questions, and a change may fall between.
async fn until_told(receiver: &mut mpsc::Receiver<Resolved>, wanted: &[SrvRecord]) {
    loop {
        match told(receiver).await {
            Resolved::Srv { records, .. } if records == wanted => return,
            Resolved::Srv { .. } => {}
            Resolved::Host { host, .. } => panic!("{host} is not watched"),
        }
    }
}

#[tokio::test]
async fn records_come_with_the_addresses_of_their_targets_and_stay_while_look_ups_fail() {
    let run = async {
        let server = NameServer::start().unwrap();
        server.set_host("a.test", &[ip("10.0.0.2"), ip("10.0.0.1")]);
        server.set_host("b.test", &[ip("10.0.0.3"), ip("::3")]);
        server.set_service(
            NAME,
            &[entry(20, 0, 81, "b.test"), entry(10, 7, 80, "a.test")],
        );
        let (mut resolver, mut receiver) = Resolver::start(settings(&server));
        resolver.watch(&service());
        let first = record(10, 7, 80, &["10.0.0.1", "10.0.0.2"]);
        let both = [first.clone(), record(20, 0, 81, &["10.0.0.3", "::3"])];
        until_told(&mut receiver, &both).await;
        server.fail(true);
        let asked = server.asked();
        until(|| server.asked().udp > asked.udp + 20).await;
        assert!(receiver.try_recv().is_err(), "nothing is told of a failure");
        server.fail(false);
        server.set_service(NAME, &[entry(10, 7, 80, "a.test")]);
        until_told(&mut receiver, &[first]).await;
        server.set_service(NAME, &[]);
        let asked = server.asked();
        until(|| server.asked().udp > asked.udp + 20).await;
        assert!(
            receiver.try_recv().is_err(),
            "a name that is gone keeps its records"
        );
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn addresses_that_come_with_the_records_are_not_asked_for() {
    let run = async {
        let server = NameServer::start().unwrap();
        server.give_addresses_of_targets(true);
        server.set_host("a.test", &[ip("10.0.0.1"), ip("::1")]);
        server.set_service(NAME, &[entry(10, 7, 80, "A.test")]);
        server.set_host("A.test", &[ip("10.0.0.1"), ip("::1")]);
        let (mut resolver, mut receiver) = Resolver::start(settings(&server));
        resolver.watch(&service());
        until_told(&mut receiver, &[record(10, 7, 80, &["10.0.0.1", "::1"])]).await;
        assert_eq!(server.asked().addresses, 0);
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn what_no_datagram_holds_is_asked_for_over_tcp() {
    let run = async {
        let server = NameServer::start().unwrap();
        let all: Vec<IpAddr> = (0..600_u16)
            .map(|n| IpAddr::from([10, 1, n.to_be_bytes()[0], n.to_be_bytes()[1]]))
            .collect();
        server.set_host("a.test", &all);
        let entries: Vec<SrvEntry> = (0..400).map(|n| entry(1, 1, 8000 + n, "a.test")).collect();
        server.set_service(NAME, &entries);
        let (mut resolver, mut receiver) = Resolver::start(settings(&server));
        resolver.watch(&hosts(&["a.test"]));
        let Resolved::Host { addresses, .. } = told(&mut receiver).await else {
            panic!("a host is watched");
        };
        assert_eq!(addresses, all);
        assert!(server.asked().tcp > 0 && server.asked().udp > 0);
        resolver.watch(&service());
        let Resolved::Srv { records, .. } = told(&mut receiver).await else {
            panic!("an SRV name is watched");
        };
        let count: usize = records.iter().map(|record| record.addresses.len()).sum();
        assert_eq!(count, 1_000, "400 records of 600 addresses are too many");
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn other_settings_hold_at_once_and_what_is_known_stays() {
    let run = async {
        let (first, second) = (NameServer::start().unwrap(), NameServer::start().unwrap());
        first.set_host("a.test", &[ip("10.0.0.1")]);
        first.set_service(NAME, &[entry(10, 1, 80, "a.test")]);
        second.fail(true);
        let hour = Duration::from_secs(3600);
        let slow = |server: &NameServer| Settings {
            ttl_min: hour,
            ttl_max: hour,
            pause_min: Duration::from_millis(5),
            ..settings(server)
        };
        let (mut resolver, mut receiver) = Resolver::start(slow(&first));
        resolver.watch(&service());
        until_told(&mut receiver, &[record(10, 1, 80, &["10.0.0.1"])]).await;
        resolver.set(slow(&second));
        until(|| second.asked().udp > 20).await;
        assert!(receiver.try_recv().is_err(), "nothing is told of a failure");
        second.set_host("a.test", &[ip("10.0.0.2")]);
        second.set_service(NAME, &[entry(10, 1, 80, "a.test")]);
        second.fail(false);
        until_told(&mut receiver, &[record(10, 1, 80, &["10.0.0.2"])]).await;
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn a_name_that_is_an_alias_has_the_records_of_what_it_stands_for() {
    let server = NameServer::start().unwrap();
    server.set_host("a.test", &[ip("10.0.0.1")]);
    server.set_service("_http._tcp.other.test", &[entry(10, 1, 80, "a.test")]);
    server.set_alias(NAME, "_http._tcp.other.test");
    let looked = once_srv(NAME, settings(&server)).await;
    assert_eq!(looked.records, [record(10, 1, 80, &["10.0.0.1"])]);
    server.set_alias("_http._tcp.other.test", NAME);
    server.set_service("_http._tcp.other.test", &[]);
    let circle = once_srv(NAME, settings(&server)).await;
    assert_eq!(circle.records, []);
    assert!(!circle.failures.is_empty());
}

#[tokio::test]
async fn a_service_that_is_not_to_be_had_keeps_what_is_known() {
    let run = async {
        let server = NameServer::start().unwrap();
        server.set_host("a.test", &[ip("10.0.0.1")]);
        server.set_service(NAME, &[entry(10, 1, 80, "a.test")]);
        let (mut resolver, mut receiver) = Resolver::start(settings(&server));
        resolver.watch(&service());
        until_told(&mut receiver, &[record(10, 1, 80, &["10.0.0.1"])]).await;
        // A target of the root says so (RFC 2782); a port of 0 is no port.
        for entries in [[entry(0, 0, 80, "")], [entry(0, 0, 0, "a.test")]] {
            server.set_service(NAME, &entries);
            let asked = server.asked();
            until(|| server.asked().udp > asked.udp + 20).await;
            assert!(receiver.try_recv().is_err(), "{entries:?}");
        }
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn one_look_up_gives_records_and_says_which_target_is_not_known() {
    let server = NameServer::start().unwrap();
    server.set_host("a.test", &[ip("10.0.0.1")]);
    server.set_service(
        NAME,
        &[entry(1, 1, 80, "a.test"), entry(2, 1, 80, "b.test")],
    );
    let looked = once_srv(NAME, settings(&server)).await;
    assert_eq!(looked.records, [record(1, 1, 80, &["10.0.0.1"])]);
    assert_eq!(looked.failures, ["target b.test.: the name has no address"]);
    let nothing = once_srv("_sip._tcp.media.test", settings(&server)).await;
    assert_eq!(nothing.failures, ["the name has no SRV record"]);
}
