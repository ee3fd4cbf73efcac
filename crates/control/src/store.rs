//! The state directory: what must outlive the process. A record is on disk before it is acknowledged; history is
//! append-only, and each line carries the hash of the line before, so that a change of an old line shows.

use std::path::PathBuf;

use bascule_plan::view::HistoryEntry;
use serde::{Deserialize, Serialize};

/// One line of history as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its number, from 1, without gaps.
    pub sequence: u64,
    /// SHA-256 over the hash of the line before and this line's content, in hexadecimal.
    pub hash: String,
    /// The line.
    pub entry: HistoryEntry,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{path} is used by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error("{path} was written by a later version (format {found}, this one knows {known})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest this version knows.
        known: u64,
    },
    /// It does not hold what it should; it is left as it is.
    #[error("{path} is damaged: {what}; it was left as it is")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It could not be read or written.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
