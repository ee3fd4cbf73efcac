//! The real programs that tests and the bench run against: found, or installed by their package, or named with the way to
//! get them.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::say;

/// A program, and the Debian package that brings it.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

const NGINX: Tool = tool("nginx", "nginx-light");

/// What the tests need.
pub(crate) const OF_TESTS: &[Tool] = &[
    NGINX,
    tool("curl", "curl"),
    tool("h2load", "nghttp2-client"),
    tool("valgrind", "valgrind"),
    tool("openssl", "openssl"),
    tool("python3", "python3"),
];

/// What the bench needs.
pub(crate) const OF_BENCH: &[Tool] = &[NGINX, tool("haproxy", "haproxy")];

const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// Installs what is missing. Fails with what, why and how where that cannot be done.
pub(crate) fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools
        .iter()
        .filter(|tool| !is_installed(tool.program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    say::line(&format!("installing {}", packages.join(" ")));
    // An outdated package list is the usual reason for a failed install; a failed update is told by the install.
    let _ = apt(&["update", "-q"]);
    let installed = apt(&[
        &["install", "-q", "-y", "--no-install-recommends"],
        packages.as_slice(),
    ]
    .concat());
    let still: Vec<&str> = missing
        .iter()
        .filter(|t| !is_installed(t.program))
        .map(|t| t.program)
        .collect();
    if !still.is_empty() {
        bail!(
            "{} needed; apt-get install {} {}; install them and run again",
            still.join(", "),
            packages.join(" "),
            if installed {
                "did not bring them"
            } else {
                "failed"
            }
        );
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    // Debian keeps servers in a folder that is not on every user's path.
    folders.push("/usr/sbin".into());
    folders.iter().any(|folder| folder.join(program).is_file())
}

fn apt(args: &[&str]) -> bool {
    let status = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
