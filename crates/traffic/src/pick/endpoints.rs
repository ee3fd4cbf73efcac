//! The choice of an endpoint inside a backend. An endpoint whose weight is below that of the others, because it is
//! returning, gets that part of what it would get: it stands aside in the other picks, and its load counts for more.
//! A choice never allocates; which endpoints are usable is found out once, for each snapshot. Whether one may get this
//! request its gate says, at every pick.

use std::sync::Arc;

use bascule_model::{BackendName, EndpointId, Rng};

use super::{Gate, Look};
use crate::snapshot::Backend;
use crate::spec::Algorithm;

/// Up to here the least loaded is found by looking at all: with two random choices of two the busier one still gets a
/// quarter of the picks.
const SCAN_MAX: usize = 8;

/// The usable endpoints of one backend.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    backend: BackendName,
    candidates: Vec<Candidate>,
    weight_max: u64,
    weight_sum: u64,
    /// The candidate where the next round robin or scan begins.
    next: usize,
}

#[derive(Debug, Clone)]
struct Candidate {
    id: Arc<EndpointId>,
    /// Index into [`Backend::endpoints`].
    endpoint: usize,
    /// Above zero.
    weight: u64,
    /// The sum of the weights up to and with this one.
    weight_up_to: u64,
}

impl Endpoints {
    /// The usable endpoints of `backend`, going on where `known` stood, or anywhere: workers must not march in step.
    pub(super) fn new(backend: &Backend, known: Option<&Self>, rng: &mut Rng) -> Self {
        let mut weight_sum = 0;
        let usable = backend.endpoints.iter().enumerate();
        let candidates: Vec<Candidate> = usable
            .filter(|(_, endpoint)| endpoint.usable)
            .map(|(index, endpoint)| {
                let weight = u64::from(endpoint.weight.get()).max(1);
                weight_sum += weight;
                Candidate {
                    id: Arc::clone(&endpoint.id),
                    endpoint: index,
                    weight,
                    weight_up_to: weight_sum,
                }
            })
            .collect();
        let count = candidates.len();
        // Ids are in order, so the one that was next, or the first after it, is found though some came or went.
        let id_next = known
            .and_then(|old| old.candidates.get(old.next))
            .map(|c| &c.id);
        let next = match id_next {
            Some(id) => candidates.partition_point(|c| c.id < *id),
            None => usize::try_from(rng.below(u64::try_from(count).unwrap_or(0))).unwrap_or(0),
        };
        Self {
            backend: backend.name.clone(),
            weight_max: candidates.iter().map(|c| c.weight).max().unwrap_or(1),
            weight_sum,
            next: if next < count { next } else { 0 },
            candidates,
        }
    }

    pub(super) const fn backend(&self) -> &BackendName {
        &self.backend
    }

    /// How many are usable.
    pub(super) const fn len(&self) -> usize {
        self.candidates.len()
    }

