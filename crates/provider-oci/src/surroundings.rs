//! The files and the environment that credentials are in. Given by the caller, so that tests have their own and nothing
//! here touches the process's by itself.

use std::fmt::Debug;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Files and environment variables.
pub trait Surroundings: Debug + Send + Sync {
    /// A variable; `None` where it is not set or not text.
    fn env(&self, name: &str) -> Option<String>;

    /// A whole file.
    ///
    /// # Errors
    /// The operating system's.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The permission bits of a file; `None` where there are none.
    fn mode(&self, path: &Path) -> Option<u32>;
}

/// The process's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Surroundings for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        std::fs::metadata(path).ok().map(|file| file.mode() & 0o777)
    }
}
