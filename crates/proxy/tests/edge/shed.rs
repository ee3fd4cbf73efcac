//! A provider is lost whose survivor cannot take all: what does not fit is refused at once, and nothing else fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bascule_model::ObservedState;
use bascule_traffic::assemble::Input;
use bascule_traffic::capacity::{Capacity, Demand};
use http::StatusCode;

use crate::client::{get, http1};
use crate::origin::counting;
use crate::world::{Backend, World, backend, plan};

/// An origin that counts, as a backend that can take 60 requests a second.
async fn limited(name: &'static str) -> (Backend, Arc<AtomicUsize>) {
    let (address, count) = counting("ok").await;
    let capacity = Capacity {
        requests: Some(60),
        ..Capacity::default()
    };
    let backend = Backend {
        capacity,
        ..backend(name, 1, address)
    };
    (backend, count)
}

fn brings(requests: f64) -> Input {
    let demand = Demand {
        requests,
        ..Demand::default()
    };
    Input::Demand {
        service: "meet".parse().unwrap(),
        demand,
    }
}

async fn two() -> (World, [Arc<AtomicUsize>; 2]) {
    let (aws, at_aws) = limited("aws").await;
    let (oci, at_oci) = limited("oci").await;
    let mut world = plan(vec![aws, oci]).start();
    world.change(brings(100.0));
    (world, [at_aws, at_oci])
}

/// So many requests over one connection; how many were served, and what the others heard.
async fn ask(address: SocketAddr, times: usize) -> (usize, Vec<(String, String)>) {
    let mut sender = http1(address).await;
    let (mut served, mut refused) = (0, Vec::new());
    for _ in 0..times {
        sender.ready().await.unwrap();
        let response = sender.send_request(get("/")).await.unwrap();
        let header = |name| {
            response
                .headers()
                .get(name)
                .map_or("", |v| v.to_str().unwrap())
        };
        if response.status() == StatusCode::OK {
            served += 1;
            continue;
        }
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        refused.push((
            header("retry-after").to_owned(),
            header("proxy-status").to_owned(),
        ));
    }
    (served, refused)
}

#[tokio::test]
async fn what_the_survivor_cannot_take_is_refused_with_the_time_to_come_back_and_nothing_else_fails()
 {
    let (mut world, [at_aws, at_oci]) = two().await;
    world.confirmed().await;
    assert_eq!(
        ask(world.address, 100).await.0,
        100,
        "nothing is lost, all fit"
    );
    world.change(world.seen_of("aws", ObservedState::Down));
    world.confirmed().await;
    let before = (at_aws.load(Ordering::SeqCst), at_oci.load(Ordering::SeqCst));
    let (served, refused) = ask(world.address, 500).await;
    // 60 of 100 fit, and less than one request is off by a worker.
    assert!(served.abs_diff(300) <= 1, "{served}");
    assert_eq!(served + refused.len(), 500);
    for (retry_after, proxy_status) in &refused {
        // Twice what the service says, by its class.
        assert_eq!(retry_after, "6");
        assert!(proxy_status.contains("shed"), "{proxy_status}");
    }
    let after = (at_aws.load(Ordering::SeqCst), at_oci.load(Ordering::SeqCst));
    assert_eq!(after, (before.0, before.1 + served));
    let labels = [("service", "meet"), ("reason", "shed")];
    let counted = world
        .registry
        .counter("bascule_requests_refused_total", &labels);
    assert_eq!(counted, refused.len() as u64);
}

#[tokio::test]
async fn what_clients_ask_for_is_counted_also_where_it_is_shed() {
    let (mut world, _) = two().await;
    world.change(world.seen_of("aws", ObservedState::Down));
    world.confirmed().await;
    let (served, refused) = ask(world.address, 50).await;
    let totals = || {
        let all = world.edge.totals();
        all.first().unwrap().1
    };
    crate::world::until("requests end", || totals().in_flight == 0).await;
    let totals = totals();
    assert_eq!((totals.offered, totals.shed), (50, refused.len() as u64));
    assert_eq!(totals.finished, served as u64);
    assert_eq!(totals.bytes, 2 * served as u64);
}
