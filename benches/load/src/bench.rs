//! The bench: starts the proxies side by side, measures each in turn, round after round, and gives the table. A round is
//! A B C, then the next round, never A A A B B B: what changes on the machine meets all of them alike.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::client::tls::Certificate;
use crate::cores::Cores;
use crate::origin::Origin;
use crate::peers::{Peer, Proxy};
use crate::round;
use crate::scenario::Scenario;
use crate::table::Results;

/// What is measured.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The binary of ours.
    pub bascule: &'a Path,
    /// Which scenarios.
    pub scenarios: Vec<Scenario>,
    /// How often each proxy has its turn.
    pub rounds: usize,
    /// How long a turn counts.
    pub length: Duration,
}

/// Measures all; `tell` is called with a line as each turn ends.
///
/// # Errors
/// A proxy does not start or ends.
pub async fn run(plan: &Plan<'_>, tell: impl Fn(&str)) -> Result<Vec<Results>> {
    let certificate = Certificate::new()?;
    let cores = Cores::find()?;
    let origins = [Origin::start()?, Origin::start()?];
    let mut proxies = Vec::new();
    for peer in Peer::ALL {
        let start = || Proxy::start(peer, plan.bascule, &origins, &certificate);
        let mut proxy = cores.on_proxies(start)?;
        proxy.ready().await?;
        proxies.push(proxy);
    }
    let mut all = Vec::new();
    for scenario in plan.scenarios.iter().copied() {
        let mut rounds = Vec::new();
        for number in 1..=plan.rounds {
            let mut turns = Vec::new();
            for proxy in &proxies {
                let turn = round::measure(proxy, scenario, &certificate, plan.length).await?;
                tell(&format!(
                    "{scenario} {number}/{} {}: {:.1} µs/request, {:.0}/s, {} faults, others {:.2} cores",
                    plan.rounds,
                    proxy.peer,
                    turn.cpu_micros,
                    turn.per_second,
                    turn.faults,
                    turn.others
                ));
                turns.push((proxy.peer, turn));
            }
            rounds.push(turns);
        }
        all.push(Results { scenario, rounds });
    }
    Ok(all)
}
