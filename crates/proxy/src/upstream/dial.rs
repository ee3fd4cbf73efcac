//! Makes a connection: TCP, TLS where the scheme says so, and the HTTP engine that ALPN or the scheme names. The engine
//! runs in a task of its own until the connection closes.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bascule_guard::http2::Abuse;
use bascule_model::{EndpointId, Scheme};
use bascule_net::tcp::{self, ConnectError};
use bascule_telemetry::{clock, names, spawn};
use bascule_traffic::retry::{Cause, Failure};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::http::frames::{FrameWatch, Framed};
use crate::http::limits;
use crate::places::Counted;
use crate::tasks::LocalExecutor;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::guarded::{self, Guarded, Replies};
use crate::upstream::pool::{Connection, STREAMS_MAX, Single};

/// A ping on an HTTP/2 connection with open streams finds a peer that is gone without a word.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the answer to a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes a connection to the endpoint. `timeout` is for TCP alone; the caller's is for all of it.
pub(crate) async fn dial(
    endpoint: &Rc<Endpoint>,
    timeout: Duration,
) -> Result<Connection, Failure> {
    let failed = |cause: Cause| Failure::new(cause, Some(endpoint.id()));
    let counted = endpoint.places.begin_connection();
    let stream = tcp::connect(endpoint.address(), timeout)
        .await
        .map_err(|error| failed(cause_of(&error)).because(error))?;
    let made = match endpoint.id_ref().scheme {
        Scheme::Http => http1(endpoint, stream, counted).await,
        Scheme::H2c => http2(endpoint, stream, counted).await,
        Scheme::Https => {
            let tls = endpoint.tls().ok_or_else(|| failed(Cause::Tls))?;
            let connector = TlsConnector::from(std::sync::Arc::clone(&tls.config));
            let connecting = connector.connect(tls.name.clone(), stream);
            let stream = connecting
                .await
                .map_err(|error| failed(Cause::Tls).because(error))?;
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => http2(endpoint, stream, counted).await,
                _ => http1(endpoint, stream, counted).await,
            }
        }
    };
    made.map_err(|error| failed(Cause::Connect).because(error))
}

async fn http1<S>(endpoint: &Rc<Endpoint>, stream: S, counted: Counted) -> hyper::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let replies = Rc::new(Replies::new());
    let stream = Guarded::new(stream, Rc::clone(&replies));
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(limits::BUFFER_BYTES)
        .max_headers(guarded::FIELDS_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
    spawn::local("upstream", async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
        drop(counted);
    })
    .detach();
    endpoint.pool.note_unshared();
    let reused = false;
    let single = Single::new(sender, replies);
    Ok(Connection::Http1 { single, reused })
}

async fn http2<S>(endpoint: &Rc<Endpoint>, stream: S, counted: Counted) -> hyper::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let frames = Rc::new(FrameWatch::of_endpoint());
    let stream = Framed::new(stream, Rc::clone(&frames));
    // A client that reads slowly holds up to one window: with room for all of them, none holds up another's stream.
    let connection_window = limits::ENDPOINT_STREAM_WINDOW.saturating_mul(STREAMS_MAX);
    let (sender, connection) = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::ENDPOINT_STREAM_WINDOW)
        .initial_connection_window_size(connection_window)
        .max_send_buf_size(limits::BUFFER_BYTES)
        .max_header_list_size(guarded::HEAD_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await?;
    let id = endpoint.id();
    let streams_max = Rc::new(Cell::new(STREAMS_MAX));
    let allowed = Rc::clone(&streams_max);
    let watched = Rc::clone(&frames);
    spawn::local("upstream", async move {
        let mut connection = pin!(connection);
        let driven = poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            if polled.is_pending() {
                allow(connection.current_max_send_streams(), &allowed, &counted);
            }
            polled
        });
        if let Err(error) = driven.await {
            tracing::debug!(%error, "upstream connection ended");
        }
        drop(counted);
        if let Some(abuse) = watched.abuse() {
            count_end(&id, abuse);
        }
    })
    .detach();
    let now = clock::now();
    let stream = endpoint.pool.share(sender, streams_max, frames, now);
    // It has room for more than the request that it was made for.
    endpoint.places.freed();
    let reused = false;
    Ok(Connection::Http2 { stream, reused })
}

/// Keeps how many streams the endpoint allows; where they are more than before, whoever waits hears of it.
fn allow(streams: usize, allowed: &Cell<u32>, counted: &Counted) {
    let streams = u32::try_from(streams).unwrap_or(u32::MAX).min(STREAMS_MAX);
    if allowed.replace(streams) < streams {
        counted.has_room();
    }
}

/// An endpoint's connection was ended for what the endpoint sent.
fn count_end(id: &EndpointId, abuse: Abuse) {
    tracing::warn!(event = "endpoint_abuse", endpoint = %id, reason = abuse.as_str(), "connection ended");
    let labels = [
        ("service", id.service.to_string()),
        ("backend", id.backend.to_string()),
        ("reason", abuse.as_str().to_owned()),
    ];
    metrics::counter!(names::UPSTREAM_CONNECTIONS_ENDED, &labels).increment(1);
}

/// A connect that failed for want of something here says nothing of the endpoint.
fn cause_of(error: &ConnectError) -> Cause {
    let error = match error {
        ConnectError::Timeout { .. } => return Cause::ConnectTimeout,
        ConnectError::Failed { source, .. } => source,
    };
    let ours = [errno::EMFILE, errno::ENFILE, errno::ENOBUFS, errno::ENOMEM];
    let is_ours = error
        .raw_os_error()
        .is_some_and(|code| ours.contains(&code));
    if is_ours || error.kind() == io::ErrorKind::AddrNotAvailable {
        Cause::Exhausted
    } else {
        Cause::Connect
    }
}

/// Linux' numbers of the errors that mean: nothing left here.
mod errno {
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const ENFILE: i32 = 23;
    pub(super) const EMFILE: i32 = 24;
    pub(super) const ENOBUFS: i32 = 105;
}
