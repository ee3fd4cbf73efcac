//! What is said of a request that nobody made: the same as what a worker sees of one that somebody makes.

use std::net::IpAddr;
use std::sync::Arc;

use bascule_config::{MemorySource, load};
use bascule_model::{AdminState, AdminTarget};
use bascule_proxy::{CookieSecrets, Supposed};
use bascule_telemetry::clock;
use bascule_traffic::explain::Sight;
use bascule_traffic::keys::{BondReason, Ignored};
use bascule_traffic::snapshot::Service;
use bascule_traffic::spec::{Algorithm, CookieSpec, KeySource, SameSite};
use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Gate, Input};
use http::HeaderMap;
use http::header::{COOKIE, SET_COOKIE};

use crate::client::{ask, get, http1, text};
use crate::origin::{named, nobody};
use crate::world::{Plan, World, backend, plan};

fn service(world: &World) -> Arc<Service> {
    let meet = "meet".parse().unwrap();
    Arc::clone(world.edge.snapshot().service(&meet).unwrap())
}

fn sight(world: &World, path: &str, headers: &HeaderMap) -> Sight {
    let supposed = Supposed {
        listener: &world.listener,
        path: &path.parse().unwrap(),
        headers,
        client: IpAddr::from([127, 0, 0, 1]),
        server_name: None,
        repeatable: Repeatable::Yes,
    };
    world.edge.sight(&service(world), supposed)
}

async fn three() -> Plan {
    plan(vec![
        backend("aws", 1, named("aws").await),
        backend("gcp", 1, named("gcp").await),
        backend("oci", 1, named("oci").await),
    ])
}

#[tokio::test]
async fn a_key_belongs_where_its_requests_go_and_stays_at_what_is_drained() {
    let mut plan = three().await;
    plan.by = Some(KeySource::PathSegment(1));
    let mut world = plan.start();
    let none = HeaderMap::new();
    for n in 0..20 {
        let path = format!("/room-{n}");
        let before = sight(&world, &path, &none);
        assert_eq!(before.why, Some(BondReason::Map));
        let place = before.way.place.unwrap();
        let name = service(&world).backends[place.backend].name.to_string();
        assert_eq!(ask(world.address, &path).await.1, name);
        let used = sight(&world, &path, &none);
        assert_eq!(used.why, Some(BondReason::InUse));
        assert_eq!(used.way.place.unwrap().endpoint, Some(0));
    }
    let home = sight(&world, "/room-1", &none).way.place.unwrap();
    let name = service(&world).backends[home.backend].name.clone();
    let Input::Targets(mut targets) = World::targets(2, &[("aws", 1), ("gcp", 1), ("oci", 1)], &[])
    else {
        unreachable!()
    };
    let drained = AdminTarget::Backend("meet".parse().unwrap(), name.clone());
    targets.admin.insert(drained, AdminState::Drain);
    world.change(Input::Targets(targets));
    world.confirmed().await;
    let kept = sight(&world, "/room-1", &none);
    assert_eq!(kept.why, Some(BondReason::Drained));
    assert_eq!(kept.way.place.unwrap().backend, home.backend);
    assert_eq!(ask(world.address, "/room-1").await.1, name.to_string());
    // To look is not to use.
    assert_eq!(sight(&world, "/nobody", &none).why, Some(BondReason::Map));
    assert_eq!(sight(&world, "/nobody", &none).why, Some(BondReason::Map));
}

#[tokio::test]
async fn a_cookie_that_was_tampered_with_is_ignored_and_not_counted() {
    let mut plan = three().await;
    plan.cookie = Some(CookieSpec {
        name: "c".to_owned(),
        secret_file: "s".to_owned(),
        same_site: SameSite::Lax,
    });
    let world = plan.start();
    world.edge.set_cookie_secrets(secrets());
    let cookie = loop {
        // Workers take the secrets over in a moment.
        let mut client = http1(world.address).await;
        let response = client.send_request(get("/")).await.unwrap();
        let cookie = response.headers().get(SET_COOKIE).cloned();
        let name = text(response).await;
        if let Some(cookie) = cookie {
            let value = cookie
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .to_owned();
            break (value, name);
        }
    };
    let with = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, value.parse().unwrap());
        sight(&world, "/", &headers)
    };
    let (value, name) = cookie;
    let known = with(&value);
    assert_eq!((known.why, known.ignored), (Some(BondReason::Cookie), None));
    let backend = known.way.place.unwrap().backend;
    assert_eq!(service(&world).backends[backend].name.as_str(), name);
    let last = if value.ends_with('0') { "1" } else { "0" };
    let forged = with(&format!("{}{last}", &value[..value.len() - 1]));
    assert_eq!((forged.why, forged.ignored), (None, Some(Ignored::Forged)));
    assert_eq!(forged.way.place, None);
    let labels = [("service", "meet"), ("reason", "forged")];
    let name = "bascule_affinity_ignored_total";
    assert_eq!(world.registry.counter(name, &labels), 0);
}

fn secrets() -> CookieSecrets {
    let mut source = MemorySource::default();
    let content = b"a secret of enough characters, and some more".to_vec();
    source.files.insert("s".to_owned(), content);
    let text = "listen: { web: { address: \":1\" } }\nservices: { meet: { affinity: { by: { cookie: c }, secret_file: s }, \
                backends: { a: { weight: 1, endpoints: [\"http://10.0.0.1:1\"] } } } }\n";
    load("test", text, &source).unwrap().config.secrets
}

#[tokio::test]
async fn the_key_that_decides_inside_a_backend_is_found() {
    let mut plan = three().await;
    plan.balance.algorithm = Algorithm::Rendezvous;
    plan.balance.hash = Some(KeySource::Header("x-room".to_owned()));
    let world = plan.start();
    let mut headers = HeaderMap::new();
    assert_eq!(sight(&world, "/", &headers).way.key, None);
    headers.insert("x-room", "7".parse().unwrap());
    let key = sight(&world, "/", &headers).way.key;
    assert_eq!(key, Some(bascule_traffic::hash::Key::of(b"7")));
}

#[tokio::test]
async fn what_is_suspected_and_what_is_granted_is_seen_and_left_as_it_is() {
    let world = plan(vec![
        backend("aws", 1, nobody().await),
        backend("oci", 1, named("oci").await),
    ])
    .start();
    let none = HeaderMap::new();
    assert_eq!(sight(&world, "/", &none).gate(0, 0), Gate::Open);
    for _ in 0..2 {
        ask(world.address, "/").await;
    }
    // Suspected, and for the first second without a trial that is due.
    let seen = sight(&world, "/", &none);
    assert!(matches!(seen.gate(0, 0), Gate::Suspect | Gate::Trial));
    assert_eq!((seen.gate(1, 0), seen.trial), (Gate::Open, None));
    let totals = world.edge.endpoint_totals();
    let (aws, _) = totals
        .iter()
        .find(|(id, _)| id.backend.as_str() == "aws")
        .unwrap();
    world.edge.grant_trial(aws, clock::now());
    for _ in 0..3 {
        assert_eq!(sight(&world, "/", &none).trial, Some((0, 0)));
    }
    ask(world.address, "/").await;
    assert_eq!(sight(&world, "/", &none).trial, None, "a request took it");
}
