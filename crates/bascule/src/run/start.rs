//! The start: everything that can fail, fails before anything is served, with all that is wrong at once and the exit
//! code that tells a supervisor whether another try can help.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bascule_config::{Config, Diagnostics, Loaded, Style};
use bascule_control::store;

use super::listeners::{Prepared, Unusable};
use super::paths;
use super::reload;
use super::trust::Trust;
use crate::cli::args::RunArgs;
use crate::files::Files;

/// The configuration is invalid: another try will not help.
const EXIT_CONFIG: u8 = 3;
/// The machine refuses: another try may help.
const EXIT_FAILED: u8 = 1;

/// Why the process does not start.
#[derive(Debug)]
pub(super) struct Failure {
    /// What to exit with.
    pub(super) code: u8,
    /// What to say.
    pub(super) text: String,
}

impl Failure {
    /// Something the machine refuses, with its causes.
    pub(super) fn machine(error: &anyhow::Error) -> Self {
        Self {
            code: EXIT_FAILED,
            text: format!("error: {error:#}\n"),
        }
    }

    /// Says it on standard error.
    pub(super) fn tell(&self) -> ExitCode {
        use std::io::Write as _;
        // Nobody listens: the exit code still tells.
        drop(std::io::stderr().write_all(self.text.as_bytes()));
        ExitCode::from(self.code)
    }
}

/// A configuration to start with.
#[derive(Debug)]
pub(super) struct Given {
    /// Its text.
    pub(super) text: String,
    /// What it says.
    pub(super) config: Config,
    /// Where it came from.
    pub(super) origin: String,
    /// Where its relative paths start.
    pub(super) source: Files,
}

/// Reads the configuration that the command line names.
pub(super) fn configuration(args: &RunArgs) -> Result<Given, Failure> {
    match (&args.config, &args.listen) {
        (Some(file), _) => from_file(args, file),
        (None, listen) => from_arguments(args, listen.as_deref().unwrap_or_default()),
    }
}

fn from_file(args: &RunArgs, file: &Path) -> Result<Given, Failure> {
    let name = file.display().to_string();
    let source = Files::of(file);
    let text = std::fs::read(file).map_err(|error| Failure {
        code: EXIT_CONFIG,
        text: format!("error: cannot read {name}: {error}\n"),
    })?;
    let loaded = match bascule_config::load_bytes(&name, &text, &source) {
        Ok(loaded) => loaded,
        Err(diagnostics) if args.last_good => return last_good(args, &diagnostics, source),
        Err(diagnostics) => return Err(invalid(&diagnostics)),
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(given(text, loaded, name, source))
}

fn from_arguments(args: &RunArgs, listen: &str) -> Result<Given, Failure> {
    let source = Files::default();
    let backends: Vec<String> = args.backends.iter().map(ToString::to_string).collect();
    let (text, loaded) =
        bascule_config::from_args(listen, &backends, &source).map_err(|error| Failure {
            code: EXIT_CONFIG,
            text: format!("error: {error}\n"),
        })?;
    Ok(given(text, loaded, "arguments".to_owned(), source))
}

/// The last good configuration of the state directory, when the file is invalid and that was allowed.
fn last_good(args: &RunArgs, found: &Diagnostics, source: Files) -> Result<Given, Failure> {
    let told = |why: String| {
        let mut failure = invalid(found);
        failure
            .text
            .push_str(&format!("error: no last good configuration: {why}\n"));
        failure
    };
    let directory =
        paths::state_dir_without_file(args).ok_or_else(|| told("no --state-dir".into()))?;
    let kept = store::last_good_config(&directory).map_err(|error| told(error.to_string()))?;
    let text = kept.ok_or_else(|| told("none was kept yet".into()))?;
    let loaded = bascule_config::load("last good", &text, &source).map_err(|d| invalid(&d))?;
    let warning = format!(
        "{}\nwarning: starting with the last good configuration\n",
        shown(found)
    );
    Failure {
        code: 0,
        text: warning,
    }
    .tell();
    Ok(given(text, loaded, "last good".to_owned(), source))
}

fn given(text: String, loaded: Loaded, origin: String, source: Files) -> Given {
    if !loaded.warnings.items.is_empty() {
        Failure {
            code: 0,
            text: shown(&loaded.warnings),
        }
        .tell();
    }
    Given {
        text,
        config: loaded.config,
        origin,
        source,
    }
}

/// Sockets and TLS, or all that keeps them from being had.
pub(super) fn sockets(given: &Given, workers: usize) -> Result<(Prepared, Trust), Failure> {
    reload::build(&given.config, &reload::Built::default(), workers).map_err(|unusable| {
        let is_address = |u: &Unusable| u.code == super::listeners::ADDRESS;
        let code = if unusable.iter().all(is_address) {
            EXIT_FAILED
        } else {
            EXIT_CONFIG
        };
        let found = reload::diagnose(&given.origin, &given.text, &given.config, &unusable);
        Failure {
            code,
            ..invalid(&found)
        }
    })
}

fn invalid(found: &Diagnostics) -> Failure {
    let text = format!(
        "{}\n{}.  Nothing was started.\n",
        shown(found),
        found.summary()
    );
    Failure {
        code: EXIT_CONFIG,
        text,
    }
}

fn shown(found: &Diagnostics) -> String {
    bascule_config::text::render(found, Style::Plain)
}

/// What a running configuration is kept as.
pub(super) fn running(given: Given) -> (bascule_admin::RunningConfig, Files) {
    let running = bascule_admin::RunningConfig {
        text: Arc::from(given.text),
        config: Arc::new(given.config),
        origin: given.origin,
        loaded_at: bascule_telemetry::clock::wall(),
        last_error: None,
    };
    (running, given.source)
}
