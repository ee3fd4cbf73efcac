//! The choice of an endpoint inside a backend: first the side, where the edge has a zone and the backend has endpoints in
//! it; then one of that side's endpoints, by the service's algorithm. Where a side has none that may, the other is asked.
//! [`group`](super::group) chooses by load, by turn or by chance, [`by_key`](super::by_key) by a key.

use std::sync::Arc;

use bascule_model::{BackendName, Rng};

use super::by_key::ByKey;
use super::group::Group;
use super::{Gate, Look};
use crate::hash::Key;
use crate::maglev::Table;
use crate::snapshot::Backend;
use crate::spec::{Algorithm, Balance};

/// A whole pick, in parts of a side.
const WHOLE: u64 = 10_000;
/// What decides which side a key belongs to is not what decides about the endpoint.
const SIDE: u64 = 0x7a6f_6e65_0000_0000;

/// The usable endpoints of one backend.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    backend: BackendName,
    near: Group,
    far: Group,
    /// Those that stand in reserve: for a further try, where nobody else is left.
    reserve: Group,
    /// The part of the picks that the near side gets, and what it is owed of the picks so far.
    near_part: u64,
    near_owed: u64,
    table: Option<Arc<Table>>,
}

/// Which of a backend's endpoints are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// Those that are usable.
    First,
    /// Those that stand in reserve.
    Reserve,
}

/// How a request is placed.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) balance: &'a Balance,
    pub(super) key: Option<Key>,
}

impl Endpoints {
    /// The usable endpoints of `backend`, going on where `known` stood.
    pub(super) fn new(backend: &Backend, known: Option<&Self>, rng: &mut Rng) -> Self {
        let side = |is_near: bool| {
            let endpoints = backend.endpoints.iter().enumerate();
            endpoints.filter(move |(_, e)| e.usable && e.is_near == is_near)
        };
        let reserve = backend.endpoints.iter().enumerate();
        let reserve = reserve.filter(|(_, endpoint)| endpoint.may_step_in());
        let near = Group::new(side(true), known.map(|old| &old.near), rng);
        let far = Group::new(side(false), known.map(|old| &old.far), rng);
        Self {
            backend: backend.name.clone(),
            near,
            far,
            reserve: Group::new(reserve, known.map(|old| &old.reserve), rng),
            near_part: u64::from(backend.near.get()),
            near_owed: known.map_or(0, |old| old.near_owed),
            table: backend.table.clone(),
        }
    }

    pub(super) const fn backend(&self) -> &BackendName {
        &self.backend
    }

    /// How many are usable.
    pub(super) const fn len(&self) -> usize {
        self.near.len() + self.far.len()
    }

    fn all(&self) -> impl Iterator<Item = usize> {
        self.of(Line::First)
    }

    fn of(&self, line: Line) -> impl Iterator<Item = usize> {
        let (first, second) = match line {
            Line::First => (&self.near.candidates, self.far.candidates.as_slice()),
            Line::Reserve => (&self.reserve.candidates, [].as_slice()),
        };
        let candidates = first.iter().chain(second);
        candidates.map(|candidate| candidate.endpoint)
    }

    /// The best gate of those that `may` go there; `None` when there are none.
    pub(super) fn gate(
        &self,
        line: Line,
        may: impl Fn(usize) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<Gate> {
        let mut best = None;
        for endpoint in self.of(line).filter(|endpoint| may(*endpoint)) {
            let gate = look(endpoint).gate;
            best = Some(best.map_or(gate, |best: Gate| best.min(gate)));
            if gate == Gate::Open {
                break;
            }
        }
        best
    }

    /// Whether some are full.
    pub(super) fn is_full_somewhere(&self, look: impl Fn(usize) -> Look) -> bool {
        self.all().any(|endpoint| look(endpoint).gate == Gate::Full)
    }

    /// Chooses among those whose gate is `worst` or better; an index into [`Backend::endpoints`].
    pub(super) fn pick(
        &mut self,
        how: How<'_>,
        worst: Gate,
        rng: &mut Rng,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let by_key = by_key(how, self.table.as_deref());
        let mut choose = |group: &mut Group| match by_key {
            Some(by_key) => by_key.pick(group, worst, &look),
            None => group.pick(how.balance.algorithm, worst, rng, &look),
        };
        if self.far.len() == 0 {
            return choose(&mut self.near);
        }
        let is_near = match by_key {
            Some(by_key) => by_key.key.with(SIDE) % WHOLE < self.near_part,
            None => {
                self.near_owed += self.near_part;
                let is_due = self.near_owed >= WHOLE;
                self.near_owed -= if is_due { WHOLE } else { 0 };
                is_due
            }
        };
        let (first, second) = if is_near {
            (&mut self.near, &mut self.far)
        } else {
            (&mut self.far, &mut self.near)
        };
        choose(first).or_else(|| choose(second))
    }

    /// The one with the least to do that was not tried, of those whose gate is `worst` or better; near before far.
    pub(super) fn pick_untried(
        &mut self,
        line: Line,
        balance: &Balance,
        worst: Gate,
        was_tried: impl Fn(usize) -> bool,
        look: impl Fn(usize) -> Look,
    ) -> Option<usize> {
        let algorithm = balance.algorithm;
        if line == Line::Reserve {
            return self.reserve.pick_untried(algorithm, worst, was_tried, look);
        }
        let near = self.near.pick_untried(algorithm, worst, &was_tried, &look);
        near.or_else(|| self.far.pick_untried(algorithm, worst, was_tried, look))
    }
}

/// How the key is followed, where there is one. Whoever gives one means it to be followed: where the algorithm is another,
/// as for requests that are kept together, all endpoints are compared.
fn by_key<'a>(how: How<'_>, table: Option<&'a Table>) -> Option<ByKey<'a>> {
    let table = match how.balance.algorithm {
        Algorithm::Maglev => table,
        _ => None,
    };
    Some(ByKey {
        key: how.key?,
        table,
        bound: how.balance.bound,
    })
}
