//! TLS of the clients: 1.3, one cipher suite and one key exchange for whatever proxy is asked, so that each does the same
//! work; the bench's own certificate is the only root.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name in the certificate and in every request.
pub const NAME: &str = "meet.example.org";

/// A certificate of the bench's own.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate as PEM.
    pub cert_pem: String,
    /// Its key as PEM.
    pub key_pem: String,
    root: rustls_pki_types::CertificateDer<'static>,
}

impl Certificate {
    /// Makes one: ECDSA on P-256, signed by itself.
    ///
    /// # Errors
    /// When the library cannot.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![NAME.to_owned()])?.self_signed(&key)?;
        Ok(Self {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            root: certificate.der().clone(),
        })
    }

    /// Clients that trust it and speak the protocol that ALPN names.
    ///
    /// # Errors
    /// When the library refuses the certificate.
    pub fn connector(&self, alpn: &str) -> Result<Connector> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        let provider = CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![kx_group::X25519],
            ..default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Ok(Connector(TlsConnector::from(Arc::new(config))))
    }
}

/// Opens secure connections.
#[derive(Clone)]
pub struct Connector(TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").finish()
    }
}

impl Connector {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// The connection or the handshake fails.
    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = connect(address).await?;
        let name = ServerName::try_from(NAME).map_err(std::io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

/// Connects in clear.
///
/// # Errors
/// The connection fails.
pub async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
