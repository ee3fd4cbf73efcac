//! **secure** and **serve**: TLS, then the engine of the HTTP version that ALPN or the connection's first bytes name. For
//! each request the engine calls `handle`; [`http2`] has that of HTTP/2. Beside the engine runs the watch over the connection's time, and the order to
//! drain. A panic ends the connection's task, or the HTTP/2 stream's, and nothing else.

mod http2;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bascule_config::{Limits, Listener};
use bascule_guard::http1 as guard;
use bascule_net::preface::{self, Http, Rewind};
use bascule_net::tcp::Accepted;
use bascule_net::tls::ServerTls;
use bascule_telemetry::clock;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::http::client::{Caller, Client, HEAD_TIMEOUT, REQUESTS, Standing};
use crate::http::guarded::Guarded;
use crate::http::handle::handle;
use crate::http::intake::Intake;
use crate::http::limits;
use crate::http::outflow::{Metered, Outflow};
use crate::http::record::Exchange;
use crate::worker::Worker;

/// When a connection is looked at first.
const LOOK_FIRST: Duration = Duration::from_secs(1);

/// Serves a client connection to its end.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    listener: Rc<Listener>,
    tls: Option<ServerTls>,
    accepted: Accepted,
) {
    let Accepted {
        stream,
        peer,
        permit,
    } = accepted;
    let outflow = Rc::new(Outflow::new(worker.backlog()));
    let stream = Metered::new(stream, Rc::clone(&outflow));
    let caller = Caller {
        peer,
        outflow,
        named: None,
    };
    match tls {
        Some(tls) => serve_tls(worker, listener, &tls, stream, caller).await,
        None => serve_clear(worker, listener, stream, caller).await,
    }
    drop(permit);
}

/// In clear: HTTP/2 by prior knowledge, told by its first bytes.
async fn serve_clear(worker: Rc<Worker>, listener: Rc<Listener>, stream: Metered, caller: Caller) {
    let (http, stream) = match (listener.protocols.h1, listener.protocols.h2) {
        (true, true) => match sniff(&worker, &listener, stream, &caller).await {
            Some(told) => told,
            None => return,
        },
        (true, false) => (Http::One, Rewind::nothing_read(stream)),
        (false, _) => (Http::Two, Rewind::nothing_read(stream)),
    };
    engine(worker, listener, http, stream, caller).await;
}

/// Waits until a client says something, as for an idle one, and then for what tells its version, as for a head. `None`: the
/// connection is over; nothing was asked.
async fn sniff(
    worker: &Worker,
    listener: &Listener,
    stream: Metered,
    caller: &Caller,
) -> Option<(Http, Rewind<Metered>)> {
    let idle_until = clock::now() + listener.timeouts.client_idle;
    // Nothing was said yet that could be lost. What has been said already is heard before the order.
    let begun = tokio::select! {
        biased;
        begun = preface::first(stream) => begun.ok()?,
        () = worker.ending() => return None,
        () = clock::sleep_until(idle_until) => return None,
    };
    let head_until = clock::now() + listener.timeouts.request_headers;
    // Losing the rest loses the connection, as it should.
    tokio::select! {
        biased;
        told = preface::tell(begun) => told.ok(),
        () = clock::sleep_until(head_until) => {
            worker.count_connection_end(listener, caller.peer, HEAD_TIMEOUT);
            None
        }
    }
}

/// Over TLS: the certificate by SNI, the version by ALPN.
async fn serve_tls(
    worker: Rc<Worker>,
    listener: Rc<Listener>,
    tls: &ServerTls,
    stream: Metered,
    caller: Caller,
) {
    let deadline = clock::now() + listener.timeouts.request_headers;
    // Boxed, as what a handshake needs is not to be held as long as the connection.
    let handshake = Box::pin(tls.accept(stream));
    // Losing the handshake loses the connection, as it should.
    let secured = tokio::select! {
        secured = handshake => secured,
        () = clock::sleep_until(deadline) => return worker.count_handshake(&listener, "timeout"),
    };
    let secured = match secured {
        Ok(secured) => secured,
        Err(error) => {
            tracing::debug!(peer = %caller.peer, %error, "no handshake");
            return worker.count_handshake(&listener, error.result());
        }
    };
    let http = secured.http();
    // A client without ALPN means HTTP/1.
    if http == Http::One && !listener.protocols.h1 {
        return worker.count_handshake(&listener, "failed");
    }
    worker.count_handshake(&listener, secured.result());
    let caller = Caller {
        named: secured.named,
        ..caller
    };
    engine(worker, listener, http, secured.stream, caller).await;
}

