//! Instructions per request of the data plane, for two kinds of clients, held to the record in `benches/instructions.toml`.
//! Called by `cargo xtask instructions`. It [`measure`]s by the difference of two runs of the [`edge`] under callgrind and
//! leaves judging to [`record`]. How to read the figure, and what it cannot see: `benches/README.md`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

mod callgrind;
mod edge;
mod machine;
mod measure;
mod record;

use machine::Machine;
use measure::{Clients, Measured};
use record::{Entry, Record, Verdict};

const USAGE: &str = "\
cargo xtask instructions                         count, and compare with the record
    --update --reason TEXT   count, and make this the record; says why it moved
    --top N                  also print the N functions that take the most
    --runs N                 count N times and print the spread
    --keep FOLDER            keep callgrind's files, for callgrind_annotate --tree=both or KCachegrind";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["edge", first, second] => edge_alone(first, second),
        ["--help"] => say(USAGE),
        words => Asked::read(words).and_then(|asked| count(&asked)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn edge_alone(first: &str, second: &str) -> Result<()> {
    edge::serve([first.parse()?, second.parse()?])
}

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    record: PathBuf,
    /// The reason for a new record; `None`: compare.
    update: Option<String>,
    top: usize,
    runs: usize,
    keep: Option<PathBuf>,
}

impl Asked {
    fn read(words: &[&str]) -> Result<Self> {
        let mut asked = Self {
            record: "benches/instructions.toml".into(),
            update: None,
            top: 0,
            runs: 1,
            keep: None,
        };
        let (mut updates, mut reason) = (false, None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match *word {
                "--update" => updates = true,
                "--reason" => reason = Some((*value()?).to_owned()),
                "--record" => asked.record = value()?.into(),
                "--top" => asked.top = value()?.parse().context("--top")?,
                "--keep" => asked.keep = Some(value()?.into()),
                "--runs" => asked.runs = value()?.parse().context("--runs")?,
                other => bail!("no option `{other}`\n{USAGE}"),
            }
        }
        asked.update = match (updates, reason) {
            (false, None) => None,
            (true, Some(reason)) if !reason.trim().is_empty() => Some(reason),
            (true, _) => bail!("a new record needs --reason \"why it moved\""),
            (false, Some(_)) => bail!("--reason goes with --update"),
        };
        Ok(asked)
    }
}

fn count(asked: &Asked) -> Result<()> {
    let machine = Machine::here()?;
    let mut record = Record::open(&asked.record)?;
    let mut worse = Vec::new();
    for clients in Clients::ALL {
        let measured = several(clients, asked)?;
        let is = measured.per_request;
        if let Some(reason) = &asked.update {
            record.set(clients.name(), Entry::new(is, &machine, reason));
            say(&format!(
                "{}: {is} instructions per request, recorded",
                clients.name()
            ))?;
            continue;
        }
        let verdict = record.judge(clients.name(), is, &machine);
        say(&format!("{}: {verdict}", clients.name()))?;
        if matches!(verdict, Verdict::Above { .. }) {
            worse.push(clients.name());
        }
    }
    if asked.update.is_some() {
        return record.write(&asked.record);
    }
    if !worse.is_empty() {
        bail!(
            "more instructions per request than recorded: {}. See where: `cargo xtask instructions --top 20`. \
             If it is worth it: `cargo xtask instructions --update --reason \"…\"`",
            worse.join(", ")
        );
    }
    Ok(())
}

/// Counts as often as asked; gives the median.
fn several(clients: Clients, asked: &Asked) -> Result<Measured> {
    let mut all = Vec::new();
    for _ in 0..asked.runs.max(1) {
        all.push(measure::measure(clients, asked.keep.as_deref())?);
    }
    all.sort_by_key(|measured| measured.per_request);
    if let ([first, .., last], true) = (all.as_slice(), asked.runs > 1) {
        say(&format!(
            "{}: {} runs, {} to {}",
            clients.name(),
            all.len(),
            first.per_request,
            last.per_request
        ))?;
    }
    let measured = all.swap_remove(all.len() / 2);
    for (name, own) in measured.functions.iter().take(asked.top) {
        say(&format!("{own:>8}  {name}"))?;
    }
    Ok(measured)
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_record_needs_a_reason() {
        assert!(Asked::read(&["--update"]).is_err());
        assert!(Asked::read(&["--update", "--reason", " "]).is_err());
        assert!(Asked::read(&["--reason", "because"]).is_err());
        let asked = Asked::read(&["--update", "--reason", "because"]).unwrap();
        assert_eq!(asked.update.as_deref(), Some("because"));
    }

    #[test]
    fn an_option_that_is_none_is_refused() {
        assert!(Asked::read(&["--topp", "3"]).is_err());
        assert!(Asked::read(&["--top"]).is_err());
        assert_eq!(Asked::read(&["--top", "3"]).unwrap().top, 3);
    }
}
