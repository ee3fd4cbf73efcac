//! Endpoints that are chosen from as one: those of a backend, or those of one zone of it. An endpoint whose weight is below
//! that of the others, by configuration or because it is returning, gets that part of what it would get: it stands aside
//! in the other picks, and its load counts for more. A choice never allocates; which endpoints are usable is found out once,
//! for each snapshot. Whether one may get this request its gate says, at every pick.
//!
//! Next: [`by_key`](super::by_key) for the algorithms that follow a key.

use std::sync::Arc;

use bascule_model::{BasisPoints, EndpointId, Rng};

use super::{Gate, Look};
use crate::hash;
use crate::latency::UNSEEN_NANOS;
use crate::snapshot::Endpoint;
use crate::spec::Algorithm;

/// Up to here the least loaded is found by looking at all: with two random choices of two the busier one still gets a
/// quarter of the picks.
const SCAN_MAX: usize = 8;

/// Usable endpoints, ordered by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) candidates: Vec<Candidate>,
    weight_max: u64,
    pub(super) weight_sum: u64,
    /// The candidate where the next round robin or scan begins.
    next: usize,
}

/// One endpoint that may be chosen.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    id: Arc<EndpointId>,
    /// Index into [`Backend::endpoints`](crate::snapshot::Backend::endpoints).
    pub(super) endpoint: usize,
    /// What it is to keys.
    pub(super) hash: u64,
    /// Its weight by configuration, and how much of it it can take now: of the one that can take most, all.
    pub(super) declared: u64,
    pub(super) ramp: BasisPoints,
    /// Both together; above zero.
    pub(super) weight: u64,
    /// The sum of the weights up to and with this one.
    weight_up_to: u64,
}

/// What counts as little to do.
#[derive(Debug, Clone, Copy)]
enum Measure {
    /// Requests in flight.
    Requests,
    /// The time that what is in flight and one more would take.
    Latency,
    /// Nothing: all are equal.
    Turn,
}

/// What an endpoint has to do, by some measure.
#[derive(Debug, Clone, Copy)]
struct Burden {
    /// What is there already.
    queue: u64,
    /// What this request adds, where that differs between endpoints.
    own: u64,
    /// What each costs; `None`: not known yet.
    each: Option<u64>,
}

impl Measure {
    fn of(self, look: Look) -> Burden {
        let in_flight = u64::from(look.in_flight);
        let (queue, own, each) = match self {
            Self::Requests => (in_flight, 0, Some(1)),
            Self::Latency => (in_flight, 1, look.latency),
            Self::Turn => (0, 0, Some(1)),
        };
        Burden { queue, own, each }
    }
}

/// One of several endpoints that are compared.
#[derive(Debug, Clone, Copy)]
struct Rival {
    at: usize,
    weight: u64,
    burden: Burden,
}

impl Rival {
    /// Whether it has less to do than another. A queue counts for more the lighter the endpoint is; the request itself does
    /// not, as a light one takes part in fewer picks. What is not known counts as `unseen`.
    fn is_lighter(&self, other: &Self, weight_max: u64, unseen: u64) -> bool {
        let cost = |rival: &Self, weight: u64| {
            let Burden { queue, own, each } = rival.burden;
            let length = queue * weight_max + own * rival.weight;
            let length = u128::from(length) * u128::from(weight);
            length.saturating_mul(u128::from(each.unwrap_or(unseen)))
        };
        cost(self, other.weight) < cost(other, self.weight)
    }
}

/// A weight beside the greatest.
fn part_of(weight: BasisPoints, most: BasisPoints) -> BasisPoints {
    let ratio = u32::from(weight.get()) * 10_000 / u32::from(most.get()).max(1);
    BasisPoints::saturating(u16::try_from(ratio).unwrap_or(u16::MAX))
}

