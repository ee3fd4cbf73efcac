//! What is written of endpoints beside where they are: weights, zones; and the table of their keys.

use super::*;
use crate::spec::{Algorithm, EndpointSpec};

fn named(host: &str, weight: Option<u32>) -> EndpointSpec {
    EndpointSpec {
        url: EndpointUrl {
            scheme: Scheme::Http,
            host: EndpointHost::Name(host.into()),
            port: 80,
        },
        zone: None,
        weight,
    }
}

fn resolved(host: &str, last: &[u8]) -> Input {
    let addresses = last
        .iter()
        .map(|last| Ipv4Addr::new(10, 9, 0, *last).into());
    Input::Resolved {
        host: host.into(),
        addresses: addresses.collect(),
    }
}

/// One backend with these endpoints.
fn of(endpoints: Vec<EndpointSpec>) -> ServiceSpec {
    let mut spec = spec("meet", &[("aws", "aws", Role::Weighted(1), 0)]);
    let backend = spec.backends.get_mut(&backend_name("aws")).unwrap();
    backend.endpoints = endpoints;
    spec
}

fn in_zones(zones: &[Option<&str>]) -> Vec<EndpointSpec> {
    let endpoint = |(n, zone): (usize, &Option<&str>)| EndpointSpec {
        zone: zone.map(Into::into),
        ..crate::fixtures::url(address(0, n)).into()
    };
    zones.iter().enumerate().map(endpoint).collect()
}

fn backend(edge: &Edge) -> &crate::snapshot::Backend {
    &edge.service().backends[0]
}

fn near(edge: &Edge) -> Vec<bool> {
    backend(edge).endpoints.iter().map(|e| e.is_near).collect()
}

#[test]
fn the_addresses_of_a_name_share_its_weight_and_without_one_each_counts_as_one() {
    let declared = |weight| {
        let mut edge = Edge::new(vec![of(vec![
            named("a.example", weight),
            named("b.example", Some(3)),
        ])]);
        edge.tell(resolved("a.example", &[1, 2, 3, 4]));
        edge.tell(resolved("b.example", &[9]));
        edge.pass(at(1000));
        backend(&edge)
            .endpoints
            .iter()
            .map(|e| e.declared)
            .collect::<Vec<_>>()
    };
    assert_eq!(declared(None), [10_000, 10_000, 10_000, 10_000, 30_000]);
    assert_eq!(declared(Some(1)), [2_500, 2_500, 2_500, 2_500, 30_000]);
    assert_eq!(declared(Some(8)), [20_000, 20_000, 20_000, 20_000, 30_000]);
}

#[test]
fn near_is_the_edges_own_zone_and_everything_where_it_has_none_or_nothing_is_in_it() {
    let edge = |own: Option<&str>| {
        let mut spec = of(in_zones(&[Some("a"), Some("b"), None]));
        spec.zone = own.map(Into::into);
        Edge::new(vec![spec])
    };
    assert_eq!(near(&edge(Some("a"))), [true, false, false]);
    assert_eq!(near(&edge(None)), [true, true, true]);
    assert_eq!(near(&edge(Some("c"))), [true, true, true]);
    assert_eq!(backend(&edge(Some("c"))).near, points(10_000));
}

#[test]
fn the_near_part_falls_with_the_endpoints_that_are_up_and_rises_by_their_ramp() {
    let mut spec = of(in_zones(&[Some("a"), Some("a"), Some("b"), Some("b")]));
    spec.zone = Some("a".into());
    let mut edge = Edge::new(vec![spec]);
    assert_eq!(backend(&edge).near, points(10_000));
    edge.pass(at(1000));
    edge.tell(down(&[aws(0)]));
    assert_eq!(backend(&edge).near, points(7_000));
    edge.pass(at(2000));
    edge.tell(down(&[aws(0), aws(1)]));
    assert_eq!(backend(&edge).near, points(0));
    edge.pass(at(10_000));
    edge.tell(back(&[aws(0), aws(1)], at(10_000)));
    // 1.4 × 2/10 000 of one endpoint's ramp, at first.
    assert!(backend(&edge).near < points(10));
    let mut before = points(0);
    for tenths in 1..=50 {
        edge.pass(at(10_000 + tenths * 100));
        assert!(backend(&edge).near >= before);
        before = backend(&edge).near;
    }
    assert_eq!(before, points(10_000));
}

#[test]
fn a_table_is_made_where_one_is_needed_and_kept_whatever_is_down_or_returns() {
    assert_eq!(backend(&Edge::new(vec![meet()])).table, None);
    let mut spec = meet();
    spec.balance.algorithm = Algorithm::Maglev;
    let mut edge = Edge::new(vec![spec.clone()]);
    let table = |edge: &Edge| backend(edge).table.clone().unwrap();
    let first = table(&edge);
    edge.pass(at(1000));
    edge.tell(down(&[aws(0)]));
    assert!(Arc::ptr_eq(&table(&edge), &first));
    edge.pass(at(2000));
    edge.tell(back(&[aws(0)], at(2000)));
    edge.pass(at(3000));
    assert!(backend(&edge).endpoints[0].weight < points(10_000));
    assert!(Arc::ptr_eq(&table(&edge), &first));
    let aws = spec.backends.get_mut(&backend_name("aws")).unwrap();
    aws.endpoints[0].weight = Some(2);
    edge.tell(Input::Services(vec![Arc::new(spec)]));
    edge.pass(at(4000));
    assert_ne!(table(&edge), first);
}
