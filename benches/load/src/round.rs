//! One proxy under one scenario for some seconds: opens all connections, lets them run warm, then takes what was done and
//! what CPU time it took between two moments.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::client::http1::Http1;
use crate::client::http2::{Http2, Scheme};
use crate::client::tls::{Certificate, Connector, connect};
use crate::client::{Fault, Tally};
use crate::peers::Proxy;
use crate::scenario::{STREAMS, Scenario};
use crate::statistics::quantile;
use crate::{accounting, runtime};

/// Requests run this long before anything counts: connections are open then, pools and caches are filled.
const WARM: Duration = Duration::from_millis(500);

/// What a round gave.
#[derive(Debug, Clone)]
pub struct Round {
    /// CPU time of the proxy for one request, in microseconds.
    pub cpu_micros: f64,
    /// Requests in a second.
    pub per_second: f64,
    /// Half of the requests took at most this, in microseconds, as the clients saw it.
    pub p50_micros: f64,
    /// All but one in a hundred.
    pub p99_micros: f64,
    /// Cores' worth of work that was neither this proxy's nor the load's.
    pub others: f64,
    /// Connections that ended by a fault, from the first moment on.
    pub faults: u64,
    /// The first of them.
    pub shown: Vec<String>,
}

/// Measures.
///
/// # Errors
/// The proxy is gone, or nothing was answered.
pub async fn measure(
    proxy: &Proxy,
    scenario: Scenario,
    certificate: &Certificate,
    length: Duration,
) -> Result<Round> {
    let tally = Rc::new(Tally::endless());
    let connector = match scenario {
        Scenario::Http2 => certificate.connector("h2")?,
        _ => certificate.connector("http/1.1")?,
    };
    let address = if scenario.is_secure() {
        proxy.secure
    } else {
        proxy.clear
    };
    let client = |_| {
        let (tally, connector) = (Rc::clone(&tally), connector.clone());
        runtime::spawn(async move {
            let ran = run(scenario, address, &connector, &tally).await;
            ran.unwrap_or_else(|fault| tally.note(&fault));
        })
    };
    let clients: Vec<_> = (0..scenario.connections()).map(client).collect();
    tokio::time::sleep(WARM).await;
    tally.measure();
    let before = Moment::now(proxy, &tally)?;
    tokio::time::sleep(length).await;
    let after = Moment::now(proxy, &tally)?;
    let latencies = tally.latencies();
    tally.stop();
    for client in clients {
        client.await.context("a client panicked")?;
    }
    let between = after.since(&before).context("nothing was answered")?;
    let micros = |percent| quantile(&latencies, percent).map_or(f64::NAN, micros);
    Ok(Round {
        cpu_micros: between.cpu_micros,
        per_second: between.per_second,
        p50_micros: micros(50),
        p99_micros: micros(99),
        others: between.others,
        faults: tally.faults(),
        shown: tally.shown(),
    })
}

async fn run(
    scenario: Scenario,
    address: std::net::SocketAddr,
    connector: &Connector,
    tally: &Tally,
) -> Result<(), Fault> {
    let (path, body) = scenario.asked();
    match scenario {
        Scenario::Http1 | Scenario::Download => {
            let stream = connect(address).await?;
            Http1::new(stream).run(path, body, tally).await
        }
        Scenario::Tls => {
            let stream = connector.connect(address).await?;
            Http1::new(stream).run(path, body, tally).await
        }
        Scenario::Http2 => {
            let stream = connector.connect(address).await?;
            let mut client = Http2::new(stream, Scheme::Https);
            client.run(path, body, STREAMS, tally).await
        }
    }
}

/// What has been done and used up to now.
#[derive(Debug)]
struct Moment {
    at: std::time::Instant,
    done: u64,
    proxy: Duration,
    load: Duration,
    machine: Duration,
}

struct Between {
    cpu_micros: f64,
    per_second: f64,
    others: f64,
}

impl Moment {
    fn now(proxy: &Proxy, tally: &Tally) -> Result<Self> {
        Ok(Self {
            at: runtime::now(),
            done: tally.done(),
            proxy: accounting::cpu_of(proxy.id())?,
            load: accounting::cpu_of_threads(std::process::id())?,
            machine: accounting::busy()?,
        })
    }

    fn since(&self, before: &Self) -> Option<Between> {
        let done = u32::try_from(self.done - before.done)
            .ok()
            .filter(|done| *done > 0)?;
        let seconds = self.at.saturating_duration_since(before.at).as_secs_f64();
        let proxy = self.proxy.saturating_sub(before.proxy);
        let load = self.load.saturating_sub(before.load);
        let machine = self.machine.saturating_sub(before.machine);
        Some(Between {
            cpu_micros: micros(proxy) / f64::from(done),
            per_second: f64::from(done) / seconds,
            others: machine.saturating_sub(proxy + load).as_secs_f64() / seconds,
        })
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
