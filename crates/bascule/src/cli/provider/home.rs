//! Where the running configuration lives, and how another text becomes the one that runs. A file is written whole or not at
//! all, and only over the text that runs: what somebody wrote there meanwhile is not lost. The process sees the new file by
//! itself. A configuration without a file that can be seen from here is given to the API.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bascule_admin::api::{Config, ConfigRequest, ConfigResult};
use http::Method;

use crate::cli::config::Text;
use crate::cli::exit::{CliError, Exit};
use crate::cli::follow::LOOK_EVERY;
use crate::cli::session::Session;
use bascule_telemetry::clock;

/// How long the process may take to load a file that has changed: it waits 0.2 s for the last write.
const LOADED: Duration = Duration::from_secs(10);

/// Where the running configuration lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// In a file that holds what runs.
    File(PathBuf),
    /// Only in the process, as far as can be seen from here.
    Process,
}

impl Home {
    /// Where this one, which runs, lives.
    pub(super) fn of(running: &Text) -> Result<Self, CliError> {
        let Ok(bytes) = std::fs::read(&running.path) else {
            return Ok(Self::Process);
        };
        if bytes != running.bytes {
            let file = running.path.display();
            let message = format!(
                "{file} is not what runs: it was changed and not loaded, or loaded from elsewhere"
            );
            return Err(CliError::new(Exit::Conflict, message)
                .with_help(format!("see what differs: bascule config diff {file}"))
                .with_help("load it, or write what runs: bascule config show > FILE"));
        }
        let real = std::fs::canonicalize(&running.path);
        let real = real.map_err(|error| CliError::file("find", &running.path, &error))?;
        Ok(Self::File(real))
    }

    /// Makes this text the one that runs. Where it fails nothing has changed, but for a file that is written and that the
    /// process does not load, which is told.
    pub(super) async fn put(
        &self,
        session: &mut Session<'_>,
        old: &Text,
        new: &Text,
    ) -> Result<(), CliError> {
        let request = ConfigRequest {
            text: new.as_utf8(),
            file_name: Some(new.name.clone()),
            reason: session.global.reason.clone(),
        };
        let file = match self {
            Self::Process => {
                let running: Config = session.get("/v1/config").await?;
                if running.text.as_bytes() != old.bytes {
                    let message = "another configuration was loaded meanwhile; nothing changed";
                    return Err(CliError::new(Exit::Conflict, message));
                }
                return session
                    .call::<ConfigResult>(Method::PUT, "/v1/config", &request)
                    .await
                    .map(drop);
            }
            Self::File(file) => file,
        };
        // The process sees sockets and files that only it can: it says first whether it would take it.
        let said: ConfigResult = session
            .call(Method::POST, "/v1/config/validate", &request)
            .await?;
        if !said.valid {
            let error = CliError::new(
                Exit::ConfigInvalid,
                "the process would refuse it; nothing was written",
            );
            return Err(said.rendered.lines().fold(error, CliError::with_detail));
        }
        let now = std::fs::read(file).map_err(|error| CliError::file("read", file, &error))?;
        if now != old.bytes {
            let message = format!(
                "{} was changed meanwhile; nothing was written",
                file.display()
            );
            return Err(CliError::new(Exit::Conflict, message));
        }
        replace(file, &new.bytes).map_err(|error| CliError::file("write", file, &error))?;
        until_loaded(session, &request.text, file).await
    }
}

async fn until_loaded(session: &mut Session<'_>, text: &str, file: &Path) -> Result<(), CliError> {
    let until = clock::now() + LOADED;
    loop {
        let running: Config = session.get("/v1/config").await?;
        if running.text == text {
            return Ok(());
        }
        if clock::now() >= until {
            let message = format!(
                "{} is written, and not loaded after {} s",
                file.display(),
                LOADED.as_secs()
            );
            let error = CliError::new(Exit::Failed, message);
            let refused = running.state.last_error.map(|refused| refused.rendered);
            let error = refused
                .unwrap_or_default()
                .lines()
                .fold(error, CliError::with_detail);
            return Err(
                error.with_help("see the log of the process; SIGHUP makes it load the file")
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Writes a file anew, with the owner and the rights it had; a crash leaves the old one or the new one.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let beside = file.with_file_name(name);
    let replaced = write_beside(file, &beside, bytes).and_then(|()| std::fs::rename(&beside, file));
    if replaced.is_err() {
        // What it is about is told; a remnant is no error of its own.
        drop(std::fs::remove_file(&beside));
    }
    replaced
}

fn write_beside(file: &Path, beside: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let before = std::fs::metadata(file)?;
    let mut new = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(beside)?;
    new.write_all(bytes)?;
    let after = new.metadata()?;
    if (after.uid(), after.gid()) != (before.uid(), before.gid()) {
        // Whoever may not do that must not take the file from the service that reads it.
        std::os::unix::fs::fchown(&new, Some(before.uid()), Some(before.gid()))?;
    }
    new.set_permissions(before.permissions())?;
    new.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_rights() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meet.yaml");
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_runs_is_at_home_in_the_file_that_says_the_same_and_in_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meet.yaml");
        std::fs::write(&path, "log: {}\n").unwrap();
        let mut text = Text::read(&path).unwrap();
        assert_eq!(
            Home::of(&text),
            Ok(Home::File(std::fs::canonicalize(&path).unwrap()))
        );
        std::fs::write(&path, "log: { level: debug }\n").unwrap();
        assert_eq!(Home::of(&text).unwrap_err().exit, Exit::Conflict);
        text.path = folder.path().join("api");
        assert_eq!(Home::of(&text), Ok(Home::Process));
    }
}
