//! What the judge is told of endpoints, and the trials it grants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, EndpointTotals, FailureClass, Instant, ObservedState};
use bascule_telemetry::clock;
use http::{Method, Request};

use crate::client::{ask, boxed, http1, text};
use crate::origin::{Speaks, answer, named, nobody, origin};
use crate::world::{World, backend, plan};

/// The only endpoint of a backend.
fn endpoint(world: &World, backend: &str) -> (Arc<EndpointId>, EndpointTotals) {
    let all = world.edge.endpoint_totals();
    let of_backend = |(id, _): &(Arc<EndpointId>, _)| id.backend.as_str() == backend;
    all.into_iter().find(of_backend).unwrap()
}

pub(crate) fn totals(world: &World, backend: &str) -> EndpointTotals {
    endpoint(world, backend).1
}

/// Grants a trial of the only endpoint of a backend.
pub(crate) fn grant(world: &World, backend: &str, at: Instant) {
    world.edge.grant_trial(&endpoint(world, backend).0, at);
}

/// Two backends, of which oci is down.
async fn oci_down(oci: SocketAddr) -> World {
    let mut world = plan(vec![
        backend("aws", 50, named("aws").await),
        backend("oci", 50, oci),
    ])
    .start();
    world.change(world.seen_of("oci", ObservedState::Down));
    world.confirmed().await;
    world
}

#[tokio::test]
async fn how_each_try_ended_is_counted_at_its_endpoint() {
    let broken = origin(Speaks::Http1, |_| async { answer(503, "no") }).await;
    let mut plan = plan(vec![
        backend("aws", 50, named("aws").await),
        backend("oci", 50, broken),
    ]);
    plan.retry.attempts = 1;
    let mut world = plan.start();
    let mut failed = 0;
    for _ in 0..10 {
        failed += u64::from(ask(world.address, "/").await.0 == 503);
    }
    assert!(failed > 0);
    let (well, ill) = (totals(&world, "aws"), totals(&world, "oci"));
    assert_eq!((well.answers, well.failures), (10 - failed, [0; 5]));
    assert_eq!(well.latency.iter().sum::<u64>(), 10 - failed);
    assert_eq!((ill.answers, ill.failures), (0, [0, 0, 0, failed, 0]));
    let told = world.failures.recv().await.unwrap();
    assert_eq!(told.class, FailureClass::Unavailable);
}

#[tokio::test]
async fn a_trial_is_one_request_to_an_endpoint_that_is_down() {
    let world = oci_down(named("oci").await).await;
    grant(&world, "oci", clock::now());
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(ask(world.address, "/").await.1);
    }
    assert_eq!(answers, ["oci", "aws", "aws", "aws"]);
    let (well, tried) = (totals(&world, "aws"), totals(&world, "oci"));
    assert_eq!((well.answers, tried.answers), (3, 0));
    assert_eq!((tried.trials.begun, tried.trials.passed), (1, 1));
    let lines = world.logged(4).await;
    assert!(lines.iter().any(|line| line["pick"] == "trial"));
}

#[tokio::test]
async fn a_trial_that_fails_is_repeated_elsewhere_and_its_client_sees_nothing() {
    let world = oci_down(nobody().await).await;
    grant(&world, "oci", clock::now());
    assert_eq!(ask(world.address, "/").await, (200, "aws".into()));
    let tried = totals(&world, "oci");
    assert_eq!((tried.trials.begun, tried.trials.failed), (1, 1));
    assert_eq!(tried.failures, [0; 5]);
}

#[tokio::test]
async fn a_request_that_cannot_be_repeated_is_no_trial_while_others_may_come() {
    let world = oci_down(named("oci").await).await;
    // Granted in an hour from now: however slow the machine, it does not grow old enough to be anybody's.
    grant(&world, "oci", clock::now() + Duration::from_secs(3600));
    let mut client = http1(world.address).await;
    let post = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("host", "meet.example.org")
        .body(boxed("once"))
        .unwrap();
    let response = client.send_request(post).await.unwrap();
    assert_eq!(text(response).await, "aws");
    assert_eq!(ask(world.address, "/").await.1, "oci");
}

#[tokio::test]
async fn off_gets_no_trial() {
    let mut world = plan(vec![
        backend("aws", 50, named("aws").await),
        backend("oci", 50, named("oci").await),
    ])
    .start();
    world.change(World::targets(1, &[("aws", 100), ("oci", 0)], &["oci"]));
    world.confirmed().await;
    grant(&world, "oci", clock::now());
    assert_eq!(ask(world.address, "/").await.1, "aws");
    assert_eq!(totals(&world, "oci").trials.begun, 0);
}
