//! `cargo xtask soak`: builds the optimised binary and starts the test `soak` of `tests/soak` against it. What is soaked,
//! and what must hold, is decided there; here is only how long, and with which seed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::test::command;

/// What is asked for; what is not, the test decides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    minutes: Option<u32>,
    seed: Option<u64>,
}

impl Wanted {
    /// Of arguments: `[--minutes N] [--seed N]`.
    pub(crate) fn read(words: &[&str]) -> Result<Self> {
        let mut wanted = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{word} needs a value"))?;
            match *word {
                "--minutes" => wanted.minutes = Some(value.parse().context("--minutes")?),
                "--seed" => wanted.seed = Some(value.parse().context("--seed")?),
                _ => bail!("`{word}` is not understood"),
            }
        }
        Ok(wanted)
    }
}

/// Runs it, and shows its tables as they come.
pub(crate) fn run(root: &Path, wanted: &Wanted) -> Result<()> {
    let build = ["build", "--profile", "quick", "--package", "bascule"];
    command(root, "cargo", &build)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--package", "bascule", "--test", "soak"])
        .env("BASCULE_TEST_BINARY", root.join("target/quick/bascule"))
        .current_dir(root);
    if let Some(minutes) = wanted.minutes {
        cargo.env("BASCULE_SOAK_MINUTES", minutes.to_string());
    }
    if let Some(seed) = wanted.seed {
        cargo.env("BASCULE_SOAK_SEED", seed.to_string());
    }
    let status = cargo.status().context("cargo test")?;
    if !status.success() {
        bail!("the soak failed: {status}; its first line says how to run it again");
    }
    Ok(())
}

#[test]
fn arguments_are_read_and_others_refused() {
    let read = |words: &[&str]| Wanted::read(words);
    assert_eq!(read(&[]).unwrap(), Wanted::default());
    let both = read(&["--seed", "7", "--minutes", "3"]).unwrap();
    assert_eq!((both.minutes, both.seed), (Some(3), Some(7)));
    assert!(read(&["--minutes"]).is_err());
    assert!(read(&["--minutes", "long"]).is_err());
    assert!(read(&["--hours", "1"]).is_err());
}
