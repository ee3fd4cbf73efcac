//! The stream of an HTTP/1 client, between the socket and the engine. What comes is read straight into the engine's buffer
//! and looked at there; what may not pass is taken out again. So the engine sees whole heads that were checked, and bodies
//! up to the first byte that does not belong: never a byte that was not understood. What to do about it is not decided
//! here ([`Intake`], `refuse`).
//!
//! ```text
//!  whole head             read, looked at, passed           no copy
//!  part of a head         kept back until it is complete    the engine has seen nothing of it
//!  a head that is bad     a stand-in passes in its place    then nothing more
//!  a body that is bad     what is good passes, then an error
//! ```
//!
//! Also here, because it is the client's stream: after an answer that refuses what the client still sends, the rest is
//! read and thrown away for a moment. A socket that is closed with bytes unread resets the connection, and the reset
//! takes the answer with it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bascule_guard::http1::{Passed, Then};
use bascule_telemetry::clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::held::Held;
use crate::http::intake::Intake;

/// How long what a refused client still sends is read. Long enough for a client that stops when it hears the answer.
const LINGER: Duration = Duration::from_secs(2);
/// As much of it at once.
const LINGER_BYTES: usize = 8 * 1024;

/// A client's stream that the guard looks at.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    stream: S,
    intake: Rc<Intake>,
    held: Held,
    /// The stand-in has been given.
    is_over: bool,
    /// How our side is closed.
    closing: Closing,
}

/// How far our side is with closing.
#[derive(Debug)]
enum Closing {
    Open,
    /// It is shut, and what the client still sends is read until then.
    Lingers(Pin<Box<tokio::time::Sleep>>),
    Done,
}

impl<S> Guarded<S> {
    /// Shows what is read from `stream` to the guard.
    pub(crate) fn new(stream: S, intake: Rc<Intake>) -> Self {
        Self {
            stream,
            intake,
            held: Held::default(),
            is_over: false,
            closing: Closing::Open,
        }
    }

    /// Puts a request that the engine understands in the place of a head that must not pass.
    fn stand_in(&mut self, head: Option<&[u8]>) {
        let stand_in = stand_in_for(head.unwrap_or(self.held.rest()));
        self.held.replace_rest(stand_in);
        self.is_over = true;
    }

    /// Does with the rest of what was read into the engine's buffer as the guard says.
    fn settle(&mut self, rest: &[u8], passed: &Passed) {
        match passed.then {
            Then::More | Then::Drop | Then::BadBody(_) => {}
            Then::Hold => self.held.keep(rest),
            Then::BadHead(_) => self.stand_in(Some(rest)),
        }
    }

    /// The same for what was kept back.
    fn settle_held(&mut self) {
        let passed = self.intake.pass(self.held.rest());
        self.held.check(&passed);
        match passed.then {
            Then::More | Then::Hold => {}
            Then::Drop | Then::BadBody(_) => self.held.replace_rest(&[]),
            Then::BadHead(_) => self.stand_in(None),
        }
    }
}

/// The method stays where we know it, for the log, and because the answer to `HEAD` has no body; `-` is a method that
/// nobody has. Nothing else of what was said is repeated.
fn stand_in_for(head: &[u8]) -> &'static [u8] {
    macro_rules! table {
        ($($method:literal),*) => {
            [$((concat!($method, " ").as_bytes(), concat!($method, " * HTTP/1.1\r\n\r\n").as_bytes())),*]
        };
    }
    let known = table![
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"
    ];
    let line = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let line = line.and_then(|at| head.get(at..)).unwrap_or_default();
    let found = known.iter().find(|(method, _)| line.starts_with(method));
    found.map_or(b"- * HTTP/1.1\r\n\r\n", |(_, stand_in)| stand_in)
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads straight into the engine's buffer; whether it has got something, be it the end.
    fn poll_straight(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if read.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let passed = self.intake.pass(read);
        self.settle(read.get(passed.bytes..).unwrap_or_default(), &passed);
        buf.set_filled(before + passed.bytes);
        Poll::Ready(Ok(passed.bytes > 0))
    }

    /// Reads on behind a head that is kept back; whether the engine has got the end.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if ready!(self.held.poll_more(&mut self.stream, cx))? > 0 {
            self.settle_held();
            return Poll::Ready(Ok(false));
        }
        if self.intake.begun().is_some() {
            self.intake.cut();
            self.stand_in(None);
            return Poll::Ready(Ok(false));
        }
        self.held.replace_rest(&[]);
        Poll::Ready(Ok(true))
    }

    /// Reads and throws away until the client has closed, or the time for it is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Closing::Lingers(over) = &mut self.closing else {
            return Poll::Ready(());
        };
        if over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; LINGER_BYTES];
        loop {
            let mut buf = ReadBuf::new(&mut bytes);
            // The runtime's budget for a task ends the loop where the client sends without end.
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    /// Closes our side, if the engine has not.
    pub(crate) async fn finish(mut self) {
        // A client that has broken off hears nothing; that was noted where the engine ended.
        let closed = poll_fn(|cx| Pin::new(&mut self).poll_shutdown(cx)).await;
        if let Err(error) = closed {
            tracing::debug!(%error, "client connection closed");
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            // Condemned from outside: it came too late.
            if this.intake.is_condemned() && !this.is_over {
                this.stand_in(None);
            }
            if this.held.give(buf) {
                return Poll::Ready(Ok(()));
            }
            if let Some(violation) = this.intake.bad_body() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)));
            }
            if this.is_over {
                // The answer to the stand-in ends the connection; there is nothing to wake up for.
                return Poll::Pending;
            }
            let is_given = if this.held.is_empty() {
                ready!(this.poll_straight(cx, buf))?
            } else {
                ready!(this.poll_held(cx))?
            };
            if is_given {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if matches!(this.closing, Closing::Open) {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.closing = if this.intake.shall_linger() {
                Closing::Lingers(Box::pin(clock::sleep_until(clock::now() + LINGER)))
            } else {
                Closing::Done
            };
        }
        ready!(this.poll_linger(cx));
        this.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
