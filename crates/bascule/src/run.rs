//! The daemon: edge and controller in one process. It puts the parts together and must decide nothing itself.

use std::process::ExitCode;

use crate::cli::args::RunArgs;

/// Runs until told to stop.
pub(crate) fn main(args: &RunArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`run` is not here yet (asked for: {args:?})")
}
