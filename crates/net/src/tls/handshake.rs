//! **secure**: the handshake with a client, to its end or its refusal. It looks at the name the client asks for before
//! anything is computed, and keeps what the certificate is for, so that a request for another name can be told from one
//! that this connection may carry. The time limit is the caller's.

use std::io;
use std::sync::Arc;

use rustls::server::Acceptor;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::H2;
use super::certificates::Current;
use super::names::{self, Names};
use crate::preface::Http;

/// What may wait to be sent, encrypted, before whoever writes must wait: four records of the largest size. Source: rustls'
/// own default, named here because it is part of what a connection can hold.
const UNSENT_MAX: usize = 64 * 1024;

/// A fatal alert `unrecognized_name` (RFC 6066 §3) as a record of TLS 1.2, before any key: type alert, version, length,
/// level, description.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// A connection after its handshake.
#[derive(Debug)]
pub struct Secured<S> {
    /// The connection.
    pub stream: TlsStream<S>,
    /// The name the client asked for; `None`: it named none.
    pub named: Option<Named>,
}

impl<S> Secured<S> {
    /// The version of HTTP that ALPN chose; HTTP/1 when the client has no ALPN.
    #[must_use]
    pub fn http(&self) -> Http {
        match self.stream.get_ref().1.alpn_protocol() {
            Some(protocol) if protocol == H2 => Http::Two,
            _ => Http::One,
        }
    }

    /// The `result` in `bascule_tls_handshakes_total`.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match self.stream.get_ref().1.handshake_kind() {
            Some(HandshakeKind::Resumed) => "resumed",
            _ => "full",
        }
    }
}

/// The name that a client asked for with SNI, and what the certificate it was shown is for.
#[derive(Debug, Clone)]
pub struct Named {
    name: Box<str>,
    certificate: Arc<Names>,
}

impl Named {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a request for this host (with a port or without) belongs on the connection: the host is the name, or the
    /// certificate is for it too, so that a client may have come here for both (RFC 9113 §9.1.1).
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let host = names::without_port(host);
        host.eq_ignore_ascii_case(&self.name) || self.certificate.cover(host)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The listener is strict, and the client named nothing that a certificate is for. It was told so.
    #[error("no certificate is for the name that the client gave: {name:?}")]
    NoCertificate {
        /// The name, if it gave one.
        name: Option<Box<str>>,
    },
    /// The connection broke, or the two have nothing in common.
    #[error("the handshake failed")]
    Failed(#[from] io::Error),
}

impl HandshakeError {
    /// The `result` in `bascule_tls_handshakes_total`.
    #[must_use]
    pub const fn result(&self) -> &'static str {
        match self {
            Self::NoCertificate { .. } => "refused_sni",
            Self::Failed(_) => "failed",
        }
    }
}

pub(super) async fn accept<S>(
    stream: S,
    current: &Current,
    config: Arc<ServerConfig>,
    strict_sni: bool,
) -> Result<Secured<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name: Option<Box<str>> = begun.client_hello().server_name().map(Box::from);
    let certificates = current.0.load_full();
    let fitting = name
        .as_deref()
        .and_then(|name| certificates.names_for(name));
    if strict_sni && fitting.is_none() {
        refuse(&mut begun.io).await;
        return Err(HandshakeError::NoCertificate { name });
    }
    let certificate = Arc::clone(fitting.unwrap_or_else(|| certificates.default_names()));
    drop(certificates);
    let stream = begun.into_stream_with(config, |session| {
        session.set_buffer_limit(Some(UNSENT_MAX));
    });
    Ok(Secured {
        stream: stream.await?,
        named: name.map(|name| Named { name, certificate }),
    })
}

/// Says why, and ends. A client that is gone already needs no answer.
async fn refuse<S: AsyncWrite + Unpin>(stream: &mut S) {
    let said = stream.write_all(&UNRECOGNIZED_NAME).await;
    if said.is_ok() && stream.shutdown().await.is_err() {
        tracing::debug!("a refused client was gone before it was told");
    }
}

#[cfg(test)]
mod tests;
