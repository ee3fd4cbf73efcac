//! The side of TLS that clients see: certificates by SNI, protocols by ALPN, and both replaced while connections run.
//! Sessions resume by tickets, whose key is one for the process, as it must outlive any listener; there is no session
//! store, which would be a lock. There is no compression, no renegotiation and no early data. Next:
//! [`certificates`](super::certificates), [`handshake`](super::handshake).

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bascule_telemetry::{clock, names as metric};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use tokio::io::{AsyncRead, AsyncWrite};

use super::certificates::{CertificateMaterial, Certificates, Current, Expiry};
use super::handshake::{self, HandshakeError, Secured};
use super::provider::{Version, provider};
use super::{H2, HTTP_1_1, TlsError};

/// The versions of HTTP that ALPN offers, HTTP/2 first. At least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.1.
    pub h1: bool,
    /// HTTP/2.
    pub h2: bool,
}

/// How a listener speaks TLS, beside its certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsOptions {
    /// What ALPN offers.
    pub protocols: Protocols,
    /// Whether a client that names no certificate's name is refused.
    pub strict_sni: bool,
    /// The lowest version.
    pub version_min: Version,
}

impl From<Protocols> for TlsOptions {
    /// The defaults: any name, TLS 1.2 and above.
    fn from(protocols: Protocols) -> Self {
        Self {
            protocols,
            strict_sni: false,
            version_min: Version::Tls12,
        }
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
    spoken: ArcSwap<Spoken>,
}

/// How TLS is spoken now.
#[derive(Debug)]
struct Spoken {
    options: TlsOptions,
    config: Arc<ServerConfig>,
}

impl ServerTls {
    /// With these certificates, at least one.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn new(
        material: &[CertificateMaterial],
        options: TlsOptions,
    ) -> Result<Self, Vec<TlsError>> {
        let certificates = Certificates::build(material)?;
        warn_of_ended(&certificates.expiries);
        let current = Arc::new(Current(ArcSwap::from_pointee(certificates)));
        let spoken = Spoken::new(&current, options).map_err(|error| vec![error])?;
        let spoken = ArcSwap::from_pointee(spoken);
        Ok(Self(Arc::new(Shared { current, spoken })))
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
        options: TlsOptions,
    ) -> Result<bool, Vec<TlsError>> {
        let present = self.0.current.0.load();
        let content = |m: &CertificateMaterial| (Arc::clone(&m.cert_pem), Arc::clone(&m.key_pem));
        let same_certificates = present
            .material
            .iter()
            .map(content)
            .eq(material.iter().map(content));
        let same_options = self.0.spoken.load().options == options;
        if same_certificates && same_options {
            return Ok(false);
        }
        let certificates = Certificates::build(material)?;
        warn_of_ended(&certificates.expiries);
        if !same_options {
            let spoken = Spoken::new(&self.0.current, options).map_err(|error| vec![error])?;
            self.0.spoken.store(Arc::new(spoken));
        }
        self.0.current.0.store(Arc::new(certificates));
        Ok(true)
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
    /// [`HandshakeError`].
    pub async fn accept<S>(&self, stream: S) -> Result<Secured<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let spoken = self.0.spoken.load_full();
        let config = Arc::clone(&spoken.config);
        handshake::accept(stream, &self.0.current, config, spoken.options.strict_sni).await
    }
}

fn alpn(protocols: Protocols) -> Vec<Vec<u8>> {
    let offered = [(protocols.h2, H2), (protocols.h1, HTTP_1_1)];
    let offered = offered.iter().filter(|(on, _)| *on);
    offered.map(|(_, name)| name.to_vec()).collect()
}

impl Spoken {
    fn new(current: &Arc<Current>, options: TlsOptions) -> Result<Self, TlsError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Current>::clone(current);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(options.version_min.and_above())?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = alpn(options.protocols);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ticketer()?;
        // One ticket a handshake is enough for a client that comes back, and half the work of the default (two)
        // each time.
        config.send_tls13_tickets = 1;
        // What a resumed client says before the handshake is over can be said again by whoever heard it (RFC 8446 §8).
        config.max_early_data_size = 0;
        let config = Arc::new(config);
        Ok(Self { options, config })
    }
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
