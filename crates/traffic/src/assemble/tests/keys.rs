//! Where keys belong, from one snapshot to the next.

use std::collections::BTreeMap;

use bascule_model::{AdminTarget, BucketMap};

use super::super::*;
use super::edge::*;
use crate::fixtures::points;
use crate::hash::Key;
use crate::snapshot::Service;
use crate::spec::{AffinityBy, AffinitySpec, KeySource, OnDrain};

fn keyed() -> ServiceSpec {
    let affinity = AffinitySpec {
        by: AffinityBy::Key(KeySource::Header("x-room".to_owned())),
        ttl: Duration::from_secs(60),
        on_drain: OnDrain::KeepRunning,
    };
    ServiceSpec {
        affinity: Some(affinity),
        ..meet()
    }
}

/// The backend of each of many keys.
fn owners(service: &Service) -> Vec<usize> {
    let placement = service.placement.as_ref().unwrap();
    let keys = (0..20_000).map(|n| Key::of(format!("room-{n}").as_bytes()));
    keys.map(|key| placement.backend(key).unwrap()).collect()
}

fn moved(before: &[usize], after: &[usize]) -> usize {
    before.iter().zip(after).filter(|(a, b)| a != b).count()
}

#[test]
fn a_service_without_keys_has_no_placement() {
    assert_eq!(Edge::new(vec![meet()]).service().placement, None);
    assert!(Edge::new(vec![keyed()]).service().placement.is_some());
}

#[test]
fn a_changed_file_places_keys_as_the_map_that_comes_after_it() {
    let mut edge = Edge::new(vec![keyed()]);
    let map = BucketMap::canonical(&row(&[("aws", 70), ("oci", 30)]));
    let published = |revision, map: &BucketMap, weights: &[(&str, u64)]| Targets {
        buckets: [("meet".parse().unwrap(), map.clone())].into(),
        ..targets(revision, weights, &[])
    };
    edge.tell(Input::Targets(published(
        1,
        &map,
        &[("aws", 70), ("oci", 30)],
    )));
    edge.pass(at(1000));
    let weights: &[(&str, u64)] = &[("aws", 50), ("oci", 50)];
    edge.tell(Input::Targets(Targets {
        buckets: [("meet".parse().unwrap(), map.clone())].into(),
        ..targets(2, weights, &[])
    }));
    edge.pass(at(2000));
    let early = edge.service().placement.clone();
    let next = map.follow(&row(weights));
    edge.tell(Input::Targets(published(3, &next, weights)));
    edge.pass(at(3000));
    assert_eq!(edge.service().placement, early);
    assert_eq!(early.unwrap().hash(), next.hash());
}

#[test]
fn what_changes_no_row_makes_no_placement_anew() {
    let mut edge = Edge::new(vec![keyed()]);
    let before = edge.service().clone();
    edge.pass(at(1000));
    let degraded = EndpointHealth::new(ObservedState::Degraded, None);
    edge.tell(Input::Health([(aws(0), degraded)].into()));
    let after = edge.service().clone();
    assert_ne!(before.backends, after.backends);
    let placement = |service: &Service| service.placement.clone().unwrap();
    assert!(Arc::ptr_eq(&placement(&before), &placement(&after)));
}

#[test]
fn a_flap_moves_the_keys_of_the_lost_and_brings_them_back() {
    let mut edge = Edge::new(vec![keyed()]);
    let before = owners(edge.service());
    edge.pass(at(1000));
    edge.tell(down(&[oci(0), oci(1)]));
    let lost = owners(edge.service());
    assert!(lost.iter().all(|owner| *owner == 0));
    edge.pass(at(2000));
    edge.tell(back(&[oci(0), oci(1)], at(2000)));
    let mut last = lost;
    for step in 1..=20 {
        edge.pass(at(2000 + step * 500));
        let now = owners(edge.service());
        let strayed = last
            .iter()
            .zip(&now)
            .filter(|(was, is)| **was == 1 && **is == 0);
        assert_eq!(strayed.count(), 0, "what came home leaves no more");
        last = now;
    }
    assert_eq!(moved(&before, &last), 0);
}

#[test]
fn what_is_drained_keeps_what_it_has_and_off_keeps_nothing() {
    let mut edge = Edge::new(vec![keyed()]);
    let drain = |revision, state| Targets {
        admin: BTreeMap::from([(AdminTarget::Provider("oci".parse().unwrap()), state)]),
        ..targets(revision, &[("aws", 70), ("oci", 30)], &[])
    };
    let seen = |edge: &Edge| {
        let endpoint = &edge.service().backends[1].endpoints[0];
        (endpoint.usable, endpoint.keeps)
    };
    assert_eq!(seen(&edge), (true, true));
    let states = [
        (1, AdminState::Drain, (false, true)),
        (2, AdminState::Maint, (false, false)),
        (3, AdminState::Ready, (true, true)),
    ];
    for (revision, state, expected) in states {
        edge.pass(at(revision * 1000));
        edge.tell(Input::Targets(drain(revision, state)));
        edge.pass(at(revision * 1000 + 500));
        assert_eq!(seen(&edge), expected, "{state:?}");
    }
    edge.pass(at(4000));
    edge.tell(Input::Targets(Targets {
        admin: drain(4, AdminState::Drain).admin,
        ..targets(4, &[("aws", 100), ("oci", 0)], &["oci"])
    }));
    edge.pass(at(4500));
    assert_eq!(seen(&edge), (false, false));
    assert_eq!(edge.service().backends[1].effective, points(0));
}
