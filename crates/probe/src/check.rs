//! One health check on the wire, from connect to verdict-ready result: every way it can end is a
//! [`CheckResult`]. It must never take longer than the policy's time-out, hold more than a few KiB of what the endpoint
//! sends, or leave a connection behind. What is asked: [`tcp`], [`http1`], [`http2`], [`grpc`]; how an answer is read
//! without holding it: [`answer`].
//!
//! What passes: for `tcp` a connection (with the TLS handshake where there is TLS) and the text that is expected; for
//! `http` an expected status whose body comes whole and has the text; for `grpc` a service that says it serves. A
//! redirect is a status like another, and is not followed. A body without end is too long, one that neither ends nor
//! grows a time-out, a head that does not end is not HTTP.

mod answer;
mod grpc;
mod http1;
mod http2;
mod question;
mod tcp;

use std::io;
use std::sync::Arc;

use bascule_health::{CheckFailure, CheckKind, CheckPolicy, CheckResult, CheckTls};
use bascule_model::{EndpointId, Scheme};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use question::{Place, Question};

/// The longest head of an answer that is accepted.
const HEAD_BYTES_MAX: u32 = 16 * 1024;

/// What endpoints see in their logs.
const AGENT: &str = concat!("bascule-check/", env!("CARGO_PKG_VERSION"));

/// Whether a check of this endpoint is done over TLS.
#[must_use]
pub fn is_over_tls(id: &EndpointId, policy: &CheckPolicy) -> bool {
    match policy.tls {
        CheckTls::AsEndpoint => id.scheme == Scheme::Https,
        CheckTls::On => true,
        CheckTls::Off => false,
    }
}

/// Checks one endpoint. `tls` is needed where [`is_over_tls`]; without, the check fails with the reason `tls`.
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

async fn perform(
    id: &EndpointId,
    policy: &CheckPolicy,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<(), CheckFailure> {
    let place = Place::of(id, policy);
    let tcp = TcpStream::connect(place.address)
        .await
        .map_err(|error| unconnected(&error))?;
    if !place.tls {
        // Without TLS the version is known beforehand.
        let http = match id.scheme {
            Scheme::H2c => Http::Two,
            Scheme::Http | Scheme::Https => Http::One,
        };
        return ask(tcp, &place, policy, http).await;
    }
    let tls = tls.ok_or(CheckFailure::Tls)?;
    let stream = match &policy.kind {
        CheckKind::Tcp { .. } => secure(&place, tcp, &without_alpn(tls)).await?,
        CheckKind::Http { .. } | CheckKind::Grpc { .. } => secure(&place, tcp, tls).await?,
    };
    // As traffic does: the version that the endpoint chose.
    let http = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Http::Two,
        _ => Http::One,
    };
    ask(stream, &place, policy, http).await
}

/// The version of HTTP on a connection.
#[derive(Debug, Clone, Copy)]
enum Http {
    One,
    Two,
}

/// Asks what the policy wants to know. The futures of an exchange are large and boxed; a plain connect stays small.
async fn ask<S: Stream>(
    stream: S,
    place: &Place<'_>,
    policy: &CheckPolicy,
    http: Http,
) -> Result<(), CheckFailure> {
    match &policy.kind {
        CheckKind::Tcp { send, expect } => {
            tcp::ask(stream, send.as_deref(), expect.as_deref()).await
        }
        CheckKind::Http {
            path,
            host,
            expect,
            text,
        } => {
            let question = Question::new(place, path, host.as_deref(), expect, text.as_deref())?;
            match http {
                Http::One => Box::pin(http1::ask(stream, question)).await,
                Http::Two => Box::pin(http2::ask(stream, question)).await,
            }
        }
        CheckKind::Grpc { service, host } => match (place.tls, http) {
            // An endpoint that speaks TLS and does not choose HTTP/2 cannot speak gRPC.
            (true, Http::One) => Err(CheckFailure::Protocol),
            // In clear, gRPC is HTTP/2 by prior knowledge, whatever the traffic is.
            (false, _) | (true, Http::Two) => {
                let authority = place.authority(host.as_deref())?;
                let call = grpc::Call::new(place.tls, authority, service, policy.timeout)?;
                Box::pin(grpc::ask(stream, call)).await
            }
        },
    }
}

/// The TLS handshake, with the certificate verified for the name (or the address) of the endpoint.
async fn secure(
    place: &Place<'_>,
    tcp: TcpStream,
    tls: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, CheckFailure> {
    let name = match place.host {
        Some(host) => ServerName::try_from(host.to_owned()).map_err(|_| CheckFailure::Tls)?,
        None => ServerName::from(place.address.ip()),
    };
    let connector = TlsConnector::from(Arc::clone(tls));
    let handshake = connector.connect(name, tcp).await;
    handshake.map_err(|_| CheckFailure::Tls)
}

/// For a protocol that is not HTTP: to offer HTTP's names would have a strict server refuse. No session is kept, as it would
/// come back to a connection that asks for another protocol.
fn without_alpn(tls: &ClientConfig) -> Arc<ClientConfig> {
    let mut tls = tls.clone();
    tls.alpn_protocols.clear();
    tls.resumption = Resumption::disabled();
    Arc::new(tls)
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
