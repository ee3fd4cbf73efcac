//! What the control plane lets everybody read: one immutable value, replaced as a whole at each change. CLI, API,
//! dashboard and history read these same structs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bascule_model::{
    AdminState, AdminTarget, BackendName, BasisPoints, ProviderName, Revision, ServiceName, Shares,
    Timestamp,
};
use serde::{Deserialize, Serialize};

/// The public state.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// The current revision.
    pub revision: Revision,
    /// Every service.
    pub services: BTreeMap<ServiceName, ServiceView>,
    /// Running and recent shifts by id; at most 100, the oldest ended ones go first.
    pub shifts: BTreeMap<String, ShiftView>,
    /// Running and recent evacuations by id; at most 20, the oldest ended ones go first.
    pub evacuations: BTreeMap<String, EvacuationView>,
    /// Admin states that are not `ready`.
    pub admin: BTreeMap<AdminTarget, AdminEntry>,
}

/// One service's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// From the file.
    pub declared: Shares,
    /// A person's, if there is one.
    pub override_row: Option<OverrideView>,
    /// Where the ramp stands.
    pub target: Shares,
    /// Backends that are off now.
    pub off: BTreeSet<BackendName>,
    /// The shift that is moving the target, if one is.
    pub shift: Option<String>,
}

/// A person's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverrideView {
    /// The row.
    pub shares: Shares,
    /// Backends it sets to off.
    pub off: BTreeSet<BackendName>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub set_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// The evacuation that made it, if one did: it then ends in a gated restore.
    pub evacuation: Option<String>,
}

/// An admin state that a person set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdminEntry {
    /// The state.
    pub state: AdminState,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub set_at: Timestamp,
}

/// One shift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShiftView {
    /// `s-0001`, counted over the life of the state directory.
    pub id: String,
    /// The service.
    pub service: ServiceName,
    /// What made it.
    pub cause: ShiftCause,
    /// The row it came from.
    pub from: Shares,
    /// The row it goes to.
    pub to: Shares,
    /// The row now.
    pub now: Shares,
    /// The step that is in effect, from 1; 0 while it waits to take the first. Of the way back while it returns.
    pub step: usize,
    /// How many steps there are.
    pub steps: usize,
    /// Where it stands.
    pub phase: ShiftPhase,
    /// How long a step is watched.
    pub bake: Duration,
    /// Since when the step is in effect, if it is.
    pub step_at: Timestamp,
    /// What was measured at the receivers in this step.
    pub receivers: BTreeMap<BackendName, ReceiverView>,
    /// Why it is held, turned back or ended; empty when all is as planned.
    pub note: String,
    /// Who turned it back, if it was turned back.
    pub turned_by: Option<TurnedBy>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What made a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftCause {
    /// A person's shares.
    Override,
    /// The end of an override, by a person or by time.
    OverrideEnd,
    /// An evacuation.
    Evacuate,
    /// A restore.
    Restore,
    /// An undo.
    Undo,
}

/// Where a shift stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShiftPhase {
    /// A step is being published.
    Moving,
    /// A step is in effect and watched.
    Baking,
    /// A step is in effect and its time is over, but there is no data to judge it by, or a limit is broken and not yet
    /// for long enough.
    Holding,
    /// A person paused it.
    Paused,
    /// It ramps back: aborted by a person or a guardrail.
    Returning,
    /// It reached its row.
    Completed,
    /// It is back where it came from.
    Aborted,
    /// Another command took its place.
    Superseded,
}

impl ShiftCause {
    /// The word used in the CLI, the API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::OverrideEnd => "override_end",
            Self::Evacuate => "evacuate",
            Self::Restore => "restore",
            Self::Undo => "undo",
        }
    }
}

impl EvacuationPhase {
    /// Whether it holds no more: it is back, or on its way back.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Restoring | Self::Restored)
    }

    /// The word used in the CLI, the API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shifting => "shifting",
            Self::Proving => "proving",
            Self::Draining => "draining",
            Self::Evacuated => "evacuated",
            Self::Restoring => "restoring",
            Self::Restored => "restored",
        }
    }
}