impl Group {
    /// These endpoints, going on where `known` stood, or anywhere: workers must not march in step.
    pub(super) fn new<'a>(
        endpoints: impl Iterator<Item = (usize, &'a Endpoint)>,
        known: Option<&Self>,
        rng: &mut Rng,
    ) -> Self {
        let mut weight_sum = 0;
        let endpoints: Vec<_> = endpoints.collect();
        let most = endpoints.iter().map(|(_, e)| e.weight).max();
        let most = most.unwrap_or(BasisPoints::FULL);
        let candidates: Vec<Candidate> = endpoints
            .into_iter()
            .map(|(index, endpoint)| {
                let declared = u64::from(endpoint.declared).max(1);
                let weight = (declared * u64::from(endpoint.weight.get()) / 10_000).max(1);
                weight_sum += weight;
                Candidate {
                    id: Arc::clone(&endpoint.id),
                    endpoint: index,
                    hash: hash::of_endpoint(&endpoint.id),
                    declared,
                    ramp: part_of(endpoint.weight, most),
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
            weight_max: candidates.iter().map(|c| c.weight).max().unwrap_or(1),
            weight_sum,
            next: if next < count { next } else { 0 },
            candidates,
        }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Chooses among those whose gate is `worst` or better; an index into the backend's endpoints. Algorithms that follow a
    /// key come here for requests without one, which go to the least loaded.
    pub(super) fn pick(
        &mut self,
        algorithm: Algorithm,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let measure = match algorithm {
            Algorithm::Random | Algorithm::RoundRobin => Measure::Turn,
            Algorithm::PeakEwma => Measure::Latency,
            Algorithm::LeastRequest | Algorithm::Maglev | Algorithm::Rendezvous => {
                Measure::Requests
            }
        };
        let candidate = match (algorithm, self.candidates.len()) {
            (_, 0) => None,
            (_, 1) => {
                let only = self.candidates.first();
                only.filter(|c| look(c.endpoint).gate <= worst)
            }
            (Algorithm::Random, _) => self.random(worst, rng, look),
            (Algorithm::RoundRobin, _) | (_, ..=SCAN_MAX) => self.least(measure, worst, rng, look),
            _ => self.of_two(measure, worst, rng, look),
        };
        candidate.map(|candidate| candidate.endpoint)
    }

    /// The one with the least to do that was not tried, of those whose gate is `worst` or better.
    pub(super) fn pick_untried(
        &mut self,
        algorithm: Algorithm,
        worst: Gate,
        was_tried: impl Fn(usize) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let measure = match algorithm {
            Algorithm::PeakEwma => Measure::Latency,
            _ => Measure::Requests,
        };
        let at = self.scan(measure, worst, |c| !was_tried(c.endpoint), look)?;
        self.step_beyond(at).map(|candidate| candidate.endpoint)
    }

    /// The one with the least to do of all, a lighter one only in its part of the picks: one that has half of the greatest
    /// weight in half of them, each by a draw of its own. Where none of these may, of all that may.
    fn least(
        &mut self,
        measure: Measure,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<&Candidate> {
        let weight_max = self.weight_max;
        let takes_part = |c: &Candidate| c.weight == weight_max || rng.below(weight_max) < c.weight;
        let found = self.scan(measure, worst, takes_part, &look);
        let at = found.or_else(|| self.scan(measure, worst, |_| true, &look))?;
        self.step_beyond(at)
    }

    /// The next scan begins behind this one.
    fn step_beyond(&mut self, at: usize) -> Option<&Candidate> {
        let count = self.candidates.len();
        self.next = if at + 1 < count { at + 1 } else { 0 };
        self.candidates.get(at)
    }

    /// The one with the least to do of all that take part and may; of equals the one that comes first from where the last
    /// scan ended.
    fn scan(
        &self,
        measure: Measure,
        worst: Gate,
        mut takes_part: impl FnMut(&Candidate) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let mut best: Option<Rival> = None;
        // Those of which nothing is known are compared among themselves, and their best with the best in the end. One that is
        // new counts as the fastest of all others, or its first request would wait until their averages are forgotten.
        let mut best_unseen: Option<Rival> = None;
        let mut unseen = UNSEEN_NANOS;
        for at in (self.next..self.candidates.len()).chain(0..self.next) {
            let Some(candidate) = self.candidates.get(at).filter(|c| takes_part(c)) else {
                continue;
            };
            let look = look(candidate.endpoint);
            if look.gate > worst {
                continue;
            }
            let rival = Rival {
                at,
                weight: candidate.weight,
                burden: measure.of(look),
            };
            let held = match rival.burden.each {
                Some(each) => {
                    unseen = unseen.min(each);
                    &mut best
                }
                None => &mut best_unseen,
            };
            if held.is_none_or(|held| rival.is_lighter(&held, self.weight_max, 1)) {
                *held = Some(rival);
            }
        }
        let winner = match (best, best_unseen) {
            (Some(seen), Some(new)) if seen.is_lighter(&new, self.weight_max, unseen) => Some(seen),
            (seen, new) => new.or(seen),
        };
        winner.map(|rival| rival.at)
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

    /// The one with less to do of two that chance gives, in proportion to weights; if one of them may not, the other.
    fn of_two(
        &self,
        measure: Measure,
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
        let seen = [first, second].map(|c| (c, look(c.endpoint)));
        let [a, b] = seen.map(|(c, look)| Rival {
            at: c.endpoint,
            weight: c.weight,
            burden: measure.of(look),
        });
        let [may_first, may_second] = seen.map(|(_, look)| look.gate <= worst);
        let known = a.burden.each.into_iter().chain(b.burden.each);
        let unseen = known.min().unwrap_or(UNSEEN_NANOS).min(UNSEEN_NANOS);
        match (may_first, may_second) {
            (true, true) if b.is_lighter(&a, self.weight_max, unseen) => Some(second),
            (true, _) => Some(first),
            (false, true) => Some(second),
            (false, false) => self.random_of_those_that_may(worst, rng, look),
        }
    }
}
