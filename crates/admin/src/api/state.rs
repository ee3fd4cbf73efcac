//! States on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person wants of an endpoint, a backend or a provider.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AdminState {
    /// Takes its part.
    #[default]
    Ready,
    /// Gets nothing new; what runs may end.
    Drain,
    /// As drain, and is not checked.
    Maint,
    /// Gets nothing and is not checked.
    Offline,
}

/// What checks and traffic say of it, from best to worst.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ObservedState {
    /// Works.
    Up,
    /// Works in part.
    Degraded,
    /// Nothing has been seen of it yet.
    #[default]
    Unknown,
    /// Does not work.
    Down,
}

/// An admin state that a person set, with who and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdminEntry {
    /// The state.
    pub state: AdminState,
    /// Who: `uid:1000`, `token:ops`.
    pub actor: String,
    /// Why; may be empty.
    pub reason: String,
    /// Since when.
    pub set_at: Timestamp,
}
