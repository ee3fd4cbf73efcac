//! `cargo xtask fuzz`: builds the fuzz targets of `tests/fuzz` with coverage instrumentation and runs them, some beside each
//! other. The stable compiler can instrument; what cargo-fuzz would add is not needed. A target that finds something fails
//! the run, which then says where the input is and how to see it again. Working files are under `target/fuzz`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};

use crate::say;

mod seeds;

/// What the compiler adds: counters of edges, the table that names them, and the operands of comparisons.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// Instrumented code is for the machine it is built on; naming the triple keeps build scripts free of instrumentation.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// How long a target runs when nobody says.
const SECONDS: u32 = 60;

/// Longest input, in bytes: several heads, or a configuration.
const INPUT_BYTES_MAX: u32 = 4096;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// One target, or all.
    target: Option<String>,
    /// For each.
    seconds: u32,
    /// An input to run once instead.
    replay: Option<PathBuf>,
}

impl Wanted {
    /// All targets, as long as usual.
    pub(crate) const ALL: Self = Self {
        target: None,
        seconds: SECONDS,
        replay: None,
    };

    /// Of arguments: `[TARGET] [--seconds N] [--replay FILE]`.
    pub(crate) fn read(words: &[&str]) -> Result<Self> {
        let mut wanted = Self::ALL;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match *word {
                "--seconds" => wanted.seconds = value()?.parse().context("--seconds")?,
                "--replay" => wanted.replay = Some(value()?.into()),
                target if !target.starts_with('-') && wanted.target.is_none() => {
                    wanted.target = Some(target.to_owned());
                }
                _ => bail!("`{word}` is not understood"),
            }
        }
        ensure!(
            wanted.replay.is_none() || wanted.target.is_some(),
            "--replay needs a target"
        );
        Ok(wanted)
    }
}

/// The names of all targets, from their files.
pub(crate) fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("tests/fuzz/targets");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rs") {
            names.extend(path.file_stem().map(|s| s.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds and runs what is wanted.
pub(crate) fn run(root: &Path, wanted: &Wanted) -> Result<()> {
    let mut targets = targets(root)?;
    if let Some(target) = &wanted.target {
        ensure!(
            targets.contains(target),
            "no target `{target}`; there are {}",
            targets.join(", ")
        );
        targets.retain(|known| known == target);
    }
    build(root, &targets)?;
    if let (Some(file), [target]) = (&wanted.replay, targets.as_slice()) {
        let status = Command::new(binary(root, target)).arg(file).status()?;
        ensure!(status.success(), "{target} fails on {}", file.display());
        return Ok(());
    }
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let lane = || -> Result<Vec<String>> {
        let mut found = Vec::new();
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(fuzz(root, target, wanted.seconds)?);
        }
        Ok(found)
    };
    let found: Result<Vec<Vec<String>>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let joined = running.into_iter().map(|lane| match lane.join() {
            Ok(found) => found,
            Err(_) => bail!("a lane of the fuzzer panicked"),
        });
        joined.collect()
    });
    let found = found?.concat();
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

fn build(root: &Path, targets: &[String]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--locked", "--target", TRIPLE])
        .arg("--manifest-path")
        .arg(root.join("tests/fuzz/Cargo.toml"))
        .arg("--target-dir")
        .arg(root.join("target/fuzz"))
        .env("RUSTFLAGS", RUSTFLAGS)
        .current_dir(root);
    for target in targets {
        cargo.args(["--bin", target]);
    }
    let status = cargo.status().context("cargo build")?;
    ensure!(status.success(), "the fuzz targets do not build: {status}");
    Ok(())
}

fn binary(root: &Path, target: &str) -> PathBuf {
    root.join("target/fuzz")
        .join(TRIPLE)
        .join("release")
        .join(target)
}

/// Runs a target; what it found, in words.
fn fuzz(root: &Path, target: &str, seconds: u32) -> Result<Option<String>> {
    let work = root.join("target/fuzz/work").join(target);
    let (corpus, found) = (work.join("corpus"), work.join("found"));
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(folder)?;
    }
    let output = Command::new(binary(root, target))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048"])
        .arg(&corpus)
        .args(seeds::folders(root, target, &work)?)
        .stdin(Stdio::null())
        .output()
        .with_context(|| target.to_owned())?;
    let told = String::from_utf8_lossy(&output.stderr);
    let stat = |name: &str| {
        let line = told.lines().rev().find_map(|line| line.split_once(name));
        let value = line.and_then(|(_, rest)| rest.split_whitespace().next());
        value.unwrap_or("?").to_owned()
    };
    let executions = stat("stat::number_of_executed_units:");
    let covered = stat(" cov: ");
    say::line(&format!(
        "fuzz {target:<18} {executions:>10} executions  {covered:>6} edges  {seconds} s"
    ));
    if output.status.success() {
        return Ok(None);
    }
    let input = told
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map_or("?", |(_, path)| path.trim());
    let panic = told
        .lines()
        .skip_while(|line| !line.contains("panicked at"))
        .take(4)
        .collect::<Vec<_>>()
        .join("\n  ");
    Ok(Some(format!(
        "fuzz target {target} fails on {input}\n  {panic}\n  again: cargo xtask fuzz {target} --replay {input}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_a_target_a_time_and_an_input() {
        let read = |words: &[&str]| Wanted::read(words);
        assert_eq!(read(&[]).unwrap(), Wanted::ALL);
        let one = read(&["preface", "--seconds", "5"]).unwrap();
        assert_eq!((one.target.as_deref(), one.seconds), (Some("preface"), 5));
        assert!(read(&["--replay", "x"]).is_err());
        assert!(read(&["--seconds"]).is_err() && read(&["a", "b"]).is_err());
    }

    #[test]
    fn every_target_has_its_binary_in_the_manifest() {
        let root = crate::root().unwrap();
        let manifest = std::fs::read_to_string(root.join("tests/fuzz/Cargo.toml")).unwrap();
        for target in targets(&root).unwrap() {
            let line = format!("name = \"{target}\"");
            assert!(manifest.contains(&line), "{target}");
        }
    }
}
