//! The life of an evacuation: shift to off in every service, prove, drain, hold, and come back in a restore that health
//! gates. It never ends otherwise than in a restore.

use std::time::Duration;

use bascule_model::{ProviderName, ServiceName, Timestamp};

use super::draft::{Draft, Who};
use super::prove::Evacuated;
use super::shift::{Begin, Tempo};
use super::wanted::wanted;
use super::{Facts, Notice, Persisted};
use crate::policy::ServicePolicy;
use crate::view::{EvacuationPhase, EvacuationView, ShiftCause};

/// Steps to off: two rests are enough to see receivers struggle, and it is over in 20 seconds.
const OUT_STEPS: u16 = 3;
/// The longest a step to off is watched.
const OUT_BAKE: Duration = Duration::from_secs(10);
/// Steps on the way back: slower than out, as what returns is cold and not yet trusted.
const BACK_STEPS: u16 = 8;
/// The longest a step back is watched.
const BACK_BAKE: Duration = Duration::from_secs(30);

/// How fast an evacuation goes.
pub(super) fn tempo_out(policy: &ServicePolicy, fast: bool) -> Tempo {
    let bake = policy.bake.min(OUT_BAKE);
    if fast {
        Tempo::at_once()
    } else {
        Tempo::in_steps(OUT_STEPS, bake)
    }
}

/// How fast a restore goes.
pub(super) fn tempo_back(policy: &ServicePolicy) -> Tempo {
    Tempo::in_steps(BACK_STEPS, policy.bake.min(BACK_BAKE))
}

impl Tempo {
    /// One step, unjudged: somebody decided that it must be now.
    pub(super) const fn at_once() -> Self {
        Self {
            pace: bascule_model::BasisPoints::FULL,
            steps: Some(1),
            bake: Duration::ZERO,
            judged: false,
        }
    }

    fn in_steps(steps: u16, bake: Duration) -> Self {
        Self {
            pace: bascule_model::BasisPoints::saturating(10_000_u16.div_ceil(steps.max(1))),
            steps: Some(usize::from(steps)),
            bake,
            judged: true,
        }
    }
}

/// The services that an evacuation of the provider concerns, with the backends it takes out. Services in which it cannot
/// hold, as nobody else is left, are not among them.
pub(super) fn scope(state: &Persisted, facts: &Facts, provider: &ProviderName) -> Evacuated {
    let backends = |(service, facts): (&ServiceName, &crate::ServiceFacts)| {
        let names: std::collections::BTreeSet<_> = facts
            .backends
            .iter()
            .filter(|(_, backend)| &backend.provider == provider)
            .map(|(name, _)| name.clone())
            .collect();
        let wanted = wanted(state, service, facts);
        let holds = names.iter().all(|name| wanted.off.contains(name));
        (!names.is_empty() && holds).then(|| (service.clone(), names))
    };
    facts.iter().filter_map(backends).collect()
}

/// All services that have a backend of the provider. When its evacuation ends they are looked at one and all: one in which
/// it could not hold may be one in which another evacuation now can.
fn concerned(facts: &Facts, provider: &ProviderName) -> Vec<ServiceName> {
    let has = |facts: &crate::ServiceFacts| {
        facts
            .backends
            .values()
            .any(|backend| &backend.provider == provider)
    };
    facts
        .iter()
        .filter(|(_, facts)| has(facts))
        .map(|(service, _)| service.clone())
        .collect()
}

/// Requests that run on what is evacuated.
pub(super) fn running(meter: &super::meter::Meter, out: &Evacuated) -> u64 {
    out.iter()
        .flat_map(|(service, names)| names.iter().map(move |name| (service, name)))
        .map(|(service, name)| meter.backend(service, name).in_flight)
        .sum()
}

