//! The side of TLS that endpoints see: which roots are trusted, and by which name a certificate is verified. It never
//! skips verification: there is no switch for that.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::provider::{Version, provider};
use super::{H2, HTTP_1_1, TlsError};
use crate::preface::Http;

/// Sessions kept for resumption, by name and address of the endpoint.
const SESSIONS_MAX: usize = 512;

/// Who is trusted to vouch for endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that browsers trust (Mozilla's list, as of the build).
    Web,
    /// Those of a PEM file, and no other.
    Own {
        /// The file, as written; for messages.
        file: String,
        /// Its content.
        pem: Arc<[u8]>,
    },
}

/// What ALPN offers to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2, then HTTP/1.1: the endpoint chooses.
    Both,
    /// HTTP/1.1 alone: for upgrades and for checks.
    Http1,
}

/// How TLS is spoken to endpoints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    both: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusting these roots.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the file holds no root that can be used.
    pub fn new(roots: &Roots) -> Result<Self, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(Version::Tls12.and_above())?
            .with_root_certificates(store(roots)?)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        let http1 = Arc::new(config.clone());
        config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        // Apart: a session must not come back with another protocol than its connection asks for.
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        let both = Arc::new(config);
        Ok(Self { both, http1 })
    }

    /// For rustls.
    #[must_use]
    pub fn config(&self, alpn: Alpn) -> Arc<ClientConfig> {
        Arc::clone(match alpn {
            Alpn::Both => &self.both,
            Alpn::Http1 => &self.http1,
        })
    }

    /// Does the handshake and verifies the endpoint by `name`. The time limit is the caller's.
    ///
    /// # Errors
    /// The connection's, or TLS'.
    pub async fn connect<S>(
        &self,
        stream: S,
        name: ServerName<'static>,
        alpn: Alpn,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(self.config(alpn));
        connector.connect(name, stream).await
    }
}

fn store(roots: &Roots) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Web => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::Own { file, pem } => {
            let error = |reason: String| TlsError::Certificate {
                file: file.clone(),
                reason,
            };
            for root in CertificateDer::pem_slice_iter(pem) {
                let root = root.map_err(|e| error(format!("not PEM: {e}")))?;
                store.add(root).map_err(|e| error(e.to_string()))?;
            }
            if store.is_empty() {
                return Err(error("holds no certificate".to_owned()));
            }
        }
    }
    Ok(store)
}

/// What an endpoint is verified by and asked for with SNI: its host name where it has one, its address otherwise (which
/// sends no SNI).
///
/// # Errors
/// [`TlsError::Name`] when the host is no host name.
pub fn server_name(host: Option<&str>, ip: IpAddr) -> Result<ServerName<'static>, TlsError> {
    match host {
        Some(host) => ServerName::try_from(host.trim_end_matches('.').to_owned())
            .map_err(|_| TlsError::Name(host.to_owned())),
        None => Ok(ServerName::IpAddress(ip.into())),
    }
}

/// The version of HTTP that the endpoint chose; HTTP/1 when it has no ALPN.
#[must_use]
pub fn http_version<S>(stream: &TlsStream<S>) -> Http {
    match stream.get_ref().1.alpn_protocol() {
        Some(protocol) if protocol == H2 => Http::Two,
        _ => Http::One,
    }
}
