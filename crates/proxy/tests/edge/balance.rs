//! The choice of an endpoint, counted at the origins: by key, by latency, with connections that are being made, by zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule_model::Scheme;
use bascule_traffic::spec::{
    Algorithm, Balance, EndpointHost, EndpointSpec, EndpointUrl, KeySource,
};
use http::{Request, Response};
use tokio::io::AsyncReadExt as _;

use crate::client::{ask, get, http1, text};
use crate::origin::{Body, Speaks, accepting, answer, full, named, origin};
use crate::world::{Plan, authority, backend, beside, plan, until};

fn at(scheme: Scheme, address: SocketAddr) -> EndpointSpec {
    EndpointUrl {
        scheme,
        host: EndpointHost::Address(address),
        port: address.port(),
    }
    .into()
}

/// One backend with four origins that answer with their names.
async fn four(balance: Balance) -> Plan {
    let mut plan = plan(vec![backend("aws", 1, named("a").await)]);
    for name in ["b", "c", "d"] {
        plan.beside.push(at(Scheme::Http, named(name).await));
    }
    plan.balance = balance;
    plan
}

fn by(algorithm: Algorithm, hash: KeySource) -> Balance {
    Balance {
        algorithm,
        hash: Some(hash),
        bound: None,
    }
}

/// Asks for everything on a connection of its own, which any worker may get; who answered.
async fn answers(
    address: SocketAddr,
    request: impl Fn() -> Request<Body>,
    count: usize,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for _ in 0..count {
        let response = http1(address).await.send_request(request()).await.unwrap();
        names.insert(text(response).await);
    }
    names
}

