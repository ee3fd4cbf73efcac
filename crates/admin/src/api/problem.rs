//! Errors on the wire: `application/problem+json` (RFC 9457).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:bascule:error:E0612`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, with numbers.
    pub detail: String,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable: scripts match it.
    pub code: String,
    /// The rail that is broken; the first where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The nearest shares in percent that pass all rails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<BTreeMap<String, f64>>,
    /// What is wrong, place by place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The current revision.
    pub revision: u64,
    /// Whether the same request may succeed later without change.
    pub retryable: bool,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where in the request's body (a JSON pointer); empty when it is not in the body.
    pub pointer: String,
    /// What, with numbers.
    pub detail: String,
    /// The rail, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What would pass: a name or a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub suggestion: Option<serde_json::Value>,
    /// The nearest shares in percent that pass this rail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<BTreeMap<String, f64>>,
    /// What is accepted there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
}
