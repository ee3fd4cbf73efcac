//! The one entry tool: `cargo xtask tidy`, `gen`, `test`, `fuzz`, `soak`, `instructions`, `bench`, `resilience`. It decides
//! nothing about the product; it holds the rules of the code base ([`tidy`]), writes the generated references
//! ([`generate`]), runs everything that proves it ([`test`]), looks for what nobody thought of ([`fuzz`]) and for what grows
//! with time ([`soak`]), and measures what it costs and withstands ([`gates`]). It must never skip in silence: what cannot
//! be done is named, and fails.

use std::path::PathBuf;
use std::process::ExitCode;

mod fuzz;
mod gates;
mod generate;
mod say;
mod soak;
mod test;
mod tidy;
mod tools;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
cargo xtask tidy           ranks, purity, module docs, top level, dependency records
cargo xtask gen [--check]  write the generated references (or only compare)
cargo xtask test [--all]   install what is missing, build, run all tests, print a time table;
                           --all adds the long ones: fuzzing, soaks
cargo xtask fuzz [TARGET] [--seconds N] [--replay FILE]
                           run the fuzz targets of tests/fuzz, 60 s each, or one input again
cargo xtask soak [--minutes N] [--seed N]
                           good and bad traffic on one daemon, 10 minutes; memory and descriptors must stay flat
cargo xtask conformance    play the raw cases against bascule, nginx and HAProxy, write docs/conformance.md
cargo xtask instructions   count instructions per request, compare with the record; --help says more
cargo xtask bench          CPU per request beside HAProxy and nginx; --help says more
cargo xtask resilience     what clients see while providers fail, beside HAProxy, nginx and Envoy; --help says more";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let root = root()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["tidy"] => tidy::run(&root),
        ["gen"] => generate::write(&root),
        ["gen", "--check"] => generate::check(&root),
        ["test"] => test::run(&root, test::Length::Normal),
        ["test", "--all"] => test::run(&root, test::Length::All),
        ["conformance"] => test::conformance(&root),
        ["bench", rest @ ..] => gates::bench(&root, rest),
        ["resilience", rest @ ..] => gates::resilience(&root, rest),
        ["instructions", rest @ ..] => gates::instructions(&root, rest),
        ["soak", rest @ ..] => soak::run(&root, &soak::Wanted::read(rest)?),
        ["fuzz", rest @ ..] => fuzz::run(&root, &fuzz::Wanted::read(rest)?),
        _ => bail!("usage:\n{USAGE}"),
    }
}

/// The root of the checkout: two levels above this crate's manifest.
fn root() -> Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = manifest
        .ancestors()
        .nth(2)
        .context("the manifest stands in crates/xtask")?;
    Ok(root.to_path_buf())
}
