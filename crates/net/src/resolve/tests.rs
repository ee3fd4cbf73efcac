//! The resolver against a name server on loopback that says what the test wants.

use std::cell::RefCell;
use std::net::Ipv4Addr;

use bascule_telemetry::{Registry, clock, names};
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::LocalSet;

use super::*;

mod services;

/// What the name server says of `a.test`: its addresses, or a refusal. Any other name does not exist.
#[derive(Default)]
struct Zone {
    says: RefCell<Vec<IpAddr>>,
    fails: RefCell<Option<ResponseCode>>,
}

impl Zone {
    fn set(&self, addresses: &[&str]) {
        *self.says.borrow_mut() = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        *self.fails.borrow_mut() = None;
    }

    fn fail(&self, code: ResponseCode) {
        *self.fails.borrow_mut() = Some(code);
    }

    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        let query = question.queries[0].clone();
        answer.metadata.recursion_available = true;
        let known = query.name().to_string().eq_ignore_ascii_case("a.test.");
        let failure = *self.fails.borrow();
        let code = if known {
            failure
        } else {
            Some(ResponseCode::NXDomain)
        };
        if let Some(code) = code {
            answer.metadata.response_code = code;
        } else {
            let wanted = |ip: &&IpAddr| ip.is_ipv4() == (query.query_type() == RecordType::A);
            let says = self.says.borrow();
            let record =
                |ip: &IpAddr| Record::from_rdata(query.name().clone(), 0, RData::from(*ip));
            answer.answers = says.iter().filter(wanted).map(record).collect();
        }
        answer.queries = vec![query];
        answer
    }
}

async fn serve(socket: UdpSocket, zone: Rc<Zone>) {
    let mut buffer = [0; 1500];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let answer = zone.answer(&question).to_vec().unwrap();
        socket.send_to(&answer, peer).await.unwrap();
    }
}

/// A resolver that asks only the zone, as often as it can.
async fn resolver_of(zone: &Rc<Zone>) -> (Resolver, mpsc::Receiver<Resolved>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    spawn::local("name-server", serve(socket, Rc::clone(zone))).detach();
    Resolver::start(Settings {
        ttl_min: Duration::from_millis(5),
        pause_min: Duration::from_millis(5),
        pause_max: Duration::from_millis(5),
        name_servers: Some(vec![address]),
        hosts_file: "/dev/null".to_owned(),
        ..Settings::default()
    })
}

/// Waits for a condition, a minute at most.
async fn until(holds: impl Fn() -> bool) {
    let deadline = clock::now() + Duration::from_secs(60);
    while !holds() {
        assert!(clock::now() < deadline, "waited a minute");
        tokio::task::yield_now().await;
    }
}

fn hosts(names: &[&str]) -> BTreeSet<Watched> {
    let host = |name: &&str| Watched::Host(Arc::from(*name));
    names.iter().map(host).collect()
}

async fn next(receiver: &mut mpsc::Receiver<Resolved>) -> (String, Vec<String>) {
    let long = Duration::from_secs(60);
    let resolved = tokio::time::timeout(long, receiver.recv()).await;
    match resolved.expect("a set within a minute").unwrap() {
        Resolved::Host { host, addresses } => {
            let addresses = addresses.iter().map(ToString::to_string);
            (host.to_string(), addresses.collect())
        }
        Resolved::Srv { name, .. } => panic!("{name} is no host"),
    }
}

fn set(addresses: &[&str]) -> (String, Vec<String>) {
    let addresses = addresses.iter().map(|ip| (*ip).to_owned()).collect();
    ("a.test".to_owned(), addresses)
}

#[tokio::test]
async fn every_change_of_the_set_is_told_whole() {
    let run = async {
        let zone = Rc::<Zone>::default();
        zone.set(&["10.0.0.2", "::2", "10.0.0.1"]);
        let (mut resolver, mut receiver) = resolver_of(&zone).await;
        resolver.watch(&hosts(&["a.test"]));
        assert_eq!(
            next(&mut receiver).await,
            set(&["10.0.0.1", "10.0.0.2", "::2"])
        );
        zone.set(&["10.0.0.3"]);
        let mut told = next(&mut receiver).await;
        // The two families are two questions: the change may fall between them.
        while told != set(&["10.0.0.3"]) {
            told = next(&mut receiver).await;
        }
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn the_last_addresses_stay_while_look_ups_fail() {
    let registry = Registry::new();
    let recorder = registry.shared();
    let _local = metrics::set_default_local_recorder(&recorder);
    let run = async {
        let zone = Rc::<Zone>::default();
        zone.set(&["10.0.0.1"]);
        let (mut resolver, mut receiver) = resolver_of(&zone).await;
        resolver.watch(&hosts(&["a.test"]));
        assert_eq!(next(&mut receiver).await, set(&["10.0.0.1"]));
        let failures = || registry.counter(names::RESOLVE_FAILURES, &[("host", "a.test")]);
        for code in [ResponseCode::ServFail, ResponseCode::NXDomain] {
            zone.fail(code);
            let before = failures();
            until(|| failures() >= before + 3).await;
            assert!(receiver.try_recv().is_err(), "nothing is told of a failure");
        }
        zone.set(&["10.0.0.9"]);
        assert_eq!(next(&mut receiver).await, set(&["10.0.0.9"]));
    };
    LocalSet::new().run_until(run).await;
}

#[tokio::test]
async fn localhost_needs_no_name_server_and_a_host_no_longer_watched_is_left() {
    let run = async {
        let (mut resolver, mut receiver) = resolver_of(&Rc::default()).await;
        resolver.watch(&hosts(&["localhost", "b.test"]));
        let (host, addresses) = next(&mut receiver).await;
        assert_eq!(
            (host.as_str(), addresses),
            ("localhost", vec!["127.0.0.1".to_owned(), "::1".to_owned()])
        );
        assert_eq!(spawn::running("resolve"), 2);
        resolver.watch(&hosts(&["localhost"]));
        until(|| spawn::running("resolve") == 1).await;
        assert_eq!(
            resolver.watched().cloned().collect::<BTreeSet<_>>(),
            hosts(&["localhost"])
        );
    };
    LocalSet::new().run_until(run).await;
}
