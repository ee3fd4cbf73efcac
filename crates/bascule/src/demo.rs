//! The demo: pretend clouds, a load generator and a story told by what clients saw. It must use the proxy as anybody
//! else does, without a code path of its own in it.

use std::process::ExitCode;

use crate::cli::args::DemoArgs;

/// Plays the demo.
pub(crate) fn main(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`demo` is not here yet (asked for: {args:?})")
}
