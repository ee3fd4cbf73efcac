//! CPU per request beside HAProxy and nginx. Called by `cargo xtask bench`, which builds what it measures. How it measures,
//! and what its figures mean: `benches/README.md`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bascule_load::bench::{self, Plan};
use bascule_load::scenario::Scenario;
use bascule_load::{runtime, versions};

const USAGE: &str = "\
cargo xtask bench
    --rounds N          how often each proxy has its turn (5)
    --seconds S         how long a turn counts (5)
    --scenario NAME     only this: http1, tls, http2, download; may be repeated
    --write FILE        also write the table there
    --quick             build without link-time optimisation: minutes less, some per cent slower";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = if words.contains(&"--help") {
        say(USAGE)
    } else {
        Asked::read(&words).and_then(|asked| run(&asked))
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    bascule: PathBuf,
    scenarios: Vec<Scenario>,
    rounds: usize,
    seconds: u64,
    write: Option<PathBuf>,
}

impl Asked {
    fn read(words: &[&str]) -> Result<Self> {
        let mut asked = Self {
            bascule: "target/release/bascule".into(),
            scenarios: Vec::new(),
            rounds: 5,
            seconds: 5,
            write: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{word} needs a value"))?;
            match *word {
                "--bascule" => asked.bascule = value.into(),
                "--scenario" => asked.scenarios.push(value.parse()?),
                "--rounds" => asked.rounds = value.parse().context("--rounds")?,
                "--seconds" => asked.seconds = value.parse().context("--seconds")?,
                "--write" => asked.write = Some(value.into()),
                other => bail!("no option `{other}`\n{USAGE}"),
            }
        }
        if asked.scenarios.is_empty() {
            asked.scenarios = Scenario::ALL.to_vec();
        }
        if asked.rounds == 0 || asked.seconds == 0 {
            bail!("a bench needs a round and a second");
        }
        Ok(asked)
    }
}

fn run(asked: &Asked) -> Result<()> {
    let versions = versions::all(&asked.bascule)?;
    let plan = Plan {
        bascule: &asked.bascule,
        scenarios: asked.scenarios.clone(),
        rounds: asked.rounds,
        length: Duration::from_secs(asked.seconds),
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

    #[test]
    fn without_options_all_scenarios_have_five_rounds() {
        let asked = Asked::read(&[]).unwrap();
        assert_eq!(
            (asked.scenarios.len(), asked.rounds, asked.seconds),
            (4, 5, 5)
        );
    }

    #[test]
    fn an_option_that_is_none_or_says_nothing_is_refused() {
        for words in [
            &["--round", "3"][..],
            &["--rounds"],
            &["--rounds", "0"],
            &["--scenario", "h3"],
        ] {
            assert!(Asked::read(words).is_err(), "{words:?}");
        }
    }
}
