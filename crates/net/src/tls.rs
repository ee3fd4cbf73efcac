//! TLS in both directions: [`server`] for clients, [`client`] for endpoints. `provider` is the only place that names suites,
//! key exchange and versions. It must never log or print a key.

mod certificates;
pub mod client;
pub mod handshake;
pub mod look;
mod names;
pub mod own;
mod provider;
pub mod server;
#[cfg(test)]
mod testing;

pub use certificates::{CertificateMaterial, Expiry};
pub use client::{Alpn, ClientTls, Roots};
pub use handshake::{HandshakeError, Named, Secured};
pub use own::client_of_own;
pub use provider::Version;
pub use server::{Protocols, ServerTls, TlsOptions};

/// ALPN's name of HTTP/2.
const H2: &[u8] = b"h2";
/// ALPN's name of HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why TLS cannot be set up as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate at all.
    #[error("a listener with tls needs at least one certificate")]
    NoCertificates,
    /// The certificate file is not what it should be.
    #[error("{file}: {reason}")]
    Certificate {
        /// The file, as written.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The key file is not what it should be.
    #[error("{file}: {reason}")]
    Key {
        /// The file, as written.
        file: String,
        /// What is wrong; never holds key material.
        reason: String,
    },
    /// The key does not belong to the certificate.
    #[error("the key in {key_file} does not belong to the certificate in {cert_file}")]
    Mismatch {
        /// The certificate file, as written.
        cert_file: String,
        /// The key file, as written.
        key_file: String,
    },
    /// rustls refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Rustls(String),
    /// A name that no certificate can be verified by.
    #[error("`{0}` is neither a host name nor an IP address")]
    Name(String),
}

impl TlsError {
    /// What a person can do about it.
    #[must_use]
    pub fn fix(&self) -> &'static str {
        match self {
            Self::NoCertificates => "add one under `tls.certificates`",
            Self::Certificate { .. } => {
                "give a PEM file with the certificate first, then its chain"
            }
            Self::Key { .. } => "give a PEM file with one PKCS#8, PKCS#1 or SEC1 private key",
            Self::Mismatch { .. } => "give the key the certificate was made with",
            Self::Rustls(_) => "see the cause",
            Self::Name(_) => "write a host name or an IP address",
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error.to_string())
    }
}
