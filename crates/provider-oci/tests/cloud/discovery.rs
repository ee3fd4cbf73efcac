//! What is found in pools and sets: all of it, or an error that says what to do.

use std::net::IpAddr;

use bascule_provider::port::Lifecycle;
use bascule_provider::{Discover, Kind};
use bascule_provider_oci::{Addresses, InstancePool, Layer, SetSource};
use bascule_testkit::oci::{Balancer, Fault, Machine};

use crate::world::{BALANCER, NETWORK_BALANCER, POOL, World, machines};

fn pool(world: &World, addresses: Addresses) -> InstancePool {
    InstancePool::new(world.client(), POOL, addresses)
}

/// Machines of another pool, in the same compartment.
fn others(world: &World, count: u16) {
    let mut others = machines(count);
    for machine in &mut others {
        machine.id.push_str("-other");
    }
    world.oci.set_pool("ocid1.instancepool.oc1..other", others);
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn two_thousand_machines_are_read_with_seven_calls() {
    let world = World::new();
    world.oci.set_pool(POOL, machines(2000));
    let set = pool(&world, Addresses::Private).discover().await.unwrap();
    assert_eq!(set.instances.len(), 2000);
    assert_eq!(
        set.instances["ocid1.instance.oc1..01999"].address,
        ip("10.0.7.207")
    );
    assert_eq!(world.oci.calls().len(), 7);
}

#[tokio::test]
async fn of_two_cards_the_primary_one_gives_the_address() {
    let world = World::new();
    let mut few = machines(3);
    few[1].second = Some(ip("172.16.0.1"));
    world.oci.set_pool(POOL, few);
    others(&world, 2);
    let set = pool(&world, Addresses::Private).discover().await.unwrap();
    let addresses: Vec<IpAddr> = set.instances.values().map(|each| each.address).collect();
    assert_eq!(addresses, ["10.0.0.0", "10.0.0.1", "10.0.0.2"].map(ip));
    let mut many = machines(20);
    many[1].second = Some(ip("172.16.0.1"));
    world.oci.set_pool(POOL, many);
    let set = pool(&world, Addresses::Private).discover().await.unwrap();
    assert_eq!(
        set.instances["ocid1.instance.oc1..00001"].address,
        ip("10.0.0.1")
    );
}

#[tokio::test]
async fn a_few_machines_in_a_large_compartment_are_asked_one_by_one() {
    let world = World::new();
    world.oci.set_pool(POOL, machines(3));
    others(&world, 5000);
    let set = pool(&world, Addresses::Private).discover().await.unwrap();
    assert_eq!(set.instances.len(), 3);
    assert_eq!(world.oci.calls().len(), 2 + 3 + 3);
}

#[tokio::test]
async fn public_addresses_are_asked_card_by_card() {
    let world = World::new();
    let mut all = machines(40);
    for (number, machine) in (0_u8..).zip(&mut all) {
        machine.public = Some(IpAddr::from([198, 51, 100, number]));
    }
    world.oci.set_pool(POOL, all);
    let set = pool(&world, Addresses::Public).discover().await.unwrap();
    assert_eq!(
        set.instances["ocid1.instance.oc1..00039"].address,
        ip("198.51.100.39")
    );
    assert_eq!(world.oci.calls().len(), 3 + 40);
}

#[tokio::test]
async fn lives_are_told_and_only_what_runs_must_have_an_address() {
    let world = World::new();
    let state = |id: &str, state: &str, address: Option<&str>| {
        let mut machine = Machine::running(id, ip("10.0.0.1"));
        machine.address = address.map(ip);
        machine.state = state.to_owned();
        machine
    };
    let all = vec![
        state("a", "Provisioning", None),
        state("b", "Provisioning", Some("10.0.0.2")),
        state("c", "Running", Some("10.0.0.3")),
        state("d", "Terminating", Some("10.0.0.4")),
        state("e", "Terminated", Some("10.0.0.5")),
        state("f", "Stopped", Some("10.0.0.6")),
    ];
    world.oci.set_pool(POOL, all);
    let source = pool(&world, Addresses::Private);
    let set = source.discover().await.unwrap();
    let lives: Vec<(&str, Lifecycle)> = set
        .instances
        .iter()
        .map(|(id, each)| (&**id, each.lifecycle))
        .collect();
    let expected = [
        ("b", Lifecycle::Starting),
        ("c", Lifecycle::Running),
        ("d", Lifecycle::Stopping),
        ("f", Lifecycle::Stopped),
    ];
    assert_eq!(lives, expected);
    world.oci.set_pool(POOL, vec![state("g", "Running", None)]);
    let error = source.discover().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("g runs, but has no private address"),
        "{error}"
    );
}

