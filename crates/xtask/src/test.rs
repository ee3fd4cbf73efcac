//! `cargo xtask test`: everything that proves the product, with a table of what took how long. Steps run one after the
//! other, since two heavy builds at once gain nothing on a small machine. The first failure ends the run.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{fuzz, gates, generate, say, soak, tidy, tools};

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// What every change must pass.
    Normal,
    /// The long runs too.
    All,
}

impl Length {
    /// The binary the demo is played with, and attacked in the long run.
    const fn binary(self) -> &'static str {
        match self {
            Self::Normal => "target/debug/bascule",
            Self::All => "target/quick/bascule",
        }
    }
}

/// Runs the steps and prints the table.
pub(crate) fn run(root: &Path, length: Length) -> Result<()> {
    let cargo = |args: &'static [&'static str]| move || command(root, "cargo", args);
    let mut table = Table::default();
    table.step("install tools", || {
        tools::ensure(tools::OF_TESTS)?;
        tools::ensure_pythons(root, tools::PYTHON_OF_TESTS)
    })?;
    table.step("tidy", || tidy::run(root))?;
    table.step(
        "build tests",
        cargo(&["test", "--workspace", "--no-run", "--quiet"]),
    )?;
    table.step(
        "unit, property and end-to-end tests",
        cargo(&["test", "--workspace"]),
    )?;
    table.step("generated references", || generate::check(root))?;
    table.step("instructions per request", || {
        gates::instructions(root, &[])
    })?;
    // The tests have built the binary already; the long run takes an optimised one.
    if length == Length::All {
        let quick = ["build", "--profile", "quick", "--package", "bascule"];
        table.step("build the optimised binary", || {
            command(root, "cargo", &quick)
        })?;
    }
    for fault in faults(length) {
        let binary = length.binary();
        table.step(&format!("demo, fault {fault}"), || {
            demo(root, binary, fault)
        })?;
    }
    if length == Length::All {
        table.step("laws, many more cases", || many_cases(root))?;
        table.step("a thousand sessions", || a_thousand_sessions(root))?;
        table.step("a minute of failures", || a_minute_of_failures(root))?;
        table.step("histories, many more seeds", || many_seeds(root))?;
        table.step("attacks, larger", || larger_attacks(root, length.binary()))?;
        table.step("differential fuzzer", || differential(root))?;
        table.step("fuzz targets", || fuzz::run(root, &fuzz::Wanted::ALL))?;
        table.step("soak", || soak::run(root, &soak::Wanted::default()))?;
    }
    say::line(&table.to_string());
    Ok(())
}

/// Plays the raw cases against other programs too, and writes `docs/conformance.md`.
pub(crate) fn conformance(root: &Path) -> Result<()> {
    tools::ensure(tools::OF_BENCH)?;
    let args = [
        "test",
        "--package",
        "bascule",
        "--test",
        "conformance",
        "--",
        "--ignored",
        "the_page_of_conformance_is_written",
    ];
    command(root, "cargo", &args)
}

/// The faults the demo is run with.
fn faults(length: Length) -> &'static [&'static str] {
    match length {
        Length::Normal => &["refused"],
        Length::All => &[
            "refused",
            "503",
            "reset",
            "blackhole",
            "slow",
            "flap",
            "half",
        ],
    }
}

fn demo(root: &Path, binary: &str, fault: &str) -> Result<()> {
    let args = [
        "demo",
        "--headless",
        "--assert",
        "--seed",
        "1",
        "--fault",
        fault,
    ];
    command(root, binary, &args)
}

/// The crates whose laws are run with many more random cases, and with how many: histories of `plan` are long.
const MANY_CASES: &[(&str, &str)] = &[
    ("model", "2000"),
    ("guard", "2000"),
    ("traffic", "2000"),
    ("health", "2000"),
    ("config", "2000"),
    ("plan", "600"),
];

/// The property tests alone.
fn many_cases(root: &Path) -> Result<()> {
    for (name, cases) in MANY_CASES {
        let status = Command::new("cargo")
            .args(["test", "--package", &format!("bascule-{name}")])
            .env("PROPTEST_CASES", cases)
            .current_dir(root)
            .status()
            .context("cargo test")?;
        if !status.success() {
            bail!("a law of {name} does not hold in every case: {status}");
        }
    }
    Ok(())
}

