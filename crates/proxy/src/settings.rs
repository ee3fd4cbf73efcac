//! What an edge is started with, and what a reload gives it.

use std::sync::Arc;

use bascule_config::Listener;
use bascule_model::ListenerName;
use bascule_net::listen::Bound;
use bascule_net::tcp::ListenerLimits;
use bascule_net::tls::ServerTls;

pub use crate::affinity::CookieSecrets;
pub use crate::upstream::UpstreamTls;

/// What an edge is started with.
#[derive(Debug)]
pub struct Settings {
    /// Worker threads; at least one. Every listener has a socket for each.
    pub workers: usize,
    /// The listeners, all with sockets.
    pub listeners: Vec<ListenerSetup>,
    /// How `https` endpoints are spoken to, by the `ca_file` of the backend; `None`: the public roots.
    pub upstream_tls: UpstreamTls,
    /// What cookies that keep requests together are sealed with, by the service's `secret_file`.
    pub cookie_secrets: CookieSecrets,
    /// The most client connections of the process, all listeners together.
    pub connections_max: usize,
    /// Whether the access log hides the query, which may hold secrets.
    pub redact_query: bool,
    /// A request that carries it in `x-bascule-probe` is told in `x-bascule-backend` which backend answered.
    pub probe_token: Option<String>,
}

/// One listener, as it should be.
#[derive(Debug)]
pub struct ListenerSetup {
    /// What the configuration says of it.
    pub listener: Arc<Listener>,
    /// New sockets, one for each worker; `None`: it keeps those it has.
    pub bound: Option<Bound>,
    /// Its TLS side. To change certificates alone, replace them in place there; nothing here needs to know.
    pub tls: Option<ServerTls>,
}

impl ListenerSetup {
    /// What it allows of connections.
    pub(crate) fn limits(&self) -> (ListenerName, ListenerLimits) {
        let limits = ListenerLimits {
            connections: self.listener.connections,
            connections_per_client: self.listener.limits.connections_per_client,
            exempt: self.listener.trusted.clone(),
        };
        (self.listener.name.clone(), limits)
    }
}