async fn engine<S>(
    worker: Rc<Worker>,
    listener: Rc<Listener>,
    http: Http,
    stream: S,
    caller: Caller,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    match http {
        Http::One => serve_http1(worker, listener, stream, caller).await,
        Http::Two => http2::serve(worker, listener, stream, caller).await,
    }
}

async fn serve_http1<S>(worker: Rc<Worker>, listener: Rc<Listener>, stream: S, caller: Caller)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let Limits {
        header_bytes,
        header_count,
        ..
    } = listener.limits;
    let intake = Rc::new(Intake::new(guard::Limits::of_requests(
        header_bytes,
        header_count,
    )));
    let io = TokioIo::new(Guarded::new(stream, Rc::clone(&intake)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The watch below tells an idle client from a slow head, which hyper's timer does not.
        .header_read_timeout(None)
        // The guard has limited what comes here.
        .max_headers(header_count)
        .max_buf_size(limits::BUFFER_BYTES.max(header_bytes.saturating_mul(2)));
    let client = Rc::new(Client::new(worker, listener, caller, Some(intake), None));
    let of_requests = Rc::clone(&client);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let exchange = Exchange::begin(&of_requests, &request);
        async move { Ok::<_, Infallible>(handle(exchange, request).await) }
    });
    let mut connection = builder.serve_connection(io, service);
    let drain = http1::Connection::graceful_shutdown;
    if watch(Pin::new(&mut connection), drain, &client).await == Ended::Well {
        // The engine leaves a stream open on which an upgrade was asked for, though none is ever offered.
        connection.into_parts().io.into_inner().finish().await;
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Its engine came to its end.
    Well,
    /// It broke off, or was cut: it must not look like an end.
    Cut,
}

/// Runs a connection's engine beside its watch: over an idle or slow client, and for the order to drain.
async fn watch<C>(mut connection: Pin<&mut C>, drain: fn(Pin<&mut C>), client: &Client) -> Ended
where
    C: Future<Output = hyper::Result<()>>,
{
    let (mut ordered, mut draining) = (false, false);
    let mut look_at = clock::now() + client.listener.timeouts.client_idle.min(LOOK_FIRST);
    loop {
        // The engine keeps its own state; the other branches only wait.
        tokio::select! {
            biased;
            // Before the engine, so that an answer that is ready in this moment says that it is the last. Who has asked
            // nothing yet may have said something all the same: that is heard first.
            () = client.worker.asked_to_go(), if !ordered => {
                ordered = true;
                if !client.is_busy() || !client.can_be_asked_to_go() {
                    look_at = clock::now();
                } else if !draining {
                    draining = true;
                    drain(connection.as_mut());
                }
            }
            ended = connection.as_mut() => {
                let Err(error) = ended else {
                    return Ended::Well;
                };
                client.note_error(&error);
                return Ended::Cut;
            }
            () = client.too_many() => {
                if client.has_overrun() {
                    client.count_end(REQUESTS);
                    return Ended::Cut;
                }
                if !draining {
                    draining = true;
                    drain(connection.as_mut());
                }
            }
            () = clock::sleep_until(look_at) => {
                let now = clock::now();
                let is_due = ordered && client.can_be_asked_to_go();
                match client.standing(now) {
                    Standing::Idle if draining => return Ended::Cut,
                    Standing::Overdue(reason) => {
                        client.count_end(reason);
                        return Ended::Cut;
                    }
                    Standing::Idle => {
                        draining = true;
                        drain(connection.as_mut());
                        look_at = now + LOOK_FIRST;
                    }
                    Standing::LateHead => {
                        client.give_up_head();
                        look_at = now + LOOK_FIRST;
                    }
                    Standing::Well(until) if ordered => look_at = until.min(now + LOOK_FIRST),
                    Standing::Well(until) => look_at = until,
                }
                if is_due && !draining {
                    draining = true;
                    drain(connection.as_mut());
                }
            }
        }
    }
}
