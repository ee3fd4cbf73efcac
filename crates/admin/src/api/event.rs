//! Events on the wire: `GET /v1/events`, server-sent. `id:` is the sequence number; a client that comes back with
//! `Last-Event-ID` (or `?since=`) gets what it missed, or an `event: gap` when it is gone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number, growing by one for each event of the process.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What kind: `weight_changed`, `health_changed`, `shift`, …
    pub kind: String,
    /// The service.
    pub service: Option<String>,
    /// The backend.
    pub backend: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// In words, for people.
    pub message: String,
    /// Details, by kind.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// Events that are gone: older than the process keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// The last one the client had.
    pub after: u64,
    /// The first one that comes now.
    pub next: u64,
}
