//! What must outlive the process, as one value: overrides, shifts, evacuations, admin states and what undo goes back to.
//! Replaced as a whole by each record. The configuration is not in it: it is read anew at each start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bascule_model::{
    AdminTarget, BackendName, BasisPoints, BucketMap, Revision, ServiceName, Shares,
};
use serde::{Deserialize, Serialize};

use crate::view::{AdminEntry, EvacuationView, OverrideView, ShiftView};

/// Ended shifts kept.
pub(super) const SHIFTS_MAX: usize = 100;
/// Ended evacuations kept.
pub(super) const EVACUATIONS_MAX: usize = 20;
/// Earlier states that undo can go back to.
pub(super) const CHECKPOINTS_MAX: usize = 50;

/// The state of the control loop.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Persisted {
    /// The number of this state.
    pub revision: Revision,
    /// Services that do not simply follow what is declared.
    pub services: BTreeMap<ServiceName, ServiceRecord>,
    /// Running and recent shifts.
    pub shifts: BTreeMap<String, ShiftRecord>,
    /// Running and recent evacuations.
    pub evacuations: BTreeMap<String, EvacuationView>,
    /// Admin states that are not `ready`.
    pub admin: BTreeMap<AdminTarget, AdminEntry>,
    /// What people had set at earlier revisions, the oldest first.
    pub checkpoints: Vec<Checkpoint>,
    /// Shifts ever begun.
    pub shifts_begun: u64,
    /// Evacuations ever begun.
    pub evacuations_begun: u64,
    /// Which backend owns which bucket, of each service whose requests have keys. A state that an earlier version wrote
    /// has none.
    #[serde(default)]
    pub buckets: BTreeMap<ServiceName, BucketMap>,
}

/// A service whose target does not simply follow what is declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Where the ramp stands.
    pub target: Shares,
    /// A person's row, evacuations not counted in.
    pub override_row: Option<OverrideView>,
    /// The shift that moves the target.
    pub shift: Option<String>,
}

/// A shift and what is needed to go on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShiftRecord {
    /// What everybody sees of it; the measured part is added when it is shown.
    pub view: ShiftView,
    /// Where the leg it is on begins: the shift's `from`, or where it turned.
    pub leg_from: Shares,
    /// Where the leg ends.
    pub leg_to: Shares,
    /// The largest change in one step.
    pub pace: BasisPoints,
    /// The person's row before it; a return goes back to it.
    pub previous: Option<OverrideView>,
    /// The p95 of receivers before the shift, in seconds.
    pub p95_before: BTreeMap<BackendName, f64>,
    /// Steps are judged before the next one is taken.
    pub judged: bool,
    /// The evacuation it belongs to.
    pub evacuation: Option<String>,
}

/// What people had set at a revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The revision.
    pub revision: Revision,
    /// Their rows.
    pub overrides: BTreeMap<ServiceName, OverrideView>,
    /// Admin states.
    pub admin: BTreeMap<AdminTarget, AdminEntry>,
    /// Evacuations that held.
    pub evacuations: BTreeSet<String>,
}

impl ShiftRecord {
    /// How long a step is watched.
    pub(super) const fn bake(&self) -> Duration {
        self.view.bake
    }
}
