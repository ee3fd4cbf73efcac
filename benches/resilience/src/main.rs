//! Proxies side by side while providers fail. Called by `cargo xtask resilience`, which builds and installs what it needs.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use bascule_resilience::figures::Figures;
use bascule_resilience::page;
use bascule_resilience::peers::{Peer, Programs};
use bascule_resilience::play::play;
use bascule_resilience::scenario::Scenario;
use clap::Parser;

/// What clients see while providers fail, beside HAProxy, nginx and Envoy.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask resilience",
    after_help = "--quick builds without link-time optimisation"
)]
struct Asked {
    #[command(flatten)]
    programs: Programs,
    /// Only this; may be repeated.
    #[arg(long = "scenario", value_name = "NAME", value_enum, default_values_t = Scenario::ALL, hide_default_value = true)]
    scenarios: Vec<Scenario>,
    /// Only this; may be repeated.
    #[arg(long = "proxy", value_name = "NAME", value_enum, default_values_t = Peer::ALL, hide_default_value = true)]
    peers: Vec<Peer>,
    /// One proxy after the other instead of all at the same time, each with its own origins and clients.
    #[arg(long)]
    one_by_one: bool,
    /// Also write the page there.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

fn main() -> Result<()> {
    run(&Asked::parse())
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

    fn read(words: &[&str]) -> Option<Asked> {
        Asked::try_parse_from(["resilience"].iter().chain(words)).ok()
    }

    #[test]
    fn without_options_every_scenario_is_played_against_every_proxy() {
        let asked = read(&[]).unwrap();
        assert_eq!(asked.scenarios, Scenario::ALL);
        assert_eq!(asked.peers, Peer::ALL);
    }

    #[test]
    fn what_is_named_is_played_alone() {
        let words = ["--proxy", "bascule-defaults", "--scenario", "one-half"];
        let asked = read(&words).unwrap();
        assert_eq!(asked.peers, [Peer::Defaults]);
        let names: Vec<_> = asked.scenarios.iter().map(|s| s.name).collect();
        assert_eq!(names, ["one-half"]);
    }

    #[test]
    fn an_option_that_is_none_or_says_nothing_is_refused() {
        for words in [
            &["--scenario", "flood"][..],
            &["--proxy"],
            &["--proxy", "caddy"],
            &["--rate", "3"],
        ] {
            assert!(read(words).is_none(), "{words:?}");
        }
    }
}
