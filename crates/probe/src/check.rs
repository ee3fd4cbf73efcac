//! One health check on the wire, from connect to verdict-ready result: every way it can end is a
//! [`CheckResult`]. It must never take longer than the policy's time-out, hold more than a few KiB of what the endpoint
//! sends, or leave a connection behind. The two HTTP versions: [`http1`], [`http2`].
//!
//! What passes: for `tcp` a connection (with the TLS handshake for `https`); for `http` an expected status whose body
//! comes whole, or longer than what is looked at. A redirect is a status like another. A body that neither ends nor
//! grows is a time-out; a head that does not end is not HTTP.

mod http1;
mod http2;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bascule_health::{CheckFailure, CheckKind, CheckPolicy, CheckResult, StatusRange};
use bascule_model::{EndpointId, Scheme};
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Uri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How much of an answer's body is read; what comes after is ignored. Enough for any health page; reading it lets the
/// endpoint finish its answer instead of seeing a reset.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The longest head of an answer that is accepted.
const HEAD_BYTES_MAX: u32 = 16 * 1024;

/// What endpoints see in their logs.
const AGENT: &str = concat!("bascule-check/", env!("CARGO_PKG_VERSION"));

/// Checks one endpoint. `tls` is needed for `https` endpoints; without, the check fails with the reason `tls`.
pub async fn check(
    id: &EndpointId,
    policy: &CheckPolicy,
    tls: Option<&Arc<ClientConfig>>,
) -> CheckResult {
    let outcome = tokio::time::timeout(policy.timeout, perform(id, policy, tls)).await;
    match outcome {
        Ok(Ok(())) => CheckResult::Passed,
        Ok(Err(failure)) => CheckResult::Failed(failure),
        Err(_elapsed) => CheckResult::Failed(CheckFailure::Timeout),
    }
}

// The futures of an exchange are large and boxed; a plain connect stays small.
async fn perform(
    id: &EndpointId,
    policy: &CheckPolicy,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<(), CheckFailure> {
    let tcp = TcpStream::connect(id.address)
        .await
        .map_err(|error| unconnected(&error))?;
    match (id.scheme, &policy.kind) {
        (Scheme::Http | Scheme::H2c, CheckKind::Tcp) => Ok(()),
        (Scheme::Https, CheckKind::Tcp) => {
            let mut stream = secure(id, tcp, tls).await?;
            // A farewell, so that the endpoint logs no broken connection; the check has passed whether it arrives or not.
            drop(stream.shutdown().await);
            Ok(())
        }
        (Scheme::Http, CheckKind::Http { path, host, expect }) => {
            let question = Question::new(id, path, host.as_deref(), expect)?;
            Box::pin(http1::ask(tcp, question)).await
        }
        (Scheme::H2c, CheckKind::Http { path, host, expect }) => {
            let question = Question::new(id, path, host.as_deref(), expect)?;
            Box::pin(http2::ask(tcp, question)).await
        }
        (Scheme::Https, CheckKind::Http { path, host, expect }) => {
            let question = Question::new(id, path, host.as_deref(), expect)?;
            let stream = secure(id, tcp, tls).await?;
            // As traffic does: the version that the endpoint chose.
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                Box::pin(http2::ask(stream, question)).await
            } else {
                Box::pin(http1::ask(stream, question)).await
            }
        }
    }
}

/// The TLS handshake, with the certificate verified for the name (or the address) of the endpoint.
async fn secure(
    id: &EndpointId,
    tcp: TcpStream,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<TlsStream<TcpStream>, CheckFailure> {
    let tls = tls.ok_or(CheckFailure::Tls)?;
    let name = match &id.host {
        Some(host) => ServerName::try_from(host.to_string()).map_err(|_| CheckFailure::Tls)?,
        None => ServerName::from(id.address.ip()),
    };
    let connector = TlsConnector::from(Arc::clone(tls));
    let handshake = connector.connect(name, tcp).await;
    handshake.map_err(|_| CheckFailure::Tls)
}

/// What is asked, and which answers pass.
struct Question<'a> {
    scheme: Scheme,
    authority: Authority,
    path: PathAndQuery,
    expect: &'a [StatusRange],
}

impl<'a> Question<'a> {
    /// `config` has checked path and host; should one be unusable after all, no answer can be had: `Protocol`.
    fn new(
        id: &EndpointId,
        path: &str,
        host: Option<&str>,
        expect: &'a [StatusRange],
    ) -> Result<Self, CheckFailure> {
        let host = host.map_or_else(|| authority_of(id), str::to_owned);
        Ok(Self {
            scheme: id.scheme,
            authority: host.parse().map_err(|_| CheckFailure::Protocol)?,
            path: path.parse().map_err(|_| CheckFailure::Protocol)?,
            expect,
        })
    }

    /// The request with its target in the given form.
    fn request<B>(&self, target: Uri, body: B) -> http::Request<B> {
        let mut request = http::Request::new(body);
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            headers.insert(HOST, host);
        }
        request
    }

    fn judge(&self, status: http::StatusCode) -> Result<(), CheckFailure> {
        let status = status.as_u16();
        if self.expect.iter().any(|range| range.contains(status)) {
            Ok(())
        } else {
            Err(CheckFailure::Status { status })
        }
    }
}

/// Name or address of an endpoint, with the port unless it is the scheme's own.
fn authority_of(id: &EndpointId) -> String {
    let port = id.address.port();
    let own_port = port == id.scheme.port_default();
    match (&id.host, id.address) {
        (Some(host), _) if own_port => host.to_string(),
        (Some(host), _) => format!("{host}:{port}"),
        (None, SocketAddr::V4(address)) if own_port => address.ip().to_string(),
        (None, SocketAddr::V6(address)) if own_port => format!("[{}]", address.ip()),
        (None, address) => address.to_string(),
    }
}

/// Why there is no connection. The kernel's own time-out is one too, should it be shorter than the policy's.
fn unconnected(error: &io::Error) -> CheckFailure {
    match error.kind() {
        io::ErrorKind::TimedOut => CheckFailure::Timeout,
        _ => CheckFailure::Connect,
    }
}

/// Why an established connection gave no answer. A broken pipe is a peer that closed in order: it broke off.
fn broken(error: Option<&io::Error>) -> CheckFailure {
    match error.map(io::Error::kind) {
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected,
        ) => CheckFailure::Connect,
        Some(io::ErrorKind::TimedOut) => CheckFailure::Timeout,
        _ => CheckFailure::Protocol,
    }
}

/// A byte stream to an endpoint.
trait Stream: AsyncRead + AsyncWrite + Unpin + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Stream for S {}

/// Drives a connection beside the exchange on it, until the exchange has its result. What a connection ends with, the
/// exchange is told as well.
async fn beside<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let drive = async {
        connection.await;
        std::future::pending().await
    };
    // Losing the drive drops the connection, which is wanted: it is not used again.
    tokio::select! {
        biased;
        result = exchange => result,
        never = drive => never,
    }
}

#[cfg(test)]
mod tests;
