//! CPU per request beside HAProxy and nginx. Called by `cargo xtask bench`, which builds what it measures. How it measures,
//! and what its figures mean: `benches/README.md`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use bascule_load::bench::{self, Plan};
use bascule_load::scenario::Scenario;
use bascule_load::{runtime, versions};
use clap::Parser;

/// CPU time for one request, beside HAProxy and nginx.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask bench",
    after_help = "--quick builds without link-time optimisation: minutes less, some per cent slower"
)]
struct Asked {
    /// The binary that is measured; the command builds one.
    #[arg(long, hide = true, default_value = "target/release/bascule")]
    bascule: PathBuf,
    /// Only this; may be repeated.
    #[arg(long = "scenario", value_name = "NAME", value_enum, default_values_t = Scenario::ALL, hide_default_value = true)]
    scenarios: Vec<Scenario>,
    /// How often each proxy has its turn.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long a turn counts.
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// Also write the table there.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

fn main() -> Result<()> {
    run(&Asked::parse())
}

fn run(asked: &Asked) -> Result<()> {
    let versions = versions::all(&asked.bascule)?;
    let plan = Plan {
        bascule: &asked.bascule,
        scenarios: asked.scenarios.clone(),
        rounds: asked.rounds.into(),
        length: Duration::from_secs(asked.seconds.into()),
    };
    // A closed pipe is the reader's wish to hear no more.
    let tell = |line: &str| drop(say(line));
    let results = runtime::run(bench::run(&plan, tell))??;
    let mut text = format!(
        "{} rounds of {} s, interleaved; medians with their range\n\n",
        asked.rounds, asked.seconds
    );
    text += &versions
        .iter()
        .map(|line| format!("- {line}\n"))
        .collect::<String>();
    for scenario in &results {
        text += "\n";
        text += &scenario.table();
    }
    say(&format!("\n{text}"))?;
    if let Some(file) = &asked.write {
        std::fs::write(file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Option<Asked> {
        Asked::try_parse_from(["bench"].iter().chain(words)).ok()
    }

    #[test]
    fn without_options_all_scenarios_have_five_rounds() {
        let asked = read(&[]).unwrap();
        assert_eq!(asked.scenarios, Scenario::ALL);
        assert_eq!((asked.rounds, asked.seconds), (5, 5));
    }

    #[test]
    fn what_is_named_is_measured_alone() {
        let asked = read(&["--scenario", "tls", "--scenario", "http2"]).unwrap();
        assert_eq!(asked.scenarios, [Scenario::Tls, Scenario::Http2]);
    }

    #[test]
    fn an_option_that_is_none_or_says_nothing_is_refused() {
        for words in [
            &["--round", "3"][..],
            &["--rounds"],
            &["--rounds", "0"],
            &["--seconds", "0"],
            &["--scenario", "h3"],
        ] {
            assert!(read(words).is_none(), "{words:?}");
        }
    }
}
