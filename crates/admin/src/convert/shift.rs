//! Shifts, evacuations and proofs to wire types.

use bascule_model::{Revision, Timestamp};
use bascule_plan::view::{
    EvacuationPhase, EvacuationView, Proof, ReceiverView, ShiftCause, ShiftPhase, ShiftView,
    TurnedBy,
};

use super::{shares, time};
use crate::api;

/// A shift as it stands at `now`.
pub(crate) fn shift(view: &ShiftView, revision: Revision, now: Timestamp) -> api::Shift {
    api::Shift {
        id: view.id.clone(),
        revision: revision.0,
        service: view.service.to_string(),
        cause: cause(view.cause),
        from: shares(&view.from),
        to: shares(&view.to),
        now: shares(&view.now),
        step: view.step,
        steps: view.steps,
        phase: phase(view.phase),
        ended: view.phase.is_ended(),
        bake_seconds: view.bake.as_secs_f64(),
        step_at: time(view.step_at),
        step_age_seconds: now.since(view.step_at).as_secs_f64(),
        progress_ratio: progress(view),
        receivers: view
            .receivers
            .iter()
            .map(|(name, receiver_view)| (name.to_string(), receiver(*receiver_view)))
            .collect(),
        note: view.note.clone(),
        turned_by: view.turned_by.map(|by| match by {
            TurnedBy::Person => api::TurnedBy::Person,
            TurnedBy::Guardrail => api::TurnedBy::Guardrail,
        }),
        actor: view.actor.clone(),
        reason: view.reason.clone(),
        started_at: time(view.started_at),
        ended_at: view.ended_at.map(time),
    }
}

/// How much of the way lies behind: what still has to move, against what had to. A shift that moved nothing is done.
fn progress(view: &ShiftView) -> f64 {
    let whole = view.from.distance(&view.to).ratio();
    let left = view.now.distance(&view.to).ratio();
    if whole > 0.0 {
        (1.0 - left / whole).clamp(0.0, 1.0)
    } else {
        1.0
    }
}

fn receiver(view: ReceiverView) -> api::Receiver {
    api::Receiver {
        requests: view.requests,
        error_ratio: view.error_ratio,
        p95_seconds: view.p95_seconds,
        p95_limit_seconds: view.p95_limit_seconds,
    }
}

const fn cause(cause: ShiftCause) -> api::ShiftCause {
    match cause {
        ShiftCause::Override => api::ShiftCause::Override,
        ShiftCause::OverrideEnd => api::ShiftCause::OverrideEnd,
        ShiftCause::Evacuate => api::ShiftCause::Evacuate,
        ShiftCause::Restore => api::ShiftCause::Restore,
        ShiftCause::Undo => api::ShiftCause::Undo,
    }
}

const fn phase(phase: ShiftPhase) -> api::ShiftPhase {
    match phase {
        ShiftPhase::Moving => api::ShiftPhase::Moving,
        ShiftPhase::Baking => api::ShiftPhase::Baking,
        ShiftPhase::Holding => api::ShiftPhase::Holding,
        ShiftPhase::Paused => api::ShiftPhase::Paused,
        ShiftPhase::Returning => api::ShiftPhase::Returning,
        ShiftPhase::Completed => api::ShiftPhase::Completed,
        ShiftPhase::Aborted => api::ShiftPhase::Aborted,
        ShiftPhase::Superseded => api::ShiftPhase::Superseded,
    }
}

/// An evacuation.
pub(crate) fn evacuation(view: &EvacuationView, revision: Revision) -> api::Evacuation {
    api::Evacuation {
        id: view.id.clone(),
        revision: revision.0,
        provider: view.provider.to_string(),
        phase: match view.phase {
            EvacuationPhase::Shifting => api::EvacuationPhase::Shifting,
            EvacuationPhase::Proving => api::EvacuationPhase::Proving,
            EvacuationPhase::Draining => api::EvacuationPhase::Draining,
            EvacuationPhase::Evacuated => api::EvacuationPhase::Evacuated,
            EvacuationPhase::Restoring => api::EvacuationPhase::Restoring,
            EvacuationPhase::Restored => api::EvacuationPhase::Restored,
        },
        shifts: view.shifts.clone(),
        running: view.running,
        drain_deadline: time(view.drain_deadline),
        actor: view.actor.clone(),
        reason: view.reason.clone(),
        started_at: time(view.started_at),
        expires_at: time(view.expires_at),
        proof: view.proof.as_ref().map(proof),
        note: view.note.clone(),
    }
}

fn proof(view: &Proof) -> api::Proof {
    api::Proof {
        at: time(view.at),
        revision: view.revision.0,
        workers: view.workers,
        probes: view.probes,
        answered: view
            .answered
            .iter()
            .map(|(name, count)| (name.to_string(), *count))
            .collect(),
        failed: view.failed,
        picks_on_evacuated: view.picks_on_evacuated,
        picks_elsewhere: view.picks_elsewhere,
        holds: view.holds,
    }
}
