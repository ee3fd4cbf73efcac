//! Where a request goes: the backend by [`schedule`](crate::schedule), exactly by shares; then an endpoint inside it, by
//! the service's algorithm. The share belongs to the backend: with one endpoint or fifty it gets the same. Endpoint
//! weights divide only what the backend gets.
//!
//! A second try ([`Picker::other`]) looks elsewhere: by default at another provider first, then another backend, then
//! another endpoint. It consumes no pick of the schedule. Neither ever gives what is off, not usable or, for a second
//! try, was tried. A picker belongs to one worker and one service and is rebuilt, by carrying over, for each snapshot;
//! neither call allocates.

mod endpoints;

use bascule_model::{ProviderName, Rng};

use crate::schedule::Schedule;
use crate::snapshot::{Backend, Mode, Service};
use endpoints::Endpoints;

/// An endpoint that was picked, as indexes into the snapshot's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Index into [`Service::backends`].
    pub backend: usize,
    /// Index into [`Backend::endpoints`].
    pub endpoint: usize,
    /// What decided.
    pub why: PickReason,
}

/// What decided a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PickReason {
    /// The backend's share.
    Weight,
    /// A try before it failed.
    Retry,
    /// The target share, although no backend is up.
    FailOpen,
}

impl PickReason {
    /// The word used in logs, headers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Retry => "retry",
            Self::FailOpen => "fail_open",
        }
    }
}

/// What one worker keeps to pick for one service.
#[derive(Debug, Clone)]
pub struct Picker {
    schedule: Schedule,
    /// One for each backend of the service, in its order.
    backends: Vec<Endpoints>,
    rng: Rng,
}

impl Picker {
    /// A new picker of worker `worker`, counted from 0.
    #[must_use]
    pub fn new(worker: usize, service: &Service) -> Self {
        let seed = u64::try_from(worker).unwrap_or(u64::MAX);
        let mut picker = Self {
            schedule: Schedule::new(worker),
            backends: Vec::new(),
            rng: Rng::new(seed).fork(service.name().as_str()),
        };
        picker.bind(service, &[]);
        picker
    }

    /// The picker for a newer state of the same service: credits stay with their backends by name, and positions in round
    /// robin with their endpoints by id.
    #[must_use]
    pub fn carry(mut previous: Self, service: &Service) -> Self {
        let before = std::mem::take(&mut previous.backends);
        previous.bind(service, &before);
        previous
    }

    fn bind(&mut self, service: &Service, before: &[Endpoints]) {
        let row = service.backends.iter().map(|b| (&b.name, b.effective));
        self.schedule.rebind(row);
        let endpoints = |backend: &Backend| {
            let known = before.iter().find(|old| old.backend() == &backend.name);
            Endpoints::new(backend, known, &mut self.rng)
        };
        self.backends = service.backends.iter().map(endpoints).collect();
    }

    /// Picks for the first try of a request. `load(backend, endpoint)` says how many requests are in flight there, from
    /// all workers. `None` when no backend has a share, or none of its endpoints is usable.
    ///
    /// `service` is the state this picker was made for.
    pub fn first(
        &mut self,
        service: &Service,
        load: impl Fn(usize, usize) -> u32,
    ) -> Option<Choice> {
        let why = match service.mode {
            Mode::Serve => PickReason::Weight,
            Mode::FailOpen => PickReason::FailOpen,
            Mode::Refuse(_) => return None,
        };
        let backend = self.schedule.pick()?;
        let endpoints = self.backends.get_mut(backend)?;
        let endpoint = endpoints.pick(service.spec.algorithm, &mut self.rng, |e| load(backend, e));
        match endpoint {
            Some(endpoint) => Some(Choice {
                backend,
                endpoint,
                why,
            }),
            // A snapshot gives no share to a backend without a usable endpoint; another is better than none all the same.
            None => self.elsewhere(service, &[], load, why),
        }
    }

    /// Picks for a further try, after those in `tried`. `None` when nothing is left that was not tried.
    pub fn other(
        &mut self,
        service: &Service,
        tried: &[Choice],
        load: impl Fn(usize, usize) -> u32,
    ) -> Option<Choice> {
        if matches!(service.mode, Mode::Refuse(_)) {
            return None;
        }
        self.elsewhere(service, tried, load, PickReason::Retry)
    }

    fn elsewhere(
        &mut self,
        service: &Service,
        tried: &[Choice],
        load: impl Fn(usize, usize) -> u32,
        why: PickReason,
    ) -> Option<Choice> {
        let backend = self.backend_elsewhere(service, tried)?;
        let was_tried = |endpoint: usize| {
            let same = |c: &Choice| c.backend == backend && c.endpoint == endpoint;
            tried.iter().any(same)
        };
        let endpoints = self.backends.get_mut(backend)?;
        let endpoint = endpoints.pick_untried(was_tried, |endpoint| load(backend, endpoint))?;
        Some(Choice {
            backend,
            endpoint,
            why,
        })
    }

    /// The backend for a further try: the best by [`Distance`], those with a share first; by chance among equals, in
    /// proportion to their shares, so that what one backend loses does not fall on one other.
    fn backend_elsewhere(&mut self, service: &Service, tried: &[Choice]) -> Option<usize> {
        let mut best: Option<(Rank, usize)> = None;
        let mut weight_sum = 0_u64;
        for (index, backend) in service.backends.iter().enumerate() {
            let endpoints_tried = tried.iter().filter(|c| c.backend == index).count();
            let usable = self.backends.get(index).map_or(0, Endpoints::len);
            if backend.off || usable <= endpoints_tried {
                continue;
            }
            let distance = Distance::of(service, &backend.provider, index, tried);
            let rank = Rank {
                distance: distance.preference(service),
                has_share: !backend.effective.is_zero(),
            };
            let weight = u64::from(backend.effective.get()).max(1);
            match best {
                Some((held, _)) if rank < held => continue,
                Some((held, _)) if rank == held => weight_sum += weight,
                _ => weight_sum = weight,
            }
            // One pass: the n-th candidate replaces the one held with its part of the weights so far.
            let replaces = best.is_none_or(|(held, _)| rank > held);
            if replaces || self.rng.below(weight_sum) < weight {
                best = Some((rank, index));
            }
        }
        best.map(|(_, index)| index)
    }
}

/// How far a backend is from the ones tried, farther later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distance {
    SameBackend,
    SameProvider,
    OtherProvider,
}

impl Distance {
    fn of(service: &Service, provider: &ProviderName, index: usize, tried: &[Choice]) -> Self {
        let provider_of =
            |choice: &Choice| service.backends.get(choice.backend).map(|b| &b.provider);
        if tried.iter().any(|choice| choice.backend == index) {
            Self::SameBackend
        } else if tried
            .iter()
            .any(|choice| provider_of(choice) == Some(provider))
        {
            Self::SameProvider
        } else {
            Self::OtherProvider
        }
    }

    /// Greater is better: what is far where the service prefers another provider, else what is near.
    fn preference(self, service: &Service) -> u8 {
        match (self, service.spec.retry.other_provider) {
            (Self::SameBackend, false) | (Self::OtherProvider, true) => 2,
            (Self::SameProvider, _) => 1,
            (Self::SameBackend, true) | (Self::OtherProvider, false) => 0,
        }
    }
}

/// What makes one backend better than another for a further try; the fields in order of importance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    distance: u8,
    has_share: bool,
}

#[cfg(test)]
mod tests;
