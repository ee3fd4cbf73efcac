//! What is counted: the data plane alone, with one worker, in a process of its own under callgrind. A listener in clear, one
//! service, two backends, the access log at one per cent: what a request meets in production but for TLS, checks and the
//! control plane. It says its address on standard output and ends when standard input does.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use bascule_config::MemorySource;
use bascule_net::listen::{self, ListenAddress};
use bascule_proxy::{Edge, ListenerSetup, Settings};
use bascule_telemetry::access::AccessLog;
use bascule_telemetry::{Registry, clock};
use bascule_traffic::{Assembler, Input};
use tokio::sync::mpsc;

/// The same share as in the bench, so that both endpoints and the schedule are used.
fn configuration(origins: [SocketAddr; 2]) -> String {
    let [first, second] = origins;
    format!(
        "listen: {{ web: {{ address: \"127.0.0.1:0\" }} }}
log: {{ access: {{ sample: 0.01 }} }}
services:
  meet:
    backends:
      aws: {{ weight: 70, endpoints: [\"http://{first}\"] }}
      oci: {{ weight: 30, endpoints: [\"http://{second}\"] }}
"
    )
}

/// Serves until standard input ends.
pub(crate) fn serve(origins: [SocketAddr; 2]) -> Result<()> {
    let text = configuration(origins);
    let loaded = bascule_config::load("count.yaml", &text, &MemorySource::default());
    let config = loaded.map_err(|found| anyhow!("{found:?}"))?.config;
    let mut assembler = Assembler::new();
    assembler.handle(clock::now(), Input::Services(config.services.clone()))?;
    let snapshot = assembler.poll_snapshot();
    let snapshot = snapshot.context("a configuration gives a snapshot")?;

    let listener = config.listeners.into_values().next();
    let listener = listener.context("the configuration has a listener")?;
    let address = ListenAddress {
        ip: listener.address.ip,
        port: listener.address.port,
    };
    let bound = listen::bind(address, 1)?;
    let address = bound.address;
    let settings = Settings {
        workers: 1,
        listeners: vec![ListenerSetup {
            listener: Arc::new(listener),
            bound: Some(bound),
            tls: None,
        }],
        cookie_secrets: config.secrets.clone(),
        upstream_tls: [].into_iter().collect(),
        connections_max: config.limits.connections,
        redact_query: true,
        probe_token: None,
    };
    let access = AccessLog::start_with(Box::new(std::io::sink()), config.log.access.sample)?;
    let (failures, _kept) = mpsc::channel(1);
    let edge = Edge::start(
        settings,
        snapshot,
        &Registry::new(),
        Some(&access),
        &failures,
    )?;

    let mut out = std::io::stdout();
    writeln!(out, "{address}")?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(edge);
    Ok(())
}
