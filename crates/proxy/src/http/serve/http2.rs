//! **serve** for HTTP/2: the engine over a stream whose frames are watched, and a task and a watch for each stream. What a
//! client may do is in `docs/limits.md`; what the engine allows by itself is set here.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bascule_config::Listener;
use bascule_telemetry::{clock, spawn};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{LOOK_FIRST, watch};
use crate::http::client::{Caller, Client};
use crate::http::frames::{FrameWatch, Framed};
use crate::http::handle::handle;
use crate::http::limits;
use crate::http::progress::Progress;
use crate::http::record::Exchange;
use crate::worker::Worker;

/// Streams that a client's errors may end in the life of a connection: the engine's own limit, behind that of
/// `limits.resets`, which knows time. One in ten of the requests that a connection may make.
const RESETS_CAUSED_MAX: usize = 1024;
/// A ping on an HTTP/2 connection finds a client that is gone without a word.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Serves an HTTP/2 connection to its end.
pub(super) async fn serve<S>(worker: Rc<Worker>, listener: Rc<Listener>, stream: S, caller: Caller)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let head_bytes = u32::try_from(listener.limits.header_bytes).unwrap_or(u32::MAX);
    let streams = listener.limits.streams_per_connection;
    let resets_at_once = usize::try_from(listener.limits.resets.saturating_mul(10));
    let frames = Rc::new(FrameWatch::of_client(Rc::clone(&worker), &listener.limits));
    let stream = Framed::new(stream, Rc::clone(&frames));
    let client = Rc::new(Client::new(worker, listener, caller, None, Some(frames)));
    let mut builder = http2::Builder::new(Streams(Rc::clone(&client)));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(streams)
        .max_header_list_size(head_bytes)
        .max_pending_accept_reset_streams(resets_at_once.unwrap_or(usize::MAX))
        .max_local_error_reset_streams(RESETS_CAUSED_MAX)
        .initial_stream_window_size(limits::CLIENT_STREAM_WINDOW)
        .initial_connection_window_size(limits::CLIENT_WINDOW)
        .max_send_buf_size(limits::BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY);
    let of_requests = Rc::clone(&client);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let exchange = Exchange::begin(&of_requests, &request);
        // Boxed, so that the stream's task does not hold the room for it while it moves the response's body.
        let handled = Box::pin(handle(exchange, request));
        async move { Ok::<_, Infallible>(handled.await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    watch(
        pin!(connection),
        http2::Connection::graceful_shutdown,
        &client,
    )
    .await;
}

/// Starts the tasks of an HTTP/2 connection: one a stream, each with a watch over its stream.
#[derive(Clone)]
struct Streams(Rc<Client>);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        // The engine calls the service and starts the stream's task in one go: the latest exchange is this stream's.
        match self.0.latest() {
            Some(progress) => {
                let watched = watch_stream(future, progress, Rc::clone(&self.0));
                spawn::local("stream", watched).detach();
            }
            None => spawn::local("stream", future).detach(),
        }
    }
}

/// Runs a stream until it ends, or has stood still for too long: then it is dropped, which resets it.
async fn watch_stream(
    stream: impl Future<Output = ()>,
    progress: Rc<Progress>,
    client: Rc<Client>,
) {
    let mut stream = pin!(stream);
    loop {
        let now = clock::now();
        let deadline = progress.deadline().map(|(at, _)| at);
        // A limit may begin to run meanwhile, or become a shorter one.
        let look_at = deadline.map_or(now + LOOK_FIRST, |at| at.min(now + LOOK_FIRST));
        // The stream keeps its own state; the timer only waits.
        tokio::select! {
            biased;
            () = &mut stream => return,
            () = clock::sleep_until(look_at) => if let Some(stall) = progress.check_stall(clock::now()) {
                return client.count_reset(stall.as_str());
            },
        }
    }
}
