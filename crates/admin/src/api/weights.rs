//! The rows of a service on the wire. All shares in percent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Pace;

/// The rows of a service. `/v1/services/{s}/weights`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Weights {
    /// The service.
    pub service: String,
    /// The revision of what is wanted.
    pub revision: u64,
    /// Normalised from the file's weights.
    pub declared: BTreeMap<String, f64>,
    /// A person's row, if there is one.
    #[serde(rename = "override")]
    pub override_row: Option<Override>,
    /// Where the ramp stands.
    pub target: BTreeMap<String, f64>,
    /// What edges use.
    pub effective: BTreeMap<String, f64>,
    /// Backends that are off.
    pub off: Vec<String>,
    /// What was measured.
    pub measured: Measured,
    /// The running shift's id, if there is one.
    pub shift: Option<String>,
}

/// A person's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Override {
    /// The row.
    pub shares: BTreeMap<String, f64>,
    /// Backends it sets to off.
    pub off: Vec<String>,
    /// Who.
    pub actor: String,
    /// Why; may be empty.
    pub reason: String,
    /// Since when.
    pub set_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// The evacuation that made it; it then ends in a gated restore.
    pub evacuation: Option<String>,
}

/// Measured shares of the last minute.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// How long was measured; shorter than 60 only after a start.
    pub window_seconds: f64,
    /// Of finished requests. Empty without any.
    pub requests: BTreeMap<String, f64>,
    /// Of what the shares decide about: picks, without retries and affinity. Empty without any.
    pub new_sessions: BTreeMap<String, f64>,
    /// How many requests that were.
    pub requests_count: u64,
    /// How many picks that were.
    pub new_sessions_count: u64,
}

/// The override of a service. `/v1/services/{s}/overrides`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overrides {
    /// The service.
    pub service: String,
    /// The revision of what is wanted.
    pub revision: u64,
    /// The overrides in force: none or one.
    pub overrides: Vec<Override>,
}

/// Asks for an override row: `PUT /v1/services/{s}/weights`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightsRequest {
    /// The shares in percent; backends not named keep their proportion; 0 is off.
    pub shares: BTreeMap<String, f64>,
    /// When the override ends; the service's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
    /// Why. `X-Reason` says it as well; the body wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How fast; the service's pace when absent.
    #[serde(default)]
    pub pace: Pace,
}
