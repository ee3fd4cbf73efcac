//! What the control loop lets everybody know: events for the log, the stream and the dashboard. Told only once what they
//! speak of is stored; they carry the structs of [`view`](crate::view), so that all readers see the same.

use bascule_model::{
    AdminState, AdminTarget, ProviderName, Revision, ServiceName, Shares, Timestamp,
};
use serde::Serialize;

use crate::view::{EvacuationView, OverrideView, ShiftPhase, ShiftView};

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Notice {
    /// A shift changed.
    Shift {
        /// How.
        change: ShiftChange,
        /// The shift after it.
        shift: Box<ShiftView>,
    },
    /// A target row changed.
    Weight(WeightChange),
    /// A person's row was set.
    OverrideSet {
        /// The service.
        service: ServiceName,
        /// The row.
        row: OverrideView,
    },
    /// A person's row ended; the way back is a shift of its own.
    OverrideEnded {
        /// The service.
        service: ServiceName,
        /// The row.
        row: OverrideView,
        /// Why: `expired`, `cleared by …`, `the service left the configuration`.
        why: String,
    },
    /// An evacuation came to another phase.
    Evacuation(Box<EvacuationView>),
    /// An admin state changed.
    Admin {
        /// On what.
        target: AdminTarget,
        /// Before.
        from: AdminState,
        /// After.
        to: AdminState,
        /// Who.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A request was refused.
    Refused {
        /// Who asked.
        actor: String,
        /// What for.
        action: String,
        /// On what.
        object: String,
        /// The rails that would have broken, by name.
        rules: Vec<(ServiceName, String)>,
        /// Why.
        refusal: String,
    },
    /// The controller's own change could not be stored; nothing moves until it can.
    StoreFailed {
        /// Why.
        error: String,
    },
}

/// How a shift changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftChange {
    /// It began.
    Started,
    /// It took a step.
    Step,
    /// It is held by missing data, a broken limit or a provider that is not up.
    Held,
    /// A person paused it.
    Paused,
    /// It goes on.
    Resumed,
    /// It turned back.
    Returning,
    /// It ended, see its phase.
    Ended,
}

/// A change of a service's target row: one line of the decision log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightChange {
    /// When.
    pub at: Timestamp,
    /// The service.
    pub service: ServiceName,
    /// Before.
    pub from: Shares,
    /// After.
    pub to: Shares,
    /// What made it: a [`ShiftCause`](crate::view::ShiftCause) as a word, or `config`.
    pub cause: String,
    /// Who: a person, or `bascule`.
    pub initiator: String,
    /// Why, in the initiator's words.
    pub reason: String,
    /// The shift, if one moves it.
    pub shift: Option<String>,
    /// The revision it made.
    pub rev: Revision,
    /// The revision before.
    pub prev_rev: Revision,
}

impl Notice {
    /// The kind by which streams are filtered.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Shift { change, shift } => match (change, shift.phase) {
                (ShiftChange::Started, _) => "shift_started",
                (ShiftChange::Step, _) => "shift_step",
                (ShiftChange::Held, _) => "shift_held",
                (ShiftChange::Paused, _) => "shift_paused",
                (ShiftChange::Resumed, _) => "shift_resumed",
                (ShiftChange::Returning, _) => "shift_returning",
                (ShiftChange::Ended, ShiftPhase::Completed) => "shift_completed",
                (ShiftChange::Ended, ShiftPhase::Aborted) => "shift_aborted",
                (ShiftChange::Ended, _) => "shift_superseded",
            },
            Self::Weight(_) => "weight_changed",
            Self::OverrideSet { .. } => "override_set",
            Self::OverrideEnded { .. } => "override_ended",
            Self::Evacuation(_) => "evacuation",
            Self::Admin { .. } => "admin_changed",
            Self::Refused { .. } => "refused",
            Self::StoreFailed { .. } => "store_failed",
        }
    }

    /// The service it speaks of, where it is one.
    #[must_use]
    pub const fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Shift { shift, .. } => Some(&shift.service),
            Self::Weight(change) => Some(&change.service),
            Self::OverrideSet { service, .. } | Self::OverrideEnded { service, .. } => {
                Some(service)
            }
            Self::Admin {
                target: AdminTarget::Backend(service, _) | AdminTarget::Endpoint(service, _, _),
                ..
            } => Some(service),
            _ => None,
        }
    }

    /// The provider it speaks of, where it is one.
    #[must_use]
    pub const fn provider(&self) -> Option<&ProviderName> {
        match self {
            Self::Evacuation(evacuation) => Some(&evacuation.provider),
            Self::Admin {
                target: AdminTarget::Provider(provider),
                ..
            } => Some(provider),
            _ => None,
        }
    }

    /// One sentence for people.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Shift { change, shift } => shift_message(*change, shift),
            Self::Weight(change) => {
                format!("{}: {} → {}", change.service, change.from, change.to)
            }
            Self::OverrideSet { service, row } => {
                format!("{service}: override {} by {}", row.shares, row.actor)
            }
            Self::OverrideEnded { service, row, why } => {
                format!("{service}: override {} ended, {why}", row.shares)
            }
            Self::Evacuation(e) => {
                let note = if e.note.is_empty() {
                    String::new()
                } else {
                    format!(": {}", e.note)
                };
                format!(
                    "evacuation {} of {} is {}{note}",
                    e.id,
                    e.provider,
                    e.phase.as_str()
                )
            }
            Self::Admin {
                target, to, actor, ..
            } => format!("{target} is {} by {actor}", to.as_str()),
            Self::Refused {
                actor,
                action,
                object,
                refusal,
                ..
            } => format!("{action} {object} by {actor} was refused: {refusal}"),
            Self::StoreFailed { error } => {
                format!("a change could not be stored, nothing moves until it can: {error}")
            }
        }
    }
}

fn shift_message(change: ShiftChange, shift: &ShiftView) -> String {
    let ShiftView {
        id,
        service,
        note,
        step,
        steps,
        now,
        ..
    } = shift;
    let note = if note.is_empty() {
        String::new()
    } else {
        format!(": {note}")
    };
    match change {
        ShiftChange::Started => format!(
            "{id} of {service} started: {} → {} in {steps} steps",
            shift.from, shift.to
        ),
        ShiftChange::Step => format!("{id} of {service} took step {step}/{steps}: {now}{note}"),
        ShiftChange::Held => format!("{id} of {service} is held at {step}/{steps}{note}"),
        ShiftChange::Paused => format!("{id} of {service} is paused at {step}/{steps}"),
        ShiftChange::Resumed => format!("{id} of {service} goes on from {step}/{steps}"),
        ShiftChange::Returning => format!("{id} of {service} ramps back to {}{note}", shift.from),
        ShiftChange::Ended => format!(
            "{id} of {service} is {} at {now}{note}",
            shift.phase.as_str()
        ),
    }
}
