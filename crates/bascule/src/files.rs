//! Files and environment for the configuration, which itself opens nothing. Paths that are not absolute are meant from the
//! directory of the configuration file, wherever the process was started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bascule_config::{Source, SourceError};

/// The process's files and environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    directory: PathBuf,
    /// What another process has in its environment; before our own.
    env: BTreeMap<String, String>,
}

impl Files {
    /// As seen from a configuration file; standard input (`-`) is seen from where the process was started.
    pub(crate) fn of(config: &Path) -> Self {
        Self {
            directory: config.parent().unwrap_or(Path::new("")).to_owned(),
            env: BTreeMap::new(),
        }
    }

    /// With the environment of the process that the configuration is meant for.
    pub(crate) fn with_env(self, env: &BTreeMap<String, String>) -> Self {
        let env = env.clone();
        Self { env, ..self }
    }

    /// Whether the environment of that process is known to have the variable.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.env.contains_key(name)
    }

    /// Where a path of the configuration really is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(self.path(path)).map_err(|error| SourceError(error.to_string()))
    }

    fn mode(&self, path: &str) -> Option<u32> {
        use std::os::unix::fs::MetadataExt as _;
        let file = std::fs::metadata(self.path(path)).ok()?;
        Some(file.mode() & 0o777)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env
            .get(name)
            .cloned()
            .or_else(|| std::env::var(name).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_meant_from_the_directory_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("tls.crt"), "x").unwrap();
        let files = Files::of(&dir.path().join("bascule.yaml"));
        assert_eq!(files.read("tls.crt"), Ok(b"x".to_vec()));
        let absolute = dir.path().join("tls.crt").display().to_string();
        assert_eq!(files.read(&absolute), Ok(b"x".to_vec()));
        assert!(files.read("missing").is_err());
    }
}
