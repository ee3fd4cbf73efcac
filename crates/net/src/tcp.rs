//! TCP connections: accepted from clients within a limit, and opened to endpoints within a time. It sets what every
//! connection needs (no delay, keep-alive) and nothing else. An error of accepting never ends a listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bascule_model::{Instant, ListenerName};
use bascule_telemetry::{clock, names};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

/// The first pause when accepting fails for want of files or memory, doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest such pause: clients wait in the backlog meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A peer that is silent this long is asked whether it still lives, below the 350 s after which clouds forget a flow.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// Bytes that may wait unsent in a client's socket before it takes no more. Two of the proxy's buffers: while one is sent
/// the next is there.
const UNSENT_MAX: u32 = 128 * 1024;

/// The limit on client connections of the whole process, and how many there are. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    open: AtomicUsize,
    limit: AtomicUsize,
}

impl Connections {
    /// No connections yet, and at most `limit`.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let open = AtomicUsize::new(0);
        let limit = AtomicUsize::new(limit);
        Self(Arc::new(Counts { open, limit }))
    }

    /// Changes the limit. Open connections stay.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Relaxed);
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.load(Relaxed)
    }

    fn permit(&self, gauge: &metrics::Gauge) -> Option<Permit> {
        let before = self.0.open.fetch_add(1, Relaxed);
        if before >= self.0.limit.load(Relaxed) {
            self.0.open.fetch_sub(1, Relaxed);
            return None;
        }
        gauge.increment(1.0);
        Some(Permit {
            connections: self.clone(),
            gauge: gauge.clone(),
        })
    }
}

/// The right to one connection; given back when dropped. Lives on the worker that accepted it.
#[derive(Debug)]
pub struct Permit {
    connections: Connections,
    gauge: metrics::Gauge,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.0.open.fetch_sub(1, Relaxed);
        self.gauge.decrement(1.0);
    }
}

/// A connection from a client.
#[derive(Debug)]
pub struct Accepted {
    /// The connection, with `TCP_NODELAY`.
    pub stream: TcpStream,
    /// The client; an IPv4 address is given as one also when it came over an IPv6 socket.
    pub peer: SocketAddr,
    /// To be kept as long as the connection.
    pub permit: Permit,
}

/// Accepts the connections of one socket of one worker.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    connections: Connections,
    metrics: Metrics,
    /// Set after a failure for want of files or memory.
    pause: Duration,
    resume_at: Option<Instant>,
}

#[derive(Debug)]
struct Metrics {
    name: Arc<str>,
    open: metrics::Gauge,
    accepted: metrics::Counter,
    refused: metrics::Counter,
}

impl Acceptor {
    /// Of a bound socket. Call it on the worker, inside its runtime and with its recorder.
    ///
    /// # Errors
    /// The runtime's, when it cannot watch the socket.
    pub fn new(
        socket: std::net::TcpListener,
        name: &ListenerName,
        connections: &Connections,
    ) -> io::Result<Self> {
        let name: Arc<str> = Arc::from(name.as_str());
        let label = || Arc::clone(&name);
        let metrics = Metrics {
            open: metrics::gauge!(names::CONNECTIONS, "listener" => label()),
            accepted: metrics::counter!(names::CONNECTIONS_ACCEPTED, "listener" => label()),
            refused: metrics::counter!(names::CONNECTIONS_REFUSED, "listener" => label(), "reason" => "limit"),
            name,
        };
        socket.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(socket)?,
            connections: connections.clone(),
            metrics,
            pause: PAUSE_MIN,
            resume_at: None,
        })
    }

    /// The next connection. Those above the limit are closed at once; errors are counted, and waited out where waiting
    /// helps. Dropping the future loses no connection.
    pub async fn accept(&mut self) -> Accepted {
        loop {
            if let Some(at) = self.resume_at {
                clock::sleep_until(at).await;
                self.resume_at = None;
            }
            let result = self.listener.accept().await;
            if let Some(accepted) = self.take(result) {
                return accepted;
            }
        }
    }

    /// Closes the socket and gives the connections that waited in its queue: they were made already, and closing the
    /// socket alone would reset them.
    #[must_use]
    pub fn close(mut self) -> Vec<Accepted> {
        let mut waiting = Vec::new();
        let address = self.listener.local_addr();
        // A second handle on the socket, so that the runtime's view of its readiness does not matter.
        let Ok(socket) = SockRef::from(&self.listener).try_clone() else {
            tracing::warn!(?address, "the queue of a closed listener is lost");
            return waiting;
        };
        let socket = std::net::TcpListener::from(socket);
        while let Ok((stream, peer)) = socket.accept() {
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            waiting.extend(self.take(stream.map(|stream| (stream, peer))));
        }
        waiting
    }

    fn take(&mut self, result: io::Result<(TcpStream, SocketAddr)>) -> Option<Accepted> {
        match result {
            Ok((stream, peer)) => {
                self.pause = PAUSE_MIN;
                self.admit(stream, peer)
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) -> Option<Accepted> {
        let Some(permit) = self.connections.permit(&self.metrics.open) else {
            self.metrics.refused.increment(1);
            return None;
        };
        self.metrics.accepted.increment(1);
        if prepare(&stream)
            .and_then(|()| bound_unsent(&stream))
            .is_err()
        {
            // The peer is gone already; whoever reads finds that out.
            tracing::debug!(%peer, "a connection ended before it was served");
        }
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Some(Accepted {
            stream,
            peer,
            permit,
        })
    }

    fn failed(&mut self, error: &io::Error) {
        let reason = Refusal::of(error);
        let name = Arc::clone(&self.metrics.name);
        metrics::counter!(names::ACCEPT_ERRORS, "listener" => name, "reason" => reason.as_str())
            .increment(1);
        if reason == Refusal::Aborted {
            return;
        }
        if self.pause == PAUSE_MIN {
            let listener = &*self.metrics.name;
            tracing::warn!(event = "accept_failed", listener, %error, reason = reason.as_str(), "cannot accept connections");
        }
        self.resume_at = Some(clock::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// Why accepting failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No file descriptor is left, in the process or the system.
    Files,
    /// No memory is left.
    Memory,
    /// That one connection was gone before it was accepted, or a signal came.
    Aborted,
    /// Anything else; waiting is safe.
    Other,
}

impl Refusal {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            // ENFILE, EMFILE.
            Some(23 | 24) => Self::Files,
            // ENOMEM, ENOBUFS.
            Some(12 | 105) => Self::Memory,
            // EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, EPERM: as accept(2) says, of that
            // connection and to be treated like a try again.
            Some(71 | 92 | 100 | 101 | 112 | 113 | 1) => Self::Aborted,
            _ => match error.kind() {
                io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock => Self::Aborted,
                _ => Self::Other,
            },
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Memory => "memory",
            Self::Aborted => "aborted",
            Self::Other => "other",
        }
    }
}

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It took longer than allowed.
    #[error("no connection to {address} within {timeout:?}")]
    Timeout {
        /// To where.
        address: SocketAddr,
        /// How long was allowed.
        timeout: Duration,
    },
    /// It was refused, or there is no way there.
    #[error("no connection to {address}")]
    Failed {
        /// To where.
        address: SocketAddr,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
}

/// Opens a connection with `TCP_NODELAY` and keep-alive. Dropping the future gives the attempt up.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(address: SocketAddr, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let failed = |source| ConnectError::Failed { address, source };
    match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => prepare(&stream).map(|()| stream).map_err(failed),
        Ok(Err(source)) => Err(failed(source)),
        Err(_) => Err(ConnectError::Timeout { address, timeout }),
    }
}

