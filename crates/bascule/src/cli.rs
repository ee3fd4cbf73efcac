//! The command line: what was written, whom it is given to, and how the process exits. Table of contents of the folder:
//! `args` and `values` say what can be written, `exit` the codes and errors, `output` the only writer, `client` the admin
//! API over a socket; then one file for each group of commands. It must never decide about traffic: it asks the admin API.

pub(crate) mod args;
mod check;
pub(crate) mod client;
mod config;
mod dump;
mod evacuate;
mod events;
pub(crate) mod exit;
pub(crate) mod explain;
mod follow;
mod history;
mod output;
mod prices;
mod provider;
mod reference;
mod running;
#[cfg(test)]
pub(crate) mod samples;
mod session;
mod shift;
mod state;
mod status;
pub(crate) mod text;
pub(crate) mod values;

use std::process::ExitCode;

use bascule_admin::api::AdminState;
use clap::Parser as _;

use args::{Cli, Command, Global};
use exit::{CliError, CliResult, Exit};
use output::Output;
use running::Verb;
use session::Session;

/// Reads the command line, does it, and says how it ended.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let mut out = Output::of_process(&cli.global);
    if cli.global.output.is_for_diagnostics() && !cli.command.prints_diagnostics() {
        let message =
            "sarif and github are forms of diagnostics, which only `config validate` prints";
        let error = CliError::new(Exit::Usage, message).with_help("-o json is for every command");
        return finish(&mut out, Err(error));
    }
    let result = match cli.command {
        Command::Run(args) => return daemon(&mut out, crate::run::main(&args)),
        Command::Demo(args) => return daemon(&mut out, crate::demo::main(&args)),
        Command::Completion { shell } => reference::completion(shell, &mut out),
        Command::Man { dir } => reference::man(&dir, &mut out),
        Command::Help { topic } => reference::help(&topic, &mut out),
        Command::Version => reference::version(&mut out),
        Command::InternalDocs { page } => reference::page(page, &mut out),
        command => with_runtime(command, &cli.global, &mut out),
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

/// Runs a command that may ask the admin API, on a runtime of one thread.
fn with_runtime(command: Command, global: &Global, out: &mut Output) -> CliResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| CliError::new(Exit::Failed, format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Config(command) => config::run(&command, global, out).await,
            Command::Check(args) => check::run(&args, global, out).await,
            Command::Explain(args) => explain::run(&args, global, out).await,
            Command::Prices(command) => prices::run(&command, global, out).await,
            Command::SupportDump(args) => dump::run(&args, global, out).await,
            command => ask(command, &mut Session::open(global, out)?).await,
        }
    })
}

/// Commands that ask the admin API.
async fn ask(command: Command, session: &mut Session<'_>) -> CliResult {
    match command {
        Command::Status(args) => status::run(session, &args).await,
        Command::Shift(args) => shift::shift(session, &args).await,
        Command::Provider(command) => provider::run(session, &command).await,
        Command::Pause(args) => running::run(session, &args, Verb::Pause).await,
        Command::Resume(args) => running::run(session, &args, Verb::Resume).await,
        Command::Abort(args) => running::run(session, &args, Verb::Abort).await,
        Command::Undo(args) => shift::undo(session, &args).await,
        Command::History(args) => history::run(session, &args).await,
        Command::Evacuate(args) => evacuate::evacuate(session, &args).await,
        Command::Restore(args) => evacuate::restore(session, &args).await,
        Command::Drain(args) => state::run(session, &args, AdminState::Drain).await,
        Command::Ready(args) => state::run(session, &args, AdminState::Ready).await,
        Command::Maint(args) => state::run(session, &args, AdminState::Maint).await,
        Command::Offline(args) => state::run(session, &args, AdminState::Offline).await,
        Command::Events(args) => events::run(session, &args).await,
        other => Err(CliError::new(
            Exit::Failed,
            format!("nobody answers {other:?}"),
        )),
    }
}