impl ShiftPhase {
    /// Whether it has ended.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Aborted | Self::Superseded)
    }

    /// The word used in the CLI, the API and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::Baking => "baking",
            Self::Holding => "holding",
            Self::Paused => "paused",
            Self::Returning => "returning",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
        }
    }
}

/// Who turned a shift back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnedBy {
    /// A person aborted it.
    Person,
    /// A guardrail was broken.
    Guardrail,
}

/// What was measured at a receiver in the current step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReceiverView {
    /// Requests finished.
    pub requests: u64,
    /// Errors per request.
    pub error_ratio: f64,
    /// The p95 in seconds; `None` without requests.
    pub p95_seconds: Option<f64>,
    /// The p95 above which the ramp is stopped, in seconds; `None` when none was known at the start.
    pub p95_limit_seconds: Option<f64>,
}

/// One evacuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvacuationView {
    /// `e-0001`, counted over the life of the state directory.
    pub id: String,
    /// The provider.
    pub provider: ProviderName,
    /// Where it stands.
    pub phase: EvacuationPhase,
    /// Its shifts, one a service.
    pub shifts: Vec<String>,
    /// Requests that still run on the provider's backends.
    pub running: u64,
    /// When it stops to wait for them.
    pub drain_deadline: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends in a gated restore.
    pub expires_at: Timestamp,
    /// The proof that nothing new goes there, once there is one.
    pub proof: Option<Proof>,
    /// Why it waits or how it ended.
    pub note: String,
}

/// Where an evacuation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvacuationPhase {
    /// The shares ramp to off.
    Shifting,
    /// Off on all workers; the probes are asking.
    Proving,
    /// Proven; what runs is waited for.
    Draining,
    /// Proven and empty, or the drain deadline passed.
    Evacuated,
    /// It comes back as health allows.
    Restoring,
    /// It is back.
    Restored,
}

/// What client-side probes through the edge's own listeners saw after an evacuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// When the last probe was answered.
    pub at: Timestamp,
    /// The revision that all workers had confirmed.
    pub revision: Revision,
    /// Workers that confirmed it.
    pub workers: usize,
    /// Probes sent.
    pub probes: u32,
    /// Answers by backend.
    pub answered: BTreeMap<BackendName, u32>,
    /// Probes that failed.
    pub failed: u32,
    /// New requests that the evacuated backends got while the probes ran, by the edge's own count.
    pub picks_on_evacuated: u64,
    /// New requests that the others got in the same time.
    pub picks_elsewhere: u64,
    /// Whether it proves the evacuation: no probe answered by the provider, no pick there.
    pub holds: bool,
}

/// One line of history: a change of the wanted state, or a refused attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The revision it made; for a refusal, the revision it was refused at.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
    /// Who: a person, or `bascule` itself.
    pub actor: String,
    /// [`Command::action`](crate::Command::action) of a person's; of bascule's own `step`, `return`, `complete`, `expire`,
    /// `evacuation`, `config`.
    pub action: String,
    /// On what: `meet`, `provider/aws`, `s-0001`.
    pub object: String,
    /// Why, in the actor's words.
    pub reason: String,
    /// Why it was refused; `None` when it was not.
    pub refused: Option<String>,
    /// The target rows after it, of the services it changed, with what they were before.
    pub rows: BTreeMap<ServiceName, RowChange>,
}

/// A row before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowChange {
    /// Before; `None` when the service is new.
    pub before: Option<Shares>,
    /// After.
    pub after: Shares,
}

/// What an accepted command made.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The revision after it.
    pub revision: Revision,
    /// The shifts it started.
    pub shifts: Vec<String>,
    /// The evacuation it started or ended.
    pub evacuation: Option<String>,
    /// The rows the services will come to, those not changed excluded.
    pub rows: BTreeMap<ServiceName, (Shares, Shares)>,
    /// Remarks that the asker should read: `oci has no endpoint that is up`.
    pub warnings: Vec<String>,
}

/// A row as percent for display: `(name, percent)`.
pub fn percents(shares: &Shares) -> impl Iterator<Item = (&BackendName, f64)> {
    shares
        .iter()
        .map(|(name, share): (_, BasisPoints)| (name, share.percent()))
}