/// Long sessions through reloads and shifts, five times as many as in the normal run.
fn a_thousand_sessions(root: &Path) -> Result<()> {
    let status = Command::new("cargo")
        .args(["test", "--package", "bascule", "--test", "e2e", "sessions"])
        .env("BASCULE_SESSIONS", "1000")
        .current_dir(root)
        .status()
        .context("cargo test")?;
    if !status.success() {
        bail!("a session was cut or a request failed: {status}");
    }
    Ok(())
}

/// The budget of retries over a whole minute, at the least rate that its promise is for.
fn a_minute_of_failures(root: &Path) -> Result<()> {
    let status = Command::new("cargo")
        .args(["test", "--package", "bascule", "--test", "e2e"])
        .arg("with_everything_failing")
        .env("BASCULE_FAILING_RATE", "40")
        .current_dir(root)
        .status()
        .context("cargo test")?;
    if !status.success() {
        bail!("retries were more than a quarter of the requests, or there were none: {status}");
    }
    Ok(())
}

/// Simulated histories, twenty times as many as in the normal run.
fn many_seeds(root: &Path) -> Result<()> {
    let status = Command::new("cargo")
        .args(["test", "--package", "bascule-sim", "--test", "seeds"])
        .env("SIM_SEEDS", "5000")
        .current_dir(root)
        .status()
        .context("cargo test")?;
    if !status.success() {
        bail!("a law does not hold in every history: {status}");
    }
    Ok(())
}

/// Every attack on the optimised binary, several times as large as in the normal run.
fn larger_attacks(root: &Path, binary: &str) -> Result<()> {
    let status = Command::new("cargo")
        .args(["test", "--package", "bascule", "--test", "attacks"])
        .env("BASCULE_ATTACK_SCALE", "4")
        .env("BASCULE_TEST_BINARY", root.join(binary))
        .current_dir(root)
        .status()
        .context("cargo test")?;
    if !status.success() {
        bail!("an attack that is larger is not withstood: {status}");
    }
    Ok(())
}

/// How long made-up requests go through the binary, in seconds.
const DIFFERENTIAL_SECONDS: &str = "60";

/// Made-up requests, each time others: the seed is printed.
fn differential(root: &Path) -> Result<()> {
    let args = ["--package", "bascule", "--test", "conformance"];
    let status = Command::new("cargo")
        .arg("test")
        .args(args)
        .args(["--", "--nocapture", "differential::"])
        .env("BASCULE_DIFFERENTIAL_SECONDS", DIFFERENTIAL_SECONDS)
        .current_dir(root)
        .status()
        .context("cargo test")?;
    if !status.success() {
        bail!("the origin did not see what the client sent: {status}");
    }
    Ok(())
}

pub(crate) fn command(root: &Path, program: &str, args: &[&str]) -> Result<()> {
    let path = if program.contains('/') {
        root.join(program)
    } else {
        program.into()
    };
    let status = Command::new(path)
        .args(args)
        .current_dir(root)
        .status()
        .context(program.to_owned())?;
    if !status.success() {
        bail!("`{program} {}` failed: {status}", args.join(" "));
    }
    Ok(())
}

#[derive(Default)]
struct Table {
    rows: Vec<(String, Duration)>,
}

impl Table {
    fn step(&mut self, name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
        say::line(&format!("== {name}"));
        #[expect(
            clippy::disallowed_methods,
            reason = "a time table for people; nothing depends on it"
        )]
        let started = Instant::now();
        run().with_context(|| format!("step `{name}`"))?;
        self.rows.push((name.to_owned(), started.elapsed()));
        Ok(())
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total: Duration = self.rows.iter().map(|(_, took)| *took).sum();
        for (name, took) in self
            .rows
            .iter()
            .map(|(n, t)| (n.as_str(), *t))
            .chain([("total", total)])
        {
            writeln!(f, "{name:<44} {:>7.1} s", took.as_secs_f64())?;
        }
        Ok(())
    }
}
