//! The state directory: what must outlive the process. A record is on disk before it is acknowledged; history is
//! append-only, and each line carries the hash of the line before, so that a change of an old line shows. [`disk`] keeps
//! it in a file, [`memory`] in the process, for runs that need no state.

pub mod disk;
pub mod memory;

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bascule_model::Timestamp;
use bascule_plan::steer::{Persisted, Record};
use bascule_plan::view::HistoryEntry;
use serde::{Deserialize, Serialize};

use crate::discover::Kept;

pub use disk::Disk;
pub use memory::Memory;

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

/// What keeps state. Calls may block on the disk.
pub trait Store: Send + Sync {
    /// The state of the last record; `None` before the first.
    ///
    /// # Errors
    /// [`StoreError`]
    fn load(&self) -> Result<Option<Persisted>, StoreError>;

    /// Keeps a record as one transaction. When it returns, the record survives a loss of power.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it is kept.
    fn write(&self, record: &Record) -> Result<(), StoreError>;

    /// The newest lines of history with a sequence below `before`, the newest first; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError>;

    /// Reads all of history and recomputes its hashes; gives the number of lines.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first line that does not fit the one before.
    fn verify(&self) -> Result<u64, StoreError>;

    /// Keeps the text of a configuration that was applied.
    ///
    /// # Errors
    /// [`StoreError`]
    fn save_config(&self, at: Timestamp, text: &str) -> Result<(), StoreError>;

    /// The text of the last configuration that was applied.
    ///
    /// # Errors
    /// [`StoreError`]
    fn last_good_config(&self) -> Result<Option<String>, StoreError>;

    /// Keeps what is believed of sources of endpoints, instead of what was kept before.
    ///
    /// # Errors
    /// [`StoreError`]
    fn save_sets(&self, sets: &[Kept]) -> Result<(), StoreError>;

    /// What was kept of them; may be empty.
    ///
    /// # Errors
    /// [`StoreError`]
    fn sets(&self) -> Result<Vec<Kept>, StoreError>;
}

/// The last configuration that was applied by whoever used this state directory before; for a start without a valid file.
/// `None` where there is no state yet.
///
/// # Errors
/// [`StoreError`] when the state cannot be read.
pub fn last_good_config(state_dir: &Path) -> Result<Option<String>, StoreError> {
    if !state_dir.join(disk::FILE_NAME).exists() {
        return Ok(None);
    }
    Disk::open(state_dir)?.last_good_config()
}

/// The hash before the first line.
const ORIGIN: [u8; 32] = [0; 32];

/// The hash of a line: over the hash of the line before and the line's content.
fn chain(before: &[u8], content: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(before);
    context.update(content);
    let mut hash = ORIGIN;
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
