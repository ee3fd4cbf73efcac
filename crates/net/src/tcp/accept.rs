//! Accepting connections from clients on one socket of one worker. An error of accepting never ends a listener, and a
//! connection above a limit costs no more than its counting. [`limit`](super::limit) decides who is let in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, ListenerName};
use bascule_telemetry::{clock, names};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::limit::{Connections, Door, Permit, Refused};
use super::{bound_unsent, prepare};

/// The first pause when accepting fails for want of files or memory, doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// The longest such pause: clients wait in the backlog meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often the log is told that connections are refused: a flood must not flood the log too.
const SAY_EVERY: Duration = Duration::from_secs(60);

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
    door: Door,
    metrics: Metrics,
    /// Set after a failure for want of files or memory.
    pause: Duration,
    resume_at: Option<Instant>,
    /// When the log was last told of a refused connection.
    refused_said: Option<Instant>,
}

#[derive(Debug)]
struct Metrics {
    name: Arc<str>,
    open: metrics::Gauge,
    accepted: metrics::Counter,
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
        let door = connections.door(name);
        let name: Arc<str> = Arc::from(name.as_str());
        let label = || Arc::clone(&name);
        let metrics = Metrics {
            open: metrics::gauge!(names::CONNECTIONS, "listener" => label()),
            accepted: metrics::counter!(names::CONNECTIONS_ACCEPTED, "listener" => label()),
            name,
        };
        socket.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(socket)?,
            door,
            metrics,
            pause: PAUSE_MIN,
            resume_at: None,
            refused_said: None,
        })
    }

    /// The next connection. Those above a limit are closed at once, without a word: the client sees the end of the
    /// connection, or a reset where it had spoken already. What it said is not read, as that would be work for whoever
    /// floods. Errors are counted, and waited out where waiting helps. Dropping the future loses no connection.
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

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<Accepted> {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let permit = match self.door.admit(peer.ip(), &self.metrics.open) {
            Ok(permit) => permit,
            Err(refused) => {
                self.refused(refused, peer);
                return None;
            }
        };
        self.metrics.accepted.increment(1);
        if prepare(&stream)
            .and_then(|()| bound_unsent(&stream))
            .is_err()
        {
            // The peer is gone already; whoever reads finds that out.
            tracing::debug!(%peer, "a connection ended before it was served");
        }
        Some(Accepted {
            stream,
            peer,
            permit,
        })
    }

    fn refused(&mut self, refused: Refused, peer: SocketAddr) {
        let (name, reason) = (Arc::clone(&self.metrics.name), refused.as_str());
        metrics::counter!(names::CONNECTIONS_REFUSED, "listener" => name, "reason" => reason)
            .increment(1);
        let now = clock::now();
        if self
            .refused_said
            .is_some_and(|at| now.since(at) < SAY_EVERY)
        {
            return;
        }
        self.refused_said = Some(now);
        let listener = &*self.metrics.name;
        tracing::warn!(event = "connection_refused", listener, reason, %peer, "a limit of connections is reached");
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

#[cfg(test)]
mod tests;
