//! Whom the edge trusts to vouch for `https` endpoints: one TLS client for each `ca_file`, and one for the public roots.
//! Traffic and checks use the same, so that a check sees what traffic sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use bascule_config::Config;
use bascule_health::CheckPolicy;
use bascule_model::{BackendName, EndpointId, ServiceName};
use bascule_net::tls::{Alpn, ClientTls, Roots, TlsError};
use bascule_proxy::UpstreamTls;
use rustls::ClientConfig;

/// The TLS clients of a configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust {
    clients: BTreeMap<Option<String>, Client>,
    ca_files: BTreeMap<(ServiceName, BackendName), String>,
}

#[derive(Debug, Clone)]
struct Client {
    roots: Roots,
    tls: ClientTls,
}

impl Trust {
    /// The clients of this configuration. Where the roots are those of before, so is the client: connections that were
    /// made with it stay good.
    ///
    /// # Errors
    /// When a file holds no root that can be used.
    pub(super) fn next(&self, config: &Config) -> Result<Self, TlsError> {
        let own = config.roots.iter().map(|(file, pem)| {
            (
                Some(file.clone()),
                Roots::Own {
                    file: file.clone(),
                    pem: Arc::clone(pem),
                },
            )
        });
        let clients = std::iter::once((None, Roots::Web)).chain(own);
        let clients = clients
            .map(|(file, roots)| {
                let kept = self
                    .clients
                    .get(&file)
                    .filter(|client| client.roots == roots);
                let client = kept.cloned().map_or_else(|| Client::new(roots), Ok)?;
                Ok((file, client))
            })
            .collect::<Result<_, TlsError>>()?;
        let backends = config.services.iter().flat_map(|service| {
            service
                .backends
                .iter()
                .map(move |(name, backend)| (&service.name, name, backend))
        });
        let ca_files = backends
            .filter_map(|(service, name, backend)| {
                let file = backend.ca_file.clone()?;
                Some(((service.clone(), name.clone()), file))
            })
            .collect();
        Ok(Self { clients, ca_files })
    }

    /// For the data plane.
    pub(super) fn upstream(&self) -> UpstreamTls {
        self.clients
            .iter()
            .map(|(file, client)| (file.clone(), client.tls.clone()))
            .collect()
    }

    /// How TLS is spoken when an endpoint is checked; `None` where it is not.
    pub(super) fn of(&self, id: &EndpointId, policy: &CheckPolicy) -> Option<Arc<ClientConfig>> {
        if !bascule_probe::check::is_over_tls(id, policy) {
            return None;
        }
        let file = self
            .ca_files
            .get(&(id.service.clone(), id.backend.clone()))
            .cloned();
        self.clients
            .get(&file)
            .map(|client| client.tls.config(Alpn::Both))
    }
}

impl Client {
    fn new(roots: Roots) -> Result<Self, TlsError> {
        let tls = ClientTls::new(&roots)?;
        Ok(Self { roots, tls })
    }
}