/// Of what a client does not take, little waits in the kernel, and the edge hears soon of what is taken. What is on its way
/// does not count, so a long fat path is filled all the same.
fn bound_unsent(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_MAX)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bascule_telemetry::Registry;

    use super::*;
    use crate::listen::{ListenAddress, bind};

    const LONG: Duration = Duration::from_secs(30);

    fn acceptor(connections: &Connections) -> (Acceptor, SocketAddr) {
        let ip = Some(Ipv4Addr::LOCALHOST.into());
        let mut bound = bind(ListenAddress { ip, port: 0 }, 1).unwrap();
        let name = ListenerName::parse("web").unwrap();
        let acceptor = Acceptor::new(bound.sockets.remove(0), &name, connections);
        (acceptor.unwrap(), bound.address)
    }

    #[tokio::test]
    async fn a_connection_above_the_limit_is_closed_and_counted() {
        let registry = Registry::new();
        let recorder = registry.worker();
        let _local = metrics::set_default_local_recorder(&recorder);
        let connections = Connections::new(1);
        let (mut acceptor, address) = acceptor(&connections);
        let _one = connect(address, LONG).await.unwrap();
        let first = acceptor.accept().await;
        let two = connect(address, LONG).await.unwrap();
        let _three = connect(address, LONG).await.unwrap();
        let third = async {
            two.readable().await.unwrap();
            assert_eq!(
                two.try_read(&mut [0; 8]).unwrap(),
                0,
                "the second was closed"
            );
            drop(first);
            connect(address, LONG).await.unwrap()
        };
        let (_four, accepted) = tokio::join!(third, acceptor.accept());
        assert!(accepted.stream.nodelay().unwrap());
        assert_eq!(connections.open(), 1);
        let web = [("listener", "web")];
        assert!(registry.counter(names::CONNECTIONS_REFUSED, &web) >= 1);
        assert!((registry.gauge(names::CONNECTIONS, &web) - 1.0).abs() < 0.1);
        drop(accepted);
        assert!(registry.gauge(names::CONNECTIONS, &web).abs() < 0.1);
    }

    #[tokio::test]
    async fn closing_gives_the_connections_that_waited() {
        let connections = Connections::new(10);
        let (acceptor, address) = acceptor(&connections);
        let _clients = [
            connect(address, LONG).await.unwrap(),
            connect(address, LONG).await.unwrap(),
        ];
        let waiting = acceptor.close();
        assert_eq!((waiting.len(), connections.open()), (2, 2));
        let error = connect(address, LONG).await.unwrap_err();
        assert!(matches!(error, ConnectError::Failed { .. }), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_files_accepting_pauses_longer_each_time_until_it_works_again() {
        let (mut acceptor, address) = acceptor(&Connections::new(10));
        let files = || io::Error::from_raw_os_error(24);
        let pauses: Vec<Duration> = (0..9)
            .map(|_| {
                assert!(acceptor.take(Err(files())).is_none());
                acceptor.resume_at.unwrap().since(clock::now())
            })
            .collect();
        assert_eq!(pauses.first(), Some(&PAUSE_MIN));
        assert_eq!(pauses.last(), Some(&PAUSE_MAX));
        let before = clock::now();
        let _client = std::net::TcpStream::connect(address).unwrap();
        acceptor.accept().await;
        assert!(clock::now().since(before) >= PAUSE_MAX);
        assert_eq!(acceptor.pause, PAUSE_MIN);
    }

    #[tokio::test]
    async fn a_connection_gone_before_it_is_accepted_costs_no_pause() {
        let (mut acceptor, _) = acceptor(&Connections::new(10));
        let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert!(acceptor.take(Err(gone)).is_none());
        assert_eq!(acceptor.resume_at, None);
    }
}
