//! What is measured: the two gates on speed, and proxies side by side while providers fail. Builds what is measured with,
//! and hands over to it. What is measured, and how, is decided in `benches/count`, `benches/load` and
//! `benches/resilience`.

use std::path::Path;

use anyhow::Result;

use crate::test::command;
use crate::{say, tools};

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

/// Measures CPU per request beside other proxies.
pub(crate) fn bench(root: &Path, args: &[&str]) -> Result<()> {
    tools::ensure(tools::OF_BENCH)?;
    let is_quick = args.contains(&"--quick");
    let profile = if is_quick { "quick" } else { "release" };
    say::line(&format!("building, profile {profile}"));
    let packages = ["--package", "bascule", "--package", "bascule-load"];
    let build = [&["build", "--profile", profile], packages.as_slice()].concat();
    command(root, "cargo", &build)?;
    let program = format!("target/{profile}/bascule-load");
    let ours = ["--bascule", &format!("target/{profile}/bascule")].map(str::to_owned);
    let rest = args.iter().filter(|arg| **arg != "--quick");
    let args: Vec<&str> = ours
        .iter()
        .map(String::as_str)
        .chain(rest.copied())
        .collect();
    command(root, &program, &args)
}

/// What clients of several proxies see while providers fail.
pub(crate) fn resilience(root: &Path, args: &[&str]) -> Result<()> {
    tools::ensure(tools::OF_BENCH)?;
    let names: Vec<&str> = args
        .windows(2)
        .filter_map(|pair| match pair {
            ["--proxy", name] => Some(*name),
            _ => None,
        })
        .collect();
    if names.is_empty() || names.contains(&"envoy") {
        tools::ensure_envoy(root)?;
    }
    let is_quick = args.contains(&"--quick");
    let profile = if is_quick { "quick" } else { "release" };
    say::line(&format!("building, profile {profile}"));
    let packages = ["--package", "bascule", "--package", "bascule-resilience"];
    let build = [&["build", "--profile", profile], packages.as_slice()].concat();
    command(root, "cargo", &build)?;
    let bascule = format!("target/{profile}/bascule");
    let ours = ["--bascule", &bascule, "--envoy", tools::ENVOY];
    let rest = args.iter().filter(|arg| **arg != "--quick").copied();
    let args: Vec<&str> = ours.into_iter().chain(rest).collect();
    command(root, &format!("target/{profile}/bascule-resilience"), &args)
}
