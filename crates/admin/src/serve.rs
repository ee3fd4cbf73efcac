//! The listeners: the unix socket, TCP, and metrics. Runs on the control thread's `LocalSet`. Each door has its own
//! limit, so that nobody on the network can lock out the operator on the machine.

mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use bascule_telemetry::{clock, spawn};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

pub use socket::SocketError;

use crate::access::Door;
use crate::app::{App, Parts};
use crate::ports::{Ports, Settings};
use crate::routes;
use socket::SocketFile;

/// Connections of one door: a team's dashboards and scripts, each with a few.
const CONNECTIONS_MAX: u32 = 256;
/// A client that takes longer to send a request's head is cut.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// After an error of accept (no descriptors, say), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Between two readings of the edge's totals.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Why the admin side cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The unix socket cannot be had.
    #[error("the admin socket cannot be opened")]
    Socket(#[from] SocketError),
    /// A TCP listener cannot be used.
    #[error("the admin listener cannot be used")]
    Listener(#[source] std::io::Error),
}

/// The running admin side.
pub struct Server {
    stop: watch::Sender<bool>,
    doors: Vec<Arc<Semaphore>>,
    socket: Option<SocketFile>,
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    _tasks: Vec<spawn::AbortOnDrop>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("listen", &self.listen)
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}

/// Opens the listeners and serves. Must be called inside a `LocalSet`.
///
/// # Errors
/// [`ServeError`]; nothing is left open then.
pub fn serve(settings: Settings, ports: Ports) -> Result<Server, ServeError> {
    let (stop, stopping) = watch::channel(false);
    let app = App::new(Parts {
        ports,
        tokens: settings.tokens,
        host_names: settings.host_names,
        instance: settings.instance,
        version: settings.version,
        started_at: settings.started_at,
        stopping: stopping.clone(),
    });
    let listen = settings.listen.map(tcp).transpose()?;
    let metrics = settings.metrics.map(tcp).transpose()?;
    let bound = settings
        .socket
        .map(|path| socket::bind(&path))
        .transpose()?;
    let addresses = [&listen, &metrics].map(|l| l.as_ref().and_then(|l| l.local_addr().ok()));
    let router = routes::all(&app);
    let (mut doors, mut tasks) = (Vec::new(), Vec::new());
    let mut open = |name: &'static str, listener: Listener, router: Router| {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        doors.push(Arc::clone(&places));
        let accepting = accept(listener, router, places, stopping.clone());
        tasks.push(spawn::local(name, accepting).abort_on_drop());
    };
    let mut socket = None;
    if let Some((listener, file)) = bound {
        open("admin-socket", Listener::Unix(listener), router.clone());
        socket = Some(file);
    }
    if let Some(listener) = listen {
        open("admin-listen", Listener::Tcp(listener), router);
    }
    if let Some(listener) = metrics {
        let router = routes::metrics_only(&app);
        open("admin-metrics", Listener::Tcp(listener), router);
    }
    tasks.push(spawn::local("admin-measure", measure(app)).abort_on_drop());
    let [listen, metrics] = addresses;
    Ok(Server {
        stop,
        doors,
        socket,
        listen,
        metrics,
        _tasks: tasks,
    })
}

impl Server {
    /// The address of the TCP listener.
    #[must_use]
    pub const fn listen(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// The address of the metrics listener.
    #[must_use]
    pub const fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Takes no new connection, ends event streams, lets running requests end within `deadline`, and removes the socket
    /// file.
    pub async fn stop(self, deadline: Duration) {
        self.stop.send_replace(true);
        let end = clock::now() + deadline;
        for places in &self.doors {
            tokio::select! {
                all = places.acquire_many(CONNECTIONS_MAX) => drop(all),
                () = clock::sleep_until(end) => {}
            }
        }
        if let Some(socket) = &self.socket {
            socket.remove();
        }
    }
}

async fn measure(app: App) {
    loop {
        app.measure();
        clock::sleep_until(clock::now() + MEASURE_EVERY).await;
    }
}

fn tcp(listener: Arc<std::net::TcpListener>) -> Result<TcpListener, ServeError> {
    let listener = listener.try_clone().map_err(ServeError::Listener)?;
    listener
        .set_nonblocking(true)
        .map_err(ServeError::Listener)?;
    TcpListener::from_std(listener).map_err(ServeError::Listener)
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Listener {
    /// The next connection, with the door it came through.
    async fn accept(&self) -> std::io::Result<(Stream, Door)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                let owner = uid == 0 || uid == rustix::process::geteuid().as_raw();
                Ok((Stream::Unix(stream), Door::Unix { uid, owner }))
            }
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Door::Tcp(address)))
            }
        }
    }
}

async fn accept(
    listener: Listener,
    router: Router,
    places: Arc<Semaphore>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        // A place first: what waits beyond it waits in the kernel's queue. Never closed, so never an error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        // Both branches are cancellation-safe.
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((stream, door)) => {
                let (router, stopping) = (router.clone(), stopping.clone());
                let connection = async move {
                    match stream {
                        Stream::Unix(stream) => connection(stream, door, router, stopping).await,
                        Stream::Tcp(stream) => connection(stream, door, router, stopping).await,
                    }
                    drop(place);
                };
                spawn::local("admin-connection", connection).detach();
            }
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept");
                clock::sleep_until(clock::now() + ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    door: Door,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(door);
        router.call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        _ = stopping.wait_for(|stopping| *stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an admin connection ended early");
    }
}
