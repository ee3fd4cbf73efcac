//! Bucket maps as the control loop carries them: with the revision of their row, on disk before they are published.

use std::time::Duration;

use bascule_model::{BucketMap, ServiceName};

use super::fixture::{Sim, facts, row};
use crate::policy::ServiceFacts;
use crate::steer::Steer;

fn keyed(weights: &[(&str, u64)]) -> ServiceFacts {
    let mut facts = facts(weights);
    facts.policy.keyed = true;
    facts
}

fn map_of(sim: &Sim) -> BucketMap {
    sim.edge.buckets[&meet()].clone()
}

/// How many buckets have another owner.
fn moves(before: &BucketMap, after: &BucketMap) -> usize {
    let pairs = before.iter().zip(after.iter());
    pairs.filter(|(a, b)| a != b).count()
}

fn meet() -> ServiceName {
    "meet".parse().unwrap()
}

#[test]
fn a_service_that_gets_keys_gets_the_map_of_its_row() {
    let mut sim = Sim::new(&[("meet", keyed(&[("aws", 50), ("oci", 50)]))]);
    sim.run(Duration::from_secs(1));
    let canonical = BucketMap::canonical(&row(&[("aws", 50), ("oci", 50)]));
    assert_eq!(map_of(&sim), canonical);
    assert_eq!(sim.disk.buckets, sim.edge.buckets);
    assert_eq!(sim.edge.revision, sim.disk.revision);
    assert_eq!(sim.history.len(), 1);
}

#[test]
fn every_step_of_a_shift_moves_as_many_buckets_as_basis_points() {
    let mut sim = Sim::new(&[("meet", keyed(&[("aws", 50), ("oci", 50)]))]);
    sim.run(Duration::from_secs(1));
    let first = map_of(&sim);
    let mut before = first.clone();
    sim.shift(&[("aws", 70)]).unwrap();
    let mut steps = 0;
    for _ in 0..600 {
        sim.run(Duration::from_secs(5));
        let now = map_of(&sim);
        if now != before {
            assert_eq!(moves(&before, &now), 500);
            (before, steps) = (now, steps + 1);
        }
    }
    assert_eq!((steps, moves(&first, &before)), (4, 2_000));
}

#[test]
fn a_file_that_changed_while_the_process_was_away_moves_what_it_must() {
    let mut sim = Sim::new(&[("meet", keyed(&[("aws", 50), ("oci", 50)]))]);
    sim.run(Duration::from_secs(1));
    let before = map_of(&sim);
    let changed = keyed(&[("aws", 45), ("gcp", 10), ("oci", 45)]);
    sim.facts.insert(meet(), changed);
    sim.steer = Steer::restore(sim.now, sim.disk.clone(), sim.facts.clone());
    sim.run(Duration::from_secs(1));
    assert_eq!(moves(&before, &map_of(&sim)), 1_000);
    assert_eq!(sim.disk.buckets, sim.edge.buckets);
}

#[test]
fn a_service_without_keys_has_no_map_any_more() {
    let mut sim = Sim::new(&[("meet", keyed(&[("aws", 50), ("oci", 50)]))]);
    sim.run(Duration::from_secs(1));
    sim.set_facts(&[("meet", facts(&[("aws", 50), ("oci", 50)]))]);
    sim.run(Duration::from_secs(1));
    assert!(sim.edge.buckets.is_empty() && sim.disk.buckets.is_empty());
}
