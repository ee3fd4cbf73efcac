//! What mutations take and answer with, where it is the same for several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;

/// What an accepted mutation did, or, as a dry run, would do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The revision after it; also the `ETag`.
    pub revision: u64,
    /// Whether it was only checked.
    pub dry_run: bool,
    /// The shifts it started.
    pub shifts: Vec<String>,
    /// The evacuation it started or ended.
    pub evacuation: Option<String>,
    /// The rows that services will come to, by service; those not changed are left out.
    pub rows: BTreeMap<String, RowChange>,
    /// Remarks that the asker should read: `oci has no endpoint that is up`.
    pub warnings: Vec<String>,
}

/// A row before and after, in percent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct RowChange {
    /// Before; none when the service is new.
    pub before: Option<BTreeMap<String, f64>>,
    /// After.
    pub after: BTreeMap<String, f64>,
}

/// Sets an admin state: a merge patch, so a field left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminPatch {
    /// The state.
    pub admin_state: AdminState,
    /// Why. `X-Reason` says it as well; the body wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request that needs nothing but a reason. The body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonRequest {
    /// Why. `X-Reason` says it as well; the body wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
