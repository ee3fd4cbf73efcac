//! Proxies side by side while providers fail. Called by `cargo xtask resilience`, which builds and installs what it needs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use bascule_resilience::figures::Figures;
use bascule_resilience::page;
use bascule_resilience::peers::{Peer, Programs};
use bascule_resilience::play::play;
use bascule_resilience::scenario::Scenario;

const USAGE: &str = "\
cargo xtask resilience
    --scenario NAME     only this; may be repeated
    --proxy NAME        only this: bascule, bascule-defaults, haproxy, nginx, envoy; may be repeated
    --one-by-one        one proxy after the other instead of all at the same time, each with its own origins and clients
    --write FILE        also write the page there
    --quick             build without link-time optimisation";

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
#[derive(Debug)]
struct Asked {
    programs: Programs,
    scenarios: Vec<Scenario>,
    peers: Vec<Peer>,
    one_by_one: bool,
    write: Option<PathBuf>,
}

impl Asked {
    fn read(words: &[&str]) -> Result<Self> {
        let mut asked = Self {
            programs: Programs {
                bascule: "target/release/bascule".into(),
                envoy: "envoy".into(),
            },
            scenarios: Vec::new(),
            peers: Vec::new(),
            one_by_one: false,
            write: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if *word == "--one-by-one" {
                asked.one_by_one = true;
                continue;
            }
            let value = words
                .next()
                .with_context(|| format!("{word} needs a value"))?;
            match *word {
                "--bascule" => asked.programs.bascule = value.into(),
                "--envoy" => asked.programs.envoy = value.into(),
                "--scenario" => asked.scenarios.push(value.parse()?),
                "--proxy" => asked.peers.push(value.parse()?),
                "--write" => asked.write = Some(value.into()),
                other => bail!("no option `{other}`\n{USAGE}"),
            }
        }
        if asked.scenarios.is_empty() {
            asked.scenarios = Scenario::ALL.to_vec();
        }
        if asked.peers.is_empty() {
            asked.peers = Peer::ALL.to_vec();
        }
        Ok(asked)
    }
}

fn run(asked: &Asked) -> Result<()> {
    let versions = asked
        .peers
        .iter()
        .map(|peer| Ok((*peer, peer.version(&asked.programs)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut text = page::introduction(&versions);
    say(&text)?;
    for scenario in &asked.scenarios {
        let figures = if asked.one_by_one {
            let one = |peer: &Peer| Ok((*peer, play(*scenario, *peer, &asked.programs)?));
            asked.peers.iter().map(one).collect::<Result<Vec<_>>>()?
        } else {
            side_by_side(*scenario, &asked.peers, &asked.programs)?
        };
        let section = page::section(&page::Result {
            scenario: *scenario,
            figures,
        });
        say(&section)?;
        text += &section;
    }
    if let Some(file) = &asked.write {
        std::fs::write(file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// All proxies at the same time: each is nearly idle, at a few hundred requests a second.
fn side_by_side(
    scenario: Scenario,
    peers: &[Peer],
    programs: &Programs,
) -> Result<Vec<(Peer, Figures)>> {
    std::thread::scope(|scope| {
        let running = peers
            .iter()
            .map(|peer| (*peer, scope.spawn(move || play(scenario, *peer, programs))));
        let running: Vec<_> = running.collect();
        running
            .into_iter()
            .map(|(peer, played)| {
                let figures = played.join().map_err(|_| anyhow!("{peer}: panicked"))?;
                Ok((peer, figures.with_context(|| peer.to_string())?))
            })
            .collect()
    })
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_options_every_scenario_is_played_against_every_proxy() {
        let asked = Asked::read(&[]).unwrap();
        assert_eq!(asked.scenarios, Scenario::ALL);
        assert_eq!(asked.peers, Peer::ALL);
    }

    #[test]
    fn an_option_that_is_none_or_says_nothing_is_refused() {
        for words in [
            &["--scenario", "flood"][..],
            &["--proxy"],
            &["--proxy", "caddy"],
            &["--rate", "3"],
        ] {
            assert!(Asked::read(words).is_err(), "{words:?}");
        }
    }
}