    /// The best gate of those that `may` go there; `None` when there are none.
    pub(super) fn gate(
        &self,
        may: impl Fn(usize) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<Gate> {
        let mut best = None;
        for candidate in self.candidates.iter().filter(|c| may(c.endpoint)) {
            let gate = look(candidate.endpoint).gate;
            best = Some(best.map_or(gate, |best: Gate| best.min(gate)));
            if gate == Gate::Open {
                break;
            }
        }
        best
    }

    /// Whether some are full.
    pub(super) fn is_full_somewhere(&self, look: impl Fn(usize) -> Look) -> bool {
        let is_full = |c: &Candidate| look(c.endpoint).gate == Gate::Full;
        self.candidates.iter().any(is_full)
    }

    /// Chooses by the algorithm among those whose gate is `worst` or better; an index into [`Backend::endpoints`].
    pub(super) fn pick(
        &mut self,
        algorithm: Algorithm,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let may = |look: Look| look.gate <= worst;
        let candidate = match (algorithm, self.candidates.len()) {
            (_, 0) => None,
            (_, 1) => self.candidates.first().filter(|c| may(look(c.endpoint))),
            (Algorithm::Random, _) => self.random(worst, rng, look),
            (Algorithm::RoundRobin, _) => {
                let look = |endpoint| Look::open(0).with_gate(look(endpoint).gate);
                self.least(worst, rng, look)
            }
            (Algorithm::LeastRequest, ..=SCAN_MAX) => self.least(worst, rng, look),
            (Algorithm::LeastRequest, _) => self.of_two(worst, rng, look),
        };
        candidate.map(|candidate| candidate.endpoint)
    }

    /// The least loaded that was not tried, of those whose gate is `worst` or better.
    pub(super) fn pick_untried(
        &mut self,
        worst: Gate,
        was_tried: impl Fn(usize) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        self.scan(worst, |c| !was_tried(c.endpoint), look)
            .map(|candidate| candidate.endpoint)
    }

    /// What a weight must exceed to take part in a pick: a weight that is half of the greatest does in half of them.
    fn chance(&self, rng: &mut Rng) -> u64 {
        let all_equal = self.weight_sum == self.weight_max * self.count();
        if all_equal {
            0
        } else {
            rng.below(self.weight_max)
        }
    }

    fn count(&self) -> u64 {
        u64::try_from(self.candidates.len()).unwrap_or(u64::MAX)
    }

    /// The least loaded of all, a lighter one only in its part of the picks; where none of these may, of all that may.
    fn least(
        &mut self,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<&Candidate> {
        let chance = self.chance(rng);
        let weight_max = self.weight_max;
        let takes_part = |c: &Candidate| c.weight == weight_max || c.weight > chance;
        let found = self.scan_at(worst, takes_part, &look);
        let at = found.or_else(|| self.scan_at(worst, |_| true, &look))?;
        self.step_beyond(at)
    }

    fn scan(
        &mut self,
        worst: Gate,
        takes_part: impl Fn(&Candidate) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<&Candidate> {
        let at = self.scan_at(worst, takes_part, look)?;
        self.step_beyond(at)
    }

    /// The next scan begins behind this one.
    fn step_beyond(&mut self, at: usize) -> Option<&Candidate> {
        let count = self.candidates.len();
        self.next = if at + 1 < count { at + 1 } else { 0 };
        self.candidates.get(at)
    }

    /// The least loaded of all that take part and may; of equals the one that comes first from where the last scan ended.
    fn scan_at(
        &self,
        worst: Gate,
        takes_part: impl Fn(&Candidate) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let mut best: Option<(usize, u64, u64)> = None;
        for at in (self.next..self.candidates.len()).chain(0..self.next) {
            let Some(candidate) = self.candidates.get(at).filter(|c| takes_part(c)) else {
                continue;
            };
            let look = look(candidate.endpoint);
            if look.gate > worst {
                continue;
            }
            let load = u64::from(look.in_flight);
            let lighter = |(_, best_load, best_weight): (usize, u64, u64)| {
                load * best_weight < best_load * candidate.weight
            };
            if best.is_none_or(lighter) {
                best = Some((at, load, candidate.weight));
            }
        }
        best.map(|(at, _, _)| at)
    }

    /// Any, in proportion to weights: one draw, and where that one may not, another among all that may.
    fn random(
        &self,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<&Candidate> {
        let drawn = self.draw(rng);
        drawn
            .filter(|c| look(c.endpoint).gate <= worst)
            .or_else(|| self.random_of_those_that_may(worst, rng, look))
    }

    fn draw(&self, rng: &mut Rng) -> Option<&Candidate> {
        let at = rng.below(self.weight_sum);
        self.candidates
            .get(self.candidates.partition_point(|c| c.weight_up_to <= at))
    }

    fn random_of_those_that_may(
        &self,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<&Candidate> {
        let mut sum = 0;
        let mut held = None;
        let may = |c: &&Candidate| look(c.endpoint).gate <= worst;
        // One pass: the n-th replaces the one held with its part of the weights so far.
        for candidate in self.candidates.iter().filter(may) {
            sum += candidate.weight;
            if rng.below(sum) < candidate.weight {
                held = Some(candidate);
            }
        }
        held
    }

    /// The less loaded of two that chance gives, in proportion to weights; if one of them may not, the other.
    fn of_two(
        &self,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<&Candidate> {
        let first = self.draw(rng)?;
        // Without the first: what lies beyond it moves up by its weight.
        let at = rng.below(self.weight_sum - first.weight);
        let skipped = if at >= first.weight_up_to - first.weight {
            first.weight
        } else {
            0
        };
        let second = self
            .candidates
            .partition_point(|c| c.weight_up_to <= at + skipped);
        let second = self.candidates.get(second)?;
        let (of_first, of_second) = (look(first.endpoint), look(second.endpoint));
        let burden = |look: Look, other: &Candidate| u64::from(look.in_flight) * other.weight;
        match (of_first.gate <= worst, of_second.gate <= worst) {
            (true, true) if burden(of_second, first) < burden(of_first, second) => Some(second),
            (true, _) => Some(first),
            (false, true) => Some(second),
            (false, false) => self.random_of_those_that_may(worst, rng, look),
        }
    }
}
