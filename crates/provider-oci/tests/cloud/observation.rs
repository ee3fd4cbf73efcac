//! What is said of load and health.

use bascule_provider::Observe;
use bascule_provider::port::{CloudHealth, Extent, Seen};
use bascule_provider_oci::{Layer, PoolLoad, SetHealth};
use bascule_telemetry::clock;
use bascule_testkit::oci::Balancer;

use crate::world::{BALANCER, NETWORK_BALANCER, POOL, World, machines};

#[tokio::test]
async fn load_is_the_newest_value_and_none_is_not_zero() {
    let world = World::new();
    world.oci.set_pool(POOL, machines(3));
    let load = PoolLoad::new(world.client(), POOL, Extent::All);
    let seen = load.observe().await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].what, Seen::SizeWanted(3));
    let before = clock::wall();
    world.oci.set_cpu(POOL, 42.0);
    let seen = load.observe().await.unwrap();
    assert_eq!(seen[1].what, Seen::Cpu(0.42));
    assert!(seen[1].at >= before && seen[1].at <= clock::wall());
    assert_eq!(&*seen[1].of, load.source());
    let free = PoolLoad::new(world.client(), POOL, Extent::Free);
    assert_eq!(free.observe().await.unwrap().len(), 1);
}

#[tokio::test]
async fn health_is_told_of_every_backend() {
    let world = World::new();
    let backends = [
        ("10.0.0.1:80", 1),
        ("10.0.0.2:80", 1),
        ("10.0.0.3:80", 1),
        ("10.0.0.4:80", 1),
    ];
    for (kind, layer, id, drain) in [
        (Balancer::Load, Layer::Seven, BALANCER, "drain"),
        (Balancer::Network, Layer::Four, NETWORK_BALANCER, "isDrain"),
    ] {
        world.oci.add_backend_set(kind, id, "web", &backends);
        let path = kind.path(id, "web");
        let mut set = world.oci.document(&path).unwrap();
        set["backends"][3][drain] = true.into();
        world.oci.put_document(&path, set);
        let told = [("10.0.0.2:80", "CRITICAL"), ("10.0.0.3:80", "UNKNOWN")];
        world.oci.set_health(kind, id, "web", &told);
        let health = SetHealth::new(world.client(), layer, id, "web");
        let seen = health.observe().await.unwrap();
        let verdicts: Vec<(&str, &Seen)> =
            seen.iter().map(|each| (&*each.of, &each.what)).collect();
        let expected = [
            ("10.0.0.1:80", &Seen::Health(CloudHealth::Healthy)),
            ("10.0.0.2:80", &Seen::Health(CloudHealth::Unhealthy)),
            ("10.0.0.3:80", &Seen::Health(CloudHealth::Unknown)),
            ("10.0.0.4:80", &Seen::Health(CloudHealth::Draining)),
        ];
        assert_eq!(verdicts, expected);
    }
}
