//! The command line: what was written, whom it is given to, and how the process exits. Table of contents of the folder:
//! `args` and `values` say what can be written, `exit` the codes and errors, `output` the only writer, `client` the admin
//! API over a socket; then one file for each group of commands. It must never decide about traffic: it asks the admin API.

pub(crate) mod args;
pub(crate) mod exit;
mod output;
mod reference;
pub(crate) mod values;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use exit::{CliError, CliResult, Exit};
use output::Output;

/// Reads the command line, does it, and says how it ended.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut out = Output::of_process(&cli.global);
    let result = match cli.command {
        Command::Run(args) => return daemon(&mut out, crate::run::main(&args)),
        Command::Demo(args) => return daemon(&mut out, crate::demo::main(&args)),
        command => dispatch(command, &mut out),
    };
    finish(&mut out, result)
}

/// Prints clap's own answers: help and version to standard output with exit 0, errors to standard error with exit 2.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) if error.use_stderr() => Exit::Usage.into(),
        Ok(()) => Exit::Ok.into(),
        Err(_) => Exit::Failed.into(),
    }
}

/// The exit of a part that speaks for itself.
fn daemon(out: &mut Output, result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        let error = CliError::new(Exit::Failed, format!("{error:#}"));
        finish(out, Err(error))
    })
}

/// Prints an error, if there is one.
fn finish(out: &mut Output, result: CliResult) -> ExitCode {
    match result {
        Ok(exit) => exit.into(),
        Err(error) if error.exit == Exit::Ok => Exit::Ok.into(),
        Err(error) => {
            out.error(&error);
            error.exit.into()
        }
    }
}

/// Commands that ask the admin API or need nobody.
fn dispatch(command: Command, out: &mut Output) -> CliResult {
    match command {
        Command::Completion { shell } => reference::completion(shell, out),
        Command::Man { dir } => reference::man(&dir, out),
        Command::Help { topic } => reference::help(&topic, out),
        Command::Version => reference::version(out),
        Command::InternalDocs { page } => reference::page(page, out),
        _ => Err(CliError::new(Exit::Failed, "this command is not here yet")),
    }
}
