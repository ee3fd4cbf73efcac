//! The file of the unix socket. One left behind by a dead process is replaced; one that a living process answers on, or
//! a file of another kind, is never touched.

use std::fs;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Owner and group may connect; who may change things is decided by uid.
const MODE: u32 = 0o660;
/// Of a folder that is made for it.
const FOLDER_MODE: u32 = 0o750;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A living process has it.
    #[error("{path} is answered by a running process; stop that, or set another admin.socket")]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// There is something that is not a socket.
    #[error("{path} exists and is not a socket; it was left alone")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// It could not be made.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Error,
    },
}

/// The socket's file, so that it can be removed as long as it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    mark: Mark,
}

/// Tells one file from another that took its path; the inode alone may be used again.
type Mark = (u64, u64, i64, i64);

fn mark(path: &Path) -> std::io::Result<Mark> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}

impl SocketFile {
    /// Removes the file, unless another process has put its own there.
    pub(super) fn remove(&self) {
        let ours = mark(&self.path).is_ok_and(|now| now == self.mark);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the admin socket stays behind");
        }
    }
}

/// Opens the socket.
pub(super) fn bind(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    let failed = |doing: &'static str| {
        let path = path.to_owned();
        move |source| SocketError::Io {
            doing,
            path,
            source,
        }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder
            .create(folder)
            .map_err(failed("make the folder of"))?;
    }
    clear(path)?;
    let listener = UnixListener::bind(path).map_err(failed("listen on"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))
        .map_err(failed("set the mode of"))?;
    let mark = mark(path).map_err(failed("look at"))?;
    let path = path.to_owned();
    Ok((listener, SocketFile { path, mark }))
}

/// Removes what a dead process left.
fn clear(path: &Path) -> Result<(), SocketError> {
    let (doing, path) = ("look at", path.to_owned());
    let found = match fs::symlink_metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(SocketError::Io {
                doing,
                path,
                source,
            });
        }
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket { path });
    }
    match UnixStream::connect(&path) {
        Ok(_) => Err(SocketError::InUse { path }),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            let doing = "remove the stale";
            fs::remove_file(&path).map_err(|source| SocketError::Io {
                doing,
                path,
                source,
            })
        }
        Err(source) => Err(SocketError::Io {
            doing,
            path,
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn local<F: Future>(future: F) -> F::Output {
        tokio::task::LocalSet::new().run_until(future).await
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_refused() {
        local(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("deep/admin.sock");
            let (listener, file) = bind(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
            assert!(matches!(bind(&path), Err(SocketError::InUse { .. })));
            drop(listener);
            // The process is dead, its file is not.
            let (_listener, later) = bind(&path).unwrap();
            file.remove();
            assert!(path.exists(), "the file of the later process was removed");
            later.remove();
            assert!(!path.exists());
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_of_another_kind_is_left_alone() {
        local(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("admin.sock");
            fs::write(&path, "precious").unwrap();
            assert!(matches!(bind(&path), Err(SocketError::NotASocket { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        })
        .await;
    }
}
