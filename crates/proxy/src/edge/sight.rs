//! What the data plane sees of a request that nobody made: where it belongs, its key, what workers suspect, which trial it
//! might be. By the same calls that a request is handled with, for people who ask what would become of one. It takes,
//! counts and remembers nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bascule_config::Listener;
use bascule_model::Instant;
use bascule_telemetry::clock;
use bascule_traffic::explain::Sight;
use bascule_traffic::snapshot::{Endpoint, Service};
use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Gate, Way};
use http::HeaderMap;
use http::uri::PathAndQuery;

use super::Edge;
use crate::affinity::{Affinity, CookieSecrets, Live};
use crate::http::key::Keys;
use crate::http::origin::{Origin, Peer};
use crate::shared::Shared;
use crate::upstream::Trust;

/// A request that nobody made.
#[derive(Debug, Clone, Copy)]
pub struct Supposed<'a> {
    /// The listener it would come through.
    pub listener: &'a Listener,
    /// Path and query as they would be forwarded.
    pub path: &'a PathAndQuery,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// Where its connection would come from.
    pub client: IpAddr,
    /// The name its client would ask for with SNI.
    pub server_name: Option<&'a str>,
    /// Whether it could be made again elsewhere.
    pub repeatable: Repeatable,
}

impl Edge {
    /// What is seen of a request for this service now.
    #[must_use]
    pub fn sight(&self, service: &Arc<Service>, supposed: Supposed<'_>) -> Sight {
        let shared = &self.0.shared;
        let secrets = self.0.hub.secrets.load_full();
        let mut sight = of(service, supposed, &secrets, |ttl| {
            let live = shared.live_now(service.name());
            live.unwrap_or_else(|| Arc::new(Live::new(ttl)))
        });
        let now = clock::now();
        sight.gates = gates(shared, service, supposed.repeatable, now);
        sight.trial = trial(shared, service, supposed.repeatable, now);
        sight
    }
}

/// What would be seen of a request for a service that nobody runs: no key is in use, and nobody is suspected.
#[must_use]
pub fn sight(service: &Arc<Service>, supposed: Supposed<'_>, secrets: &CookieSecrets) -> Sight {
    of(service, supposed, secrets, |ttl| Arc::new(Live::new(ttl)))
}

fn of(
    service: &Arc<Service>,
    supposed: Supposed<'_>,
    secrets: &CookieSecrets,
    live: impl FnOnce(Duration) -> Arc<Live>,
) -> Sight {
    let Supposed {
        listener,
        path,
        headers,
        ..
    } = supposed;
    let from = SocketAddr::new(supposed.client, 0);
    let origin = Origin::new(from, listener.tls.is_some(), &listener.trusted);
    let peer = Peer {
        origin: &origin,
        trusted: &listener.trusted,
        server_name: supposed.server_name,
    };
    let affinity = Affinity::build(service, secrets, live, None);
    let bond = affinity.map(|affinity| affinity.bond(headers, path, peer));
    let bond = bond.unwrap_or_default();
    let keys = Keys::of_balance(&service.spec).filter(|_| bond.place.is_none());
    let key = keys.map_or(Ok(None), |keys| keys.find(headers, path, peer));
    Sight {
        way: Way {
            place: bond.place,
            key: key.ok().flatten(),
        },
        why: bond.why,
        ignored: bond.ignored,
        key_ignored: key.err(),
        ..Sight::default()
    }
}

fn gates(
    shared: &Shared,
    service: &Service,
    repeatable: Repeatable,
    now: Instant,
) -> Vec<Vec<Gate>> {
    let backends = service.backends.iter().map(|backend| {
        let endpoints = backend.endpoints.iter();
        let gate = |trust: Arc<Trust>| trust.standing.gate(now, repeatable);
        endpoints.map(|e| gate(shared.trust(&e.id))).collect()
    });
    backends.collect()
}

/// The first that a worker would find.
fn trial(
    shared: &Shared,
    service: &Service,
    repeatable: Repeatable,
    now: Instant,
) -> Option<(usize, usize)> {
    let mut backends = service.backends.iter().enumerate();
    backends.find_map(|(at, backend)| {
        let may = |endpoint: &Endpoint| {
            let cells = shared.endpoint(&endpoint.id);
            let fits = cells.has_trial_for(now, repeatable);
            fits && !backend.off && endpoint.admin.takes_new()
        };
        Some((at, backend.endpoints.iter().position(may)?))
    })
}
