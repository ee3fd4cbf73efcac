//! The keys of one service that are in use, as all workers see them, and the numbers of the endpoints they are in use at. A
//! number is an endpoint's for as long as the process knows the service, so that a view and the one after it mean the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bascule_model::EndpointId;
use bascule_traffic::keys::live::{LiveKeys, Seat};

/// Shared by all workers.
#[derive(Debug)]
pub(crate) struct Live {
    /// The table.
    pub(crate) keys: LiveKeys,
    seats: Mutex<BTreeMap<EndpointId, Seat>>,
}

impl Live {
    /// For keys that live so long.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            keys: LiveKeys::new(ttl),
            seats: Mutex::default(),
        }
    }

    /// The number of an endpoint. Locks: only for building views. `None` where all numbers are given: its keys then follow
    /// the map, also when it is drained.
    pub(crate) fn seat(&self, id: &EndpointId) -> Option<Seat> {
        // A panic between lock and unlock leaves a map that is still whole.
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = seats.get(id) {
            return Some(*seat);
        }
        let next = u16::try_from(seats.len() + 1).ok().and_then(Seat::new);
        match next {
            Some(seat) => drop(seats.insert(id.clone(), seat)),
            None => tracing::warn!(event = "seats_exhausted", endpoint = %id),
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_keeps_its_number() {
        let live = Live::new(Duration::from_secs(60));
        let id = |port| EndpointId {
            service: "s".parse().unwrap(),
            backend: "b".parse().unwrap(),
            scheme: bascule_model::Scheme::Http,
            host: None,
            address: ([127, 0, 0, 1], port).into(),
        };
        let first = live.seat(&id(1)).unwrap();
        assert_ne!(live.seat(&id(2)), Some(first));
        assert_eq!(live.seat(&id(1)), Some(first));
    }
}
