//! A request that belongs somewhere: to a backend by its key, to an endpoint by its cookie or because it is in use there. It
//! goes where it belongs while the gate there is open; else to another endpoint of the backend, then it spills as others
//! do. It takes no turn of the schedule: the shares of requests that belong nowhere stay exact, whatever these do. That it
//! spilled changes nothing about where it belongs.

use super::{Choice, Gate, Look, PickReason, PickRefused, Picker};
use crate::hash::Key;
use crate::snapshot::{Mode, Service};

/// Where a request belongs, as indexes into the snapshot's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index into [`Service::backends`].
    pub backend: usize,
    /// Index into the backend's endpoints, where it belongs to one. It may be one that takes nothing new.
    pub endpoint: Option<usize>,
    /// What decides between the backend's endpoints where it does not.
    pub key: Option<Key>,
}

/// What of a request decides its first pick, beside the shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Way {
    /// Where it belongs, if anywhere.
    pub place: Option<Place>,
    /// Its key, where the service chooses by one; of effect where it belongs nowhere.
    pub key: Option<Key>,
}

impl Picker {
    /// Picks for the first try of a request: where it belongs, or by the shares.
    ///
    /// # Errors
    /// As [`first_by`](Self::first_by).
    pub fn first_of(
        &mut self,
        service: &Service,
        way: Way,
        look: impl Fn(usize, usize) -> Look,
    ) -> Result<Choice, PickRefused> {
        match way.place {
            Some(place) => self.placed(service, place, look),
            None => self.first_by(service, way.key, look),
        }
    }

    /// Picks for the first try of a request that belongs somewhere.
    ///
    /// # Errors
    /// As [`first`](Self::first).
    pub fn placed(
        &mut self,
        service: &Service,
        place: Place,
        look: impl Fn(usize, usize) -> Look,
    ) -> Result<Choice, PickRefused> {
        if matches!(service.mode, Mode::Refuse(_)) {
            return Err(PickRefused::Nothing);
        }
        let (backend, why) = (place.backend, PickReason::Affinity);
        let is_open = |endpoint: &usize| look(backend, *endpoint).gate <= Gate::Trial;
        let own = place.endpoint.filter(is_open);
        let endpoint = own.or_else(|| self.inside(service, backend, Gate::Trial, place.key, &look));
        match endpoint {
            Some(endpoint) => Ok(Choice {
                backend,
                endpoint,
                why,
            }),
            None => self.spill(service, (backend, why), place.key, look),
        }
    }

    /// Picks inside a backend for a request that belongs somewhere, has waited there and is next. It may have had to wait at
    /// another backend than its own; what decided there decides here.
    pub fn placed_after_wait(
        &mut self,
        service: &Service,
        backend: usize,
        place: Place,
        look: impl Fn(usize, usize) -> Look,
    ) -> Option<Choice> {
        let is_own = |endpoint: &usize| {
            place.backend == backend && look(backend, *endpoint).gate <= Gate::Trial
        };
        match place.endpoint.filter(is_own) {
            Some(endpoint) => Some(Choice {
                backend,
                endpoint,
                why: PickReason::Waited,
            }),
            None => self.after_wait(service, backend, place.key, look),
        }
    }
}