#[tokio::test]
async fn the_order_of_pages_changes_nothing_and_a_page_that_fails_is_an_error() {
    let world = World::new();
    let mut all = machines(30);
    world.oci.set_pool(POOL, all.clone());
    world.oci.set_page(7);
    let source = pool(&world, Addresses::Private);
    let before = source.discover().await.unwrap();
    all.reverse();
    world.oci.set_pool(POOL, all);
    assert_eq!(source.discover().await.unwrap(), before);
    for path in ["/instances", "/vnicAttachments", "/privateIps"] {
        world.oci.heal();
        world
            .oci
            .fail(path, Fault::refused(500, "InternalServerError"), 2, 1);
        let error = source.discover().await.unwrap_err();
        assert_eq!(error.kind, Kind::Transient, "{path}: {error}");
    }
    world.oci.heal();
    // Twice, as what reads goes over a new connection where an idle one breaks.
    world.oci.fail("/vnicAttachments", Fault::Half, 1, 2);
    assert_eq!(source.discover().await.unwrap_err().kind, Kind::Transient);
    assert_eq!(source.discover().await.unwrap(), before);
}

#[tokio::test]
async fn a_pool_that_is_not_there_is_denied_with_the_policy_to_add() {
    let world = World::new();
    let error = pool(&world, Addresses::Private)
        .discover()
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("GetInstancePool of {POOL}: denied: 404")),
        "{text}"
    );
    assert!(
        text.contains("Allow group GROUP to read instance-pools in compartment"),
        "{text}"
    );
}

#[tokio::test]
async fn backends_of_both_load_balancers_are_sources() {
    let world = World::new();
    let backends = [("10.0.0.1:8080", 10), ("10.0.0.2:8080", 10)];
    for (kind, layer, id, drain) in [
        (Balancer::Load, Layer::Seven, BALANCER, "drain"),
        (Balancer::Network, Layer::Four, NETWORK_BALANCER, "isDrain"),
    ] {
        world.oci.add_backend_set(kind, id, "web", &backends);
        let path = kind.path(id, "web");
        let mut set = world.oci.document(&path).unwrap();
        set["backends"][1][drain] = true.into();
        world.oci.put_document(&path, set);
        let source = SetSource::new(world.client(), layer, id, "web");
        assert!(source.source().ends_with("/web"), "{}", source.source());
        let set = source.discover().await.unwrap();
        let first = &set.instances["10.0.0.1:8080"];
        assert_eq!((first.address, first.port), (ip("10.0.0.1"), Some(8080)));
        assert_eq!(first.lifecycle, Lifecycle::Running);
        assert_eq!(
            set.instances["10.0.0.2:8080"].lifecycle,
            Lifecycle::Stopping
        );
    }
}

const CARD: &str = "ocid1.vnic.oc1..ocid1.instance.oc1..00001-0";

/// A set of a network load balancer whose backends are said by a machine and by an address.
fn of_targets(world: &World) -> SetSource {
    world.oci.set_pool(POOL, machines(2));
    let backends = [("10.9.9.1:80", 10), ("10.9.9.2:80", 10)];
    let set = (Balancer::Network, NETWORK_BALANCER);
    world.oci.add_backend_set(set.0, set.1, "web", &backends);
    let address = format!("ocid1.privateip.oc1..{CARD}");
    let targets = ["ocid1.instance.oc1..00000", &address];
    world.oci.set_targets(NETWORK_BALANCER, "web", &targets);
    SetSource::new(world.client(), Layer::Four, NETWORK_BALANCER, "web")
}

#[tokio::test]
async fn backends_that_are_only_said_by_a_target_are_found_where_that_is() {
    let world = World::new();
    let source = of_targets(&world);
    let set = source.discover().await.unwrap();
    let found: Vec<(&str, IpAddr)> = set
        .instances
        .iter()
        .map(|(name, one)| (&**name, one.address))
        .collect();
    let address = format!("ocid1.privateip.oc1..{CARD}:80");
    let expected = [
        ("ocid1.instance.oc1..00000:80", ip("10.0.0.0")),
        (address.as_str(), ip("10.0.0.1")),
    ];
    assert_eq!(found, expected);
    // The set, the machine, its attachments and its card, the address.
    assert_eq!(world.oci.calls().len(), 5);
    world.oci.forget_calls();
    assert_eq!(source.discover().await.unwrap(), set);
    assert_eq!(world.oci.calls().len(), 1);
}

#[tokio::test]
async fn a_target_that_is_not_to_be_found_is_an_error_that_names_it_and_no_smaller_set() {
    let world = World::new();
    let source = of_targets(&world);
    let of_machine = "/20160918/instances/";
    let away = Fault::refused(503, "ServiceUnavailable");
    world.oci.fail(of_machine, away, 0, 1);
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient);
    let gone = Fault::refused(404, "NotAuthorizedOrNotFound");
    world.oci.fail(of_machine, gone, 0, 1);
    let error = source.discover().await.unwrap_err().to_string();
    assert!(
        error.starts_with("GetInstance of ocid1.instance.oc1..00000: denied"),
        "{error}"
    );
    assert!(error.contains("to read instance-family"), "{error}");
    let mut few = machines(2);
    few[0].address = None;
    world.oci.set_pool(POOL, few);
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("no network card"), "{error}");
    source_of_another_kind(&world).await;
}

async fn source_of_another_kind(world: &World) {
    let source = of_targets(world);
    let targets = ["ocid1.bucket.oc1..x"];
    world.oci.set_targets(NETWORK_BALANCER, "web", &targets);
    let error = source.discover().await.unwrap_err().to_string();
    assert!(
        error.contains("neither a machine nor a private address"),
        "{error}"
    );
}
