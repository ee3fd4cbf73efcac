//! The choice of an endpoint inside a backend. An endpoint whose weight is below that of the others, because it is
//! returning, gets that part of what it would get: it stands aside in the other picks, and its load counts for more.
//! A choice never allocates; which endpoints are usable is found out once, for each snapshot.

use std::sync::Arc;

use bascule_model::{BackendName, EndpointId, Rng};

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

    /// Chooses by the algorithm; an index into [`Backend::endpoints`].
    pub(super) fn pick(
        &mut self,
        algorithm: Algorithm,
        rng: &mut Rng,
        load: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        let candidate = match (algorithm, self.candidates.len()) {
            (_, 0) => None,
            (_, 1) => self.candidates.first(),
            (Algorithm::Random, _) => self.random(rng),
            (Algorithm::RoundRobin, _) => self.round_robin(rng),
            (Algorithm::LeastRequest, ..=SCAN_MAX) => {
                let chance = self.chance(rng);
                let weight_max = self.weight_max;
                self.scan(|c| c.weight == weight_max || c.weight > chance, load)
            }
            (Algorithm::LeastRequest, _) => self.of_two(rng, load),
        };
        candidate.map(|candidate| candidate.endpoint)
    }

    /// The least loaded that was not tried.
    pub(super) fn pick_untried(
        &mut self,
        was_tried: impl Fn(usize) -> bool,
        load: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        self.scan(|c| !was_tried(c.endpoint), load)
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

    /// The least loaded of all that take part; of equals the one that comes first from where the last scan ended.
    fn scan(
        &mut self,
        takes_part: impl Fn(&Candidate) -> bool,
        load: impl Fn(usize) -> u32,
    ) -> Option<&Candidate> {
        let count = self.candidates.len();
        let mut best: Option<(usize, u64, u64)> = None;
        for at in (self.next..count).chain(0..self.next) {
            let Some(candidate) = self.candidates.get(at).filter(|c| takes_part(c)) else {
                continue;
            };
            let load = u64::from(load(candidate.endpoint));
            let lighter = |(_, best_load, best_weight): (usize, u64, u64)| {
                load * best_weight < best_load * candidate.weight
            };
            if best.is_none_or(lighter) {
                best = Some((at, load, candidate.weight));
            }
        }
        let (at, _, _) = best?;
        self.next = if at + 1 < count { at + 1 } else { 0 };
        self.candidates.get(at)
    }

    /// The next one; a lighter one is passed over in its part of the rounds.
    fn round_robin(&mut self, rng: &mut Rng) -> Option<&Candidate> {
        let chance = self.chance(rng);
        let weight_max = self.weight_max;
        self.scan(|c| c.weight == weight_max || c.weight > chance, |_| 0)
    }

    fn random(&self, rng: &mut Rng) -> Option<&Candidate> {
        let at = rng.below(self.weight_sum);
        self.candidates
            .get(self.candidates.partition_point(|c| c.weight_up_to <= at))
    }

    /// The less loaded of two that chance gives, in proportion to weights.
    fn of_two(&self, rng: &mut Rng, load: impl Fn(usize) -> u32) -> Option<&Candidate> {
        let first = self.random(rng)?;
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
        let burden = |a: &Candidate, b: &Candidate| u64::from(load(a.endpoint)) * b.weight;
        let second_is_lighter = burden(second, first) < burden(first, second);
        Some(if second_is_lighter { second } else { first })
    }
}
