//! What a figure depends on, as the programs call themselves.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// One line for each: machine, kernel, libraries, compiler and proxies.
///
/// # Errors
/// A program is missing.
pub fn all(bascule: &Path) -> Result<Vec<String>> {
    let bascule_says = first_line(&bascule.display().to_string(), &["--version"])?;
    Ok(vec![
        format!(
            "{bascule_says}, commit {}, {}",
            commit()?,
            bascule.display()
        ),
        first_line("/usr/sbin/haproxy", &["-v"])?,
        first_line("/usr/sbin/nginx", &["-v"])?,
        first_line("rustc", &["--version"])?,
        first_line("getconf", &["GNU_LIBC_VERSION"])?,
        first_line("uname", &["-srm"])?,
        processor(),
    ])
}

/// The commit, and whether the tree has changed since.
fn commit() -> Result<String> {
    let commit = first_line("git", &["rev-parse", "--short=10", "HEAD"])?;
    let changed = first_line("git", &["status", "--porcelain", "--untracked-files=no"])?;
    Ok(if changed.is_empty() {
        commit
    } else {
        format!("{commit} with changes")
    })
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map_or("unknown processor", |name| {
        name.trim_matches([' ', '\t', ':'])
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} cores")
}

/// nginx says its version on standard error.
fn first_line(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output();
    let output = output.with_context(|| program.to_owned())?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}
