//! Where a request goes: the backend by [`schedule`](crate::schedule), exactly by shares; then an endpoint inside it, by
//! the service's algorithm. The share belongs to the backend: with one endpoint or fifty it gets the same. Endpoint
//! weights divide only what the backend gets.
//!
//! Where the backend whose turn it is has no endpoint that may get the request, the pick *spills*: to the other backends
//! by their shares ([`spill`]). Where nobody has one that is open, suspicion is ignored, as a suspect is better than an
//! answer of ours; what is full stays full.
//!
//! A request that belongs somewhere, by its key or its cookie, goes there ([`Picker::placed`]), and consumes no turn either.
//!
//! A second try ([`Picker::other`]) looks elsewhere ([`elsewhere`]): by default at another provider first, then another
//! backend, then another endpoint. Neither it nor a spill consumes a turn of the schedule. None ever gives what is off,
//! not usable, full or, for a second try, was tried. A picker belongs to one worker and one service and is rebuilt, by
//! carrying over, for each snapshot; no call allocates.

mod by_key;
mod elsewhere;
mod endpoints;
mod group;
mod look;
mod place;
mod spill;

use bascule_model::Rng;

use crate::hash::Key;
use crate::schedule::Schedule;
use crate::snapshot::{Backend, Mode, Service};
use endpoints::{Endpoints, How, Line};
pub use look::{Gate, Look};
pub use place::{Place, Way};
use spill::Spills;

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
    /// It belongs there by its key or its cookie.
    Affinity,
    /// A try before it failed.
    Retry,
    /// The target share, although no backend is up.
    FailOpen,
    /// To see whether an endpoint that was taken out works again. Not of a picker: the judge grants it.
    Trial,
    /// It had waited in the backend's line.
    Waited,
    /// The backend whose turn it was had nothing open.
    Spill {
        /// That backend: an index into [`Service::backends`].
        from: usize,
        /// Why it had not.
        cause: SpillCause,
    },
}

/// Why a backend could not take a request that was its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpillCause {
    /// A limit was reached: at some of its endpoints, while none other was open.
    Full,
    /// All of its endpoints are suspected.
    Suspect,
}

impl SpillCause {
    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Suspect => "suspect",
        }
    }
}

/// Why nothing was picked for a first try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PickRefused {
    /// No backend has a share and an endpoint that is usable.
    Nothing,
    /// Every endpoint of the backends with a share is full.
    Full,
}

impl PickReason {
    /// The word for a spill, from wherever.
    pub const SPILL: &str = "spill";

    /// The word used in logs, headers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Affinity => "affinity",
            Self::Retry => "retry",
            Self::FailOpen => "fail_open",
            Self::Waited => "waited",
            Self::Spill { .. } => Self::SPILL,
            Self::Trial => "trial",
        }
    }
}