impl Draft<'_> {
    /// What is due for every evacuation.
    pub(super) fn advance_evacuations(&mut self) {
        let open: Vec<EvacuationView> = self
            .state
            .evacuations
            .values()
            .filter(|e| e.phase != EvacuationPhase::Restored)
            .cloned()
            .collect();
        for evacuation in open {
            self.advance_evacuation(evacuation);
        }
    }

    fn advance_evacuation(&mut self, mut evacuation: EvacuationView) {
        let wall = self.world.now.wall;
        if !evacuation.phase.is_over() && evacuation.expires_at <= wall {
            let who = Who::own("the evacuation's time is over");
            let object = evacuation.id.clone();
            self.restore(&object, &who, "its time is over");
            self.log(&who, "expire", object);
            return;
        }
        let Some(note) = self.phase_due(&mut evacuation) else {
            return;
        };
        evacuation.note = note;
        let (id, phase) = (evacuation.id.clone(), evacuation.phase.as_str());
        self.put_evacuation(evacuation);
        self.log(&Who::own(phase), "evacuation", id);
    }

    /// Brings the evacuation to the phase that is due, and says why; `None` when it stays.
    fn phase_due(&self, evacuation: &mut EvacuationView) -> Option<String> {
        let (world, id) = (self.world, &evacuation.id);
        let moves = self
            .state
            .shifts
            .values()
            .any(|shift| shift.evacuation.as_ref() == Some(id) && !shift.view.phase.is_ended());
        let out = scope(&self.state, world.facts, &evacuation.provider);
        match evacuation.phase {
            EvacuationPhase::Shifting => {
                let is_out = world.confirmed >= world.before.revision && self.is_out(&out);
                if moves || !is_out {
                    return None;
                }
                evacuation.phase = EvacuationPhase::Proving;
                Some(String::new())
            }
            EvacuationPhase::Proving => {
                let proof = world.proofs.get(id)?.done()?.clone();
                let note = if proof.holds {
                    String::new()
                } else {
                    "the probes could not prove it, see the proof".to_owned()
                };
                evacuation.proof = Some(proof);
                evacuation.phase = EvacuationPhase::Draining;
                evacuation.drain_deadline = world.now.wall + self.drain_time(&out);
                Some(note)
            }
            EvacuationPhase::Draining => {
                let left = running(world.meter, &out);
                let is_empty = left == 0 && world.meter.is_fresh(world.now.instant);
                let is_late = world.now.wall >= evacuation.drain_deadline;
                if !is_empty && !is_late {
                    return None;
                }
                evacuation.phase = EvacuationPhase::Evacuated;
                evacuation.running = left;
                Some(match (is_empty, evacuation.note.as_str()) {
                    (true, note) => note.to_owned(),
                    (false, _) => format!("{left} requests still ran at the drain deadline"),
                })
            }
            EvacuationPhase::Restoring if !moves => {
                evacuation.phase = EvacuationPhase::Restored;
                Some(evacuation.note.clone())
            }
            EvacuationPhase::Evacuated | EvacuationPhase::Restoring | EvacuationPhase::Restored => {
                None
            }
        }
    }

    fn is_out(&self, out: &Evacuated) -> bool {
        out.iter().all(|(service, names)| {
            let target = self.target(service);
            target.is_some_and(|row| {
                names
                    .iter()
                    .all(|name| row.get(name).is_none_or(|share| share.is_zero()))
            })
        })
    }

    /// The longest drain deadline of the services.
    pub(super) fn drain_time(&self, out: &Evacuated) -> Duration {
        out.keys()
            .filter_map(|service| self.facts(service))
            .map(|facts| facts.policy.drain_deadline)
            .max()
            .unwrap_or_default()
    }

    pub(super) fn put_evacuation(&mut self, evacuation: EvacuationView) {
        self.tell(Notice::Evacuation(Box::new(evacuation.clone())));
        self.state
            .evacuations
            .insert(evacuation.id.clone(), evacuation);
    }

    /// Begins an evacuation that was checked.
    pub(super) fn evacuate(
        &mut self,
        provider: &ProviderName,
        who: &Who,
        fast: bool,
        expires_at: Timestamp,
    ) -> String {
        self.state.evacuations_begun += 1;
        let id = format!("e-{:04}", self.state.evacuations_begun);
        let again =
            |e: &EvacuationView| &e.provider == provider && e.phase == EvacuationPhase::Restoring;
        let before: Vec<EvacuationView> = self
            .state
            .evacuations
            .values()
            .filter(|e| again(e))
            .cloned()
            .collect();
        for mut old in before {
            old.phase = EvacuationPhase::Restored;
            old.note = format!("evacuated again by {id}");
            self.put_evacuation(old);
        }
        let wall = self.world.now.wall;
        let mut evacuation = EvacuationView {
            id: id.clone(),
            provider: provider.clone(),
            phase: EvacuationPhase::Shifting,
            shifts: Vec::new(),
            running: 0,
            drain_deadline: wall,
            actor: who.actor.clone(),
            reason: who.reason.clone(),
            started_at: wall,
            expires_at,
            proof: None,
            note: String::new(),
        };
        // It must be in the state before the shifts begin: what is wanted follows from it.
        self.state
            .evacuations
            .insert(id.clone(), evacuation.clone());
        let out = scope(&self.state, self.world.facts, provider);
        evacuation.drain_deadline = wall + self.drain_time(&out);
        for service in out.keys() {
            let Some(facts) = self.facts(service) else {
                continue;
            };
            self.record(service);
            let shift = self.begin(Begin {
                service: service.clone(),
                cause: ShiftCause::Evacuate,
                who: who.clone(),
                tempo: tempo_out(&facts.policy, fast),
                previous: None,
                evacuation: Some(id.clone()),
            });
            evacuation.shifts.extend(shift);
        }
        self.put_evacuation(evacuation);
        id
    }

    /// Ends an evacuation: back to what holds without it, in a restore that health gates.
    pub(super) fn restore(&mut self, id: &str, who: &Who, note: &str) -> Vec<String> {
        let Some(mut evacuation) = self.state.evacuations.get(id).cloned() else {
            return Vec::new();
        };
        let services = concerned(self.world.facts, &evacuation.provider);
        evacuation.phase = EvacuationPhase::Restoring;
        note.clone_into(&mut evacuation.note);
        self.put_evacuation(evacuation.clone());
        let mut shifts = Vec::new();
        for service in &services {
            let Some(facts) = self.facts(service) else {
                continue;
            };
            shifts.extend(self.begin(Begin {
                service: service.clone(),
                cause: ShiftCause::Restore,
                who: who.clone(),
                tempo: tempo_back(&facts.policy),
                previous: None,
                evacuation: Some(id.to_owned()),
            }));
        }
        if let Some(stored) = self.state.evacuations.get_mut(id) {
            stored.shifts.extend(shifts.iter().cloned());
        }
        shifts
    }

    /// The person who aborts one of its shifts does not want the evacuation: all its services go back, at the pace they
    /// came.
    pub(super) fn abort_evacuation(&mut self, id: &str, who: &Who) -> Vec<String> {
        let Some(mut evacuation) = self.state.evacuations.get(id).cloned() else {
            return Vec::new();
        };
        let services = concerned(self.world.facts, &evacuation.provider);
        evacuation.phase = EvacuationPhase::Restoring;
        evacuation.note = format!("aborted by {}", who.actor);
        self.put_evacuation(evacuation);
        let mut shifts = Vec::new();
        for service in &services {
            let Some(facts) = self.facts(service) else {
                continue;
            };
            let own = self.running(service).filter(|shift| {
                let record = self.state.shifts.get(shift);
                record.is_some_and(|record| record.evacuation.as_deref() == Some(id))
            });
            if let Some(shift) = own {
                let why = format!("aborted by {}", who.actor);
                self.turn_back(&shift, crate::view::TurnedBy::Person, &why);
                shifts.push(shift);
                continue;
            }
            shifts.extend(self.begin(Begin {
                service: service.clone(),
                cause: ShiftCause::Restore,
                who: who.clone(),
                tempo: tempo_back(&facts.policy),
                previous: None,
                evacuation: Some(id.to_owned()),
            }));
        }
        shifts
    }
}
