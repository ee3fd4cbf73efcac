//! How a configuration reaches files and the environment: through this trait, which the binary implements. This crate
//! itself opens nothing.

use std::collections::BTreeMap;

/// Why a file cannot be read; the text is the system's, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// The world outside the text.
pub trait Source {
    /// The content of a file. A path that is not absolute is meant from the directory of the configuration file.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError>;

    /// The permission bits of a file, such as `0o600`; `None` where there are none to know.
    fn mode(&self, _path: &str) -> Option<u32> {
        None
    }

    /// An environment variable; `None` when it is not set.
    fn env(&self, name: &str) -> Option<String>;
}

/// A world in memory: for tests, and for texts that name no file.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    /// Files by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Permission bits of files, where a test needs some.
    pub modes: BTreeMap<String, u32>,
}

impl Source for MemorySource {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let missing = || SourceError("no such file".to_owned());
        self.files.get(path).cloned().ok_or_else(missing)
    }

    fn mode(&self, path: &str) -> Option<u32> {
        self.modes.get(path).copied()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }
}
