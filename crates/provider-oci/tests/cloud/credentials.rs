//! Keys and tokens, and what is said when they are not accepted.

use bascule_provider::{Discover, Kind};
use bascule_provider_oci::{Layer, SetSource, Way};
use bascule_testkit::oci::{Balancer, Fault};

use crate::world::{BALANCER, World};

fn source(world: &World, way: Option<Way>) -> SetSource {
    world
        .oci
        .add_backend_set(Balancer::Load, BALANCER, "web", &[("10.0.0.1:80", 1)]);
    let client = way.map_or_else(|| world.client(), |way| world.client_by(way));
    SetSource::new(client, Layer::Seven, BALANCER, "web")
}

#[tokio::test]
async fn a_key_that_is_taken_away_is_denied_and_a_new_one_is_used_at_once() {
    let mut world = World::new();
    let source = source(&world, None);
    source.discover().await.unwrap();
    world.oci.rotate_key().unwrap();
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error
            .to_string()
            .contains("see that the key with this fingerprint"),
        "{error}"
    );
    world.config();
    source.discover().await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let world = World::new();
    let source = source(&world, None);
    world.oci.set_clock(1000);
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error
            .to_string()
            .contains("s behind of OCI's, and 300 s are allowed"),
        "{error}"
    );
    world.oci.set_clock(-1000);
    let error = source.discover().await.unwrap_err();
    assert!(error.to_string().contains("s ahead of OCI's"), "{error}");
}

#[tokio::test]
async fn an_instance_gets_a_token_and_asks_for_another_when_it_is_not_accepted() {
    let world = World::new();
    let way = Way::InstancePrincipal {
        metadata: Some(world.oci.metadata_url()),
        auth: Some(world.oci.url()),
    };
    let source = source(&world, Some(way));
    source.discover().await.unwrap();
    source.discover().await.unwrap();
    let tokens = || {
        let calls = world.oci.calls();
        calls
            .iter()
            .filter(|call| call.target == "/v1/x509")
            .count()
    };
    assert_eq!(tokens(), 1);
    world.oci.fail(
        "GET /20170115",
        Fault::refused(401, "NotAuthenticated"),
        0,
        1,
    );
    assert_eq!(source.discover().await.unwrap_err().kind, Kind::Denied);
    source.discover().await.unwrap();
    assert_eq!(tokens(), 2);
    let error = {
        world.oci.fail(
            "GET /20170115",
            Fault::refused(404, "NotAuthorizedOrNotFound"),
            0,
            1,
        );
        source.discover().await.unwrap_err().to_string()
    };
    assert!(
        error.contains("Allow dynamic-group GROUP to read load-balancers"),
        "{error}"
    );
    assert!(!format!("{source:?}").contains("e30."), "a token is shown");
}

#[tokio::test]
async fn what_is_no_instance_says_so() {
    let world = World::new();
    world
        .oci
        .fail("/opc/v2", Fault::refused(404, "NotFound"), 0, usize::MAX);
    let way = Way::InstancePrincipal {
        metadata: Some(world.oci.metadata_url()),
        auth: None,
    };
    let error = source(&world, Some(way))
        .discover()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("instance principals exist on instances of OCI only"),
        "{error}"
    );
}
