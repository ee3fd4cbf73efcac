//! Shifts on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a shift: `POST /v1/shifts`. Sets the override of the service, as `PUT …/weights` does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftRequest {
    /// The service.
    pub service: String,
    /// The shares in percent; backends not named keep their proportion; 0 is off.
    pub shares: BTreeMap<String, f64>,
    /// How fast; the service's pace when absent.
    #[serde(default)]
    pub pace: Pace,
    /// When the override ends; the service's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
    /// Why. `X-Reason` says it as well; the body wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How fast a ramp goes: `"policy"`, `"now"` or `{"steps": {"step": 5, "bake_seconds": 180}}`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pace {
    /// The service's step and bake time.
    #[default]
    Policy,
    /// One step.
    Now,
    /// This step and bake time.
    Steps {
        /// The largest change of a backend's share in one step, in percent; above 0.
        step: f64,
        /// How long a step is watched.
        bake_seconds: f64,
    },
}

/// Running and recent shifts, the latest first. `/v1/shifts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShiftList {
    /// The revision of what is wanted.
    pub revision: u64,
    /// The latest first.
    pub shifts: Vec<Shift>,
}

/// One shift. `/v1/shifts/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shift {
    /// `s-0001`.
    pub id: String,
    /// The revision of what is wanted, for `If-Match`.
    pub revision: u64,
    /// The service.
    pub service: String,
    /// What made it.
    pub cause: ShiftCause,
    /// The row it came from, in percent.
    pub from: BTreeMap<String, f64>,
    /// The row it goes to.
    pub to: BTreeMap<String, f64>,
    /// The row now.
    pub now: BTreeMap<String, f64>,
    /// The step in effect, from 1; 0 before the first.
    pub step: usize,
    /// How many steps there are.
    pub steps: usize,
    /// Where it stands.
    pub phase: ShiftPhase,
    /// Whether it has ended.
    pub ended: bool,
    /// How long a step is watched.
    pub bake_seconds: f64,
    /// Since when the step is in effect.
    pub step_at: Timestamp,
    /// How long the step has been in effect.
    pub step_age_seconds: f64,
    /// How much of the whole is done, 0 to 1.
    pub progress_ratio: f64,
    /// What was measured at the receivers in this step, by backend.
    pub receivers: BTreeMap<String, Receiver>,
    /// Why it is held, turned back or ended; empty when all is as planned.
    pub note: String,
    /// Who turned it back, if it was turned back.
    pub turned_by: Option<TurnedBy>,
    /// Who.
    pub actor: String,
    /// Why; may be empty.
    pub reason: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What made a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShiftCause {
    /// A person's shares.
    Override,
    /// The end of an override.
    OverrideEnd,
    /// An evacuation.
    Evacuate,
    /// A restore.
    Restore,
    /// An undo.
    Undo,
}

/// Who turned a shift back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnedBy {
    /// A person.
    Person,
    /// A limit that was broken for too long.
    Guardrail,
}

/// Where a shift stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShiftPhase {
    /// A step is being published.
    Moving,
    /// A step is in effect and watched.
    Baking,
    /// There is no data to judge the step by, or a limit is broken and not yet for long enough.
    Holding,
    /// A person paused it.
    Paused,
    /// It ramps back.
    Returning,
    /// It reached its row.
    Completed,
    /// It is back where it came from.
    Aborted,
    /// Another command took its place.
    Superseded,
}

/// What was measured at a receiver in the current step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receiver {
    /// Requests finished.
    pub requests: u64,
    /// Errors per request.
    pub error_ratio: f64,
    /// The p95; none without requests.
    pub p95_seconds: Option<f64>,
    /// The p95 above which the ramp is stopped.
    pub p95_limit_seconds: Option<f64>,
}
