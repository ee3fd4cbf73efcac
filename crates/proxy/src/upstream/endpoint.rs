//! One endpoint as one worker knows it: its pool, its in-flight cells, how long it takes to answer, and its name in the
//! forms requests need. Carried over from view to view by the endpoint's id.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant, Scheme};
use bascule_net::tls::client::server_name;
use bascule_net::tls::{Alpn, ClientTls};
use bascule_traffic::latency::PeakEwma;
use bascule_traffic::spec::BackendSpec;
use http::HeaderValue;
use http::uri::{self, Authority};
use rustls_pki_types::ServerName;

use crate::places::Places;
use crate::shared::EndpointCells;
use crate::upstream::pool::Pool;
use crate::upstream::trust::Watch;

/// The TLS client configurations for `https` endpoints, by the `ca_file` of the backend; `None`: the public roots.
pub type UpstreamTls = BTreeMap<Option<String>, ClientTls>;

/// How an `https` endpoint is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct EndpointTls {
    /// Roots, ALPN, session cache.
    pub(crate) config: Arc<rustls::ClientConfig>,
    /// For SNI and verification.
    pub(crate) name: ServerName<'static>,
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    id: Arc<EndpointId>,
    /// Requests in flight, of all workers.
    pub(crate) cells: Arc<EndpointCells>,
    /// How long it takes to answer, as this worker sees it. Of no other's business, so no cell that others read.
    pub(crate) latency: Cell<PeakEwma>,
    /// What this worker sees of it, and what all hold of it.
    pub(crate) watch: Watch,
    /// What limits count of it beside requests.
    pub(crate) places: Places,
    /// Its connections.
    pub(crate) pool: Pool,
    /// Its name and port, as in a URL; for `host: endpoint`.
    authority: Option<Authority>,
    host: Option<HeaderValue>,
    tls: Option<EndpointTls>,
}

impl Endpoint {
    /// An endpoint without connections. Where an `https` one has no TLS configuration, connecting fails.
    pub(crate) fn new(
        id: Arc<EndpointId>,
        cells: Arc<EndpointCells>,
        (watch, places): (Watch, Places),
        tls: Option<EndpointTls>,
    ) -> Self {
        let port = id.address.port();
        let text = match id.server_name() {
            Some(host) if port == id.scheme.port_default() => host.to_owned(),
            Some(host) => format!("{host}:{port}"),
            None if port == id.scheme.port_default() => bracketed(id.address),
            None => id.address.to_string(),
        };
        Self {
            cells,
            latency: Cell::default(),
            places,
            watch,
            pool: Pool::default(),
            host: HeaderValue::from_str(&text).ok(),
            authority: Authority::try_from(text).ok(),
            tls,
            id,
        }
    }

    /// Its identity.
    pub(crate) fn id(&self) -> Arc<EndpointId> {
        Arc::clone(&self.id)
    }

    /// Its identity, borrowed.
    pub(crate) fn id_ref(&self) -> &EndpointId {
        &self.id
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.id.address
    }

    /// The scheme a request over TLS or not has.
    pub(crate) fn uri_scheme(&self) -> uri::Scheme {
        match self.id.scheme {
            Scheme::Https => uri::Scheme::HTTPS,
            Scheme::Http | Scheme::H2c => uri::Scheme::HTTP,
        }
    }

    /// Its own name, as `:authority`.
    pub(crate) const fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// Its own name, as `Host`.
    pub(crate) const fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }

    /// Its TLS side.
    pub(crate) const fn tls(&self) -> Option<&EndpointTls> {
        self.tls.as_ref()
    }

    /// Whether it can be carried into a view where its TLS side is this.
    pub(crate) fn has_tls(&self, tls: Option<&EndpointTls>) -> bool {
        match (&self.tls, tls) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a.config, &b.config),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// Whether a request would get a connection of this worker without making one of its own; one that many will share
    /// and that is being made counts.
    pub(crate) fn has_connection_at_hand(&self, now: Instant, idle_max: Duration) -> bool {
        self.pool.has_ready(now, idle_max) || (self.shares_connections() && self.pool.is_dialing())
    }

    /// Closes a connection that no request uses, where somebody at another worker waits for one.
    pub(crate) fn yield_connection(&self) {
        if self.places.is_wanted_elsewhere() {
            self.pool.close_one();
        }
    }

    /// Whether many requests share one connection, as far as that is known before one is made.
    pub(crate) fn shares_connections(&self) -> bool {
        match self.id.scheme {
            Scheme::Http => false,
            Scheme::H2c => true,
            Scheme::Https => self.pool.was_shared(),
        }
    }
}

/// The TLS side of an endpoint.
pub(crate) fn tls_of(
    id: &EndpointId,
    backend: &BackendSpec,
    configs: &UpstreamTls,
) -> Option<EndpointTls> {
    if id.scheme != Scheme::Https {
        return None;
    }
    let config = configs.get(&backend.ca_file)?.config(Alpn::Both);
    let name = server_name(id.server_name(), id.address.ip()).ok()?;
    Some(EndpointTls { config, name })
}

fn bracketed(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}
