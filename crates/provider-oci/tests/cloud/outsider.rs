//! The official SDK works against the fake, and sees in it what is there.

use bascule_testkit::oci::{Balancer, COMPARTMENT, REGION};
use serde_json::{Value, json};

use crate::python;
use crate::world::{BALANCER, NETWORK_BALANCER, POLICY, POOL, World, machines};

/// What the SDK sees.
pub(crate) fn sees(world: &World) -> Value {
    let input = json!({
        "config": world.config(), "endpoint": world.oci.url(), "compartment": COMPARTMENT,
        "pool": POOL, "balancer": BALANCER, "network_balancer": NETWORK_BALANCER, "set": "web",
        "policy": POLICY,
    });
    python::run("outsider.py", &input).remove(0)
}

/// A pool, both load balancers, a policy.
pub(crate) fn furnish(world: &World) {
    let oci = &world.oci;
    oci.set_pool(POOL, machines(3));
    let backends = [
        ("10.0.0.1:8080", 10),
        ("10.0.0.2:8080", 10),
        ("10.9.0.1:80", 5),
    ];
    oci.add_backend_set(Balancer::Load, BALANCER, "web", &backends);
    oci.add_backend_set(Balancer::Network, NETWORK_BALANCER, "web", &backends);
    let answers = [
        ("oci", "192.0.2.1", 100),
        ("aws", "192.0.2.2", 100),
        ("old", "192.0.2.3", 1),
    ];
    oci.add_steering_policy(POLICY, 30, &answers);
}

#[test]
fn the_official_sdk_is_a_client_of_the_fake() {
    let world = World::new();
    furnish(&world);
    world.oci.set_page(2);
    let seen = sees(&world);
    assert_eq!(
        seen["addresses"],
        json!({
            "ocid1.instance.oc1..00000": "10.0.0.0", "ocid1.instance.oc1..00001": "10.0.0.1",
            "ocid1.instance.oc1..00002": "10.0.0.2",
        })
    );
    assert_eq!(seen["web"]["10.0.0.1:8080"], json!([10, false]));
    assert_eq!(seen["tcp"]["10.9.0.1:80"], json!([5, false]));
    assert_eq!(seen["answers"]["answer.name == 'aws'"], json!(100));
    assert_eq!(seen["ttl"], json!(30));
}

#[test]
fn the_official_sdk_gets_and_uses_the_tokens_of_the_fake() {
    let world = World::new();
    furnish(&world);
    let (token, key) = world.oci.resource_token(600).unwrap();
    let input = json!({
        "endpoint": world.oci.url(), "balancer": BALANCER, "set": "web",
        "env": {
            "OCI_METADATA_BASE_URL": world.oci.metadata_url(),
            "OCI_RESOURCE_PRINCIPAL_VERSION": "2.2", "OCI_RESOURCE_PRINCIPAL_REGION": REGION,
            "OCI_RESOURCE_PRINCIPAL_RPST": token, "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM": key,
        },
    });
    let seen = python::run("principals.py", &input);
    let expected = json!({ "region": REGION, "backends": 3 });
    assert_eq!(seen, [expected.clone(), expected]);
}
