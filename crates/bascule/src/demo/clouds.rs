//! Two (or more) pretend clouds: real HTTP servers on loopback, on threads of their own, outside the proxy's process.
//! Latencies and sizes come from a seed. A cloud can be broken and healed in the ways real ones break. Nothing here
//! knows that a proxy exists.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use bascule_model::Rng;
use tokio::sync::watch;

use super::endpoint;
use crate::cli::args::Fault;

/// Endpoints a cloud has.
const ENDPOINTS: usize = 3;

/// What a fault looks like, as the demo tells it.
pub(super) const fn describe(fault: Fault) -> &'static str {
    match fault {
        Fault::Refused => "all its endpoints refuse connections",
        Fault::Unavailable => "all its endpoints answer 503",
        Fault::Reset => "all its endpoints accept and reset",
        Fault::Blackhole => "all its endpoints accept and never answer",
        Fault::Slow => "all its answers take 2 s more",
        Fault::Flap => "its endpoints refuse and work in turns of 0.7 s",
        Fault::Half => "every second answer is a 503",
    }
}

/// What a pretend cloud is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// Its name, sent in `x-provider`.
    pub(super) name: &'static str,
    /// The weight the demo's configuration gives it.
    pub(super) weight: u32,
    /// The latency it adds at most: each answer adds from nothing to this.
    pub(super) latency_max: Duration,
    /// Egress at list price, for the banner and the cost line.
    pub(super) usd_per_gb: f64,
}

/// The clouds the demo can pretend, in the order they join. Prices: list prices of November 2026, first paid tier.
pub(super) const PROFILES: [Profile; 4] = [
    Profile {
        name: "aws",
        weight: 70,
        latency_max: Duration::from_millis(4),
        usd_per_gb: 0.05,
    },
    Profile {
        name: "oci",
        weight: 30,
        latency_max: Duration::from_millis(6),
        usd_per_gb: 0.0085,
    },
    Profile {
        name: "gcp",
        weight: 20,
        latency_max: Duration::from_millis(5),
        usd_per_gb: 0.08,
    },
    Profile {
        name: "azure",
        weight: 20,
        latency_max: Duration::from_millis(5),
        usd_per_gb: 0.05,
    },
];

/// A running pretend cloud.
#[derive(Debug)]
pub(super) struct Cloud {
    /// What it is like.
    pub(super) profile: Profile,
    /// Where its endpoints listen.
    pub(super) addresses: Vec<SocketAddr>,
    fault: watch::Sender<Option<Fault>>,
}

impl Cloud {
    /// Starts the endpoints of a cloud on free ports of loopback, on a thread of their own.
    pub(super) fn start(profile: Profile, seed: &Rng) -> Result<Self> {
        let bind = |_| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners: Vec<_> = (0..ENDPOINTS)
            .map(bind)
            .collect::<Result<_, _>>()
            .context("a port for a pretend cloud")?;
        let addresses = listeners
            .iter()
            .map(std::net::TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let (fault, seen) = watch::channel(None);
        let rng = seed.fork(profile.name);
        super::thread("cloud", async move {
            for (n, listener) in listeners.into_iter().enumerate() {
                let behaviour = endpoint::Behaviour::new(profile, rng.fork(&n.to_string()));
                super::spawn(
                    "cloud endpoint",
                    endpoint::run(listener, behaviour, seen.clone()),
                );
            }
            std::future::pending::<()>().await;
        })?;
        Ok(Self {
            profile,
            addresses,
            fault,
        })
    }

    /// Breaks it.
    pub(super) fn break_with(&self, fault: Fault) {
        self.fault.send_replace(Some(fault));
    }

    /// Heals it.
    pub(super) fn heal(&self) {
        self.fault.send_replace(None);
    }

    /// How it is broken now.
    pub(super) fn fault(&self) -> Option<Fault> {
        *self.fault.borrow()
    }
}
