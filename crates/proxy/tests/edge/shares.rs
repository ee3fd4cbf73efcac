//! The split, counted at the origins.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use bascule_model::ObservedState;

use crate::client::{ask, get, http1};
use crate::origin::counting;
use crate::world::{World, backend, plan};

async fn requests(address: SocketAddr, connections: usize, each: usize) {
    let run = |_| async move {
        let mut sender = http1(address).await;
        for _ in 0..each {
            sender.ready().await.unwrap();
            assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
        }
    };
    futures_util::future::join_all((0..connections).map(run)).await;
}

#[tokio::test]
async fn ten_thousand_requests_are_split_exactly_by_one_worker_and_by_four() {
    for workers in [1, 4] {
        let (aws, at_aws) = counting("ok").await;
        let (oci, at_oci) = counting("ok").await;
        let mut plan = plan(vec![backend("aws", 70, aws), backend("oci", 30, oci)]);
        plan.workers = workers;
        let world = plan.start();
        requests(world.address, 20, 500).await;
        let counts = (at_aws.load(Ordering::SeqCst), at_oci.load(Ordering::SeqCst));
        assert_eq!(counts.0 + counts.1, 10_000);
        // Less than two for each worker in any window (docs/architecture.md §7).
        assert!(counts.0.abs_diff(7000) < 2 * workers, "{counts:?}");
    }
}

#[tokio::test]
async fn a_new_row_takes_effect_while_requests_run_and_fails_none() {
    let (aws, at_aws) = counting("ok").await;
    let (oci, _) = counting("ok").await;
    let mut world = plan(vec![backend("aws", 50, aws), backend("oci", 50, oci)]).start();
    let address = world.address;
    crate::world::beside(async move { requests(address, 4, 200).await }).detach();
    for revision in 1..20 {
        world.change(World::targets(
            revision,
            &[("aws", revision), ("oci", 20)],
            &[],
        ));
        world.confirmed().await;
    }
    world.change(World::targets(20, &[("aws", 0), ("oci", 1)], &["aws"]));
    world.confirmed().await;
    assert_eq!(world.edge.confirmed().revision.0, 20);
    let running = || world.registry.counter("bascule_requests_total", &[]);
    crate::world::until("the runners end", || running() == 800).await;
    let before = at_aws.load(Ordering::SeqCst);
    requests(address, 1, 50).await;
    assert_eq!(at_aws.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn with_everything_down_clients_are_told_when_to_come_back() {
    let (aws, at_aws) = counting("ok").await;
    let mut world = plan(vec![backend("aws", 1, aws)]).start();
    world.change(world.seen(ObservedState::Down));
    world.confirmed().await;
    let mut sender = http1(world.address).await;
    let response = sender.send_request(get("/")).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(
        response.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    let expected = "bascule; error=destination_unavailable; details=\"no_backend_up\"";
    assert_eq!(response.headers()["proxy-status"], expected);
    assert_eq!(at_aws.load(Ordering::SeqCst), 0);
    world.change(world.seen(ObservedState::Up));
    world.confirmed().await;
    assert_eq!(ask(world.address, "/").await.0, 200);
}