#[tokio::test]
async fn requests_with_one_key_go_to_one_endpoint_on_all_workers_and_many_keys_to_all() {
    let header = |value: &str| {
        let mut request = get("/");
        request
            .headers_mut()
            .insert("x-room", value.parse().unwrap());
        request
    };
    let query = |value: &str| get(&format!("/?a=1&room={value}"));
    let segment = |value: &str| get(&format!("/rooms/{value}?x"));
    type Make<'a> = &'a dyn Fn(&str) -> Request<Body>;
    let cases: [(Algorithm, KeySource, Make<'_>); 3] = [
        (
            Algorithm::Maglev,
            KeySource::Header("x-room".to_owned()),
            &header,
        ),
        (
            Algorithm::Rendezvous,
            KeySource::Query("room".to_owned()),
            &query,
        ),
        (Algorithm::Maglev, KeySource::PathSegment(2), &segment),
    ];
    for (algorithm, hash, make) in cases {
        let mut plan = four(by(algorithm, hash)).await;
        plan.workers = 3;
        let world = plan.start();
        let mut all = BTreeSet::new();
        for room in 0..64 {
            let room = format!("room-{room}");
            let names = answers(world.address, || make(&room), 4).await;
            assert_eq!(names.len(), 1, "{algorithm:?} {room}: {names:?}");
            all.extend(names);
        }
        assert_eq!(all.len(), 4, "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_parameter_is_one_key_however_it_is_encoded_and_two_of_it_are_counted_and_none() {
    let query = KeySource::Query("room".to_owned());
    let world = four(by(Algorithm::Maglev, query)).await.start();
    let mut all = BTreeSet::new();
    for path in ["/?room=a%20b", "/?x=1&room=a+b", "/?r%6fom=%61%20b"] {
        all.extend(answers(world.address, || get(path), 3).await);
    }
    assert_eq!(all.len(), 1, "{all:?}");
    answers(world.address, || get("/?room=1&room=2"), 3).await;
    let ignored = |reason| {
        let labels = [("service", "meet"), ("reason", reason)];
        world
            .registry
            .counter("bascule_affinity_ignored_total", &labels)
    };
    assert_eq!((ignored("ambiguous"), ignored("empty")), (3, 0));
}

#[tokio::test]
async fn by_source_ip_a_trusted_peer_speaks_for_its_clients_and_others_for_themselves() {
    let from = |client: &'static str| {
        move || {
            let mut request = get("/");
            request
                .headers_mut()
                .insert("x-forwarded-for", client.parse().unwrap());
            request
        }
    };
    let clients = [
        "192.0.2.1",
        "192.0.2.2",
        "9.9.9.9, 192.0.2.3, 127.0.0.9",
        "2001:db8::1",
        "192.0.2.5",
        "192.0.2.6",
        "192.0.2.7",
        "192.0.2.8",
        "192.0.2.9",
        "192.0.2.10",
    ];
    let mut trusting = four(by(Algorithm::Maglev, KeySource::SourceIp)).await;
    trusting.edit = |listener| listener.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let world = trusting.start();
    let mut all = BTreeSet::new();
    for client in clients {
        let names = answers(world.address, from(client), 3).await;
        assert_eq!(names.len(), 1, "{client}");
        all.extend(names);
    }
    assert!(all.len() > 1);
    let alone = answers(world.address, from("192.0.2.3"), 1).await;
    assert_eq!(
        answers(world.address, from("9.9.9.9, 192.0.2.3, 127.0.0.9"), 1).await,
        alone
    );
    let world = four(by(Algorithm::Maglev, KeySource::SourceIp))
        .await
        .start();
    let mut all = BTreeSet::new();
    for client in clients {
        all.extend(answers(world.address, from(client), 1).await);
    }
    assert_eq!(
        all.len(),
        1,
        "a claim that nobody trusts makes no other client"
    );
}

#[tokio::test]
async fn by_latency_an_endpoint_that_asks_to_be_left_alone_is() {
    let asked = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&asked);
    let busy = origin(Speaks::Http1, move |_| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        async {
            let mut response = answer(429, "busy");
            response
                .headers_mut()
                .insert("retry-after", "60".parse().unwrap());
            response
        }
    })
    .await;
    let mut plan = four(Balance::default()).await;
    plan.balance.algorithm = Algorithm::PeakEwma;
    plan.beside.push(at(Scheme::Http, busy));
    let world = plan.start();
    let mut statuses = BTreeMap::new();
    for _ in 0..60 {
        *statuses.entry(ask(world.address, "/").await.0).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(200, 59), (429, 1)]));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn by_latency_the_slow_endpoint_is_tried_once_and_the_fast_ones_get_the_rest() {
    let asked = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&asked);
    // It answers once it is told to: the slowest that a test can have without a clock.
    let (tell, told) = tokio::sync::watch::channel(false);
    let slow = origin(Speaks::Http1, move |_| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        let mut told = told.clone();
        async move {
            told.wait_for(|told| *told).await.unwrap();
            Response::new(full("slow"))
        }
    })
    .await;
    let mut plan = four(Balance::default()).await;
    plan.balance.algorithm = Algorithm::PeakEwma;
    plan.beside.push(at(Scheme::Http, slow));
    let world = plan.start();
    let address = world.address;
    let waiting = beside(async move {
        let mut names = Vec::new();
        while names.last().is_none_or(|name| name != "slow") {
            names.push(ask(address, "/").await.1);
        }
        names.len()
    });
    until("the slow one is asked", || {
        asked.load(Ordering::SeqCst) == 1
    })
    .await;
    for _ in 0..40 {
        assert_ne!(ask(address, "/").await.1, "slow");
    }
    tell.send(true).unwrap();
    assert!(waiting.await.unwrap() <= 5);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_whose_connection_is_being_made_counts_as_in_flight() {
    let made = Arc::new(AtomicUsize::new(0));
    let of_origin = Arc::clone(&made);
    // Takes connections, and never says a word of TLS.
    let silent = accepting(move |mut stream| {
        of_origin.fetch_add(1, Ordering::SeqCst);
        async move {
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest).await);
        }
    })
    .await;
    let mut plan = four(Balance::default()).await;
    plan.beside.push(at(Scheme::Https, silent));
    plan.upstream = Some(authority(&["localhost"]).client());
    plan.timeouts.connect = Duration::from_secs(60);
    let world = plan.start();
    let address = world.address;
    beside(async move {
        loop {
            ask(address, "/").await;
        }
    })
    .detach();
    until("the silent one is connected to", || {
        made.load(Ordering::SeqCst) == 1
    })
    .await;
    for _ in 0..40 {
        assert_eq!(ask(address, "/").await.0, 200);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn endpoints_of_the_edges_own_zone_come_first() {
    let mut plan = four(Balance::default()).await;
    plan.zone = Some("here".into());
    for (endpoint, zone) in plan.beside.iter_mut().zip(["here", "there", "here"]) {
        endpoint.zone = Some(zone.into());
    }
    let world = plan.start();
    let names = answers(world.address, || get("/"), 40).await;
    assert_eq!(names, BTreeSet::from(["b".to_owned(), "d".to_owned()]));
}
