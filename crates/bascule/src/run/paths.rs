//! Where the process keeps its state and its socket when nobody says: the places that systemd and the XDG base
//! directory specification name.

use std::path::{Path, PathBuf};

use bascule_config::Config;

use crate::cli::args::RunArgs;

fn folder(variable: &str) -> Option<PathBuf> {
    let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
    Some(PathBuf::from(value))
}

/// The state directory: the command line, the file, systemd's, or XDG's. Without a file state is kept in memory, as
/// nobody could tell two such processes apart.
pub(super) fn state_dir(args: &RunArgs, config: &Config) -> Option<PathBuf> {
    let said = args
        .state_dir
        .clone()
        .or_else(|| config.state_dir.clone().map(PathBuf::from));
    if said.is_some() || args.config.is_none() {
        said
    } else {
        usual_state_dir()
    }
}

/// The state directory of a configuration file that is started with nothing else said.
pub(crate) fn state_dir_of(config: &Config) -> Option<PathBuf> {
    let said = config.state_dir.clone().map(PathBuf::from);
    said.or_else(usual_state_dir)
}

/// The admin socket of such a start.
pub(crate) fn admin_socket_of(config: &Config) -> Option<PathBuf> {
    admin_socket_or(None, config)
}

/// The state directory when the file cannot be read.
pub(super) fn state_dir_without_file(args: &RunArgs) -> Option<PathBuf> {
    args.state_dir.clone().or_else(usual_state_dir)
}

fn usual_state_dir() -> Option<PathBuf> {
    folder("STATE_DIRECTORY")
        .or_else(|| folder("XDG_STATE_HOME").map(|home| home.join("bascule")))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state/bascule")))
}

/// The admin socket: the command line, the file, the environment, or the first usable usual place.
pub(super) fn admin_socket(args: &RunArgs, config: &Config) -> Option<PathBuf> {
    admin_socket_or(args.admin_socket.clone(), config)
}

fn admin_socket_or(said: Option<PathBuf>, config: &Config) -> Option<PathBuf> {
    said.or_else(|| config.admin.socket.clone().map(PathBuf::from))
        .or_else(|| folder("BASCULE_SOCKET"))
        .or_else(|| folder("RUNTIME_DIRECTORY").map(|run| run.join("admin.sock")))
        .or_else(|| folder("XDG_RUNTIME_DIR").map(|run| run.join("bascule/admin.sock")))
        .or_else(|| {
            Path::new("/run")
                .is_dir()
                .then(|| PathBuf::from("/run/bascule/admin.sock"))
        })
}
