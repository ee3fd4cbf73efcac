//! What waits for one client: how many bytes of responses the connection's engine holds, and since when the client's
//! socket takes nothing. [`Metered`] wraps the socket itself, below TLS, so that a client that takes a little counts as
//! one that moves. It decides nothing but how much is too much; [`Progress`](crate::http::progress::Progress) counts for
//! one response, `client` watches the time.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bascule_model::Instant;
use bascule_telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::http::limits;

/// All response bytes that wait in the engines of one worker, and what may be unread behind them.
#[derive(Debug, Default)]
pub(crate) struct Backlog(Cell<usize>);

/// One client connection's way out.
#[derive(Debug)]
pub(crate) struct Outflow {
    backlog: Rc<Backlog>,
    waiting: Cell<usize>,
    taken: Cell<Instant>,
    blocked: Cell<Option<Instant>>,
    aborted: Cell<bool>,
}

impl Outflow {
    /// Of a connection that has just come.
    pub(crate) fn new(backlog: Rc<Backlog>) -> Self {
        Self {
            backlog,
            waiting: Cell::new(0),
            taken: Cell::new(clock::now()),
            blocked: Cell::new(None),
            aborted: Cell::new(false),
        }
    }

    /// A response was cut whose end nothing but the end of the connection says: the connection is reset, as a close would
    /// be taken for the end.
    pub(crate) fn abort(&self) {
        self.aborted.set(true);
    }

    /// The engine was given bytes of a response.
    pub(crate) fn hand(&self, bytes: usize) {
        if self.waiting.get() == 0 {
            self.taken.set(clock::now());
        }
        self.waiting.set(self.waiting.get().saturating_add(bytes));
        self.backlog
            .0
            .set(self.backlog.0.get().saturating_add(bytes));
    }

    /// The socket took them, or the engine let go of them.
    pub(crate) fn take(&self, bytes: usize, now: Instant) {
        self.taken.set(now);
        self.waiting.set(self.waiting.get().saturating_sub(bytes));
        self.backlog
            .0
            .set(self.backlog.0.get().saturating_sub(bytes));
    }

    /// A response begins to wait, with so much that may be unread behind it.
    pub(crate) fn charge(&self, behind: usize) {
        let charged = self.backlog.0.get().saturating_add(behind);
        self.backlog.0.set(charged);
    }

    /// It waits no more.
    pub(crate) fn discharge(&self, behind: usize) {
        let left = self.backlog.0.get().saturating_sub(behind);
        self.backlog.0.set(left);
    }

    /// Whether so little waits that every pump may read on.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.get() < limits::WAITING_BYTES
    }

    /// How long a client may stand still: less while much waits in this worker, for that is when it costs the others.
    pub(crate) fn patience(&self, stall_max: Duration) -> Duration {
        if self.backlog.0.get() > limits::BACKLOG_BYTES {
            stall_max.min(limits::STALL_UNDER_PRESSURE)
        } else {
            stall_max
        }
    }

    /// Since when the socket takes nothing of what is there for the client.
    pub(crate) fn blocked_since(&self) -> Option<Instant> {
        self.blocked.get()
    }

    /// Since when responses wait of which nothing was taken.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        (self.waiting.get() > 0).then(|| self.taken.get())
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending if self.blocked.get().is_none() => self.blocked.set(Some(clock::now())),
            Poll::Pending => {}
            Poll::Ready(_) => self.blocked.set(None),
        }
    }
}

/// A client's socket whose writes an [`Outflow`] sees.
#[derive(Debug)]
pub(crate) struct Metered {
    stream: TcpStream,
    outflow: Rc<Outflow>,
}

impl Metered {
    /// Shows what is written to `stream`.
    pub(crate) const fn new(stream: TcpStream, outflow: Rc<Outflow>) -> Self {
        Self { stream, outflow }
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        if self.outflow.aborted.get()
            && let Err(error) = self.stream.set_zero_linger()
        {
            tracing::debug!(%error, "a connection is closed instead of reset");
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.outflow.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.outflow.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
