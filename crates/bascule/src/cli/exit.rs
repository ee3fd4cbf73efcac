//! Exit codes and the error that carries one. Stable: people script against these numbers. An error says what happened,
//! where, and how to put it right; the chain of causes is part of the message.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// How the command ended. 0 also when there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Failed for a reason that has no code of its own.
    Failed = 1,
    /// The command line, or a name in it, is wrong.
    Usage = 2,
    /// A configuration is invalid.
    ConfigInvalid = 3,
    /// Controller or edge cannot be reached.
    Unreachable = 4,
    /// The state moved since it was looked at.
    Conflict = 5,
    /// A safety rule refused it.
    Refused = 6,
    /// A check found a problem.
    Problem = 7,
    /// A guardrail turned it back.
    TurnedBack = 8,
    /// Not permitted.
    NotPermitted = 9,
    /// There are changes.
    ChangesPresent = 10,
    /// Interrupted; a shift goes on.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CliError {
    /// How to exit.
    pub(crate) exit: Exit,
    /// One line: what happened.
    pub(crate) message: String,
    /// More lines: the numbers, what is accepted.
    pub(crate) details: Vec<String>,
    /// What to do about it.
    pub(crate) help: Vec<String>,
    /// The problem document, where the admin API gave one.
    pub(crate) problem: Option<Box<bascule_admin::api::Problem>>,
}

impl CliError {
    /// An error with a message alone.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            details: Vec::new(),
            help: Vec::new(),
            problem: None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With one more line of evidence.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// An error of the file system, with the path it is about.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(
            Exit::Failed,
            format!("cannot {doing} {}: {error}", path.display()),
        )
    }

    /// As data, for `-o json`.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        serde_json::json!({
            "exit": self.exit.code(),
            "message": self.message,
            "details": self.details,
            "help": self.help,
            "problem": self.problem,
        })
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for detail in &self.details {
            write!(f, "\n  {detail}")?;
        }
        for help in &self.help {
            write!(f, "\n  → {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

impl From<io::Error> for CliError {
    /// Of writing what was asked for. A reader that went away is not a failure: `bascule events | head -1`.
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::Ok,
            _ => Exit::Failed,
        };
        Self::new(exit, format!("cannot write the output: {error}"))
    }
}

/// What a command comes to.
pub(crate) type CliResult = Result<Exit, CliError>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        use Exit::*;
        let all = [
            Ok,
            Failed,
            Usage,
            ConfigInvalid,
            Unreachable,
            Conflict,
            Refused,
            Problem,
            TurnedBack,
            NotPermitted,
            ChangesPresent,
            Interrupted,
        ];
        let codes: Vec<u8> = all.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
    }

    #[test]
    fn an_error_prints_evidence_and_the_way_out() {
        let error = CliError::new(Exit::Refused, "refused by 1 safety rule, nothing changed")
            .with_detail("max_step  65 points in one change, limit 20")
            .with_help("bascule shift meet aws=50 oci=50");
        assert_eq!(
            error.to_string(),
            "refused by 1 safety rule, nothing changed\n  max_step  65 points in one change, limit 20\n  \
             → bascule shift meet aws=50 oci=50"
        );
    }
}
