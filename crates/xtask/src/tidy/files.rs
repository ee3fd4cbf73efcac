//! Rules on source files: a module doc in each, a length that a reader can hold, no word of IO in the pure core, and the
//! top level that everybody knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Findings;
use super::crates::PURE;

/// Production lines above which a file is too long to read in one go (`docs/architecture.md`, sizes).
const LINES_MAX: usize = 400;

/// What the top level holds, and nothing else that git knows.
const TOP_LEVEL: [&str; 17] = [
    ".cargo",
    ".ci",
    ".config",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "config",
    "crates",
    "deny.toml",
    "docs",
    "rustfmt.toml",
    "tests",
];

/// Words that act, which the pure core must not say.
const ACTING: [&str; 14] = [
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "thread_rng",
    "RandomState",
    "HashMap",
    "HashSet",
];

/// One Rust file.
pub(super) struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Whether all of it is tests.
    fn is_test(&self) -> bool {
        let is_tests = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
        self.path.iter().any(is_tests)
    }

    /// The lines before the file's unit tests.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(n, line)| (n + 1, line));
        lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]")
    }
}

/// Reads every Rust file under `crates`, `tests` and `benches`.
pub(super) fn read(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "tests", "benches"].map(|f| root.join(f)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir()
                && path
                    .file_name()
                    .is_some_and(|n| n != "target" && n != "node_modules")
            {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path)?;
                let path = path.strip_prefix(root)?.to_path_buf();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

/// Every file opens by saying what it decides or does.
pub(super) fn module_docs(sources: &[Source]) -> Findings {
    let silent = |s: &&Source| !s.text.starts_with("//!");
    sources
        .iter()
        .filter(silent)
        .map(|s| {
            format!(
                "{}:1: does not open with a module doc (//!)",
                s.path.display()
            )
        })
        .collect()
}

/// A folder's parent file stands beside it.
pub(super) fn no_mod_files(sources: &[Source]) -> Findings {
    sources
        .iter()
        .filter(|s| s.path.file_name().is_some_and(|n| n == "mod.rs"))
        .map(|s| format!("{}: name it like its folder, beside it", s.path.display()))
        .collect()
}

/// A file that is longer than a reader can hold says why in its first lines ("Longer than …").
pub(super) fn length(sources: &[Source]) -> Findings {
    let says_why = |s: &Source| {
        s.text
            .lines()
            .take(20)
            .any(|line| line.contains("Longer than"))
    };
    sources
        .iter()
        .filter(|s| (s.is_under("crates") || s.is_under("benches")) && !s.is_test() && !says_why(s))
        .map(|s| (s, s.production().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(s, lines)| {
            format!(
                "{}: {lines} production lines, limit {LINES_MAX}",
                s.path.display()
            )
        })
        .collect()
}

/// The pure core says no word that acts.
pub(super) fn pure_sources(sources: &[Source]) -> Findings {
    let pure = |s: &&Source| {
        PURE.iter()
            .any(|name| s.is_under(&format!("crates/{name}/src")))
    };
    let mut findings = Findings::new();
    for source in sources.iter().filter(pure) {
        for (number, line) in source.production() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some(word) = ACTING.iter().find(|word| code.contains(**word)) {
                let path = source.path.display();
                findings.push(format!("{path}:{number}: `{word}` in a pure crate"));
            }
        }
    }
    findings
}

/// The checker of plans is written from the rules: it must not read the solver.
pub(super) fn check_apart_from_solve(sources: &[Source]) -> Findings {
    let is_check = |s: &&Source| {
        s.is_under("crates/plan/src/check") || s.path == Path::new("crates/plan/src/check.rs")
    };
    sources
        .iter()
        .filter(is_check)
        .filter(|s| s.text.contains("solve::"))
        .map(|s| {
            format!(
                "{}: plan::check must not import plan::solve",
                s.path.display()
            )
        })
        .collect()
}

/// The top level is the one the architecture names.
pub(super) fn top_level(root: &Path) -> Result<Findings> {
    let listed = std::process::Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git ls-files")?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let tops: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.split('/').next())
        .collect();
    Ok(tops
        .into_iter()
        .filter(|top| !TOP_LEVEL.contains(top))
        .map(|top| format!("{top}: does not belong at the top level"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Vec<Source> {
        vec![Source {
            path: path.into(),
            text: text.into(),
        }]
    }

    #[test]
    fn a_file_without_a_module_doc_is_found() {
        assert_eq!(
            module_docs(&source("crates/x/src/a.rs", "use std::fmt;")).len(),
            1
        );
        assert!(module_docs(&source("crates/x/src/a.rs", "//! Decides.")).is_empty());
    }

    #[test]
    fn a_file_in_a_pure_crate_that_reads_the_clock_is_found_with_its_line() {
        let bad = source(
            "crates/plan/src/a.rs",
            "//! Doc.\nlet now = Instant::now();",
        );
        assert_eq!(
            pure_sources(&bad),
            ["crates/plan/src/a.rs:2: `Instant::now` in a pure crate"]
        );
        let comment = source("crates/plan/src/a.rs", "//! Never Instant::now.\n");
        assert!(pure_sources(&comment).is_empty());
        let shell = source("crates/net/src/a.rs", "let now = Instant::now();");
        assert!(pure_sources(&shell).is_empty());
    }

    #[test]
    fn a_long_file_is_found_unless_it_says_why() {
        let long = "//! Doc.\n".to_owned() + &"fn f() {}\n".repeat(LINES_MAX);
        assert_eq!(length(&source("crates/x/src/a.rs", &long)).len(), 1);
        let excused = "//! Doc. Longer than usual: a table.\n".to_owned() + &long;
        assert!(length(&source("crates/x/src/a.rs", &excused)).is_empty());
    }

    #[test]
    fn a_checker_that_reads_the_solver_is_found() {
        let bad = source(
            "crates/plan/src/check.rs",
            "//! Doc.\nuse crate::solve::Row;",
        );
        assert_eq!(check_apart_from_solve(&bad).len(), 1);
    }
}
