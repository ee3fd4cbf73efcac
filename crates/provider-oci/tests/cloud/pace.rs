//! What the account's pace does to calls: what reads is made again, what changes something never is.

use std::collections::BTreeMap;
use std::sync::Arc;

use bascule_model::BackendName;
use bascule_provider::pace::Pace;
use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Apply, Kind};
use bascule_provider_oci::{
    Auth, Client, LIMIT, Layer, Machines, SetActuator, Settings, System, Way,
};
use bascule_testkit::oci::{Balancer, Fault};

use crate::world::{BALANCER, World, endpoints};

#[tokio::test]
async fn what_reads_is_made_again_and_what_changes_something_is_not() {
    let world = World::new();
    let backends = [("10.0.0.1:80", 10), ("10.0.0.2:80", 10)];
    world
        .oci
        .add_backend_set(Balancer::Load, BALANCER, "web", &backends);
    let way = Way::ConfigFile {
        path: Some(world.config()),
        profile: None,
    };
    let settings = Settings {
        endpoints: endpoints(&world.oci.url()),
        pace: Some(Arc::new(Pace::new(LIMIT, &[], 1))),
        ..Settings::default()
    };
    let client = Client::new(settings, Auth::new(way, Arc::new(System))).unwrap();
    let oci = BackendName::parse("oci").unwrap();
    let members = BTreeMap::from([(oci.clone(), Machines::of(["10.0.0.1"]).unwrap())]);
    let actuator = SetActuator::new(Arc::new(client), Layer::Seven, BALANCER, "web", members);
    let ill = || Fault::refused(503, "ServiceUnavailable");
    world.oci.fail("GET ", ill(), 0, 2);
    let over = actuator.read().await.unwrap();
    world.oci.fail("PUT ", ill(), 0, 1);
    let wanted = Numbers::from([(oci, Setting::Weight(7))]);
    let error = actuator.write(&over, &wanted).await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient);
    let puts = || {
        world
            .oci
            .calls()
            .iter()
            .filter(|call| call.method == "PUT")
            .count()
    };
    assert_eq!(puts(), 0);
    actuator.write(&over, &wanted).await.unwrap();
    assert_eq!(puts(), 1);
}
