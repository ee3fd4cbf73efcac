//! Evacuations and their proof on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shift;

/// Takes a provider out of every service: `POST /v1/providers/{p}/evacuate`. The body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvacuateRequest {
    /// In one step instead of three.
    #[serde(default)]
    pub fast: bool,
    /// When the evacuation ends in a gated restore; the default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
    /// Why. `X-Reason` says it as well; the body wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Running and recent evacuations, the latest first. `/v1/evacuations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvacuationList {
    /// The revision of what is wanted.
    pub revision: u64,
    /// The latest first.
    pub evacuations: Vec<Evacuation>,
}

/// One evacuation. `/v1/evacuations/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evacuation {
    /// `e-0001`.
    pub id: String,
    /// The revision of what is wanted, for `If-Match`.
    pub revision: u64,
    /// The provider.
    pub provider: String,
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
    /// Why; may be empty.
    pub reason: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends in a gated restore.
    pub expires_at: Timestamp,
    /// The proof, once there is one.
    pub proof: Option<Proof>,
    /// Why it waits or how it ended; may be empty.
    pub note: String,
}

/// Where an evacuation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// What client-side probes through the edge's own listeners saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// When the last probe was answered.
    pub at: Timestamp,
    /// The revision that all workers had confirmed.
    pub revision: u64,
    /// Workers that confirmed it.
    pub workers: usize,
    /// Probes sent.
    pub probes: u32,
    /// Answers by backend.
    pub answered: BTreeMap<String, u32>,
    /// Probes that failed.
    pub failed: u32,
    /// New requests that the evacuated backends got while the probes ran.
    pub picks_on_evacuated: u64,
    /// New requests that the others got in the same time.
    pub picks_elsewhere: u64,
    /// Whether it proves the evacuation.
    pub holds: bool,
}

/// The proof document of an evacuation: who, why, what moved, and what the probes saw. `/v1/evacuations/{id}/evidence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// When this document was made.
    pub at: Timestamp,
    /// The program that made it: `bascule 0.1.0`.
    pub made_by: String,
    /// The evacuation, with its proof.
    pub evacuation: Evacuation,
    /// Its shifts, those still known.
    pub shifts: Vec<Shift>,
}
