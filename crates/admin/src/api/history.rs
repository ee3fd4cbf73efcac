//! History on the wire: append-only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RowChange;

/// One page of history, the latest first. `/v1/history`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// The current revision.
    pub revision: u64,
    /// The latest first.
    pub entries: Vec<HistoryEntry>,
    /// Pass it as `before` for the next page; none at the end.
    pub next: Option<String>,
}

/// A change of what is wanted, or a refused attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Its number, from 1, without gaps.
    pub sequence: u64,
    /// SHA-256 over the hash of the line before and this line, in hexadecimal.
    pub hash: String,
    /// The revision it made; for a refusal, the revision it was refused at.
    pub revision: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// `shift`, `step`, `evacuate`, `restore`, `undo`, `abort`, `expire`, `admin`, `config`.
    pub action: String,
    /// On what: `meet`, `provider/aws`, `s-0001`.
    pub object: String,
    /// Why; may be empty.
    pub reason: String,
    /// Why it was refused; none when it was not.
    pub refused: Option<String>,
    /// The rows of the services it changed.
    pub rows: BTreeMap<String, RowChange>,
}
