//! The side of TLS that clients see: certificates by SNI, protocols by ALPN, and both replaced while connections run.
//! Sessions resume by tickets, whose key is one for the process, as it must outlive any listener; there is no session
//! store, which would be a lock. Without a fitting name the first certificate is used, so that clients see a name that is
//! wrong rather than an alert that says nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bascule_model::Timestamp;
use bascule_telemetry::{clock, names as metric};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{HandshakeKind, InconsistentKeys, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{H2, HTTP_1_1, TlsError, names, provider};
use crate::preface::Http;

/// A certificate chain with its key, in PEM, and the files they came from.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateMaterial {
    /// The file of the chain, as written; for messages.
    pub cert_file: String,
    /// The file of the key, as written; for messages.
    pub key_file: String,
    /// The chain, the certificate itself first.
    pub cert_pem: Arc<[u8]>,
    /// The key. Never printed.
    pub key_pem: Arc<[u8]>,
}

impl fmt::Debug for CertificateMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateMaterial")
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

/// The versions of HTTP that ALPN offers, HTTP/2 first. At least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.1.
    pub h1: bool,
    /// HTTP/2.
    pub h2: bool,
}

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Its first name.
    pub name: String,
    /// When it ends.
    pub at: Timestamp,
}

/// The certificates of a listener, by name.
#[derive(Debug)]
struct Certificates {
    material: Vec<CertificateMaterial>,
    expiries: Vec<Expiry>,
    /// Several for one name when they have different kinds of key.
    by_name: BTreeMap<String, Vec<Arc<CertifiedKey>>>,
    default: Arc<CertifiedKey>,
}

impl Certificates {
    fn build(material: &[CertificateMaterial]) -> Result<Self, Vec<TlsError>> {
        let (good, bad): (Vec<_>, Vec<_>) = material.iter().map(read).partition(Result::is_ok);
        let errors: Vec<TlsError> = bad.into_iter().filter_map(Result::err).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut by_name: BTreeMap<String, Vec<Arc<CertifiedKey>>> = BTreeMap::new();
        let mut expiries = Vec::new();
        let mut default = None;
        for (key, facts) in good.into_iter().flatten() {
            for name in facts.dns_names {
                by_name.entry(name).or_default().push(Arc::clone(&key));
            }
            expiries.push(Expiry {
                name: facts.label,
                at: facts.not_after,
            });
            default.get_or_insert(key);
        }
        Ok(Self {
            material: material.to_vec(),
            expiries,
            by_name,
            default: default.ok_or_else(|| vec![TlsError::NoCertificates])?,
        })
    }

    /// The certificate for a name: exact, then the wildcard of its first label, then the first of all. Of several for
    /// one name, the first whose key the client can verify.
    fn find(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> &Arc<CertifiedKey> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let of = |name: &str| self.by_name.get(name)?.iter().find(fits);
        let Some(name) = name else {
            return &self.default;
        };
        let name = name.to_ascii_lowercase();
        let wildcard = || of(&format!("*.{}", name.split_once('.')?.1));
        of(&name).or_else(wildcard).unwrap_or(&self.default)
    }
}

fn read(material: &CertificateMaterial) -> Result<(Arc<CertifiedKey>, names::Facts), TlsError> {
    let bad_certificate = |reason: String| TlsError::Certificate {
        file: material.cert_file.clone(),
        reason,
    };
    let bad_key = |reason: String| TlsError::Key {
        file: material.key_file.clone(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(&material.cert_pem);
    let chain: Vec<CertificateDer<'static>> = chain
        .collect::<Result<_, _>>()
        .map_err(|error| bad_certificate(format!("not PEM: {error}")))?;
    let first = chain.first();
    let first = first.ok_or_else(|| bad_certificate("holds no certificate".to_owned()))?;
    let facts = names::read(first).map_err(bad_certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&material.key_pem)
        .map_err(|error| bad_key(format!("holds no private key: {error}")))?;
    let signing = provider().key_provider.load_private_key(key);
    let signing = signing.map_err(|error| bad_key(format!("the key cannot be used: {error}")))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        // A key that does not tell its public half cannot be compared; the handshake will show.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch {
                cert_file: material.cert_file.clone(),
                key_file: material.key_file.clone(),
            });
        }
        Err(error) => return Err(bad_certificate(error.to_string())),
    }
    Ok((Arc::new(certified), facts))
}

/// What rustls asks for a certificate; looks at the present ones.
#[derive(Debug)]
struct Current(ArcSwap<Certificates>);

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = self.0.load();
        let found = certificates.find(hello.server_name(), hello.signature_schemes());
        Some(Arc::clone(found))
    }
}

/// What seals session tickets: one for the process, its keys change every six hours.
fn ticketer() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    static TICKETER: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    if let Some(ticketer) = TICKETER.get() {
        return Ok(Arc::clone(ticketer));
    }
    let made = Ticketer::new()?;
    Ok(Arc::clone(TICKETER.get_or_init(|| made)))
}

