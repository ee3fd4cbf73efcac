//! One HTTP exchange with a host of OCI: TLS that is always verified, a time for the whole of it, a limit for the answer,
//! connections kept for the next. It reads nothing of what is said, and never sends a change a second time.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bascule_net::tls::client::{Alpn, ClientTls, Roots, server_name};
use bascule_telemetry::spawn;
use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// The largest answer: a page of a thousand instances is about a megabyte.
const ANSWER_MAX: usize = 8 << 20;

/// Idle connections kept for a host: as many as discovery uses at once.
const IDLE_MAX: usize = 16;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The address of the service is none.
    #[error("`{0}` is no http:// or https:// address of a host")]
    Address(String),
    /// No connection.
    #[error("no connection to {host}")]
    Connect {
        /// To where.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The host is not who it should be.
    #[error("the certificate of {host} is not trusted")]
    Certificate {
        /// Which.
        host: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The exchange broke.
    #[error("the connection broke")]
    Broken(#[source] hyper::Error),
    /// The answer broke off.
    #[error("the answer broke off")]
    Half(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The answer is larger than allowed.
    #[error("an answer of more than {ANSWER_MAX} bytes")]
    TooLarge,
}

/// A whole answer. Not for debug output: there may be a token in it.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header's text; `None` where it is not there or no text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Connections to hosts.
#[derive(Debug)]
pub(crate) struct Wire {
    tls: ClientTls,
    /// For one exchange, connection included.
    timeout: Duration,
    idle: Mutex<BTreeMap<String, Vec<SendRequest<Full<Bytes>>>>>,
}

/// A host to speak with.
struct Place {
    /// As in `Host`.
    authority: String,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Wire {
    /// Trusting these roots, with this time for each exchange.
    ///
    /// # Errors
    /// When a file of roots holds none.
    pub(crate) fn new(
        roots: &Roots,
        timeout: Duration,
    ) -> Result<Self, bascule_net::tls::TlsError> {
        Ok(Self {
            tls: ClientTls::new(roots)?,
            timeout,
            idle: Mutex::default(),
        })
    }

    /// Sends a request to the host of `base`, an address without a path, and reads the whole answer.
    pub(crate) async fn exchange(
        &self,
        base: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, WireError> {
        let place = place(base)?;
        tokio::time::timeout(self.timeout, self.ask(&place, request))
            .await
            .unwrap_or(Err(WireError::TimedOut(self.timeout)))
    }

    /// Only what reads goes over a connection that was idle, as its end may not be known here yet; where it had ended the
    /// request goes over a new one. What changes something has a connection of its own, so that an error means what it says.
    async fn ask(&self, place: &Place, request: Request<Full<Bytes>>) -> Result<Answer, WireError> {
        let kept = self.take(&place.authority);
        if let Some(mut sender) = kept.filter(|_| *request.method() == Method::GET) {
            match sender.send_request(request.clone()).await {
                Ok(answer) => return self.finish(place, sender, answer).await,
                Err(error) => tracing::trace!(%error, "a connection to OCI had ended"),
            }
        }
        let mut sender = self.connect(place).await?;
        let answer = sender.send_request(request).await;
        self.finish(place, sender, answer.map_err(WireError::Broken)?)
            .await
    }

    /// Reads the answer, and keeps the connection.
    async fn finish(
        &self,
        place: &Place,
        sender: SendRequest<Full<Bytes>>,
        answer: http::Response<hyper::body::Incoming>,
    ) -> Result<Answer, WireError> {
        let answer = read(answer).await?;
        self.keep(&place.authority, sender);
        Ok(answer)
    }

    /// An idle connection that still stands.
    fn take(&self, authority: &str) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.get_mut(authority)?;
        kept.retain(|sender| !sender.is_closed());
        let ready = kept.iter().position(SendRequest::is_ready)?;
        Some(kept.swap_remove(ready))
    }

    fn keep(&self, authority: &str, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.entry(authority.to_owned()).or_default();
        if kept.len() < IDLE_MAX && !sender.is_closed() {
            kept.push(sender);
        }
    }

    async fn connect(&self, place: &Place) -> Result<SendRequest<Full<Bytes>>, WireError> {
        let failed = |source| WireError::Connect {
            host: place.authority.clone(),
            source,
        };
        let stream = TcpStream::connect((place.host.as_str(), place.port))
            .await
            .map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        if !place.is_tls {
            return start(stream).await;
        }
        let peer = stream.peer_addr().map_err(failed)?.ip();
        let host = place.host.parse::<std::net::IpAddr>().is_err();
        let name = server_name(host.then_some(place.host.as_str()), peer)
            .map_err(|_| WireError::Address(place.authority.clone()))?;
        let stream = self.tls.connect(stream, name, Alpn::Http1).await;
        start(stream.map_err(|source| untrusted(place, source))?).await
    }
}

/// A handshake that failed: by the certificate, or by the connection.
fn untrusted(place: &Place, source: io::Error) -> WireError {
    let host = place.authority.clone();
    // rustls wraps what it found wrong as invalid data; everything else is the connection's.
    if source.kind() == io::ErrorKind::InvalidData {
        WireError::Certificate { host, source }
    } else {
        WireError::Connect { host, source }
    }
}

async fn start<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, WireError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(WireError::Broken)?;
    spawn::send("oci_connection", async move {
        if let Err(error) = connection.await {
            // Whoever waits for an answer is told; an idle connection that breaks means nothing.
            tracing::trace!(%error, "a connection to OCI ended");
        }
    })
    .detach();
    Ok(sender)
}

async fn read(answer: http::Response<hyper::body::Incoming>) -> Result<Answer, WireError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_MAX).collect().await;
    let body = body.map_err(|error| match error.downcast_ref() {
        Some(LengthLimitError { .. }) => WireError::TooLarge,
        None => WireError::Half(error),
    })?;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    })
}

/// What goes into `Host` for this base.
pub(crate) fn authority(base: &str) -> Result<String, WireError> {
    place(base).map(|place| place.authority)
}

fn place(base: &str) -> Result<Place, WireError> {
    let wrong = || WireError::Address(base.to_owned());
    let uri: Uri = base.parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let is_tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(wrong()),
    };
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let port = authority.port_u16();
    Ok(Place {
        authority: authority.as_str().to_owned(),
        host,
        port: port.unwrap_or(if is_tls { 443 } else { 80 }),
        is_tls,
    })
}

#[cfg(test)]
mod tests;
