//! What keeps requests together, found in them by each of its sources.

use std::collections::BTreeSet;

use bascule_model::ObservedState;
use bascule_traffic::spec::KeySource;
use http::Request;

use crate::client::{ask, get2, http1, http2, https1, text};
use crate::origin::{full, named};
use crate::world::{World, authority, backend, plan};

async fn world(by: KeySource) -> World {
    let mut plan = plan(vec![
        backend("aws", 1, named("aws").await),
        backend("gcp", 1, named("gcp").await),
        backend("oci", 1, named("oci").await),
    ]);
    plan.workers = 3;
    plan.by = Some(by);
    plan.start()
}

/// Who answers requests for these paths, each asked over six connections that any worker may have.
async fn answered(world: &World, paths: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in paths {
        for _ in 0..6 {
            names.insert(ask(world.address, path).await.1);
        }
    }
    names
}

#[tokio::test]
async fn one_parameter_is_one_place_however_it_is_written() {
    let world = world(KeySource::Query("room".to_owned())).await;
    let room = ["/?room=a%20b", "/x/y?z=1&room=a+b", "/?r%6fom=a%20%62"];
    assert_eq!(answered(&world, &room).await.len(), 1);
    let others: Vec<String> = (0..40).map(|n| format!("/?room={n}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    assert_eq!(answered(&world, &others).await.len(), 3);
    // Two of it, or none: by the shares.
    assert_eq!(answered(&world, &["/?room=1&room=2"]).await.len(), 3);
    assert_eq!(answered(&world, &["/?rooms=1"]).await.len(), 3);
    let ignored = |reason| {
        let labels = [("service", "meet"), ("reason", reason)];
        world
            .registry
            .counter("bascule_affinity_ignored_total", &labels)
    };
    assert_eq!((ignored("ambiguous"), ignored("empty")), (6, 0));
}

#[tokio::test]
async fn one_segment_of_the_path_is_one_place() {
    let world = world(KeySource::PathSegment(2)).await;
    let room = [
        "/rooms/42",
        "/rooms/42/chat?x=1",
        "/other/%34%32",
        "/a/../rooms/42",
    ];
    assert_eq!(answered(&world, &room).await.len(), 1);
    assert_eq!(answered(&world, &["/rooms", "/"]).await.len(), 3);
}

#[tokio::test]
async fn one_address_is_one_place() {
    let world = world(KeySource::SourceIp).await;
    assert_eq!(answered(&world, &["/", "/a", "/b"]).await.len(), 1);
}

#[tokio::test]
async fn a_header_keeps_both_versions_of_http_together() {
    let world = world(KeySource::Header("x-room".to_owned())).await;
    let mut names = BTreeSet::new();
    for _ in 0..6 {
        let request = Request::get("/").header("host", "a").header("X-Room", "7");
        let mut one = http1(world.address).await;
        let answer = one.send_request(request.body(full("")).unwrap()).await;
        names.insert(text(answer.unwrap()).await);
        let mut request = get2("http://a/");
        request.headers_mut().insert("x-room", "7".parse().unwrap());
        let mut two = http2(world.address).await;
        names.insert(text(two.send_request(request).await.unwrap()).await);
    }
    assert_eq!(names.len(), 1, "{names:?}");
    let line = world.logged(12).await.remove(0);
    assert_eq!(line["pick"], "affinity");
}

#[tokio::test]
async fn a_name_asked_for_with_tls_is_one_place() {
    let authority = authority(&["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"]);
    let mut plan = plan(vec![
        backend("aws", 1, named("aws").await),
        backend("oci", 1, named("oci").await),
    ]);
    plan.tls = Some(authority.server());
    plan.by = Some(KeySource::Sni);
    let world = plan.start();
    let mut all = BTreeSet::new();
    for name in ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"] {
        let mut names = BTreeSet::new();
        for _ in 0..4 {
            let mut sender = https1(world.address, &authority.client(), name).await;
            let request = Request::get("/").header("host", name).body(full(""));
            names.insert(text(sender.send_request(request.unwrap()).await.unwrap()).await);
        }
        assert_eq!(names.len(), 1, "{name}");
        all.append(&mut names);
    }
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn a_key_whose_backend_is_down_meets_elsewhere_and_comes_back() {
    let mut world = world(KeySource::PathSegment(1)).await;
    let home = answered(&world, &["/room"]).await;
    let home = home.first().unwrap().clone();
    world.change(world.seen_of(&home, ObservedState::Down));
    world.confirmed().await;
    let away = answered(&world, &["/room"]).await;
    assert!(away.len() == 1 && !away.contains(&home), "{away:?}");
    world.change(world.seen(ObservedState::Up));
    world.confirmed().await;
    assert_eq!(answered(&world, &["/room"]).await, BTreeSet::from([home]));
}
