//! What can be written after `prices`. Part of the table in [`args`](super).

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What `prices` does.
#[derive(Debug, Subcommand)]
pub(crate) enum PricesCommand {
    /// What a GB costs at each backend, how old that is, and where it is written.
    ///
    /// A GB is 10⁹ bytes. Prices are those of the configuration; none is built in. Backends without one, prices older than
    /// 90 days and commitments that have ended are named below.
    List(PricesArgs),
}

/// Arguments of `prices list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PricesArgs {
    /// Only this service, and the commitments that cover something of it.
    pub(crate) service: Option<String>,
    /// The configuration file; without it, the running configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
