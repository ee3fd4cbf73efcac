//! The two gates on speed: builds what they measure with, and hands over to it. What is measured, and how, is decided in
//! `benches/count` and `benches/load`.

use std::path::Path;

use anyhow::Result;

use crate::test::command;
use crate::tools;

/// Counts instructions per request and compares with the record.
pub(crate) fn instructions(root: &Path, args: &[&str]) -> Result<()> {
    tools::ensure(tools::OF_TESTS)?;
    // On top of the dev profile, and with the features of the whole workspace: so that whatever is not on a request's path
    // is taken as the tests have built it.
    let build = [
        "build",
        "--quiet",
        "--workspace",
        "--bin",
        "bascule-count",
        "--config",
        "benches/count/optimised.toml",
    ];
    command(root, "cargo", &build)?;
    command(root, "target/debug/bascule-count", args)
}
