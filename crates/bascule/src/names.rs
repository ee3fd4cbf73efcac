//! The names of endpoints, between the configuration that has them, the resolver that watches them and the assembler that is
//! told what they mean. It only translates.

use std::collections::BTreeSet;
use std::sync::Arc;

use bascule_config::{Config, Dns};
use bascule_net::resolve::{Resolved, Settings, Watched};
use bascule_traffic::assemble::Input;
use bascule_traffic::spec::EndpointHost;

/// How names are looked up.
pub(crate) fn settings(dns: &Dns) -> Settings {
    let servers = &dns.servers;
    Settings {
        ttl_min: dns.ttl_min,
        ttl_max: dns.ttl_max,
        timeout: dns.timeout,
        name_servers: (!servers.is_empty()).then(|| servers.clone()),
        ..Settings::default()
    }
}

/// What to watch for one endpoint; nothing for an address.
pub(crate) fn of_host(host: &EndpointHost) -> Option<Watched> {
    match host {
        EndpointHost::Address(_) => None,
        EndpointHost::Name(name) => Some(Watched::Host(Arc::clone(name))),
        EndpointHost::Srv(name) => Some(Watched::Srv(Arc::clone(name))),
    }
}

/// The names of all endpoints.
pub(crate) fn watched(config: &Config) -> BTreeSet<Watched> {
    let backends = config.services.iter().flat_map(|s| s.backends.values());
    let endpoints = backends.flat_map(|backend| &backend.endpoints);
    endpoints.filter_map(|e| of_host(&e.url.host)).collect()
}

/// What the assembler is told of a name.
pub(crate) fn input(resolved: Resolved) -> Input {
    match resolved {
        Resolved::Host { host, addresses } => Input::Resolved { host, addresses },
        Resolved::Srv { name, records } => Input::Records { name, records },
    }
}
