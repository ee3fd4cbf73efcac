//! One scenario against one proxy: origins and clients start, the victims fall ill and are well again, and what was seen is
//! turned into figures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use bascule_testkit::client;
use bascule_testkit::faulty::{Ailment, Faulty};
use bascule_testkit::steady::Clients;
use bascule_testkit::wait;

use crate::figures::{Figures, Seen};
use crate::peers::{Peer, Programs, Proxy};
use crate::scenario::{AFTER, BEFORE, ILL, RATE, Scenario, Victims};

/// Plays it.
///
/// # Errors
/// Something cannot be started.
pub fn play(scenario: Scenario, peer: Peer, programs: &Programs) -> Result<Figures> {
    let start = |provider: &str| {
        let endpoints = 0..u64::try_from(scenario.endpoints)?;
        endpoints
            .map(|seed| Faulty::start(provider, seed))
            .collect::<Result<Vec<_>>>()
    };
    let providers = [start("aws")?, start("oci")?];
    let addresses = [0, 1].map(|n: usize| -> Vec<SocketAddr> {
        let endpoints = providers.get(n).into_iter().flatten();
        endpoints.map(Faulty::address).collect()
    });
    let proxy = Proxy::start(peer, programs, &addresses)?;
    wait::until("an answer", || {
        let answer = client::get(proxy.address(), "/").ok()?;
        (answer.status() == 200).then_some(())
    })?;
    let (ill, well): (Vec<(usize, &Faulty)>, Vec<_>) = providers
        .iter()
        .flatten()
        .enumerate()
        .partition(|(n, _)| match scenario.victims {
            Victims::Endpoint => *n == 0,
            Victims::Provider => *n < scenario.endpoints,
            Victims::All => true,
        });
    let clients = Clients::start(proxy.address(), scenario.method(), RATE)?;
    pause(BEFORE);
    let fell_ill = all_suffer(&ill, scenario.ailment);
    pause(ILL);
    let recovered = all_suffer(&ill, Ailment::Well);
    pause(AFTER);
    let ended = wait::now();
    let samples = clients.finish();
    let seen = Seen {
        samples,
        ill: ill.iter().map(|(_, origin)| origin.seen()).collect(),
        well: well.iter().flat_map(|(_, origin)| origin.seen()).collect(),
        fell_ill,
        recovered,
        ended,
    };
    Ok(Figures::of(&scenario, &seen))
}

fn all_suffer(victims: &[(usize, &Faulty)], ailment: Ailment) -> Instant {
    let at = wait::now();
    for (_, victim) in victims {
        victim.suffer(ailment);
    }
    at
}

fn pause(length: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a measurement over time")]
    std::thread::sleep(length);
}
