//! Rules on manifests: a crate depends only on crates of a lower rank, the pure core on nothing that acts, and every
//! third-party dependency has a line of reasons in `docs/decisions/dependencies.md`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Findings;

/// The crates that decide and never act.
pub(super) const PURE: [&str; 7] = [
    "model", "guard", "traffic", "health", "plan", "config", "sim",
];

/// Dependencies that act: with one of these in its manifest a crate is not pure.
const ACTING: [&str; 12] = [
    "tokio",
    "hyper",
    "hyper-util",
    "rustls",
    "tokio-rustls",
    "socket2",
    "rustix",
    "notify",
    "redb",
    "axum",
    "fastrand",
    "hickory-resolver",
];

/// Pairs that meet only through a lower crate.
const APART: [(&str, &str); 2] = [
    ("bascule-proxy", "bascule-control"),
    ("bascule-control", "bascule-proxy"),
];

/// One package of the workspace.
pub(super) struct Package {
    name: String,
    rank: Option<u64>,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    is_dev: bool,
    is_ours: bool,
}

/// Reads all packages of the workspace at `root` through `cargo metadata`.
pub(super) fn read(root: &Path) -> Result<Vec<Package>> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let dependencies = value.get("dependencies").and_then(Value::as_array);
    Package {
        name: text(value, "name"),
        rank: value
            .pointer("/metadata/bascule/rank")
            .and_then(Value::as_u64),
        dependencies: dependencies.into_iter().flatten().map(dependency).collect(),
    }
}

fn dependency(value: &Value) -> Dependency {
    Dependency {
        name: text(value, "name"),
        is_dev: value.get("kind").and_then(Value::as_str) == Some("dev"),
        is_ours: value.get("path").is_some_and(Value::is_string),
    }
}

fn text(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A crate depends only on lower ranks; testkit is never a production dependency; proxy and control stay apart.
pub(super) fn ranks(packages: &[Package]) -> Findings {
    let rank_of = |name: &str| {
        packages
            .iter()
            .find(|p| p.name == name)
            .and_then(|p| p.rank)
    };
    let mut findings = Findings::new();
    for package in packages {
        let Some(rank) = package.rank else {
            findings.push(format!(
                "{}: no rank under [package.metadata.bascule]",
                package.name
            ));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.is_ours) {
            let pair = (package.name.as_str(), dependency.name.as_str());
            let lower = rank_of(&dependency.name).is_some_and(|other| other < rank);
            let allowed = dependency.is_dev && (dependency.name == "bascule-testkit" || lower);
            if APART.contains(&pair) || !(allowed || !dependency.is_dev && lower) {
                findings.push(format!(
                    "{} (rank {rank}) must not depend on {}",
                    pair.0, pair.1
                ));
            }
        }
    }
    findings
}

/// The pure core names no crate that acts, not even in tests' manifests.
pub(super) fn purity(packages: &[Package]) -> Findings {
    let is_pure = |p: &&Package| {
        PURE.iter()
            .any(|pure| p.name.strip_prefix("bascule-") == Some(*pure))
    };
    packages
        .iter()
        .filter(is_pure)
        .flat_map(|p| p.dependencies.iter().map(move |d| (p, d)))
        .filter(|(_, d)| ACTING.contains(&d.name.as_str()))
        .map(|(p, d)| format!("{} is pure and must not depend on {}", p.name, d.name))
        .collect()
}

/// Every third-party dependency stands in the record, and the record names nothing that is gone.
pub(super) fn recorded<'a>(
    root: &Path,
    packages: impl Iterator<Item = &'a Package>,
) -> Result<Findings> {
    let path = "docs/decisions/dependencies.md";
    let record = std::fs::read_to_string(root.join(path)).context(path)?;
    let named: BTreeSet<&str> = record
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let used: BTreeSet<&str> = packages
        .flat_map(|p| &p.dependencies)
        .filter(|d| !d.is_ours)
        .map(|d| d.name.as_str())
        .collect();
    let missing = used
        .difference(&named)
        .map(|name| format!("{path}: no line for `{name}`"));
    let gone = named
        .difference(&used)
        .map(|name| format!("{path}: `{name}` is not used"));
    Ok(missing.chain(gone).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, rank: u64, ours: &[(&str, bool)]) -> Package {
        let dependency = |(name, is_dev): &(&str, bool)| Dependency {
            name: (*name).into(),
            is_dev: *is_dev,
            is_ours: true,
        };
        Package {
            name: name.into(),
            rank: Some(rank),
            dependencies: ours.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn a_dependency_on_an_equal_or_higher_rank_is_found() {
        let low = package("bascule-traffic", 1, &[("bascule-health", false)]);
        let peer = package("bascule-health", 1, &[]);
        assert_eq!(ranks(&[low, peer]).len(), 1);
    }

    #[test]
    fn testkit_is_found_in_production_but_not_in_tests() {
        let kit = || package("bascule-testkit", 9, &[]);
        let wrong = package("bascule", 8, &[("bascule-testkit", false)]);
        let right = package("bascule", 8, &[("bascule-testkit", true)]);
        assert_eq!(ranks(&[wrong, kit()]).len(), 1);
        assert_eq!(ranks(&[right, kit()]).len(), 0);
    }

    #[test]
    fn proxy_and_control_are_kept_apart_whatever_their_ranks() {
        let proxy = package("bascule-proxy", 7, &[("bascule-control", false)]);
        let control = package("bascule-control", 6, &[]);
        assert_eq!(ranks(&[proxy, control]).len(), 1);
    }

    #[test]
    fn an_acting_dependency_of_a_pure_crate_is_found() {
        let mut pure = package("bascule-plan", 1, &[]);
        pure.dependencies.push(Dependency {
            name: "tokio".into(),
            is_dev: false,
            is_ours: false,
        });
        assert_eq!(purity(&[pure]).len(), 1);
    }
}
