//! What can be written after `config`. Part of the table in [`args`](super).

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What `config` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check files: all errors at once, with place and fix.
    ///
    /// Besides `table` and `json`, `--output sarif` prints SARIF 2.1.0 for code scanning, and `--output github` workflow
    /// commands that show each diagnostic beside its line.
    Validate(ValidateArgs),
    /// Print a file in canonical form, comments kept.
    Fmt {
        /// The file; `-` is standard input.
        file: PathBuf,
        /// Change nothing; exit 10 when the file is not in canonical form.
        #[arg(long, conflicts_with = "write")]
        check: bool,
        /// Write the file.
        #[arg(long)]
        write: bool,
    },
    /// Show the running configuration, or a file's.
    Show {
        /// The file; without it, the running configuration.
        file: Option<PathBuf>,
        /// With all defaults filled in.
        #[arg(long)]
        effective: bool,
        /// Every key, with who says its value: the line of the file, or the default.
        #[arg(long, conflicts_with = "effective")]
        defaults: bool,
    },
    /// Show what a file would change, by meaning.
    ///
    /// Spacing, order, comments and another spelling of a value are no change. Values are shown as they are written. Of
    /// the files that a configuration names only the paths are compared.
    Diff(DiffArgs),
    /// Rewrite a file for the newest version of the configuration's shape, comments kept.
    ///
    /// Version 1 is the only one so far: a file that names no version gets it. A file of a version that this program does
    /// not know is refused.
    Migrate {
        /// The file; `-` is standard input.
        file: PathBuf,
        /// The version to reach; default: the newest.
        #[arg(long, value_name = "VERSION")]
        to: Option<u64>,
        /// Write the file.
        #[arg(long)]
        write: bool,
    },
    /// Print the JSON Schema of the configuration.
    Schema,
}

/// Arguments of `config validate`.
#[derive(Debug, Clone, Args, Default)]
pub(crate) struct ValidateArgs {
    /// The files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Apply the fixes that are safe, in the file.
    #[arg(long)]
    pub(crate) fix: bool,
    /// Let warnings fail too: exit 3.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Also ask the network, from here: whether hosts resolve, endpoints and clouds answer, certificates hold, and
    /// ports are free. Exit 7 when something does not.
    #[arg(long, conflicts_with = "fix")]
    pub(crate) online: bool,
}

/// Arguments of `config diff`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DiffArgs {
    /// The file that would be applied; `-` is standard input.
    pub(crate) file: PathBuf,
    /// What it is compared with: `live` (the running configuration), `git` or `git:REV` (the file as it is committed, in
    /// HEAD or in REV), or the path of another file.
    #[arg(long, value_name = "WHAT", default_value = "live")]
    pub(crate) against: String,
    /// Exit 10 when there are changes.
    #[arg(long, visible_alias = "exit-code")]
    pub(crate) detailed_exitcode: bool,
}

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// The configuration file; without it, the running configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Before anything runs: look at machine, file and endpoints only.
    #[arg(long, requires = "config")]
    pub(crate) pre: bool,
    /// Let warnings fail too: exit 7.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Arguments of `support-dump`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DumpArgs {
    /// The archive to write; default: `bascule-dump-TIME.tar.gz` here.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// The configuration file to look at; without it, the running configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Replace host names and addresses by numbered ones.
    #[arg(long)]
    pub(crate) redact_hosts: bool,
    /// Write over an archive that is there.
    #[arg(long)]
    pub(crate) force: bool,
}
