//! The proof of an evacuation: once all workers have the provider at off, client-side probes ask who answers, and the
//! edge's own counts say who got new requests meanwhile. Repeated a few times when it does not hold; what was seen last
//! is kept either way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bascule_model::{BackendName, Instant, Revision, ServiceName};

use super::meter::Meter;
use super::{Now, Probes};
use crate::view::Proof;

/// Probes sent to each service.
pub(super) const PROBES: u32 = 20;
/// Tries until what was seen is kept though it does not prove it.
const TRIES_MAX: u32 = 5;
/// Time between tries.
const PAUSE: Duration = Duration::from_secs(2);

/// The proofs being made, by evacuation.
pub(super) type Proofs = BTreeMap<String, Proving>;

/// Services with their backends that are evacuated.
pub(super) type Evacuated = BTreeMap<ServiceName, BTreeSet<BackendName>>;

/// A proof being made.
#[derive(Debug)]
pub(super) struct Proving {
    /// The revision that all workers confirmed.
    revision: Revision,
    workers: usize,
    stage: Stage,
    tries: u32,
}

#[derive(Debug)]
enum Stage {
    /// For a reading that is later than this.
    Counting(Instant),
    /// For the probes, with the picks before them.
    Asking(Picks),
    /// For a reading that is later than the answers.
    Answered(Picks, Probes, Now),
    /// Before the next try.
    Paused(Instant),
    /// Until the state has it.
    Done(Box<Proof>),
}

#[derive(Debug, Clone, Copy, Default)]
struct Picks {
    evacuated: u64,
    elsewhere: u64,
}

/// What a proof needs.
#[derive(Debug, PartialEq)]
pub(super) enum Need {
    /// Time or readings.
    Nothing,
    /// Probes to be sent.
    Probes,
}

impl Proving {
    /// A proof to be made of a revision that all workers use.
    pub(super) const fn new(now: Instant, revision: Revision, workers: usize) -> Self {
        Self {
            revision,
            workers,
            stage: Stage::Counting(now),
            tries: 0,
        }
    }

    /// The proof, once there is one to be kept.
    pub(super) fn done(&self) -> Option<&Proof> {
        match &self.stage {
            Stage::Done(proof) => Some(proof),
            _ => None,
        }
    }

    /// When it goes on by itself.
    pub(super) const fn timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Paused(until) => Some(until),
            _ => None,
        }
    }

    /// The probes were answered.
    pub(super) fn answered(&mut self, now: Now, probes: Probes) {
        if let Stage::Asking(before) = self.stage {
            self.stage = Stage::Answered(before, probes, now);
        }
    }

    /// Goes on as far as it can. Probes are asked for only when `may_ask`.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        meter: &Meter,
        out: &Evacuated,
        may_ask: MayAsk,
    ) -> Need {
        let read_after = |at: Instant| meter.latest_at().is_some_and(|read| read > at);
        match &self.stage {
            Stage::Paused(until) if now >= *until => self.stage = Stage::Counting(now),
            Stage::Counting(from) if read_after(*from) && may_ask == MayAsk::Yes => {
                self.tries += 1;
                self.stage = Stage::Asking(picks(meter, out));
                return Need::Probes;
            }
            Stage::Answered(before, probes, at) if read_after(at.instant) => {
                let proof = self.proof(*before, picks(meter, out), probes, *at, out);
                self.stage = if proof.holds || self.tries >= TRIES_MAX {
                    Stage::Done(Box::new(proof))
                } else {
                    Stage::Paused(now + PAUSE)
                };
            }
            _ => {}
        }
        Need::Nothing
    }

    fn proof(
        &self,
        before: Picks,
        after: Picks,
        probes: &Probes,
        at: Now,
        out: &Evacuated,
    ) -> Proof {
        let mut answered: BTreeMap<BackendName, u32> = BTreeMap::new();
        let mut wrong = 0;
        for ((service, backend), count) in &probes.answered {
            *answered.entry(backend.clone()).or_default() += count;
            if out
                .get(service)
                .is_some_and(|names| names.contains(backend))
            {
                wrong += count;
            }
        }
        let total: u32 = answered.values().sum();
        let picks_on_evacuated = after.evacuated.saturating_sub(before.evacuated);
        Proof {
            at: at.wall,
            revision: self.revision,
            workers: self.workers,
            probes: total + probes.failed,
            answered,
            failed: probes.failed,
            picks_on_evacuated,
            picks_elsewhere: after.elsewhere.saturating_sub(before.elsewhere),
            holds: wrong == 0 && total > 0 && picks_on_evacuated == 0,
        }
    }
}

/// Whether probes may be asked for: only one asks at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MayAsk {
    Yes,
    No,
}

fn picks(meter: &Meter, out: &Evacuated) -> Picks {
    let mut picks = Picks::default();
    for (service, names) in out {
        for (backend, totals) in meter.service(service) {
            if names.contains(&backend) {
                picks.evacuated += totals.picks;
            } else {
                picks.elsewhere += totals.picks;
            }
        }
    }
    picks
}