/// The TLS of one listener. Cheap to clone; all clones are one, so that a replacement reaches every worker.
#[derive(Debug, Clone)]
pub struct ServerTls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: Arc<Current>,
    config: ArcSwap<ServerConfig>,
}

impl ServerTls {
    /// With these certificates, at least one.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn new(
        material: &[CertificateMaterial],
        protocols: Protocols,
    ) -> Result<Self, Vec<TlsError>> {
        let certificates = Certificates::build(material)?;
        warn_of_ended(&certificates.expiries);
        let current = Arc::new(Current(ArcSwap::from_pointee(certificates)));
        let config = config(&current, protocols).map_err(|error| vec![error])?;
        let config = ArcSwap::from_pointee(config);
        Ok(Self(Arc::new(Shared { current, config })))
    }

    /// Whether these certificates could be used, without using them: for validating a configuration.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn check(material: &[CertificateMaterial]) -> Result<Vec<Expiry>, Vec<TlsError>> {
        Certificates::build(material).map(|certificates| certificates.expiries)
    }

    /// Uses these from the next handshake on; connections that run are not touched. Gives back whether anything
    /// differs: the same content is no replacement, whatever its files are called.
    ///
    /// # Errors
    /// Everything that is wrong with any of them; then nothing changes.
    pub fn replace(
        &self,
        material: &[CertificateMaterial],
        protocols: Protocols,
    ) -> Result<bool, Vec<TlsError>> {
        let present = self.0.current.0.load();
        let content = |m: &CertificateMaterial| (Arc::clone(&m.cert_pem), Arc::clone(&m.key_pem));
        let same_certificates = present
            .material
            .iter()
            .map(content)
            .eq(material.iter().map(content));
        let same_protocols = self.0.config.load().alpn_protocols == alpn(protocols);
        if same_certificates && same_protocols {
            return Ok(false);
        }
        let certificates = Certificates::build(material)?;
        warn_of_ended(&certificates.expiries);
        if !same_protocols {
            let config = config(&self.0.current, protocols).map_err(|error| vec![error])?;
            self.0.config.store(Arc::new(config));
        }
        self.0.current.0.store(Arc::new(certificates));
        Ok(true)
    }

    /// For rustls.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.0.config.load_full()
    }

    /// When each certificate ends.
    #[must_use]
    pub fn expiries(&self) -> Vec<Expiry> {
        self.0.current.0.load().expiries.clone()
    }

    /// Sets the gauge of each certificate's end. To be called from the control thread after each change.
    pub fn publish_expiries(&self) {
        for expiry in self.expiries() {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of the next 200 000 years are exact"
            )]
            let seconds = expiry.at.as_millis() as f64 / 1000.0;
            metrics::gauge!(metric::TLS_CERTIFICATE_EXPIRY, "name" => expiry.name).set(seconds);
        }
    }

    /// Does the handshake. The time limit is the caller's.
    ///
    /// # Errors
    /// The connection's, or TLS'.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.config()).accept(stream).await
    }
}

/// The version of HTTP that ALPN chose; HTTP/1 when the client has no ALPN.
#[must_use]
pub fn http_version<S>(stream: &TlsStream<S>) -> Http {
    match stream.get_ref().1.alpn_protocol() {
        Some(protocol) if protocol == H2 => Http::Two,
        _ => Http::One,
    }
}

/// The `result` of a finished handshake in `bascule_tls_handshakes_total`.
#[must_use]
pub fn handshake_result<S>(stream: &TlsStream<S>) -> &'static str {
    match stream.get_ref().1.handshake_kind() {
        Some(HandshakeKind::Resumed) => "resumed",
        _ => "full",
    }
}

fn alpn(protocols: Protocols) -> Vec<Vec<u8>> {
    let offered = [(protocols.h2, H2), (protocols.h1, HTTP_1_1)];
    let offered = offered.iter().filter(|(on, _)| *on);
    offered.map(|(_, name)| name.to_vec()).collect()
}

fn config(current: &Arc<Current>, protocols: Protocols) -> Result<ServerConfig, TlsError> {
    let resolver: Arc<dyn ResolvesServerCert> = Arc::<Current>::clone(current);
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = alpn(protocols);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ticketer()?;
    // One ticket a handshake is enough for a client that comes back, and half the work of the default (two)
    // each time.
    config.send_tls13_tickets = 1;
    Ok(config)
}

fn warn_of_ended(expiries: &[Expiry]) {
    let now = clock::wall();
    for ended in expiries.iter().filter(|expiry| expiry.at <= now) {
        let at = clock::rfc3339(ended.at);
        let name = &ended.name;
        tracing::warn!(
            event = "certificate_ended",
            name,
            at,
            "a certificate has ended"
        );
    }
}

#[cfg(test)]
mod tests;
