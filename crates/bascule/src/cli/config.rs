//! `config …`: what files say, before any process is asked to run them. Here is what all of its commands share: a file that
//! was read, and problems as an error. `validate`, `fmt`, `show`, `diff` and `migrate` have a file each; `against` is what
//! a file is compared with.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bascule_config::{Diagnostics, Loaded, Style};

use super::args::{ConfigCommand, Global};
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;
use crate::files::Files;

mod against;
mod diff;
mod fmt;
mod migrate;
mod show;
mod validate;

pub(crate) use diff::changes;
pub(crate) use show::live;

/// Does it.
pub(crate) async fn run(command: &ConfigCommand, global: &Global, out: &mut Output) -> CliResult {
    match command {
        ConfigCommand::Validate(args) => validate::run(args, global, out).await,
        ConfigCommand::Fmt { file, check, write } => {
            fmt::run(&Text::read(file)?, *check, *write, out)
        }
        ConfigCommand::Show {
            file,
            effective,
            defaults,
        } => {
            let how = show::How::of(*effective, *defaults);
            match file {
                Some(file) => show::file(&Text::read(file)?, how, out),
                None => show::running(how, global, out).await,
            }
        }
        ConfigCommand::Diff(args) => diff::run(args, global, out).await,
        ConfigCommand::Migrate { file, to, write } => {
            migrate::run(&Text::read(file)?, *to, *write, out)
        }
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&bascule_config::schema());
            out.text(&schema.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?)?;
            Ok(Exit::Ok)
        }
    }
}

/// A text with a name: a file that was read, standard input, or what runs.
pub(crate) struct Text {
    /// Where it is, and where its relative paths start.
    pub(crate) path: PathBuf,
    /// What it is called in messages.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) bytes: Vec<u8>,
    /// The environment of the process that it is for, where that is another.
    pub(crate) env: BTreeMap<String, String>,
}

impl Text {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let stdin = path.as_os_str() == "-";
        let read = if stdin {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        } else {
            std::fs::read(path)
        };
        let bytes = read.map_err(|error| unreadable(path, &error))?;
        let name = if stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        Ok(Self {
            path: path.to_owned(),
            name,
            bytes,
            env: BTreeMap::new(),
        })
    }

    /// Another text in the same place.
    pub(crate) fn with(&self, bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..self.copy()
        }
    }

    /// Where its relative paths and its variables come from.
    pub(crate) fn files(&self) -> Files {
        Files::of(&self.path).with_env(&self.env)
    }

    /// Another of the same.
    pub(crate) fn copy(&self) -> Self {
        Self {
            path: self.path.clone(),
            name: self.name.clone(),
            bytes: self.bytes.clone(),
            env: self.env.clone(),
        }
    }

    fn is_stdin(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    /// It as a configuration.
    pub(crate) fn load(&self) -> Result<Loaded, Diagnostics> {
        bascule_config::load_bytes(&self.name, &self.bytes, &self.files())
    }

    /// All that is to be said about it.
    fn problems(&self) -> Diagnostics {
        match self.load() {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        }
    }

    /// Writes the file anew.
    fn write(&self, text: &str) -> Result<(), CliError> {
        if self.is_stdin() {
            return Err(CliError::new(
                Exit::Usage,
                "--fix and --write change a file, and standard input is none",
            ));
        }
        std::fs::write(&self.path, text)
            .map_err(|error| CliError::file("write", &self.path, &error))
    }

    /// As text; what is not UTF-8 is shown as U+FFFD.
    pub(crate) fn as_utf8(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let told = CliError {
        exit: Exit::ConfigInvalid,
        ..CliError::file("read", path, error)
    };
    match error.kind() {
        std::io::ErrorKind::IsADirectory => {
            told.with_help("name the file in it: a configuration is one file")
        }
        std::io::ErrorKind::NotFound => {
            told.with_help("`bascule config validate -` reads standard input")
        }
        _ => told,
    }
}

/// Problems as an error.
pub(crate) fn invalid(problems: &Diagnostics) -> CliError {
    let error = CliError::new(
        Exit::ConfigInvalid,
        format!("{}: {}", problems.file, problems.summary()),
    );
    let lines = bascule_config::text::render(problems, Style::Plain);
    lines.lines().fold(error, CliError::with_detail)
}

const fn style(out: &Output) -> Style {
    if out.terminal && out.colour() {
        Style::Ansi
    } else {
        Style::Plain
    }
}

#[cfg(test)]
mod tests;
