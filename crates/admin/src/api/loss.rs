//! What would become of a service if a provider were lost, on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What would become of a service if this provider were lost now, on top of what is lost already. Shares in percent of all
/// that clients ask for; with `shed` they sum to 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Loss {
    /// The provider.
    pub provider: String,
    /// What each backend would get.
    pub shares: BTreeMap<String, f64>,
    /// What would be refused, as it fits nowhere.
    pub shed: f64,
    /// The backend that would be fullest; none where nothing is known of the load, or no capacity declared.
    pub fullest: Option<String>,
    /// In which unit: `requests`, `sessions`, `egress`.
    pub unit: Option<String>,
    /// What that one would carry of what it can take.
    pub utilization_ratio: Option<f64>,
    /// In words: `oci 60 %, at 100 % of its requests; 40 % shed`.
    pub text: String,
}
