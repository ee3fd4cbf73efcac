//! What a configuration wants to be asked, and the endpoints that come of it.

use bascule_config::load;
use bascule_model::Scheme;
use bascule_provider::port::{Instance, Lifecycle};
use bascule_traffic::spec::{EndpointHost, EndpointSpec};

use super::*;

const CONFIG: &str = "
listen: { web: { address: \":8080\" } }
accounts:
  oci: { cloud: oci, region: us-ashburn-1 }
  aws: { cloud: aws, region: us-east-1 }
services:
  meet:
    match: [{ hosts: [a.example.org] }]
    backends:
      oci:
        weight: 1
        endpoints: [\"http://10.0.0.1:8080\"]
        discover: { account: oci, from: instance-pool/ocid1.x, port: 8080 }
      aws: { weight: 1, discover: { account: aws, from: cloud-map/a/b, scheme: h2c } }
  docs:
    backends:
      oci: { weight: 1, discover: { account: oci, from: instance-pool/ocid1.x, port: 9000, refresh: 5s } }
";

fn config(text: &str) -> Config {
    load("test.yaml", text, &Files::default()).unwrap().config
}

fn clouds() -> Clouds {
    Clouds {
        files: Files::default(),
        accounts: BTreeMap::new(),
        sources: BTreeMap::new(),
        observed: BTreeMap::new(),
        actuators: BTreeMap::new(),
    }
}

/// Instances by their last number, each with a port and whether it runs.
fn set(instances: &[(u8, Option<u16>, Lifecycle)]) -> Arc<Set> {
    let instance = |(number, port, lifecycle): &(u8, Option<u16>, Lifecycle)| {
        let instance = Instance {
            address: [10, 0, 0, *number].into(),
            port: *port,
            zone: Some("AD-1".into()),
            lifecycle: *lifecycle,
        };
        (format!("i-{number}").into(), instance)
    };
    Arc::new(Set {
        instances: instances.iter().map(instance).collect(),
    })
}

fn urls(services: &[Arc<ServiceSpec>], service: &str, backend: &str) -> Vec<String> {
    let spec = services
        .iter()
        .find(|s| s.name.as_str() == service)
        .unwrap();
    let endpoints = spec.backends[backend].endpoints.iter();
    let url = |e: &EndpointSpec| match &e.url.host {
        EndpointHost::Address(at) => format!("{}://{at}", e.url.scheme.as_str()),
        other => panic!("{other:?}"),
    };
    endpoints.map(url).collect()
}

fn at(account: &str, source: &str) -> Place {
    Place {
        account: account.into(),
        source: source.into(),
    }
}

#[test]
fn a_source_is_asked_once_for_all_that_want_it_and_as_often_as_the_most_eager() {
    let wanted = clouds().wanted(&config(CONFIG));
    let places: Vec<&Place> = wanted.keys().collect();
    let pool = at("oci", "instance-pool/ocid1.x");
    assert_eq!(places, [&at("aws", "cloud-map/a/b"), &pool]);
    assert_eq!(wanted[&pool].refresh.as_secs(), 5);
    assert_eq!(wanted[&pool].source.source(), "instance-pool/ocid1.x");
}

#[test]
fn what_is_observed_is_asked_as_much_and_as_often_as_the_most_eager_wants_and_some_say_nothing() {
    let mut clouds = clouds();
    let mut observed = |text: &str| {
        let config = config(text);
        drop(clouds.wanted(&config));
        let wanted = clouds.observed(&config);
        let extent = |place: &Place| clouds.observed[place].extent;
        let shown = |(place, wanted): (&Place, &observe::Wanted)| {
            (place.clone(), extent(place), wanted.every.as_secs())
        };
        (wanted.iter().map(shown).collect::<Vec<_>>(), wanted)
    };
    let pool = at("oci", "instance-pool/ocid1.x");
    // Cloud Map has nothing to say of its instances.
    let (shown, first) = observed(CONFIG);
    assert_eq!(shown, [(pool.clone(), Extent::Free, 60)]);
    assert_eq!(observed(CONFIG).1, first);

    let eager = CONFIG.replace("refresh: 5s", "observe: all, observe_every: 30s");
    let (shown, second) = observed(&eager);
    assert_eq!(shown, [(pool, Extent::All, 30)]);
    assert_ne!(second, first);

    let off = CONFIG.replace("port:", "observe: off, port:");
    assert_eq!(observed(&off).0, []);
}

#[test]
fn machines_by_their_public_address_are_another_source_than_by_their_private_one() {
    let both = CONFIG.replace("refresh: 5s", "addresses: public");
    let wanted = clouds().wanted(&config(&both));
    let pools = wanted.keys().filter(|place| &*place.account == "oci");
    let pools: Vec<&str> = pools.map(|place| &*place.source).collect();
    let pool = "instance-pool/ocid1.x";
    assert_eq!(pools, [pool, &format!("{pool} by public address")]);
}

#[test]
fn who_asks_stays_while_its_account_does() {
    let mut clouds = clouds();
    let first = clouds.wanted(&config(CONFIG));
    let again = clouds.wanted(&config(&CONFIG.replace("weight: 1", "weight: 2")));
    assert_eq!(first, again);
    let moved = clouds.wanted(&config(&CONFIG.replace("us-ashburn-1", "eu-frankfurt-1")));
    let (pool, map) = (
        at("oci", "instance-pool/ocid1.x"),
        at("aws", "cloud-map/a/b"),
    );
    assert_eq!(moved[&map], first[&map]);
    assert_ne!(moved[&pool], first[&pool]);
}

#[test]
fn what_runs_is_an_endpoint_beside_those_that_are_written() {
    let config = config(CONFIG);
    assert_eq!(services(&config, &Sets::new()), config.services);
    let (running, stopping) = (Lifecycle::Running, Lifecycle::Stopping);
    let pool = set(&[(1, None, running), (2, None, running), (3, None, stopping)]);
    let map = set(&[(5, Some(1000), running), (6, None, running)]);
    let sets = [
        (at("oci", "instance-pool/ocid1.x"), pool),
        (at("aws", "cloud-map/a/b"), map),
    ];
    let found = services(&config, &sets.into());
    // The one that is written keeps what is written of it.
    assert_eq!(
        urls(&found, "meet", "oci"),
        ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]
    );
    assert_eq!(
        urls(&found, "docs", "oci"),
        ["http://10.0.0.1:9000", "http://10.0.0.2:9000"]
    );
    // One without a port cannot be spoken to.
    assert_eq!(urls(&found, "meet", "aws"), ["h2c://10.0.0.5:1000"]);
    let spec = found.iter().find(|s| s.name.as_str() == "meet").unwrap();
    let zones: Vec<_> = spec.backends["oci"]
        .endpoints
        .iter()
        .map(|e| e.zone.as_deref())
        .collect();
    assert_eq!(zones, [None, Some("AD-1")]);
    assert_eq!(spec.backends["aws"].endpoints[0].url.scheme, Scheme::H2c);
}
