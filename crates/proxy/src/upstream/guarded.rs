//! The stream of an HTTP/1 origin, between the socket and the engine. The guard reads what comes first, against what was
//! asked: the engine gets whole heads that passed and bodies up to the first byte that does not belong, then an error that
//! carries the [`Violation`]. So an answer that nobody asked for, or that can be read in two ways, is never taken for the
//! answer to a request, and the connection carries no other. Whether anything is tried again is decided elsewhere.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bascule_guard::Violation;
use bascule_guard::http1::{Asked, Limits, Responses, Then};
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::held::Held;
use crate::http::body::BodyError;

/// A response's head, in bytes. Some backends send large cookies.
pub(crate) const HEAD_BYTES_MAX: u32 = 64 * 1024;
/// Fields of a response. Source: nginx and Envoy accept about as many.
pub(crate) const FIELDS_MAX: usize = 200;

/// What an origin's connection has said, as the guard understands it.
#[derive(Debug)]
pub(crate) struct Replies(RefCell<Responses>);

impl Replies {
    /// Of a connection that has just been made.
    pub(crate) fn new() -> Self {
        let head_bytes = usize::try_from(HEAD_BYTES_MAX).unwrap_or(usize::MAX);
        let limits = Limits::of_responses(head_bytes, FIELDS_MAX);
        Self(RefCell::new(Responses::new(limits)))
    }

    /// A request with this method is about to be sent.
    pub(crate) fn ask(&self, method: &Method) {
        let asked = if method == Method::HEAD {
            Asked::Head
        } else {
            Asked::Other
        };
        self.0.borrow_mut().ask(asked);
    }

    /// Whether a request is about to be sent of which not a byte has been.
    fn is_asking(&self) -> bool {
        self.0.borrow().is_asking()
    }

    /// Whether the connection may carry another request.
    pub(crate) fn may_be_reused(&self) -> bool {
        self.0.borrow().may_be_reused()
    }
}

/// What is wrong with what an origin sent, where that is what is beneath an error.
pub(crate) fn violation_of(error: &(dyn std::error::Error + 'static)) -> Option<Violation> {
    let mut beneath = Some(error);
    while let Some(error) = beneath {
        // What broke the body of a request on its way to the origin is not the origin's.
        if error.is::<BodyError>() {
            return None;
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.get_ref()?.downcast_ref().copied();
        }
        beneath = error.source();
    }
    None
}

/// An origin's stream that the guard looks at.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    stream: S,
    replies: Rc<Replies>,
    held: Held,
    bad: Option<Violation>,
}

impl<S> Guarded<S> {
    /// Shows what is read from `stream` to the guard.
    pub(crate) fn new(stream: S, replies: Rc<Replies>) -> Self {
        Self {
            stream,
            replies,
            held: Held::default(),
            bad: None,
        }
    }

    /// Notes what is wrong; whether the rest is the beginning of a head.
    fn settle(&mut self, then: Then) -> bool {
        if let Then::BadHead(violation) | Then::BadBody(violation) = then {
            self.bad = Some(violation);
        }
        then == Then::Hold
    }

    fn note_sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(1..)) = written {
            self.replies.0.borrow_mut().sent();
        }
    }
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
        let passed = self.replies.0.borrow_mut().pass(read);
        if self.settle(passed.then) {
            self.held.keep(read.get(passed.bytes..).unwrap_or_default());
        }
        buf.set_filled(before + passed.bytes);
        Poll::Ready(Ok(passed.bytes > 0))
    }

    /// Reads on behind a head that is kept back; whether the engine has got the end.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let is_end = ready!(self.held.poll_more(&mut self.stream, cx))? == 0;
        if !is_end {
            let passed = self.replies.0.borrow_mut().pass(self.held.rest());
            self.held.check(&passed);
            if passed.then == Then::More || self.settle(passed.then) {
                return Poll::Ready(Ok(false));
            }
        }
        self.held.replace_rest(&[]);
        Poll::Ready(Ok(is_end))
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Looks once more for bytes that nobody asked for, before a request is sent that they would be taken to answer. The
    /// runtime knows as a rule that there is nothing to read, so this costs no system call.
    fn hear_before_asking(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.bad.is_none() && self.replies.is_asking() {
            let mut bytes = [0; 1];
            let mut buf = ReadBuf::new(&mut bytes);
            // The end of the stream is found out by whoever reads for the answer.
            let heard = Pin::new(&mut self.stream).poll_read(cx, &mut buf)?;
            if heard.is_ready() && !buf.filled().is_empty() {
                self.bad = Some(Violation::Unasked);
            }
        }
        match self.bad {
            Some(violation) => Err(io::Error::new(io::ErrorKind::InvalidData, violation)),
            None => Ok(()),
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
            if this.held.give(buf) {
                return Poll::Ready(Ok(()));
            }
            if let Some(violation) = this.bad {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)));
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
        self.hear_before_asking(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.hear_before_asking(cx)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_sent(&written);
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
