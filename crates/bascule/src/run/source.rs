//! The configuration's window on the world: files and environment, for `config`, which opens nothing itself.

use std::path::{Path, PathBuf};

use bascule_config::{Source, SourceError};

/// Files relative to the configuration file's directory, and the process's environment.
#[derive(Debug, Clone)]
pub(crate) struct FileSource {
    directory: PathBuf,
}

impl FileSource {
    /// For a configuration file at this path.
    pub(crate) fn beside(file: &Path) -> Self {
        let directory = file.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { directory }
    }

    /// For a configuration without a file: relative to the working directory.
    pub(crate) fn here() -> Self {
        Self {
            directory: PathBuf::new(),
        }
    }

    /// Where a path of the configuration really is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }
}

impl Source for FileSource {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(self.path(path)).map_err(|error| SourceError(error.to_string()))
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
