//! The bucket maps of services whose requests have keys: part of the state, so that they outlive the process and go out with
//! the revision of the row they belong to. Whatever moves a target row moves its map by as much, in the same record; a map
//! is built from a row alone only where a service gets its first. What the map means for a request is `traffic::keys`'s.

use bascule_model::{BucketMap, ServiceName};

use super::draft::target;
use super::{Facts, Persisted};

/// Makes the maps those of the target rows. A service without keys, or that has left the file, has none.
pub(super) fn follow(state: &mut Persisted, facts: &Facts) {
    let before = std::mem::take(&mut state.buckets);
    for service in keyed(facts) {
        let Some(row) = target(state, service, facts) else {
            continue;
        };
        let map = match before.get(service) {
            Some(map) => map.follow(&row),
            None => BucketMap::canonical(&row),
        };
        state.buckets.insert(service.clone(), map);
    }
}

/// Services whose map is not that of their target row, or that have one and need none.
pub(super) fn changed(state: &Persisted, facts: &Facts) -> Vec<ServiceName> {
    let fits = |service: &ServiceName| {
        let row = target(state, service, facts);
        let map = state.buckets.get(service);
        row.zip(map).is_some_and(|(row, map)| map.is_of(&row))
    };
    let needs = |service: &ServiceName| facts.get(service).is_some_and(|f| f.policy.keyed);
    let moved = keyed(facts).filter(|service| !fits(service));
    let over = state.buckets.keys().filter(|service| !needs(service));
    moved.chain(over).cloned().collect()
}

fn keyed(facts: &Facts) -> impl Iterator<Item = &ServiceName> {
    let keyed = facts.iter().filter(|(_, facts)| facts.policy.keyed);
    keyed.map(|(service, _)| service)
}
