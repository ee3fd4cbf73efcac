//! Every call as it is sent: method, target, headers, body. A difference is a change of what OCI is asked, and to be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bascule_model::BackendName;
use bascule_provider::port::{Extent, Numbers, Setting};
use bascule_provider::{Apply, Discover, Observe};
use bascule_provider_oci::{
    Addresses, InstancePool, Layer, Machines, PoolLoad, SetActuator, SetHealth, SetSource,
    SteeringPolicy, Way,
};
use bascule_testkit::oci::Called;

use crate::outsider::furnish;
use crate::world::{BALANCER, NETWORK_BALANCER, POLICY, POOL, World, machines};

/// The calls as text; what is by chance or by the clock is named instead.
fn text(calls: &[Called]) -> String {
    let mut text = String::new();
    for call in calls {
        writeln!(text, "{} {}", call.method, call.target).unwrap();
        for (name, value) in &call.headers {
            let value = match name.as_str() {
                "opc-retry-token" | "content-length" | "x-content-sha256" => "…",
                _ => value,
            };
            writeln!(text, "{name}: {value}").unwrap();
        }
        let mut body = call.body.clone();
        for key in [
            "startTime",
            "endTime",
            "certificate",
            "publicKey",
            "intermediateCertificates",
        ] {
            if let Some(value) = body.get_mut(key) {
                *value = "…".into();
            }
        }
        if !body.is_null() {
            writeln!(text, "{body:#}").unwrap();
        }
        writeln!(text, "→ {}\n", call.status).unwrap();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_call_is_sent_as_it_is_written_down() {
    let world = World::new();
    furnish(&world);
    world.oci.set_pool(POOL, machines(9));
    let client = world.client();
    let oci = || BackendName::parse("oci").unwrap();
    client.identity().await.unwrap();
    let instance = world.client_by(Way::InstancePrincipal {
        metadata: Some(world.oci.metadata_url()),
        auth: Some(world.oci.url()),
    });
    instance.identity().await.unwrap();
    InstancePool::new(client.clone(), POOL, Addresses::Private)
        .discover()
        .await
        .unwrap();
    PoolLoad::new(client.clone(), POOL, Extent::All)
        .observe()
        .await
        .unwrap();
    world.oci.set_pool(POOL, machines(1));
    InstancePool::new(client.clone(), POOL, Addresses::Public)
        .discover()
        .await
        .unwrap_err();
    let wanted = |setting| Numbers::from([(oci(), setting)]);
    for (layer, id) in [(Layer::Seven, BALANCER), (Layer::Four, NETWORK_BALANCER)] {
        let members = BTreeMap::from([(oci(), Machines::of(["10.0.0.1"]).unwrap())]);
        let actuator = SetActuator::new(client.clone(), layer, id, "web", members);
        for setting in [Setting::Weight(42), Setting::Off] {
            let over = actuator.read().await.unwrap();
            actuator.write(&over, &wanted(setting)).await.unwrap();
        }
        SetHealth::new(client.clone(), layer, id, "web")
            .observe()
            .await
            .unwrap();
    }
    let address = "ocid1.privateip.oc1..ocid1.vnic.oc1..ocid1.instance.oc1..00000-0";
    let source = SetSource::new(client.clone(), Layer::Four, NETWORK_BALANCER, "web");
    // One after the other, as they are asked for at once.
    let targets = ["ocid1.instance.oc1..00000", address];
    for count in [1, 2] {
        let targets = &targets[..count];
        world.oci.set_targets(NETWORK_BALANCER, "web", targets);
        source.discover().await.unwrap();
    }
    let members = BTreeMap::from([(oci(), ["oci".to_owned()].into())]);
    let policy = SteeringPolicy::new(client, POLICY, members);
    for setting in [Setting::Weight(42), Setting::Off] {
        let over = policy.read().await.unwrap();
        policy.write(&over, &wanted(setting)).await.unwrap();
    }
    insta::assert_snapshot!(text(&world.oci.calls()));
}