/// What one worker keeps to pick for one service.
#[derive(Debug, Clone)]
pub struct Picker {
    schedule: Schedule,
    /// One for each backend of the service, in its order.
    backends: Vec<Endpoints>,
    spills: Spills,
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
            spills: Spills::default(),
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
        self.spills.rebind(service.backends.iter().map(|b| &b.name));
        let endpoints = |backend: &Backend| {
            let known = before.iter().find(|old| old.backend() == &backend.name);
            Endpoints::new(backend, known, &mut self.rng)
        };
        self.backends = service.backends.iter().map(endpoints).collect();
    }

    /// [`first_by`](Self::first_by) for a request without a key.
    ///
    /// # Errors
    /// As there.
    pub fn first(
        &mut self,
        service: &Service,
        look: impl Fn(usize, usize) -> Look,
    ) -> Result<Choice, PickRefused> {
        self.first_by(service, None, look)
    }

    /// Picks for the first try of a request. `look(backend, endpoint)` says what is seen of an endpoint. Requests with
    /// the same `key` go to the same endpoint of a backend, whatever the algorithm: whoever gives one means it to be followed.
    ///
    /// `service` is the state this picker was made for.
    ///
    /// # Errors
    /// [`PickRefused`] when no backend has a share, or nothing that is usable may get a request.
    pub fn first_by(
        &mut self,
        service: &Service,
        key: Option<Key>,
        look: impl Fn(usize, usize) -> Look,
    ) -> Result<Choice, PickRefused> {
        let why = match service.mode {
            Mode::Serve => PickReason::Weight,
            Mode::FailOpen => PickReason::FailOpen,
            Mode::Refuse(_) => return Err(PickRefused::Nothing),
        };
        let backend = self.schedule.pick().ok_or(PickRefused::Nothing)?;
        match self.inside(service, backend, Gate::Trial, key, &look) {
            Some(endpoint) => Ok(Choice {
                backend,
                endpoint,
                why,
            }),
            None => self.spill(service, (backend, why), key, look),
        }
    }

    /// Picks inside a backend, for a request that has waited there and is next. Its turn it has had.
    pub fn after_wait(
        &mut self,
        service: &Service,
        backend: usize,
        key: Option<Key>,
        look: impl Fn(usize, usize) -> Look,
    ) -> Option<Choice> {
        let endpoint = match self.inside(service, backend, Gate::Trial, key, &look) {
            Some(endpoint) => endpoint,
            None => self.inside(service, backend, Gate::Suspect, key, &look)?,
        };
        Some(Choice {
            backend,
            endpoint,
            why: PickReason::Waited,
        })
    }

    /// An endpoint of this backend whose gate is `worst` or better.
    fn inside(
        &mut self,
        service: &Service,
        backend: usize,
        worst: Gate,
        key: Option<Key>,
        look: impl Fn(usize, usize) -> Look,
    ) -> Option<usize> {
        let endpoints = self.backends.get_mut(backend)?;
        let balance = &service.spec.balance;
        let how = How { balance, key };
        endpoints.pick(how, worst, &mut self.rng, |e| look(backend, e))
    }

    /// The backend whose turn it is has nothing open: whatever is open elsewhere, then its own suspects, so that its share
    /// stays its own where all are suspected, then those of others.
    #[cold]
    fn spill(
        &mut self,
        service: &Service,
        (from, why): (usize, PickReason),
        key: Option<Key>,
        look: impl Fn(usize, usize) -> Look,
    ) -> Result<Choice, PickRefused> {
        if let Some(choice) = self.spill_to(service, from, Gate::Open, key, &look) {
            return Ok(choice);
        }
        if let Some(endpoint) = self.inside(service, from, Gate::Suspect, key, &look) {
            return Ok(Choice {
                backend: from,
                endpoint,
                why,
            });
        }
        if let Some(choice) = self.spill_to(service, from, Gate::Suspect, key, &look) {
            return Ok(choice);
        }
        let has_endpoints = |(backend, endpoints): (&Backend, &Endpoints)| {
            !backend.effective.is_zero() && endpoints.len() > 0
        };
        let mut backends = service.backends.iter().zip(&self.backends);
        Err(if backends.any(has_endpoints) {
            PickRefused::Full
        } else {
            PickRefused::Nothing
        })
    }

    /// One of the other backends with a share that have an endpoint whose gate is `worst` or better.
    fn spill_to(
        &mut self,
        service: &Service,
        from: usize,
        worst: Gate,
        key: Option<Key>,
        look: impl Fn(usize, usize) -> Look,
    ) -> Option<Choice> {
        let backends = &self.backends;
        let gate = |at: usize| {
            backends
                .get(at)?
                .gate(Line::First, |_| true, |e| look(at, e))
        };
        let share = |at: usize| match service.backends.get(at) {
            Some(b) if at != from && !b.off && gate(at).is_some_and(|gate| gate <= worst) => {
                b.effective.get()
            }
            _ => 0,
        };
        let backend = self.spills.pick(share)?;
        let from_endpoints = self.backends.get(from);
        let is_full = from_endpoints.is_some_and(|f| f.is_full_somewhere(|e| look(from, e)));
        let cause = if is_full {
            SpillCause::Full
        } else {
            SpillCause::Suspect
        };
        let endpoint = self.inside(service, backend, worst, key, look)?;
        Some(Choice {
            backend,
            endpoint,
            why: PickReason::Spill { from, cause },
        })
    }

    /// Picks for a further try, after those in `tried`: open before suspected, and what stands in reserve where nothing else
    /// is left: the first who find a whole priority of an SRV name dead find it before the checks do. `None` when nothing is
    /// left that was not tried and is not full.
    pub fn other(
        &mut self,
        service: &Service,
        tried: &[Choice],
        look: impl Fn(usize, usize) -> Look,
    ) -> Option<Choice> {
        if matches!(service.mode, Mode::Refuse(_)) {
            return None;
        }
        let first = self.other_of(Line::First, service, tried, &look);
        first.or_else(|| self.other_of(Line::Reserve, service, tried, look))
    }

    fn other_of(
        &mut self,
        line: Line,
        service: &Service,
        tried: &[Choice],
        look: impl Fn(usize, usize) -> Look,
    ) -> Option<Choice> {
        let was_tried = |backend: usize, endpoint: usize| {
            let same = |c: &Choice| c.backend == backend && c.endpoint == endpoint;
            tried.iter().any(same)
        };
        let backends = &self.backends;
        let gate = |at: usize, _: &Backend| {
            let endpoints = backends.get(at)?;
            endpoints.gate(line, |e| !was_tried(at, e), |e| look(at, e))
        };
        let (backend, worst) = elsewhere::backend(service, tried, &mut self.rng, gate)?;
        let endpoints = self.backends.get_mut(backend)?;
        let was_tried = |endpoint| was_tried(backend, endpoint);
        let balance = &service.spec.balance;
        let look = |e| look(backend, e);
        let endpoint = endpoints.pick_untried(line, balance, worst, was_tried, look)?;
        Some(Choice {
            backend,
            endpoint,
            why: PickReason::Retry,
        })
    }
}

#[cfg(test)]
mod tests;
